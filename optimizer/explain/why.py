"""Why a plan does something: what it costs per GPU-hour there and elsewhere, and what the plan is worth without it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from models.dataset import Dataset
from models.plan import NPV_TERMS, Plan
from optimizer.explain.answer import number, usd
from optimizer.explain.difference import Delta
from optimizer.explain.ground import Ground
from optimizer.explain.moves import ServingMove, rack_moves, serving_moves
from optimizer.explain.placement import (
    Placement,
    PlacementError,
    PlacementKind,
    SiteFact,
    forbidding,
    read_placement,
    site_facts,
    size,
)
from optimizer.highs import Control, SolverError
from optimizer.instance import Floats, Instance
from optimizer.planner import InfeasibleError, NoPlanError
from optimizer.whatif import Planner

SECONDS = 60.0
"""Time for the plan without the placement."""
TOLD = 5
"""Sites and terms told."""


@dataclass(frozen=True)
class SiteCost:
    """What a contract GPU-hour costs at a site, mean over the periods in which GPUs are owed, USD of the period, at the
    generation that is cheapest there.

    Attributes:
        site_id, gen_id: where and on what.
        chosen: whether the plan serves the contract from there.
        energy_usd, demand_usd, serving_usd: energy with carbon, demand charge, serving cost.
        scarcity_usd: value of the power, cooling, grid and water used, at their local prices.
        total_usd: their sum; what is the same everywhere (the GPUs) is left out.
    """

    site_id: str
    gen_id: str
    chosen: bool
    energy_usd: float
    demand_usd: float
    serving_usd: float
    scarcity_usd: float
    total_usd: float


@dataclass(frozen=True)
class Without:
    """The plan without a placement.

    Attributes:
        npv_usd: NPV of the plan found, USD.
        extra_usd: NPV of the plan at hand less that; negative where the plan at hand could be better.
        extra_least_usd: proven: no plan without the placement comes nearer to the plan at hand than this; None if not known.
        terms: where the money goes, term by term: without the placement less with it.
        instead: where contracts go instead; those of the placement first.
        instead_racks: where racks go instead, in words.
    """

    npv_usd: float
    extra_usd: float
    extra_least_usd: float | None
    terms: tuple[Delta, ...]
    instead: tuple[ServingMove, ...]
    instead_racks: tuple[str, ...]


@dataclass(frozen=True)
class Why:
    """Why a plan does something.

    Attributes:
        placement: what is asked about.
        drivers: reasons, in words.
        sites: of a contract: which sites can serve it, by the data alone.
        costs: of a contract: what a GPU-hour costs at the sites that can, the cheapest first.
        without: the plan without it; None if there is none, or none was found in time.
        statement: what is proven and what was found.
        seconds: wall-clock time.
    """

    placement: Placement
    drivers: tuple[str, ...]
    sites: tuple[SiteFact, ...]
    costs: tuple[SiteCost, ...]
    without: Without | None
    statement: str
    seconds: float


def why(
    dataset: Dataset, plan: Plan, placement: Placement | str, *, planner: Planner | None = None, control: Control | None = None,
    threads: int = 1, seed: int = 0,
) -> Why:  # fmt: skip
    """Why a plan does something.

    Args:
        dataset: the planning problem.
        plan: its plan.
        placement: what is asked about, or its text as :func:`optimizer.explain.placement.read_placement` takes it.
        planner: of the plan, if one is warm.
        control: deadline and stop.
        threads, seed: of the solver.

    Raises:
        PlacementError: the plan does no such thing.
        SolverError: the model near the plan was not solved.
    """
    began = time.monotonic()
    control = control or Control()
    planner = planner or Planner(dataset, plan, threads=threads, seed=seed)
    ground = Ground(dataset, plan, seed, (planner.instance, planner.matrix))
    inst = ground.instance
    asked = read_placement(placement, inst) if isinstance(placement, str) else placement
    amount = size(asked, plan, inst)
    if amount <= 0:
        raise PlacementError(f"{asked.words}: the plan does not do this; ask why-not")
    sites = site_facts(inst, asked.contract_id) if asked.kind is PlacementKind.SERVE and asked.contract_id else ()
    costs = _costs(ground, asked, control)
    without, said = _without(ground, asked, planner, control)
    drivers = tuple(_drivers(ground, asked, sites, costs, without))
    return Why(asked, drivers, sites, costs, without, said, time.monotonic() - began)


def _costs(ground: Ground, asked: Placement, control: Control) -> tuple[SiteCost, ...]:
    """What a GPU-hour costs by site; nothing for what is no serving, or if time is up."""
    if asked.kind is not PlacementKind.SERVE or not asked.contract_id:
        return ()
    try:
        return site_costs(ground, asked.contract_id, control)
    except SolverError:
        if not control.over:
            raise
        return ()


# what a GPU-hour costs by site -----------------------------------------------------------------


def site_costs(ground: Ground, contract: str, control: Control | None = None) -> tuple[SiteCost, ...]:
    """What a contract GPU-hour costs at each site that can serve a contract, the cheapest first.

    Per contract GPU of generation g at site s, ``(1+spare)/(gpr*eq)`` racks are held. Energy and carbon are those of the
    GPUs under load; the scarce limits count with ``price/disc[t]`` of the local model times what a rack uses of them. Means
    are weighted by the contract GPU-hours owed.
    """
    inst = ground.instance
    i = inst.contract_at[contract]
    row, weight = inst.contract_rows[contract], inst.owed[i] * inst.hours
    scarce = _scarcity(ground, control or Control())
    table = ground.plan.deliveries
    chosen = set(table.loc[table["contract_id"] == contract, "site_id"])
    found = []
    for c, s in inst.pairs:
        if c != contract:
            continue
        j, best = inst.site_at[s], None
        for g, eq in inst.equivalents[c].items():
            k, gen = inst.gen_at[g], inst.gen_rows[g]
            there = (inst.racks_most[j, k] > 0) & (weight > 0)
            if not there.any():
                continue
            w = weight * there / (weight * there).sum()
            racks = (1 + row.spare_share) / (gen.gpus_per_rack * eq)
            loaded = inst.rack_mw[g] / gen.gpus_per_rack / eq * row.load_share
            spare = inst.rack_mw[g] / gen.gpus_per_rack / eq * row.spare_share * gen.idle_share
            energy = float(w @ ((loaded + spare) * inst.pue[j, k] * (inst.usd_per_mwh[j] + inst.tonnes_per_mwh[j] * inst.usd_per_tonne[j])))
            demand = float(w @ (racks * inst.peak_mw[j, k] * inst.demand_usd_per_mw[j] / inst.hours))
            scarcity = float(w @ (racks * scarce[j, k] / inst.hours))
            serving = inst.serving_costs.get((c, s), 0.0)
            cost = SiteCost(s, g, s in chosen, energy, demand, serving, scarcity, energy + demand + serving + scarcity)
            best = cost if best is None or cost.total_usd < best.total_usd else best
        if best is not None:
            found.append(best)
    return tuple(sorted(found, key=lambda cost: cost.total_usd))


def _scarcity(ground: Ground, control: Control) -> Floats:
    """USD of a period that the scarce power, cooling and grid cost which a rack uses; shape (sites, generations, T)."""
    inst, matrix, found = ground.instance, ground.matrix, ground.solved(control)
    assert found.row_dual is not None
    usd = np.zeros((len(inst.sites), len(inst.gens), inst.T))
    share = np.array([row.liquid_share for row in inst.gen_rows.values()])
    rack = np.array([inst.rack_mw[g] for g in inst.gens])
    uses = {
        "it_power": rack, "it_limit": rack, "liquid": rack * share, "liquid_limit": rack * share, "air": rack * (1 - share),
        "air_limit": rack * (1 - share),
    }  # fmt: skip
    for name, use in uses.items():
        rows, index = matrix.rows.get(name, (np.zeros(0, dtype=np.intp), []))
        for r, (s, t) in zip(rows.tolist(), index, strict=True):
            usd[inst.site_at[s], :, t] += -float(found.row_dual[r]) * use
    rows, index = matrix.rows.get("grid", (np.zeros(0, dtype=np.intp), []))
    for r, (z, t) in zip(rows.tolist(), index, strict=True):
        below = [inst.site_at[s] for s in inst.sites_below[z]]
        usd[below, :, t] += -float(found.row_dual[r]) * inst.peak_mw[below]
    return np.asarray(usd * 1e6 / inst.disc)


# the plan without it ---------------------------------------------------------------------------


def _without(ground: Ground, asked: Placement, planner: Planner, control: Control) -> tuple[Without | None, str]:
    """The plan with the placement forbidden, and what is proven."""
    plan, z = ground.plan, ground.plan.summary.npv_usd or 0.0
    left = min(SECONDS, control.remaining)
    try:
        if left <= 0:
            raise NoPlanError(plan.summary)
        gap = min(plan.summary.gap or 0.0, 0.01)
        answer = planner.change(forbidding(asked, ground.instance, plan), "repair", gap=gap, time_limit=left, stop=control.stop)
    except InfeasibleError as error:
        return None, "no plan can do without it: " + "; ".join(error.conflicts)
    except (NoPlanError, SolverError) as error:
        return None, f"no plan without it was found in time ({error})"
    made = answer.plan
    assert made is not None
    worth = made.summary.npv_usd or 0.0
    bound = made.summary.bound_usd
    least = None if bound is None else z - bound
    room = (plan.summary.bound_usd - z if plan.summary.bound_usd is not None else 0.0) + (0.0 if bound is None else bound - worth)
    terms = tuple(
        Delta(n, a, b, b - a, abs(b - a) <= room)
        for n in NPV_TERMS
        if abs((b := made.summary.npv_terms.get(n, 0.0)) - (a := plan.summary.npv_terms.get(n, 0.0))) > 0.5
    )
    new = Instance(answer.dataset)
    moves = serving_moves(plan, made, ground.instance, new)
    own = [m for m in moves if asked.contract_id is not None and m.contract_id == asked.contract_id]
    racks = rack_moves(plan, made, ground.instance, new)
    told = [f"{m.racks} {m.gen_id} {m.what}: {_spot(m.before)} -> {_spot(m.after)}" for m in racks
            if asked.gen_id is None or m.gen_id == asked.gen_id][:TOLD]  # fmt: skip
    without = Without(worth, z - worth, least, terms, (*own, *(m for m in moves if m not in own))[: 4 * TOLD], tuple(told))
    proven = f"every plan without it is worth at least {usd(least)} less (proven)" if least is not None and least > 0 else (
        "the bounds do not prove that it costs anything"
    )  # fmt: skip
    found = f"the plan found without it is worth {usd(z - worth)} less" if worth <= z else (
        f"a plan without it is worth {usd(worth - z)} more: the plan at hand is not the best, within its gap"
    )  # fmt: skip
    return without, f"{found}; {proven}"


def _spot(spot: object) -> str:
    return "-" if spot is None else f"{getattr(spot, 'site_id', '')} {getattr(spot, 'period', '')}"


# in words --------------------------------------------------------------------------------------


def _drivers(
    ground: Ground, asked: Placement, sites: tuple[SiteFact, ...], costs: tuple[SiteCost, ...], without: Without | None
) -> list[str]:
    """What speaks for the placement, in words."""
    lines = []
    possible = [fact for fact in sites if fact.possible]
    if sites:
        lines.append(f"{len(possible)} of {len(sites)} sites can serve {asked.contract_id} by the data: {', '.join(f.site_id for f in possible[:TOLD])}"
                     + (" ..." if len(possible) > TOLD else ""))  # fmt: skip
    own = next((n for n, cost in enumerate(costs) if cost.site_id == asked.site_id), None)
    if own is not None:
        cost = costs[own]
        place = "the lowest" if own == 0 else f"number {own + 1}"
        lines.append(
            f"a GPU-hour costs {cost.total_usd:.4g} USD there, {place} of {len(costs)} sites: energy {cost.energy_usd:.4g}, demand charge "
            f"{cost.demand_usd:.4g}, serving {cost.serving_usd:.4g}, scarce power, cooling and grid {cost.scarcity_usd:.4g}"
        )
        other = next((c for c in costs if c.site_id != asked.site_id and not c.chosen), None)
        if other is not None:
            lines.append(
                f"the cheapest site not used is {other.site_id} with {other.total_usd:.4g} USD, {other.scarcity_usd:.4g} of it for scarce limits"
            )
    if without is not None:
        largest = sorted(without.terms, key=lambda t: t.difference)[:TOLD]
        lines += [f"without it {NPV_TERMS[t.name]} is {usd(-t.difference)} worse" for t in largest if t.difference < -1.0][:3]
        gone = [m for m in without.instead if m.contract_id == asked.contract_id and m.mw_difference > 0]
        if asked.kind is PlacementKind.SERVE:
            lines.append("the next best place: " + (", ".join(f"{m.site_id} (+{number(round(m.mw_difference, 2))} MW)" for m in gone[:TOLD])
                         if gone else "none; what it delivers there falls away"))  # fmt: skip
        if asked.kind is PlacementKind.RACKS:
            lines.append(f"the next best place: {', '.join(without.instead_racks) or 'none; the racks are left out'}")
    return lines

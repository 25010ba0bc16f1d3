"""Why a plan does not do something: whether any could, what it costs, which limit stands in the way, and what would have to give."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from enum import StrEnum

from models.changes import Change, ChangeError
from models.changes.place import Amount, PlaceForce, PlaceMin, YesOrNo
from models.dataset import Dataset
from models.faults import closest
from models.plan import NPV_TERMS, Plan
from optimizer.explain.answer import usd
from optimizer.explain.conflict import Conflict, explain_conflict
from optimizer.explain.difference import Delta
from optimizer.explain.ground import Ground, within
from optimizer.explain.obstacles import Obstacle, Wish, obstacles, periods_wished
from optimizer.explain.placement import Placement, PlacementError, PlacementKind
from optimizer.explain.prices import Price, all_prices
from optimizer.highs import Control, SolverError
from optimizer.instance import Instance
from optimizer.planner import InfeasibleError, NoPlanError
from optimizer.whatif import Planner

SECONDS = 60.0
"""Time for the plan with the wish fulfilled."""
CONFLICT_SECONDS = 60.0
"""Time for the rules that stand in the way of one that can't be."""
LIMITS = 5
"""Limits told."""


class Possible(StrEnum):
    """Whether a wish can be fulfilled."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "not found in time"


@dataclass(frozen=True)
class WhyNot:
    """Why a plan does not do something.

    Attributes:
        wish: in words.
        possible: whether any plan can; ``yes`` is shown by an audited plan, ``no`` is proven.
        already: the plan at hand does it.
        obstacles: limits that the wish exceeds by itself.
        conflict: the rules that stand in the way of a wish that passes those checks and still can't be; none otherwise.
        npv_usd: NPV of the plan found with it, USD.
        cost_usd: NPV of the plan at hand less that; negative where the plan at hand could be better.
        cost_least_usd: proven: every plan with it is worth at least so much less than the plan at hand; None if not known.
        terms: where the money goes, term by term: with it less without.
        limits: what one unit more of the limits is worth once it is fulfilled, those at its site, for its contract and generation.
        statement: the answer in words, with what is proven and what was found.
        seconds: wall-clock time.
    """

    wish: str
    possible: Possible
    already: bool
    obstacles: tuple[Obstacle, ...]
    conflict: Conflict | None
    npv_usd: float | None
    cost_usd: float | None
    cost_least_usd: float | None
    terms: tuple[Delta, ...]
    limits: tuple[Price, ...]
    statement: str
    seconds: float


def why_not(
    dataset: Dataset, plan: Plan, wish: Wish | Placement, *, planner: Planner | None = None, control: Control | None = None,
    threads: int = 1, seed: int = 0,
) -> WhyNot:  # fmt: skip
    """Why a plan does not do something.

    Args:
        dataset: the planning problem.
        plan: its plan.
        wish: GPUs somewhere, or a decision taken.
        planner: of the plan, if one is warm.
        control: deadline and stop.
        threads, seed: of the solver.

    Raises:
        PlacementError: the wish names what the dataset does not have, or no decision.
    """
    began = time.monotonic()
    control = control or Control()
    planner = planner or Planner(dataset, plan, threads=threads, seed=seed)
    inst = planner.instance
    stands: tuple[Obstacle, ...] = ()
    if isinstance(wish, Wish):
        check_wish(wish, inst)
        stands = obstacles(wish, inst)
    if stands:
        said = "no plan can: " + "; ".join(o.words for o in stands)
        return WhyNot(wish.words, Possible.NO, False, stands, None, None, None, None, (), (), said, time.monotonic() - began)
    changes = forcing(wish, inst)
    return _asked(dataset, plan, wish, changes, planner, control, threads, seed, began)


def check_wish(wish: Wish, inst: Instance) -> None:
    """See that a wish names what there is.

    Raises:
        PlacementError: an unknown id, a period that is none, fewer GPUs than 1, or nothing named.
    """
    for id, known, what, field in (
        (wish.contract_id, inst.contracts, "contract", "contract_id"),
        (wish.site_id, inst.sites, "site", "site_id"),
        (wish.gen_id, inst.gens, "generation", "gen_id"),
    ):
        if id is not None and id not in known:
            near = closest(id, known)
            raise PlacementError(f"{id}: there is no such {what}" + (f"; did you mean '{near}'?" if near else ""), field, near)
    if not (math.isfinite(wish.gpus) and wish.gpus >= 1):
        raise PlacementError(f"{wish.gpus:g} GPUs: allowed is 1 or more", "gpus")
    if wish.contract_id is None and wish.site_id is None and wish.gen_id is None:
        raise PlacementError("a wish needs a contract, a site or a generation")
    for label, field in ((wish.from_period, "from_period"), (wish.to_period, "to_period")):
        if label is not None:
            try:
                t = inst.index(label)
            except ValueError as error:
                raise PlacementError(f"{label} is not a period of this dataset; allowed: {error}", field) from None
            if not 0 <= t < inst.T:
                raise PlacementError(
                    f"{label} is outside the horizon; allowed: {inst.calendar.label(0)} to {inst.calendar.label(inst.T - 1)}", field
                )
    if not periods_wished(wish, inst):
        raise PlacementError(f"{wish.to_period} is before {wish.from_period}", "to_period")


def forcing(wish: Wish | Placement, inst: Instance) -> list[Change]:
    """Changes that force a wish.

    Raises:
        PlacementError: it is nothing that can be forced.
    """
    if isinstance(wish, Wish):
        if wish.contract_id is not None:
            return [PlaceMin(decision=Amount.DELIVERIES, contract_id=wish.contract_id, site_id=wish.site_id, gen_id=wish.gen_id, value=wish.gpus,
                             from_period=wish.from_period, to_period=wish.to_period)]  # fmt: skip
        per_rack = max(inst.gen_rows[g].gpus_per_rack for g in inst.gens if wish.gen_id in (None, g))
        racks = float(math.ceil(wish.gpus / per_rack - 1e-9))
        return [PlaceMin(decision=Amount.IN_SERVICE, site_id=wish.site_id, gen_id=wish.gen_id, value=racks, from_period=wish.from_period,
                         to_period=wish.to_period)]  # fmt: skip
    if wish.kind is PlacementKind.RACKS:
        return [PlaceMin(decision=Amount.IN_SERVICE, site_id=wish.site_id, gen_id=wish.gen_id, value=1.0,
                         from_period=inst.calendar.label(inst.T - 1))]  # fmt: skip
    if wish.kind is PlacementKind.SERVE and (wish.contract_id, wish.site_id) not in set(inst.choice_pairs):
        owed = inst.owed[inst.contract_at[str(wish.contract_id)]]
        period = inst.calendar.label(int(owed.argmax()))
        return [
            PlaceMin(
                decision=Amount.DELIVERIES,
                contract_id=wish.contract_id,
                site_id=wish.site_id,
                value=1.0,
                from_period=period,
                to_period=period,
            )
        ]
    if wish.kind is PlacementKind.RETROFIT:
        raise PlacementError(f"{wish.words}: ask with the change retrofit.force (wattplan whatif)")
    return [PlaceForce(decision=YesOrNo(wish.kind.value), contract_id=wish.contract_id, site_id=wish.site_id, block_id=wish.block_id)]


def _asked(
    dataset: Dataset, plan: Plan, wish: Wish | Placement, changes: list[Change], planner: Planner, control: Control, threads: int, seed: int,
    began: float,
) -> WhyNot:  # fmt: skip
    """The wish forced, and the plan repaired."""
    z = plan.summary.npv_usd or 0.0
    try:
        applied = planner.change(changes, "evaluate")
    except ChangeError as error:
        raise PlacementError("; ".join(str(fault) for fault in error.faults)) from None
    if applied.evaluation is not None and not applied.evaluation.violations:
        said = "the plan does this already"
        return WhyNot(wish.words, Possible.YES, True, (), None, z, 0.0, None, (), (), said, time.monotonic() - began)
    try:
        left = min(SECONDS, control.remaining)
        if left <= 0:
            raise NoPlanError(plan.summary)
        gap = min(plan.summary.gap or 0.0, 0.01)
        answer = planner.change(changes, "repair", gap=gap, time_limit=left, stop=control.stop)
    except InfeasibleError:
        found = explain_conflict(applied.dataset, control=within(CONFLICT_SECONDS, control), threads=threads, seed=seed)
        words = "; ".join(found.words) if found is not None else "the relaxation has no solution"
        return WhyNot(
            wish.words, Possible.NO, False, (), found, None, None, None, (), (), f"no plan can: {words}", time.monotonic() - began
        )
    except (NoPlanError, SolverError) as error:
        said = f"no plan that does it was found in time ({error}); that none exists is not proven"
        return WhyNot(wish.words, Possible.UNKNOWN, False, (), None, None, None, None, (), (), said, time.monotonic() - began)
    made = answer.plan
    assert made is not None
    worth, bound = made.summary.npv_usd or 0.0, made.summary.bound_usd
    room = max(0.0, (plan.summary.bound_usd or z) - z) + (0.0 if bound is None else max(0.0, bound - worth))
    deltas = [(n, plan.summary.npv_terms.get(n, 0.0), made.summary.npv_terms.get(n, 0.0)) for n in NPV_TERMS]
    terms = tuple(Delta(n, a, b, b - a, abs(b - a) <= room) for n, a, b in deltas if abs(b - a) > 0.5)
    least = None if bound is None else z - bound
    limits = _in_the_way(wish, answer.dataset, made, seed)
    said = (
        f"it can be done, for {usd(z - worth)} of NPV"
        if worth <= z
        else f"it can be done, and the plan found is worth {usd(worth - z)} more"
    )
    said += f"; every plan that does it is worth at least {usd(least)} less (proven)" if least is not None and least > 0 else (
        "; that it costs anything is not proven: the cost is within the gap"
    )  # fmt: skip
    if limits:
        said += f"; in the way stands above all: {limits[0].limit.words}, one {limits[0].limit.unit} more is worth {usd(limits[0].npv_usd)}"
    return WhyNot(wish.words, Possible.YES, False, (), None, worth, z - worth, least, terms, limits, said, time.monotonic() - began)


def _in_the_way(wish: Wish | Placement, dataset: Dataset, made: Plan, seed: int) -> tuple[Price, ...]:
    """The limits of most value at the wish's site and period, for its contract and generation, once it is fulfilled."""
    ground = Ground(dataset, made, seed)
    inst = ground.instance
    own = {id for id in (wish.site_id, wish.gen_id, wish.contract_id, getattr(wish, "block_id", None)) if id is not None}
    if wish.site_id is not None:
        node_of = [z for z in inst.grid_limits if wish.site_id in inst.sites_below[z]]
        own |= set(node_of)
    found: dict[tuple[str, str], Price] = {}
    for price, _ in all_prices(ground):
        touches = price.limit.place in own or price.limit.place.split(", ")[0] in own or price.limit.name == "capex_budget"
        if (
            touches
            and not price.limit.name.startswith("directive")
            and price.limit.name not in ("demand", "energization", "market")
            and price.npv_usd > 0
        ):
            found.setdefault((price.limit.name, price.limit.place), price)
    return tuple(found.values())[:LIMITS]

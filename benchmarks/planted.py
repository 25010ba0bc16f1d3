"""Conflicts planted in random datasets whose rules can hold together, with innocent rules beside them.

What is planted is a directive that the data can't hold, two rules that can't hold together, or a limit that is made too small for a
directive; each kind says which rules an answer must name. Innocent rules hold in the plan of the dataset as it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np

from models.dataset import Dataset
from models.plan import Plan
from models.tables import Contract, ContractStatus, DecisionKind, Directive, Rule, Site
from optimizer import plan
from optimizer.blocks.directives import DirectiveConflictError
from optimizer.explain.conflict import Conflict, Way
from optimizer.formulation import formulate
from optimizer.highs import Control, Outcome, Program
from optimizer.instance import Instance
from optimizer.matrix import compile_matrix
from tests.generator import random_dataset

INNOCENTS = 5
"""Innocent rules beside each conflict."""


@dataclass(frozen=True)
class Base:
    """A dataset whose rules can hold together, its model's data, its plan, and the seconds that the plan took."""

    dataset: Dataset
    inst: Instance
    plan: Plan
    seconds: float


@dataclass(frozen=True)
class Planted:
    """A dataset with a conflict.

    Attributes:
        kinds: what was planted.
        dataset: with it and with the innocent rules.
        rules: that an answer must name, as ``Conflict.named`` tells them.
        base: what it was planted in.
    """

    kinds: tuple[str, ...]
    dataset: Dataset
    rules: frozenset[str]
    base: Base


Change = tuple[Dataset, set[str]]
Kind = Callable[[Base, Dataset, Random, str], Change | None]


def base(seed: int, **size: int) -> Base:
    """A random dataset with its plan."""
    dataset = random_dataset(seed, **size)
    made = plan(dataset, gap=0.01, threads=1)
    return Base(dataset, Instance(dataset), made, made.summary.seconds.total)


def label(base: Base, t: int) -> dict[str, str]:
    """One period as the window of a directive."""
    return {"from_period": base.inst.calendar.label(t), "to_period": base.inst.calendar.label(t)}


def with_directives(dataset: Dataset, *rows: Directive) -> Dataset:
    """The dataset with more directives."""
    return dataset.replace(None, directives=[*dataset.rows(Directive), *rows])


def rule(row: str, kind: Rule, decision: DecisionKind, value: float, **more: str | None) -> Directive:
    """A directive."""
    return Directive(row=row, rule=kind, decision=decision, value=float(value), **more)  # type: ignore[arg-type]


# what is planted -------------------------------------------------------------------------------


def more_than_supply(base: Base, dataset: Dataset, rng: Random, row: str) -> Change | None:
    """More racks of a generation than supply and fleet can bring."""
    t = rng.randrange(1, base.inst.T)
    g = rng.choice(base.inst.gens)
    j = base.inst.gen_at[g]
    there = float(base.inst.supply[j, : t + 1].sum() + base.inst.fleet[:, j].sum())
    asked = rule(row, Rule.MIN, DecisionKind.IN_SERVICE, there + rng.randint(1, 9), gen_id=g, **label(base, t))
    return with_directives(dataset, asked), {row}


def more_than_power(base: Base, dataset: Dataset, rng: Random, row: str) -> Change | None:
    """More racks at a site than its power or cooling holds; half of it would be there in supply."""
    t, s = rng.randrange(base.inst.T), rng.choice(base.inst.sites)
    i = base.inst.site_at[s]
    smallest = min(base.inst.rack_mw.values())
    racks = math.floor(float(base.inst.it_most[i, t]) / smallest) + rng.randint(1, 5)
    return with_directives(dataset, rule(row, Rule.MIN, DecisionKind.IN_SERVICE, racks, site_id=s, **label(base, t))), {row}


def more_than_cooling(base: Base, dataset: Dataset, rng: Random, row: str) -> Change | None:
    """More racks of one generation at a site than fit there."""
    t = rng.randrange(1, base.inst.T)
    s, g = rng.choice(base.inst.sites), rng.choice(base.inst.gens)
    most = float(base.inst.racks_fit[base.inst.site_at[s], base.inst.gen_at[g], t])
    return with_directives(
        dataset, rule(row, Rule.MIN, DecisionKind.IN_SERVICE, most + rng.randint(1, 4), site_id=s, gen_id=g, **label(base, t))
    ), {row}


def more_than_grid(base: Base, dataset: Dataset, rng: Random, row: str) -> Change | None:
    """A grid limit that leaves less than the racks asked for draw."""
    t = base.inst.T - 1
    racks = base.plan.racks[base.plan.racks["period"] == base.inst.calendar.label(t)]
    by_site = racks.groupby("site_id")["in_service"].sum()
    sites = [s for s in by_site.index if by_site[s] >= 2]
    if not sites:
        return None
    s = rng.choice(sites)
    node = next(z for z in base.inst.grid_limits if s in base.inst.sites_below[z])
    below = base.inst.sites_below[node]
    draw = sum(base.inst.site_rows[x].overhead_mw for x in below) + 1e-3
    limits = [
        *dataset.table_rows("grid_limits"),
        *_rows(dataset, "grid_limits", {"node_id": node, "limit_mw": draw, "from_period": base.inst.calendar.label(t)}),
    ]
    kept = [r for r in limits[:-1] if (r.node_id, r.from_period) != (node, base.inst.calendar.label(t))]  # type: ignore[attr-defined]
    asked = rule(row, Rule.MIN, DecisionKind.IN_SERVICE, float(by_site[s]), site_id=s, **label(base, t))
    return with_directives(dataset.replace(None, grid_limits=[*kept, limits[-1]]), asked), {row}


def closed_site(base: Base, dataset: Dataset, rng: Random, row: str) -> Change | None:
    """Racks at a candidate site that another directive keeps closed."""
    s = base.inst.candidates[0]
    i, t = base.inst.site_at[s], base.inst.T - 1
    if not base.inst.racks_most[i, :, t].max() >= 1:
        return None
    asked = rule(f"{row}-racks", Rule.MIN, DecisionKind.IN_SERVICE, 1, site_id=s, **label(base, t))
    closed = rule(f"{row}-closed", Rule.FIX, DecisionKind.OPEN, 0, site_id=s, from_period=base.inst.calendar.label(t))
    return with_directives(dataset, asked, closed), {f"{row}-racks", f"{row}-closed"}


def before_it_is_there(base: Base, dataset: Dataset, rng: Random, row: str) -> Change | None:
    """Racks of a generation before it can be installed anywhere."""
    found = [(g, int(np.argmax(base.inst.held[:, j].any(axis=0)))) for g, j in base.inst.gen_at.items() if base.inst.held[:, j].any()]
    late = [(g, first) for g, first in found if first > 0]
    if not late:
        return None
    g, first = rng.choice(late)
    return with_directives(dataset, rule(row, Rule.MIN, DecisionKind.IN_SERVICE, rng.randint(1, 5), gen_id=g, **label(base, first - 1))), {
        row
    }


def delivered(base: Base, rng: Random) -> tuple[str, str, int, float] | None:
    """A contract, site and period with GPUs delivered in the plan."""
    table = base.plan.deliveries
    rows = table[table["gpus"] >= 2].groupby(["contract_id", "site_id", "period"])["gpus"].sum()
    if rows.empty:
        return None
    (c, s, period), gpus = rng.choice(list(rows.items()))
    return str(c), str(s), base.inst.index(period), math.floor(gpus)


def too_little_water(base: Base, dataset: Dataset, rng: Random, row: str) -> Change | None:
    """Deliveries from a site whose water limit is nearly nothing."""
    found = delivered(base, rng)
    if found is None:
        return None
    c, s, t, gpus = found
    asked = rule(row, Rule.MIN, DecisionKind.DELIVERIES, gpus, contract_id=c, site_id=s, **label(base, t))
    dry = [
        r.model_copy(update={"water_limit_m3_per_period": 0.5, "wue_l_per_kwh": 1.0}) if r.site_id == s else r for r in dataset.rows(Site)
    ]
    return with_directives(dataset.replace(None, sites=dry), asked), {row, f"water {s}"}


def too_little_carbon(base: Base, dataset: Dataset, rng: Random, row: str) -> Change | None:
    """Deliveries under a carbon cap just above what the open sites emit without racks."""
    found = delivered(base, rng)
    if found is None or base.inst.calendar.years[found[2]] != 2026:
        return None
    c, s, t, gpus = found
    inst = base.inst
    times = [k for k in range(inst.T) if inst.calendar.years[k] == 2026]
    idle = sum(
        inst.site_rows[x].overhead_mw * float(inst.hours[k] * inst.tonnes_per_mwh[inst.site_at[x], k])
        for x in inst.sites if x not in inst.candidates for k in times
    )  # fmt: skip
    capped = dataset.replace(None, carbon_cap=_rows(dataset, "carbon_cap", {"year": 2026, "tonnes": idle + 0.01}))
    asked = rule(row, Rule.MIN, DecisionKind.DELIVERIES, gpus, contract_id=c, site_id=s, **label(base, t))
    return with_directives(capped, asked), {row, "carbon_cap 2026"}


def too_little_money(base: Base, dataset: Dataset, rng: Random, row: str) -> Change | None:
    """Racks that the plan buys, and a budget for half a rack less."""
    table = base.plan.racks
    bought = table[table["installed"] >= 1].groupby(["gen_id", "period"])["installed"].sum()
    if bought.empty:
        return None
    (g, period), racks = rng.choice(list(bought.items()))
    usd = float(base.inst.rack_usd[base.inst.gen_at[g], base.inst.index(period)])
    small = dataset.replace(
        None, capex_budget=_rows(dataset, "capex_budget", {"period": base.inst.calendar.label(0), "usd": usd * (racks - 0.5)})
    )
    asked = rule(row, Rule.MIN, DecisionKind.INSTALLED, float(racks), gen_id=g, **label(base, base.inst.index(period)))
    return with_directives(small, asked), {row, "capex_budget"}


def hard_duty(base: Base, dataset: Dataset, rng: Random, row: str) -> Change | None:
    """A firm contract that may not be short, of more GPUs than all racks there ever are."""
    firm = [r for r in dataset.rows(Contract) if r.status is ContractStatus.FIRM and r.max_short_share == 1]
    if not firm:
        return None
    own = rng.choice(firm)
    most = sum(
        base.inst.gen_rows[g].gpus_per_rack * float(base.inst.supply[j].sum() + base.inst.fleet[:, j].sum())
        for g, j in base.inst.gen_at.items()
    )
    ramp = [r.model_copy(update={"gpus": 4 * most}) if r.contract_id == own.contract_id else r for r in dataset.table_rows("contract_ramp")]
    hard = [r.model_copy(update={"max_short_share": 0.1, "grace_periods": 0}) if r is own else r for r in dataset.rows(Contract)]
    return dataset.replace(None, contract_ramp=ramp, contracts=hard), {f"short_limit {own.contract_id}"}


def one_customers_share(base: Base, dataset: Dataset, rng: Random, row: str) -> Change | None:
    """One customer's contract delivered, and no revenue from any other or the market."""
    found = delivered(base, rng)
    if found is None:
        return None
    c, s, t, gpus = found
    u = base.inst.contract_rows[c].customer
    since = base.inst.settings.customer_revenue_share_from
    if base.inst.settings.customer_revenue_share is None or (since is not None and base.inst.index(since) > t):
        return None
    others = [rule(f"{row}-{d}", Rule.MAX, DecisionKind.DELIVERIES, 0, contract_id=d, **label(base, t))
              for d, r in base.inst.contract_rows.items() if r.customer != u and base.inst.owed[base.inst.contract_at[d], t] > 0]  # fmt: skip
    asked = rule(row, Rule.MIN, DecisionKind.DELIVERIES, gpus, contract_id=c, site_id=s, **label(base, t))
    return with_directives(dataset.replace(None, market=[]), asked, *others), {row, f"customer_share {u}"}


def contradiction(base: Base, dataset: Dataset, rng: Random, row: str) -> Change | None:
    """At least so many racks at a site, and at most fewer at all sites together."""
    t = rng.randrange(base.inst.T)
    racks = base.plan.racks[base.plan.racks["period"] == base.inst.calendar.label(t)]
    by_site = racks.groupby("site_id")["in_service"].sum()
    s = str(by_site.idxmax())
    if by_site[s] < 2:
        return None
    least = rule(f"{row}-least", Rule.MIN, DecisionKind.IN_SERVICE, float(by_site[s]), site_id=s, **label(base, t))
    most = rule(f"{row}-most", Rule.MAX, DecisionKind.IN_SERVICE, float(by_site[s]) - 1, **label(base, t))
    return with_directives(dataset, least, most), {f"{row}-least", f"{row}-most"}


def signed_contract(base: Base, dataset: Dataset, rng: Random, row: str) -> Change | None:
    """A firm contract declined."""
    firm = [c for c in base.inst.contracts if c not in base.inst.prospects]
    return with_directives(dataset, rule(row, Rule.FIX, DecisionKind.SIGN, 0, contract_id=rng.choice(firm))), {row}


def installation(base: Base, dataset: Dataset, rng: Random, row: str) -> Change | None:
    """More racks installed at a site in a period than its rate allows."""
    sites = [
        s
        for s, r in base.inst.site_rows.items()
        if r.install_racks_per_period is not None and base.inst.may_install[base.inst.site_at[s]].any()
    ]
    if not sites:
        return None
    s = rng.choice(sites)
    times = np.flatnonzero(base.inst.may_install[base.inst.site_at[s]].any(axis=0)).tolist()
    racks = float(base.inst.site_rows[s].install_racks_per_period or 0) + rng.randint(1, 3)
    return with_directives(dataset, rule(row, Rule.MIN, DecisionKind.INSTALLED, racks, site_id=s, **label(base, rng.choice(times)))), {row}


def no_option(base: Base, dataset: Dataset, rng: Random, row: str) -> Change | None:
    """An optional block built before it can be energized."""
    late = [(b, first) for b, (first, _) in base.inst.buildable.items() if first > 0]
    if not late:
        return None
    b, first = rng.choice(late)
    return with_directives(dataset, rule(row, Rule.MIN, DecisionKind.BUILD, 1, block_id=b, **label(base, first - 1))), {row}


def whole_racks(base: Base, dataset: Dataset, rng: Random, row: str) -> Change | None:
    """Half a GPU from each of two sites, in a period in which all racks there may be are one."""
    pairs = [(c, s) for c, s in base.inst.pairs if c not in base.inst.prospects]
    t = base.inst.T - 2
    places = sorted({s for _, s in pairs if base.inst.racks_most[base.inst.site_at[s], :, t].max() >= 1})
    if len(places) < 2:
        return None
    chosen = rng.sample(places, 2)
    most = rule(f"{row}-most", Rule.MAX, DecisionKind.IN_SERVICE, 1, **label(base, t))
    least = [rule(f"{row}-{s}", Rule.MIN, DecisionKind.DELIVERIES, 0.5, site_id=s, **label(base, t)) for s in chosen]
    return with_directives(dataset, most, *least), {f"{row}-most", *(f"{row}-{s}" for s in chosen)}


KINDS: dict[str, Kind] = {
    "supply": more_than_supply, "power": more_than_power, "cooling": more_than_cooling, "grid": more_than_grid, "opening": closed_site,
    "first installation": before_it_is_there, "water": too_little_water, "carbon cap": too_little_carbon, "budget": too_little_money,
    "hard duty": hard_duty, "customer share": one_customers_share, "contradiction": contradiction, "signed contract": signed_contract,
    "installation rate": installation, "option": no_option, "whole racks": whole_racks,
}  # fmt: skip
"""Kinds of conflicts."""


def _rows(dataset: Dataset, table: str, *rows: dict[str, Any]) -> list[Any]:
    from models.tables import ROW_TYPES

    return [ROW_TYPES[table](**row) for row in rows]


def innocents(base: Base, rng: Random) -> list[Directive]:
    """Rules that hold in the plan, with room."""
    found: list[Directive] = []
    for n in range(INNOCENTS):
        s, t = rng.choice(base.inst.sites), rng.randrange(base.inst.T)
        mine = base.plan.racks[(base.plan.racks["site_id"] == s) & (base.plan.racks["period"] == base.inst.calendar.label(t))]
        racks = float(mine["in_service"].sum())
        kind, value = (Rule.MIN, math.floor(racks / 3)) if n % 2 else (Rule.MAX, racks + rng.randint(1, 4))
        found.append(rule(f"innocent-{n}", kind, DecisionKind.IN_SERVICE, value, site_id=s, **label(base, t)))
    return found


def plant(base: Base, kinds: Iterable[str], seed: int) -> Planted | None:
    """Conflicts of some kinds in one dataset; None where a kind can't be planted in it, or it can be held after all."""
    rng = Random(seed)
    dataset = with_directives(base.dataset, *innocents(base, rng))
    rules: set[str] = set()
    for n, kind in enumerate(kinds):
        made = KINDS[kind](base, dataset, rng, f"planted-{n}")
        if made is None:
            return None
        dataset, more = made
        rules |= more
    return None if feasible(dataset) else Planted(tuple(kinds), dataset, frozenset(rules), base)


def feasible(dataset: Dataset) -> bool:
    """Whether any plan exists, by HiGHS on the whole model with nothing to maximise: a judge apart from what is judged.

    Raises:
        RuntimeError: HiGHS can't say.
    """
    try:
        matrix = compile_matrix(formulate(Instance(dataset)))
    except DirectiveConflictError:
        return False
    bare = replace(matrix, cost=np.zeros(matrix.shape[1]))
    outcome = Program(bare, integer=True, threads=1).solve(Control()).outcome
    if outcome is Outcome.STOPPED:
        raise RuntimeError("HiGHS did not end")
    return outcome is Outcome.OPTIMAL


# repairs put into the data ---------------------------------------------------------------------

MORE = 1e-6
"""Share by which a limit is given more than the repair says, for rounding."""


def repaired(dataset: Dataset, found: Conflict) -> Dataset | None:
    """The dataset with the cheapest repair carried out, or where several conflicts stand side by side what resolves all of them.

    None where that is no change of a table.
    """
    if found.beside:
        return carried_out(dataset, found.gives_way)
    return carried_out(dataset, found.repairs[0].ways) if found.repairs else None


def carried_out(dataset: Dataset, ways: Iterable[Way]) -> Dataset | None:
    """The dataset with limits given way; None where that is no change of a table."""
    changed: Dataset | None = dataset
    for way in ways:
        if changed is not None:
            changed = _given(changed, way, dataset)
    return changed


def _given(dataset: Dataset, way: Way, before: Dataset) -> Dataset | None:
    name, place, amount = way.limit.name, way.limit.place, way.amount * (1 + MORE) + MORE
    if name.startswith("directive"):
        rows = [_gives(d, way, before) if d.row == place else d for d in dataset.rows(Directive)]
        return dataset.replace(None, directives=[d for d in rows if d is not None])
    if name == "short_limit":
        owed = Instance(dataset).owed[Instance(dataset).contract_at[place], dataset.calendar.index(way.limit.period)]
        share = {r.contract_id: r.max_short_share for r in before.rows(Contract)}[place] + amount / float(owed)
        rows_c = [
            r.model_copy(update={"max_short_share": min(1.0, max(r.max_short_share, share))}) if r.contract_id == place else r
            for r in dataset.rows(Contract)
        ]
        return dataset.replace(None, contracts=rows_c)
    if name == "water":
        limits = {r.site_id: r.water_limit_m3_per_period or 0.0 for r in before.rows(Site)}
        rows_s = [r.model_copy(update={"water_limit_m3_per_period": max(r.water_limit_m3_per_period or 0.0, limits[place] + amount)}) if r.site_id == place else r
                  for r in dataset.rows(Site)]  # fmt: skip
        return dataset.replace(None, sites=rows_s)
    table, column, keys = {
        "carbon_cap": ("carbon_cap", "tonnes", {"year": place}),
        "capex_budget": ("capex_budget", "usd", {"period": way.limit.period}),
        "supply": ("supply", "racks", {"gen_id": place, "period": way.limit.period}),
    }.get(name, ("", "", {}))
    if not table:
        return None
    step = math.ceil(way.amount - 1e-6) if name == "supply" else amount
    rows_t = list(dataset.table_rows(table))
    own = next((i for i, r in enumerate(rows_t) if all(str(getattr(r, k)) == v for k, v in keys.items())), None)
    if own is None:
        return dataset.replace(None, **{table: [*rows_t, *_rows(dataset, table, {**keys, column: step})]})
    rows_t[own] = rows_t[own].model_copy(update={column: getattr(rows_t[own], column) + step})
    return dataset.replace(None, **{table: rows_t})


def _gives(d: Directive, way: Way, before: Dataset) -> Directive | None:
    """A directive that gives way by an amount; one to be taken back, or whose side is fixed, goes."""
    if way.amount == 0 or d.rule is Rule.FIX:
        return None
    first = next(r.value for r in before.rows(Directive) if r.row == d.row)
    if way.limit.name == "directive_least":
        return d.model_copy(update={"value": max(0.0, min(d.value, first - way.amount * (1 + MORE) - MORE))})
    return d.model_copy(update={"value": max(d.value, first + way.amount * (1 + MORE) + MORE)})

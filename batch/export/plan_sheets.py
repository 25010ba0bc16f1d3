"""Sheets of a plan: key figures, NPV, decisions, and every table of the plan with units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from batch.baseline import Baseline
from batch.export.cells import Amount, money_unit
from batch.export.sheet import Col, Mark, Sheet
from batch.report.site_map import limit_name
from batch.report.tables import ACTIONS
from models import tables as tb
from models.binding import BINDING_NAMES
from models.dataset import Dataset
from models.exceptions import EXCEPTION_COLUMNS, ExceptionKind, exceptions
from models.plan import NPV_TERMS, PLAN_COLUMNS, Plan
from models.plan_cells import EVENTS, FILE_COLUMNS
from models.plan_views import VIEW_COLUMNS, binding_limits, contract_lateness, fleet, racks_by_year, sites
from optimizer.explain.difference import Delta
from optimizer.kpis import KPIS

CASH_GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "revenue_usd": ("revenue of contracts and market", ("contract_revenue", "market_revenue")),
    "capital_usd": ("capital of GPUs, blocks, sites and retrofits", ("gpu_capital", "block_capex", "activation", "retrofits")),
    "running_usd": ("racks, leases, serving and moves", ("opex", "lease", "serving_costs", "moves")),
    "power_usd": ("energy, demand charges and carbon", ("energy", "demand_charges", "carbon")),
    "damages_usd": ("liquidated damages", ("damages",)),
    "residual_usd": ("value left at the end of the horizon", ("residual_value",)),
}
"""Terms of cash in groups that a chart can tell apart."""
_TIGHT = {
    "it_power": "it_used_mw", "liquid": "liquid_used_mw", "air": "air_used_mw", "grid": "facility_peak_mw", "water": "water_m3",
}  # fmt: skip
"""Which figure of a site shows that a limit binds."""
_VIEW_UNITS = {
    "usd": "USD", "mw": "MW", "gpus": "contract GPUs", "share": "share", "delivered": "share", "periods": "periods", "late": "periods",
    "count": "periods", "year": "year", "racks": "racks",
}  # fmt: skip
"""Unit of a column of a view by the last word of its name."""


def plan_sheets(plan: Plan, dataset: Dataset, baseline: Baseline | None) -> list[Sheet]:
    """Sheets of the plan, in the order of the workbook."""
    return [
        key_figures(plan, baseline),
        npv_terms(plan, baseline),
        worst(plan, dataset),
        decisions(plan, dataset),
        contracts(plan, dataset),
        site_use(plan, dataset),
        limits(plan),
        racks_of_years(plan, dataset),
        by_period(plan, dataset),
        _table("Contracts by period", "contracts", plan, "what contracts are owed, receive and bring, period by period", _LATE),
        _table("Sites by period", "sites", plan, "limits and use of each site, period by period", _tight_marks()),
        _table("Racks", "racks", plan, "racks installed, retired and in service by site, generation and period", frozen=3),
        _table("Deliveries", "deliveries", plan, "GPUs delivered by contract, site, generation and period", frozen=4),
        _table("Market", "market", plan, "GPUs sold on the market by generation, price tier and period", frozen=3),
        _table("Market by site", "market_sites", plan, "the same GPUs by the site where they stand", frozen=3),
        _table("Cash", "cash", plan, "money of each period by NPV term, undiscounted and signed"),
    ]


_LATE = (Mark(("owed_gpus", "delivered_gpus", "short_gpus", "damages_usd"), "bad", "[short_gpus]>0.000001*MAX(1,[owed_gpus])"),)


def _tight_marks() -> tuple[Mark, ...]:
    shown = [Mark((column,), "tight", f'ISNUMBER(SEARCH(";{name};",";"&[binding]&";"))') for name, column in _TIGHT.items()]
    return (*shown, Mark(("binding",), "tight", 'LEN([binding])>0'))  # fmt: skip


def _table(name: str, table: str, plan: Plan, about: str, marks: Sequence[Mark] = (), frozen: int = 2) -> Sheet:
    """A table of the plan as it is in its files."""
    cols = PLAN_COLUMNS[table]
    columns = [Col(c.name, c.meaning, c.unit if c.kind in ("number", "integer") else "text") for c in cols]
    return Sheet(name, about, columns, _rows(plan[table], [c.name for c in cols]), marks, frozen if table != "cash" else 1)


def _rows(frame: pd.DataFrame, names: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(zip(*(frame[name].tolist() for name in names), strict=True))


def _view(view: str, names: Iterable[str] | None = None, units: Mapping[str, str] | None = None) -> list[Col]:
    """Columns of a view with their meaning; units from their names."""
    meaning = VIEW_COLUMNS[view]
    found = []
    for name in names or meaning:
        unit = (units or {}).get(name) or _VIEW_UNITS.get(name.rsplit("_", 1)[-1], "text")
        found.append(Col(name, meaning[name], unit))
    return found


def _against(delta: Delta | None, unit: str) -> tuple[Any, ...]:
    """Cells of a figure beside the baseline's."""
    if delta is None:
        return (None, None, "")
    mark = "within solver tolerance" if delta.within_tolerance and delta.difference else ""
    return (Amount(delta.before, unit), Amount(delta.difference, unit), mark)


_AGAINST = (
    Col("baseline", "the same of the plan compared with", "by row"),
    Col("difference", "plan less baseline", "by row"),
    Col("tolerance", "whether the difference is no larger than what the gaps of the two plans leave open"),
)
_FAINT = Mark(("difference", "tolerance"), "faint", "LEN([tolerance])>0")
_GAINED = Mark(("difference",), "good", "[difference]>0")
_LOST = Mark(("difference",), "bad", "[difference]<0")


def key_figures(plan: Plan, baseline: Baseline | None) -> Sheet:
    """NPV, what is proven of it, and the key figures, against the baseline if there is one."""
    s = plan.summary
    proofs = [
        ("npv_usd", "net present value", s.npv_usd, "USD"),
        ("bound_usd", "proven: no plan can be worth more", s.bound_usd, "USD"),
        ("gap", "(bound - NPV) / |NPV|", s.gap, "share"),
        ("bound_certified_usd", "the bound that follows from dual values by weak duality", s.bound_certified_usd, "USD"),
        ("gap_certified", "the gap to that bound", s.gap_certified, "share"),
    ]
    known = [(name, *KPIS.get(name, (name.replace("_", " "), "number")), value) for name, value in s.kpis.items()]
    figures = [*proofs, *((name, meaning, value, unit) for name, meaning, unit, value in known)]
    theirs: dict[str, float | None] = {}
    deltas: dict[str, Delta] = {}
    if baseline is not None:
        other = baseline.plan.summary
        theirs = {"bound_usd": other.bound_usd, "gap": other.gap, "bound_certified_usd": other.bound_certified_usd,
                  "gap_certified": other.gap_certified} | {k: v for k, v in other.kpis.items() if isinstance(v, int | float)}  # fmt: skip
        deltas = {"npv_usd": baseline.npv} | {d.name: d for d in (baseline.difference.kpis if baseline.difference else ())}
    rows = []
    for name, meaning, value, unit in figures:
        if value is not None and not isinstance(value, int | float):
            continue
        unit = money_unit([value, theirs.get(name)]) if unit == "USD" else unit
        row: tuple[Any, ...] = (name, meaning, None if value is None else Amount(value, unit))
        if baseline is not None:
            two = theirs.get(name)
            delta = deltas.get(name)
            if delta is None and value is not None and two is not None:
                delta = Delta(name, two, value, value - two, within_tolerance=False)
            row += _against(delta, unit)
        rows.append(row)
    columns = [Col("figure", "name of the figure"), Col("meaning", "what it is"), Col("plan", "of this plan", "by row")]
    against, marks = (_AGAINST, (_FAINT,)) if baseline is not None else ((), ())
    about = "NPV, bound, gap and key figures" + (", beside those of the baseline" if baseline is not None else "")
    return Sheet("KPIs", about, [*columns, *against], rows, marks)


def npv_terms(plan: Plan, baseline: Baseline | None) -> Sheet:
    """NPV term by term, and the bridge from the baseline's NPV to the plan's."""
    terms = plan.summary.npv_terms
    deltas = {d.name: d for d in baseline.terms} if baseline is not None else {}
    rows: list[tuple[Any, ...]] = []
    for name, meaning in NPV_TERMS.items():
        row: tuple[Any, ...] = (name, meaning, terms.get(name, 0.0), float(plan.cash[name].sum()))
        if baseline is not None:
            d = deltas.get(name) or Delta(name, 0.0, terms.get(name, 0.0), 0.0, within_tolerance=False)
            row += (d.before, d.difference, "within solver tolerance" if d.within_tolerance and d.difference else "")
        rows.append(row)
    columns = [
        Col("term", "term of NPV"),
        Col("meaning", "what it is"),
        Col("npv_usd", "discounted and signed: the terms add to NPV", "USD"),
        Col("cash_usd", "undiscounted and signed", "USD"),
    ]
    if baseline is None:
        return Sheet("NPV", "NPV term by term", columns, rows)
    columns += [
        Col("baseline_npv_usd", "of the plan compared with, discounted", "USD"),
        Col("difference", "plan less baseline, discounted: the terms add to the difference of NPV", "USD"),
        _AGAINST[2],
    ]
    return Sheet("NPV", "NPV term by term, and the bridge from the baseline to the plan", columns, rows, (_FAINT, _GAINED, _LOST))


def worst(plan: Plan, dataset: Dataset) -> Sheet:
    """Where the plan hurts, worst first by money: contracts that run late, stranded power, limits that bind."""
    columns = [
        Col(name, meaning, {"usd": "USD", "periods": "periods", "most": "number"}.get(name, "text"))
        for name, meaning in EXCEPTION_COLUMNS.items()
    ]
    rows = [
        (str(kind), id, name, limit_name(what), usd, Amount(most, "GPUs" if kind == ExceptionKind.LATE else "MW"), periods, when)
        for kind, id, name, what, usd, most, periods, when in _rows(exceptions(plan, dataset), [c.name for c in columns])
    ]
    marks = (
        Mark(("kind", "id"), "bad", f'[kind]="{ExceptionKind.LATE}"'),
        Mark(("kind", "id"), "tight", f'[kind]="{ExceptionKind.STRANDED}"'),
    )
    return Sheet(
        "Exceptions", "contracts that run late, power that stands idle, limits that bind; most money first", columns, rows, marks, 2
    )


def decisions(plan: Plan, dataset: Dataset) -> Sheet:
    """Yes-or-no decisions in order of time."""
    blocks = {row.block_id: row.site_id for row in dataset.rows(tb.PowerBlock)}
    names = {row.site_id: row.name for row in dataset.rows(tb.Site)}
    customers = {row.contract_id: row.customer for row in dataset.rows(tb.Contract)}
    frame = plan.decisions.sort_values(["period", "kind", "id"], kind="stable")
    rows = []
    for kind, id, period, mw in _rows(frame, ["kind", "id", "period", "mw"]):
        site = "" if kind in ("sign", "decline") else blocks.get(id, id)
        rows.append((period, ACTIONS[kind], id, site, customers.get(id, "") if not site else names.get(site, ""), mw))
    columns = [
        Col("period", "contract's start, or when opened, energized or ordered"),
        Col("decision", "what is done"),
        Col("id", "contract, site or block"),
        Col("site_id", "site; empty for contracts"),
        Col("name", "name of the site, or customer of the contract"),
        Col("mw", "megawatts of the block or retrofit", "MW"),
    ]
    declined = Mark(("decision", "id", "name"), "faint", f'[decision]="{ACTIONS["decline"]}"')
    about = "contracts signed or declined, sites opened, blocks energized, retrofits ordered"
    return Sheet("Decisions", about, columns, rows, (declined,), 3)


def contracts(plan: Plan, dataset: Dataset) -> Sheet:
    """Every contract: what it is owed and gets, how late, what it brings."""
    columns = _view("contracts", units={"short_gpu_periods": "contract GPUs x periods", "worst_period": "text"})
    late = Mark(("contract_id", "periods_late", "worst_short_gpus", "share_delivered", "damages_usd"), "bad", "[periods_late]>0")
    about = "every contract: what it is owed and gets, when in full, how late, what it brings"
    return Sheet("Contracts", about, columns, _rows(contract_lateness(plan, dataset), [c.name for c in columns]), (late,))


def site_use(plan: Plan, dataset: Dataset) -> Sheet:
    """Every site: its use at the end, and in how many periods each limit binds."""
    columns = _view("sites", units=dict.fromkeys(BINDING_NAMES, "periods"))
    marks = [Mark(("it_used_share",), "bar"), *(Mark((name,), "tight", f"[{name}]>0") for name in BINDING_NAMES)]
    about = "every site: use of its IT power, and in how many periods each limit binds"
    return Sheet("Sites", about, columns, _rows(sites(plan, dataset), [c.name for c in columns]), marks, 2)


def limits(plan: Plan) -> Sheet:
    """Limits that bind, most often first."""
    rows = [(limit_name(limit), site, count, periods) for limit, site, count, periods in
            _rows(binding_limits(plan), ["limit", "site_id", "count", "periods"])]  # fmt: skip
    columns = _view("binding", units={"periods": "text"})
    return Sheet("Binding limits", "limits of sites that bind, most often first, and when", columns, rows, (Mark(("count",), "bar"),), 2)


def racks_of_years(plan: Plan, dataset: Dataset) -> Sheet:
    """Racks installed by year and generation."""
    columns = _view("racks_by_year", units={"gpus": "GPUs"})
    rows = _rows(racks_by_year(plan, dataset), [c.name for c in columns])
    return Sheet(
        "Racks by year",
        "racks installed by year and generation, with their GPUs and IT power",
        columns,
        rows,
        (Mark(("racks",), "bar"),),
        2,
    )


def by_period(plan: Plan, dataset: Dataset) -> Sheet:
    """All sites and contracts together, a row per period: what the charts show."""
    labels = dataset.calendar.labels
    power = _sums(plan.sites, ["it_limit_mw", "it_used_mw", "facility_average_mw", "energy_mwh", "tco2", "water_m3"], labels)
    gpus = _sums(plan.contracts, ["owed_gpus", "delivered_gpus", "short_gpus"], labels)
    terms = _sums(plan.cash, [*NPV_TERMS, "discounted_total"], labels)
    in_service = fleet(plan, dataset)
    gens = [g.gen_id for g in dataset.rows(tb.Generation) if g.gen_id in set(in_service["gen_id"])]
    racks = (
        in_service.pivot_table(index="period", columns="gen_id", values="racks", aggfunc="sum")
        .reindex(index=labels, columns=gens)
        .fillna(0)
    )
    columns = [Col("period", "period")]
    columns += [Col(c.name, f"{c.meaning}; all sites", c.unit) for c in PLAN_COLUMNS["sites"] if c.name in power]
    columns += [Col(c.name, f"{c.meaning}; all contracts", c.unit) for c in PLAN_COLUMNS["contracts"] if c.name in gpus]
    columns += [Col(name, f"{meaning}, undiscounted and signed", "USD") for name, (meaning, _) in CASH_GROUPS.items()]
    columns += [
        Col("cash_usd", "cash of the period: the sum of these", "USD"),
        Col("npv_so_far_usd", "its discounted sum up to here", "USD"),
    ]
    columns += [Col(f"racks {gen}", f"racks of {gen} in service", "racks") for gen in gens]
    rows = []
    so_far = 0.0
    for label in labels:
        groups = [sum(float(terms[t][label]) for t in of) for _, of in CASH_GROUPS.values()]
        so_far += float(terms["discounted_total"][label])
        sites_and_gpus = [float(found[c.name][label]) for found, table in ((power, "sites"), (gpus, "contracts"))
                          for c in PLAN_COLUMNS[table] if c.name in found]  # fmt: skip
        rows.append((label, *sites_and_gpus, *groups, sum(groups), so_far, *(float(racks[gen][label]) for gen in gens)))
    late = Mark(("short_gpus",), "bad", "[short_gpus]>0.000001*MAX(1,[owed_gpus])")
    return Sheet("By period", "all sites and contracts together, a row per period: what the charts show", columns, rows, (late,))


def _sums(frame: pd.DataFrame, names: Sequence[str], labels: list[str]) -> pd.DataFrame:
    """Sums of columns for each period, 0 where there is nothing."""
    return frame.groupby("period")[list(names)].sum().reindex(labels).fillna(0.0)


def search(plan: Plan) -> Sheet:
    """The log of the search."""
    columns = [Col(c.name, c.meaning, c.unit if c.kind in ("number", "integer") else "text") for c in FILE_COLUMNS[EVENTS]]
    return Sheet("Search", "how the search found the plan and its bound", columns, _rows(plan.events, [c.name for c in columns]))

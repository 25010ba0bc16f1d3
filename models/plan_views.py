"""What a plan says, computed from its tables: the figures of the terminal, the report and the service.

Every view that is a data frame has the columns of ``VIEW_COLUMNS``; money is in USD, unrounded. A contract
is late in a period in which it is owed more than it gets, beyond ``1e-6`` of what is owed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models import tables as tb
from models.binding import BINDING_NAMES
from models.calendar import Calendar, PeriodKind, ordinal
from models.dataset import Dataset
from models.faults import Fault, PlanError, closest
from models.plan import NPV_TERMS, PLAN_COLUMNS, Plan, SolutionStatus, StopReason

TOLERANCE = 1e-6
"""Short GPUs count above this share of ``max(1, owed)``."""
MOST_LIMITS = 5
"""Limits that the headline names."""

VIEW_COLUMNS: dict[str, dict[str, str]] = {
    "npv_terms": {
        "term": "term of NPV",
        "meaning": "what it is",
        "npv_usd": "discounted and signed, USD",
        "cash_usd": "undiscounted and signed, USD",
    },
    "contracts": {
        "contract_id": "contract",
        "customer": "customer; empty for a declined contract where the dataset is not given",
        "status": "firm, signed or declined",
        "first_owed": "first period of the horizon with GPUs owed; empty if none",
        "first_full": "first period with GPUs owed and all of them delivered; empty if none",
        "periods_late": "periods with less than owed",
        "most_owed_gpus": "most GPUs owed in a period, contract GPUs",
        "worst_short_gpus": "most GPUs short in a period, contract GPUs",
        "worst_period": "period of the most GPUs short; empty if none",
        "short_gpu_periods": "sum of GPUs short over the periods, contract GPUs x periods",
        "share_delivered": "GPU-hours delivered of those owed, share; 1 where nothing is owed",
        "revenue_usd": "revenue, undiscounted USD",
        "damages_usd": "liquidated damages (positive), undiscounted USD",
    },
    "sites": {
        "site_id": "site",
        "name": "name of the site; the id where the dataset is not given",
        "opened": "period in which a candidate is opened; empty for others",
        "periods": "periods with power or draw",
        "it_limit_mw": "IT power that may be used in the last period, MW",
        "it_used_mw": "IT power provisioned in the last period, MW",
        "it_used_share": "IT power provisioned of what may be used, mean over the periods, share",
        **{name: f"periods in which {name} binds" for name in BINDING_NAMES},
    },
    "binding": {
        "limit": "name of the limit",
        "site_id": "site",
        "count": "periods in which it binds",
        "periods": "those periods, ranges joined by commas",
    },
    "racks_by_year": {
        "year": "calendar year",
        "gen_id": "generation",
        "racks": "racks installed",
        "gpus": "GPUs in them; NaN where the dataset is not given",
        "it_mw": "IT power they need, MW; NaN where the dataset is not given",
    },
    "decisions_by_year": {
        "year": "calendar year",
        "blocks": "optional power blocks energized",
        "block_mw": "their IT power, MW",
        "retrofits": "retrofits ordered",
        "retrofit_mw": "their cooling, MW",
        "sites_opened": "candidate sites opened",
        "contracts_signed": "prospects signed, in the year in which they start",
        "ids": "what these are: block, site or contract, by kind",
    },
    "fleet": {
        "gen_id": "generation",
        "period": "period",
        "racks": "racks in service",
        "gpus": "GPUs in service; NaN where the dataset is not given",
        "it_mw": "IT power provisioned, MW; NaN where the dataset is not given",
    },
    "comparison": {
        "term": "term of NPV",
        "npv_usd": "of the plan, discounted USD",
        "baseline_npv_usd": "of the baseline, discounted USD",
        "uplift_usd": "plan less baseline, discounted USD",
    },
}
"""Columns of each view with meaning and unit."""


@dataclass(frozen=True)
class Headline:
    """Figures of a plan that a planner asks for first.

    Attributes:
        name: name of the dataset.
        status, stop_reason: as in the summary.
        npv_usd, bound_usd, bound_certified_usd: USD; None where not known.
        gap, gap_certified, gap_requested: shares of NPV; None where not known.
        audit_passed: whether the plan passed its audit; None if there was none.
        worst_violation: largest violation that the audit found, relative; None if there was none.
        seconds: wall-clock time of the whole run.
        contracts_in_force: firm contracts and prospects signed, with GPUs owed in the horizon.
        contracts_late: those short in some period.
        prospects_signed, prospects_declined: counts.
        firm_share_delivered: GPU-hours delivered of those owed to firm contracts, share.
        short_gpu_periods: GPUs short summed over contracts and periods, contract GPUs x periods.
        damages_usd: liquidated damages, undiscounted and positive.
        racks_installed: racks.
        gpus_end: GPUs in service in the last period; None where the dataset is not given.
        it_used_mw_end: IT power provisioned in the last period, MW.
        revenue_usd, capital_usd: undiscounted and positive.
        energy_mwh, tco2, water_m3: over the horizon.
    """

    name: str
    status: SolutionStatus
    stop_reason: StopReason
    npv_usd: float | None
    bound_usd: float | None
    gap: float | None
    bound_certified_usd: float | None
    gap_certified: float | None
    gap_requested: float
    audit_passed: bool | None
    worst_violation: float | None
    seconds: float
    contracts_in_force: int
    contracts_late: int
    prospects_signed: int
    prospects_declined: int
    firm_share_delivered: float
    short_gpu_periods: float
    damages_usd: float
    racks_installed: int
    gpus_end: float | None
    it_used_mw_end: float
    revenue_usd: float
    capital_usd: float
    energy_mwh: float
    tco2: float
    water_m3: float


@dataclass(frozen=True)
class Comparison:
    """What a plan gains over a baseline.

    Attributes:
        npv_usd, baseline_npv_usd, uplift_usd: NPV of both and their difference, USD; an NPV that is not known counts as 0.
        uplift_share: difference as a share of the baseline's NPV (its absolute value); None if that is 0.
        terms: the three figures by term, terms that are 0 in both left out; columns ``VIEW_COLUMNS["comparison"]``.
    """

    npv_usd: float
    baseline_npv_usd: float
    uplift_usd: float
    uplift_share: float | None
    terms: pd.DataFrame


def calendar_of(plan: Plan) -> Calendar | None:
    """The horizon as the plan's tables show it: the periods of cash, else from the first to the last of any row; None without rows."""
    labels = list(plan.cash["period"])
    if not labels:
        labels = [label for name in ("racks", "contracts", "sites") for label in plan[name]["period"]]
    if not labels:
        return None
    kind = next(k for k in PeriodKind if _is_period(labels[0], k))
    numbers = {ordinal(label, kind): label for label in labels}
    return Calendar(numbers[min(numbers)], max(numbers) - min(numbers) + 1, kind)


def _is_period(label: str, kind: PeriodKind) -> bool:
    try:
        ordinal(label, kind)
    except ValueError:
        return False
    return True


def check_names(plan: Plan, dataset: Dataset) -> None:
    """Check that a plan names only sites, generations, contracts and periods of its dataset.

    Periods of decisions may be others: a prospect that is declined can start outside the horizon.

    Raises:
        PlanError: a fault per table, column and name that is unknown.
    """
    known = {
        name: [str(getattr(row, tb.KEYS[name][0])) for row in dataset.table_rows(name)] for name in ("sites", "generations", "contracts")
    }
    periods, faults = dataset.calendar.labels, list[Fault]()
    for table, columns in PLAN_COLUMNS.items():
        for c in columns:
            found = [str(value) for value in plan[table][c.name].unique()] if c.ref or c.period else []
            if c.ref:
                faults += [_unknown_id(table, c.name, c.ref, value, known[c.ref]) for value in found if value not in known[c.ref]]
            elif table != "decisions":
                horizon = f"{periods[0]} to {periods[-1]}"
                faults += [
                    Fault(table, "is outside the horizon", column=c.name, value=value, allowed=horizon, code="outside_horizon")
                    for value in found
                    if value not in periods
                ]
    if faults:
        raise PlanError(faults)


def _unknown_id(table: str, column: str, ref: str, value: str, known: Iterable[str]) -> Fault:
    near = closest(value, known)
    allowed = "" if near else ", ".join(known)
    return Fault(table, f"unknown {ref.removesuffix('s')}", column=column, value=value, allowed=allowed, suggestion=near, code="unknown_id")


def _view(name: str, rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(VIEW_COLUMNS[name]))


def period_ranges(labels: Iterable[str], calendar: Calendar) -> str:
    """Periods as text, consecutive ones joined: ``2026-Q1 to 2026-Q4, 2027-Q2``."""
    runs: list[list[int]] = []
    for t in sorted({calendar.index(label) for label in labels}):
        if runs and runs[-1][1] == t - 1:
            runs[-1][1] = t
        else:
            runs.append([t, t])
    return ", ".join(calendar.label(a) if a == b else f"{calendar.label(a)} to {calendar.label(b)}" for a, b in runs)


def npv_by_term(plan: Plan) -> pd.DataFrame:
    """Every term of NPV in the order of ``NPV_TERMS``; columns ``VIEW_COLUMNS["npv_terms"]``."""
    cash = plan.cash
    rows = [(n, meaning, plan.summary.npv_terms.get(n, 0.0), float(cash[n].sum())) for n, meaning in NPV_TERMS.items()]
    return _view("npv_terms", rows)


def contract_lateness(plan: Plan, dataset: Dataset | None = None) -> pd.DataFrame:
    """One row per contract that is owed something or declined: what it gets, when, and what it lacks.

    Contracts of the dataset come first, in its order.

    Args:
        plan: the plan.
        dataset: for the order and the customers of declined contracts.

    Returns:
        Columns ``VIEW_COLUMNS["contracts"]``.
    """
    calendar, decided = calendar_of(plan), plan.decisions
    status = {**dict.fromkeys(_ids(decided, "sign"), "signed"), **dict.fromkeys(_ids(decided, "decline"), "declined")}
    customers = {row.contract_id: row.customer for row in dataset.rows(tb.Contract)} if dataset is not None else {}
    groups: dict[str, pd.DataFrame] = {str(key): rows for key, rows in plan.contracts.groupby("contract_id", sort=False)}
    found = {*groups, *(c for c, s in status.items() if s == "declined")}
    order = [c for c in customers if c in found]
    order += [c for c in (*groups, *status) if c in found and c not in customers]
    view = []
    for contract in dict.fromkeys(order):
        rows = groups.get(contract)
        if rows is None or calendar is None:
            view.append((contract, customers.get(contract, ""), status.get(contract, "firm"), "", "", 0, 0.0, 0.0, "", 0.0, 1.0, 0.0, 0.0))
            continue
        at = np.array([calendar.index(label) for label in rows["period"]])
        rows = rows.iloc[np.argsort(at)]
        at.sort()
        hours = np.array([_hours(calendar, t) for t in at.tolist()])
        owed, short = rows["owed_gpus"].to_numpy(float), rows["short_gpus"].to_numpy(float)
        late = short > TOLERANCE * np.maximum(1.0, owed)
        short = np.where(late, short, 0.0)
        due, full = np.flatnonzero(owed > 0), np.flatnonzero((owed > 0) & ~late)
        view.append(
            (
                contract,
                str(rows["customer"].iloc[0]),
                status.get(contract, "firm"),
                calendar.label(at[due[0]]) if due.size else "",
                calendar.label(at[full[0]]) if full.size else "",
                int(late.sum()),
                float(owed.max()),
                float(short.max()),
                calendar.label(at[short.argmax()]) if late.any() else "",
                float(short.sum()),
                1.0 - float(short @ hours) / float(owed @ hours) if due.size else 1.0,
                float(rows["revenue_usd"].sum()),
                float(rows["damages_usd"].sum()),
            )
        )
    return _view("contracts", view)


def _hours(calendar: Calendar, t: int) -> float:
    return float(Calendar(calendar.label(t), 1, calendar.kind).hours[0])


def _ids(decisions: pd.DataFrame, kind: str) -> list[str]:
    return [str(found) for found in decisions.loc[decisions["kind"] == kind, "id"]]


def binding_limits(plan: Plan) -> pd.DataFrame:
    """How often each limit binds at each site, most often first; columns ``VIEW_COLUMNS["binding"]``.

    Where limits bind equally often, those of ``BINDING_NAMES`` come in its order, then sites in the plan's.
    """
    calendar, tight = calendar_of(plan), dict[tuple[str, str], list[str]]()
    for site, period, names in zip(plan.sites["site_id"], plan.sites["period"], plan.sites["binding"], strict=True):
        for name in filter(None, str(names).split(";")):
            tight.setdefault((name, str(site)), []).append(str(period))
    rank = {name: at for at, name in enumerate(BINDING_NAMES)}
    order = sorted(tight.items(), key=lambda item: (-len(item[1]), rank.get(item[0][0], len(rank))))
    rows = [(name, site, len(at), period_ranges(at, calendar)) for (name, site), at in order if calendar is not None]
    return _view("binding", rows)


def limits_that_bind_most(plan: Plan, most: int = MOST_LIMITS) -> pd.DataFrame:
    """The first ``most`` rows of ``binding_limits``."""
    return binding_limits(plan).head(most)


def sites(plan: Plan, dataset: Dataset | None = None) -> pd.DataFrame:
    """One row per site with power or draw: its use, and how often each limit binds; columns ``VIEW_COLUMNS["sites"]``."""
    calendar = calendar_of(plan)
    names = {row.site_id: row.name for row in dataset.rows(tb.Site)} if dataset is not None else {}
    opened = dict(zip(*(plan.decisions.loc[plan.decisions["kind"] == "open", c].tolist() for c in ("id", "period")), strict=True))
    view = []
    for key, rows in plan.sites.groupby("site_id", sort=False):
        if calendar is None:
            break
        site, last = str(key), rows[rows["period"] == calendar.labels[-1]]
        bound = [set(str(text).split(";")) for text in rows["binding"]]
        limit, used = float(rows["it_limit_mw"].sum()), float(rows["it_used_mw"].sum())
        ends = (float(last["it_limit_mw"].sum()), float(last["it_used_mw"].sum()))
        counts = [sum(name in found for found in bound) for name in BINDING_NAMES]
        view.append((site, names.get(site, site), opened.get(site, ""), len(rows), *ends, used / limit if limit > 0 else 0.0, *counts))
    return _view("sites", view)


def racks_by_year(plan: Plan, dataset: Dataset | None = None) -> pd.DataFrame:
    """Racks installed by year and generation; columns ``VIEW_COLUMNS["racks_by_year"]``.

    Raises:
        PlanError: a generation that the dataset does not have.
    """
    years = plan.racks.assign(year=[int(str(label)[:4]) for label in plan.racks["period"]])
    return _view("racks_by_year", _rack_sums(years[years["installed"] > 0], ["year", "gen_id"], "installed", dataset))


def fleet(plan: Plan, dataset: Dataset | None = None) -> pd.DataFrame:
    """Racks in service by generation and period; columns ``VIEW_COLUMNS["fleet"]``.

    Raises:
        PlanError: a generation that the dataset does not have.
    """
    serving = plan.racks[plan.racks["in_service"] > 0]
    return _view("fleet", _rack_sums(serving, ["gen_id", "period"], "in_service", dataset))


def _rack_sums(frame: pd.DataFrame, keys: list[str], column: str, dataset: Dataset | None) -> list[tuple[Any, ...]]:
    """Racks by key in the order of generations and time, with their GPUs and MW.

    Raises:
        PlanError: a generation that the dataset does not have.
    """
    found = [str(gen) for gen in frame["gen_id"].unique()]
    gens = {row.gen_id: row for row in dataset.rows(tb.Generation)} if dataset is not None else {}
    place = {gen: at for at, gen in enumerate(gens or found)}
    unknown = [gen for gen in found if gen not in place]
    if unknown:
        raise PlanError([_unknown_id("racks", "gen_id", "generations", gen, gens) for gen in unknown])
    sums: list[tuple[tuple[Any, ...], int]] = [(_tuple(key), int(rows[column].sum())) for key, rows in frame.groupby(keys, sort=False)]
    sums.sort(key=lambda item: tuple(place[part] if name == "gen_id" else part for name, part in zip(keys, item[0], strict=True)))
    sizes, at = {gen: (row.gpus_per_rack, row.rack_kw) for gen, row in gens.items()}, keys.index("gen_id")
    view = []
    for key, racks in sums:
        gpus, kw = sizes.get(key[at], (math.nan, math.nan))
        view.append((*key, racks, racks * gpus, racks * kw / 1000.0))
    return view


def _tuple(key: Any) -> tuple[Any, ...]:
    return tuple(key)


def decisions_by_year(plan: Plan) -> pd.DataFrame:
    """Blocks, retrofits, openings and signings by year; columns ``VIEW_COLUMNS["decisions_by_year"]``."""
    kinds = ("build", "retrofit", "open", "sign")
    years = [int(str(label)[:4]) for label in plan.decisions["period"]]
    made = plan.decisions.assign(year=years)
    rows = []
    for year in sorted(set(made.loc[made["kind"].isin(kinds), "year"].tolist())):
        of = {kind: made[(made["year"] == year) & (made["kind"] == kind)] for kind in kinds}
        ids = "; ".join(f"{kind} {', '.join(map(str, found['id']))}" for kind, found in of.items() if len(found))
        megawatts = {kind: float(of[kind]["mw"].sum()) for kind in ("build", "retrofit")}
        counts = {kind: len(found) for kind, found in of.items()}
        rows.append(
            (year, counts["build"], megawatts["build"], counts["retrofit"], megawatts["retrofit"], counts["open"], counts["sign"], ids)
        )
    return _view("decisions_by_year", rows)


def compare(plan: Plan, baseline: Plan) -> Comparison:
    """What the plan gains over the baseline, in all and by term."""
    ours, theirs = plan.summary, baseline.summary
    pairs = {n: (ours.npv_terms.get(n, 0.0), theirs.npv_terms.get(n, 0.0)) for n in NPV_TERMS}
    terms = _view("comparison", [(n, a, b, a - b) for n, (a, b) in pairs.items() if a or b])
    npv, base = ours.npv_usd or 0.0, theirs.npv_usd or 0.0
    return Comparison(npv, base, npv - base, (npv - base) / abs(base) if base else None, terms)


def headline(plan: Plan, dataset: Dataset | None = None) -> Headline:
    """The figures asked for first.

    Args:
        plan: the plan.
        dataset: for the GPUs in service at the end.
    """
    s, cash, calendar = plan.summary, plan.cash, calendar_of(plan)
    contracts = contract_lateness(plan, dataset)
    in_force = contracts[contracts["status"] != "declined"]
    firm = set(contracts.loc[contracts["status"] == "firm", "contract_id"])
    rows = plan.contracts[plan.contracts["contract_id"].isin(firm)]
    hours = np.array([_hours(calendar, calendar.index(label)) for label in rows["period"]]) if calendar is not None else np.zeros(len(rows))
    owed = float(rows["owed_gpus"].to_numpy(float) @ hours)
    last = calendar.labels[-1] if calendar is not None else ""
    gpus_end = None
    if dataset is not None:
        in_service = fleet(plan, dataset)
        gpus_end = float(in_service.loc[in_service["period"] == last, "gpus"].sum())
    return Headline(
        name=s.dataset.name,
        status=s.status,
        stop_reason=s.stop_reason,
        npv_usd=s.npv_usd,
        bound_usd=s.bound_usd,
        gap=s.gap,
        bound_certified_usd=s.bound_certified_usd,
        gap_certified=s.gap_certified,
        gap_requested=s.gap_requested,
        audit_passed=s.audit.passed if s.audit is not None else None,
        worst_violation=s.audit.worst_violation if s.audit is not None else None,
        seconds=s.seconds.total,
        contracts_in_force=len(in_force),
        contracts_late=int((in_force["periods_late"] > 0).sum()),
        prospects_signed=len(_ids(plan.decisions, "sign")),
        prospects_declined=len(_ids(plan.decisions, "decline")),
        firm_share_delivered=1.0 - float(rows["short_gpus"].to_numpy(float) @ hours) / owed if owed > 0 else 1.0,
        short_gpu_periods=float(contracts["short_gpu_periods"].sum()),
        damages_usd=float(contracts["damages_usd"].sum()),
        racks_installed=int(plan.racks["installed"].sum()),
        gpus_end=gpus_end,
        it_used_mw_end=float(plan.sites.loc[plan.sites["period"] == last, "it_used_mw"].sum()),
        revenue_usd=float(cash[["contract_revenue", "market_revenue"]].to_numpy(float).sum()),
        capital_usd=0.0 - float(cash[["gpu_capital", "block_capex", "activation", "retrofits"]].to_numpy(float).sum()),
        energy_mwh=float(plan.sites["energy_mwh"].sum()),
        tco2=float(plan.sites["tco2"].sum()),
        water_m3=float(plan.sites["water_m3"].sum()),
    )

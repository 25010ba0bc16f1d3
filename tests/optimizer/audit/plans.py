"""Plans written by hand: ``draft`` makes tables from decisions, ``complete`` fills in the columns that follow from them.

Both follow model.md in plain loops, row by row, and share no code with the audit they help to test
(the names of tight limits come from ``models.binding``, which has tests of its own).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from models import tables as tb
from models.binding import BindingRule, SiteUse
from models.dataset import Dataset
from models.plan import NPV_TERMS, PLAN_COLUMNS, DatasetRef, SolverInfo, StopReason, Summary, relative_gap, status_of

Tables = dict[str, pd.DataFrame]


def frame(name: str, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """A plan table from its rows; columns not given are 0 or empty."""
    columns = PLAN_COLUMNS[name]
    blank = {c.name: 0 if c.kind in ("number", "integer") else "" for c in columns}
    return pd.DataFrame([{**blank, **row} for row in rows], columns=[c.name for c in columns])


def step(dataset: Dataset, rows: Iterable[Any], t: int, column: str, before: float) -> float:
    """Value in period t of the rows of one key of a from_period table."""
    known = [(dataset.calendar.index(row.from_period), getattr(row, column)) for row in rows]
    held = [pair for pair in sorted(known, key=lambda pair: pair[0]) if pair[0] <= t]
    if not held:
        return before
    return before if held[-1][1] is None else float(held[-1][1])


def ramp(dataset: Dataset, contract: str, t: int) -> float:
    """``D[c,t]`` once in force."""
    row = next(r for r in dataset.rows(tb.Contract) if r.contract_id == contract)
    if not dataset.calendar.index(row.start) <= t <= dataset.calendar.index(row.end):
        return 0.0
    return step(dataset, [r for r in dataset.rows(tb.ContractRamp) if r.contract_id == contract], t, "gpus", 0.0)


class Reader:
    """The primary columns of plan tables, by ids and period index."""

    def __init__(self, dataset: Dataset, tables: Tables) -> None:
        self.dataset, self.tables = dataset, tables
        at = {label: t for t, label in enumerate(dataset.calendar.labels)}
        self.racks = {(r.site_id, r.gen_id, at[r.period]): r for r in tables["racks"].itertuples()}
        self.deliveries = [(r.contract_id, r.site_id, r.gen_id, at[r.period], float(r.gpus)) for r in tables["deliveries"].itertuples()]
        self.sales = {(r.site_id, r.gen_id, at[r.period]): float(r.gpus) for r in tables["market_sites"].itertuples()}
        self.tiers = {(r.gen_id, r.tier, at[r.period]): float(r.gpus) for r in tables["market"].itertuples()}
        self.contracts = {(r.contract_id, at[r.period]): r for r in tables["contracts"].itertuples()}
        decided = [(r.kind, r.id, at.get(r.period, -1), float(r.mw)) for r in tables["decisions"].itertuples()]
        self.signed = {c for kind, c, _, _ in decided if kind == "sign"} | {
            c.contract_id for c in dataset.rows(tb.Contract) if c.status is tb.ContractStatus.FIRM
        }
        self.opened = {i: t for kind, i, t, _ in decided if kind == "open"} | {
            s.site_id: 0 for s in dataset.rows(tb.Site) if s.status is tb.SiteStatus.OPEN
        }
        self.built = {i: t for kind, i, t, _ in decided if kind == "build"} | {
            b.block_id: max(dataset.calendar.index(b.energized), 0) for b in dataset.rows(tb.PowerBlock) if b.status is tb.BlockStatus.FIRM
        }
        self.orders = [(i, t, mw) for kind, i, t, mw in decided if kind == "retrofit"]
        self.eq = {(r.contract_id, r.gen_id): r.gpu_equivalent for r in dataset.rows(tb.ContractGeneration)}
        self.served: dict[tuple[str, str, int], float] = defaultdict(float)
        for c, s, g, t, gpus in self.deliveries:
            self.served[c, s, t] += self.eq.get((c, g), 0.0) * gpus

    def rack(self, column: str, s: str, g: str, t: int) -> float:
        """Racks installed, retired or in service."""
        return float(getattr(self.racks[s, g, t], column)) if (s, g, t) in self.racks else 0.0

    def contract(self, column: str, c: str, t: int) -> float:
        """Contract GPUs short, moved or paid."""
        return float(getattr(self.contracts[c, t], column)) if (c, t) in self.contracts else 0.0

    def owed(self, c: str, t: int) -> float:
        """``D*sign``."""
        return ramp(self.dataset, c, t) if c in self.signed else 0.0

    def moved(self, c: str, t: int) -> tuple[float, float]:
        """Contract GPUs moved, and least to pay (constraint 15)."""
        current = {r.site_id: r.gpus for r in self.dataset.rows(tb.CurrentDelivery) if r.contract_id == c}
        sites = [s.site_id for s in self.dataset.rows(tb.Site)]
        before = current if t == 0 else {s: self.served[c, s, t - 1] for s in sites}
        owed_before = sum(current.values()) if t == 0 else self.owed(c, t - 1)
        runs = bool(current) if t == 0 else owed_before > 0
        if not runs or self.owed(c, t) <= 0:
            return 0.0, 0.0
        moved = sum(max(0.0, before.get(s, 0.0) - self.served[c, s, t]) for s in sites)
        return moved, max(0.0, moved - max(0.0, owed_before - self.owed(c, t)))


def draft(
    dataset: Dataset,
    installed: Mapping[tuple[str, str, str], int] | None = None,
    retired: Mapping[tuple[str, str, str], int] | None = None,
    deliveries: Mapping[tuple[str, str, str, str], float] | None = None,
    sold: Mapping[tuple[str, str, str], float] | None = None,
    tiers: Mapping[tuple[str, str, str], float] | None = None,
    decisions: Iterable[tuple[str, str, str, float]] = (),
) -> Tables:
    """A plan's tables from its decisions.

    Args:
        dataset: the planning problem.
        installed, retired: racks by site, generation, period.
        deliveries: physical GPUs by contract, site, generation, period.
        sold: GPUs sold on the market by site, generation, period.
        tiers: the same by generation, tier, period.
        decisions: kind, id, period, mw.

    Returns:
        All tables: racks in service follow from the fleet, shortfalls from what is owed, moves are paid at the least.
    """
    installed, retired, labels = installed or {}, retired or {}, dataset.calendar.labels
    racks = []
    for site in dataset.rows(tb.Site):
        for gen in dataset.rows(tb.Generation):
            held = sum(r.racks for r in dataset.rows(tb.Fleet) if (r.site_id, r.gen_id) == (site.site_id, gen.gen_id))
            for label in labels:
                key = (site.site_id, gen.gen_id, label)
                new, gone = installed.get(key, 0), retired.get(key, 0)
                held += new - gone
                if held or new or gone:
                    ids = {"site_id": site.site_id, "gen_id": gen.gen_id, "period": label}
                    racks.append({**ids, "installed": new, "retired": gone, "in_service": held})
    tables = {name: frame(name, []) for name in PLAN_COLUMNS}
    tables["racks"] = frame("racks", racks)
    tables["deliveries"] = frame(
        "deliveries",
        [dict(zip(("contract_id", "site_id", "gen_id", "period", "gpus"), (*k, v), strict=True)) for k, v in (deliveries or {}).items()],
    )
    tables["market_sites"] = frame(
        "market_sites", [dict(zip(("site_id", "gen_id", "period", "gpus"), (*k, v), strict=True)) for k, v in (sold or {}).items()]
    )
    tables["market"] = frame(
        "market", [dict(zip(("gen_id", "tier", "period", "gpus"), (*k, v), strict=True)) for k, v in (tiers or {}).items()]
    )
    tables["decisions"] = frame("decisions", [dict(zip(("kind", "id", "period", "mw"), row, strict=True)) for row in decisions])
    plan = Reader(dataset, tables)
    rows = []
    for c in dataset.rows(tb.Contract):
        for t, label in enumerate(labels):
            got = sum(plan.served[c.contract_id, s.site_id, t] for s in dataset.rows(tb.Site))
            moved, paid = plan.moved(c.contract_id, t)
            ids = {"contract_id": c.contract_id, "period": label}
            rows.append({**ids, "short_gpus": plan.owed(c.contract_id, t) - got, "moved_gpus": moved, "paid_moves_gpus": paid})
    tables["contracts"] = frame("contracts", rows)
    return complete(dataset, tables)


def complete(dataset: Dataset, tables: Tables) -> Tables:
    """The tables with every derived column computed anew from racks, deliveries, sales, shortfalls, moves and decisions."""
    plan = Reader(dataset, tables)
    cash = {t: dict.fromkeys(NPV_TERMS, 0.0) for t in range(dataset.settings.periods)}
    result = {name: table.copy() for name, table in tables.items()}
    result["contracts"] = _contracts(plan, cash)
    result["market"] = _market(plan, cash)
    result["sites"] = _sites(plan, cash)
    _capital(plan, cash)
    result["cash"] = _cash(dataset, cash)
    return result


def _contracts(plan: Reader, cash: dict[int, dict[str, float]]) -> pd.DataFrame:
    dataset, rows = plan.dataset, []
    cost = {(r.contract_id, r.site_id): r.usd_per_gpu_hour for r in dataset.rows(tb.ServingCost)}
    for c in dataset.rows(tb.Contract):
        for t, label in enumerate(dataset.calendar.labels):
            hours, key = float(dataset.calendar.hours[t]), c.contract_id
            by_site = {s.site_id: plan.served[key, s.site_id, t] for s in dataset.rows(tb.Site)}
            got = sum(by_site.values())
            price = step(dataset, [r for r in dataset.rows(tb.ContractPrice) if r.contract_id == key], t, "usd_per_gpu_hour", 0.0)
            short, moved, paid = (plan.contract(name, key, t) for name in ("short_gpus", "moved_gpus", "paid_moves_gpus"))
            row = {
                "owed_gpus": plan.owed(key, t), "delivered_gpus": got, "short_gpus": short, "moved_gpus": moved, "paid_moves_gpus": paid,
                "revenue_usd": price * hours * got, "damages_usd": c.ld_usd_per_gpu_hour * hours * short, "moves_usd": c.move_usd_per_gpu * paid,
            }  # fmt: skip
            cash[t]["contract_revenue"] += row["revenue_usd"]
            cash[t]["damages"] -= row["damages_usd"]
            cash[t]["moves"] -= row["moves_usd"]
            cash[t]["serving_costs"] -= sum(cost.get((key, s), 0.0) * hours * gpus for s, gpus in by_site.items())
            if any(row.values()):
                rows.append({"contract_id": key, "customer": c.customer, "period": label, **row})
    return frame("contracts", rows)


def _market(plan: Reader, cash: dict[int, dict[str, float]]) -> pd.DataFrame:
    dataset, rows = plan.dataset, []
    for (g, tier, t), gpus in plan.tiers.items():
        listed = [r for r in dataset.rows(tb.MarketTier) if (r.gen_id, r.tier) == (g, tier)]
        revenue = step(dataset, listed, t, "usd_per_gpu_hour", 0.0) * float(dataset.calendar.hours[t]) * gpus
        cash[t]["market_revenue"] += revenue
        rows.append({"gen_id": g, "tier": tier, "period": dataset.calendar.labels[t], "gpus": gpus, "revenue_usd": revenue})
    return frame("market", rows)


def _sites(plan: Reader, cash: dict[int, dict[str, float]]) -> pd.DataFrame:
    dataset = plan.dataset
    sites, gens, labels = dataset.rows(tb.Site), dataset.rows(tb.Generation), dataset.calendar.labels
    shape = (len(sites), len(labels))
    values = {c.name: np.zeros(shape) for c in PLAN_COLUMNS["sites"] if c.kind == "number"}
    racks = {name: np.zeros((len(sites), len(gens), len(labels))) for name in ("installed", "in_service")}
    for i, site in enumerate(sites):
        for t in range(len(labels)):
            for name, held in racks.items():
                held[i, :, t] = [plan.rack(name, site.site_id, g.gen_id, t) for g in gens]
            for name, value in _site_period(plan, site, t).items():
                values[name][i, t] = value
            cash[t]["energy"] -= values["energy_usd"][i, t]
            cash[t]["demand_charges"] -= values["demand_usd"][i, t]
            cash[t]["carbon"] -= values["carbon_usd"][i, t]
    names = [f"{kind}_{part}_mw" for kind in ("it", "liquid", "air") for part in ("limit", "used")]
    use = SiteUse(**racks, **{n: values[n] for n in (*names, "facility_peak_mw", "water_m3")})
    binding = BindingRule(dataset).names(use)
    rows = [
        {"site_id": site.site_id, "period": label, **{n: v[i, t] for n, v in values.items()}, "binding": binding[i, t]}
        for i, site in enumerate(sites)
        for t, label in enumerate(labels)
        if any(v[i, t] for v in values.values())
    ]
    return frame("sites", rows)


def _site_period(plan: Reader, site: tb.Site, t: int) -> dict[str, float]:
    """A row of sites.csv."""
    dataset, s = plan.dataset, site.site_id
    hours, months = float(dataset.calendar.hours[t]), dataset.calendar.months
    gens = dataset.rows(tb.Generation)
    x = {g.gen_id: plan.rack("in_service", s, g.gen_id, t) for g in gens}
    blocks = [b for b in dataset.rows(tb.PowerBlock) if b.site_id == s and b.block_id in plan.built and plan.built[b.block_id] <= t]
    it, liquid, air = (
        sum(column) for column in zip(*((b.usable_share * b.it_mw, b.liquid_mw, b.air_mw) for b in blocks), (0.0,) * 3, strict=True)
    )
    for row in dataset.rows(tb.Retrofit):
        downtime = row.lead_periods if row.downtime_periods is None else row.downtime_periods
        for ordered_at, since, mw in plan.orders:
            if ordered_at == s == row.site_id:
                liquid += mw if t >= since + row.lead_periods else 0.0
                air -= mw if t >= since + row.lead_periods - downtime else 0.0
    derates = [r for r in dataset.rows(tb.SiteLimit) if r.site_id == s]
    limits = {n: step(dataset, derates, t, f"{n}_mw", math.inf) for n in ("it", "liquid", "air")}
    overhead = site.overhead_mw if s in plan.opened and plan.opened[s] <= t else 0.0
    peak = overhead + sum(
        x[g.gen_id] * g.rack_kw / 1000 * (g.liquid_share * site.pue_liquid_peak + (1 - g.liquid_share) * site.pue_air_peak) for g in gens
    )
    average, it_average = overhead, 0.0
    weights = dataset.calendar.season_weights[t]
    by_season = {r.season: (r.pue_air, r.pue_liquid) for r in dataset.rows(tb.SitePue) if r.site_id == s}
    pairs = [by_season.get(q, (site.pue_air, site.pue_liquid)) for q in (1, 2, 3, 4)]
    pue_air, pue_liquid = (sum(weights[q] * pairs[q][part] for q in range(4)) for part in (0, 1))
    loads = {c.contract_id: c.load_share for c in dataset.rows(tb.Contract)}
    for g in gens:
        loaded = g.idle_share * g.gpus_per_rack * x[g.gen_id]
        loaded += sum((loads[c] - g.idle_share) * w for c, at, gen, when, w in plan.deliveries if (at, gen, when) == (s, g.gen_id, t))
        loaded += (dataset.settings.load_market - g.idle_share) * plan.sales.get((s, g.gen_id, t), 0.0)
        mw = g.rack_kw / 1000 / g.gpus_per_rack * loaded
        it_average += mw
        average += mw * (g.liquid_share * pue_liquid + (1 - g.liquid_share) * pue_air)
    usd = tonnes = 0.0
    zone = [r for r in dataset.rows(tb.EnergySlice) if r.price_zone == site.price_zone]
    for q in (1, 2, 3, 4):
        rows = [r for r in zone if r.season in (None, q) and dataset.calendar.index(r.from_period) <= t]
        latest = max(dataset.calendar.index(r.from_period) for r in rows)
        rows = [r for r in rows if dataset.calendar.index(r.from_period) == latest]
        usd += weights[q - 1] * sum(r.hours_share * r.usd_per_mwh for r in rows)
        tonnes += weights[q - 1] * sum(r.hours_share * r.gco2_per_kwh / 1000 for r in rows)
    demand = step(dataset, [r for r in dataset.rows(tb.DemandCharge) if r.price_zone == site.price_zone], t, "usd_per_kw_month", 0.0)
    carbon = step(dataset, [r for r in dataset.rows(tb.CarbonPrice) if r.price_zone == site.price_zone], t, "usd_per_t", 0.0)
    return {
        "it_limit_mw": min(it, limits["it"]),
        "it_used_mw": sum(x[g.gen_id] * g.rack_kw / 1000 for g in gens),
        "liquid_limit_mw": min(liquid, limits["liquid"]),
        "liquid_used_mw": sum(x[g.gen_id] * g.rack_kw / 1000 * g.liquid_share for g in gens),
        "air_limit_mw": min(air, limits["air"]),
        "air_used_mw": sum(x[g.gen_id] * g.rack_kw / 1000 * (1 - g.liquid_share) for g in gens),
        "facility_peak_mw": peak,
        "facility_average_mw": average,
        "energy_mwh": hours * average,
        "energy_usd": hours * average * usd,
        "demand_usd": demand * 1000 * months * peak,
        "carbon_usd": carbon * hours * average * tonnes,
        "water_m3": hours * it_average * site.wue_l_per_kwh,
        "tco2": hours * average * tonnes,
    }


def _capital(plan: Reader, cash: dict[int, dict[str, float]]) -> None:
    """GPUs, running costs, leases, blocks, openings, retrofits and residual value."""
    dataset = plan.dataset
    end, months = dataset.settings.periods, dataset.calendar.months
    gens = {g.gen_id: g for g in dataset.rows(tb.Generation)}
    prices = {
        g: [step(dataset, [r for r in dataset.rows(tb.GpuPrice) if r.gen_id == g], t, "usd_per_gpu", 0.0) for t in range(end)] for g in gens
    }
    held: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for (s, g, t), row in plan.racks.items():
        gen = gens[g]
        cash[t]["gpu_capital"] -= (prices[g][t] * gen.gpus_per_rack + gen.install_usd_per_rack) * row.installed
        cash[t]["opex"] -= gen.opex_usd_per_rack_year * months / 12 * row.in_service
        held[s, g].append((t, float(row.installed)))
    for fleet in dataset.rows(tb.Fleet):
        held[fleet.site_id, fleet.gen_id].append((dataset.calendar.index(fleet.in_service_since), float(fleet.racks)))
    for (s, g), cohorts in held.items():
        left = plan.rack("in_service", s, g, end - 1)
        for since, racks in sorted(cohorts, reverse=True):
            kept, gen = min(left, racks), gens[g]
            left -= kept
            value = gen.residual_factor * prices[g][-1] * gen.gpus_per_rack * max(0.0, 1 - (end - since) / gen.life_periods)
            cash[end - 1]["residual_value"] += value * kept
    for block in dataset.rows(tb.PowerBlock):
        first = plan.built.get(block.block_id)
        if first is None:
            continue
        for t in range(first, end):
            cash[t]["lease"] -= block.lease_usd_per_kw_month * 1000 * months * block.it_mw
        if block.status is tb.BlockStatus.OPTION:
            cash[max(first - block.lead_periods, 0)]["block_capex"] -= block.capex_usd
            cash[end - 1]["residual_value"] += block.residual_share * block.capex_usd
    for site in dataset.rows(tb.Site):
        if site.status is tb.SiteStatus.CANDIDATE and site.site_id in plan.opened:
            cash[plan.opened[site.site_id]]["activation"] -= site.activation_usd
    for row in dataset.rows(tb.Retrofit):
        for s, t, mw in plan.orders:
            cash[t]["retrofits"] -= (row.fixed_usd + row.usd_per_kw * 1000 * mw) if s == row.site_id else 0.0


def factors(dataset: Dataset, term: str, t: int) -> float:
    """Discount factor of a term in a period."""
    years = dataset.settings.periods if term == "residual_value" else t + 0.5
    return float((1 + dataset.settings.discount_rate) ** (-years * dataset.calendar.months / 12))


def _cash(dataset: Dataset, cash: dict[int, dict[str, float]]) -> pd.DataFrame:
    rows = []
    for t, terms in cash.items():
        total = sum(factors(dataset, name, t) * value for name, value in terms.items())
        rows.append({"period": dataset.calendar.labels[t], **terms, "discounted_total": total})
    return frame("cash", rows)


def summary_of(dataset: Dataset, tables: Tables, gap: float = 0.005) -> Summary:
    """A summary that fits the tables, with this gap proven (and twice as much certified)."""
    cash = tables["cash"]
    terms = {n: sum(factors(dataset, n, t) * float(v) for t, v in enumerate(cash[n])) for n in NPV_TERMS}
    npv = sum(terms.values())
    bound, certified = npv + gap * abs(npv), npv + 2 * gap * abs(npv)
    return Summary(
        dataset=DatasetRef(name=dataset.name, sha256=dataset.sha256),
        status=status_of(relative_gap(bound, npv), 0.01),
        stop_reason=StopReason.GAP_REACHED,
        npv_usd=npv,
        bound_usd=bound,
        bound_certified_usd=certified,
        gap=relative_gap(bound, npv),
        gap_certified=relative_gap(certified, npv),
        gap_requested=0.01,
        npv_terms=terms,
        solver=SolverInfo(name="none", version="0"),
        audit=None,
    )

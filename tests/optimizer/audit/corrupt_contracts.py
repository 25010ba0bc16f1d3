"""Corruptions of sales, contracts, serving sites, moves, optional limits and directives (10 to 15, 17, 18 of model.md)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np

from models import tables as tb
from models.dataset import Dataset
from optimizer.audit import TOLERANCE
from tests.optimizer.audit.corruptions import Case, above, add, added, below, case, changed, corruption, edited, held_at, largest
from tests.optimizer.audit.plans import Reader, Tables, ramp


@corruption("sellable")
def racks_with_fewer_gpus(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The racks used most have a little fewer GPUs than are sold."""
    plan = Reader(dataset, tables)
    spare = {c.contract_id: c.spare_share for c in dataset.rows(tb.Contract)}
    full = 0.0, 0.0, 1.0, ("", "", 0)
    for s, g, t in plan.racks:
        held = sum((1 + spare[c]) * gpus for c, at, gen, when, gpus in plan.deliveries if (at, gen, when) == (s, g, t))
        used = held + plan.sales.get((s, g, t), 0.0)
        bills = plan.rack("in_service", s, g, t) - (1 - dataset.settings.commissioning_share) * plan.rack("installed", s, g, t)
        if bills > 0:
            full = max(full, (used / bills, used, bills, (s, g, t)))
    _, used, bills, (s, g, t) = full
    if used <= 0:
        return None
    limit = below(used, size)
    fewer = changed(dataset, tb.Generation, lambda gen: gen.gen_id == g, gpus_per_rack=limit / bills)
    return case(fewer, tables, "sellable", {"site_id": s, "gen_id": g, "period": dataset.calendar.labels[t]}, used - limit)


@corruption("market_balance")
def sold_from_nowhere(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A little more is sold in a tier than sites sell."""
    i = largest(tables["market"], "gpus")
    if i is None:
        return None
    row = tables["market"].iloc[i]
    same = tables["market"][(tables["market"]["gen_id"] == row.gen_id) & (tables["market"]["period"] == row.period)]
    excess = size * TOLERANCE * max(1.0, float(same["gpus"].sum()))
    wrong = edited(tables, "market", i, gpus=float(row.gpus) + excess)
    return case(dataset, wrong, "market_balance", {"gen_id": row.gen_id, "period": row.period}, excess)


@corruption("market_depth")
def market_too_shallow(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A tier takes a little less than is sold in it."""
    i = largest(tables["market"], "gpus")
    if i is None:
        return None
    row = tables["market"].iloc[i]
    limit = below(float(row.gpus), size)
    keys = {"gen_id": row.gen_id, "tier": row.tier}
    blank = tb.MarketTier(**keys, from_period=row.period, usd_per_gpu_hour=0, max_gpus=0)
    shallow = held_at(dataset, tb.MarketTier, keys, dataset.calendar.index(row.period), blank, max_gpus=limit)
    return case(shallow, tables, "market_depth", {"tier": f"{row.gen_id}/{row.tier}", "period": row.period}, row.gpus - limit)


def contract(dataset: Dataset, identifier: str) -> tb.Contract:
    """A row of contracts.csv."""
    return next(c for c in dataset.rows(tb.Contract) if c.contract_id == identifier)


@corruption("delivery")
def shortfall_overstated(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A little more is short than is owed and not delivered."""
    for i, row in enumerate(tables["contracts"].itertuples()):
        if row.owed_gpus > 0 and contract(dataset, str(row.contract_id)).max_short_share == 1.0:
            excess = size * TOLERANCE * max(1.0, float(row.owed_gpus))
            wrong = edited(tables, "contracts", i, short_gpus=float(row.short_gpus) + excess)
            return case(dataset, wrong, "delivery", {"contract_id": str(row.contract_id), "period": str(row.period)}, excess)
    return None


@corruption("short_limit")
def contract_less_patient(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A contract bears a little less shortfall than there is."""
    table = tables["contracts"]
    starts = [dataset.calendar.index(contract(dataset, c).start) + contract(dataset, c).grace_periods for c in table["contract_id"]]
    table = table[(table["short_gpus"] > 0) & (np.array([dataset.calendar.index(p) for p in table["period"]]) >= np.array(starts))]
    if table.empty:
        return None
    row = table.iloc[int(np.argmax((table["short_gpus"] / table["owed_gpus"]).to_numpy(float)))]
    limit = below(float(row.short_gpus), size)
    strict = changed(dataset, tb.Contract, lambda c: c.contract_id == row.contract_id, max_short_share=limit / row.owed_gpus)
    return case(strict, tables, "short_limit", {"contract_id": row.contract_id, "period": row.period}, row.short_gpus - limit)


def delivery_row(tables: Tables) -> tuple[int, Any] | None:
    """The largest delivery."""
    i = largest(tables["deliveries"], "gpus")
    return None if i is None else (i, tables["deliveries"].iloc[i])


def _delivery_ids(row: Any) -> dict[str, str]:
    return {name: str(getattr(row, name)) for name in ("contract_id", "site_id", "period")}


@corruption("serving_size", alone=False)
def delivered_beyond_owed(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """One site delivers a little more than the contract is owed in all."""
    found = delivery_row(tables)
    if found is None:
        return None
    i, row = found
    plan, t = Reader(dataset, tables), dataset.calendar.index(row.period)
    owed, eq = ramp(dataset, row.contract_id, t), plan.eq[row.contract_id, row.gen_id]
    excess = size * TOLERANCE * max(1.0, owed)
    more = (owed + excess - plan.served[row.contract_id, row.site_id, t]) / eq
    wrong = edited(tables, "deliveries", i, gpus=float(row.gpus) + more)
    return case(dataset, wrong, "serving_size", _delivery_ids(row), excess)


@corruption("serving_allowed", whole=True)
def site_excluded(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The contract excludes the site that delivers most to it."""
    found = delivery_row(tables)
    if found is None:
        return None
    row = found[1]
    strict = changed(
        dataset, tb.Contract, lambda c: c.contract_id == row.contract_id, excluded_sites=lambda c: (*c.excluded_sites, row.site_id)
    )
    served = Reader(dataset, tables).served[row.contract_id, row.site_id, dataset.calendar.index(row.period)]
    return case(strict, tables, "serving_allowed", _delivery_ids(row), served)


@corruption("serving_allowed", whole=True)
def zone_excluded(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The contract names zones, and none of a site that delivers to it."""
    found = delivery_row(tables)
    if found is None:
        return None
    row = found[1]
    strict = changed(dataset, tb.Contract, lambda c: c.contract_id == row.contract_id, zones=("nowhere",))
    served = Reader(dataset, tables).served[row.contract_id, row.site_id, dataset.calendar.index(row.period)]
    return case(strict, tables, "serving_allowed", _delivery_ids(row), served)


@corruption("serving_eligible", whole=True, alone=False)
def generation_not_taken(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The contract does not take the generation delivered to it."""
    found = delivery_row(tables)
    if found is None:
        return None
    row = found[1]
    kept = [r for r in dataset.rows(tb.ContractGeneration) if (r.contract_id, r.gen_id) != (row.contract_id, row.gen_id)]
    ids = {**_delivery_ids(row), "gen_id": row.gen_id}
    return case(dataset.replace(contract_generations=kept), tables, "serving_eligible", ids, float(row.gpus))


@corruption("serving_signed", whole=True, alone=False)
def prospect_served_unsigned(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A prospect that receives GPUs is declined."""
    plan = Reader(dataset, tables)
    for i, row in enumerate(tables["decisions"].itertuples()):
        mine = [(s, t) for c, s, _, t, gpus in plan.deliveries if row.kind == "sign" and c == row.id and gpus > 0]
        if mine:
            site, t = mine[0]
            ids = {"contract_id": str(row.id), "site_id": site, "period": dataset.calendar.labels[t]}
            return case(dataset, edited(tables, "decisions", i, kind="decline"), "serving_signed", ids, plan.served[str(row.id), site, t])
    return None


def serving_sites(dataset: Dataset, tables: Tables) -> dict[str, list[str]]:
    """Sites that deliver to each contract."""
    found: dict[str, list[str]] = {}
    for (c, s, _), gpus in Reader(dataset, tables).served.items():
        if gpus > 1e-3 and s not in found.setdefault(c, []):
            found[c].append(s)
    return found


@corruption("max_sites", whole=True)
def one_site_too_many(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A contract may be served from one site less than it is."""
    found = {c: len(sites) for c, sites in serving_sites(dataset, tables).items()}
    if not found:
        return None
    c = max(found, key=lambda key: found[key])
    fewer = changed(dataset, tb.Contract, lambda row: row.contract_id == c, max_sites=found[c] - 1)
    return case(fewer, tables, "max_sites", {"contract_id": c}, 1.0)


@corruption("min_cluster")
def cluster_too_small(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A contract wants a little more from a site in the last period of its highest ramp than it gets."""
    plan, labels = Reader(dataset, tables), dataset.calendar.labels
    for c, sites in sorted(serving_sites(dataset, tables).items(), key=lambda item: -contract(dataset, item[0]).min_cluster_gpus):
        owed = [ramp(dataset, c, t) for t in range(len(labels))]
        t = max(t for t in range(len(labels)) if owed[t] == max(owed))
        least, site = min((plan.served[c, s, t], s) for s in sites)
        if least > 0:
            cluster = above(least, size)
            wide = changed(dataset, tb.Contract, lambda row, c=c: row.contract_id == c, min_cluster_gpus=cluster, cluster_grace=len(labels))
            return case(wide, tables, "min_cluster", {"contract_id": c, "site_id": site, "period": labels[t]}, cluster - least)
    return None


def round_trips(dataset: Dataset) -> dict[tuple[str, str], float]:
    """Round-trip time over the shortest path, by Floyd and Warshall."""
    sites = [s.site_id for s in dataset.rows(tb.Site)]
    times = {(a, b): 0.0 if a == b else np.inf for a in sites for b in sites}
    for link in dataset.rows(tb.NetworkLink):
        times[link.site_a, link.site_b] = times[link.site_b, link.site_a] = link.rtt_ms
    for via in sites:
        for a in sites:
            for b in sites:
                times[a, b] = min(times[a, b], times[a, via] + times[via, b])
    return times


@corruption("distance")
def sites_too_far(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A contract bears a little less round-trip time than there is between its sites."""
    times = round_trips(dataset)
    pairs = [(times[a, b], c, a, b) for c, sites in serving_sites(dataset, tables).items() for a, b in combinations(sites, 2)]
    near = [pair for pair in pairs if 0 < pair[0] < np.inf]
    if not near:
        return None
    _, c, _, _ = max(near)
    time, _, a, b = max(pair for pair in near if pair[1] == c)
    limit = below(time, size)
    strict = changed(dataset, tb.Contract, lambda row: row.contract_id == c, max_rtt_ms=limit)
    order = [s.site_id for s in dataset.rows(tb.Site)]
    first, second = sorted((a, b), key=order.index)
    return case(strict, tables, "distance", {"contract_id": c, "site_id": first, "other_site_id": second}, time - limit)


@corruption("distance", whole=True)
def sites_not_connected(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The network is gone, and a contract with a limit is served from two sites."""
    found = [(c, s) for c, s in serving_sites(dataset, tables).items() if len(s) > 1]
    if not found:
        return None
    c, sites = found[0]
    alone = changed(dataset, tb.Contract, lambda row: row.contract_id == c, max_rtt_ms=1000.0).replace(network_links=[])
    order = [s.site_id for s in dataset.rows(tb.Site)]
    first, second = sorted(sites, key=order.index)[:2]
    return case(alone, tables, "distance", {"contract_id": c, "site_id": first, "other_site_id": second}, 1.0)


@corruption("moves")
def move_not_paid(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A little less is paid than is moved beyond the ramp."""
    i = largest(tables["contracts"], "paid_moves_gpus")
    if i is None:
        return None
    row = tables["contracts"].iloc[i]
    lack = size * TOLERANCE * max(1.0, float(row.paid_moves_gpus))
    wrong = edited(tables, "contracts", i, paid_moves_gpus=float(row.paid_moves_gpus) - lack)
    return case(dataset, wrong, "moves", {"contract_id": row.contract_id, "period": row.period}, lack)


@corruption("moves")
def move_not_told(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A little less is said to be moved than is."""
    i = largest(tables["contracts"], "moved_gpus")
    if i is None:
        return None
    row = tables["contracts"].iloc[i]
    lack = size * TOLERANCE * max(1.0, float(row.moved_gpus))
    wrong = edited(tables, "contracts", i, moved_gpus=float(row.moved_gpus) - lack)
    return case(dataset, wrong, "moves", {"contract_id": row.contract_id, "period": row.period}, lack)


@corruption("capex_budget")
def budget_too_small(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The budget, all given at the start, is a little below what is spent in all."""
    spent = -tables["cash"][["gpu_capital", "block_capex", "activation", "retrofits"]].sum(axis=1).to_numpy(float)
    total = float(spent.sum())
    if total <= 0:
        return None
    limit, labels = below(total, size, 1e6), dataset.calendar.labels
    poor = dataset.replace(capex_budget=[tb.CapexBudget(period=labels[0], usd=limit)])
    last = labels[int(np.flatnonzero(spent > 0)[-1])]
    return case(poor, tables, "capex_budget", {"period": last}, total - limit)


@corruption("carbon_cap")
def carbon_cap_too_low(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The cap of the first year is a little below its emissions."""
    year = dataset.calendar.years[0]
    mine = [label for label, y in zip(dataset.calendar.labels, dataset.calendar.years, strict=True) if y == year]
    total = float(tables["sites"]["tco2"][tables["sites"]["period"].isin(mine)].sum())
    if total <= 0:
        return None
    limit = below(total, size)
    kept = [row for row in dataset.rows(tb.CarbonCap) if row.year != year]
    return case(
        dataset.replace(carbon_cap=[*kept, tb.CarbonCap(year=year, tonnes=limit)]), tables, "carbon_cap", {"year": str(year)}, total - limit
    )


@corruption("water")
def water_too_scarce(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A site may use a little less water than it does."""
    i = largest(tables["sites"], "water_m3")
    if i is None:
        return None
    row = tables["sites"].iloc[i]
    limit = below(float(row.water_m3), size)
    dry = changed(dataset, tb.Site, lambda s: s.site_id == row.site_id, water_limit_m3_per_period=limit)
    return case(dry, tables, "water", {"site_id": row.site_id, "period": row.period}, row.water_m3 - limit)


@corruption("customer_share")
def customer_too_large(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The largest customer of a period brings a little more than its share."""
    by_customer = tables["contracts"].groupby(["period", "customer"])["revenue_usd"].sum()
    market = tables["market"].groupby("period")["revenue_usd"].sum()
    total = (by_customer.groupby("period").sum()).add(market, fill_value=0.0)
    shares = (by_customer / total.reindex(by_customer.index.get_level_values("period")).to_numpy(float)).dropna()
    since = dataset.settings.customer_revenue_share_from or dataset.calendar.labels[0]
    shares = shares[[dataset.calendar.index(period) >= dataset.calendar.index(since) for period, _ in shares.index]]
    if shares.empty or shares.max() <= 0:
        return None
    period, customer = shares.index[int(np.argmax(shares.to_numpy(float)))]
    used = float(by_customer[period, customer])
    limit = below(used, size, 1e6)
    strict = dataset.replace(settings={"customer_revenue_share": limit / float(total[period])})
    return case(strict, tables, "customer_share", {"customer": customer, "period": period}, used - limit)


def _most(dataset: Dataset, tables: Tables, kind: str) -> tuple[float, dict[str, str], str] | None:
    """A positive quantity that a directive can name: value, ids, and its period ('' where it has none)."""
    table = {"in_service": "racks", "installed": "racks", "deliveries": "deliveries"}.get(kind)
    if table is not None:
        column = "gpus" if kind == "deliveries" else kind
        i = largest(tables[table], column)
        if i is None:
            return None
        row = tables[table].iloc[i]
        names = [name for name in ("contract_id", "site_id", "gen_id") if name in tables[table]]
        return float(row[column]), {name: str(row[name]) for name in names}, str(row.period)
    if kind == "serve":
        found = serving_sites(dataset, tables)
        return next(((1.0, {"contract_id": c, "site_id": sites[0]}, "") for c, sites in found.items()), None)
    rows = tables["decisions"][tables["decisions"]["kind"] == kind]
    if rows.empty:
        return None
    row = rows.iloc[0]
    key = {"sign": "contract_id", "open": "site_id", "build": "block_id", "retrofit": "site_id"}[kind]
    return (float(row.mw) if kind == "retrofit" else 1.0), {key: str(row.id)}, "" if kind == "sign" else str(row.period)


def _directive(kind: str, rule: tb.Rule) -> Callable[[Dataset, Tables, float], Case | None]:
    """A directive that asks for a little less, or a little more, than the plan does."""

    def make(dataset: Dataset, tables: Tables, size: float) -> Case | None:
        found = _most(dataset, tables, kind)
        if found is None:
            return None
        value, ids, period = found
        limit = above(value, size) if rule is tb.Rule.MIN else below(value, size)
        span = {"from_period": period, "to_period": period} if period else {}
        row = tb.Directive(row="corrupt", rule=rule, decision=tb.DecisionKind(kind), value=limit, **ids, **span)
        where = {"row": "corrupt", **ids, **({"period": period} if period else {})}
        return case(added(dataset, row), tables, "directive", where, abs(value - limit))

    return make


for _kind in tb.DecisionKind:
    for _rule in tb.Rule:
        add(f"directive_{_rule.value}_{_kind.value}", "directive", _directive(_kind.value, _rule))

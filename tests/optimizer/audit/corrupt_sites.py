"""Corruptions of racks, power, cooling, grid, openings and blocks (1 to 9 of model.md)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from models import tables as tb
from models.dataset import Dataset
from tests.optimizer.audit.corruptions import Case, above, appended, below, case, changed, corruption, edited, held_at, largest
from tests.optimizer.audit.plans import Reader, Tables


def ids_of(row: Any, *names: str) -> dict[str, str]:
    """Ids of a plan row."""
    return {name: str(getattr(row, name)) for name in names}


def rack_row(tables: Tables, column: str) -> Any | None:
    """The racks row with the most of a column."""
    i = largest(tables["racks"], column)
    return None if i is None else tables["racks"].iloc[i]


@corruption("fleet", whole=True, alone=False)
def rack_from_nowhere(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """One rack more in service in the last period than was installed."""
    rows = np.flatnonzero(tables["racks"]["period"] == dataset.calendar.labels[-1])
    if not rows.size:
        return None
    row = tables["racks"].iloc[rows[0]]
    wrong = edited(tables, "racks", int(rows[0]), in_service=row.in_service + 1)
    return case(dataset, wrong, "fleet", ids_of(row, "site_id", "gen_id", "period"), 1.0)


@corruption("supply", whole=True)
def supply_short_of_a_rack(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """All supply comes at the start, and is one rack less than is installed in all."""
    row = rack_row(tables, "installed")
    if row is None:
        return None
    mine = tables["racks"][(tables["racks"]["gen_id"] == row.gen_id) & (tables["racks"]["installed"] > 0)]
    total, labels = int(mine["installed"].sum()), dataset.calendar.labels
    kept = [r for r in dataset.rows(tb.Supply) if r.gen_id != row.gen_id]
    less = dataset.replace(supply=[*kept, tb.Supply(gen_id=row.gen_id, period=labels[0], racks=total - 1)])
    last = max(mine["period"], key=labels.index)
    return case(less, tables, "supply", {"gen_id": row.gen_id, "period": last}, 1.0)


@corruption("rack_size", whole=True)
def rack_too_large(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The halls take a little less than the rack that is installed."""
    row = rack_row(tables, "installed")
    if row is None:
        return None
    kw = next(g.rack_kw for g in dataset.rows(tb.Generation) if g.gen_id == row.gen_id)
    small = changed(dataset, tb.Site, lambda s: s.site_id == row.site_id, max_rack_kw=kw - 1e-6)
    return case(small, tables, "rack_size", ids_of(row, "site_id", "gen_id", "period"), float(row.installed))


@corruption("install_window", whole=True)
def installed_before_window(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The window begins one period after the installation."""
    row = rack_row(tables, "installed")
    if row is None:
        return None
    later = dataset.calendar.label(dataset.calendar.index(row.period) + 1)
    late = changed(dataset, tb.Generation, lambda g: g.gen_id == row.gen_id, first_install=later)
    return case(late, tables, "install_window", ids_of(row, "site_id", "gen_id", "period"), float(row.installed))


@corruption("install_window", whole=True)
def installed_after_window(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The window ends one period before the installation."""
    row = rack_row(tables, "installed")
    if row is None:
        return None
    earlier = dataset.calendar.label(dataset.calendar.index(row.period) - 1)
    early = changed(dataset, tb.Generation, lambda g: g.gen_id == row.gen_id, last_install=earlier)
    return case(early, tables, "install_window", ids_of(row, "site_id", "gen_id", "period"), float(row.installed))


@corruption("end_of_life", whole=True)
def rack_too_old(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The longest life with which some rack in service should have retired."""
    plan, calendar = Reader(dataset, tables), dataset.calendar
    found = []
    for s, g in dict.fromkeys((s, g) for s, g, _ in plan.racks):
        cohorts = [(calendar.index(f.in_service_since), f.racks) for f in dataset.rows(tb.Fleet) if (f.site_id, f.gen_id) == (s, g)]
        cohorts += [(t, plan.rack("installed", s, g, t)) for t in range(len(calendar.labels))]
        life = next(gen.life_periods for gen in dataset.rows(tb.Generation) if gen.gen_id == g)
        for t in range(len(calendar.labels)):
            gone = sum(plan.rack("retired", s, g, tau) for tau in range(t + 1))
            for short in range(1, life):
                over = sum(n for since, n in cohorts if since + short <= t) - gone
                if over > 0:
                    found.append((short, t, over, s, g))
    if not found:
        return None
    life, t, over, s, g = max(found, key=lambda entry: (entry[0], -entry[1]))
    brief = changed(dataset, tb.Generation, lambda gen: gen.gen_id == g, life_periods=life)
    return case(brief, tables, "end_of_life", {"site_id": s, "gen_id": g, "period": calendar.labels[t]}, over)


@corruption("install_rate")
def installed_too_fast(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The crews of a site manage a little less than is installed."""
    racks = tables["racks"].groupby(["site_id", "period"], as_index=False)["installed"].sum()
    i = largest(racks, "installed")
    if i is None:
        return None
    row = racks.iloc[i]
    rate = below(float(row.installed), size)
    slow = changed(dataset, tb.Site, lambda s: s.site_id == row.site_id, install_racks_per_period=rate)
    return case(slow, tables, "install_rate", ids_of(row, "site_id", "period"), row.installed - rate)


def tightest(tables: Tables, kind: str) -> Any | None:
    """The sites row with the largest use as a share of its limit."""
    table = tables["sites"][(tables["sites"][f"{kind}_used_mw"] > 0) & (tables["sites"][f"{kind}_limit_mw"] > 0)]
    share = table[f"{kind}_used_mw"] / table[f"{kind}_limit_mw"]
    return None if table.empty else table.iloc[int(np.argmax(share.to_numpy(float)))]


def _scaled_blocks(dataset: Dataset, tables: Tables, size: float, kind: str, name: str, column: str, share: float = 1.0) -> Case | None:
    """Blocks of a site give a little less than is used."""
    row = tightest(tables, kind)
    if row is None:
        return None
    unlimited = dataset.replace(site_limits=[r for r in dataset.rows(tb.SiteLimit) if r.site_id != row.site_id])
    plan, t = Reader(dataset, tables), dataset.calendar.index(row.period)
    blocks = [b for b in dataset.rows(tb.PowerBlock) if b.site_id == row.site_id and plan.built.get(b.block_id, t + 1) <= t]
    given = sum(getattr(b, column) * (b.it_mw if column == "usable_share" else 1.0) for b in blocks)
    used = float(getattr(row, f"{kind}_used_mw"))
    limit = below(used, size)
    ordered = 0.0
    for retrofit in dataset.rows(tb.Retrofit):
        downtime = retrofit.lead_periods if retrofit.downtime_periods is None else retrofit.downtime_periods
        delay, sign = (retrofit.lead_periods, 1.0) if kind == "liquid" else (retrofit.lead_periods - downtime, -1.0)
        for s, since, mw in plan.orders:
            if kind != "it" and s == retrofit.site_id == row.site_id and since + delay <= t:
                ordered += sign * mw
    factor = (limit - ordered) / given
    less = changed(unlimited, tb.PowerBlock, lambda b: b.site_id == row.site_id, **{column: lambda b: getattr(b, column) * factor})
    return case(less, tables, name, ids_of(row, "site_id", "period"), used - limit)


@corruption("it_power")
def blocks_without_power(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The blocks of a site give a little less IT power than is used."""
    return _scaled_blocks(dataset, tables, size, "it", "it_power", "usable_share")


@corruption("liquid")
def blocks_without_liquid(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The blocks of a site cool a little less by liquid than is used."""
    return _scaled_blocks(dataset, tables, size, "liquid", "liquid", "liquid_mw")


@corruption("air")
def blocks_without_air(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The blocks of a site cool a little less by air than is used."""
    return _scaled_blocks(dataset, tables, size, "air", "air", "air_mw")


def _derated(dataset: Dataset, tables: Tables, size: float, kind: str) -> Case | None:
    """A derate of a site in one period, a little below what is used."""
    i = largest(tables["sites"], f"{kind}_used_mw")
    if i is None:
        return None
    row = tables["sites"].iloc[i]
    used = float(getattr(row, f"{kind}_used_mw"))
    limit = below(used, size)
    blank = tb.SiteLimit(site_id=row.site_id, from_period=row.period)
    t = dataset.calendar.index(row.period)
    derated = held_at(dataset, tb.SiteLimit, {"site_id": row.site_id}, t, blank, **{f"{kind}_mw": limit})
    return case(derated, tables, f"{kind}_limit", ids_of(row, "site_id", "period"), used - limit)


@corruption("it_limit")
def derated_power(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """IT power of a site is derated."""
    return _derated(dataset, tables, size, "it")


@corruption("liquid_limit")
def derated_liquid(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """Liquid cooling of a site is derated."""
    return _derated(dataset, tables, size, "liquid")


@corruption("air_limit")
def derated_air(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """Air cooling of a site is derated."""
    return _derated(dataset, tables, size, "air")


def retrofit_row(tables: Tables) -> tuple[int, Any] | None:
    """The first retrofit ordered."""
    rows = np.flatnonzero(tables["decisions"]["kind"] == "retrofit")
    return (int(rows[0]), tables["decisions"].iloc[rows[0]]) if rows.size else None


@corruption("retrofit_size")
def retrofit_too_small(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The smallest order is a little above the one placed."""
    found = retrofit_row(tables)
    if found is None:
        return None
    row = found[1]
    least = above(float(row.mw), size)
    larger = changed(dataset, tb.Retrofit, lambda r: r.site_id == row.id, min_mw=least)
    return case(larger, tables, "retrofit_size", {"site_id": row.id, "period": row.period}, least - row.mw)


@corruption("retrofit_size")
def retrofit_too_large(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The largest order is a little below the one placed."""
    found = retrofit_row(tables)
    if found is None:
        return None
    row = found[1]
    most = below(float(row.mw), size)
    smaller = changed(dataset, tb.Retrofit, lambda r: r.site_id == row.id, max_mw=most)
    return case(smaller, tables, "retrofit_size", {"site_id": row.id, "period": row.period}, row.mw - most)


@corruption("retrofit_once", whole=True, alone=False)
def retrofit_twice(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A second order in another period."""
    found = retrofit_row(tables)
    if found is None:
        return None
    row = found[1]
    other = next((label for label in dataset.calendar.labels if label != row.period), None)
    if other is None:
        return None
    twice = appended(tables, "decisions", kind="retrofit", id=row.id, period=other, mw=float(row.mw))
    return case(dataset, twice, "retrofit_once", {"site_id": row.id}, 1.0)


@corruption("retrofit_air", alone=False)
def retrofit_without_halls(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The order is a little larger than the air cooling that stands when it is placed."""
    found = retrofit_row(tables)
    if found is None:
        return None
    i, row = found
    plan, t = Reader(dataset, tables), dataset.calendar.index(row.period)
    blocks = [b for b in dataset.rows(tb.PowerBlock) if b.site_id == row.id and plan.built.get(b.block_id, t + 1) <= t]
    air = sum(b.air_mw for b in blocks)
    excess = size * 1e-6 * max(1.0, air)
    wrong = edited(tables, "decisions", i, mw=air + excess)
    return case(dataset, wrong, "retrofit_air", {"site_id": row.id, "period": row.period}, excess)


@corruption("grid")
def grid_node_overdrawn(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The node of the site with the largest peak gets a limit a little below the draw of all sites under it."""
    parents = {n.node_id: n.parent_id for n in dataset.rows(tb.GridNode)}
    node_of = {s.site_id: s.grid_node for s in dataset.rows(tb.Site)}
    connected = tables["sites"][[node_of[s] is not None for s in tables["sites"]["site_id"]]]
    i = largest(connected, "facility_peak_mw")
    if i is None:
        return None
    row = connected.iloc[i]
    node = node_of[row.site_id]
    while parents.get(str(node)) is not None:
        node = parents[str(node)]

    def under(site: str) -> bool:
        at = node_of[site]
        while at is not None and at != node:
            at = parents[at]
        return at == node

    now = tables["sites"][tables["sites"]["period"] == row.period]
    used = float(now["facility_peak_mw"][[under(s) for s in now["site_id"]]].sum())
    limit = below(used, size)
    blank = tb.GridLimit(node_id=str(node), from_period=row.period, limit_mw=1e9)
    tight = held_at(dataset, tb.GridLimit, {"node_id": str(node)}, dataset.calendar.index(row.period), blank, limit_mw=limit)
    return case(tight, tables, "grid", {"node_id": str(node), "period": row.period}, used - limit)


def as_candidate(dataset: Dataset, site: str) -> Dataset:
    """The dataset with an open site as a candidate that nobody opens."""
    return changed(dataset, tb.Site, lambda s: s.site_id == site, status=tb.SiteStatus.CANDIDATE)


def open_sites(dataset: Dataset) -> set[str]:
    """Sites open from the start."""
    return {s.site_id for s in dataset.rows(tb.Site) if s.status is tb.SiteStatus.OPEN}


@corruption("open_racks", whole=True, alone=False)
def racks_at_closed_site(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A site with racks turns out to be a candidate that is not opened."""
    row = rack_row(tables, "in_service")
    if row is None or row.site_id not in open_sites(dataset):
        return None
    closed = as_candidate(dataset, row.site_id)
    return case(closed, tables, "open_racks", ids_of(row, "site_id", "gen_id", "period"), float(row.in_service))


@corruption("open_racks", whole=True, alone=False)
def racks_before_opening(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A candidate opens one period after its first racks stand."""
    plan, labels = Reader(dataset, tables), dataset.calendar.labels
    for i, row in enumerate(tables["decisions"].itertuples()):
        first = min((t for s, _, t in plan.racks if s == row.id), default=None)
        if row.kind == "open" and first is not None and first + 1 < len(labels):
            gen = next(g for s, g, t in plan.racks if (s, t) == (row.id, first))
            late = edited(tables, "decisions", i, period=labels[first + 1])
            ids = {"site_id": str(row.id), "gen_id": gen, "period": labels[first]}
            return case(dataset, late, "open_racks", ids, plan.rack("in_service", str(row.id), gen, first))
    return None


@corruption("open_serving", whole=True, alone=False)
def deliveries_from_closed_site(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A site that delivers turns out to be a candidate that is not opened."""
    plan = Reader(dataset, tables)
    for c, s, _, t, gpus in plan.deliveries:
        if gpus > 0 and s in open_sites(dataset) and plan.served[c, s, t] > 0:
            ids = {"contract_id": c, "site_id": s, "period": dataset.calendar.labels[t]}
            return case(as_candidate(dataset, s), tables, "open_serving", ids, plan.served[c, s, t])
    return None


@corruption("open_retrofit", whole=True, alone=False)
def retrofit_at_closed_site(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A site with a retrofit turns out to be a candidate that is not opened."""
    found = retrofit_row(tables)
    if found is None or found[1].id not in open_sites(dataset):
        return None
    row = found[1]
    return case(as_candidate(dataset, row.id), tables, "open_retrofit", {"site_id": row.id, "period": row.period}, 1.0)


@corruption("open_blocks", whole=True, alone=False)
def block_before_opening(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A candidate opens one period after its block is energized."""
    plan, labels = Reader(dataset, tables), dataset.calendar.labels
    site_of = {b.block_id: b.site_id for b in dataset.rows(tb.PowerBlock)}
    for i, row in enumerate(tables["decisions"].itertuples()):
        mine = [(t, b) for b, t in plan.built.items() if row.kind == "open" and site_of[b] == row.id and t + 1 < len(labels)]
        if mine:
            first, block = min(mine)
            late = edited(tables, "decisions", i, period=labels[first + 1])
            return case(dataset, late, "open_blocks", {"block_id": block}, 1.0)
    return None


@corruption("open_monotone", whole=True, alone=False)
def opened_twice(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A site opens a second time."""
    rows = tables["decisions"][tables["decisions"]["kind"] == "open"]
    labels = dataset.calendar.labels
    if rows.empty or rows["period"].iloc[0] == labels[-1]:
        return None
    site = rows["id"].iloc[0]
    wrong = appended(tables, "decisions", kind="open", id=site, period=labels[-1], mw=0.0)
    return Case(dataset, wrong, "open_monotone", {"site_id": site}, 1.0)


def build_row(tables: Tables) -> Any | None:
    """The first block built."""
    rows: pd.DataFrame = tables["decisions"][tables["decisions"]["kind"] == "build"]
    return None if rows.empty else rows.iloc[0]


def _window(dataset: Dataset, tables: Tables, shift: int, column: str) -> Case | None:
    row = build_row(tables)
    if row is None:
        return None
    label = dataset.calendar.label(dataset.calendar.index(row.period) + shift)
    other = changed(dataset, tb.PowerBlock, lambda b: b.block_id == row.id, **{column: label})
    return case(other, tables, "build_window", {"block_id": row.id, "period": row.period}, 1.0)


@corruption("build_window", whole=True)
def built_too_early(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The block can be energized one period after it is."""
    return _window(dataset, tables, 1, "energized")


@corruption("build_window", whole=True)
def built_too_late(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The block can be energized until one period before it is."""
    return _window(dataset, tables, -1, "latest")


@corruption("build_window", whole=True)
def built_without_lead(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The order of a block would lie one period before the start."""
    row = build_row(tables)
    if row is None:
        return None
    t = dataset.calendar.index(row.period)
    slow = changed(dataset, tb.PowerBlock, lambda b: b.block_id == row.id, lead_periods=t + 1)
    return case(slow, tables, "build_window", {"block_id": row.id, "period": row.period}, 1.0)


@corruption("build_window", whole=True, alone=False)
def built_twice(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A block is energized a second time."""
    row = build_row(tables)
    if row is None or row.period == dataset.calendar.labels[-1]:
        return None
    wrong = appended(tables, "decisions", kind="build", id=row.id, period=dataset.calendar.labels[-1], mw=float(row.mw))
    return Case(dataset, wrong, "build_window", {"block_id": row.id}, 1.0)

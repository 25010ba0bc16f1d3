"""Cross-checks of limits against what open sites draw with no racks.

Only grid limits and carbon caps can be below it: overhead uses no water (rule 17 of the model), and
without racks, options and orders no capital is due, so no budget is too small.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from models import tables as tb
from models.checks.context import Context
from models.checks.sites import TOLERANCE
from models.faults import Fault


def grid_cycles(ctx: Context) -> Iterator[Fault]:
    """The nodes form a forest."""
    parents = {row.node_id: row.parent_id for _, row in ctx.rows(tb.GridNode)}
    passed: set[str] = set()
    for number, row in ctx.rows(tb.GridNode):
        path: list[str] = []
        node: str | None = row.node_id
        while node is not None and node not in passed:
            passed.add(node)
            path.append(node)
            node = parents.get(node)
        if node in path:
            cycle = " -> ".join([*path[path.index(node) :], node])
            yield ctx.fault(tb.GridNode, number, "parent_id", f"the nodes form a cycle: {cycle}", "grid_cycle", "parents without a cycle")


def _overhead_below(ctx: Context) -> dict[str, float]:
    """MW that the open sites below each node draw with no racks; faulty sites count as 0."""
    parents = {row.node_id: row.parent_id for _, row in ctx.rows(tb.GridNode)}
    below: dict[str, float] = defaultdict(float)
    for _, site in ctx.rows(tb.Site):
        node, passed = site.grid_node, set[str]()
        while site.status is tb.SiteStatus.OPEN and node is not None and node not in passed:
            below[node] += site.overhead_mw
            passed.add(node)
            node = parents.get(node)
    return below


def grid_limits(ctx: Context) -> Iterator[Fault]:
    """A grid limit in force in the horizon leaves room for the overhead of the open sites below the node."""
    if ctx.calendar is None:
        return
    below = _overhead_below(ctx)
    by_node: dict[str, list[tuple[int, int, float]]] = defaultdict(list)
    for number, row in ctx.rows(tb.GridLimit):
        by_node[row.node_id].append((ctx.calendar.index(row.from_period), number, row.limit_mw))
    for node, rows in by_node.items():
        rows.sort()
        for (start, number, limit), later in zip(rows, [*rows[1:], None], strict=True):
            end = later[0] if later else ctx.calendar.periods
            first = max(start, 0)
            if first < min(end, ctx.calendar.periods) and below[node] > limit * (1 + TOLERANCE) + TOLERANCE:
                label = ctx.calendar.label(first)
                problem = f"in {label} the limit is below the {below[node]:.6g} MW that the open sites below draw with no racks"
                yield ctx.fault(tb.GridLimit, number, "limit_mw", problem, "limit_below_overhead", f"at least {below[node]:.6g}")


def carbon_cap(ctx: Context) -> Iterator[Fault]:
    """A carbon cap leaves room for the overhead of the open sites in the year's periods of the horizon."""
    if ctx.calendar is None:
        return
    caps = {row.year: (number, row.tonnes) for number, row in ctx.rows(tb.CarbonCap)}
    if not caps or not caps.keys() & set(ctx.calendar.years):
        return
    draw: dict[str, float] = defaultdict(float)
    for _, site in ctx.rows(tb.Site):
        if site.status is tb.SiteStatus.OPEN and not ctx.unsure(tb.EnergySlice, price_zone=site.price_zone):
            draw[site.price_zone] += site.overhead_mw
    owed: dict[int, float] = defaultdict(float)
    intensity = _tonnes_per_mwh(ctx)
    for zone, megawatts in draw.items():
        for t, year in enumerate(ctx.calendar.years):
            owed[year] += megawatts * float(ctx.calendar.hours[t]) * intensity.get(zone, {}).get(t, 0.0)
    for year, (number, tonnes) in caps.items():
        if owed[year] > tonnes * (1 + TOLERANCE) + TOLERANCE:
            problem = f"the open sites emit {owed[year]:.6g} tonnes in {year} with no racks"
            yield ctx.fault(tb.CarbonCap, number, "tonnes", problem, "limit_below_overhead", f"at least {owed[year]:.6g}")


def _tonnes_per_mwh(ctx: Context) -> dict[str, dict[int, float]]:
    """Carbon intensity by price zone and period: slices by their share of hours, seasons by their weight."""
    calendar = ctx.calendar
    assert calendar is not None
    grams: dict[tuple[str, int | None], dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for _, row in ctx.rows(tb.EnergySlice):
        grams[row.price_zone, row.season][calendar.index(row.from_period)] += row.hours_share * row.gco2_per_kwh
    found: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for (zone, season), by_start in grams.items():
        for t in range(calendar.periods):
            begun = [start for start in by_start if start <= t]
            if begun:
                weight = 1.0 if season is None else float(calendar.season_weights[t, season - 1])
                found[zone][t] += weight * by_start[max(begun)] / 1000.0
    return found

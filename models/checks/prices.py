"""Cross-checks of prices: GPUs, contracts and energy have theirs by their first use; energy shares add to 1."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from models import tables as tb
from models.calendar import Calendar
from models.checks.context import Context
from models.checks.sites import TOLERANCE
from models.faults import Fault


def first_installation(ctx: Context, calendar: Calendar, gen: tb.Generation) -> int | None:
    """First period of the horizon in which a rack could be installed: in the window, with a rack allocated by then."""
    racks: dict[int, int] = defaultdict(int)
    for _, row in ctx.rows(tb.Supply):
        if row.gen_id == gen.gen_id:
            racks[calendar.index(row.period)] += row.racks
    allocated = [t for t, count in racks.items() if count > 0 and t < calendar.periods]
    if not allocated:
        return None
    first = max(calendar.index(gen.first_install), min(allocated), 0)
    return first if first <= min(calendar.index(gen.last_install), calendar.periods - 1) else None


def gpu_prices(ctx: Context) -> Iterator[Fault]:
    """A generation has a price by its first possible installation."""
    if ctx.calendar is None:
        return
    priced: dict[str, int] = {}
    for _, row in ctx.rows(tb.GpuPrice):
        start = ctx.calendar.index(row.from_period)
        priced[row.gen_id] = min(start, priced.get(row.gen_id, start))
    for number, gen in ctx.rows(tb.Generation):
        first = first_installation(ctx, ctx.calendar, gen)
        if first is None or ctx.unsure(tb.GpuPrice, gen_id=gen.gen_id) or priced.get(gen.gen_id, math.inf) <= first:
            continue
        label = ctx.calendar.label(first)
        problem = f"can be installed in {label}, but gpu_prices has no row by then"
        allowed = f"a row of gpu_prices for {gen.gen_id} from {label} or earlier"
        yield ctx.fault(tb.Generation, number, "gen_id", problem, "missing_price", allowed)


def energy_shares(ctx: Context) -> Iterator[Fault]:
    """The shares of one zone, period and season add to 1."""
    groups: dict[tuple[str, str, int | None], list[tuple[int, float]]] = defaultdict(list)
    for number, row in ctx.rows(tb.EnergySlice):
        groups[row.price_zone, row.from_period, row.season].append((number, row.hours_share))
    for (zone, label, season), rows in groups.items():
        total = math.fsum(share for _, share in rows)
        if abs(total - 1.0) <= TOLERANCE or ctx.unsure(tb.EnergySlice, price_zone=zone, from_period=label, season=season):
            continue
        when = label if season is None else f"{label}, season {season}"
        problem = f"the shares of {zone} from {when} add to {total:.9g}"
        yield ctx.fault(tb.EnergySlice, rows[0][0], "hours_share", problem, "shares_not_one", "shares that add to 1")


def energy_seasons(ctx: Context) -> Iterator[Fault]:
    """A zone is seasonal, with all four seasons, or it is not."""
    seasons: dict[str, dict[int | None, int]] = defaultdict(dict)
    for number, row in ctx.rows(tb.EnergySlice):
        seasons[row.price_zone].setdefault(row.season, number)
    for zone, found in seasons.items():
        if found.keys() == {None} or ctx.unsure(tb.EnergySlice, price_zone=zone):
            continue
        if None in found:
            problem = f"{zone} has rows with a season and rows without"
            number = max(found.values())
        elif found.keys() != {1, 2, 3, 4}:
            lacking = ", ".join(str(q) for q in (1, 2, 3, 4) if q not in found)
            problem, number = f"{zone} is seasonal and has no row for season {lacking}", min(found.values())
        else:
            continue
        yield ctx.fault(tb.EnergySlice, number, "season", problem, "mixed_seasons", "all four seasons, or none", value="")


def energy_by_start(ctx: Context) -> Iterator[Fault]:
    """Every price zone of a site has energy prices from the start on, in each of its seasons."""
    if ctx.calendar is None:
        return
    first: dict[str, dict[int | None, int]] = defaultdict(dict)
    for _, row in ctx.rows(tb.EnergySlice):
        start = ctx.calendar.index(row.from_period)
        first[row.price_zone][row.season] = min(start, first[row.price_zone].get(row.season, start))
    told = set()
    for number, site in ctx.rows(tb.Site):
        zone = site.price_zone
        if zone in told or ctx.unsure(tb.EnergySlice, price_zone=zone):
            continue
        told.add(zone)
        known = ", ".join(sorted(first)) or "none yet"
        if zone not in first:
            problem, allowed = "no energy prices for this zone", f"a price_zone of energy ({known}), or rows of energy for it"
            yield ctx.fault(tb.Site, number, "price_zone", problem, "missing_price", allowed)
        late = [season for season, start in first.get(zone, {}).items() if start > 0]
        for season in late:
            when = "" if season is None else f" of season {season}"
            problem = f"the energy prices{when} begin in {ctx.calendar.label(first[zone][season])}, after the start"
            allowed = f"a row of energy from {ctx.calendar.start} or earlier"
            yield ctx.fault(tb.Site, number, "price_zone", problem, "missing_price", allowed)

"""Cross-checks of sites, power blocks, retrofits and the fleet at the start."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from models import tables as tb
from models.checks.cells import BAD
from models.checks.context import Context
from models.faults import Fault

TOLERANCE = 1e-6
"""Slack in MW, shares and tonnes that rounding of figures may cause."""


def at_least_one_site(ctx: Context) -> Iterator[Fault]:
    """A plan needs a site."""
    table = ctx.tables["sites"]
    if table.raw.readable and not table.sound and not table.broken and not table.raw.lost_rows:
        yield ctx.fault(tb.Site, -1, "", "has no rows", "no_rows", "at least one site")


def activation(ctx: Context) -> Iterator[Fault]:
    """Only candidates have an activation cost."""
    for number, row in ctx.rows(tb.Site):
        if row.status is tb.SiteStatus.OPEN and row.activation_usd > 0:
            yield ctx.fault(
                tb.Site, number, "activation_usd", "an open site has no activation cost", "activation_of_open_site", "empty or 0"
            )


def block_status(ctx: Context) -> Iterator[Fault]:
    """A candidate's blocks are options; capital belongs to options. A firm block's residual is a share of nothing."""
    sites = ctx.by_id(tb.Site)
    for number, row in ctx.rows(tb.PowerBlock):
        if row.status is not tb.BlockStatus.FIRM:
            continue
        site = sites.get(row.site_id)
        if site is not None and site.status is tb.SiteStatus.CANDIDATE:
            problem = f"a firm block at the candidate site {row.site_id}"
            yield ctx.fault(tb.PowerBlock, number, "status", problem, "firm_block_of_candidate", "option")
        if row.capex_usd > 0:
            yield ctx.fault(tb.PowerBlock, number, "capex_usd", "a firm block has no capital", "capex_of_firm_block", "empty or 0")


def retrofits(ctx: Context) -> Iterator[Fault]:
    """Ranges of a retrofit."""
    for number, row in ctx.rows(tb.Retrofit):
        if row.min_mw > row.max_mw:
            allowed = f"at most max_mw, which is {row.max_mw:g}"
            yield ctx.fault(tb.Retrofit, number, "min_mw", "is above max_mw", "reversed_range", allowed)
        if row.downtime_periods is not None and row.downtime_periods > row.lead_periods:
            allowed = f"at most lead_periods, which is {row.lead_periods}"
            yield ctx.fault(tb.Retrofit, number, "downtime_periods", "is longer than the lead time", "downtime_above_lead", allowed)


def links(ctx: Context) -> Iterator[Fault]:
    """A network link joins two sites."""
    for number, row in ctx.rows(tb.NetworkLink):
        if row.site_a == row.site_b:
            yield ctx.fault(tb.NetworkLink, number, "site_b", "a link from a site to itself", "link_to_itself", "another site")


def generations(ctx: Context) -> Iterator[Fault]:
    """The install window of a generation is not reversed."""
    if ctx.calendar is None:
        return
    for number, row in ctx.rows(tb.Generation):
        if ctx.calendar.index(row.last_install) < ctx.calendar.index(row.first_install):
            allowed = f"{row.first_install} or later"
            yield ctx.fault(tb.Generation, number, "last_install", "is before first_install", "reversed_range", allowed)


def periods_in_horizon(ctx: Context) -> Iterator[Fault]:
    """Supply and budget periods lie in the horizon."""
    if ctx.calendar is None:
        return
    last = ctx.calendar.periods - 1
    allowed = f"a period from {ctx.calendar.start} to {ctx.calendar.label(last)}"
    for number, supply in ctx.rows(tb.Supply):
        if not 0 <= ctx.calendar.index(supply.period) <= last:
            yield ctx.fault(tb.Supply, number, "period", "is outside the horizon", "outside_horizon", allowed)
    for number, budget in ctx.rows(tb.CapexBudget):
        if not 0 <= ctx.calendar.index(budget.period) <= last:
            yield ctx.fault(tb.CapexBudget, number, "period", "is outside the horizon", "outside_horizon", allowed)


def fleet(ctx: Context) -> Iterator[Fault]:
    """The fleet stands at open sites since the start at the latest, and fits their firm IT power."""
    if ctx.calendar is None:
        return
    sites, gens = ctx.by_id(tb.Site), ctx.by_id(tb.Generation)
    used: dict[str, float] = defaultdict(float)
    first: dict[str, int] = {}
    for number, row in ctx.rows(tb.Fleet):
        site, since = sites.get(row.site_id), ctx.calendar.index(row.in_service_since)
        if site is not None and site.status is not tb.SiteStatus.OPEN:
            yield ctx.fault(tb.Fleet, number, "site_id", "racks at a site that is not open", "fleet_at_candidate", "an open site")
        if since > 0:
            allowed = f"{ctx.calendar.start} or earlier"
            yield ctx.fault(tb.Fleet, number, "in_service_since", "is after the start", "fleet_after_start", allowed)
        gen = gens.get(row.gen_id)
        if gen is not None and site is not None and since <= 0 < since + gen.life_periods:
            used[row.site_id] += row.racks * gen.rack_kw / 1000.0
            first.setdefault(row.site_id, number)
    firm: dict[str, float] = defaultdict(float)
    for _, block in ctx.rows(tb.PowerBlock):
        if block.status is tb.BlockStatus.FIRM and ctx.calendar.index(block.energized) <= 0:
            firm[block.site_id] += block.usable_share * block.it_mw
    for site_id, megawatts in used.items():
        most = firm[site_id] + _power_of_faulty_blocks(ctx, site_id)
        if sites[site_id].status is tb.SiteStatus.OPEN and megawatts > most * (1 + TOLERANCE) + TOLERANCE:
            problem = f"the fleet at {site_id} needs {megawatts:.6g} MW within its life, above the site's firm IT power at the start"
            yield ctx.fault(tb.Fleet, first[site_id], "racks", problem, "fleet_above_power", f"at most {firm[site_id]:.6g} MW")


def _power_of_faulty_blocks(ctx: Context, site_id: str) -> float:
    """Most IT power, MW, that blocks with faults may give a site; infinite if it cannot be read."""
    rows = ctx.tables["power_blocks"].possible(site_id=site_id)
    if rows is None or any(row["it_mw"] is BAD for row in rows):
        return math.inf
    return math.fsum(row["it_mw"] for row in rows)

"""What is allowed but looks wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from models import tables as tb
from models.calendar import Calendar
from models.checks.context import Context
from models.checks.contracts import owed_steps
from models.faults import Fault

HIGH_RESIDUAL = 0.8
"""A residual_factor above this is doubtful (data.md)."""


def high_residual(ctx: Context) -> Iterator[Fault]:
    """Hardware hardly keeps this much of a new price."""
    for number, row in ctx.rows(tb.Generation):
        if row.residual_factor > HIGH_RESIDUAL:
            problem = f"a residual value above {HIGH_RESIDUAL:g} of the new price is doubtful"
            yield ctx.fault(tb.Generation, number, "residual_factor", problem, "high_residual")


def option_never_built(ctx: Context) -> Iterator[Fault]:
    """An option whose window of energization is empty: rule 9 of model.md."""
    if ctx.calendar is None:
        return
    for number, row in ctx.rows(tb.PowerBlock):
        if row.status is not tb.BlockStatus.OPTION:
            continue
        first = max(ctx.calendar.index(row.energized), row.lead_periods, 0)
        last = ctx.calendar.periods - 1 if row.latest is None else min(ctx.calendar.index(row.latest), ctx.calendar.periods - 1)
        if first > last:
            until = "the horizon ends" if row.latest is None or last == ctx.calendar.periods - 1 else f"latest is {row.latest}"
            problem = f"the option can never be built: {ctx.calendar.label(first)} at the earliest, but {until}"
            yield ctx.fault(tb.PowerBlock, number, "energized", problem, "option_never_built")


def breaking_pays(ctx: Context) -> Iterator[Fault]:
    """A contract whose GPUs fetch more on the market than its price and damages together."""
    if ctx.calendar is None:
        return
    best = _best_market(ctx, ctx.calendar)
    eligible: dict[str, list[tb.ContractGeneration]] = defaultdict(list)
    for _, row in ctx.rows(tb.ContractGeneration):
        eligible[row.contract_id].append(row)
    price: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for _, priced in ctx.rows(tb.ContractPrice):
        price[priced.contract_id].append((ctx.calendar.index(priced.from_period), priced.usd_per_gpu_hour))
    owed = owed_steps(ctx, ctx.calendar)
    for number, contract in ctx.rows(tb.Contract):
        c = contract.contract_id
        kept = _step(price[c], ctx.calendar.periods)
        for t, gpus in enumerate(owed[c]):
            offers = [
                best[row.gen_id][t] * (1 + contract.spare_share) / row.gpu_equivalent
                for row in eligible[c]
                if gpus > 0 and row.gen_id in best
            ]
            loss = kept[t] + contract.ld_usd_per_gpu_hour
            if offers and max(offers) > loss * (1 + 1e-9):
                problem = (
                    f"breaking the contract would pay in {ctx.calendar.label(t)}: price and damages are {loss:.6g} USD "
                    f"per contract GPU-hour, the market pays {max(offers):.6g} for its GPUs"
                )
                yield ctx.fault(tb.Contract, number, "ld_usd_per_gpu_hour", problem, "breaking_pays")
                break


def _best_market(ctx: Context, calendar: Calendar) -> dict[str, list[float]]:
    """Best price of a generation over the tiers that buy anything, USD per GPU-hour by period."""
    tiers: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for _, row in ctx.rows(tb.MarketTier):
        tiers[row.gen_id, row.tier].append((calendar.index(row.from_period), row.usd_per_gpu_hour if row.max_gpus > 0 else 0.0))
    best: dict[str, list[float]] = {}
    for (gen_id, _), rows in tiers.items():
        values = _step(rows, calendar.periods)
        best[gen_id] = [max(a, b) for a, b in zip(values, best.get(gen_id, values), strict=True)]
    return best


def _step(rows: list[tuple[int, float]], periods: int) -> list[float]:
    """Values of a step table over the horizon, 0 before the first row."""
    values = [0.0] * periods
    for start, value in sorted(rows):
        begin = max(start, 0)
        values[begin:] = [value] * max(0, periods - begin)
    return values


def unused_zone(ctx: Context) -> Iterator[Fault]:
    """Zones that match no site, as free text that is misspelt would."""
    zones = {site.zone for _, site in ctx.rows(tb.Site)}
    price_zones = {site.price_zone for _, site in ctx.rows(tb.Site)} | {row.price_zone for _, row in ctx.rows(tb.EnergySlice)}
    for number, contract in ctx.rows(tb.Contract):
        for zone in contract.zones:
            if zone not in zones:
                yield ctx.fault(tb.Contract, number, "zones", f"no site lies in the zone {zone!r}", "unused_zone", value="")
    told = set()
    for row_type in (tb.DemandCharge, tb.CarbonPrice):
        for number, row in ctx.rows(row_type):
            zone = str(getattr(row, "price_zone", ""))
            if zone not in price_zones and (row_type, zone) not in told:
                told.add((row_type, zone))
                yield ctx.fault(row_type, number, "price_zone", "no site and no energy price is in this zone", "unused_zone")

"""Cross-checks of contracts, their ramps, prices and deliveries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from models import tables as tb
from models.calendar import Calendar
from models.checks.context import Context
from models.faults import Fault


def spans(ctx: Context) -> Iterator[Fault]:
    """A contract does not end before it starts."""
    if ctx.calendar is None:
        return
    for number, row in ctx.rows(tb.Contract):
        if ctx.calendar.index(row.end) < ctx.calendar.index(row.start):
            yield ctx.fault(tb.Contract, number, "end", "is before the start", "reversed_range", f"{row.start} or later")


def ramps(ctx: Context) -> Iterator[Fault]:
    """Every contract has a ramp within start..end, and its smallest cluster is at most the highest ramp."""
    contracts = ctx.by_id(tb.Contract)
    highest: dict[str, float] = {}
    for number, row in ctx.rows(tb.ContractRamp):
        highest[row.contract_id] = max(row.gpus, highest.get(row.contract_id, 0.0))
        contract = contracts.get(row.contract_id)
        if contract is None or ctx.calendar is None:
            continue
        first, last = ctx.calendar.index(contract.start), ctx.calendar.index(contract.end)
        if first <= last and not first <= ctx.calendar.index(row.from_period) <= last:
            allowed = f"a period from {contract.start} to {contract.end}"
            problem = f"is outside the contract {row.contract_id}"
            yield ctx.fault(tb.ContractRamp, number, "from_period", problem, "ramp_outside_contract", allowed)
    for number, contract in ctx.rows(tb.Contract):
        c = contract.contract_id
        if ctx.unsure(tb.ContractRamp, contract_id=c):
            continue
        if c not in highest:
            yield ctx.fault(tb.Contract, number, "contract_id", "has no ramp", "missing_ramp", f"a row of contract_ramp for {c}")
        elif contract.min_cluster_gpus > highest[c]:
            allowed = f"at most the highest ramp, which is {highest[c]:.10g}"
            yield ctx.fault(tb.Contract, number, "min_cluster_gpus", "is above the highest ramp", "cluster_above_ramp", allowed)


def owed_steps(ctx: Context, calendar: Calendar) -> dict[str, list[float]]:
    """``D[c,t]`` of model.md from the sound rows: contract GPUs owed in each period of the horizon."""
    steps: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for _, row in ctx.rows(tb.ContractRamp):
        steps[row.contract_id].append((calendar.index(row.from_period), row.gpus))
    owed = {}
    for _, contract in ctx.rows(tb.Contract):
        values = [0.0] * calendar.periods
        first, last = calendar.index(contract.start), min(calendar.index(contract.end), calendar.periods - 1)
        for start, gpus in sorted(steps[contract.contract_id]):
            begin = max(start, first, 0)
            values[begin : last + 1] = [gpus] * max(0, last + 1 - begin)
        owed[contract.contract_id] = values
    return owed


def prices(ctx: Context) -> Iterator[Fault]:
    """Every contract has a price by its first period with GPUs owed."""
    if ctx.calendar is None:
        return
    first: dict[str, int] = {}
    for _, row in ctx.rows(tb.ContractPrice):
        start = ctx.calendar.index(row.from_period)
        first[row.contract_id] = min(start, first.get(row.contract_id, start))
    owed = owed_steps(ctx, ctx.calendar)
    for number, contract in ctx.rows(tb.Contract):
        c = contract.contract_id
        if ctx.unsure(tb.ContractPrice, contract_id=c):
            continue
        needed = next((t for t, gpus in enumerate(owed[c]) if gpus > 0), None)
        if c not in first:
            yield ctx.fault(tb.Contract, number, "contract_id", "has no price", "missing_price", f"a row of contract_prices for {c}")
        elif needed is not None and first[c] > needed and not ctx.unsure(tb.ContractRamp, contract_id=c):
            label = ctx.calendar.label(needed)
            problem = f"owes GPUs in {label}, but its first price holds from {ctx.calendar.label(first[c])}"
            allowed = f"a row of contract_prices for {c} from {label} or earlier"
            yield ctx.fault(tb.Contract, number, "contract_id", problem, "missing_price", allowed)


def current_deliveries(ctx: Context) -> Iterator[Fault]:
    """Only firm contracts receive anything before the start."""
    contracts = ctx.by_id(tb.Contract)
    for number, row in ctx.rows(tb.CurrentDelivery):
        contract = contracts.get(row.contract_id)
        if contract is not None and contract.status is not tb.ContractStatus.FIRM:
            yield ctx.fault(
                tb.CurrentDelivery, number, "contract_id", "a prospect receives nothing yet", "delivery_of_prospect", "a firm contract"
            )

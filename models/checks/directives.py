"""Cross-checks of directives: which ids, periods and values a decision has."""

from __future__ import annotations

from collections.abc import Iterator

from models import tables as tb
from models.checks.context import Context
from models.faults import Fault
from models.tables import DecisionKind

IDS: dict[DecisionKind, tuple[str, ...]] = {
    DecisionKind.IN_SERVICE: ("site_id", "gen_id"),
    DecisionKind.INSTALLED: ("site_id", "gen_id"),
    DecisionKind.DELIVERIES: ("contract_id", "site_id", "gen_id"),
    DecisionKind.SIGN: ("contract_id",),
    DecisionKind.OPEN: ("site_id",),
    DecisionKind.BUILD: ("block_id",),
    DecisionKind.RETROFIT: ("site_id",),
    DecisionKind.SERVE: ("contract_id", "site_id"),
}
"""Ids that each decision has."""

WITHOUT_PERIOD = (DecisionKind.SIGN, DecisionKind.SERVE)
YES_OR_NO = (DecisionKind.SIGN, DecisionKind.OPEN, DecisionKind.BUILD, DecisionKind.SERVE)
WHOLE = (*YES_OR_NO, DecisionKind.IN_SERVICE, DecisionKind.INSTALLED)
ID_COLUMNS = ("contract_id", "site_id", "gen_id", "block_id")


def directives(ctx: Context) -> Iterator[Fault]:
    """Ids and periods that the decision does not have are empty; values are ones it can take."""
    for number, row in ctx.rows(tb.Directive):
        yield from _empty_columns(ctx, number, row)
        yield from _value(ctx, number, row)
        if (
            ctx.calendar is not None
            and row.from_period
            and row.to_period
            and ctx.calendar.index(row.to_period) < ctx.calendar.index(row.from_period)
        ):
            allowed = f"{row.from_period} or later"
            yield ctx.fault(tb.Directive, number, "to_period", "is before from_period", "reversed_range", allowed)


def _empty_columns(ctx: Context, number: int, row: tb.Directive) -> Iterator[Fault]:
    has = IDS[row.decision]
    for column in ID_COLUMNS:
        if getattr(row, column) is not None and column not in has:
            problem = f"the decision {row.decision.value} has no {column}"
            yield ctx.fault(tb.Directive, number, column, problem, "must_be_empty", f"empty ({row.decision.value} has {', '.join(has)})")
    for column in ("from_period", "to_period"):
        if row.decision in WITHOUT_PERIOD and getattr(row, column) is not None:
            problem = f"the decision {row.decision.value} has no period"
            yield ctx.fault(tb.Directive, number, column, problem, "must_be_empty", "empty")


def _value(ctx: Context, number: int, row: tb.Directive) -> Iterator[Fault]:
    one_decision = all(getattr(row, column) is not None for column in IDS[row.decision])
    if row.decision in YES_OR_NO and one_decision and row.value not in (0.0, 1.0):
        yield ctx.fault(tb.Directive, number, "value", f"{row.decision.value} is a yes or no", "out_of_range", "0 or 1")
    elif row.decision in WHOLE and row.rule is tb.Rule.FIX and not row.value.is_integer():
        yield ctx.fault(tb.Directive, number, "value", f"{row.decision.value} is counted whole", "not_whole", "a whole number")

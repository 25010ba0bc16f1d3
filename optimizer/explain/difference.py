"""What differs between two plans: inputs, NPV term by term, key figures, moves, and limits that became tight or slack."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from models.changes.diff import RowChange, RowChangeKind, touched
from models.dataset import Dataset
from models.plan import NPV_TERMS, Plan
from optimizer.explain.moves import (
    DecisionMove,
    RackMove,
    ServingMove,
    decision_moves,
    rack_moves,
    serving_moves,
)
from optimizer.explain.tight import LimitMove, limit_moves
from optimizer.instance import Instance

TOLD = 6
"""Rows of one table that are told one by one; more are told as a number with an example."""


@dataclass(frozen=True)
class Delta:
    """A figure of two plans.

    Attributes:
        name: of the figure.
        before, after: of the first and second plan.
        difference: second less first.
        within_tolerance: the difference is no larger than what the gaps of the two plans leave open, so that two better
            plans of the same two datasets might not show it.
    """

    name: str
    before: float
    after: float
    difference: float
    within_tolerance: bool

    def reversed(self) -> Delta:
        """The same seen from the other plan."""
        return replace(self, before=self.after, after=self.before, difference=-self.difference)


@dataclass(frozen=True)
class TableCount:
    """How many rows of a table differ."""

    table: str
    added: int
    removed: int
    changed: int


@dataclass(frozen=True)
class Difference:
    """From one plan to another; every figure is the second less the first.

    Attributes:
        sentences: what changed of the inputs, in words.
        tables: how many rows changed, by table.
        rows: the rows.
        npv: NPV of both, USD.
        tolerance_usd: what the two gaps leave open: the sum of bound less NPV of both; None where a bound is missing.
        best_least_usd, best_most_usd: the best plans of the two datasets differ by no less and no more (proven); None likewise.
        terms: NPV term by term, USD; they add to the difference of NPV.
        kpis: key figures of the plans' summaries.
        racks, decisions, contracts: what is done elsewhere, at another time, or only in one plan.
        limits: limits that became tight or slack.
    """

    sentences: tuple[str, ...]
    tables: tuple[TableCount, ...]
    rows: tuple[RowChange, ...]
    npv: Delta
    tolerance_usd: float | None
    best_least_usd: float | None
    best_most_usd: float | None
    terms: tuple[Delta, ...]
    kpis: tuple[Delta, ...]
    racks: tuple[RackMove, ...]
    decisions: tuple[DecisionMove, ...]
    contracts: tuple[ServingMove, ...]
    limits: tuple[LimitMove, ...]


def difference(before: Plan, after: Plan, old: Dataset, new: Dataset) -> Difference:
    """What the second plan has that the first has not.

    With NPV ``z`` and bound ``u`` of each, the best plans of the two datasets differ by at least ``z2 - u1`` and at most
    ``u2 - z1``; ``(u1 - z1) + (u2 - z2)`` is the width of that range, and the tolerance that money is compared with.
    Key figures, which no bound speaks of, are compared with the sum of the relative gaps times the larger figure.

    Args:
        before, after: the two plans.
        old, new: their datasets.
    """
    one, two = before.summary, after.summary
    z = one.npv_usd or 0.0, two.npv_usd or 0.0
    bounds = [one.bound_usd, two.bound_usd]
    tolerance = least = most = None
    if bounds[0] is not None and bounds[1] is not None:
        tolerance = max(0.0, bounds[0] - z[0]) + max(0.0, bounds[1] - z[1])
        least, most = z[1] - max(bounds[0], z[0]), max(bounds[1], z[1]) - z[0]
    rows = touched(old, new)
    insts = Instance(old), Instance(new)
    names = [n for n in NPV_TERMS if one.npv_terms.get(n) or two.npv_terms.get(n)]
    return Difference(
        sentences=sentences(rows),
        tables=_counts(rows),
        rows=rows,
        npv=_money("npv_usd", z[0], z[1], tolerance),
        tolerance_usd=tolerance,
        best_least_usd=least,
        best_most_usd=most,
        terms=tuple(_money(n, one.npv_terms.get(n, 0.0), two.npv_terms.get(n, 0.0), tolerance) for n in names),
        kpis=_kpis(before, after),
        racks=rack_moves(before, after, *insts),
        decisions=decision_moves(before, after, *insts),
        contracts=serving_moves(before, after, *insts),
        limits=limit_moves(before, after, *insts),
    )


def _money(name: str, before: float, after: float, tolerance: float | None) -> Delta:
    return Delta(name, before, after, after - before, tolerance is not None and abs(after - before) <= tolerance)


def _kpis(before: Plan, after: Plan) -> tuple[Delta, ...]:
    gaps = (before.summary.gap, after.summary.gap)
    share = None if gaps[0] is None or gaps[1] is None else gaps[0] + gaps[1]
    found = []
    for name in dict.fromkeys([*before.summary.kpis, *after.summary.kpis]):
        a, b = before.summary.kpis.get(name), after.summary.kpis.get(name)
        if isinstance(a, int | float) and isinstance(b, int | float):
            room = None if share is None else share * max(abs(a), abs(b))
            found.append(_money(name, float(a), float(b), room))
    return tuple(found)


def _counts(rows: tuple[RowChange, ...]) -> tuple[TableCount, ...]:
    count = Counter((row.table, row.kind) for row in rows)
    tables = dict.fromkeys(row.table for row in rows)
    return tuple(
        TableCount(t, count[t, RowChangeKind.ADDED], count[t, RowChangeKind.REMOVED], count[t, RowChangeKind.CHANGED]) for t in tables
    )


def sentences(rows: tuple[RowChange, ...]) -> tuple[str, ...]:
    """Changed rows in words: one by one where a table has few, else how many with an example.

    A directive that says why it is there speaks for itself.
    """
    found: list[str] = []
    for table in dict.fromkeys(row.table for row in rows):
        own = [row for row in rows if row.table == table]
        told = list(dict.fromkeys(_sentence(row) for row in own))
        if len(told) > TOLD:
            told = [f"{table}: {len(own)} rows differ, such as {told[0].removeprefix(table).strip()}"]
        found += told
    return tuple(found)


def _sentence(row: RowChange) -> str:
    side = 1 if row.kind is RowChangeKind.ADDED else 0
    why = row.columns.get("why", (None, None))[side] if row.table == "directives" else None
    if row.kind is RowChangeKind.CHANGED:
        return str(row)
    name = ", ".join(str(v) for v in row.key.values() if v is not None)
    if why:
        return f"{why} (directive {name} {row.kind.value})"
    cells = ", ".join(f"{n} {_cell(pair[side])}" for n, pair in row.columns.items() if pair[side] not in (None, [], ()))
    return f"{row.table} {name} {row.kind.value}: {cells}"


def _cell(value: object) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)

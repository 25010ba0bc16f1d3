"""What differs between two datasets: rows added, removed and changed, and the figures that hold in each period."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from models.checks.raw import shown
from models.columns import columns
from models.dataset import Dataset
from models.tables import COLUMNS, KEYS, ROW_TYPES, Row, Settings

SETTINGS = "dataset"
ROUNDING = 1e-9
"""Relative difference up to which two figures are the same but for rounding."""
Cell = tuple[Any, ...]
"""Table, key without period, column, and the period's index (None where rows have none)."""


class RowChangeKind(StrEnum):
    """What happened to a row."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True)
class RowChange:
    """One row that differs.

    Attributes:
        table: the table, or ``dataset`` for the settings.
        key: key columns with their values; empty for the settings.
        kind: added, removed or changed.
        columns: by column, the value before and after (None for the side on which the row is missing); of an added or
            removed row every column that is no key.
    """

    table: str
    key: Mapping[str, Any]
    kind: RowChangeKind
    columns: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    def __str__(self) -> str:
        where = ", ".join(shown(v) for v in self.key.values() if v is not None)
        parts = [f"{name} {_words(a)} -> {_words(b)}" for name, (a, b) in self.columns.items()]
        return f"{self.table}{' ' + where if where else ''} {self.kind.value}: " + ", ".join(parts)


def _words(value: Any) -> str:
    """A cell for people: ten digits, a dash for nothing."""
    return f"{value:.10g}" if isinstance(value, float) else shown(value) or "-"


def _plain(value: Any) -> Any:
    """A cell as plain JSON."""
    if isinstance(value, StrEnum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def _cells(row: Row) -> dict[str, Any]:
    return {c.name: _plain(getattr(row, c.field)) for c in COLUMNS[row.table]}


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(getattr(row, f) for f in KEYS[row.table])


def _row_change(table: str, before: Row | None, after: Row | None) -> RowChange | None:
    """The difference of two rows of one key, None if there is none."""
    one = before or after
    assert one is not None
    key = {c.name: _plain(getattr(one, c.field)) for c in COLUMNS[table] if c.key}
    old, new = (_cells(before) if before else {}), (_cells(after) if after else {})
    differ = {c: (old.get(c), new.get(c)) for c in {**old, **new} if c not in key and (old.get(c) != new.get(c))}
    if before is not None and after is not None:
        return RowChange(table, key, RowChangeKind.CHANGED, differ) if differ else None
    every = {c: (old.get(c), new.get(c)) for c in {**old, **new} if c not in key}
    return RowChange(table, key, RowChangeKind.REMOVED if after is None else RowChangeKind.ADDED, every)


def touched(before: Dataset, after: Dataset) -> tuple[RowChange, ...]:
    """Rows that differ between two datasets, settings first, then by table; empty if they say the same.

    Rows are matched by their key, so the order of rows does not count.
    """
    found: list[RowChange] = []
    names = [c.name for c in columns(Settings)]
    old, new = ({n: _plain(getattr(d.settings, n)) for n in names} for d in (before, after))
    if old != new:
        found.append(RowChange(SETTINGS, {}, RowChangeKind.CHANGED, {n: (old[n], new[n]) for n in names if old[n] != new[n]}))
    for table in ROW_TYPES:
        if before.table_rows(table) is after.table_rows(table):
            continue
        left, right = ({_key(row): row for row in d.table_rows(table)} for d in (before, after))
        for key in {**left, **right}:
            if left.get(key) is not right.get(key):
                change = _row_change(table, left.get(key), right.get(key))
                found += [change] if change else []
    return tuple(found)


def cells_touched(before: Dataset, after: Dataset) -> set[Cell]:
    """Figures that differ, period by period: a price that holds from one row until the next counts in each period between.

    So two changes touch the same cell just when both alter the same figure of the same period; a directive
    stands for the decision, ids and periods it names.
    """
    found: set[Cell] = set()
    for change in touched(before, after):
        if change.table == "directives":
            found |= _directed(after, change) | _directed(before, change)
        elif "from_period" not in change.key:
            found |= {(change.table, tuple(change.key.values()), name, None) for name in change.columns}
    for table, row_type in ROW_TYPES.items():
        if "from_period" in KEYS[table] and before.table_rows(table) is not after.table_rows(table):
            found |= _steps_touched(before, after, row_type)
    return found


def _directed(dataset: Dataset, change: RowChange) -> set[Cell]:
    """What a directive binds, in each period."""
    side = 1 if change.kind is RowChangeKind.ADDED else 0
    row = {name: pair[side] for name, pair in change.columns.items()}
    if row.get("decision") is None:
        return {("directives", tuple(change.key.values()), None, None)}
    calendar = dataset.calendar
    first = 0 if row["from_period"] is None else max(0, calendar.index(row["from_period"]))
    last = calendar.periods - 1 if row["to_period"] is None else min(calendar.periods - 1, calendar.index(row["to_period"]))
    ids = tuple(row[name] for name in ("contract_id", "site_id", "gen_id", "block_id"))
    return {("directives", ids, row["decision"], t) for t in range(first, last + 1)}


def _steps_touched(before: Dataset, after: Dataset, row_type: type[Row]) -> set[Cell]:
    """Figures of a step table that differ, by period of the horizon."""
    table = row_type.table
    left, right = (_by_group(d, table) for d in (before, after))
    found: set[Cell] = set()
    for group in {**left, **right}:
        if left.get(group) == right.get(group):
            continue
        old, new = (_expanded(side.get(group, {}), before.calendar.periods) for side in (left, right))
        for t, (a, b) in enumerate(zip(old, new, strict=True)):
            found |= {(table, group, name, t) for name in {**a, **b} if a.get(name) != b.get(name)}
    return found


def _by_group(dataset: Dataset, table: str) -> dict[tuple[Any, ...], dict[int, dict[str, Any]]]:
    """Figures by key without period, then by first period."""
    keys = [k for k in KEYS[table] if k != "from_period"]
    figures = [c.field for c in COLUMNS[table] if not c.key]
    found: dict[tuple[Any, ...], dict[int, dict[str, Any]]] = {}
    for row in dataset.table_rows(table):
        start = dataset.calendar.index(str(getattr(row, "from_period", "")))
        found.setdefault(tuple(getattr(row, k) for k in keys), {})[start] = {f: getattr(row, f) for f in figures}
    return found


def _expanded(steps: dict[int, dict[str, Any]], periods: int) -> list[dict[str, Any]]:
    """What holds in each period of the horizon; empty before the first step."""
    values: list[dict[str, Any]] = [{}] * periods
    for start, figures in sorted(steps.items()):
        begin = max(start, 0)
        values[begin:] = [figures] * max(0, periods - begin)
    return values


def alike(before: Dataset, after: Dataset) -> bool:
    """Whether two datasets say the same in every period, but for the rounding of figures."""
    for change in touched(before, after):
        if "from_period" in KEYS.get(change.table, ()):
            continue
        if change.kind is not RowChangeKind.CHANGED or not all(_close(a, b) for a, b in change.columns.values()):
            return False
    for table in ROW_TYPES:
        if "from_period" in KEYS[table] and before.table_rows(table) is not after.table_rows(table):
            left, right = (_by_group(d, table) for d in (before, after))
            for group in {**left, **right}:
                old, new = (_expanded(side.get(group, {}), before.calendar.periods) for side in (left, right))
                if not all(_close(a.get(name), b.get(name)) for a, b in zip(old, new, strict=True) for name in {**a, **b}):
                    return False
    return True


def _close(one: Any, other: Any) -> bool:
    """Equal but for rounding; a figure that is missing is none of 0."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=ROUNDING, abs_tol=ROUNDING)
    return bool(one == other)


__all__ = ["Cell", "RowChange", "RowChangeKind", "alike", "cells_touched", "touched"]

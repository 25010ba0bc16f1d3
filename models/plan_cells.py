"""Tables of a plan from the cells of a file, whatever its format; every fault of the cells at once."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from models.calendar import PeriodKind, ordinal
from models.checks.raw import RawTable
from models.columns import Column, col, columns
from models.faults import Fault, PlanError, closest
from models.plan import PLAN_COLUMNS, PlanRow, empty_table

EVENTS = "events"
DECISION_KINDS = ("sign", "decline", "open", "build", "retrofit")
"""What stands in the column ``kind`` of the table of decisions."""


class SearchEvent(PlanRow):
    """Log of the search."""

    table = EVENTS
    seconds: float = col("wall-clock time since the search began", unit="s")
    phase: str = col("what the search does")
    npv_usd: float | None = col("NPV of the best plan so far", unit="USD", default=None, none_means="none yet")
    bound_usd: float | None = col("upper bound so far", unit="USD", default=None, none_means="none yet")


FILE_COLUMNS: dict[str, tuple[Column, ...]] = {**PLAN_COLUMNS, EVENTS: columns(SearchEvent)}
"""Columns of every table in the files of a plan; ``events`` may be missing."""

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_PERIODS = "a period such as 2026-Q1, 2026-03 or 2026"


class _BadCellError(Exception):
    """A cell that cannot be; says why, what is allowed and a short name of the fault."""


class FrameReader:
    """Makes frames of raw tables; gathers the faults of all of them.

    Attributes:
        faults: every fault found so far.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._kind: PeriodKind | None = None

    def frame(self, table: RawTable) -> pd.DataFrame:
        """The frame of a plan table (columns in the order of ``FILE_COLUMNS``, numbers as float64, counts as int64, text as str).

        Cells with faults are left out; the frame counts only if ``faults`` stays empty.
        """
        wanted = FILE_COLUMNS[table.name]
        if not table.readable:
            return _empty(table.name)
        names = [c.name for c in wanted]
        missing = [c for c in wanted if c.name not in table.columns]
        for column in table.columns:
            if column not in names:
                near = closest(column, [c.name for c in missing])
                allowed = "" if near else ", ".join(names)
                self._fault(
                    table,
                    "unknown column",
                    code="unknown_column",
                    column=column,
                    place=table.header_place,
                    allowed=allowed,
                    suggestion=near,
                )
        for c in missing:
            self._fault(table, "missing column", code="missing_column", column=c.name, place=table.header_place, allowed=c.meaning)
        before = len(self.faults)
        found = {c.name: self._cells(table, c) for c in wanted if c not in missing}
        if missing or len(self.faults) > before or not table.rows:
            return _empty(table.name)
        self._keys(table, [c.name for c in wanted if c.key], found)
        return pd.DataFrame({c.name: pd.Series(found[c.name], dtype=frame_type(c)) for c in wanted})

    def _cells(self, table: RawTable, column: Column) -> list[Any]:
        at, values = table.columns.index(column.name), []
        for number, row in enumerate(table.rows):
            try:
                values.append(self._cell(column, row[at]))
            except _BadCellError as error:
                problem, allowed, code = error.args
                self.faults.append(table.fault(problem, code=code, row=number, column=column.name, value=row[at], allowed=allowed))
        return values

    def _cell(self, column: Column, cell: Any) -> Any:
        if column.kind in ("number", "integer"):
            return _number(column, cell)
        text = _text(column, cell)
        if column.period:
            self._period(text)
        if column.name == "kind" and text not in DECISION_KINDS:
            raise _BadCellError("unknown kind of decision", "one of " + ", ".join(DECISION_KINDS), "unknown_choice")
        return text

    def _period(self, text: str) -> None:
        """All periods of a plan are of one kind."""
        kind = next((k for k in PeriodKind if _is_period(text, k)), None)
        if kind is None:
            raise _BadCellError("is not a period", _PERIODS, "bad_period")
        self._kind = self._kind or kind
        if kind is not self._kind:
            raise _BadCellError(f"is a {kind.value} where the plan has {self._kind.value}s", f"a {self._kind.value}", "bad_period")

    def _keys(self, table: RawTable, names: list[str], found: dict[str, list[Any]]) -> None:
        seen: dict[tuple[Any, ...], int] = {}
        for number, key in enumerate(zip(*(found[n] for n in names), strict=True) if names else ()):
            first = seen.setdefault(key, number)
            if first != number:
                problem = f"the row is there twice, first in {table.places[first]}"
                self.faults.append(
                    table.fault(
                        problem, code="duplicate_key", row=number, value=", ".join(key), allowed="one row for each " + ", ".join(names)
                    )
                )

    def _fault(self, table: RawTable, problem: str, *, code: str, column: str, place: str, allowed: str, suggestion: str = "") -> None:
        self.faults.append(
            Fault(
                table.label, problem, row=place, column=column, allowed=allowed, suggestion=suggestion, code=code, pointer=f"/{table.name}"
            )
        )


def _is_period(text: str, kind: PeriodKind) -> bool:
    try:
        ordinal(text, kind)
    except ValueError:
        return False
    return True


def _number(column: Column, cell: Any) -> float | int:
    if isinstance(cell, str) and cell.strip().lower() in ("", "inf", "-inf"):
        cell = float(cell) if cell.strip() else None
    if cell is None or (isinstance(cell, float) and math.isnan(cell) and not column.required):
        if column.required:
            raise _BadCellError("is empty", column.allowed, "missing_value")
        return math.nan
    if isinstance(cell, str):
        if _NUMBER.fullmatch(cell.strip()) is None:
            raise _BadCellError("is not a number", column.allowed, "not_a_number")
        cell = int(cell) if column.kind == "integer" and re.fullmatch(r"[+-]?[0-9]{1,18}", cell.strip()) else float(cell)
    if isinstance(cell, (bool, np.bool_)) or not isinstance(cell, (int, float)):
        raise _BadCellError("is not a number", column.allowed, "not_a_number")
    if not abs(cell) <= sys.float_info.max and column.required:
        raise _BadCellError("is not a finite number", column.allowed, "not_finite")
    if not abs(cell) <= sys.float_info.max:
        return math.inf if cell > 0 else -math.inf
    if column.kind == "number":
        return float(cell)
    if int(cell) != cell or abs(cell) >= 2**63:
        raise _BadCellError("is not a whole number", column.allowed, "not_whole")
    return int(cell)


def _text(column: Column, cell: Any) -> str:
    """Text as it is; a spreadsheet may have made a number of it, such as the year 2026."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        cell = int(cell)
    if isinstance(cell, int) and not isinstance(cell, bool):
        cell = str(cell)
    if cell is None or cell == "":
        if column.key:
            raise _BadCellError("is empty", column.meaning, "missing_value")
        return ""
    if not isinstance(cell, str):
        raise _BadCellError(f"is a {type(cell).__name__}", column.meaning if column.key else "text", "not_text")
    return cell


def frame_type(column: Column) -> str:
    """Type of the column in a frame."""
    return {"number": "float64", "integer": "int64"}.get(column.kind, "str")


def _empty(name: str) -> pd.DataFrame:
    if name in PLAN_COLUMNS:
        return empty_table(name)
    return pd.DataFrame({c.name: pd.Series([], dtype=float if c.kind == "number" else object) for c in FILE_COLUMNS[name]})


def plain_columns(name: str, frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Columns of a plan table as Python values: float, int, str, and None where a number of the log is not known.

    Raises:
        PlanError: a column is missing, or a cell is no number where there must be one.
    """
    faults = [
        Fault(name, "missing column", column=c.name, code="missing_column") for c in FILE_COLUMNS[name] if c.name not in frame.columns
    ]
    if faults:
        raise PlanError(faults)
    found: dict[str, list[Any]] = {}
    for c in FILE_COLUMNS[name]:
        cells: Iterable[Any] = frame[c.name].tolist()
        if c.kind not in ("number", "integer"):
            found[c.name] = ["" if cell is None or cell is pd.NA else str(cell) for cell in cells]
            continue
        values = []
        for number, cell in enumerate(cells, start=1):
            try:
                value = _number(c, cell)
            except _BadCellError as error:
                faults.append(Fault(name, error.args[0], row=f"row {number}", column=c.name, value=str(cell), allowed=error.args[1]))
                continue
            values.append(None if math.isnan(value) else value)
        found[c.name] = values
    if faults:
        raise PlanError(faults)
    return found

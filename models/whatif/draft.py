"""A dataset being changed: its rows as plain values, the rows that each change touched, and the faults of a change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from models.calendar import Calendar
from models.dataset import Dataset
from models.faults import Fault, InputError, closest
from models.plan import Plan
from models.tables import COLUMNS, KEYS, ROW_TYPES, Row

Plain = dict[str, Any]
"""A row by field name."""
Cell = tuple[str, str, str]
"""Table, key of the row, field."""


class ChangeError(InputError):
    """A change that can't be read or carried out."""


def plain(row: Row) -> Plain:
    """The fields of a row."""
    return {c.field: getattr(row, c.field) for c in COLUMNS[row.table]}


class Draft:
    """A copy of a dataset that changes are written into.

    Args:
        dataset: is never changed.
        baseline: the plan that freezes refer to.

    Attributes:
        cells: cells touched by the change at hand.
    """

    def __init__(self, dataset: Dataset, baseline: Plan | None = None) -> None:
        self.dataset, self.baseline = dataset, baseline
        self.settings: Plain = dataset.settings.model_dump()
        self.tables: dict[str, list[Plain]] = {}
        self.calendar: Calendar = dataset.calendar
        self.cells: set[Cell] = set()
        self.place = ""

    # reading -----------------------------------------------------------------------------------

    def rows(self, table: str, **where: Any) -> list[Plain]:
        """Rows of a table, as they are now, with these values."""
        if table not in self.tables:
            self.tables[table] = [plain(row) for row in self.dataset.table_rows(table)]
        return [row for row in self.tables[table] if all(row[name] == value for name, value in where.items())]

    def one(self, table: str, field: str, value: str, key: str = "") -> Plain:
        """The row of an id.

        Args:
            field: of the change, for the fault.
            value: the id.
            key: field of the id in the table; ``field`` if not given.

        Raises:
            ChangeError: there is none.
        """
        key = key or field
        found = self.rows(table, **{key: value})
        if not found:
            known = list(dict.fromkeys(str(row[key]) for row in self.rows(table)))
            self.refuse(field, value, f"not among the {table.replace('_', ' ')}", _listed(known), closest(value, known), "unknown_id")
        return found[0]

    def period(self, field: str, label: str, *, inside: bool = True) -> int:
        """Index of a period.

        Args:
            inside: whether it must lie in the horizon.

        Raises:
            ChangeError: it is none.
        """
        first, last = self.calendar.label(0), self.calendar.label(self.calendar.periods - 1)
        try:
            index = self.calendar.index(label)
        except ValueError as error:
            self.refuse(field, label, "not a period of the dataset", str(error), code="bad_period")
        if inside and not 0 <= index < self.calendar.periods:
            self.refuse(field, label, "outside the horizon", f"{first} to {last}", code="outside_horizon")
        return index

    def span(self, change: Any) -> tuple[int, int]:
        """First and last period of a change with ``from_period`` and ``to_period``.

        Raises:
            ChangeError: one of them is no period of the horizon, or they are the wrong way round.
        """
        first = self.period("from_period", change.from_period)
        last = self.calendar.periods - 1 if change.to_period is None else self.period("to_period", change.to_period)
        if last < first:
            self.refuse("to_period", change.to_period, "before from_period", f"{change.from_period} or later", code="reversed_range")
        return first, last

    def refuse(
        self, field: str, value: object, problem: str, allowed: str = "", suggestion: str = "", code: str = "bad_change"
    ) -> NoReturn:
        """Refuse the change at hand.

        Raises:
            ChangeError: always.
        """
        pointer = f"{self.place}/{field}" if field else self.place
        shown = "" if value is None else str(value)
        fault = Fault("changes", problem, row=self.place.strip("/"), column=field, value=shown, allowed=allowed, suggestion=suggestion,
                      code=code, pointer=pointer)  # fmt: skip
        raise ChangeError([fault])

    # writing -----------------------------------------------------------------------------------

    def set(self, table: str, row: Plain, **values: Any) -> bool:
        """Set fields of a row; whether any of them had another value."""
        other = {name: value for name, value in values.items() if row[name] != value}
        for name in other:
            self.touch(table, row, name)
        row.update(other)
        for name in other:
            self.touch(table, row, name)
        return bool(other)

    def add(self, table: str, **values: Any) -> Plain:
        """Add a row; fields not given take their default."""
        row = {c.field: values.get(c.field, None if c.required else c.default) for c in COLUMNS[table]}
        self.rows(table)
        self.tables[table].append(row)
        for name in values:
            self.touch(table, row, name)
        return row

    def drop(self, table: str, gone: list[Plain]) -> None:
        """Remove rows."""
        for row in gone:
            for column in COLUMNS[table]:
                self.touch(table, row, column.field)
        left = {id(row) for row in gone}
        self.tables[table] = [row for row in self.rows(table) if id(row) not in left]

    def touch(self, table: str, row: Plain, field: str) -> None:
        """Note that a cell has changed."""
        self.cells.add((table, ";".join(str(row[name]) for name in KEYS[table]), field))

    def setting(self, name: str, value: Any) -> None:
        """Change a setting of the dataset."""
        if self.settings[name] != value:
            self.settings[name] = value
            self.cells.add(("dataset", "", name))

    def step(
        self, table: str, where: Plain, first: int, last: int, change: Callable[[Plain], Plain], default: Plain | None = None
    ) -> None:  # fmt: skip
        """Change rows that hold until the next one, in some periods only; what holds after them stays as it was.

        Args:
            where: the rows' key without ``from_period``.
            first, last: periods.
            change: new values of a row.
            default: values before the first row; nothing to change there, if not given.
        """
        rows, untouched, added = self.rows(table, **where), set(self.cells), list[Plain]()
        starts = sorted({self.calendar.index(row["from_period"]) for row in rows})
        for t in (first, last + 1):
            if t >= self.calendar.periods or t in starts:
                continue
            before = [s for s in starts if s < t]
            if before:
                label = self.calendar.label(before[-1])
                for row in [row for row in self.rows(table, **where) if row["from_period"] == label]:
                    added.append(self.add(table, **{**row, "from_period": self.calendar.label(t)}))
            elif default is not None:
                added.append(self.add(table, **{**default, **where, "from_period": self.calendar.label(t)}))
            else:
                continue
            starts = sorted([*starts, t])
        inside = [row for row in self.rows(table, **where) if first <= self.calendar.index(row["from_period"]) <= last]
        altered = [self.set(table, row, **change(row)) for row in inside]
        if not any(altered):
            self.tables[table] = [row for row in self.tables[table] if all(row is not new for new in added)]
            self.cells = untouched

    def scale(self, table: str, where: Plain, first: int, last: int, **factors: float) -> None:
        """Multiply fields of rows that hold until the next one, in some periods."""
        self.step(table, where, first, last, lambda row: {name: row[name] * factor for name, factor in factors.items()})

    def shifted(self, label: str, periods: int) -> str:
        """The period so many later."""
        return self.calendar.label(self.calendar.index(label) + periods)

    def directive(self, why: str, **values: Any) -> None:
        """Add a directive under a name of its own."""
        taken = {row["row"] for row in self.rows("directives")}
        number = next(n for n in range(1, len(taken) + 2) if f"change-{n}" not in taken)
        self.add("directives", row=f"change-{number}", why=why, **values)

    def result(self) -> Dataset:
        """The dataset with all changes, checked.

        Raises:
            DatasetError: with every fault found.
        """
        tables = {name: list(self._written(name)) for name in ROW_TYPES}
        return Dataset.build(self.settings, **tables)

    def _written(self, name: str) -> Iterable[Plain]:
        """Rows of a table under the names of their columns."""
        for row in self.rows(name):
            yield {c.name: row[c.field] for c in COLUMNS[name] if row[c.field] is not None}


def _listed(known: Iterable[str], most: int = 12) -> str:
    """Names in words, the first of them if there are many."""
    names = list(known)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) + more) if names else "none (the table is empty)"

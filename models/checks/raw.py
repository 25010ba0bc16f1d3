"""Tables as they are found in files or in memory, before any check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.faults import Fault


@dataclass
class RawTable:
    """A table as found: a header and rows of cells.

    Attributes:
        name: table of the schema, or the unknown name found.
        label: what a person calls it: ``sites.csv``, ``sheet sites`` or ``sites``.
        columns: the header.
        rows: cells of each row, as many as columns.
        places: where each row stands, such as ``line 7``.
        header_place: where the header stands.
        lost_rows: rows that could not be read (their faults are reported by the reader).
        readable: False if the table as a whole could not be read.
    """

    name: str
    label: str
    columns: list[str] = field(default_factory=list)
    rows: list[Sequence[Any]] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    header_place: str = ""
    lost_rows: int = 0
    readable: bool = True

    def fault(self, problem: str, *, code: str, row: int = -1, column: str = "", value: Any = "", **more: str) -> Fault:
        """A fault of this table, at a row by its number from 0 (-1 = the whole table)."""
        pointer = "/" + "/".join(p for p in (self.name, str(row) if row >= 0 else "", column) if p)
        place = self.places[row] if row >= 0 else ""
        return Fault(self.label, problem, row=place, column=column, value=shown(value), code=code, pointer=pointer, **more)


@dataclass
class RawDataset:
    """Everything found of a dataset, with the faults its reader already knows.

    Attributes:
        settings: what holds for the whole dataset, by key.
        tables: tables by name.
        faults: faults of the files themselves.
        settings_label: what a person calls the place of the settings.
        settings_readable: False if the settings could not be read at all.
        table_label: pattern of what a person calls a table, such as ``{}.csv``.
        settings_places: where each setting stands, such as ``line 3``.
    """

    settings: Mapping[str, Any]
    tables: dict[str, RawTable]
    faults: list[Fault] = field(default_factory=list)
    settings_label: str = "dataset"
    settings_readable: bool = True
    table_label: str = "{}"
    settings_places: Mapping[str, str] = field(default_factory=dict)

    def label_of(self, name: str) -> str:
        """What a person calls a table that was not found, such as ``sites.csv``."""
        return self.table_label.format(name)


def shown(value: Any) -> str:
    """A cell as a person wrote it."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, (list, tuple)):
        return ";".join(shown(v) for v in value)
    return "" if value is None else str(value)


def numbered_rows(name: str, rows: Iterable[Mapping[str, Any]]) -> RawTable:
    """A raw table from mappings in memory; rows are numbered from 1."""
    table = RawTable(name, name)
    found: list[Mapping[str, Any]] = []
    for number, row in enumerate(rows, start=1):
        found.append(row)
        table.places.append(f"row {number}")
    table.columns = list(dict.fromkeys(str(key) for row in found for key in row))
    table.rows = [[row.get(column) for column in table.columns] for row in found]
    return table

"""All tables of a planning problem together: typed rows, data frames, content hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import cached_property
from typing import Any, TypeVar, cast

import pandas as pd

from models.calendar import Calendar
from models.checks import RawDataset, check_dataset, numbered_rows
from models.faults import Fault
from models.tables import COLUMNS, KEYS, ROW_TYPES, Row, Settings

R = TypeVar("R", bound=Row)


def _plain(value: Any) -> Any:
    """A cell as plain JSON: enums by value, tuples as lists."""
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


class Dataset:
    """An immutable, checked planning problem.

    Args:
        settings: what dataset.toml holds.
        tables: rows by table name; tables that are missing are empty.
        warnings: what is allowed but looks wrong.

    ``Dataset.build`` makes one from plain values and checks it; ``read_dataset`` from files.
    The constructor itself trusts its rows.
    """

    def __init__(self, settings: Settings, tables: Mapping[str, Iterable[Row]], warnings: Iterable[Fault] = ()) -> None:
        self.settings = settings
        self._tables: dict[str, tuple[Row, ...]] = {name: tuple(tables.get(name, ())) for name in ROW_TYPES}
        self.warnings = tuple(warnings)
        self._frames: dict[str, pd.DataFrame] = {}

    @staticmethod
    def build(settings: Mapping[str, Any], **tables: Iterable[Mapping[str, Any]]) -> Dataset:
        """A checked dataset from plain values, one mapping per row.

        Raises:
            DatasetError: with every fault found.
        """
        return Dataset.check(RawDataset(settings, {name: numbered_rows(name, rows) for name, rows in tables.items()}))

    @staticmethod
    def check(raw: RawDataset) -> Dataset:
        """A checked dataset from tables as found.

        Raises:
            DatasetError: with every fault found.
        """
        checked = check_dataset(raw)
        return Dataset(checked.settings, checked.tables, checked.warnings)

    @property
    def name(self) -> str:
        """Name of the dataset."""
        return self.settings.name

    @cached_property
    def calendar(self) -> Calendar:
        """The horizon."""
        return Calendar(self.settings.start, self.settings.periods, self.settings.period)

    def rows(self, row_type: type[R]) -> tuple[R, ...]:
        """All rows of one type, in file order."""
        return cast("tuple[R, ...]", self._tables[row_type.table])

    def table_rows(self, name: str) -> tuple[Row, ...]:
        """All rows of the table of this name."""
        return self._tables[name]

    def __getitem__(self, name: str) -> pd.DataFrame:
        """A table as a data frame (a copy): columns in file order, defaults filled in; None where nothing is given."""
        if name not in self._frames:
            cols = COLUMNS[name]
            data = {c.name: [_cell(getattr(row, c.field)) for row in self._tables[name]] for c in cols}
            frame = pd.DataFrame({n: pd.Series(v, dtype=object) for n, v in data.items()})
            for c in cols:
                if c.kind == "number" or (c.kind == "integer" and not c.required and c.default is None):
                    frame[c.name] = frame[c.name].astype(float)
                elif c.kind == "integer":
                    frame[c.name] = frame[c.name].astype(int)
            self._frames[name] = frame
        return self._frames[name].copy()

    def to_plain(self) -> dict[str, Any]:
        """The dataset as plain JSON values: settings under ``dataset``, then every table that has rows or may not be missing."""
        plain: dict[str, Any] = {"dataset": {k: _plain(v) for k, v in self.settings.model_dump().items()}}
        for name, rows in self._tables.items():
            if rows or not ROW_TYPES[name].optional_table:  # without it the document would not read back
                cols = COLUMNS[name]
                plain[name] = [{c.name: _plain(getattr(row, c.field)) for c in cols} for row in rows]
        return plain

    @cached_property
    def sha256(self) -> str:
        """Hash of the content: independent of row order, column order, file format, and of defaults written out or not."""
        digest = hashlib.sha256()
        settings = {k: _canonical(v) for k, v in self.settings.model_dump().items()}
        digest.update(json.dumps(settings, sort_keys=True).encode())
        for name in sorted(self._tables):
            rows = self._tables[name]
            if not rows:
                continue
            digest.update(f"\n#{name}\n".encode())
            lines = [json.dumps({c.name: _canonical(getattr(row, c.field)) for c in COLUMNS[name]}, sort_keys=True) for row in rows]
            digest.update("\n".join(sorted(lines)).encode())
        return digest.hexdigest()

    def replace(self, settings: Mapping[str, Any] | None = None, **tables: Iterable[Row]) -> Dataset:
        """A copy with other settings or tables (rows trusted)."""
        merged = Settings.model_validate({**self.settings.model_dump(), **(settings or {})})
        return Dataset(merged, {**self._tables, **{n: tuple(r) for n, r in tables.items()}}, self.warnings)

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(rows)} {name}" for name, rows in self._tables.items() if rows)
        return f"Dataset({self.name!r}, {self.settings.periods} periods from {self.settings.start}: {counts})"


def _cell(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _canonical(value: Any) -> Any:
    """A value for hashing: whole floats as integers would be, lists of ids in order of the alphabet."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return sorted(str(v) for v in value)
    if isinstance(value, float):
        return repr(value + 0.0)
    return value


__all__ = ["COLUMNS", "KEYS", "Dataset"]

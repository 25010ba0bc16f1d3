"""The tables being built: every figure goes in together with its source."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.tables import COLUMNS, KEYS, ROW_TYPES


@dataclass(frozen=True)
class Src:
    """Where a figure comes from: basis ``reported``, ``derived`` or ``assumed``, and the place in words."""

    basis: str
    text: str


def derived(text: str) -> Src:
    """A figure calculated from facts and assumptions."""
    return Src("derived", text)


def needs_source(column: Any) -> bool:
    """Whether a column holds figures: numbers and dates that are not part of the key."""
    return not column.key and (column.kind in ("number", "integer") or column.period)


def text_of(value: Any) -> str:
    """A cell as written to a file: whole numbers without a point, lists with ``;``, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, (tuple, list)):
        return ";".join(str(v) for v in value)
    if isinstance(value, float):
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    return str(value)


@dataclass
class Book:
    """Rows and sources of all tables.

    Attributes:
        settings: what dataset.toml holds.
        rows: rows by table.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _sources: dict[tuple[str, str], list[tuple[str, Src]]] = field(default_factory=dict)

    def setting(self, name: str, value: Any, source: Src) -> None:
        """Set a value of dataset.toml."""
        self.settings[name] = value
        self._sources.setdefault(("dataset", name), []).append((name, source))

    def add(self, table: str, row: Mapping[str, Any], sources: Mapping[str, Src] | Src) -> None:
        """Add a row with the source of each of its figures (one source may stand for all).

        Raises:
            KeyError: an unknown column, or a figure without a source.
        """
        known = {c.name: c for c in COLUMNS[table]}
        if unknown := set(row) - set(known):
            raise KeyError(f"{table} has no column {sorted(unknown)}")
        key = ";".join(text_of(row.get(c.name)) for c in COLUMNS[table] if c.key)
        for name, value in row.items():
            if value is None or not needs_source(known[name]):
                continue
            source = sources if isinstance(sources, Src) else sources.get(name)
            if source is None:
                raise KeyError(f"{table} {key}: no source for {name}")
            self._sources.setdefault((table, name), []).append((key, source))
        self.rows.setdefault(table, []).append(dict(row))

    def source_rows(self) -> list[dict[str, str]]:
        """Rows of sources.csv: the commonest source of a column stands for ``*``, the others by key."""
        rows = []
        for (table, column), found in self._sources.items():
            common = Counter(source for _, source in found).most_common(1)[0][0]
            rows.append({"table": table, "key": "*", "column": column, "basis": common.basis, "source": common.text})
            rows += [
                {"table": table, "key": key, "column": column, "basis": source.basis, "source": source.text}
                for key, source in found
                if source != common
            ]
        return rows

    def files(self) -> dict[str, str]:
        """Content of each file of the dataset folder, by name.

        Raises:
            ValueError: a key occurs twice in a table.
        """
        tables: dict[str, list[dict[str, Any]]] = {**self.rows, "sources": list(self.source_rows())}
        found = {"dataset.toml": "".join(f"{name} = {_toml(value)}\n" for name, value in self.settings.items())}
        for table in ROW_TYPES:
            rows = tables.get(table, [])
            if not rows:
                continue
            used = [c.name for c in COLUMNS[table] if any(row.get(c.name) is not None for row in rows)]
            names = {c.field: c.name for c in COLUMNS[table]}
            keys = [tuple(text_of(row.get(names[k])) for k in KEYS[table]) for row in rows]
            if twice := [key for key, count in Counter(keys).items() if count > 1]:
                raise ValueError(f"{table}: key {twice[0]} occurs twice")
            buffer = io.StringIO()
            writer = csv.writer(buffer, lineterminator="\n")
            writer.writerow(used)
            writer.writerows([text_of(row.get(name)) for name in used] for row in rows)
            found[f"{table}.csv"] = buffer.getvalue()
        return found

    def write(self, folder: Path) -> None:
        """Write the dataset folder; files of an earlier build that this one lacks are removed."""
        folder.mkdir(parents=True, exist_ok=True)
        files = self.files()
        for name, content in files.items():
            temporary = folder / f".{name}.new"
            temporary.write_text(content, encoding="utf-8", newline="")
            os.replace(temporary, folder / name)
        for path in folder.iterdir():
            if path.name not in files:
                path.unlink()


def _toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else text_of(value) if isinstance(value, int) else repr(value)

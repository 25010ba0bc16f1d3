"""Rows in which datasets differ, as they are told."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any

from api.schemas.datasets import CellChange, RowChangeView
from models.changes import RowChange


def row_changes(found: Iterable[RowChange]) -> list[RowChangeView]:
    """Rows that differ."""
    return [
        RowChangeView(
            table=row.table, kind=row.kind.value, key={name: plain(value) for name, value in row.key.items()},
            columns={name: CellChange(before=plain(a), after=plain(b)) for name, (a, b) in row.columns.items()},
        )
        for row in found
    ]  # fmt: skip


def plain(value: Any) -> Any:
    """A cell as JSON has it."""
    return value.value if isinstance(value, Enum) else list(value) if isinstance(value, tuple) else value

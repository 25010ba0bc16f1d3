"""Cells as every file format writes them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

from models.columns import Column
from models.tables import COLUMNS, Row


class ExactNumber(float):
    """A number that a workbook stores with all its digits; its writer would keep 16."""

    text: str

    def __new__(cls, value: float | int) -> ExactNumber:
        made = super().__new__(cls, value)
        made.text = repr(value)
        return made

    def __format__(self, spec: str) -> str:
        return self.text


def cell_value(value: Any) -> str | int | float | None:
    """A value as one cell: enums by value, lists joined by semicolons, whole numbers as integers."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return ";".join(value) or None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise TypeError(f"no cell can hold a {type(value).__name__}")


def cell_text(value: Any) -> str:
    """A value as text that reads back to the same value."""
    cell = cell_value(value)
    if cell is None:
        return ""
    return repr(cell) if isinstance(cell, float) else str(cell)


def columns_to_write(name: str, rows: Sequence[Row]) -> list[Column]:
    """Required columns, and optional ones in which some row differs from the default."""
    return [c for c in COLUMNS[name] if c.required or any(getattr(row, c.field) != c.default for row in rows)]

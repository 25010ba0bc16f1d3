"""Datasets and their differences."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from api.schemas.base import FaultView, Told


class DatasetView(Told):
    """A dataset: immutable, addressed by the hash of its content."""

    id: str = Field(description="SHA-256 of the content, whatever its file format or the order of rows")
    name: str
    created_at: datetime
    periods: int
    sites: int
    tables: dict[str, int] = Field(description="rows by table")
    size_bytes: int
    warnings: list[FaultView] = Field(default_factory=list, description="what is allowed but should be known")


class TableView(Told):
    """Rows of a table."""

    dataset: str
    table: str
    columns: list[str]
    rows: list[dict[str, Any]]


class CellChange(Told):
    """A cell before and after; none on the side on which its row is missing."""

    before: Any = None
    after: Any = None


class RowChangeView(Told):
    """A row in which two datasets differ."""

    table: str
    kind: str = Field(description="added, removed or changed")
    key: dict[str, Any] = Field(description="columns that name the row")
    columns: dict[str, CellChange]


class DatasetDiff(Told):
    """All rows in which two datasets differ."""

    before: str
    after: str
    rows: list[RowChangeView]

"""What the tests of changes share: the reference dataset, and short ways to apply and to look."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from models.changes import Applied, ChangeError, apply, read_changes, touched
from models.dataset import Dataset
from models.faults import Fault
from models.files import read_dataset

DATA = Path(__file__).resolve().parents[3] / "data"


@cache
def reference() -> Dataset:
    """The reference dataset; datasets are immutable."""
    return read_dataset(DATA / "reference-2025q4")


def applied(dataset: Dataset, *changes: dict[str, Any]) -> Applied:
    """The dataset with changes given as plain values."""
    return apply(dataset, read_changes(list(changes)))


def differences(dataset: Dataset, *changes: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Rows that changes alter: (table, key values without None, kind, columns that differ after the change)."""
    found = []
    for row in touched(dataset, applied(dataset, *changes).dataset):
        key = tuple(value for value in row.key.values() if value is not None)
        after = {name: new for name, (_, new) in row.columns.items() if row.kind == "changed" or new not in (None, [])}
        found.append((row.table, *key, row.kind.value, {} if row.kind == "removed" else after))
    return found


def faults(dataset: Dataset, *changes: dict[str, Any]) -> tuple[Fault, ...]:
    """Faults of changes that cannot be applied."""
    try:
        applied(dataset, *changes)
    except ChangeError as error:
        return error.faults
    raise AssertionError("no fault")


def codes(result: Applied) -> list[str]:
    """Codes of the warnings."""
    return [warning.code for warning in result.warnings]

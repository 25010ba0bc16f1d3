"""Directives that changes add, each under a name of its own."""

from __future__ import annotations

from collections.abc import Iterable

from models.changes.steps import with_rows
from models.dataset import Dataset
from models.tables import Directive


def with_directives(dataset: Dataset, directives: Iterable[Directive], why: str, stem: str = "change") -> Dataset:
    """The dataset with these directives, named ``change-1`` and so on as far as free; those already there are left out."""
    rows = list(dataset.rows(Directive))
    taken = {row.row for row in rows}
    said = {_said(row) for row in rows}
    number = 0
    for directive in directives:
        if _said(directive) in said:
            continue
        number += 1
        while f"{stem}-{number}" in taken:
            number += 1
        said.add(_said(directive))
        rows.append(directive.model_copy(update={"row": f"{stem}-{number}", "why": why}))
    return with_rows(dataset, Directive, rows)


def _said(row: Directive) -> tuple[object, ...]:
    return tuple(value for name, value in row.model_dump().items() if name not in ("row", "why"))

"""Taking a change back by another change."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from models.changes.apply import apply
from models.changes.base import Change, ChangeError
from models.changes.diff import alike, touched
from models.dataset import Dataset
from models.plan import Plan
from models.tables import ROW_TYPES

TRIES = 8
"""Figures that a change replaced which are tried as what it was before."""
BY = ("added_usd_per_mwh", "delay_periods")
"""Fields that say by how much something moves."""


def inverse(change: Change, dataset: Dataset, baseline: Plan | None = None) -> Change | None:
    """The change that takes another one back.

    Args:
        change: made to ``dataset``.
        dataset: before the change.
        baseline: plan of the dataset, for ``freeze.before``.

    Returns:
        A change after which the dataset says what it said before, but for the rounding of figures; it has been tried.
        None where no single change does that: a closed site can't be opened again, nor a directive be taken away; None
        for one that alters nothing.

    Raises:
        ChangeError: the change itself can't be made.
    """
    after = apply(dataset, [change], baseline).dataset
    if alike(dataset, after):
        return None
    for candidate in (*change.undoings(dataset), *_opposites(change), *_as_before(change, dataset, after)):
        try:
            back = apply(after, [candidate], baseline).dataset
        except ChangeError:
            continue
        if alike(dataset, back):
            return candidate
    return None


def _opposites(change: Change) -> Iterator[Change]:
    """The change with its factor turned over or its shift reversed."""
    factor = getattr(change, "factor", None)
    if factor:
        yield from _with(change, factor=1.0 / factor)
    for name in BY:
        by = getattr(change, name, None)
        if by:
            yield from _with(change, **{name: -by})


def _as_before(change: Change, before: Dataset, after: Dataset) -> Iterator[Change]:
    """The change with a figure that it sets as it was."""
    given = {name: value for name, value in change.model_dump().items() if isinstance(value, float | int) and not isinstance(value, bool)}
    for name in given:
        old: list[object] = []
        for row in touched(before, after):
            was = row.columns.get(name, (None, None))[0]
            old += [was] if was is not None and was not in old else []
        # A step that begins within a period's rows is an added row, which does not say what held before it.
        for table in {row.table for row in touched(before, after)} & set(ROW_TYPES):
            values = (getattr(row, name, None) for row in before.table_rows(table))
            old += [value for value in dict.fromkeys(values) if value is not None and value not in old]
        for value in [*old[:TRIES], 0.0]:
            yield from _with(change, **{name: value})


def _with(change: Change, **fields: object) -> Iterator[Change]:
    """The change with other values, if it can have them."""
    try:
        yield type(change).model_validate({**change.model_dump(), **fields})
    except ValidationError:
        return

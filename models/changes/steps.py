"""Tables that hold from a period until the next row of their key: changing what they say in some periods only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from models.calendar import Calendar
from models.dataset import Dataset
from models.tables import KEYS, Row

R = TypeVar("R", bound=Row)
Step = tuple[Any, ...]
"""Rows of one group that begin together; empty before the first row."""


def content(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """What rows say, apart from when."""
    return [{k: v for k, v in row.model_dump().items() if k != "from_period"} for row in rows]


def group_of(row: Row, extra: Sequence[str] = ()) -> tuple[Any, ...]:
    """Key of a row without ``from_period`` and the fields in ``extra``."""
    return tuple(getattr(row, k) for k in KEYS[row.table] if k != "from_period" and k not in extra)


def with_rows(dataset: Dataset, row_type: type[R], rows: Iterable[R]) -> Dataset:
    """A dataset with other rows in one table."""
    return dataset.replace(None, **{row_type.table: rows})


def overlay(
    calendar: Calendar, steps: dict[int, Step], first: int, last: int | None, change: Callable[[Step, int], Step],
    breaks: Iterable[int] = (), blank: Step = (),
) -> dict[int, Step]:  # fmt: skip
    """Steps by first period, changed from ``first`` to ``last`` (None = for ever); what holds outside stays.

    Args:
        steps: rows by the period from which they hold.
        change: what a step says in period t, given what it said; rows may keep their ``from_period``.
        breaks: periods in which ``change`` may give something new where the steps do not.
        blank: what holds before the first step, as rows.

    A step that the change makes equal to the one before it is dropped.
    """
    ends = set() if last is None else {last + 1}
    inside = {t for t in breaks if first < t and (last is None or t <= last)}
    found: dict[int, Step] = {}
    old, new = blank, blank
    for t in sorted({*steps, first, *ends, *inside}):
        old_before, new_before = old, new
        old = steps.get(t, old)
        new = change(old, t) if first <= t and (last is None or t <= last) else old
        was_step, is_step = content(old) != content(old_before), content(new) != content(new_before)
        if is_step or (t in steps and not was_step):
            label = calendar.label(t)
            found[t] = tuple(row if row.from_period == label else row.model_copy(update={"from_period": label}) for row in new)
    return found


def restep(
    dataset: Dataset, row_type: type[R], wanted: Callable[[R], bool], first: int, last: int | None,
    change: Callable[[Step, int], Step], *, together: Sequence[str] = (), add: Iterable[tuple[Any, ...]] = (),
    breaks: Iterable[int] = (), blank: Callable[[tuple[Any, ...]], Step] | None = None,
) -> Dataset:  # fmt: skip
    """A dataset whose step table says something else in some periods.

    Args:
        wanted: whether a row belongs to a group that changes.
        together: key fields that tell rows of one step apart, such as the slices of energy prices.
        add: groups that change although they have no row yet.
        blank: of a group's key, the row that says what holds before its first row; nothing is changed there without.

    Other arguments as in ``overlay``. Groups keep their place in the table.
    """
    groups: dict[tuple[Any, ...], dict[int, list[R]]] = {}
    index = dataset.calendar.index
    rows: Sequence[Any] = dataset.rows(row_type)
    for row in rows:
        if wanted(row):
            groups.setdefault(group_of(row, together), {}).setdefault(index(row.from_period), []).append(row)
    for key in add:
        groups.setdefault(key, {})
    done = {}
    for key, steps in groups.items():
        fixed = {t: tuple(step) for t, step in steps.items()}
        new = overlay(dataset.calendar, fixed, first, last, change, breaks, blank(key) if blank else ())
        if {t: content(s) for t, s in new.items()} != {t: content(s) for t, s in fixed.items()}:
            done[key] = [row for _, step in sorted(new.items()) for row in step]
    table: list[R] = []
    written = set()
    for row in rows:
        key = group_of(row, together)
        if key not in done:
            table.append(row)
        elif key not in written:
            written.add(key)
            table += done[key]
    for key, fresh in done.items():
        if key not in written:
            table += fresh
    return with_rows(dataset, row_type, table)


def scaled(rows: Step, **figures: Callable[[Any], Any]) -> Step:
    """Rows with some figures replaced by what a function makes of them."""
    return tuple(row.model_copy(update={name: new(getattr(row, name)) for name, new in figures.items()}) for row in rows)

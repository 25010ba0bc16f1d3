"""Applying changes to a dataset: one after the other, all faults together, with warnings of what does nothing or overlaps."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from models.changes.base import BY_ITSELF, TABLE, Change, ChangeError, Edit, RefusedError, Where
from models.changes.diff import Cell, cells_touched
from models.changes.freeze import FreezeBefore
from models.changes.registry import CHANGES
from models.dataset import Dataset
from models.faults import DatasetError, Fault, closest
from models.plan import Plan
from models.tables import COLUMNS, ROW_TYPES

DRAWS = 40
"""Attempts at a random change that is valid."""
NAMED = 3
"""Most changes that a warning of overlap names."""


@dataclass(frozen=True)
class Applied:
    """A dataset with changes.

    Attributes:
        dataset: checked, with its own hash.
        warnings: of the changes, in their order; codes ``no_effect``, ``overlap`` and those of single types. The
            dataset's own warnings are in ``dataset.warnings``.
        sentences: each change in plain words.
    """

    dataset: Dataset
    warnings: tuple[Fault, ...]
    sentences: tuple[str, ...]


@dataclass
class _Progress:
    """What has been applied so far."""

    dataset: Dataset
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    steps: list[tuple[int, Dataset]] = field(default_factory=list)
    cells: list[tuple[int, set[Cell]]] = field(default_factory=list)
    lost_ids: set[str] = field(default_factory=set)


def apply(dataset: Dataset, changes: Sequence[Change], baseline: Plan | None = None, where: Where = BY_ITSELF) -> Applied:
    """A dataset with changes, one after the other; the dataset given is not touched.

    Args:
        dataset: the base.
        changes: in their order, which matters: each is made to what the ones before it left.
        baseline: plan of the base, for ``freeze.before``.
        where: the changes stand in their document, for faults and warnings.

    Raises:
        ChangeError: with every fault found: unknown ids and periods, what a change cannot do, or what would leave no
            valid dataset. Each names the change by its number from 1 and, in its pointer, by its index from 0.
    """
    done = _Progress(dataset)
    for number, change in enumerate(changes):
        _one(done, Edit(done.dataset, number, where, baseline), change)
    if done.faults:
        raise ChangeError(done.faults)
    return Applied(_checked(dataset, done, where), tuple(done.warnings), tuple(done.sentences))


def faults_of(dataset: Dataset, changes: Sequence[Change]) -> tuple[tuple[Fault, ...], tuple[Fault, ...]]:
    """Faults and warnings of changes by themselves; whether the dataset that they leave is valid is not looked at, which takes longer."""
    done = _Progress(dataset)
    for number, change in enumerate(changes):
        _one(done, Edit(done.dataset, number), change)
    return tuple(done.faults), tuple(done.warnings)


def field_faults(dataset: Dataset, model: BaseModel) -> tuple[Fault, ...]:
    """Ids, names and periods that fields declared as those of changes name, and the dataset does not have."""
    edit = Edit(dataset)
    _check_fields(edit, model, "")
    return tuple(edit.faults)


def _one(done: _Progress, edit: Edit, change: Change) -> None:
    """Apply one change, or note its faults."""
    _check_fields(edit, change, "")
    changed = edit.dataset
    if not edit.faults:
        try:
            changed = change.edit(edit)
        except RefusedError:
            changed = edit.dataset
    if edit.faults:
        done.faults += [fault for fault in edit.faults if not (fault.code == "unknown_id" and fault.value in done.lost_ids)]
        done.lost_ids.update(change.new_ids)
        return
    done.warnings += edit.warnings
    done.sentences.append(change.sentence(edit.dataset))
    cells = cells_touched(edit.dataset, changed)
    if not cells:
        edit.warnings.clear()
        edit.warn("", f"alters nothing: {done.sentences[-1]}", "no_effect")
        done.warnings += edit.warnings
    overlaps = {number: both for number, earlier in done.cells if (both := cells & earlier)}
    if overlaps:
        edit.warnings.clear()
        whose = _names(edit.where, list(overlaps))
        edit.warn("", f"touches what {whose}: {_cells_text(edit.dataset, set().union(*overlaps.values()))}", "overlap")
        done.warnings += edit.warnings
    done.cells.append((edit.number, cells))
    done.dataset = changed
    done.steps.append((edit.number, changed))


def _names(where: Where, numbers: Sequence[int]) -> str:
    """``change 1 touches``, or ``change 1, change 2 and 7 more touch``."""
    if len(numbers) == 1:
        return f"{where.name(numbers[0])} touches"
    named = [where.name(number) for number in numbers[:NAMED]]
    more = len(numbers) - len(named)
    *first, last = [*named, f"{more} more"] if more else named
    return f"{', '.join(first)} and {last} touch"


def _cells_text(dataset: Dataset, cells: Iterable[Cell]) -> str:
    """Some of the cells in words: ``contract_prices ibm usd_per_gpu_hour 2026-Q3 (and 4 more)``."""
    ordered = sorted(cells, key=lambda cell: (cell[0], str(cell[1]), str(cell[2]), -1 if cell[3] is None else cell[3]))
    table, key, column, t = ordered[0]
    parts = [table, *(str(part) for part in key if part is not None), column, None if t is None else dataset.calendar.label(t)]
    more = f" (and {len(ordered) - 1} more)" if len(ordered) > 1 else ""
    return " ".join(str(part) for part in parts if part) + more


def _checked(base: Dataset, done: _Progress, where: Where) -> Dataset:
    """The last dataset with all its checks; if they fail, the first change after which they do is told."""
    if not any(cells for _, cells in done.cells):
        return base
    try:
        return _rebuilt(done.dataset)
    except DatasetError as last:
        faults, number = last.faults, done.steps[-1][0]
        for index, step in done.steps:
            try:
                _rebuilt(step)
            except DatasetError as first:
                faults, number = first.faults, index
                break
        raise ChangeError([_no_dataset(fault, number, where) for fault in faults]) from None


def _rebuilt(dataset: Dataset) -> Dataset:
    """The dataset from its plain values, with all checks; a table that lost its last row is empty, not missing."""
    plain = dataset.to_plain()
    return Dataset.build(plain.pop("dataset"), **{**dict.fromkeys(ROW_TYPES, ()), **plain})


def _no_dataset(fault: Fault, number: int, where: Where) -> Fault:
    """A fault of the dataset after a change, as a fault of the change."""
    problem = f"would leave an invalid dataset: {fault.table}, {fault.row}, {fault.column}: {fault.problem}".replace(", ,", ",")
    return Fault(
        TABLE, problem, where.name(number), "", fault.value, fault.allowed, fault.suggestion, fault.code, where.of(number)
    )  # fmt: skip


def _check_fields(edit: Edit, model: BaseModel, at: str) -> None:
    """Ids, names and periods of a change exist in the dataset: what its fields declare of themselves."""
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        place = f"{at}/{name}".lstrip("/")
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        form: Any = extra.get("form", {})
        if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            for number, part in enumerate(value):
                _check_fields(edit, part, f"{place}/{number}")
        elif form.get("widget") == "period" and value is not None:
            edit.period(place, value, bool(form.get("outside")))
        elif form.get("widget") == "select" and value is not None:
            _known(edit, place, value, form["source"])
        elif form.get("widget") == "multiselect" and value:
            for number, part in enumerate(value):
                _known(edit, f"{place}/{number}", part, form["source"])


def _known(edit: Edit, at: str, value: str, source: str) -> None:
    """A value that a column of the dataset has to have."""
    table, column = source.split(".")
    field_name = next(c.field for c in COLUMNS[table] if c.name == column)
    known = dict.fromkeys(str(getattr(row, field_name)) for row in edit.dataset.table_rows(table))
    if value not in known:
        edit.unknown(at, value, known, source)


def draw(dataset: Dataset, rng: random.Random, type: str | None = None) -> Change:
    """A random mild change that can be applied to the dataset; the plan after it may still be infeasible.

    Args:
        rng: the same state gives the same change.
        type: one type of change; any but ``freeze.before``, which needs a baseline, if not given.

    Raises:
        ChangeError: the type is unknown, or the dataset has nothing that a change of this type could alter.
    """
    if type is not None and type not in CHANGES:
        near = closest(type, CHANGES)
        raise ChangeError([Fault(TABLE, "unknown type", column="type", value=type, suggestion=near, code="unknown_type")])
    for _ in range(DRAWS):
        chosen = type or rng.choice([name for name, cls in CHANGES.items() if cls is not FreezeBefore])
        change = CHANGES[chosen].sample(dataset, rng)
        if change is not None and (isinstance(change, FreezeBefore) or _applies(dataset, change)):
            return change
    problem = "the dataset has nothing that such a change could alter"
    raise ChangeError([Fault(TABLE, problem, column="type", value=type or "", code="nothing_to_change")])


def _applies(dataset: Dataset, change: Change) -> bool:
    try:
        apply(dataset, [change])
    except ChangeError:
        return False
    return True


__all__ = ["Applied", "apply", "draw", "faults_of", "field_faults"]

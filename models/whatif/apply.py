"""A dataset plus changes is a dataset again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.dataset import Dataset
from models.plan import Plan
from models.tables import KEYS, ROW_TYPES
from models.whatif.base import Change
from models.whatif.draft import Cell, Draft, Plain, plain


@dataclass(frozen=True)
class Warning:
    """What looks wrong with a change that could be carried out.

    Attributes:
        code: ``no_effect`` or ``overlap``.
        change: its number, from 0.
        message: in words.
    """

    code: str
    change: int
    message: str


@dataclass(frozen=True)
class Applied:
    """A dataset after changes.

    Attributes:
        dataset: checked, with a hash of its own.
        warnings: changes that alter nothing, or alter what another has altered.
    """

    dataset: Dataset
    warnings: tuple[Warning, ...]


@dataclass(frozen=True)
class Difference:
    """A row in which two datasets differ.

    Attributes:
        table: its table; ``dataset`` for a setting.
        key: of the row, values joined by ``;``.
        kind: ``added``, ``removed`` or ``changed``.
        before, after: the values that differ, by column.
    """

    table: str
    key: str
    kind: str
    before: dict[str, Any]
    after: dict[str, Any]


def apply(dataset: Dataset, changes: Sequence[Change], baseline: Plan | None = None) -> Applied:
    """Carry out changes, in order.

    Args:
        dataset: is not changed.
        baseline: the plan whose decisions ``freeze.before`` keeps.

    Raises:
        ChangeError: a change names what is not there, or can't be.
        DatasetError: the result has faults; each names its place in the dataset.
    """
    draft = Draft(dataset, baseline)
    warnings: list[Warning] = []
    by: dict[Cell, int] = {}
    for number, change in enumerate(changes):
        draft.place, draft.cells = f"/{number}", set()
        change.write(draft)
        if not draft.cells:
            warnings.append(Warning("no_effect", number, f"change {number} alters nothing: {change.sentence()}"))
        others = sorted({by[cell] for cell in draft.cells if cell in by})
        if others:
            listed = ", ".join(str(other) for other in others)
            warnings.append(Warning("overlap", number, f"change {number} alters what change {listed} altered: {change.sentence()}"))
        by |= dict.fromkeys(draft.cells, number)
    return Applied(draft.result(), tuple(warnings))


def differences(before: Dataset, after: Dataset) -> list[Difference]:
    """Rows and settings in which two datasets differ, table by table."""
    found: list[Difference] = []
    settings = before.settings.model_dump(), after.settings.model_dump()
    for name in settings[0]:
        if settings[0][name] != settings[1][name]:
            found.append(Difference("dataset", name, "changed", {name: settings[0][name]}, {name: settings[1][name]}))
    for table in ROW_TYPES:
        old, new = (_by_key(dataset, table) for dataset in (before, after))
        for key in dict.fromkeys([*old, *new]):
            if key not in new:
                found.append(Difference(table, key, "removed", old[key], {}))
            elif key not in old:
                found.append(Difference(table, key, "added", {}, new[key]))
            elif old[key] != new[key]:
                other = [name for name in old[key] if old[key][name] != new[key][name]]
                parts = ({name: row[name] for name in other} for row in (old[key], new[key]))
                found.append(Difference(table, key, "changed", *parts))
    return found


def _by_key(dataset: Dataset, table: str) -> dict[str, Plain]:
    rows = [plain(row) for row in dataset.table_rows(table)]
    return {";".join(str(row[name]) for name in KEYS[table]): row for row in rows}

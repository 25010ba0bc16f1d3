"""Faults of an input: where, what, and what is allowed instead; raised all together."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One fault (or warning) of a dataset or another input.

    Attributes:
        table: table, sheet or file.
        row: the row as a person finds it (``row 7`` of the file, or the key), empty for the whole table.
        column: the column, empty for the whole row.
        value: the value found, as written.
        problem: what is wrong, in words.
        allowed: what may stand there.
        suggestion: a close spelling that exists, for "did you mean".
        code: short stable name of the kind of fault, such as ``unknown_id``.
        pointer: JSON pointer to the place in the dataset as a JSON document, such as ``/sites/2/pue_air``.
    """

    table: str
    problem: str
    row: str = ""
    column: str = ""
    value: str = ""
    allowed: str = ""
    suggestion: str = ""
    code: str = ""
    pointer: str = ""

    def __str__(self) -> str:
        place = ", ".join(part for part in (self.table, self.row, self.column) if part)
        shown = self.value if len(self.value) <= 80 else self.value[:77] + "..."
        text = f"{place}: {self.problem}"
        if self.value:
            text += f" (found {shown!r})"
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        if self.suggestion:
            text += f"; did you mean {self.suggestion!r}?"
        return text


class InputError(Exception):
    """An input with faults; ``faults`` holds every one found.

    Raised for datasets, plans and other inputs that a person can correct.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class DatasetError(InputError):
    """A dataset with faults."""


class PlanError(InputError):
    """A plan folder or workbook with faults."""


class StorageError(Exception):
    """The place to read from or write to failed (disk full, permission, device); nothing half-written is left."""


def closest(word: str, known: Iterable[str], alike: float = 0.6) -> str:
    """The known spelling nearest to ``word``, or an empty text if none is as much ``alike``, 0 to 1."""
    found = difflib.get_close_matches(word, [str(k) for k in known], n=1, cutoff=alike)
    return found[0] if found else ""

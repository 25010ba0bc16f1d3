"""What-if changes: typed records that turn a dataset into another one, as rows of its own tables.

    changes = read_changes([{"type": "site.energization_delay", "site_id": "denton-tx", "delay_periods": 2, "from_period": "2026-Q3"}])
    applied = apply(dataset, changes)      # applied.dataset, .warnings, .sentences; ChangeError with every fault
    touched(dataset, applied.dataset)      # the rows that differ

Each type of change is a class with its fields, a sentence, an example and an ``edit``; ``registry.CHANGES`` lists them.
"""

from models.changes.apply import Applied, apply, draw
from models.changes.base import Change, ChangeError, Where
from models.changes.diff import RowChange, RowChangeKind, touched
from models.changes.inverse import inverse
from models.changes.registry import CHANGES, AnyChange, change_types, read_changes

__all__ = [
    "CHANGES",
    "AnyChange",
    "Applied",
    "Change",
    "ChangeError",
    "RowChange",
    "RowChangeKind",
    "Where",
    "apply",
    "change_types",
    "draw",
    "inverse",
    "read_changes",
    "touched",
]

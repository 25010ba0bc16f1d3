"""What-if changes of a dataset: typed, ordered, each ending as rows of the dataset's own tables."""

from models.whatif.apply import Applied, Difference, Warning, apply, differences
from models.whatif.base import Change
from models.whatif.draft import ChangeError
from models.whatif.registry import TYPES, change_types, draw, read_changes

__all__ = [
    "TYPES", "Applied", "Change", "ChangeError", "Difference", "Warning", "apply", "change_types", "differences", "draw", "read_changes",
]  # fmt: skip

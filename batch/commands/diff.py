"""wattplan diff: what differs between two plans."""

from __future__ import annotations

from pathlib import Path

from batch.commands import plan_folder
from batch.commands.outcome import Outcome
from models.plan_files import read_plan


def run(before: Path, after: Path, dataset_before: Path | None, dataset_after: Path | None) -> Outcome:
    """Tell the difference.

    Args:
        before, after: the two plans.
        dataset_before, dataset_after: their datasets, if not stored beside them.

    Raises:
        InputError: faults of plans or datasets.
        CommandError: a dataset is missing or another one.
    """
    from batch.commands.diff_text import difference_text
    from optimizer.explain import as_json
    from optimizer.explain.difference import difference

    plans = read_plan(before), read_plan(after)
    old = plan_folder.dataset_of(plans[0], before, dataset_before)
    new = plan_folder.dataset_of(plans[1], after, dataset_after)
    found = difference(*plans, old, new)
    document = {"before": str(before), "after": str(after), **as_json(found)}
    return Outcome(difference_text(found), document)

"""wattplan show: a plan in the terminal."""

from __future__ import annotations

from pathlib import Path

from batch.commands import plan_folder
from batch.commands.outcome import Outcome
from models.plan_files import read_plan


def run(path: Path, dataset: Path | None) -> Outcome:
    """Show the plan.

    Raises:
        InputError: faults of plan or dataset.
        CommandError: the dataset is missing or another one.
    """
    from batch.show import render_plan

    plan = read_plan(path)
    return Outcome(render_plan(plan, plan_folder.dataset_of(plan, path, dataset)), {"summary": plan.summary.model_dump(mode="json")})

"""wattplan report: a plan as one HTML file that needs nothing beside it."""

from __future__ import annotations

from pathlib import Path

from batch.commands import plan_folder
from batch.commands.outcome import Outcome
from models.plan_files import read_plan


def run(
    path: Path, output: Path, dataset: Path | None, baseline: Path | None, baseline_dataset: Path | None = None, prices: Path | None = None
) -> Outcome:
    """Write the report.

    Raises:
        InputError: faults of plan, dataset, baseline or prices.
        CommandError: the dataset is missing or another one, or the output cannot be written.
        StorageError: disk full, no permission.
    """
    if output.is_dir():
        raise plan_folder.bad_output(output, "is a folder", "a file such as report.html")
    plan_folder.check_writable(output)
    from batch.commands.prices import read_prices
    from batch.report import write_report

    plan = read_plan(path)
    problem = plan_folder.dataset_of(plan, path, dataset)
    other, theirs = plan_folder.baseline_of(path, baseline, problem, baseline_dataset)
    worth = read_prices(prices, plan) if prices is not None else None
    write_report(plan, problem, output, baseline=other, baseline_dataset=theirs, prices=worth)
    return Outcome(f"report written to {output}", {"paths": {"report": str(output)}})

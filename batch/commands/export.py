"""wattplan export: a plan as an Excel workbook for people."""

from __future__ import annotations

from pathlib import Path

from batch.commands import plan_folder
from batch.commands.outcome import Outcome
from batch.commands.replacing import SHEETS, sheets_of
from models.plan_files import read_plan

_OWN_SHEETS = {"README", "KPIs", "NPV"}
"""Sheets that every workbook of an export has had."""


def run(path: Path, output: Path, dataset: Path | None, baseline: Path | None, baseline_dataset: Path | None) -> Outcome:
    """Write the workbook.

    Raises:
        InputError: faults of plan, dataset or baseline, or a table larger than a workbook can hold.
        CommandError: a dataset is missing or another one, or the output cannot be written.
        StorageError: disk full, no permission.
    """
    check_workbook(output)
    from batch.export import write_workbook

    plan = read_plan(path)
    problem = plan_folder.dataset_of(plan, path, dataset)
    other, theirs = plan_folder.baseline_of(path, baseline, problem, baseline_dataset)
    write_workbook(plan, problem, output, baseline=other, baseline_dataset=theirs)
    return Outcome(f"workbook written to {output}", {"paths": {"workbook": str(output)}})


def check_workbook(path: Path) -> None:
    """See that a workbook can be put at ``path`` and replaces nothing but a workbook of its kind.

    Raises:
        CommandError: another ending, a folder, a file that is there and that no export wrote, or no permission.
    """
    if path.suffix.lower() != ".xlsx":
        raise plan_folder.bad_output(path, "is not the name of a workbook", "a name that ends with .xlsx")
    if path.is_dir():
        raise plan_folder.bad_output(path, "is a folder", "a file such as plan.xlsx")
    if path.exists():
        held = _holds(path)
        if held:
            raise plan_folder.bad_output(path, held, "a new file, or a workbook that an export wrote; or remove this one first")
    plan_folder.check_writable(path)


def _holds(path: Path) -> str:
    """What a file is that must not be replaced; empty for a workbook that an export wrote, and for a file without content."""
    if path.is_file() and not path.stat().st_size:
        return ""
    sheets = sheets_of(path)
    if sheets is None:
        return "is there and is not a workbook"
    if set(sheets) >= _OWN_SHEETS:
        return ""
    return next((f"holds a {what}" for what, sheet in SHEETS.items() if sheet in sheets), "is a workbook that no export wrote")

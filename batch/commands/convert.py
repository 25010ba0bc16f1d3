"""wattplan convert: a dataset or a plan in another format."""

from __future__ import annotations

import zipfile
from pathlib import Path

from batch.commands.outcome import Outcome, bad_option
from batch.commands.plan_folder import SUMMARY, check_target, check_writable
from models.files import read_dataset, write_dataset
from models.plan_files import read_plan, write_plan

DATASET_FORMATS = ("csv", "xlsx", "json")
PLAN_FORMATS = ("csv", "xlsx", "parquet")


def run(source: Path, target: Path, format: str | None) -> Outcome:
    """Convert what is at ``source``; without a format the ending of ``target`` says it, a name without one is a folder of CSV files.

    Raises:
        InputError: faults of the source, or a target that cannot be.
        CommandError: a format that the source does not have.
        StorageError: disk full, no permission.
    """
    check_writable(target)
    kind = "plan" if is_plan(source) else "dataset"
    formats = PLAN_FORMATS if kind == "plan" else DATASET_FORMATS
    ending = target.suffix.lower()[1:]
    chosen = format or (ending if ending in ("xlsx", "json", "parquet") else "csv")
    if chosen not in formats:
        raise bad_option("--format", f"{chosen} for a {kind}", ", ".join(formats))
    if kind == "plan":
        if chosen != "xlsx":
            check_target(target)
        write_plan(read_plan(source), target, format=chosen)
    else:
        write_dataset(read_dataset(source), target, format=chosen)
    return Outcome(f"{kind} written to {target} as {chosen}", {"kind": kind, "format": chosen, "paths": {kind: str(target)}})


def is_plan(path: Path) -> bool:
    """Whether a folder or workbook holds a plan; anything else is taken for a dataset, whose reader says what is wrong."""
    if path.is_dir():
        return (path / SUMMARY).is_file()
    if path.suffix.lower() != ".xlsx" or not zipfile.is_zipfile(path):
        return False
    from openpyxl import load_workbook

    try:
        book = load_workbook(path, read_only=True)
    except (KeyError, ValueError, OSError, zipfile.BadZipFile):
        return False
    try:
        return "summary" in book.sheetnames
    finally:
        book.close()

"""wattplan convert: a dataset or a plan in another format."""

from __future__ import annotations

from pathlib import Path

from batch.commands.outcome import Outcome, bad_option
from batch.commands.plan_folder import SUMMARY, bad_output, check_folder, check_target, check_writable
from batch.commands.replacing import SHEETS, check_replaced, sheets_of
from models import files, plan_files
from models.files import read_dataset, write_dataset
from models.plan_files import read_plan, write_plan

FORMATS = {"dataset": files.FORMATS, "plan": plan_files.FORMATS}
FOLDERS = ("csv", "parquet")
"""Formats that are a folder of files."""


def run(source: Path, target: Path, format: str | None) -> Outcome:
    """Convert what is at ``source``; without a format the ending of ``target`` says it, a name without one is a folder of CSV files.

    Raises:
        InputError: faults of the source, or a target that cannot be.
        CommandError: a format that the source does not have, or a target that would replace something else.
        StorageError: disk full, no permission.
    """
    kind = "plan" if is_plan(source) else "dataset"
    chosen = _format(target, format, kind)
    if chosen not in FOLDERS:
        check_writable(target)
        check_replaced(target, kind)
    elif kind == "plan":
        check_target(target)
    else:
        check_folder(target, [], "a dataset")
    if kind == "plan":
        write_plan(read_plan(source), target, format=chosen)
    else:
        write_dataset(read_dataset(source), target, format=chosen)
    return Outcome(f"{kind} written to {target} as {chosen}", {"kind": kind, "format": chosen, "paths": {kind: str(target)}})


def _format(target: Path, format: str | None, kind: str) -> str:
    """The format asked for, or the one that the name of the target says.

    Raises:
        InputError: an ending that neither a file that can be written nor a folder has.
        CommandError: a format that the source does not have, or a folder that would have the name of a file.
    """
    ending = target.suffix.lower()[1:]
    asked = format or (ending if ending in FORMATS["dataset"] + FORMATS["plan"] and ending != "csv" else None)
    if asked is not None and asked not in FORMATS[kind]:
        raise bad_option("--format", f"{asked} for a {kind}", ", ".join(FORMATS[kind]))
    found = (files.format_of if kind == "dataset" else plan_files.format_of)(target, asked)
    if format in FOLDERS and ending in ("csv", "json", "xls", "xlsx", "zip") and not target.is_dir():
        raise bad_output(target, f"{format} is a folder of files, and this is the name of a file", "a name without such an ending")
    return found


def is_plan(path: Path) -> bool:
    """Whether a folder or workbook holds a plan; anything else is taken for a dataset, whose reader says what is wrong."""
    if path.is_dir():
        return (path / SUMMARY).is_file()
    return path.suffix.lower() == ".xlsx" and SHEETS["plan"] in (sheets_of(path) or ())

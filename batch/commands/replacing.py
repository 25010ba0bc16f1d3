"""What stands where a file is to be written: a file of another kind is not replaced."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from batch.commands.plan_folder import bad_output
from models.checks import RawDataset
from models.faults import Fault
from models.files.csv_folder import load_file
from models.files.json_file import parse_json
from models.files.workbook import DAMAGED

SHEETS = {"dataset": "dataset", "plan": "summary"}
"""The sheet that tells what a workbook holds."""
_SHEET = re.compile(rb"<(?:\w+:)?sheet\s[^>]*?name=[\"']([^\"']*)[\"']")
_LARGEST_LIST = 2**20
"""Bytes that the list of a workbook's sheets may have."""


def sheets_of(path: Path) -> list[str] | None:
    """Names of a workbook's sheets; None of what is no workbook, or a damaged one."""
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive, archive.open("xl/workbook.xml") as file:
            return [name.decode() for name in _SHEET.findall(file.read(_LARGEST_LIST))]
    except DAMAGED:
        return None


def check_replaced(path: Path, kind: str) -> None:
    """See that a workbook or JSON file of a dataset or plan replaces nothing but one of its kind.

    Args:
        path: the file to write.
        kind: ``dataset`` or ``plan``.

    Raises:
        CommandError: something else is there.
    """
    if path.is_file() and path.stat().st_size and not _holds(path, kind):
        raise bad_output(path, f"is there and holds no {kind}", f"a new file, or one that holds a {kind}; or remove this one first")


def _holds(path: Path, kind: str) -> bool:
    sheets = sheets_of(path)
    if sheets is not None:
        return SHEETS[kind] in sheets
    data = load_file(path, str(path))
    found = None if isinstance(data, Fault) else parse_json(str(path), data)
    # a summary of a plan has a key "dataset" too, but no horizon in it
    return kind == "dataset" and isinstance(found, RawDataset) and {"start", "periods"} <= set(found.settings)

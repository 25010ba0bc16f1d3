"""Which format a dataset or plan is written in: as asked, or as the name of the target says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from models.faults import InputError
from models.files.csv_folder import file_fault


def asked_format(target: Path, format: str | None, formats: Sequence[str], not_folders: Collection[str]) -> str:
    """The format asked for, else the one that the ending of ``target`` says; a name without a known ending is a folder.

    Args:
        formats: that there are, the one of folders first.
        not_folders: endings that a folder does not have.

    Raises:
        InputError: there is no such format.
    """
    ending, files = target.suffix.lower(), [f".{name}" for name in formats[1:]]
    if format is not None:
        if format not in formats:
            raise InputError([file_fault(str(target), f"unknown format {format!r}", "unknown_format", ", ".join(formats))])
        return format
    if ending in not_folders:
        raise InputError([file_fault(str(target), f"unknown format {ending}", "unknown_format", f"a folder, {' or '.join(files)}")])
    return ending[1:] if ending in files else formats[0]

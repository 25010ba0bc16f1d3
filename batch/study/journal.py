"""Finished work as lines of a file: each is on the disk before the next begins, and a line that a kill has cut is done again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from models.faults import Fault, InputError
from models.files.atomic import storage

Entry = dict[str, Any]


class Journal:
    """A file of JSON objects, one a line, that is only ever appended to.

    Args:
        path: the file; made when the first line is written.

    Raises:
        InputError: a line other than the last can't be read.
        StorageError: the file can't be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[Entry] = []
        if path.exists():
            with storage(path, "read"):
                data = path.read_bytes()
            whole = data.rfind(b"\n") + 1
            self.entries = [self._entry(line, number) for number, line in enumerate(data[:whole].splitlines(), start=1)]
            if whole < len(data):
                with storage(path, "write"):
                    os.truncate(path, whole)

    def append(self, entry: Entry) -> None:
        """Write a line; it is on the disk when this returns.

        Raises:
            StorageError: disk full, no permission; what was there before is untouched.
        """
        line = json.dumps(entry, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        new = not self.path.exists()
        with storage(self.path, "write"):
            with open(self.path, "ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            if new:
                _sync_folder(self.path.parent)
        self.entries.append(entry)

    def _entry(self, line: bytes, number: int) -> Entry:
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            allowed = "what this command has written; without this line its run is done again"
            raise InputError([Fault(str(self.path), "is no JSON object", f"line {number}", code="bad_json", allowed=allowed)])
        return found


def _sync_folder(folder: Path) -> None:
    """Have a new name in a folder on the disk too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""wattplan new: a template of a dataset, every column explained, that plans as it is."""

from __future__ import annotations

import shlex
from pathlib import Path

from batch.commands.outcome import Outcome
from models.template import write_template


def run(path: Path, workbook: bool) -> Outcome:
    """Write the template: a folder, or a workbook.

    Raises:
        InputError: something is there already.
        StorageError: disk full, no permission.
    """
    as_workbook = workbook or path.suffix.lower() == ".xlsx"
    if as_workbook and path.suffix.lower() != ".xlsx":
        path = path.with_name(path.name + ".xlsx")
    write_template(path, workbook=as_workbook)
    name = shlex.quote(str(path))
    lines = [f"template written to {path}", f"next: wattplan check {name}", f"then: wattplan plan {name} -o plan"]
    return Outcome("\n".join(lines), {"paths": {"dataset": str(path)}})

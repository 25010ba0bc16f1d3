"""The folder that the command futures writes.

summary.json                 value, bound, what it is worth to plan for many futures
first_stage.csv              what is decided before it is known which future comes
directives.csv               the same as directives, for wattplan plan --directives
scenarios.csv, .json         a row for each future; its changes
events.csv                   the log of the search
plans/001, ...               the plan of each future with its dataset, in the order of scenarios.csv
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd

from batch.commands.plan_folder import check_folder, write_all
from models.changes import apply
from models.dataset import Dataset
from models.files.atomic import staged_folder, write_bytes
from models.tables import COLUMNS
from optimizer.futures import FuturesPlan

SUMMARY = "summary.json"
NAMES = (SUMMARY, "first_stage.csv", "directives.csv", "scenarios.csv", "scenarios.json", "events.csv", "plans")


def check_target(folder: Path) -> None:
    """See before a long search that the result can be written to ``folder`` and deletes nothing else there.

    Raises:
        CommandError: a file stands there, the folder holds other things, or it cannot be written to.
    """
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    check_folder(folder, [name for name in names if name not in NAMES] if "first_stage.csv" in names else names, "plans of futures")


def write(folder: Path, found: FuturesPlan, dataset: Dataset) -> dict[str, str]:
    """Write everything; the folder is replaced once all of it is complete.

    Returns:
        Paths by what they hold.

    Raises:
        StorageError: disk full, no permission; what was there is untouched.
    """
    with staged_folder(folder) as staged:
        write_bytes(staged / SUMMARY, (found.summary.model_dump_json(indent=2) + "\n").encode())
        tables = {"first_stage": found.first_stage, "directives": _directives(found), "events": found.events}
        for name, table in tables.items():
            _write_csv(staged / f"{name}.csv", table)
        numbers = [f"plans/{number:03d}" for number in range(1, len(found.futures) + 1)]
        _write_csv(staged / "scenarios.csv", found.scenarios.assign(plan=numbers))
        changes = [
            {
                "name": scenario.name, "probability": scenario.probability, "happened": list(scenario.happened),
                "changes": [change.model_dump(mode="json", exclude_none=True) for change in scenario.changes],
            }
            for scenario, _ in found.futures
        ]  # fmt: skip
        write_bytes(staged / "scenarios.json", (json.dumps(changes, indent=1) + "\n").encode())
        (staged / "plans").mkdir()
        for number, (scenario, plan) in zip(numbers, found.futures, strict=True):
            write_all(staged / number, plan, apply(dataset, scenario.changes).dataset, None)
    return {name.split(".")[0]: str(folder / name) for name in NAMES if name != "scenarios.json"}


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    write_bytes(path, table.to_csv(index=False, lineterminator="\n").encode())


def _directives(found: FuturesPlan) -> pd.DataFrame:
    """The first stage as a file of directives of the dataset."""
    names = [column.name for column in COLUMNS["directives"]]
    rows: list[dict[str, Any]] = [{**row.model_dump(mode="json"), "why": "first stage"} for row in found.directives]
    return pd.DataFrame(rows, columns=names)

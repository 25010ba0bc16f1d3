"""wattplan check: every fault of a dataset, or its size and warnings."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from batch.commands.outcome import Outcome
from models.files import read_dataset
from models.tables import ROW_TYPES


def run(path: Path) -> Outcome:
    """Read the dataset and tell what it holds.

    Raises:
        DatasetError: with every fault found.
    """
    dataset = read_dataset(path)
    calendar = dataset.calendar
    counts = {name: len(dataset.table_rows(name)) for name in ROW_TYPES if dataset.table_rows(name)}
    last = calendar.label(calendar.periods - 1)
    lines = [
        f"{path}: no faults",
        f"name     {dataset.name}",
        f"horizon  {calendar.start} to {last}, {calendar.periods} periods",
        f"sha256   {dataset.sha256}",
        "",
        *(f"{count:>8,}  {name}" for name, count in counts.items()),
    ]
    if dataset.warnings:
        lines += ["", *(f"warning: {warning}" for warning in dataset.warnings)]
    document = {
        "dataset": {"name": dataset.name, "sha256": dataset.sha256, "start": calendar.start, "periods": calendar.periods},
        "rows": counts,
        "warnings": [{key: value for key, value in asdict(warning).items() if value} for warning in dataset.warnings],
    }
    return Outcome("\n".join(lines), document)

"""Which figures of a dataset folder have a source; used by the build's tests and by anyone who edits the dataset."""

from __future__ import annotations

import csv
from pathlib import Path

from data.reference_build.book import needs_source
from models.tables import COLUMNS


def uncovered(folder: Path) -> list[str]:
    """Figures without a row in sources.csv, as ``table key column``."""

    def read(name: str) -> list[dict[str, str]]:
        path = folder / f"{name}.csv"
        if not path.exists():
            return []
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    known = {(row["table"], row["key"], row["column"]) for row in read("sources")}
    missing = []
    for table, columns in COLUMNS.items():
        if table == "sources":
            continue
        for row in read(table):
            key = ";".join(row.get(c.name, "") for c in columns if c.key)
            missing += [
                f"{table} {key} {c.name}"
                for c in columns
                if needs_source(c) and row.get(c.name) and (table, "*", c.name) not in known and (table, key, c.name) not in known
            ]
    return missing

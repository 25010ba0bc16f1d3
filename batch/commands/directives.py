"""A file of directives laid over a dataset."""

from __future__ import annotations

from pathlib import Path

from models import tables as tb
from models.checks import RawDataset, RawTable, numbered_rows
from models.dataset import Dataset
from models.faults import DatasetError, Fault
from models.files.csv_folder import load_file, parse_csv

TABLE = tb.Directive.table
KEY = "row"


def apply_directives(dataset: Dataset, path: Path) -> Dataset:
    """The dataset with the directives of a CSV file: one with the same ``row`` is replaced, the others are added.

    The result is checked as a dataset is; faults of the file carry its name and line.

    Raises:
        DatasetError: the file cannot be read, or has faults.
    """
    label = str(path)
    data: bytes | Fault = Fault(label, "does not exist", code="missing_file", allowed="a CSV file of directives")
    if path.exists():
        data = load_file(path, label)
    if isinstance(data, Fault):
        raise DatasetError([data])
    given, faults = parse_csv(TABLE, label, data)
    if not given.readable:
        raise DatasetError(faults)

    plain = dataset.to_plain()
    settings = plain.pop("dataset")
    kept = plain.pop(TABLE, [])
    raw = RawDataset(settings, {name: numbered_rows(name, rows) for name, rows in plain.items()}, faults)
    raw.tables[TABLE] = _merged(numbered_rows(TABLE, kept), given)
    return Dataset.check(raw)


def _merged(base: RawTable, given: RawTable) -> RawTable:
    """Rows of both tables under the header of both; those of ``base`` whose key is given anew are left out."""
    merged = RawTable(TABLE, given.label, given.columns, header_place=given.header_place, lost_rows=given.lost_rows)
    if KEY not in given.columns:  # a fault of the file alone: rows that stand already must not be part of it
        merged.rows, merged.places = given.rows, given.places
        return merged
    anew = {str(row[given.columns.index(KEY)]).strip() for row in given.rows}
    merged.columns = [*given.columns, *(c for c in base.columns if c not in given.columns)]
    for table, note in ((base, " of the dataset"), (given, "")):
        for place, row in zip(table.places, table.rows, strict=True):
            cells = dict(zip(table.columns, row, strict=True))
            if table is given or cells[KEY] not in anew:
                merged.places.append(place + note)
                merged.rows.append([cells.get(c) for c in merged.columns])
    return merged

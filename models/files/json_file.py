"""A dataset as one JSON document: settings under ``dataset``, then each table as a list of objects."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from typing import Any

from models.checks import RawDataset, RawTable, numbered_rows
from models.dataset import Dataset
from models.faults import DatasetError, Fault
from models.files.csv_folder import file_fault

DOCUMENT = '{"dataset": {...}, "sites": [{...}, ...], ...}'


class _Twice(dict[str, Any]):
    """A JSON object that remembers keys given more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        names = [key for key, _ in pairs]
        self.twice = sorted({key for key in names if names.count(key) > 1}) if len(self) < len(pairs) else []


def parse_json(label: str, data: bytes) -> RawDataset | Fault:
    """A raw dataset from the bytes of a JSON file, or why there is none."""
    if not data.strip():
        return file_fault(label, "is empty", "empty_file", DOCUMENT)
    try:
        document = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_Twice)
    except json.JSONDecodeError as error:
        return file_fault(label, f"is not JSON: {error.msg}", "bad_json", DOCUMENT, row=f"line {error.lineno}")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return file_fault(label, f"the byte 0x{data[error.start]:02X} is not UTF-8", "encoding", "UTF-8", row=f"line {line}")
    except (RecursionError, ValueError):
        return file_fault(label, "is nested too deeply or has a number with too many digits", "bad_json", DOCUMENT)
    return raw_from_plain(document, label)


def raw_from_plain(document: object, label: str = "dataset") -> RawDataset | Fault:
    """A raw dataset from a JSON document as Python values, or why there is none."""
    if not isinstance(document, Mapping):
        return file_fault(label, "is not an object", "bad_json", DOCUMENT)
    raw = RawDataset({}, {})
    raw.faults += [file_fault(label, "the key is there twice", "duplicate_key", column=key) for key in getattr(document, "twice", ())]
    settings = document.get("dataset")
    if isinstance(settings, Mapping):
        raw.settings = settings
        raw.faults += [
            file_fault("dataset", "the key is there twice", "duplicate_key", column=key) for key in getattr(settings, "twice", ())
        ]
    else:
        problem = "is not an object" if "dataset" in document else "missing settings"
        raw.faults.append(file_fault("dataset", problem, "missing_settings", "an object with the settings", pointer="/dataset"))
        raw.settings_readable = False
    for key, rows in document.items():
        if key != "dataset":
            raw.tables[str(key)] = _table(str(key), rows, raw.faults)
    return raw


def _table(name: str, rows: object, faults: list[Fault]) -> RawTable:
    if not isinstance(rows, (list, tuple)):
        faults.append(file_fault(name, "is not a list", "bad_json", "a list of objects", pointer=f"/{name}"))
        return RawTable(name, name, readable=False)
    table = numbered_rows(name, [row for row in rows if isinstance(row, Mapping)])
    table.places = [f"row {number}" for number, row in enumerate(rows, start=1) if isinstance(row, Mapping)]
    for number, row in enumerate(rows):
        where = {"row": f"row {number + 1}", "pointer": f"/{name}/{number}"}
        if not isinstance(row, Mapping):
            faults.append(file_fault(name, "is not an object", "bad_json", "an object with a value per column", **where))
            table.lost_rows += 1
        faults += [file_fault(name, "the key is there twice", "duplicate_key", column=key, **where) for key in getattr(row, "twice", ())]
    return table


def json_bytes(dataset: Dataset) -> bytes:
    """A dataset as a JSON document."""
    return json.dumps(dataset.to_plain(), ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n"


def dataset_to_bytes(dataset: Dataset) -> bytes:
    """A dataset as a compressed JSON document; the same rows in the same order give the same bytes."""
    return gzip.compress(json_bytes(dataset), mtime=0)


def dataset_from_bytes(data: bytes) -> Dataset:
    """The dataset of :func:`dataset_to_bytes`, checked.

    Raises:
        DatasetError: with every fault found.
    """
    try:
        found = parse_json("dataset", gzip.decompress(data))
    except (OSError, EOFError, zlib.error):
        found = file_fault("dataset", "cannot be uncompressed", "bad_gzip", "a JSON document compressed by gzip")
    if isinstance(found, Fault):
        raise DatasetError([found])
    return Dataset.check(found)

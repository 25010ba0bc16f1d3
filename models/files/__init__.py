"""Reading and writing datasets: a folder of CSV files, the same as a zip file, an Excel workbook, or one JSON file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from models.checks import RawDataset
from models.dataset import Dataset
from models.faults import DatasetError, Fault, InputError, closest
from models.files.archive import parse_archive
from models.files.atomic import storage, write_bytes, write_folder
from models.files.csv_folder import FILES, SETTINGS_FILE, file_fault, folder_files, ignored, load_file, read_folder
from models.files.formats import asked_format
from models.files.json_file import dataset_from_bytes, dataset_to_bytes, json_bytes, parse_json, raw_from_plain
from models.files.workbook import parse_workbook, workbook_bytes

FORMATS = ("csv", "xlsx", "json")
_NOT_FOLDERS = (".csv", ".toml", ".txt", ".xls", ".xlsm", ".ods", ".zip", ".parquet")
_READABLE = "a folder with dataset.toml and CSV files, the same as a zip file (.zip), a workbook (.xlsx), or a JSON file (.json)"
_READERS: dict[str, Callable[[str, bytes], RawDataset | Fault]] = {".xlsx": parse_workbook, ".json": parse_json, ".zip": parse_archive}


def read_dataset(path: str | os.PathLike[str]) -> Dataset:
    """A checked dataset from a folder, a workbook or a JSON file.

    Raises:
        DatasetError: with every fault found in the files, their cells and between the tables.
    """
    found = _read_raw(Path(path))
    if isinstance(found, Fault):
        raise DatasetError([found])
    return Dataset.check(found)


def _read_raw(path: Path) -> RawDataset | Fault:
    if os.path.isdir(path):
        return read_folder(path)
    if not os.path.lexists(path):
        folder = path.absolute().parent
        near = closest(path.name, os.listdir(folder)) if os.path.isdir(folder) and os.access(folder, os.R_OK) else ""
        return file_fault(str(path), "does not exist", "missing_file", "" if near else _READABLE, suggestion=near)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        inside = path.name == "dataset.toml" or path.suffix == ".csv"
        hint = f"the folder {path.absolute().parent.name}, not a file in it" if inside else _READABLE
        return file_fault(str(path), "is not a dataset", "unknown_format", hint)
    data = load_file(path, str(path))
    return data if isinstance(data, Fault) else reader(str(path), data)


def from_bytes(label: str, data: bytes, ending: str) -> Dataset:
    """A checked dataset from the bytes of a file.

    Args:
        label: what faults call the file.
        ending: ``.xlsx``, ``.json`` or ``.zip``.

    Raises:
        DatasetError: with every fault found.
    """
    raw = _READERS[ending](label, data)
    if isinstance(raw, Fault):
        raise DatasetError([raw])
    return Dataset.check(raw)


def from_plain(document: object) -> Dataset:
    """A checked dataset from a JSON document as Python values (``Dataset.to_plain``).

    Raises:
        DatasetError: with every fault found.
    """
    raw = raw_from_plain(document)
    if isinstance(raw, Fault):
        raise DatasetError([raw])
    return Dataset.check(raw)


def write_dataset(dataset: Dataset, path: str | os.PathLike[str], format: str | None = None) -> None:
    """Write a dataset; what is at ``path`` is replaced once the new one is complete.

    Args:
        dataset: the dataset.
        path: folder or file.
        format: ``csv`` (a folder), ``xlsx`` or ``json``; by default from the ending of ``path``.

    Raises:
        InputError: an unknown format, a folder that holds other files, or more than a workbook can hold.
        StorageError: disk full, no permission; what was there before is untouched.
    """
    target = Path(path)
    format = format_of(target, format)
    if format == "csv":
        notes = _notes_of(target)
        write_folder(target, {**notes, **folder_files(dataset)})
    else:
        write_bytes(target, workbook_bytes(dataset) if format == "xlsx" else json_bytes(dataset))


def format_of(target: Path, format: str | None) -> str:
    """The format to write in (:func:`models.files.formats.asked_format`).

    Raises:
        InputError: there is no such format.
    """
    return asked_format(target, format, FORMATS, _NOT_FOLDERS)


def _notes_of(folder: Path) -> dict[str, bytes]:
    """Notes of the folder to be replaced; they stay.

    Raises:
        InputError: the folder holds something that is neither a dataset's nor a note, so replacing it would delete it.
    """
    if not os.path.isdir(folder):
        return {}
    with storage(folder, "read"):
        names = sorted(os.listdir(folder))
        own = FILES if SETTINGS_FILE in names else ()  # without its settings it is no dataset, and sites.csv is someone's own
        others = [n for n in names if n not in own and not (ignored(n) and (folder / n).is_file())]
        others += [n for n in names if n in own and not (folder / n).is_file()]
        if others:
            problem = "holds other things than a dataset: " + ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
            raise InputError([file_fault(str(folder), problem, "not_a_dataset", "a new folder, or one that holds a dataset only")])
        return {n: (folder / n).read_bytes() for n in names if n not in own}


__all__ = ["FORMATS", "dataset_from_bytes", "dataset_to_bytes", "format_of", "from_bytes", "from_plain", "read_dataset", "write_dataset"]

"""A dataset as a folder of CSV files and one dataset.toml."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.checks import RawDataset, RawTable
from models.dataset import Dataset
from models.faults import Fault, closest
from models.files.cells import cell_text, columns_to_write
from models.tables import COLUMNS, ROW_TYPES

SETTINGS_FILE = "dataset.toml"
LARGEST_FILE = 64 * 2**20
"""Largest file that is read, bytes."""
LONGEST_LINE = 2**20
"""Longest line that is read, bytes."""

FILES = (SETTINGS_FILE, *(f"{name}.csv" for name in ROW_TYPES))


def file_fault(label: str, problem: str, code: str, allowed: str = "", **more: str) -> Fault:
    """A fault of a file as a whole."""
    return Fault(label, problem, code=code, allowed=allowed, **more)


def load_file(path: Path, label: str) -> bytes | Fault:
    """Content of a file of the dataset, or why it cannot be read."""
    try:
        kind = os.stat(path)
        if stat.S_ISDIR(kind.st_mode):
            return file_fault(label, "is a folder", "not_a_file", "a file")
        if not stat.S_ISREG(kind.st_mode):
            return file_fault(label, "is not an ordinary file", "not_a_file", "a file")
        if kind.st_size > LARGEST_FILE:
            found = f"{kind.st_size / 2**20:.0f} MiB"
            return file_fault(label, f"is too large ({found})", "too_large", f"files of at most {LARGEST_FILE // 2**20} MiB")
        with open(path, "rb") as file:
            return file.read(kind.st_size)
    except OSError as error:
        return file_fault(label, f"cannot be read: {(error.strerror or str(error)).lower()}", "unreadable")


def decode(data: bytes, label: str) -> str | Fault:
    """UTF-8 text of a file, or what is wrong with its bytes."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return file_fault(label, "is UTF-16", "encoding", "UTF-8")
    for number, line in enumerate(io.BytesIO(data), start=1):
        where = f"line {number}"
        if len(line) > LONGEST_LINE:
            problem = f"the line has {len(line) / 2**20:.1f} MiB"
            return file_fault(label, problem, "too_long", f"lines of at most {LONGEST_LINE // 2**20} MiB", row=where)
        at = line.find(b"\0")
        if at >= 0:
            return file_fault(label, "holds a NUL byte; it may be UTF-16 or not a text file", "encoding", "UTF-8 text", row=where)
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            problem = f"the byte 0x{line[error.start]:02X} is not UTF-8; the file may be in another encoding, such as Latin-1"
            return file_fault(label, problem, "encoding", "UTF-8", row=where)
    return data.decode("utf-8-sig")


def parse_csv(name: str, label: str, data: bytes) -> tuple[RawTable, list[Fault]]:
    """A table from the bytes of its CSV file, with the faults of the file itself."""
    table, faults = RawTable(name, label, header_place="line 1"), list[Fault]()
    text = decode(data, label)
    if isinstance(text, Fault):
        table.readable = False
        return table, [text]
    reader, header, last = csv.reader(io.StringIO(text, newline=""), strict=True), list[str](), 0
    records: list[tuple[str, list[str]]] = []
    try:
        for cells in reader:
            place, last = f"line {last + 1}", reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if header:
                records.append((place, cells))
            else:
                header, table.header_place = [cell.strip() for cell in cells], place
    except csv.Error as error:
        problem = _quote_problem(str(error))
        faults.append(file_fault(label, problem, "bad_csv", 'fields quoted like "a, b", a quote inside doubled', row=f"line {last + 1}"))
        table.lost_rows += 1
    if not header:
        table.readable = False
        if not faults:
            wanted = ", ".join(c.name for c in COLUMNS[name]) if name in COLUMNS else "columns"
            faults.append(file_fault(label, "is empty", "empty_file", f"a header with the columns {wanted}"))
        return table, faults
    if len(header) == 1 and re.search(r"[;\t|]", header[0]):
        table.readable = False
        return table, [file_fault(label, "is not separated by commas", "bad_csv", "commas between columns", row=table.header_place)]
    faults += fill_table(table, header, [(place, list[Any](cells)) for place, cells in records])
    return table, faults


def _quote_problem(error: str) -> str:
    if "field larger than" in error:
        return f"a field is longer than {csv.field_size_limit()} characters; a quote may not be closed"
    if "unexpected end" in error:
        return "a quote is opened in this row and never closed"
    if "expected after" in error:
        return "a quote stands inside a field, or one that is opened in this row is not closed"
    return f"cannot be read as CSV ({error})"


def fill_table(table: RawTable, header: list[str], records: list[tuple[str, list[Any]]]) -> list[Fault]:
    """Put records under their header; faults for columns named twice or not at all, and for rows that do not fit."""
    faults = []
    while header and not header[-1]:
        header.pop()
    keep = []
    for at, column in enumerate(header):
        if column and column not in header[:at]:
            keep.append(at)
            continue
        if column:
            faults.append(
                file_fault(
                    table.label, "the column is there twice", "duplicate_column", "each column once", row=table.header_place, column=column
                )
            )
        elif any(len(cells) > at and not _blank(cells[at]) for _, cells in records):
            faults.append(
                file_fault(table.label, f"column {at + 1} has no name", "unnamed_column", "a column of the table", row=table.header_place)
            )
    width = len(header)
    table.columns = [header[at] for at in keep]
    for place, cells in records:
        if len(cells) > width and all(_blank(cell) for cell in cells[width:]):
            cells = cells[:width]
        if len(cells) != width:
            problem = f"has {len(cells)} cells, the header has {width}"
            faults.append(file_fault(table.label, problem, "cell_count", f"{width} cells", row=place))
            table.lost_rows += 1
            continue
        table.places.append(place)
        table.rows.append(cells if len(keep) == width else [cells[at] for at in keep])
    return faults


def _blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def parse_toml(label: str, data: bytes) -> dict[str, Any] | Fault:
    """Settings from the bytes of dataset.toml, or the fault of the file."""
    text = decode(data, label)
    if isinstance(text, Fault):
        return text
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        words = str(error)
        found = re.search(r"\(at line (\d+), column (\d+)\)", words)
        place = f"line {found[1]}" if found else "end" if "end of document" in words else ""
        problem = "is not TOML: " + re.sub(r"\s*\(at .*\)$", "", words)[:200]
        return file_fault(label, problem, "bad_toml", 'lines like name = "value"', row=place)


def _places(data: bytes | Fault) -> dict[str, str]:
    """Lines on which the settings of dataset.toml stand."""
    lines = data.splitlines() if isinstance(data, bytes) else []
    found = [(re.match(rb"\s*[\"']?([A-Za-z0-9_-]+)[\"']?\s*=", line), number) for number, line in enumerate(lines, start=1)]
    return {match[1].decode(): f"line {number}" for match, number in found if match}


def parse_folder(members: Mapping[str, bytes | Fault]) -> RawDataset:
    """A raw dataset from the files of a folder by name."""
    raw = RawDataset({}, {}, settings_label=SETTINGS_FILE, table_label="{}.csv")
    if SETTINGS_FILE not in members:
        near = closest(SETTINGS_FILE, members)
        problem = "missing file" + (f"; is {near!r} meant to be it?" if near and near not in FILES else "")
        raw.faults.append(file_fault(SETTINGS_FILE, problem, "missing_file", "the settings of the dataset"))
        raw.settings_readable = False
    for filename, data in sorted(members.items()):
        name, ending = os.path.splitext(filename)
        if filename == SETTINGS_FILE:
            settings = data if isinstance(data, Fault) else parse_toml(filename, data)
            if isinstance(settings, Fault):
                raw.faults.append(settings)
                raw.settings_readable = False
            else:
                raw.settings = settings
                raw.settings_places = _places(data)
        elif ending != ".csv":
            near = closest(filename, FILES)
            allowed = "" if near else "dataset.toml, tables as .csv, notes as .md"
            raw.faults.append(file_fault(filename, "unknown file", "unknown_file", allowed, suggestion=near))
            if near.endswith(".csv"):
                raw.tables.setdefault(near[:-4], RawTable(near[:-4], near, readable=False))
        elif isinstance(data, Fault):
            raw.faults.append(data)
            raw.tables[name] = RawTable(name, filename, readable=False)
        elif name not in ROW_TYPES:
            raw.tables[name] = RawTable(name, filename)
        else:
            raw.tables[name], faults = parse_csv(name, filename, data)
            raw.faults += faults
    return raw


def ignored(filename: str) -> bool:
    """Files beside the tables that are no part of the dataset: notes and hidden files."""
    return filename.startswith((".", "~$")) or filename.lower().endswith(".md")


def read_folder(path: Path) -> RawDataset | Fault:
    """A raw dataset from a folder, or why there is none."""
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError as error:
        return file_fault(str(path), f"cannot be read: {(error.strerror or str(error)).lower()}", "unreadable")
    members = {
        entry.name: load_file(Path(entry.path), entry.name)
        for entry in entries
        if not ignored(entry.name) and (entry.name.endswith((".csv", ".toml")) or not entry.is_dir())
    }
    if not any(name.endswith((".csv", ".toml")) for name in members):
        return file_fault(str(path), "holds no dataset", "no_dataset", "a folder with dataset.toml and one CSV file per table")
    return parse_folder(members)


def toml_text(settings: Mapping[str, Any]) -> str:
    """Settings as TOML; what is None is left out."""
    lines = []
    for key, value in settings.items():
        if value is not None:
            lines.append(f"{key} = {json.dumps(value, ensure_ascii=False) if isinstance(value, str) else cell_text(value)}")
    return "\n".join(lines) + "\n"


def folder_files(dataset: Dataset, every_column: bool = False) -> dict[str, bytes]:
    """Files of a dataset's folder by name.

    Args:
        dataset: the dataset.
        every_column: also the optional columns in which every row has the default.
    """
    files = {SETTINGS_FILE: toml_text(dataset.to_plain()["dataset"]).encode()}
    for name, row_type in ROW_TYPES.items():
        rows = dataset.table_rows(name)
        if not rows and row_type.optional_table:
            continue
        cols = COLUMNS[name] if every_column else columns_to_write(name, rows)
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([c.name for c in cols])
        writer.writerows([[cell_text(getattr(row, c.field)) for c in cols] for row in rows])
        files[f"{name}.csv"] = out.getvalue().encode()
    return files

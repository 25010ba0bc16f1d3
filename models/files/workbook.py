"""A dataset as an Excel workbook: a sheet ``dataset`` with key and value, and one sheet per table."""

from __future__ import annotations

import datetime
import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import openpyxl
import xlsxwriter
from openpyxl.utils.exceptions import InvalidFileException
from xlsxwriter.worksheet import Worksheet

from models.checks import RawDataset, RawTable
from models.columns import Column
from models.dataset import Dataset
from models.faults import Fault, InputError, closest
from models.files.cells import ExactNumber, cell_value, columns_to_write
from models.files.csv_folder import file_fault, fill_table
from models.tables import COLUMNS, ROW_TYPES

SETTINGS_SHEET = "dataset"
NOTES_SHEET = "readme"
"""A sheet that is no part of the dataset."""
LARGEST_UNPACKED = 512 * 2**20
"""Largest workbook that is read, bytes after decompression."""
LONGEST_CELL = 32_767
MOST_ROWS = 1_048_576

DAMAGED = (
    zipfile.BadZipFile, zlib.error, InvalidFileException, ElementTree.ParseError, LookupError, ValueError, TypeError,
    AttributeError, ArithmeticError, OSError, EOFError, RuntimeError, AssertionError,
)  # fmt: skip
"""What the libraries raise on a damaged workbook."""

_ESCAPED = re.compile(r"_x(000[9AaDd])_")
_BAD_WORKBOOK = "an Excel workbook (.xlsx)"


def parse_workbook(label: str, data: bytes) -> RawDataset | Fault:
    """A raw dataset from the bytes of a workbook, or why there is none."""
    if not data:
        return file_fault(label, "is empty", "empty_file", _BAD_WORKBOOK)
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        return file_fault(label, "is an old .xls file or has a password", "bad_workbook", _BAD_WORKBOOK)
    try:
        formulas = _formulas(data)
        sheets = _cells_of(data)
        without_value = _formulas_without_value(data, sheets) if formulas else []
    except _TooLargeError as error:
        return file_fault(label, str(error), "too_large", f"at most {LARGEST_UNPACKED // 2**20} MiB unpacked, {MOST_ROWS} rows a sheet")
    except DAMAGED as error:
        return file_fault(label, f"cannot be read as a workbook ({type(error).__name__})", "bad_workbook", _BAD_WORKBOOK)
    raw = RawDataset({}, {}, settings_label=f"sheet {SETTINGS_SHEET}", table_label="sheet {}")
    for sheet, place in without_value:
        problem = "a formula without a value; open and save the workbook in a spreadsheet program"
        raw.faults.append(file_fault(f"sheet {sheet}", problem, "formula", "a value", row=place))
    if SETTINGS_SHEET not in sheets:
        near = closest(SETTINGS_SHEET, [s for s in sheets if s not in ROW_TYPES])
        problem = "missing sheet" + (f"; is {near!r} meant to be it?" if near else "")
        raw.faults.append(file_fault(f"sheet {SETTINGS_SHEET}", problem, "missing_file", "columns key and value with the settings"))
        raw.settings_readable = False
    for name, rows in sheets.items():
        if name == SETTINGS_SHEET:
            _settings(raw, rows)
        elif name in ROW_TYPES:
            raw.tables[name] = _table(raw, name, rows)
        elif name != NOTES_SHEET:
            raw.tables[name] = RawTable(name, f"sheet {name}")
    return raw


class _TooLargeError(Exception):
    """A workbook that grows too large when unpacked."""


def _formulas(data: bytes) -> bool:
    """Whether a sheet has formulas; checks the unpacked size on the way."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        total = sum(info.file_size for info in infos)
        if total > LARGEST_UNPACKED:
            raise _TooLargeError(f"is too large ({total / 2**20:.0f} MiB unpacked)")
        sheets = [info for info in infos if info.filename.startswith("xl/worksheets/") and info.filename.endswith(".xml")]
        return any(re.search(rb"<(\w+:)?f[ >/]", archive.read(info)) for info in sheets)


Rows = list[tuple[int, list[Any]]]
"""Rows of a sheet that hold anything, with their number on the sheet."""


def _cells_of(data: bytes, values: bool = True) -> dict[str, Rows]:
    """Cells of each sheet, as values (or as formulas)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=values)
        found: dict[str, Rows] = {}
        for sheet in book.worksheets:
            sheet.reset_dimensions()
            rows = found.setdefault(sheet.title, [])
            for number, row in enumerate(sheet.iter_rows(), start=1):
                if number > MOST_ROWS:  # a damaged row number would otherwise be filled up with empty rows
                    raise _TooLargeError(f"has more than {MOST_ROWS} rows on the sheet {sheet.title}")
                cells = [_unescaped(cell.value) for cell in row]
                if any(cell is not None and str(cell).strip() for cell in cells):
                    rows.append((number, cells))
        book.close()
    return found


def _unescaped(value: Any) -> Any:
    """Text with escaped line ends resolved (the file format writes ``_x000D_``); dates without their midnight."""
    if isinstance(value, str) and "_x" in value:
        return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date()
    return value


def _formulas_without_value(data: bytes, sheets: Mapping[str, Rows]) -> list[tuple[str, str]]:
    found = []
    for name, rows in _cells_of(data, values=False).items():
        values = dict(sheets[name])
        for number, row in rows:
            for at, cell in enumerate(row):
                is_formula = isinstance(cell, str) and cell.startswith("=") and len(cell) > 1
                shown = values.get(number, [])[at : at + 1]
                if is_formula and shown in ([], [None]):
                    found.append((name, f"row {number}"))
    return found


def _table(raw: RawDataset, name: str, records: Rows) -> RawTable:
    table = RawTable(name, f"sheet {name}", header_place="row 1")
    if not records:
        table.readable = False
        wanted = ", ".join(c.name for c in COLUMNS[name])
        raw.faults.append(file_fault(table.label, "is empty", "empty_file", f"a header with the columns {wanted}"))
        return table
    (first, header), *body = records
    table.header_place = f"row {first}"
    names = ["" if cell is None else str(cell).strip() for cell in header]
    while names and not names[-1]:
        names.pop()
    padded = [(f"row {n}", [*row, *[None] * (len(names) - len(row))]) for n, row in body]
    raw.faults += fill_table(table, names, padded)
    return table


def _settings(raw: RawDataset, records: Rows) -> None:
    settings, places = dict[str, Any](), dict[str, str]()
    header = [str(cell).strip() for cell in records[0][1][:2]] if records else []
    if header != ["key", "value"]:
        raw.faults.append(
            file_fault(raw.settings_label, "has no header key, value", "bad_settings", "the columns key and value", row="row 1")
        )
        raw.settings_readable = False
        return
    for number, row in records[1:]:
        key = "" if row[0] is None else str(row[0]).strip()
        if key in settings:
            raw.faults.append(file_fault(raw.settings_label, "the key is there twice", "duplicate_key", row=f"row {number}", column=key))
        elif not key:
            raw.faults.append(file_fault(raw.settings_label, "a value without a key", "bad_settings", "a setting", row=f"row {number}"))
        else:
            settings[key] = row[1] if len(row) > 1 else None
            places[key] = f"row {number}"
    raw.settings, raw.settings_places = settings, places


def workbook_bytes(dataset: Dataset, notes: Mapping[str, Mapping[str, str]] | None = None) -> bytes:
    """A dataset as a workbook.

    Args:
        dataset: the dataset.
        notes: comments on header cells by sheet and column; with them every table and column is written.

    Raises:
        InputError: a table or text larger than a workbook can hold.
    """
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    book.set_properties({"title": dataset.name, "created": datetime.datetime(2000, 1, 1)})
    bold = book.add_format({"bold": True, "bottom": 1})
    faults: list[Fault] = []
    settings = dataset.to_plain()["dataset"]
    sheet = _sheet(book, SETTINGS_SHEET, ["key", "value"], bold, {})
    for number, (key, value) in enumerate((k, v) for k, v in settings.items() if v is not None or notes):
        _put(sheet, number + 1, 0, key, faults, SETTINGS_SHEET)
        _put(sheet, number + 1, 1, value, faults, SETTINGS_SHEET)
        if notes and key in notes.get(SETTINGS_SHEET, {}):
            _note(sheet, number + 1, 0, notes[SETTINGS_SHEET][key])
    for name, row_type in ROW_TYPES.items():
        rows = dataset.table_rows(name)
        if not rows and row_type.optional_table and not notes:
            continue
        if len(rows) >= MOST_ROWS:
            faults.append(file_fault(f"sheet {name}", f"has {len(rows)} rows", "too_large", f"at most {MOST_ROWS - 1} rows in a workbook"))
            continue
        cols: list[Column] = list(COLUMNS[name]) if notes else columns_to_write(name, rows)
        sheet = _sheet(book, name, [c.name for c in cols], bold, (notes or {}).get(name, {}))
        for number, row in enumerate(rows, start=1):
            for at, column in enumerate(cols):
                _put(sheet, number, at, getattr(row, column.field), faults, name)
    book.close()
    if faults:
        raise InputError(faults)
    return out.getvalue()


def _sheet(book: xlsxwriter.Workbook, name: str, header: list[str], bold: Any, notes: Mapping[str, str]) -> Worksheet:
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 0)
    for at, column in enumerate(header):
        sheet.write_string(0, at, column, bold)
        sheet.set_column(at, at, max(10, len(column) + 2))
        if column in notes:
            _note(sheet, 0, at, notes[column])
    return sheet


def _note(sheet: Worksheet, row: int, column: int, text: str) -> None:
    sheet.write_comment(row, column, text, {"x_scale": 2.5, "y_scale": 1.5, "author": ""})


def _put(sheet: Worksheet, row: int, column: int, value: Any, faults: list[Fault], name: str) -> None:
    cell = cell_value(value)
    if isinstance(cell, str):
        if len(cell) > LONGEST_CELL:
            problem = f"a cell has {len(cell)} characters"
            allowed = f"at most {LONGEST_CELL} characters in a workbook"
            faults.append(file_fault(f"sheet {name}", problem, "too_long", allowed, row=f"row {row + 1}"))
        else:
            sheet.write_string(row, column, cell)
    elif cell is not None:
        sheet.write_number(row, column, ExactNumber(cell))

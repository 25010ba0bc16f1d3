"""A plan as an Excel workbook: a sheet ``summary`` with key and value, and one sheet per table."""

from __future__ import annotations

import datetime
import io
import json
import re
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any

import openpyxl
import xlsxwriter

from models.checks.raw import RawTable
from models.faults import Fault, InputError, PlanError, closest
from models.files.cells import ExactNumber
from models.files.csv_folder import fill_table
from models.files.workbook import DAMAGED, LARGEST_UNPACKED, LONGEST_CELL, MOST_ROWS, NOTES_SHEET
from models.plan_cells import FILE_COLUMNS

SUMMARY_SHEET = "summary"
_WORKBOOK = "an Excel workbook (.xlsx)"
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_CELL = f"in a workbook at most {LONGEST_CELL} characters, none written as _xHHHH_"
_JSON_START = ("{", "[", '"')


def workbook_bytes(summary: Mapping[str, Any], tables: Mapping[str, Mapping[str, list[Any]]], title: str) -> bytes:
    """A plan as a workbook.

    Args:
        summary: the summary as plain JSON values.
        tables: columns of every table, as ``plan_cells.plain_columns`` gives them.
        title: title of the document.

    Raises:
        InputError: a table or text larger than a workbook can hold.
    """
    out, faults = io.BytesIO(), list[Fault]()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    book.set_properties({"title": title, "created": datetime.datetime(2000, 1, 1)})
    bold = book.add_format({"bold": True, "bottom": 1})
    pairs = summary_rows(summary)
    sheets = {SUMMARY_SHEET: {"key": [k for k, _ in pairs], "value": [v for _, v in pairs]}, **tables}
    for name, found in sheets.items():
        sheet = book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        for at, (column, cells) in enumerate(found.items()):
            sheet.write_string(0, at, column, bold)
            sheet.set_column(at, at, max(10, len(column) + 2))
            if len(cells) >= MOST_ROWS:
                allowed = f"at most {MOST_ROWS - 1} rows in a workbook"
                faults.append(Fault(f"sheet {name}", f"has {len(cells)} rows", column=column, allowed=allowed, code="too_large"))
                continue
            for number, cell in enumerate(cells, start=1):
                problem = _cannot_hold(cell) if isinstance(cell, str) else ""
                if problem:
                    faults.append(Fault(f"sheet {name}", problem, row=f"row {number + 1}", column=column, allowed=_CELL, code="bad_text"))
                elif isinstance(cell, str):
                    sheet.write_string(number, at, cell)
                elif isinstance(cell, bool):
                    sheet.write_boolean(number, at, cell)
                elif cell in (float("inf"), float("-inf")):
                    sheet.write_string(number, at, repr(cell))
                elif cell is not None:
                    sheet.write_number(number, at, ExactNumber(cell))
    book.close()
    if faults:
        raise InputError(faults)
    return out.getvalue()


def _cannot_hold(text: str) -> str:
    """Why a workbook cannot hold a text, or an empty text if it can."""
    if len(text) > LONGEST_CELL:
        return f"a cell has {len(text)} characters"
    found = _ESCAPED.search(text)
    return f"a cell has the text {found[0]}, which would read back as another character" if found else ""


def summary_rows(summary: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Rows key, value of a summary; a group's entries as ``group.entry``, lists and deeper groups as JSON text."""
    rows: list[tuple[str, Any]] = []
    for key, value in summary.items():
        if isinstance(value, Mapping) and value:
            rows += [(f"{key}.{entry}", _as_cell(inner)) for entry, inner in value.items()]
        else:
            rows.append((key, _as_cell(value)))
    return rows


def _as_cell(value: Any) -> Any:
    if isinstance(value, (Mapping, list)) or (isinstance(value, str) and value.startswith(_JSON_START)):
        return json.dumps(value, ensure_ascii=False)
    return value


def parse_workbook(label: str, data: bytes) -> tuple[dict[str, Any], dict[str, RawTable], list[Fault]]:
    """Summary and raw tables from the bytes of a workbook, with the faults of its sheets.

    Raises:
        PlanError: it is not a workbook, or holds no plan.
    """
    if not data:
        raise PlanError([Fault(label, "is empty", allowed=_WORKBOOK, code="empty_file")])
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise PlanError([Fault(label, "is an old .xls file or has a password", allowed=_WORKBOOK, code="bad_workbook")])
    try:
        sheets = _sheets(data, label)
    except DAMAGED as error:
        problem = f"cannot be read as a workbook ({type(error).__name__})"
        raise PlanError([Fault(label, problem, allowed=_WORKBOOK, code="bad_workbook")]) from error
    if SUMMARY_SHEET not in sheets:
        problem = "holds a dataset, not a plan" if "dataset" in sheets else "holds no plan: the sheet summary is missing"
        near = closest(SUMMARY_SHEET, [s for s in sheets if s not in FILE_COLUMNS])
        allowed = "" if near else "a workbook with the sheet summary and one sheet per table"
        suggestion = f"{near} -> {SUMMARY_SHEET}" if near else ""
        raise PlanError([Fault(label, problem, allowed=allowed, suggestion=suggestion, code="no_plan")])
    faults: list[Fault] = []
    summary = _summary(sheets.pop(SUMMARY_SHEET), faults)
    tables: dict[str, RawTable] = {}
    for name, rows in sheets.items():
        if name == NOTES_SHEET:
            continue
        tables[name] = RawTable(name, f"sheet {name}")
        if name in FILE_COLUMNS:
            faults += _fill(tables[name], rows)
    return summary, tables, faults


Rows = list[tuple[int, list[Any]]]
"""Rows of a sheet that hold anything, with their number on the sheet."""


def _sheets(data: bytes, label: str) -> dict[str, Rows]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        total = sum(info.file_size for info in archive.infolist())
    if total > LARGEST_UNPACKED:
        allowed = f"at most {LARGEST_UNPACKED // 2**20} MiB unpacked"
        raise PlanError([Fault(label, f"is too large ({total / 2**20:.0f} MiB unpacked)", allowed=allowed, code="too_large")])
    found: dict[str, Rows] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        for sheet in book.worksheets:
            sheet.reset_dimensions()
            rows = found.setdefault(sheet.title, [])
            for number, row in enumerate(sheet.iter_rows(), start=1):
                if number > MOST_ROWS:  # a damaged row number would otherwise be filled up with empty rows
                    problem = f"has more than {MOST_ROWS} rows on the sheet {sheet.title}"
                    raise PlanError([Fault(label, problem, allowed=f"at most {MOST_ROWS} rows a sheet", code="too_large")])
                cells = [_unescaped(cell.value) for cell in row]
                if any(cell is not None and str(cell).strip() for cell in cells):
                    rows.append((number, cells))
        book.close()
    return found


def _unescaped(value: Any) -> Any:
    """Text with its escaped characters resolved; the file format writes a line end as ``_x000D_``."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value) if isinstance(value, str) and "_x" in value else value


def _fill(table: RawTable, rows: Rows) -> list[Fault]:
    if not rows:
        table.readable = False
        allowed = "a header with the columns " + ", ".join(c.name for c in FILE_COLUMNS[table.name])
        return [Fault(table.label, "is empty", allowed=allowed, code="empty_file")]
    (first, header), *body = rows
    table.header_place = f"row {first}"
    names = ["" if cell is None else str(cell).strip() for cell in header]
    while names and not names[-1]:
        names.pop()
    return fill_table(table, names, [(f"row {n}", [*row, *[None] * (len(names) - len(row))]) for n, row in body])


def _summary(rows: Rows, faults: list[Fault]) -> dict[str, Any]:
    """The summary as nested plain values."""
    label, found = f"sheet {SUMMARY_SHEET}", dict[str, Any]()
    header = [str(cell).strip() for cell in rows[0][1][:2]] if rows else []
    if header != ["key", "value"]:
        faults.append(Fault(label, "has no header key, value", row="row 1", allowed="the columns key and value", code="bad_summary"))
        return found
    for number, row in rows[1:]:
        key, value = str(row[0] or "").strip(), row[1] if len(row) > 1 else None
        group, dot, entry = key.partition(".")
        inside = found.setdefault(group, {}) if dot else found
        if not key or not isinstance(inside, dict) or (entry if dot else group) in inside:
            problem = "the key is there twice" if key else "a value without a key"
            faults.append(Fault(label, problem, row=f"row {number}", column=key, allowed="each key once", code="duplicate_key"))
            continue
        inside[entry if dot else group] = _from_cell(value)
    return found


def _from_cell(value: Any) -> Any:
    """JSON text as what it says; text that is no JSON stays, for the check of the summary to name."""
    if isinstance(value, str) and value.startswith(_JSON_START):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value

"""A sheet of the workbook: one table under one head, with marks and charts; how it is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from batch.export.cells import Amount, money_unit, number_format, shown_length, text
from models.faults import Fault, InputError
from models.files.cells import ExactNumber
from models.files.workbook import MOST_ROWS

HEAD = {"bold": True, "bottom": 1, "bg_color": "#EDF2F7", "font_color": "#1A202C", "valign": "vcenter"}
TONES: dict[str, dict[str, str]] = {
    "bad": {"bg_color": "#FBD5D5", "font_color": "#7F1D1D"},
    "tight": {"bg_color": "#FDE7C7", "font_color": "#7A4A06"},
    "good": {"bg_color": "#D5EFDF", "font_color": "#14532D"},
    "faint": {"font_color": "#8A94A3"},
}
"""Looks of a mark: what is late or lost, what is tight, what is gained, what may be no difference at all."""
NARROWEST, WIDEST = 9, 64


@dataclass(frozen=True)
class Col:
    """A column.

    Attributes:
        name: as in the tables of a plan, for people and programs alike.
        meaning: the note on its head.
        unit: of its numbers, empty for text; ``by row`` where each row has its own.
    """

    name: str
    meaning: str
    unit: str = "text"


@dataclass(frozen=True)
class Mark:
    """A conditional format.

    Attributes:
        columns: which cells of a row get it.
        tone: a key of ``TONES``, or ``bar`` for bars as long as the numbers.
        when: a formula over cells of the row, each as ``[column]``; empty for bars.
    """

    columns: Sequence[str]
    tone: Literal["bad", "tight", "good", "faint", "bar"]
    when: str = ""


@dataclass(frozen=True)
class Sheet:
    """A table on a sheet of its own.

    Attributes:
        name: of the sheet, at most 31 characters.
        about: what it holds, for the list of sheets.
        columns: its columns.
        rows: cells in the order of the columns.
        marks: conditional formats.
        frozen: columns that stay when the sheet is scrolled sideways.
    """

    name: str
    about: str
    columns: Sequence[Col]
    rows: Sequence[Sequence[Any]]
    marks: Sequence[Mark] = ()
    frozen: int = 1

    def at(self, column: str) -> int:
        """Where a column stands, from 0.

        Raises:
            KeyError: there is none of this name.
        """
        for n, col in enumerate(self.columns):
            if col.name == column:
                return n
        raise KeyError(column)


@dataclass
class Book:
    """The workbook as it is written; formats are made once each."""

    book: xlsxwriter.Workbook
    _formats: dict[tuple[tuple[str, Any], ...], Format] = field(default_factory=dict)

    def look(self, **properties: Any) -> Format:
        """The format with these properties."""
        key = tuple(sorted(properties.items()))
        if key not in self._formats:
            self._formats[key] = self.book.add_format(properties)
        return self._formats[key]

    def page(self, name: str) -> Worksheet:
        """A new sheet, set up to print on pages across."""
        page = self.book.add_worksheet(name)
        page.set_landscape()
        page.set_paper(9)  # A4
        page.fit_to_pages(1, 0)
        page.hide_gridlines(1)
        return page

    def write(self, page: Worksheet, sheet: Sheet) -> None:
        """Write a table: head with notes, frozen and filtered; columns as wide as what they show.

        Raises:
            InputError: more rows than a sheet can hold.
        """
        if len(sheet.rows) >= MOST_ROWS:
            allowed = f"at most {MOST_ROWS - 1} rows in a workbook"
            raise InputError([Fault(f"sheet {sheet.name}", f"has {len(sheet.rows)} rows", allowed=allowed, code="too_large")])
        page.freeze_panes(1, sheet.frozen)
        page.repeat_rows(0)
        page.set_row(0, 20)
        widths = [len(col.name) + 4 for col in sheet.columns]
        units = _units(sheet)
        for at, col in enumerate(sheet.columns):
            place = {"align": "left", "indent": min(at, 1)} if col.unit == "text" else {"align": "right"}
            page.write_string(0, at, col.name, self.look(**HEAD, **place))
            note = col.meaning + (f" [{col.unit}]" if col.unit not in ("text", "by row", "by value") else "")
            page.write_comment(0, at, note, {"x_scale": 2.0, "author": ""})
        for number, row in enumerate(sheet.rows, start=1):
            for at, (value, unit) in enumerate(zip(row, units, strict=True)):
                widths[at] = max(widths[at], self._cell(page, number, at, value, unit))
        for at, width in enumerate(widths):
            page.set_column(at, at, max(NARROWEST, min(width, WIDEST)))
        last = max(1, len(sheet.rows))
        page.autofilter(0, 0, last, len(sheet.columns) - 1)
        page.ignore_errors({"number_stored_as_text": f"A1:{xl_col_to_name(len(sheet.columns) - 1)}{last + 1}"})
        for mark in sheet.marks if sheet.rows else ():
            self._mark(page, sheet, mark, last)

    def _cell(self, page: Worksheet, row: int, at: int, value: Any, unit: str) -> int:
        """Write a cell; returns its width in characters."""
        if isinstance(value, Amount):
            value, unit = value.value, value.unit
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return 0
        if unit == "text" or isinstance(value, str):
            found = text(value)
            wrap = {"text_wrap": True} if len(found) > WIDEST else {}
            page.write_string(row, at, found, self.look(valign="top", align="left", indent=min(at, 1), **wrap))
            return len(found) + 2
        amount = float(value)
        if math.isinf(amount):
            page.write_string(row, at, "no limit", self.look(align="right", valign="top", **TONES["faint"]))
            return 9
        exact = int(value) if amount.is_integer() and abs(amount) < 2**53 else amount
        page.write_number(row, at, ExactNumber(exact), self.look(num_format=number_format(unit), valign="top"))
        return shown_length(amount, unit) + 2

    def _mark(self, page: Worksheet, sheet: Sheet, mark: Mark, last: int) -> None:
        formula = mark.when
        for at, col in enumerate(sheet.columns):
            formula = formula.replace(f"[{col.name}]", f"${xl_col_to_name(at)}2")
        for column in mark.columns:
            at = sheet.at(column)
            if mark.tone == "bar":
                rule: dict[str, Any] = {"type": "data_bar", "bar_color": "#9DBFE3"}
                if sheet.columns[at].unit == "share":
                    rule |= {"min_type": "num", "min_value": 0, "max_type": "num", "max_value": 1}
            else:
                rule = {"type": "formula", "criteria": f"={formula}", "format": self.look(**TONES[mark.tone])}
            page.conditional_format(1, at, last, at, rule)


def _units(sheet: Sheet) -> list[str]:
    """Unit of each column as it is shown: all money of a sheet in one that suits it."""
    money = [at for at, col in enumerate(sheet.columns) if col.unit == "USD"]
    usd = money_unit(row[at] for row in sheet.rows for at in money)
    return [usd if col.unit == "USD" else col.unit for col in sheet.columns]

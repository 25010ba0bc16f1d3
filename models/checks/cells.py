"""Checks of single cells: what the schema says of each column, turned into converters."""

from __future__ import annotations

import datetime
import math
import re
import unicodedata
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, get_args

import numpy as np

from models.calendar import EXAMPLE, PeriodKind, ordinal
from models.checks.raw import shown
from models.columns import ID_PATTERN, Column
from models.faults import closest
from models.tables import Row, Settings

LARGEST = 1e15
"""Largest number in a cell: beyond it a double no longer tells units apart."""
LONGEST_TEXT = 32_767
"""Longest text in a cell: what a workbook cell can hold."""

_ID = re.compile(ID_PATTERN.strip("^$"))
_NUMBERS = (int, float, np.integer, np.floating)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NOT_FINITE = {"nan", "inf", "infinity", "#n/a", "#div/0!", "#num!", "#value!", "#ref!", "#name?", "#null!"}
_XML_FORBIDS = {"\ufffe", "\uffff"}

Convert = Callable[[Any], Any]


class Bad:
    """Marks a cell whose value is not known because it has a fault."""

    def __repr__(self) -> str:
        return "BAD"


BAD = Bad()


class CellError(Exception):
    """What is wrong with one cell."""

    def __init__(self, problem: str, code: str, allowed: str = "", suggestion: str = "") -> None:
        super().__init__(problem)
        self.problem, self.code, self.allowed, self.suggestion = problem, code, allowed, suggestion


def is_empty(cell: Any) -> bool:
    """Whether nothing is given: None, blank text, or a list without entries."""
    return cell is None or (isinstance(cell, str) and not cell.strip()) or (isinstance(cell, (list, tuple)) and not cell)


def to_text(cell: Any, allowed: str = "text") -> str:
    """Text of a cell; whole numbers count as text, as a spreadsheet turns ``2026`` into a number.

    Raises:
        CellError: not text, or characters that not every file format can hold.
    """
    if isinstance(cell, bool) or not isinstance(cell, (str, *_NUMBERS)):
        raise CellError("is not text", "not_text", allowed)
    if not isinstance(cell, str):
        if isinstance(cell, (float, np.floating)) and not float(cell).is_integer():
            raise CellError("is a number, not text", "not_text", allowed)
        return str(int(cell))
    text = cell.strip()
    if not (text.isprintable() and text.isascii()):
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        strange = [ch for ch in text if (unicodedata.category(ch) in ("Cc", "Cs") and ch not in "\n\t") or ch in _XML_FORBIDS]
        if strange:
            raise CellError(f"has the control character U+{ord(strange[0]):04X}", "control_character", "printable text")
    if len(text) > LONGEST_TEXT:
        raise CellError(f"has {len(text)} characters", "too_long", f"text of at most {LONGEST_TEXT} characters")
    return text


def _text(column: Column) -> Convert:
    return lambda cell: to_text(cell, column.allowed)


def _id(column: Column) -> Convert:
    def convert(cell: Any) -> str:
        text = to_text(cell, column.allowed)
        if not _ID.fullmatch(text):
            raise CellError("is not an id", "bad_id", column.allowed, _as_id(text))
        return text

    return convert


def _as_id(text: str) -> str:
    """The id that a person may have meant by this text."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_-]+", "-", plain).strip("-")


def _period(kind: PeriodKind | None) -> Convert:
    def convert(cell: Any) -> str:
        allowed = f"a {kind.value} written like {EXAMPLE[kind]}" if kind else "a period such as " + ", ".join(EXAMPLE.values())
        if isinstance(cell, datetime.date) and kind is PeriodKind.MONTH and cell.day == 1:
            return f"{cell.year:04d}-{cell.month:02d}"  # spreadsheets turn 2026-03 into a date
        text = to_text(cell, allowed) if not isinstance(cell, datetime.date) else ""
        for candidate in [kind] if kind else list(PeriodKind):
            try:
                ordinal(text, candidate)
            except ValueError:
                continue
            return text
        raise CellError("is not a period of this dataset", "bad_period", allowed)

    return convert


def _number(column: Column) -> Convert:
    low, high, whole, low_open, allowed = column.low, column.high, column.kind == "integer", column.low_open, column.allowed

    def convert(cell: Any) -> float | int:
        value = _plain_number(cell, allowed)
        if value < low or (low_open and value == low):
            negative = value < 0 <= low
            raise CellError("is negative" if negative else "is too small", "negative" if negative else "out_of_range", allowed)
        if value > high:
            raise CellError("is too large", "out_of_range", allowed)
        if abs(value) > LARGEST:
            raise CellError("is too large", "out_of_range", f"{allowed}, at most {LARGEST:g}")
        if not whole:
            return value
        if not value.is_integer():
            raise CellError("is not a whole number", "not_whole", allowed)
        return int(value)

    return convert


def _plain_number(cell: Any, allowed: str) -> float:
    """The finite number of a cell, from a number or its text."""
    if isinstance(cell, str):
        text = cell.strip()
        if not _NUMBER.fullmatch(text):
            if text.lower().lstrip("+-") in _NOT_FINITE:
                raise CellError("is not a finite number", "not_finite", allowed)
            hint = " (decimal point, no separators)" if re.fullmatch(r"[0-9][0-9., ']*", text) else ""
            raise CellError("is not a number", "not_a_number", allowed + hint)
        value = float(text)
    elif isinstance(cell, _NUMBERS) and not isinstance(cell, bool):
        try:
            value = float(cell)
        except OverflowError:
            value = math.inf
    else:
        raise CellError("is not a number", "not_a_number", allowed)
    if not math.isfinite(value):
        raise CellError("is not a finite number", "not_finite", allowed)
    return value


def _choice(column: Column, enum: type[StrEnum]) -> Convert:
    members = {str(member.value): member for member in enum}

    def convert(cell: Any) -> StrEnum:
        text = to_text(cell, column.allowed)
        if text not in members:
            raise CellError("is unknown", "unknown_choice", column.allowed, closest(text.lower(), members))
        return members[text]

    return convert


def _list(column: Column) -> Convert:
    ids = column.kind == "ids"

    def convert(cell: Any) -> tuple[str, ...]:
        parts: Iterable[Any] = cell if isinstance(cell, (list, tuple)) else to_text(cell, column.allowed).split(";")
        found = []
        for part in parts:
            text = to_text(part, column.allowed)
            if not text:
                continue
            if ids and not _ID.fullmatch(text):
                raise CellError(f"has {shown(text)!r}, which is not an id", "bad_id", column.allowed, _as_id(text))
            if ";" in text:
                raise CellError(f"has {shown(text)!r}, an entry with a semicolon", "bad_list", column.allowed)
            if text in found:
                raise CellError(f"names {text!r} twice", "duplicate_entry", column.allowed)
            found.append(text)
        return tuple(found)

    return convert


def _enum_of(row: type[Row | Settings], column: Column) -> type[StrEnum]:
    annotation = row.model_fields[column.field].annotation
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, StrEnum):
            return candidate
    raise TypeError(f"no choices for {column.name}")


def converter(row: type[Row | Settings], column: Column, kind: PeriodKind | None) -> Convert:
    """The function that turns a cell of this column into its value, or raises ``CellError``.

    Args:
        row: row type that has the column.
        column: the column.
        kind: period kind of the dataset, None if it is not known.
    """
    if column.kind == "choice":
        convert = _choice(column, _enum_of(row, column))
    elif column.kind in ("number", "integer"):
        convert = _number(column)
    elif column.kind in ("ids", "texts"):
        convert = _list(column)
    elif column.period:
        convert = _period(kind)
    else:
        convert = _id(column) if column.kind == "id" else _text(column)
    required, default, allowed = column.required, column.default, column.allowed

    def cell_or_default(cell: Any) -> Any:
        if is_empty(cell):
            if required:
                raise CellError("is empty", "missing_value", allowed)
            return default
        return convert(cell)

    return cell_or_default

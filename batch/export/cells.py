"""What stands in a cell: text that no program takes for a formula, and numbers that show their unit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from models.files.workbook import LONGEST_CELL

MILLIONS = "million USD"
"""Unit in which large money is shown; the cell holds USD."""
LARGE_USD = 1e8
"""Money of a sheet is shown in millions from this largest amount on."""
_STARTS = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
"""What spreadsheet programs take for the beginning of a formula, also in its full-width forms."""
_SUFFIX: dict[str, tuple[int, str]] = {
    "USD": (0, " USD"), MILLIONS: (1, " M USD"), "USD per GPU-hour": (4, " USD"), "MW": (2, " MW"), "MW IT": (2, " MW"), "MWh": (0, " MWh"),
    "racks": (0, " racks"), "GPUs": (0, " GPUs"), "contract GPUs": (0, " GPUs"), "contract GPUs x periods": (0, ""), "m3": (0, " m³"),
    "tonnes CO2": (0, " t CO2"), "s": (1, " s"), "periods": (0, ""), "number": (0, ""), "ms": (1, " ms"),
}  # fmt: skip
"""Digits after the point and what follows a number, by unit. Contract GPUs are told from GPUs by the note on the head."""

_PLAIN: dict[str, tuple[str, int]] = {"share": ("0.00%", 8), "year": ("0", 4), "relative": ("0.0E+00", 8), "by value": ("General", 14)}
"""Number format and width of what has no unit to show."""


@dataclass(frozen=True)
class Amount:
    """A number with a unit of its own, for sheets on which each row has another."""

    value: float | None
    unit: str


def number_format(unit: str) -> str:
    """Number format of a unit; a dash for 0, so that what there is stands out.

    Raises:
        KeyError: a unit that has no format.
    """
    if unit in _PLAIN:
        return _PLAIN[unit][0]
    digits, suffix = _SUFFIX[unit]
    shown = "#,##0" + ("." + "0" * digits if digits else "") + (",," if unit == MILLIONS else "") + (f'"{suffix}"' if suffix else "")
    return f'{shown};-{shown};"–"'


def shown_length(value: float, unit: str) -> int:
    """Characters of a number as its format shows it."""
    if unit in _PLAIN:
        return _PLAIN[unit][1]
    digits, suffix = _SUFFIX[unit]
    return len(f"{value / (1e6 if unit == MILLIONS else 1.0):,.{digits}f}{suffix}")


def money_unit(amounts: Iterable[float | None], large: float = LARGE_USD) -> str:
    """The unit that suits all money of a sheet: millions from this largest amount on, USD."""
    return MILLIONS if max((abs(a) for a in amounts if a is not None and math.isfinite(a)), default=0.0) >= large else "USD"


def text(value: Any) -> str:
    """Text as a cell holds it.

    What a spreadsheet program could take for a formula, also once the sheet is saved as CSV, gets an apostrophe before it. Text longer
    than a cell can hold ends with how long it was.
    """
    found = "" if value is None else str(value)
    first = found.lstrip()[:1]
    if first in _STARTS or found[:1] in ("\t", "\r", "\n"):
        found = f"'{found}"
    if len(found) > LONGEST_CELL:
        rest = f" ... ({len(found)} characters)"
        found = found[: LONGEST_CELL - len(rest)] + rest
    return found

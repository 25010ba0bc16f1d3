"""Figures in words, as the report prints them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from benchmarks.measures import AtLeast, spread

NONE = "–"
"""What was not measured, or is no figure."""


def number(value: float) -> str:
    """Three figures that count: 0.123, 4.57, 12.3, 456, 7,890."""
    if not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    places = min(3, max(0, 2 - math.floor(math.log10(abs(value)) + 1e-9)))
    return f"{value:,.{places}f}"


def percent(value: float) -> str:
    """A share as a percentage of two places; none where there is no plan or no bound."""
    return f"{value:.2%}".replace("%", " %") if math.isfinite(value) else NONE


def spread_of(values: Sequence[float], way: str = "number") -> str:
    """Median, with quartiles in brackets if there are several values that differ."""
    if not values:
        return NONE
    write = percent if way == "percent" else number
    s = spread(values)
    text = write(s.median)
    return text if s.count == 1 or write(s.low) == write(s.high) == text else f"{text} ({write(s.low)} to {write(s.high)})"


def seconds(values: Sequence[float], budget: float) -> str:
    """Median time and quartiles; ``> budget`` where the gap was not reached in time."""
    if not values:
        return NONE

    def write(value: float) -> str:
        return number(value) if math.isfinite(value) else f"> {budget:g}"

    s = spread(values)
    text = write(s.median)
    return text if s.count == 1 or write(s.low) == write(s.high) == text else f"{text} ({write(s.low)} to {write(s.high)})"


def least(value: AtLeast | None, unit: str = "") -> str:
    """A figure, or ``≥`` its lower limit."""
    return NONE if value is None or not math.isfinite(value.value) else f"{'' if value.exact else '≥ '}{number(value.value)}{unit}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown; numbers to the right, the first column to the left."""
    lines = [list(head), ["---", *["---:"] * (len(head) - 1)], *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def names(values: Iterable[object]) -> str:
    """Values once each, in order, joined by commas."""
    return ", ".join(dict.fromkeys(str(value) for value in values))

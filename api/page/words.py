"""Figures as the page writes them; what is not known is a dash."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

NONE = "–"
SIZES = ((1e9, "billion"), (1e6, "million"))


def _known(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def money(usd: float | None) -> str:
    """Dollars in the unit that suits their size."""
    if not _known(usd) or usd is None:
        return NONE
    size, unit = next(((size, unit) for size, unit in SIZES if abs(usd) >= size), (1.0, ""))
    digits = 2 if unit else 0
    return f"{usd / size + 0.0:,.{digits}f} {unit} USD".replace("  ", " ").replace("-", "−")


def signed(text: str) -> str:
    """A difference with its sign."""
    return text if text.startswith("−") or not any("1" <= mark <= "9" for mark in text) else f"+{text}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share in per cent; what is not all of it never reads 100."""
    if not _known(share) or share is None:
        return NONE
    text = f"{100 * share:.{digits}f}"
    if share < 1 and float(text) == 100:
        text = f"{100 - 10**-digits:.{digits}f}"
    return f"{text} %".replace("-", "−")


def number(value: float | None, digits: int = 0) -> str:
    """A number with thousands set apart."""
    if not _known(value) or value is None:
        return NONE
    text = f"{value:,.{digits}f}"
    return text.removeprefix("-") if not text.strip("-0.,") else text.replace("-", "−")


def some(value: float | None, digits: int = 0) -> str:
    """A number; nothing for what rounds to 0, so that what there is stands out."""
    return "" if not _known(value) or value is None or abs(value) < 0.5 * 10**-digits else number(value, digits)


def words(name: object) -> str:
    """A name of a status or limit in words."""
    return "IT power" if str(name) == "it_power" else str(getattr(name, "value", name)).replace("_", " ")


def when(moment: datetime | None) -> str:
    """A moment in UTC, to the minute."""
    return NONE if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"


def counted(number: int, one: str, many: str = "") -> str:
    """How many of what: ``1 site``, ``2 sites``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def years(labels: Sequence[str]) -> list[tuple[str, int]]:
    """Years of periods, and how many of these each has."""
    return [(year, len(list(own))) for year, own in groupby(labels, key=lambda label: label[:4])]


FILTERS: dict[str, Callable[..., Any]] = {
    "money": money, "signed": signed, "percent": percent, "number": number, "some": some, "words": words, "when": when, "counted": counted,
    "years": years,
}  # fmt: skip

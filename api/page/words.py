"""Figures as the page writes them; what is not known is a dash."""

from __future__ import annotations

import json
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


def scale(usd: float, step: float) -> str:
    """Dollars on a scale, with as many digits as its step needs."""
    size, unit = next(((size, f" {unit}") for size, unit in SIZES if abs(usd) >= size), (1.0, ""))
    digits = max(0, -math.floor(math.log10(step / size) + 1e-9))
    return f"{usd / size + 0.0:,.{digits}f}{unit} USD".replace("-", "−")


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


def cell(value: Any) -> str:
    """A cell of a table of the dataset: ten digits, a dash for nothing."""
    if isinstance(value, float):
        return f"{value:,.10g}" if abs(value) < 1e15 else f"{value:.10g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or NONE
    return NONE if value is None or value == "" else str(getattr(value, "value", value))


def term(name: str) -> str:
    """Name of a term of NPV."""
    return words(name).replace("gpu ", "GPU ")


def as_json(value: Any) -> str:
    """Plain values as JSON, for an address."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def kpi(value: float | None, unit: str) -> str:
    """A key figure of some unit; the unit stands beside its name."""
    if unit == "USD":
        return money(value)
    if unit == "share":
        return percent(value)
    whole = not _known(value) or value is None or float(value).is_integer() or abs(value) >= 1000
    return number(value, 0 if whole else 2)


FILTERS: dict[str, Callable[..., Any]] = {
    "money": money, "signed": signed, "percent": percent, "number": number, "some": some, "words": words, "when": when, "counted": counted,
    "years": years, "cell": cell, "as_json": as_json, "kpi": kpi, "term": term,
}  # fmt: skip

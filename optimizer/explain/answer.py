"""What every answer shares: plain values for JSON, and figures in words."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from models.calendar import Calendar
from models.plan_views import period_ranges

MILLION = 1e6


def as_json(value: Any) -> Any:
    """An answer as plain values: dataclasses as objects by field, enums by value, numbers that JSON does not have as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return as_json(value.value)
    if isinstance(value, dict):
        return {str(key): as_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(part) for part in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def usd(amount: float) -> str:
    """``12.3 million USD``, or USD where it is less than 100,000."""
    return f"{amount / MILLION:,.1f} million USD" if abs(amount) >= 1e5 else f"{amount:,.0f} USD"


def number(amount: float) -> str:
    """A quantity as people write it: six digits, more only before the point, thousands apart."""
    return f"{amount:,.0f}" if float(amount).is_integer() or abs(amount) >= 1e6 else f"{amount:,.6g}"


def spans(calendar: Calendar, periods: list[int]) -> str:
    """Periods as ranges: ``2026-Q1 to 2026-Q3, 2027-Q1``."""
    return period_ranges([calendar.label(t) for t in periods], calendar)

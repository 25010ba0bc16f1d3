"""Fields of changes: declared as columns of tables are, with what a form needs to ask for them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, Strict

from models.columns import Id, Text

Real = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Whole = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]
LARGEST = 1e15
"""Largest number, as in tables."""
LONGEST_DELAY = 400
"""Longest delay in periods."""


def field(
    meaning: str, *, unit: str = "", default: Any = ..., none_means: str = "", form: dict[str, Any] | None = None, **more: Any
) -> Any:
    """Declare a field: its meaning, unit and default, what nothing given means, and a hint for forms."""
    extra: dict[str, Any] = {"unit": unit, "none_means": none_means, "form": form or {"widget": "text"}}
    return Field(default, description=meaning, json_schema_extra=extra, **more)


def among(meaning: str, source: str, *, default: Any = ..., none_means: str = "", many: bool = False) -> Any:
    """A choice among what stands in a column of the dataset, such as ``sites.site_id``; ``many`` of them or one."""
    form = {"widget": "multiselect" if many else "select", "source": source}
    return field(meaning, default=default, none_means=none_means, form=form)


def period(meaning: str, *, default: Any = ..., none_means: str = "", outside: bool = False) -> Any:
    """A period; in the horizon unless ``outside`` is allowed too."""
    return field(meaning, default=default, none_means=none_means, form={"widget": "period", "outside": outside})


def amount(meaning: str, unit: str, *, default: Any = ..., none_means: str = "", above_zero: bool = False, le: float = LARGEST) -> Any:
    """A quantity of at least 0, or above it."""
    low: dict[str, float] = {"gt": 0} if above_zero else {"ge": 0}
    return field(meaning, unit=unit, default=default, none_means=none_means, form={"widget": "number"}, le=le, **low)


def signed(meaning: str, unit: str, *, default: Any = ..., none_means: str = "") -> Any:
    """A figure that may be negative."""
    return field(meaning, unit=unit, default=default, none_means=none_means, form={"widget": "number"}, ge=-LARGEST, le=LARGEST)


def portion(meaning: str, *, default: Any = ..., none_means: str = "") -> Any:
    """A share between 0 and 1."""
    return field(meaning, unit="share", default=default, none_means=none_means, form={"widget": "percent"}, ge=0, le=1)


def count(meaning: str, unit: str, *, default: Any = ..., none_means: str = "", least: int = 0, most: int = 10**9) -> Any:
    """A whole number."""
    return field(meaning, unit=unit, default=default, none_means=none_means, form={"widget": "integer"}, ge=least, le=most)


def delay(meaning: str) -> Any:
    """A number of periods, at least 1."""
    return count(meaning, "periods", least=1, most=LONGEST_DELAY)


def factor(meaning: str, *, default: Any = None, none_means: str = "") -> Any:
    """A factor on figures of the dataset."""
    return field(meaning, unit="ratio", default=default, none_means=none_means, form={"widget": "factor"}, ge=0, le=1000)


def choice(meaning: str, *, default: Any = ..., none_means: str = "") -> Any:
    """One of a fixed list; the list is in the field's type."""
    return field(meaning, default=default, none_means=none_means, form={"widget": "choice"})


def flag(meaning: str) -> Any:
    """Yes or no, no by default."""
    return field(meaning, default=False, form={"widget": "checkbox"})


FIRST = "the start of the horizon"
LAST = "the end of the horizon"


def first_period(meaning: str = "first period in which the change holds") -> Any:
    """Begin of a window."""
    return period(meaning, default=None, none_means=FIRST)


def last_period(meaning: str = "last period in which the change holds") -> Any:
    """End of a window, inclusive."""
    return period(meaning, default=None, none_means=LAST)


__all__ = [
    "Flag", "Id", "Real", "Text", "Whole", "among", "amount", "choice", "count", "delay", "factor", "field", "first_period",
    "flag", "last_period", "period", "portion", "signed",
]  # fmt: skip

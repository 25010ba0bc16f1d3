"""Columns of the schema: how a row type declares them, and what they say to readers, writers, checks and docs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, Field, JsonValue, StringConstraints

INF = math.inf


def _split(value: object) -> object:
    """``US;EU`` -> ("US", "EU")."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(";") if part.strip())
    return tuple(value) if isinstance(value, Iterable) else value


ID_PATTERN = r"^[a-z0-9_-]+$"
Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Text = Annotated[str, StringConstraints(min_length=1)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Ids = Annotated[tuple[Id, ...], BeforeValidator(_split)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_split)]
Season = Annotated[int, Field(ge=1, le=4)]


def col(
    meaning: str,
    *,
    unit: str = "",
    key: bool = False,
    period: bool = False,
    ref: str = "",
    default: Any = ...,
    none_means: str = "",
    **bounds: Any,
) -> Any:
    """Declare a column: its meaning, unit, whether it is a key or a period, the table its ids live in, default and range."""
    extra: dict[str, JsonValue] = {"unit": unit, "key": key, "period": period, "ref": ref, "none_means": none_means}
    return Field(default, description=meaning, json_schema_extra=extra, **bounds)


def quantity(meaning: str, unit: str, *, key: bool = False, default: Any = ..., none_means: str = "", **bounds: Any) -> Any:
    """A column that must not be negative."""
    return col(meaning, unit=unit, key=key, default=default, none_means=none_means, ge=0, **bounds)


def share(meaning: str, *, default: Any = ..., unit: str = "share") -> Any:
    """A column between 0 and 1."""
    return col(meaning, unit=unit, default=default, ge=0, le=1)


@dataclass(frozen=True)
class Column:
    """What the schema says of one column, for readers, writers, checks and docs."""

    name: str
    field: str
    meaning: str
    unit: str
    key: bool
    period: bool
    ref: str
    required: bool
    default: Any
    none_means: str
    kind: str
    """One of number, integer, text, id, texts, ids or choice."""
    choices: tuple[str, ...]
    low: float
    high: float
    low_open: bool

    @property
    def allowed(self) -> str:
        """What may stand in a cell, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.period:
            return "a period"
        words = {
            "id": "an id of lower case letters, digits, _ and -",
            "ids": "ids joined by ;",
            "texts": "texts joined by ;",
            "text": "text",
            "integer": "a whole number",
            "number": "a number",
        }[self.kind]
        if self.kind in ("integer", "number"):
            if self.low_open and self.low > -INF:
                words += f" above {self.low:g}"
            elif self.low > -INF and self.high < INF:
                words += f" from {self.low:g} to {self.high:g}"
            elif self.low > -INF:
                words += f" of at least {self.low:g}"
        return words


def _kind(annotation: Any, metadata: list[Any]) -> tuple[str, tuple[str, ...]]:
    """Kind and choices of a column from its annotation."""
    args = [a for a in get_args(annotation) if a is not type(None)]
    if annotation is int or annotation is float:
        return ("integer" if annotation is int else "number"), ()
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return "choice", tuple(str(member.value) for member in annotation)
    if annotation is str:
        patterned = any(getattr(m, "pattern", None) for m in metadata)
        return ("id" if patterned else "text"), ()
    if getattr(annotation, "__origin__", None) is tuple:
        inner = get_args(annotation)[0]
        return ("ids" if inner == Id else "texts"), ()
    for arg in args:
        inner_meta = list(getattr(arg, "__metadata__", ()))
        return _kind(getattr(arg, "__origin__", arg) if inner_meta else arg, inner_meta)
    raise TypeError(f"no column kind for {annotation!r}")


def columns(row: type[BaseModel]) -> tuple[Column, ...]:
    """Columns of a row type, in file order."""
    found = []
    for field, info in row.model_fields.items():
        extra: dict[str, Any] = dict(info.json_schema_extra) if isinstance(info.json_schema_extra, dict) else {}
        kind, choices = _kind(info.annotation, list(info.metadata))
        metadata = [info, *info.metadata]
        for arg in get_args(info.annotation):
            metadata += list(getattr(arg, "__metadata__", ()))
        flat = [inner for m in metadata for inner in (m, *getattr(m, "metadata", ()))]
        ge = [m.ge for m in flat if getattr(m, "ge", None) is not None]
        gt = [m.gt for m in flat if getattr(m, "gt", None) is not None]
        le = [m.le for m in flat if getattr(m, "le", None) is not None]
        found.append(
            Column(
                name=info.alias or field,
                field=field,
                meaning=info.description or "",
                unit=str(extra.get("unit", "")),
                key=bool(extra.get("key")),
                period=bool(extra.get("period")),
                ref=str(extra.get("ref", "")),
                required=info.is_required(),
                default=None if info.is_required() else info.default,
                none_means=str(extra.get("none_means", "")),
                kind=kind,
                choices=choices,
                low=float(max([*ge, *gt], default=-INF)),
                high=float(min(le, default=INF)),
                low_open=bool(gt),
            )
        )
    return tuple(found)

"""What pydantic finds wrong with a record, in the words of all files: unknown keys, what is missing, what may stand there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from models.changes.registry import allowed_words
from models.faults import closest

PROBLEMS = {
    "enum": "unknown choice", "model_type": "is not an object", "model_attributes_type": "is not an object", "tuple_type": "is not a list",
    "too_short": "is an empty list", "string_type": "is not text", "string_too_short": "is empty", "float_type": "is not a number",
    "int_type": "is not a whole number", "bool_type": "is neither true nor false", "greater_than_equal": "is too small",
    "greater_than": "is too small", "less_than_equal": "is too large", "finite_number": "is not a finite number",
}  # fmt: skip
"""Words for pydantic's kinds of errors."""


@dataclass(frozen=True)
class Finding:
    """A fault without its place.

    Attributes:
        problem: what is wrong, in words.
        code: the same, stable.
        value: what was found; None where that says nothing.
        allowed: what may stand there.
        near: a close spelling that exists.
    """

    problem: str
    code: str
    value: Any = None
    allowed: str = ""
    near: str = ""


def finding(detail: Any, model: type[BaseModel], path: Sequence[str | int], there: Collection[str] = ()) -> Finding:
    """One of pydantic's errors in our words.

    Args:
        detail: of ``ValidationError.errors()``.
        model: of the document.
        path: of the error, without pydantic's names of the branches of unions.
        there: keys that stand beside an unknown one, which it can't be meant for.
    """
    kind, value = str(detail["type"]), detail.get("input")
    owner, info = owner_of(model, path)
    if kind == "extra_forbidden":
        near = closest(str(path[-1]), [name for name in owner.model_fields if name not in there])
        return Finding("unknown key", "unknown_field", allowed="" if near else "one of " + ", ".join(owner.model_fields), near=near)
    if kind == "missing":
        return Finding("is missing", "missing_value", allowed=_allowed(info))
    if kind == "value_error":
        return Finding(str(detail["ctx"]["error"]), "bad_combination")
    choices = [str(member.value) for enum in _enums(info.annotation if info else None) for member in enum]
    near = closest(value, choices) if isinstance(value, str) and choices else ""
    problem, allowed = PROBLEMS.get(kind, str(detail["msg"])), _allowed(info)
    if kind in ("model_type", "model_attributes_type"):
        allowed = "keys " + ", ".join(owner.model_fields if not path else _model(info, owner).model_fields)
    return Finding(problem[:1].lower() + problem[1:], kind, value if isinstance(value, (str, int, float)) else None, allowed, near)


def owner_of(model: type[BaseModel], path: Sequence[str | int]) -> tuple[type[BaseModel], FieldInfo | None]:
    """The innermost record that holds the last part of a path, and that part's field."""
    owner, info = model, None
    inner: type[BaseModel] = model
    for part in path:
        if isinstance(part, int):
            continue
        owner = inner
        info = owner.model_fields.get(part)
        inner = _model(info, owner)
    return (inner, info) if path and isinstance(path[-1], int) else (owner, info)


def _model(info: FieldInfo | None, otherwise: type[BaseModel]) -> type[BaseModel]:
    return next(_nested(info.annotation if info is not None else None), otherwise)


def _allowed(info: FieldInfo | None) -> str:
    """What may stand in a field; a record has keys."""
    inner = next(_nested(info.annotation), None) if info is not None else None
    if inner is None:
        return allowed_words(info)
    keys = "keys " + ", ".join(inner.model_fields)
    return f"a list of objects with {keys}" if info is not None and get_origin(info.annotation) is tuple else f"an object with {keys}"


def _nested(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for arg in get_args(annotation):
        yield from _nested(arg)


def _enums(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        yield annotation
    for arg in get_args(annotation):
        yield from _enums(arg)

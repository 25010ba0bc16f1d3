"""Faults of a study file: where, what was found, and what is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from models.changes.registry import allowed_words
from models.checks.raw import shown
from models.faults import Fault, InputError, closest


class StudyError(InputError):
    """A study with faults; ``faults`` holds every one found."""


def pointer_of(path: Sequence[object]) -> str:
    """JSON pointer of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def fault(
    label: str, document: object, path: Sequence[object], problem: str, code: str, *, value: object = None, allowed: str = "", near: str = ""
) -> Fault:  # fmt: skip
    """A fault of a study file at a path into it; entries of lists are told by their names."""
    parent, last = (path[:-1], str(path[-1])) if path and not isinstance(path[-1], int) else (path, "")
    return Fault(label, problem, _place(document, parent), last, shown(value), allowed, near, code, pointer_of(path))


def _place(document: object, path: Sequence[object]) -> str:
    """``scenarios, grid, axes 'energy', levels 2``."""
    words: list[str] = []
    at: Any = document
    for part in path:
        inside = at[part] if _has(at, part) else None
        if isinstance(part, int):
            name = inside.get("name") if isinstance(inside, Mapping) else None
            words[-1:] = [f"{words[-1] if words else 'entry'} {name!r}" if isinstance(name, str) and name else f"{words[-1]} {part + 1}"]
        else:
            words.append(str(part))
        at = inside
    return ", ".join(words)


def _has(at: Any, part: object) -> bool:
    if isinstance(at, Mapping):
        return part in at
    return isinstance(at, (list, tuple)) and isinstance(part, int) and 0 <= part < len(at)


def faults_of(error: ValidationError, model: type[BaseModel], document: object, label: str) -> list[Fault]:
    """What pydantic found, in our words; a list whose entries all have faults is not called empty as well."""
    found = [d for d in error.errors(include_url=False) if not (d["type"] == "too_short" and _inside(document, d["loc"]))]
    return [_fault(detail, model, document, label) for detail in found]


def _fault(detail: Any, model: type[BaseModel], document: object, label: str) -> Fault:
    path = [part for n, part in enumerate(detail["loc"]) if isinstance(part, int) or n == 0 or _known(model, detail["loc"][:n], part)]
    kind, value = str(detail["type"]), detail.get("input")
    owner, info = _owner(model, path)
    if kind == "extra_forbidden":
        there = _inside(document, path[:-1])
        names = [name for name in owner.model_fields if not (isinstance(there, Mapping) and name in there)]
        near = closest(str(path[-1]), names)
        allowed = "" if near else "one of " + ", ".join(owner.model_fields)
        return fault(label, document, path, "unknown key", "unknown_field", allowed=allowed, near=near)
    if kind == "missing":
        return fault(label, document, path, "is missing", "missing_value", allowed=_allowed(info))
    choices = [str(member.value) for enum in _enums(info.annotation if info else None) for member in enum]
    near = closest(value, choices) if isinstance(value, str) and choices else ""
    problem, allowed = _PROBLEMS.get(kind, str(detail["msg"])), _allowed(info)
    if kind in ("model_type", "model_attributes_type"):
        allowed = "keys " + ", ".join(owner.model_fields if not path else _model(info, owner).model_fields)
    text = value if isinstance(value, (str, int, float)) else None
    return fault(label, document, path, problem[:1].lower() + problem[1:], kind, value=text, allowed=allowed, near=near)


_PROBLEMS = {
    "enum": "unknown choice", "model_type": "is not an object", "model_attributes_type": "is not an object", "tuple_type": "is not a list",
    "too_short": "is an empty list", "string_type": "is not text", "string_too_short": "is empty", "float_type": "is not a number",
    "int_type": "is not a whole number", "bool_type": "is neither true nor false", "greater_than_equal": "is too small",
    "greater_than": "is too small", "less_than_equal": "is too large", "finite_number": "is not a finite number",
}  # fmt: skip


def _known(model: type[BaseModel], before: Sequence[Any], part: Any) -> bool:
    """Whether a part of pydantic's path stands in the document: branches of unions do not."""
    return str(part) not in ("float", "int", "bool", "str") or str(part) in _owner(model, [*before, part])[0].model_fields


def _owner(model: type[BaseModel], path: Sequence[Any]) -> tuple[type[BaseModel], FieldInfo | None]:
    """The innermost model that holds the last part of a path, and that part's field."""
    owner, info = model, None
    inner: type[BaseModel] = model
    for part in path:
        if isinstance(part, int):
            continue
        owner = inner
        info = owner.model_fields.get(str(part))
        inner = _model(info, owner)
    if path and isinstance(path[-1], int):
        return inner, info
    return owner, info


def _model(info: FieldInfo | None, otherwise: type[BaseModel]) -> type[BaseModel]:
    return next(_nested(info.annotation if info is not None else None), otherwise)


def _inside(document: object, path: Sequence[Any]) -> object:
    at: Any = document
    for part in path:
        at = at[part] if _has(at, part) else None
    return at


def _allowed(info: FieldInfo | None) -> str:
    """What may stand in a field; a model has keys."""
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

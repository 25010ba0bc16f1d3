"""Faults of a study file: where, what was found, and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from models.checks.raw import shown
from models.faults import Fault, InputError
from models.validation import finding, owner_of


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
    there = _inside(document, path[:-1])
    found = finding(detail, model, path, there if isinstance(there, Mapping) else ())
    return fault(label, document, path, found.problem, found.code, value=found.value, allowed=found.allowed, near=found.near)


def _known(model: type[BaseModel], before: Sequence[Any], part: Any) -> bool:
    """Whether a part of pydantic's path stands in the document: branches of unions do not."""
    return str(part) not in ("float", "int", "bool", "str") or str(part) in owner_of(model, [*before, part])[0].model_fields


def _inside(document: object, path: Sequence[Any]) -> object:
    at: Any = document
    for part in path:
        at = at[part] if _has(at, part) else None
    return at

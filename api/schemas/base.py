"""What all of them share."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from models.changes import change_types

T = TypeVar("T")


class Asked(BaseModel):
    """Part of a request: a key that is not known is refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Told(BaseModel):
    """Part of an answer."""

    model_config = ConfigDict(extra="forbid")


class Page(Told, Generic[T]):
    """Some of a list, newest first."""

    items: list[T]
    next_cursor: str | None = Field(default=None, description="to ask for the next ones: ?cursor=...; none at the end")


Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A name that a person gives."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _any_change() -> dict[str, Any]:
    kinds = change_types()
    return {
        "title": "Change",
        "description": "one typed change; /api/v1/change-types lists each type with its schema, form hint, example and sentence",
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"type": "string", "enum": [kind["type"] for kind in kinds]}},
        "examples": [kind["example"] for kind in kinds[:3]],
    }


AnyChange = Annotated[dict[str, Any], WithJsonSchema(_any_change())]
"""A change as plain values; read by :func:`models.changes.read_changes`, which names every fault."""
Changes = Annotated[list[AnyChange], Field(description="in order: each is made to what the ones before it left")]


class FaultView(Told):
    """A warning or fault, with its place."""

    pointer: str = Field(description="JSON pointer to the place it speaks of")
    message: str
    code: str

"""All types of changes: reading them, describing them, drawing them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from pydantic import ValidationError

from models.dataset import Dataset
from models.faults import Fault, closest
from models.whatif import contract, grid, place, prices, retrofit, site, supply
from models.whatif.base import Change, Random
from models.whatif.draft import ChangeError

TYPES: dict[str, type[Change]] = {
    str(kind.model_fields["type"].default): kind
    for kind in (
        *site.CHANGES, *retrofit.CHANGES, *supply.CHANGES, *contract.CHANGES, *prices.CHANGES, *grid.CHANGES, *place.CHANGES,
    )
}  # fmt: skip
"""Change types by name, in the order in which they are listed."""


def read_changes(plain: Any) -> list[Change]:
    """Changes from plain JSON values, or from JSON text.

    Raises:
        ChangeError: with every fault found.
    """
    if isinstance(plain, str | bytes):
        try:
            plain = json.loads(plain)
        except ValueError as error:
            raise ChangeError([Fault("changes", f"not JSON: {error}", code="bad_json")]) from None
    if not isinstance(plain, list | tuple):
        raise ChangeError([Fault("changes", "not a list", value=type(plain).__name__, allowed="a list of changes", code="bad_type")])
    found: list[Change] = []
    faults: list[Fault] = []
    for number, item in enumerate(plain):
        if isinstance(item, Change):
            found.append(item)
            continue
        try:
            found.append(_one(number, item))
        except ChangeError as error:
            faults += error.faults
    if faults:
        raise ChangeError(faults)
    return found


def _one(number: int, item: Any) -> Change:
    """One change.

    Raises:
        ChangeError: with every fault of it.
    """
    place = f"/{number}"
    row = str(number)
    if not isinstance(item, Mapping):
        raise ChangeError(
            [Fault("changes", "not an object", row=row, value=str(item), allowed="an object", code="bad_type", pointer=place)]
        )
    name = item.get("type")
    if not isinstance(name, str) or name not in TYPES:
        near = closest(str(name), TYPES) if name is not None else ""
        fault = Fault("changes", "no such type of change" if name is not None else "missing", row=row, column="type",
                      value="" if name is None else str(name), allowed=", ".join(TYPES), suggestion=near, code="unknown_type",
                      pointer=f"{place}/type")  # fmt: skip
        raise ChangeError([fault])
    kind = TYPES[name]
    try:
        return kind.model_validate(dict(item))
    except ValidationError as error:
        raise ChangeError([_fault(number, kind, cast("dict[str, Any]", part)) for part in error.errors()]) from None


def _fault(number: int, kind: type[Change], error: dict[str, Any]) -> Fault:
    """A fault found by pydantic, in our words."""
    path = [str(part) for part in error["loc"]]
    column = path[0] if path else ""
    unknown = error["type"] == "extra_forbidden"
    field = kind.model_fields.get(column)
    allowed = ", ".join(kind.model_fields) if unknown else (field.description or "") if field is not None else ""
    missing = error["type"] == "missing"
    message = "no such field" if unknown else "missing" if missing else str(error["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    shown = "" if missing or not path else str(error.get("input", ""))
    near = closest(column, kind.model_fields) if unknown else ""
    code = "unknown_field" if unknown else "missing" if missing else "bad_value"
    pointer = "/".join(["", str(number), *path])
    return Fault("changes", message, row=str(number), column="/".join(path), value=shown, allowed=allowed, suggestion=near, code=code,
                 pointer=pointer)  # fmt: skip


def change_types() -> list[dict[str, Any]]:
    """Every type of change: name, title, meaning, sentence of its example, JSON schema, form and example."""
    return [
        {
            "type": name,
            "title": kind.title,
            "description": (kind.__doc__ or "").strip().splitlines()[0],
            "sentence": kind.model_validate(kind.example).sentence(),
            "schema": kind.model_json_schema(),
            "form": [_form(field, info) for field, info in kind.model_fields.items() if field != "type"],
            "example": kind.example,
        }
        for name, kind in TYPES.items()
    ]


def _form(name: str, info: Any) -> dict[str, Any]:
    """How a form asks for a field: its name, meaning, whether it must be given, and the kind of input."""
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    for part in info.metadata:
        more = getattr(part, "json_schema_extra", None)
        extra = {**(more if isinstance(more, dict) else {}), **extra}
    text = str(info.annotation)
    kind = extra.get("form") or (
        "period" if ("period" in name and "periods" not in name) or name in ("start", "end", "energized") else
        "list" if "tuple" in text else "number" if "float" in text or "int" in text else "text"
    )  # fmt: skip
    return {
        "field": name,
        "meaning": info.description or "",
        "required": info.is_required(),
        "input": kind,
        "table": extra.get("table", ""),
    }


def draw(dataset: Dataset, random: Random, type: str | None = None) -> Change:
    """A random change that fits a dataset, mostly a mild one.

    Args:
        random: a generator of numpy.
        type: of which type; of any if not given.

    Raises:
        ChangeError: no such type, or the dataset has nothing that it could change.
    """
    if type is not None and type not in TYPES:
        raise ChangeError(
            [Fault("changes", "no such type of change", value=type, allowed=", ".join(TYPES), suggestion=closest(type, TYPES))]
        )
    names: Iterable[str] = [type] if type is not None else [str(name) for name in random.permutation(list(TYPES))]
    for name in names:
        drawn = TYPES[name].draw(dataset, random)
        if drawn is not None:
            return drawn
    raise ChangeError([Fault("changes", "the dataset has nothing that such a change could change", value=type or "", code="no_target")])

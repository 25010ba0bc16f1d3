"""Forms of changes, made from their types' form hints and the dataset's own ids; and what was filled in, as plain values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.datastructures import FormData

from models.changes.registry import CHANGES, form_hint
from models.dataset import Dataset
from models.tables import COLUMNS, Site

PREFIX = "f."
"""What names of a change's fields begin with, so that no other field of a page is taken for one."""
ROWS_LEAST = 2
"""Lines that a list of rows offers at least."""
POINTED = {
    "site": ("sites.site_id", "retrofits.site_id"), "contract": ("contracts.contract_id",), "gen": ("generations.gen_id", "market.gen_id"),
    "block": ("power_blocks.block_id",),
}  # fmt: skip
"""Columns whose ids each parameter of an address may point at."""
SITE_OWNS = {"sites.price_zone": "price_zone", "grid_nodes.node_id": "grid_node"}
"""Columns of which a site that is pointed at names a value, by its attribute."""


@dataclass(frozen=True)
class Field:
    """A field of a form.

    Attributes:
        name: in the form, such as ``f.site_id`` or ``f.ramp.0.gpus``.
        path: of the field in the change, parts joined by ``/``.
        label, unit, widget, required: as the form hint says.
        empty: what it means to leave it empty; empty where it may not be.
        choices: what may be chosen; of a period what is offered.
        many: whether several may be chosen.
        free: whether something else may be written than what is offered.
        values: what stands in it.
        range: smallest and largest value in words; empty if there is none.
        faults: what is wrong with it.
        rows: of a list of rows: the fields of each.
    """

    name: str
    path: str
    label: str
    unit: str
    widget: str
    required: bool
    empty: str
    choices: tuple[str, ...]
    many: bool
    free: bool
    values: tuple[str, ...]
    range: str
    faults: tuple[str, ...] = ()
    rows: tuple[tuple[Field, ...], ...] = ()

    @property
    def value(self) -> str:
        """What stands in a field of one value."""
        return self.values[0] if self.values else ""


def fields_of(
    kind: str, dataset: Dataset, given: Mapping[str, Any], faults: Mapping[str, Sequence[str]] | None = None, more: int = 0
) -> tuple[Field, ...]:
    """The form of a type of change.

    Args:
        kind: type of change.
        dataset: whose ids are offered.
        given: what is filled in, as plain values; a field with a fault may hold what it can't be.
        faults: what is wrong, by the path of the field.
        more: empty lines that each list of rows offers beyond the least.
    """
    return _fields(form_hint(CHANGES[kind]), dataset, given, faults or {}, PREFIX, "", more)


def _fields(
    hints: Iterable[dict[str, Any]], dataset: Dataset, given: Mapping[str, Any], faults: Mapping[str, Sequence[str]], prefix: str, at: str,
    more: int,
) -> tuple[Field, ...]:  # fmt: skip
    return tuple(_field(hint, dataset, given.get(hint["name"]), faults, prefix, at, more) for hint in hints)


def _field(
    hint: dict[str, Any], dataset: Dataset, value: Any, faults: Mapping[str, Sequence[str]], prefix: str, at: str, more: int
) -> Field:  # fmt: skip
    name, path = prefix + hint["name"], f"{at}{hint['name']}"
    rows: tuple[tuple[Field, ...], ...] = ()
    if "fields" in hint:
        given = list(value) if isinstance(value, (list, tuple)) else []
        lines = [*given, *({} for _ in range(max(ROWS_LEAST - len(given), 1) + more))]
        rows = tuple(
            _fields(hint["fields"], dataset, line if isinstance(line, Mapping) else {}, faults, f"{name}.{i}.", f"{path}/{i}/", 0)
            for i, line in enumerate(lines)
        )
    many = hint["widget"] == "multiselect" or bool(hint.get("many"))
    own = [text for place, texts in faults.items() if place == path or (many and place.startswith(f"{path}/")) for text in texts]
    unit = "%" if hint["widget"] == "percent" else hint["unit"]
    return Field(
        name=name, path=path, label=hint["label"], unit="" if unit == "ratio" else unit, widget=hint["widget"], required=hint["required"] and not at,
        empty="" if hint["required"] else _empty(hint), choices=_choices(hint, dataset), many=many, free=bool(hint.get("outside")), values=_shown(hint, value),
        range=_range(hint), faults=tuple(own), rows=rows,
    )  # fmt: skip


def _empty(hint: dict[str, Any]) -> str:
    """What an empty field means, in words."""
    said, default = str(hint.get("empty_means") or ""), hint.get("default")
    if said or default is None or default == []:
        return said
    return ("no" if default is False else "yes") if isinstance(default, bool) else _text(hint, default)


def _range(hint: dict[str, Any]) -> str:
    least, above, most = hint.get("ge"), hint.get("gt"), hint.get("le")
    per = 100 if hint["widget"] == "percent" else 1
    top = f" to {most * per:,g}" if most is not None and most < 1e9 else ""
    if above is not None:
        return f"above {above * per:g}"
    return f"{least * per:g}{top}" if top and least is not None else ""


def _choices(hint: dict[str, Any], dataset: Dataset) -> tuple[str, ...]:
    if hint["widget"] == "period":
        calendar = dataset.calendar
        return tuple(calendar.label(t) for t in range(calendar.periods))
    if "source" in hint:
        table, column = hint["source"].split(".")
        attribute = next(c.field for c in COLUMNS[table] if c.name == column)
        return tuple(dict.fromkeys(str(getattr(row, attribute)) for row in dataset.table_rows(table)))
    return tuple(hint.get("choices", ()))


def _shown(hint: dict[str, Any], value: Any) -> tuple[str, ...]:
    if value is None or "fields" in hint:
        return ()
    return tuple(_text(hint, part) for part in (value if isinstance(value, (list, tuple)) else (value,)))


def _text(hint: dict[str, Any], value: Any) -> str:
    """A value as it stands in its field; shares in per cent."""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, (int, float)):
        exact = Decimal(str(value)) * (100 if hint["widget"] == "percent" else 1)
        return f"{exact.normalize():f}"
    return str(value)


def read_form(kind: str, form: FormData) -> dict[str, Any]:
    """A change as plain values from what was filled in; empty fields are left out, and text that is no number stays text, for its fault."""
    return {"type": kind, **_read(form_hint(CHANGES[kind]), form, PREFIX)}


def _read(hints: Iterable[dict[str, Any]], form: FormData, prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for hint in hints:
        name = prefix + hint["name"]
        if "fields" in hint:
            lines = [_read(hint["fields"], form, f"{name}.{i}.") for i in _numbers(form, f"{name}.")]
            value: Any = [line for line in lines if line]
        elif hint["widget"] == "multiselect" or hint.get("many"):
            value = [str(part) for part in form.getlist(name) if part]
        elif hint["widget"] == "checkbox":
            value = True if form.get(name) else None
        else:
            value = _read_text(hint["widget"], str(form.get(name, "")).strip())
        if value not in (None, "", []):
            found[hint["name"]] = value
    return found


def _numbers(form: FormData, prefix: str) -> list[int]:
    """Numbers of the lines of a list of rows."""
    found = {key[len(prefix) :].split(".", 1)[0] for key in form if key.startswith(prefix)}
    return sorted(int(number) for number in found if number.isdecimal() and len(number) <= 4)


def _read_text(widget: str, text: str) -> Any:
    if widget == "integer":
        return int(text) if text.lstrip("+-").isdecimal() and len(text) <= 18 else text
    if widget not in ("number", "factor", "percent"):
        return text
    try:
        exact = Decimal(text) / (100 if widget == "percent" else 1)
    except InvalidOperation:
        return text
    value = float(exact)
    if not math.isfinite(value):
        return text
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


# pointing --------------------------------------------------------------------------------------


def pointed(kind: str, dataset: Dataset, at: Mapping[str, str]) -> dict[str, Any]:
    """What a form is filled in with where something is pointed at.

    Args:
        at: ids by ``site``, ``contract``, ``gen``, ``block``, and ``period``; those that the form does not ask for are left out.
    """
    found: dict[str, Any] = {}
    site = next((row for row in dataset.rows(Site) if row.site_id == at.get("site")), None)
    for hint in form_hint(CHANGES[kind]):
        source = hint.get("source", "")
        if hint["widget"] == "period" and hint["name"] != "to_period" and "period" not in found:
            found["period"] = hint["name"]
        if hint["widget"] != "select":
            continue
        of = next((name for name, sources in POINTED.items() if source in sources and at.get(name)), None)
        if of is not None:
            found.setdefault(hint["name"], at[of])
        elif source in SITE_OWNS and site is not None and getattr(site, SITE_OWNS[source]) is not None:
            found[hint["name"]] = str(getattr(site, SITE_OWNS[source]))
    period_field = found.pop("period", None)
    if period_field is not None and at.get("period"):
        found[period_field] = at["period"]
    return found


def kinds_at(at: Mapping[str, str]) -> list[str]:
    """Types of changes that are about what is pointed at; all where nothing is."""
    asked = [name for name in POINTED if at.get(name)]
    sources = {source for name in asked for source in POINTED[name]} | ({*SITE_OWNS} if "site" in asked else set())
    found = []
    for kind, cls in CHANGES.items():
        own = {hint.get("source") for hint in form_hint(cls) if hint["widget"] == "select"}
        if not asked or own & sources:
            found.append(kind)
    return found

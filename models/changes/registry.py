"""All types of changes: the union that a service takes, reading them from JSON, and what forms need to know."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError
from pydantic.fields import FieldInfo

from models.changes.base import TABLE, Change, ChangeError
from models.changes.carbon import CarbonCapChange, CarbonPriceChange
from models.changes.contract import ContractDelay, ContractResize
from models.changes.contract_end import ContractExtend, ContractTerminate
from models.changes.contract_rules import ContractPriceChange, ContractRules
from models.changes.contract_terms import ContractAdd
from models.changes.energy import EnergyDemandCharge, EnergyPrice
from models.changes.freeze import FreezeBefore
from models.changes.limits import BudgetCap, DiscountRate, GridLimitChange, MovePrice
from models.changes.market import MarketDepth, MarketPrice
from models.changes.place import PlaceForbid, PlaceForce, PlaceMax, PlaceMin
from models.changes.retrofit import RetrofitAllow, RetrofitForbid, RetrofitForce
from models.changes.site import SiteClose, SiteDensity, SiteDerate, SiteOutage
from models.changes.site_power import SiteAddBlock, SiteEnergizationDelay
from models.changes.supply import SupplyAdd, SupplyCut, SupplyDelay, SupplyPrice
from models.checks.raw import shown
from models.dataset import Dataset
from models.faults import Fault, closest
from models.tables import Settings

AnyChange = Annotated[
    SiteDerate | SiteOutage | SiteEnergizationDelay | SiteAddBlock | SiteClose | SiteDensity
    | RetrofitAllow | RetrofitForbid | RetrofitForce
    | SupplyCut | SupplyDelay | SupplyAdd | SupplyPrice
    | ContractAdd | ContractResize | ContractDelay | ContractExtend | ContractTerminate | ContractPriceChange | ContractRules
    | EnergyPrice | EnergyDemandCharge | CarbonPriceChange | CarbonCapChange
    | MarketPrice | MarketDepth | GridLimitChange
    | PlaceForce | PlaceForbid | PlaceMin | PlaceMax
    | FreezeBefore | MovePrice | BudgetCap | DiscountRate,
    Field(discriminator="type"),
]  # fmt: skip
"""Any change, told apart by ``type``."""

CHANGES: dict[str, type[Change]] = {str(cls.model_fields["type"].default): cls for cls in get_args(get_args(AnyChange)[0])}
"""Class of each type, in the order of menus."""
_QUARTERS = Settings(schema_version=1, name="any", start="2026-Q1", periods=1, discount_rate=0.0)
_NO_DATASET = Dataset(_QUARTERS, {})
MOST_CHANGES = 500
"""Most changes in one list."""


def read_changes(document: object, pointer: str = "") -> list[Change]:
    """Changes from a list of plain values, as JSON gives it.

    Args:
        document: the list.
        pointer: JSON pointer of the list in its document, for the faults.

    Raises:
        ChangeError: with every fault of every change; whether ids exist is checked when they are applied.
    """
    if not isinstance(document, (list, tuple)):
        raise ChangeError([Fault(TABLE, "is not a list", allowed="a list of changes", code="bad_json", pointer=pointer)])
    if len(document) > MOST_CHANGES:
        problem, allowed = f"{len(document)} changes", f"at most {MOST_CHANGES}"
        raise ChangeError([Fault(TABLE, problem, allowed=allowed, code="too_many", pointer=pointer)])
    found: list[Change] = []
    faults: list[Fault] = []
    for number, item in enumerate(document):
        change, wrong = _read_one(item, f"change {number + 1}", f"{pointer}/{number}")
        found += [change] if change else []
        faults += wrong
    if faults:
        raise ChangeError(faults)
    return found


def _read_one(item: object, row: str, pointer: str) -> tuple[Change | None, list[Fault]]:
    """One change, or its faults."""
    if isinstance(item, Change):
        return item, []
    if not isinstance(item, Mapping):
        return None, [
            Fault(TABLE, "is not an object", row, value=shown(item), allowed="an object with a type", code="bad_json", pointer=pointer)
        ]
    name = item.get("type")
    if not isinstance(name, str) or name not in CHANGES:
        near = closest(name, CHANGES) if isinstance(name, str) else ""
        problem, code = ("unknown type", "unknown_type") if "type" in item else ("is missing", "missing_value")
        allowed = "" if near else "one of " + ", ".join(CHANGES)
        return None, [Fault(TABLE, problem, row, "type", shown(name), allowed, near, code, f"{pointer}/type")]
    try:
        return CHANGES[name].model_validate(dict(item)), []
    except ValidationError as error:
        return None, [_fault(CHANGES[name], dict(item), detail, row, pointer) for detail in error.errors(include_url=False)]


def _fault(cls: type[Change], item: dict[str, Any], detail: Any, row: str, pointer: str) -> Fault:
    """What pydantic found, in our words."""
    path = [str(part) for part in detail["loc"]]
    at, column = "/".join([pointer, *(p.replace("~", "~0").replace("/", "~1") for p in path)]), ".".join(path)
    names = [name for model, _ in _models(cls, path) for name in model.model_fields]
    info = _field(cls, path)
    kind, value = str(detail["type"]), detail.get("input")
    if kind == "extra_forbidden":
        near = closest(path[-1], [name for name in names if name not in item])
        return Fault(TABLE, "unknown field", row, column, "", "" if near else "one of " + ", ".join(names), near, "unknown_field", at)
    if kind == "missing":
        return Fault(TABLE, "is missing", row, column, "", allowed_words(info), "", "missing_value", at)
    if kind == "value_error" and not path:
        return Fault(TABLE, str(detail["ctx"]["error"]), row, code="bad_combination", pointer=at)
    choices = _choices(info)
    near = closest(value, choices) if isinstance(value, str) and choices else ""
    problem = "unknown choice" if kind in ("enum", "literal_error") else str(detail["msg"])
    text = value if isinstance(value, (str, int, float)) else ""
    return Fault(
        TABLE, problem[:1].lower() + problem[1:], row, column, shown(text), allowed_words(info), near, _CODES.get(kind, "bad_value"), at
    )


_CODES = {
    "enum": "unknown_choice", "literal_error": "unknown_choice", "greater_than_equal": "out_of_range", "less_than_equal": "out_of_range",
    "greater_than": "out_of_range", "finite_number": "not_finite", "float_type": "not_a_number", "int_type": "not_whole",
    "string_type": "not_text", "string_too_short": "missing_value", "string_pattern_mismatch": "bad_id", "bool_type": "not_yes_or_no",
}  # fmt: skip


def _models(cls: type[BaseModel], path: Sequence[str]) -> Iterator[tuple[type[BaseModel], str]]:
    """The innermost model that a path leads into, with the name of the field."""
    model = cls
    for part in path[:-1]:
        inner = next((m for m in _nested(model.model_fields[part].annotation)), None) if part in model.model_fields else None
        model = inner or model
    yield model, path[-1] if path else ""


def _nested(annotation: Any) -> Iterator[type[BaseModel]]:
    """Models inside an annotation such as ``tuple[RampStep, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for arg in get_args(annotation):
        yield from _nested(arg)


def _field(cls: type[BaseModel], path: Sequence[str]) -> FieldInfo | None:
    """The field at a path; of an entry of a list, the list."""
    for model, name in _models(cls, [p for p in path if not p.isdigit()]):
        return model.model_fields.get(name)
    return None


def _choices(info: FieldInfo | None) -> tuple[str, ...]:
    """Fixed choices of a field."""
    return tuple(str(member.value) for enum in _enums(info.annotation if info else None) for member in enum)


def _enums(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        yield annotation
    for arg in get_args(annotation):
        yield from _enums(arg)


def _extra(info: FieldInfo) -> dict[str, Any]:
    return dict(info.json_schema_extra) if isinstance(info.json_schema_extra, dict) else {}


def _of_items(info: FieldInfo) -> list[Any]:
    """What is asked of each number of a list."""
    items = get_args(info.annotation) if get_origin(info.annotation) is tuple else ()
    return FieldInfo.from_annotation(items[0]).metadata if items else []


def allowed_words(info: FieldInfo | None) -> str:
    """What may stand in a field, in words."""
    if info is None:
        return ""
    choices, form = _choices(info), _extra(info).get("form", {})
    if choices:
        return "one of " + ", ".join(choices)
    words = {
        "select": f"a value of {form.get('source')}", "multiselect": f"a list of values of {form.get('source')}", "period": "a period",
        "integer": "a whole number", "number": "a number", "factor": "a number", "percent": "a number", "checkbox": "true or false",
        "new_id": "an id of lower case letters, digits, _ and -", "rows": "a list of objects", "numbers": "a list of numbers", "text": "text",
    }  # fmt: skip
    text = words.get(form.get("widget", "text"), "text")
    bounds = {k: getattr(m, k) for m in [*info.metadata, *_of_items(info)] for k in ("ge", "gt", "le") if getattr(m, k, None) is not None}
    if "gt" in bounds:
        text += f" above {bounds['gt']:g}"
    elif "ge" in bounds:
        top = f" to {bounds['le']:g}" if "le" in bounds and bounds["le"] < 1e9 else ""
        text += f" from {bounds['ge']:g}{top}" if top else f" of at least {bounds['ge']:g}"
    return text + (f" ({_extra(info)['unit']})" if _extra(info).get("unit") else "")


def form_hint(cls: type[BaseModel]) -> list[dict[str, Any]]:
    """What a form asks for, in order: of each field its name, label, unit, widget, whether it is required, and its range.

    Widgets: select and multiselect (``source`` names the dataset's column with the choices), choice (``choices``), period, number,
    factor, percent (a share), integer, checkbox, new_id, text, rows (``fields`` as here).
    """
    fields = []
    for name, info in cls.model_fields.items():
        if name == "type":
            continue
        extra = _extra(info)
        hint: dict[str, Any] = {"name": name, "label": info.description or name, "unit": extra.get("unit", ""), **extra.get("form", {})}
        hint["required"] = info.is_required()
        if not info.is_required():
            hint["default"] = _plain(info.default)
            hint["empty_means"] = extra.get("none_means", "")
        hint |= {k: getattr(m, k) for m in info.metadata for k in ("ge", "gt", "le") if getattr(m, k, None) is not None}
        if _choices(info):
            hint["choices"], hint["many"] = list(_choices(info)), _is_list(info.annotation)
        nested = list(_nested(info.annotation))
        if nested:
            hint["fields"] = form_hint(nested[0])
        fields.append(hint)
    return fields


def _plain(value: Any) -> Any:
    return getattr(value, "value", list(value) if isinstance(value, tuple) else value)


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is tuple or any(_is_list(arg) for arg in get_args(annotation) if arg is not types.NoneType)


def change_types(dataset: Dataset | None = None) -> list[dict[str, Any]]:
    """Every type of change: ``type``, ``group``, ``title``, ``description``, ``sentence`` of the example, JSON ``schema``, ``form`` and ``example``.

    Args:
        dataset: gives the sentence its words for periods; quarters without.
    """
    found = []
    for name, cls in CHANGES.items():
        change = cls.model_validate(cls.example)
        text = (cls.__doc__ or "").strip()
        found.append(
            {
                "type": name, "group": name.split(".")[0], "title": cls.title, "description": " ".join(text.split()),
                "sentence": change.sentence(dataset or _NO_DATASET), "schema": cls.model_json_schema(), "form": form_hint(cls),
                "example": cls.example,
            }
        )  # fmt: skip
    return found

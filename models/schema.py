"""What the schema says, for people and programs: the data reference and the JSON schema in ``docs/``.

``python -m models.schema docs`` writes both anew.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any

from models.checks import CROSS_CHECKS, WARNINGS
from models.checks.cells import LARGEST
from models.columns import ID_PATTERN, Column, columns
from models.files.atomic import write_bytes
from models.plan import PLAN_COLUMNS, PLAN_ROWS
from models.tables import COLUMNS, ROW_TYPES, Settings

PERIOD_PATTERN = r"^[0-9]{4}(-(Q[1-4]|0[1-9]|1[0-2]))?$"
JSON_SCHEMA_FILE = "dataset.schema.json"
REFERENCE_FILE = "data.md"


def _plain(value: Any) -> Any:
    """A default as a JSON value."""
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def _cell_schema(column: Column) -> dict[str, Any]:
    """JSON schema of one cell."""
    text: dict[str, Any] = {"type": "string", "minLength": 1}
    if column.choices:
        schema: dict[str, Any] = {"enum": list(column.choices)}
    elif column.kind in ("integer", "number"):
        schema = {"type": column.kind, "maximum": min(column.high, LARGEST)}
        schema["exclusiveMinimum" if column.low_open else "minimum"] = max(column.low, -LARGEST)
        schema = {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in schema.items()}
    elif column.kind in ("ids", "texts"):
        items = {"type": "string", "pattern": ID_PATTERN} if column.kind == "ids" else {**text, "pattern": "^[^;]+$"}
        schema = {"type": "array", "items": items, "uniqueItems": True}
    elif column.period:
        schema = {"type": "string", "pattern": PERIOD_PATTERN}
    else:
        schema = {"type": "string", "pattern": ID_PATTERN} if column.kind == "id" else text
    schema = schema if column.required else _or_null(schema)
    unit = f" [{column.unit}]" if column.unit else ""
    schema["description"] = _sentence(column.meaning + unit)
    if not column.required:
        schema["default"] = _plain(column.default)
        if column.none_means:
            schema["description"] += f" Nothing given means: {column.none_means}."
    return schema


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if "enum" in schema:
        return {"enum": [*schema["enum"], None]}
    return {**schema, "type": [schema["type"], "null"]}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _row_schema(cols: Iterable[Column], description: str) -> dict[str, Any]:
    """JSON schema of one row (or of the settings)."""
    found = tuple(cols)
    return {
        "type": "object",
        "description": description,
        "properties": {c.name: _cell_schema(c) for c in found},
        "required": [c.name for c in found if c.required],
        "additionalProperties": False,
    }


def json_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a dataset as one JSON document: ``dataset`` and a list of objects per table.

    It covers the cells; the rules between tables are checked when a dataset is read.
    """
    tables = {
        name: {"type": "array", "items": _row_schema(COLUMNS[name], (row_type.__doc__ or "").strip())}
        for name, row_type in ROW_TYPES.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Wattplan dataset",
        "type": "object",
        "properties": {"dataset": _row_schema(columns(Settings), "What holds for the whole dataset."), **tables},
        "required": ["dataset", *(name for name, row_type in ROW_TYPES.items() if not row_type.optional_table)],
        "additionalProperties": False,
    }


def default_words(column: Column) -> str:
    """What an empty cell means, in words; ``required`` if it may not be empty."""
    if column.required:
        return "required"
    if column.default in (None, ()):
        return column.none_means or "empty"
    default = _plain(column.default)
    return f"{default:g}" if isinstance(default, float) else str(default)


def column_words(column: Column) -> str:
    """One column explained in a sentence or two: meaning, unit, what is allowed, what an empty cell means."""
    words = _sentence(column.meaning + (f" [{column.unit}]" if column.unit else ""))
    words += f" {_sentence(column.allowed)}"
    if column.ref:
        words += f" Ids of the table {column.ref}."
    return words + (" Required." if column.required else f" Empty means: {default_words(column)}.")


def column_table(cols: Iterable[Column], with_default: bool = True) -> str:
    """Columns as a Markdown table; keys in bold."""
    head = ["column", "meaning", "unit", "allowed"] + (["if empty"] if with_default else [])
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    for c in cols:
        ref = f" of [{c.ref}](#{c.ref})" if c.ref and with_default else ""
        cells = [
            f"**{c.name}**" if c.key else c.name,
            c.meaning,
            c.unit,
            c.allowed.replace(" of lower case letters, digits, _ and -", "") + ref,
        ]
        lines.append(" | ".join(cells + ([default_words(c)] if with_default else [])))
    return "\n".join(f"| {line} |" for line in lines)


INTRODUCTION = """# Data reference

Generated from the schema by `python -m models.schema docs`; do not edit.

A dataset is a folder with `dataset.toml` and one CSV file per table, or an Excel workbook with a sheet `dataset` (columns key and
value) and one sheet per table, or one JSON file with the settings under `dataset` and a list of objects per table. All three hold the same,
and the same content has the same hash whatever its format, row order and column order.

- **Periods** are written `2026-Q1` (quarter), `2026-03` (month) or `2026` (year), as the setting `period` says. They may lie outside the
  horizon unless a table says otherwise.
- A table with **from_period** holds from then until the next row of its key. Before the first row a quantity, charge or carbon price is 0
  and a limit is none; GPU, contract and energy prices must have a row by their first use.
- **Ids** hold lower case letters, digits, `_` and `-`. Lists are joined by `;`. Zones, tiers, slices, countries and customers are free text,
  matched exactly.
- Numbers have a decimal point and no separators; NaN and infinity are refused. Only lat, lon and usd_per_mwh may be negative.
- CSV files are UTF-8 with commas between cells. Notes (`.md`) may lie in the folder, and a workbook may have a sheet `readme`.
- Columns in **bold** are the table's key: no two rows may have the same.

Every fault of a dataset is reported at once, with file, row, column, value and what is allowed, and no plan is made.
"""


def _checks(title: str, checks: Iterable[Any]) -> list[str]:
    lines = [f"- {(check.__doc__ or '').strip().splitlines()[0]}" for check in checks]
    return [f"## {title}\n", "\n".join(lines) + "\n"]


def data_reference_markdown() -> str:
    """The data reference: every table and column of a dataset and of a plan, and the rules between tables."""
    parts = [INTRODUCTION, "## Settings\n", "`dataset.toml`, sheet `dataset`: what holds for the whole dataset.\n"]
    parts.append(column_table(columns(Settings)) + "\n")
    parts.append("## Tables of a dataset\n")
    for name, row_type in ROW_TYPES.items():
        may = " The table may be missing." if row_type.optional_table else ""
        parts += [f"### {name}\n", f"{(row_type.__doc__ or '').strip()}{may}\n", column_table(COLUMNS[name]) + "\n"]
    parts += _checks("Rules between tables", CROSS_CHECKS)
    parts += _checks("Warnings", WARNINGS)
    parts.append("## Tables of a plan\n")
    parts.append(
        "Numbers in the files are unrounded; rows that are all zero are left out. `summary.json` holds status, bounds and proofs.\n"
    )
    for name, cols in PLAN_COLUMNS.items():
        plan_row = PLAN_ROWS.get(name)
        meaning = (plan_row.__doc__ or "").strip() if plan_row else "Money by period and NPV term, undiscounted and signed."
        parts += [f"### Plan: {name}\n", f"{meaning}\n", column_table(cols, with_default=False) + "\n"]
    return "\n".join(parts)


def documents() -> dict[str, str]:
    """Generated documents by file name."""
    schema = json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"
    return {REFERENCE_FILE: data_reference_markdown(), JSON_SCHEMA_FILE: schema}


def main(folder: str) -> None:
    """Write the generated documents into a folder."""
    for name, text in documents().items():
        write_bytes(Path(folder) / name, text.encode())


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs")

"""The committed documents are those that the schema gives, and the template is a sound dataset."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from models import InputError, read_dataset
from models.columns import columns
from models.files import write_dataset
from models.schema import column_words, data_reference_markdown, documents, json_schema, main
from models.tables import COLUMNS, ROW_TYPES, Settings
from models.template import EXAMPLE, template_dataset, write_template
from tests.factories import small_dataset

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", list(documents()))
def test_committed_documents_are_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == documents()[name], "run: python -m models.schema docs"


def test_documents_are_written_anew(tmp_path: Path) -> None:
    main(str(tmp_path))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.md", "dataset.schema.json"]


def test_the_reference_explains_every_column_and_rule() -> None:
    text = data_reference_markdown()
    for name, cols in COLUMNS.items():
        section = text.split(f"### {name}\n")[1].split("\n### ")[0]
        assert all(re.search(rf"\| \**{c.name}\** \|", section) for c in cols), name
    assert "The nodes form a forest." in text
    assert "### Plan: cash" in text
    assert "| residual_value |" in text


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a JSON value fits the parts of JSON schema that the document uses."""
    types = {"string": str, "object": dict, "array": list, "null": type(None), "integer": int, "number": (int, float)}
    named = schema.get("type", list(types))
    if not any(isinstance(value, types[t]) for t in ([named] if isinstance(named, str) else named)):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if isinstance(value, str):
        return len(value) >= schema.get("minLength", 0) and bool(re.search(schema.get("pattern", ""), value))
    if isinstance(value, list):
        return all(fits(item, schema["items"]) for item in value)
    if isinstance(value, dict):
        known = schema["properties"]
        return value.keys() <= known.keys() and set(schema["required"]) <= value.keys() and all(fits(v, known[k]) for k, v in value.items())
    if value is None:
        return True
    low, high = schema.get("minimum", schema.get("exclusiveMinimum", value)), schema.get("maximum", value)
    return low <= value <= high and value != schema.get("exclusiveMinimum")


def test_sound_datasets_fit_the_json_schema_and_faulty_ones_do_not() -> None:
    schema = json_schema()
    for dataset in (small_dataset(), template_dataset()):
        assert fits(dataset.to_plain(), schema)
    for table, column, value in [
        ("sites", "pue_air", 0.5),
        ("sites", "status", "opened"),
        ("supply", "racks", 0.5),
        ("supply", "period", "2026-Q5"),
        ("sites", "site_id", "A"),
        ("generations", "rack_kw", 0),
        ("sites", "colour", "red"),
    ]:
        plain = small_dataset().to_plain()
        plain[table][0][column] = value
        assert not fits(plain, schema), (table, column)
    assert not fits({k: v for k, v in small_dataset().to_plain().items() if k != "sites"}, schema)


def test_every_table_and_column_carries_a_meaning() -> None:
    for cols in (columns(Settings), *COLUMNS.values()):
        assert all(c.meaning and c.allowed and column_words(c).endswith(".") for c in cols)
    assert all(row_type.__doc__ for row_type in ROW_TYPES.values())
    assert all(c.unit != "" for cols in COLUMNS.values() for c in cols if c.kind == "number" and c.name != "value")


def test_the_template_is_a_sound_dataset_without_warnings() -> None:
    dataset = template_dataset()
    assert dataset.warnings == ()
    assert len(dataset["sites"]) == 2
    assert set(EXAMPLE) == set(ROW_TYPES)
    assert all(dataset.table_rows(name) for name in ROW_TYPES)


def test_the_template_folder_reads_back_and_explains_every_column(tmp_path: Path) -> None:
    write_template(tmp_path / "t")
    assert read_dataset(tmp_path / "t").sha256 == template_dataset().sha256
    guide = (tmp_path / "t" / "README.md").read_text()
    for name, cols in COLUMNS.items():
        header = (tmp_path / "t" / f"{name}.csv").read_text().splitlines()[0]
        assert header.split(",") == [c.name for c in cols]
        assert f"## {name}.csv" in guide
    write_dataset(small_dataset(), tmp_path / "t")
    assert (tmp_path / "t" / "README.md").read_text() == guide


def test_the_template_workbook_reads_back_with_a_note_on_every_header(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    write_template(path, workbook=True)
    assert read_dataset(path).sha256 == template_dataset().sha256
    book = openpyxl.load_workbook(path)
    for name, cols in COLUMNS.items():
        for cell, column in zip(book[name][1], cols, strict=True):
            assert cell.value == column.name
            assert cell.comment is not None
            assert column.meaning in cell.comment.text.lower() or column.meaning[1:] in cell.comment.text


@pytest.mark.parametrize("workbook", [False, True])
def test_a_template_replaces_nothing(tmp_path: Path, workbook: bool) -> None:
    path = tmp_path / "t"
    path.mkdir()
    (path / "sites.csv").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        write_template(path, workbook)
    assert (path / "sites.csv").read_text() == "mine"

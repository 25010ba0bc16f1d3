"""Plans in files: what is written reads back to the last bit, and what is broken is named."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optimizer
from models.faults import Fault, InputError, PlanError, StorageError
from models.files import write_dataset
from models.plan import PLAN_COLUMNS, Plan, SolutionStatus, StopReason, empty_table
from models.plan_files import FORMATS, read_plan, write_plan
from tests.factories import small_dataset
from tests.generator import random_dataset
from tests.models.hand_plan import CUSTOMER, PERIODS, hand_plan, summary

NAMES = {"csv": "p", "xlsx": "p.xlsx", "parquet": "p.parquet"}


def same(one: Plan, other: Plan, *, dtypes: bool = True) -> None:
    """Both plans hold the same, to the last bit."""
    assert one.summary == other.summary
    for name in PLAN_COLUMNS:
        pd.testing.assert_frame_equal(one[name], other[name], check_exact=True, check_dtype=dtypes)
    pd.testing.assert_frame_equal(one.events, other.events, check_exact=True, check_dtype=dtypes)


def faults_of(path: Path) -> list[Fault]:
    with pytest.raises(PlanError) as raised:
        read_plan(path)
    assert all(str(fault) for fault in raised.value.faults)
    return list(raised.value.faults)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The plan by hand as a folder of CSV files."""
    write_plan(hand_plan(), tmp_path / "p")
    return tmp_path / "p"


@pytest.mark.parametrize("format", FORMATS)
def test_round_trip(tmp_path: Path, format: str) -> None:
    plan, path = hand_plan(), tmp_path / NAMES[format]
    write_plan(plan, path)
    found = read_plan(path)
    same(found, plan)
    assert found.contracts["customer"].iloc[0] == CUSTOMER
    assert math.copysign(1.0, found["market"]["revenue_usd"].iloc[1]) == -1.0
    assert found["racks"]["gen_id"].tolist() == ["nan"] * 4 + ["1e5"] * 2


def test_the_format_asked_for_goes_before_the_ending(tmp_path: Path) -> None:
    write_plan(hand_plan(), tmp_path / "p.xlsx", format="parquet")
    same(read_plan(tmp_path / "p.xlsx"), hand_plan())
    assert (tmp_path / "p.xlsx" / "racks.parquet").is_file()


@pytest.mark.parametrize("format", FORMATS)
def test_round_trip_of_a_plan_of_the_optimizer(tmp_path: Path, format: str) -> None:
    plan = optimizer.plan(random_dataset(99), gap=0.05, time_limit=30, threads=1)
    write_plan(plan, tmp_path / NAMES[format])
    same(read_plan(tmp_path / NAMES[format]), plan)


@pytest.mark.parametrize("format", FORMATS)
def test_round_trip_of_an_empty_plan(tmp_path: Path, format: str) -> None:
    given = summary(audit=None, npv_usd=None, bound_usd=None, gap=None, npv_terms={}, kpis={})
    plan = Plan(given, {name: empty_table(name) for name in PLAN_COLUMNS})
    write_plan(plan, tmp_path / NAMES[format])
    same(read_plan(tmp_path / NAMES[format]), plan, dtypes=False)


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\t\r\n"), min_size=1, max_size=20)


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.tuples(TEXTS, NUMBERS), min_size=1, max_size=8, unique_by=lambda row: row[0]))
def test_any_text_and_any_number_survive(format: str, rows: list[tuple[str, float]]) -> None:
    found = [("nan", tier, "2026-Q1", gpus, gpus) for tier, gpus in rows]
    plan = hand_plan(market=pd.DataFrame(found, columns=[c.name for c in PLAN_COLUMNS["market"]]))
    with tempfile.TemporaryDirectory() as place:
        write_plan(plan, Path(place) / NAMES[format])
        same(read_plan(Path(place) / NAMES[format]), plan)


def test_the_folder_holds_what_the_design_says(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {"summary.json", "events.csv", *(f"{name}.csv" for name in PLAN_COLUMNS)}
    assert (folder / "deliveries.csv").read_text().splitlines()[1] == "firm,a,nan,2026-Q1,0.30000000000000004"
    assert json.loads((folder / "summary.json").read_text())["gap_certified"] == 0.05


def test_order_of_columns_does_not_matter(folder: Path) -> None:
    racks = pd.read_csv(folder / "racks.csv", dtype=str, keep_default_na=False)
    racks[racks.columns[::-1]].to_csv(folder / "racks.csv", index=False)
    same(read_plan(folder), hand_plan())


def test_the_log_may_be_missing(folder: Path) -> None:
    (folder / "events.csv").unlink()
    assert read_plan(folder).events.empty


def test_notes_beside_the_tables_are_let_be(folder: Path) -> None:
    for name in ("README.md", ".hidden", "report.html"):
        (folder / name).write_text("mine")
    (folder / "baseline").mkdir()
    same(read_plan(folder), hand_plan())


# replacing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_plan_folder_is_replaced_and_notes_stay(folder: Path, format: str) -> None:
    (folder / "NOTES.md").write_text("mine")
    write_plan(hand_plan(summary=summary(npv_usd=7.0)), folder, format=format)
    assert read_plan(folder).summary.npv_usd == 7.0
    assert (folder / "NOTES.md").read_text() == "mine"
    assert {path.suffix for path in folder.iterdir()} == {".json", ".md", f".{format}"}


@pytest.mark.parametrize(
    ("changes", "stays"),
    [
        ({}, {"dataset.json", "baseline", "report.html"}),
        ({"npv_usd": 7.0}, {"dataset.json", "baseline"}),
        ({"dataset": {"name": "other", "sha256": "cd" * 32}}, set()),
    ],
)
def test_what_belongs_to_the_old_plan_stays_only_if_it_is_still_true(folder: Path, changes: dict[str, Any], stays: set[str]) -> None:
    (folder / "dataset.json").write_text("{}")
    (folder / "report.html").write_text("<html>")
    write_plan(hand_plan(), folder / "baseline")
    write_plan(hand_plan(summary=summary(**changes)), folder)
    assert {"dataset.json", "baseline", "report.html"} & set(os.listdir(folder)) == stays
    assert not stays or read_plan(folder / "baseline").summary.npv_usd == 1050.0


def test_notes_beside_a_baseline_stay_where_the_baseline_does_not(folder: Path) -> None:
    write_plan(hand_plan(), folder / "baseline")
    (folder / "baseline" / "notes.md").write_text("mine")
    write_plan(hand_plan(summary=summary(dataset={"name": "other", "sha256": "cd" * 32})), folder)
    assert [path.name for path in (folder / "baseline").iterdir()] == ["notes.md"]
    assert read_plan(folder).summary.dataset.name == "other"


def _other_file(path: Path) -> None:
    (path / "thesis.tex").write_text("mine")


def _git(path: Path) -> None:
    (path / ".git").mkdir()


def _inside_baseline(path: Path) -> None:
    (path / "baseline").mkdir()
    (path / "baseline" / "thesis.tex").write_text("mine")


def _folder_as_table(path: Path) -> None:
    (path / "racks.csv").unlink()
    (path / "racks.csv").mkdir()


def _no_summary(path: Path) -> None:
    (path / "summary.json").unlink()


@pytest.mark.parametrize("spoil", [_other_file, _git, _inside_baseline, _folder_as_table, _no_summary])
@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_folder_with_other_things_is_not_replaced(folder: Path, spoil: Callable[[Path], None], format: str) -> None:
    spoil(folder)
    before = sorted(str(path) for path in folder.rglob("*"))
    with pytest.raises(InputError, match="holds other things than a plan") as raised:
        write_plan(hand_plan(), folder, format=format)
    assert raised.value.faults[0].allowed
    assert sorted(str(path) for path in folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "format", "words"),
    [("p.json", None, "unknown format"), ("p.csv", None, "unknown format"), ("p", "ods", "unknown format 'ods'")],
)
def test_unknown_formats(tmp_path: Path, name: str, format: str | None, words: str) -> None:
    with pytest.raises(InputError, match=words):
        write_plan(hand_plan(), tmp_path / name, format=format)
    assert not list(tmp_path.iterdir())


def test_a_file_in_place_of_the_folder_and_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        write_plan(hand_plan(), tmp_path / "p")
    assert (tmp_path / "p").read_text() == "mine"
    (tmp_path / "p.xlsx").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        write_plan(hand_plan(), tmp_path / "p.xlsx")


@pytest.mark.parametrize("format", FORMATS)
def test_a_disk_that_fails_leaves_the_old_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    path = tmp_path / NAMES[format]
    write_plan(hand_plan(), path)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write_plan(hand_plan(summary=summary(npv_usd=7.0)), path)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    same(read_plan(path), hand_plan())


@pytest.mark.parametrize("format", FORMATS)
def test_a_plan_with_cells_that_cannot_be_is_not_written(tmp_path: Path, format: str) -> None:
    deliveries = hand_plan().deliveries.assign(gpus=[math.nan, "many"])
    with pytest.raises(PlanError) as raised:
        write_plan(hand_plan(deliveries=deliveries), tmp_path / NAMES[format])
    assert [(f.row, f.column) for f in raised.value.faults] == [("row 1", "gpus"), ("row 2", "gpus")]
    with pytest.raises(PlanError, match="missing column"):
        write_plan(hand_plan(deliveries=deliveries.drop(columns="gpus")), tmp_path / NAMES[format])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("text", "words"), [("x" * 40_000, "at most 32767 characters"), ("a_x000D_b", "the text _x000D_")])
def test_text_that_a_workbook_cannot_hold(tmp_path: Path, text: str, words: str) -> None:
    contracts = hand_plan().contracts.assign(customer=text)
    with pytest.raises(InputError, match=words) as raised:
        write_plan(hand_plan(contracts=contracts), tmp_path / "p.xlsx")
    assert len(raised.value.faults) == len(contracts)
    assert not list(tmp_path.iterdir())
    write_plan(hand_plan(contracts=contracts), tmp_path / "p")
    same(read_plan(tmp_path / "p"), hand_plan(contracts=contracts), dtypes=False)


# reading what is broken ------------------------------------------------------------------------


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


CELLS = [
    ("racks.csv", "a,nan,2026-Q1,10,0,10", "a,nan,2026-Q1,ten,0,10", ("racks.csv", "line 2", "installed", "ten", "not_a_number")),
    ("racks.csv", "a,nan,2026-Q1,10,0,10", "a,nan,2026-Q1,10.5,0,10", ("racks.csv", "line 2", "installed", "10.5", "not_whole")),
    ("racks.csv", "a,nan,2026-Q1,10,0,10", "a,nan,2026-Q1,1e30,0,10", ("racks.csv", "line 2", "installed", "1e30", "not_whole")),
    ("racks.csv", "a,nan,2026-Q1,10,0,10", "a,nan,2026-Q1,,0,10", ("racks.csv", "line 2", "installed", "", "missing_value")),
    ("racks.csv", "a,nan,2026-Q1,10,0,10", ",nan,2026-Q1,10,0,10", ("racks.csv", "line 2", "site_id", "", "missing_value")),
    ("racks.csv", "a,nan,2026-Q1,10,0,10", "a,nan,2026-Q5,10,0,10", ("racks.csv", "line 2", "period", "2026-Q5", "bad_period")),
    ("racks.csv", "a,nan,2026-Q2,0,0,10", "a,nan,2026-03,0,0,10", ("racks.csv", "line 3", "period", "2026-03", "bad_period")),
    ("racks.csv", "a,nan,2026-Q2,0,0,10", "a,nan,2026-Q1,0,0,10", ("racks.csv", "line 3", "", "a, nan, 2026-Q1", "duplicate_key")),
    ("racks.csv", "a,nan,2026-Q1,10,0,10", "a,nan,2026-Q1,10,0", ("racks.csv", "line 2", "", "", "cell_count")),
    ("deliveries.csv", "0.3333333333333333", "nan", ("deliveries.csv", "line 3", "gpus", "nan", "not_a_number")),
    ("deliveries.csv", "0.3333333333333333", "inf", ("deliveries.csv", "line 3", "gpus", "inf", "not_finite")),
    ("deliveries.csv", "0.3333333333333333", "1e999", ("deliveries.csv", "line 3", "gpus", "1e999", "not_finite")),
    ("deliveries.csv", "0.3333333333333333", "1_000", ("deliveries.csv", "line 3", "gpus", "1_000", "not_a_number")),
    ("decisions.csv", "build,", "built,", ("decisions.csv", "line 5", "kind", "built", "unknown_choice")),
    ("events.csv", "0.25", "soon", ("events.csv", "line 3", "seconds", "soon", "not_a_number")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "found"), CELLS)
def test_bad_cells(folder: Path, name: str, old: str, new: str, found: tuple[str, ...]) -> None:
    edit(folder / name, old, new)
    (fault,) = faults_of(folder)
    assert (fault.table, fault.row, fault.column, fault.value, fault.code) == found
    assert fault.allowed


def test_all_faults_at_once(folder: Path) -> None:
    for name, old, new, _ in (CELLS[0], CELLS[9], CELLS[13]):
        edit(folder / name, old, new)
    edit(folder / "cash.csv", "discounted_total", "discounted_totl")
    edit(folder / "summary.json", '"gap": 0.01', '"gap": "small"')
    (folder / "market.csv").unlink()
    (folder / "sites.csv").rename(folder / "sitse.csv")
    found = {(fault.table, fault.column, fault.code) for fault in faults_of(folder)}
    assert found == {
        ("racks.csv", "installed", "not_a_number"), ("deliveries.csv", "gpus", "not_a_number"), ("decisions.csv", "kind", "unknown_choice"),
        ("cash.csv", "discounted_totl", "unknown_column"), ("cash.csv", "discounted_total", "missing_column"),
        ("summary.json", "gap", "bad_summary"), ("market.csv", "", "missing_table"), ("sites.csv", "", "missing_table"),
        ("sitse.csv", "", "unknown_table"),
    }  # fmt: skip
    suggestions = {fault.suggestion for fault in faults_of(folder)}
    assert {"discounted_total", "sites.csv"} <= suggestions


FILES: list[tuple[str, bytes, str]] = [
    ("racks.csv", b"", "empty_file"),
    ("racks.csv", "site_id,gen_id\n".encode("utf-16"), "encoding"),
    ("racks.csv", "site_id,gen_id\n".encode("utf-16-le"), "encoding"),
    ("racks.csv", b"\xff\x00\x80garbage", "encoding"),
    ("racks.csv", b"site_id;gen_id;period\na;b;c\n", "bad_csv"),
    ("racks.csv", b'site_id,gen_id,period,installed,retired,in_service\n"a,b,2026-Q1,1,0,1\n', "bad_csv"),
    ("summary.json", b"", "empty_file"),
    ("summary.json", b"{", "bad_json"),
    ("summary.json", b"[]", "bad_summary"),
    ("summary.json", b"{}", "missing_column"),
    ("summary.json", b"[" * 100_000, "bad_json"),
    ("summary.json", '{"schema_version": 1}'.encode("utf-16"), "encoding"),
    ("summary.json", b'{"name": "\xe9"}', "encoding"),
]


@pytest.mark.parametrize(("name", "data", "code"), FILES)
def test_broken_files(folder: Path, name: str, data: bytes, code: str) -> None:
    (folder / name).write_bytes(data)
    faults = faults_of(folder)
    assert {fault.code for fault in faults} == {code}
    assert {fault.table for fault in faults} == {name}


@pytest.mark.parametrize(
    ("old", "new", "column", "code"),
    [
        ('"schema_version": 1', '"schema_version": 2', "schema_version", "unknown_version"),
        ('"status": "within_gap"', '"status": "fine"', "status", "bad_summary"),
        ('"npv_usd": 1050.0', '"npv_usd": NaN', "npv_usd", "not_finite"),
        ('"npv_usd": 1050.0', '"npv_usd": "1050"', "npv_usd", "bad_summary"),
        ('"npv_usd": 1050.0', '"npv": 1050.0', "npv", "unknown_column"),
        ('"lease": 0.0', '"leese": 0.0', "npv_terms.leese", "unknown_term"),
        ('"passed": true', '"passed": null', "audit.passed", "bad_summary"),
    ],
)
def test_bad_summaries(folder: Path, old: str, new: str, column: str, code: str) -> None:
    edit(folder / "summary.json", old, new)
    found = {(fault.table, fault.column, fault.code) for fault in faults_of(folder)}
    assert ("summary.json", column, code) in found


@pytest.mark.parametrize("name", ["racks.csv", "summary.json"])
def test_a_folder_in_place_of_a_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    (fault,) = faults_of(folder)
    assert (fault.table, fault.code) == (name, "not_a_file")


def test_a_table_twice(folder: Path, tmp_path: Path) -> None:
    write_plan(hand_plan(), tmp_path / "q", format="parquet")
    shutil.copy(tmp_path / "q" / "racks.parquet", folder)
    (fault,) = faults_of(folder)
    assert (fault.table, fault.code) == ("racks.parquet", "duplicate_table")


def test_a_search_without_a_plan(tmp_path: Path) -> None:
    none = summary(status=SolutionStatus.INFEASIBLE, stop_reason=StopReason.PROVED_INFEASIBLE, npv_usd=None, audit=None)
    (tmp_path / "summary.json").write_text(none.model_dump_json())
    (fault,) = faults_of(tmp_path)
    assert (fault.code, fault.value) == ("no_plan", "infeasible")


def test_what_is_no_plan_at_all(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").write_text("mine")
    (tmp_path / "plan.txt").write_text("a plan")
    for dataset in ("data", "data.xlsx"):
        write_dataset(small_dataset(), tmp_path / dataset)
    expected = {
        "empty": "is empty", "other": "holds no plan", "plan.txt": "is not a plan", "data": "holds a dataset, not a plan",
        "data.xlsx": "holds a dataset, not a plan", "nowhere": "does not exist", "p/racks.csv": "the folder p, not a file in it",
    }  # fmt: skip
    for name, words in expected.items():
        (fault,) = faults_of(tmp_path / name)
        assert words in str(fault), name
    (fault,) = faults_of(tmp_path / "pp")
    assert fault.suggestion == "p"


# workbooks and Parquet -------------------------------------------------------------------------


@pytest.fixture
def book(tmp_path: Path) -> Path:
    write_plan(hand_plan(), tmp_path / "p.xlsx")
    return tmp_path / "p.xlsx"


def change(book: Path, sheet: str, cell: str, value: object) -> None:
    opened = openpyxl.load_workbook(book)
    opened[sheet][cell] = value
    opened.save(book)


def test_sheets_of_the_workbook(book: Path) -> None:
    opened = openpyxl.load_workbook(book)
    assert opened.sheetnames == ["summary", *PLAN_COLUMNS, "events"]
    values = {row[0]: row[1] for row in opened["summary"].iter_rows(values_only=True)}
    assert (values["npv_usd"], values["npv_terms.energy"], values["status"]) == (1050.0, -0.1, "within_gap")


@pytest.mark.parametrize(
    ("sheet", "cell", "value", "found"),
    [
        ("racks", "D2", "ten", ("sheet racks", "row 2", "installed", "not_a_number")),
        ("racks", "D2", True, ("sheet racks", "row 2", "installed", "not_a_number")),
        ("racks", "D2", None, ("sheet racks", "row 2", "installed", "missing_value")),
        ("racks", "D1", "instaled", ("sheet racks", "row 1", "instaled", "unknown_column")),
        ("racks", "C2", True, ("sheet racks", "row 2", "period", "not_text")),
        ("summary", "A1", "name", ("sheet summary", "row 1", "", "bad_summary")),
        ("summary", "B2", "one", ("sheet summary", "", "schema_version", "unknown_version")),
        ("summary", "A3", "schema_version", ("sheet summary", "row 3", "schema_version", "duplicate_key")),
    ],
)
def test_bad_cells_of_a_workbook(book: Path, sheet: str, cell: str, value: object, found: tuple[str, ...]) -> None:
    change(book, sheet, cell, value)
    assert found in [(fault.table, fault.row, fault.column, fault.code) for fault in faults_of(book)]


def test_years_that_a_spreadsheet_made_numbers(tmp_path: Path) -> None:
    plan = hand_plan()
    years = {
        name: plan[name].replace({"period": dict(zip(PERIODS, ["2026", "2027", "2028", "2029"], strict=True))}) for name in PLAN_COLUMNS
    }
    decisions = years["decisions"].assign(period="2027")
    write_plan(hand_plan(**{**years, "decisions": decisions}), tmp_path / "p.xlsx")
    change(tmp_path / "p.xlsx", "racks", "C2", 2026)
    assert read_plan(tmp_path / "p.xlsx").racks["period"].iloc[0] == "2026"


def test_missing_and_unknown_sheets(book: Path) -> None:
    opened = openpyxl.load_workbook(book)
    opened["racks"].title = "rack"
    opened.save(book)
    found = {(fault.table, fault.code, fault.suggestion) for fault in faults_of(book)}
    assert found == {("sheet rack", "unknown_table", "sheet racks"), ("sheet racks", "missing_table", "")}
    opened["summary"].title = "sumary"
    opened.save(book)
    (fault,) = faults_of(book)
    assert fault.code == "no_plan"


@pytest.mark.parametrize("size", [0, 3, 1000, -1000])
@pytest.mark.parametrize("format", ["xlsx", "parquet"])
def test_files_cut_short(tmp_path: Path, format: str, size: int) -> None:
    write_plan(hand_plan(), tmp_path / NAMES[format])
    path = tmp_path / NAMES[format]
    file = path if format == "xlsx" else path / "racks.parquet"
    file.write_bytes(file.read_bytes()[:size])
    (fault,) = faults_of(path)
    assert fault.code == ("empty_file" if size == 0 else f"bad_{'workbook' if format == 'xlsx' else 'parquet'}")


@pytest.mark.parametrize("data", [b"text", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600])
def test_what_is_no_workbook(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "p.xlsx").write_bytes(data)
    (fault,) = faults_of(tmp_path / "p.xlsx")
    assert fault.code == "bad_workbook"


def test_bad_cells_of_parquet(tmp_path: Path) -> None:
    write_plan(hand_plan(), tmp_path / "p", format="parquet")
    file = tmp_path / "p" / "racks.parquet"
    racks = pd.read_parquet(file).astype({"installed": object})
    racks["installed"] = [None, *racks["installed"].astype(float).tolist()[1:]]
    racks["retired"] = racks["retired"].astype(str)
    racks.loc[1, "retired"] = "four"
    racks.assign(period=[1, *racks["period"].tolist()[1:]]).astype({"period": str}).drop(columns="in_service").to_parquet(file)
    found = {(fault.table, fault.row, fault.column, fault.code) for fault in faults_of(tmp_path / "p")}
    assert found == {
        ("racks.parquet", "row 1", "installed", "missing_value"),
        ("racks.parquet", "row 2", "retired", "not_a_number"),
        ("racks.parquet", "row 1", "period", "bad_period"),
        ("racks.parquet", "", "in_service", "missing_column"),
    }

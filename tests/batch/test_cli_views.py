"""audit, show, report, new and convert on a small plan made by the kernel."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

import optimizer
from batch.commands import plan_folder
from models.files import read_dataset, write_dataset
from models.plan import PLAN_COLUMNS, Plan
from models.plan_files import read_plan, write_plan
from optimizer.spreadsheet import spreadsheet_plan
from tests.conftest import Wattplan
from tests.factories import small_dataset


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan folder with its dataset and a baseline; only to be read."""
    folder = tmp_path_factory.mktemp("planned") / "p"
    dataset = small_dataset(supply=[{"gen_id": "h100", "period": "2026-Q1", "racks": 10}])
    plan_folder.write_all(folder, optimizer.plan(dataset, gap=0.0, time_limit=60, threads=1), dataset, spreadsheet_plan(dataset))
    return folder


@pytest.fixture
def plan_copy(planned: Path, tmp_path: Path) -> Path:
    """A plan folder of the test's own."""
    return shutil.copytree(planned, tmp_path / "p")


def test_audit_passes(wattplan: Wattplan, planned: Path) -> None:
    """100 GPUs at 2 USD over the 8760 hours of 2026, less 10 racks at 10,000 USD: 1,652,000 USD."""
    ended = wattplan("audit", planned / "dataset.json", planned)
    assert (ended.code, ended.err) == (0, "")
    assert "audit passed" in ended.out
    assert "1,652,000.00 USD" in ended.out


def test_audit_fails_on_a_plan_that_was_changed(wattplan: Wattplan, plan_copy: Path) -> None:
    racks = pd.read_csv(plan_copy / "racks.csv")
    racks.loc[0, "in_service"] += 1
    racks.to_csv(plan_copy / "racks.csv", index=False)
    ended = wattplan("audit", plan_copy / "dataset.json", plan_copy, "--json")
    assert ended.code == 1
    report = ended.document["audit"]
    assert report["passed"] is False
    assert "fleet" in {violation["constraint"] for violation in report["violations"]}
    assert "audit failed" in wattplan("audit", plan_copy / "dataset.json", plan_copy).out


@pytest.mark.parametrize("what", ["missing", "file", "no summary", "broken summary", "table missing", "unknown column"])
@pytest.mark.parametrize("command", ["audit", "show", "report"])
def test_what_is_no_plan(wattplan: Wattplan, plan_copy: Path, command: str, what: str, tmp_path: Path) -> None:
    path = plan_copy
    dataset = shutil.copy(plan_copy / "dataset.json", tmp_path / "d.json")
    match what:
        case "missing":
            path = tmp_path / "q"
        case "file":
            path = tmp_path / "q.txt"
            path.write_text("a plan")
        case "no summary":
            (path / "summary.json").unlink()
        case "broken summary":
            (path / "summary.json").write_text("{")
        case "table missing":
            (path / "racks.csv").unlink()
        case "unknown column":
            text = (path / "racks.csv").read_text()
            (path / "racks.csv").write_text(text.replace("in_service", "in_servise", 1))
    rest = {"audit": [dataset, path], "show": [path], "report": [path, "-o", tmp_path / "r.html"]}[command]
    ended = wattplan(command, *rest)
    assert ended.code == 2
    assert ended.errors
    assert not ended.out
    assert not (tmp_path / "r.html").exists()


def test_show(wattplan: Wattplan, planned: Path) -> None:
    ended = wattplan("show", planned)
    assert (ended.code, ended.err) == (0, "")
    assert "NPV" in ended.out
    assert wattplan("show", planned, "--json").document["summary"]["npv_usd"] == pytest.approx(1_652_000)


@pytest.mark.parametrize("command", ["show", "report"])
def test_views_need_the_dataset_of_the_plan(wattplan: Wattplan, plan_copy: Path, tmp_path: Path, command: str) -> None:
    stored = (plan_copy / "dataset.json").rename(tmp_path / "d.json")
    rest = ["-o", tmp_path / "r.html"] if command == "report" else []
    ended = wattplan(command, plan_copy, *rest)
    assert ended.code == 2
    assert "--dataset" in ended.errors[0]
    assert wattplan(command, plan_copy, *rest, "--dataset", stored).code == 0
    other = json.loads(stored.read_text())
    other["dataset"]["discount_rate"] = 0.2
    stored.write_text(json.dumps(other))
    ended = wattplan(command, plan_copy, *rest, "--dataset", stored)
    assert ended.code == 2
    assert "is not the dataset of" in ended.errors[0]


def test_report_is_one_file(wattplan: Wattplan, planned: Path, tmp_path: Path) -> None:
    file = tmp_path / "r.html"
    ended = wattplan("report", planned, "-o", file, "--json")
    assert ended.code == 0
    assert ended.document == {"paths": {"report": str(file)}}
    text = file.read_text()
    assert "<html" in text
    assert not [mark for mark in ('src="http', 'href="http', "@import") if mark in text]


def test_report_where_none_can_be(wattplan: Wattplan, planned: Path, tmp_path: Path) -> None:
    assert wattplan("report", planned, "-o", tmp_path).code == 2
    (tmp_path / "file").write_text("")
    assert wattplan("report", planned, "-o", tmp_path / "file" / "r.html").code == 2


@pytest.mark.parametrize("given", [["mine"], ["mine", "--workbook"], ["mine.xlsx"]])
def test_new_writes_a_template_that_is_sound(wattplan: Wattplan, tmp_path: Path, given: list[str]) -> None:
    ended = wattplan("new", tmp_path / given[0], *given[1:], "--json")
    assert ended.code == 0
    path = Path(ended.document["paths"]["dataset"])
    assert path.name == ("mine" if len(given) == 1 and given[0] == "mine" else "mine.xlsx")
    assert wattplan("check", path).code == 0


def test_new_replaces_nothing(wattplan: Wattplan, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sites.csv").write_text("mine")
    ended = wattplan("new", tmp_path / "mine")
    assert ended.code == 2
    assert (tmp_path / "mine" / "sites.csv").read_text() == "mine"


@pytest.mark.parametrize("name", ["copy", "copy.xlsx", "copy.json"])
def test_convert_a_dataset(wattplan: Wattplan, template_folder: Path, tmp_path: Path, name: str) -> None:
    ended = wattplan("convert", template_folder, tmp_path / name, "--json")
    assert (ended.code, ended.document["kind"]) == (0, "dataset")
    back = tmp_path / "back"
    assert wattplan("convert", tmp_path / name, back).code == 0
    assert read_dataset(back).sha256 == read_dataset(template_folder).sha256


def same_plan(one: Plan, other: Plan) -> None:
    """Both plans hold the same, digit by digit."""
    assert one.summary == other.summary
    for name in PLAN_COLUMNS:
        pd.testing.assert_frame_equal(one[name], other[name], check_dtype=False)


@pytest.mark.parametrize(("name", "options"), [("q", []), ("q.xlsx", []), ("q", ["--format", "parquet"])])
def test_convert_a_plan(wattplan: Wattplan, planned: Path, tmp_path: Path, name: str, options: list[str]) -> None:
    ended = wattplan("convert", planned, tmp_path / name, *options, "--json")
    assert (ended.code, ended.document["kind"]) == (0, "plan")
    same_plan(read_plan(tmp_path / name), read_plan(planned))
    assert wattplan("audit", planned / "dataset.json", tmp_path / name).code == 0


def test_convert_does_not_replace_other_things(wattplan: Wattplan, planned: Path, tmp_path: Path) -> None:
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "thesis.tex").write_text("mine")
    assert wattplan("convert", planned, tmp_path / "q").code == 2
    assert (tmp_path / "q" / "thesis.tex").read_text() == "mine"


def test_stored_baseline_is_found(planned: Path, tmp_path: Path) -> None:
    dataset = read_dataset(planned / "dataset.json")
    stored, its_dataset = plan_folder.baseline_of(planned, None, dataset)
    assert stored is not None
    assert its_dataset is dataset
    write_plan(stored, tmp_path / "alone")
    assert plan_folder.baseline_of(tmp_path / "alone", None, dataset) == (None, None)


def test_a_plan_without_contracts_and_supply_can_be_seen(wattplan: Wattplan, tmp_path: Path) -> None:
    """Its dataset has tables that may not be missing and are empty."""
    write_dataset(small_dataset(contracts=[], supply=[]), tmp_path / "none")
    assert wattplan("plan", tmp_path / "none", "-o", tmp_path / "p", "--threads", 1, "-q").code == 0
    (tmp_path / "change.yaml").write_text("type: discount.rate\ndiscount_rate: 0.2\n")
    plan = tmp_path / "p"
    for command in (
        ["show", plan], ["report", plan, "-o", tmp_path / "r.html"], ["export", plan, "-o", tmp_path / "x.xlsx"], ["diff", plan, plan],
        ["prices", plan], ["whatif", plan, "-c", tmp_path / "change.yaml", "--threads", 1],
    ):  # fmt: skip
        ended = wattplan(*command)
        assert (ended.code, ended.errors) == (0, []), command
    (tmp_path / "d.csv").write_text("row,rule,decision,gen_id,value\nno,max,installed,h100,0\n")
    assert wattplan("plan", plan / "dataset.json", "-o", tmp_path / "q", "--directives", tmp_path / "d.csv", "-q").code == 0


@pytest.mark.parametrize(
    ("table", "column", "value", "said"),
    [
        ("racks", "site_id", "zz", "racks, site_id: unknown site (found 'zz')"),
        ("racks", "period", "2050-Q1", "racks, period: is outside the horizon (found '2050-Q1')"),
        ("decisions", "id", "zz", "decisions, id: unknown id of the decision sign (found 'zz')"),
    ],
)
@pytest.mark.parametrize("command", ["diff", "show", "prices"])
def test_a_plan_edited_by_hand_that_names_what_there_is_not(
    wattplan: Wattplan, plan_copy: Path, planned: Path, command: str, table: str, column: str, value: str, said: str
) -> None:
    if table == "decisions":
        (plan_copy / "decisions.csv").write_text("kind,id,period,mw\nsign,zz,2026-Q1,0.0\n")
    else:
        frame = pd.read_csv(plan_copy / f"{table}.csv", dtype=str, keep_default_na=False)
        frame.loc[0, column] = value
        frame.to_csv(plan_copy / f"{table}.csv", index=False)
    ended = wattplan(command, *([planned] if command == "diff" else []), plan_copy)
    assert ended.code == 2
    assert ended.errors[0].startswith(f"error: {plan_copy}, {said}")


def test_suggested_commands_can_be_copied(wattplan: Wattplan, tmp_path: Path) -> None:
    mine = tmp_path / "my data"
    assert wattplan("new", mine).out.splitlines()[1:] == [f"next: wattplan check '{mine}'", f"then: wattplan plan '{mine}' -o plan"]


def damaged(path: Path) -> None:
    """A workbook of a dataset whose list of parts is no XML."""
    write_dataset(small_dataset(), path)
    with zipfile.ZipFile(path) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, b"<Types" if name == "[Content_Types].xml" else content)


def test_convert_names_a_damaged_workbook(wattplan: Wattplan, tmp_path: Path) -> None:
    damaged(tmp_path / "d.xlsx")
    ended = wattplan("convert", tmp_path / "d.xlsx", tmp_path / "out")
    assert ended.code == 2
    [error] = ended.errors
    assert error.startswith(f"error: {tmp_path / 'd.xlsx'}: cannot be read as a workbook")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [[], ["--format", "csv"]])
@pytest.mark.parametrize("name", ["out.zip", "out.csv", "out.xls"])
@pytest.mark.parametrize("kind", ["dataset", "plan"])
def test_convert_makes_no_folder_named_like_a_file(
    wattplan: Wattplan, template_folder: Path, planned: Path, tmp_path: Path, kind: str, name: str, options: list[str]
) -> None:
    ended = wattplan("convert", template_folder if kind == "dataset" else planned, tmp_path / name, *options)
    assert ended.code == 2
    assert name in ended.errors[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("what", ["workbook", "plan workbook", "settings", "summary", "text"])
def test_convert_replaces_no_file_of_another_kind(
    wattplan: Wattplan, template_folder: Path, planned: Path, tmp_path: Path, what: str
) -> None:
    file = tmp_path / ("x.json" if what in ("settings", "summary") else "x.xlsx")
    match what:
        case "workbook":
            openpyxl.Workbook().save(file)
        case "plan workbook":
            write_plan(read_plan(planned), file)
        case "settings":
            file.write_text('{"name": "my-package", "version": "1.0"}')
        case "summary":
            shutil.copy(planned / "summary.json", file)
        case "text":
            file.write_text("mine")
    before = file.read_bytes()
    ended = wattplan("convert", template_folder, file)
    assert ended.code == 2
    assert "is there and holds no dataset" in ended.errors[0]
    assert "remove this one first" in ended.errors[0]
    assert file.read_bytes() == before


@pytest.mark.parametrize("name", ["x.json", "x.xlsx"])
def test_convert_replaces_a_file_of_its_kind(wattplan: Wattplan, template_folder: Path, planned: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert wattplan("convert", planned / "dataset.json", tmp_path / name).code == 0, "what has no content is no loss"
    assert wattplan("convert", template_folder, tmp_path / name).code == 0
    assert read_dataset(tmp_path / name).sha256 == read_dataset(template_folder).sha256
    if name == "x.xlsx":
        ended = wattplan("convert", planned, tmp_path / name)
        assert ended.code == 2
        assert "is there and holds no plan" in ended.errors[0]

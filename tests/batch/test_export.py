"""The workbook: what the plan says stands in its cells, with units, marks and charts, and nothing in it is a formula."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import openpyxl
import pytest
from openpyxl.workbook import Workbook

import optimizer
from batch.commands import plan_folder
from batch.export import workbook_bytes
from batch.export.cells import number_format, text
from models.dataset import Dataset
from models.exceptions import exceptions
from models.faults import PlanError
from models.files import write_dataset
from models.plan import NPV_TERMS, PLAN_COLUMNS, Plan
from models.plan_files import write_plan
from models.plan_views import contract_lateness
from models.template import template_dataset
from optimizer.explain.difference import difference
from optimizer.kpis import KPIS
from optimizer.spreadsheet import spreadsheet_plan
from tests.conftest import Wattplan
from tests.factories import small_dataset

TABLES = {
    "Racks": "racks", "Deliveries": "deliveries", "Contracts by period": "contracts", "Sites by period": "sites", "Market": "market",
    "Market by site": "market_sites", "Cash": "cash",
}  # fmt: skip
"""Sheets that hold a table of the plan as it is, with its name."""
CHANGES = ("Changed decisions", "Changed racks", "Changed serving", "Changed limits", "Changed inputs")


class Case(NamedTuple):
    """A plan, its dataset and the plan compared with, and their workbook."""

    plan: Plan
    dataset: Dataset
    baseline: Plan
    data: bytes


def opened(data: bytes) -> Workbook:
    return openpyxl.load_workbook(io.BytesIO(data))


def rows(book: Workbook, sheet: str) -> list[dict[str, Any]]:
    """Rows of a sheet by the names of its columns."""
    head, *body = book[sheet].iter_rows(values_only=True)
    return [dict(zip(map(str, head), row, strict=True)) for row in body]


@pytest.fixture(scope="module")
def case() -> Case:
    """The template, whose best plan is late once and signs a prospect, against the spreadsheet rule."""
    dataset = template_dataset()
    best, baseline = optimizer.plan(dataset, gap=0, threads=1), spreadsheet_plan(dataset)
    return Case(best, dataset, baseline, workbook_bytes(best, dataset, baseline=baseline))


@pytest.fixture(scope="module")
def book(case: Case) -> Workbook:
    return opened(case.data)


@pytest.fixture(scope="module")
def slip() -> tuple[Plan, Dataset, Plan, Dataset]:
    """A small plan, and the same with two racks fewer to be had: 80 GPUs of the 100 owed."""
    before = small_dataset()
    after = small_dataset(supply=[{"gen_id": "h100", "period": "2026-Q1", "racks": 8}])
    return optimizer.plan(after, gap=0, threads=1), after, optimizer.plan(before, gap=0, threads=1), before


def test_every_table_of_the_plan_is_there_to_the_last_digit(case: Case, book: Workbook) -> None:
    for sheet, table in TABLES.items():
        names = [c.name for c in PLAN_COLUMNS[table]]
        found = rows(book, sheet)
        assert list(found[0]) == names
        wanted = case.plan[table][names].to_dict("records")
        assert [{k: v or 0 if k not in ("binding",) else v or "" for k, v in row.items()} for row in found] == [
            {k: v or 0 if k not in ("binding",) else v or "" for k, v in row.items()} for row in wanted
        ]


def test_the_first_sheet_says_what_this_is_and_links_to_every_other(case: Case, book: Workbook) -> None:
    page = book["README"]
    assert book.sheetnames[0] == "README"
    facts = {row[0]: row[1] for row in page.iter_rows(values_only=True) if row[0]}
    assert facts["content hash (SHA-256)"] == case.dataset.sha256
    assert facts["status"].startswith("optimal; ended by gap reached")
    assert "0.000% proven" in facts["gap"]
    links = {cell.value: cell.hyperlink for row in page.iter_rows() for cell in row if cell.hyperlink}
    assert sorted(links) == sorted(book.sheetnames[1:])
    assert all(link.location == f"'{name}'!A1" and link.target is None for name, link in links.items())


def test_heads_are_frozen_filtered_and_explained(book: Workbook) -> None:
    for name in book.sheetnames[2:]:
        page = book[name]
        assert page.freeze_panes is not None
        assert page.freeze_panes[-1] == "2"
        assert page.auto_filter.ref.startswith("A1:")
        assert all(cell.comment is not None and cell.comment.text for cell in page[1])
        assert all(page.column_dimensions[letter].width >= 9 for letter in page.column_dimensions)


def test_numbers_show_their_unit(book: Workbook) -> None:
    def formats(sheet: str) -> dict[str, str]:
        page = book[sheet]
        return {str(head.value): cell.number_format for head, cell in zip(page[1], page[2], strict=True)}

    sites = formats("Sites by period")
    assert '" MW"' in sites["it_used_mw"]
    assert '" MWh"' in sites["energy_mwh"]
    assert '" t CO2"' in sites["tco2"]
    assert '" racks"' in formats("Racks")["in_service"]
    assert formats("Contracts")["share_delivered"] == "0.00%"
    assert ',," M USD"' in formats("NPV")["npv_usd"], "large money is shown in millions"
    assert '#,##0" USD"' in formats("Contracts by period")["revenue_usd"], "small money is not"


def test_key_figures_and_npv_stand_beside_those_of_the_baseline(case: Case, book: Workbook) -> None:
    figures = {row["figure"]: row for row in rows(book, "KPIs")}
    assert set(KPIS) < set(figures)
    assert set(case.plan.summary.kpis) == set(KPIS)
    npv = figures["npv_usd"]
    assert npv["plan"] == case.plan.summary.npv_usd
    assert npv["baseline"] == case.baseline.summary.npv_usd
    assert npv["difference"] == pytest.approx(npv["plan"] - npv["baseline"])
    terms = rows(book, "NPV")
    assert [row["term"] for row in terms] == list(NPV_TERMS)
    assert sum(row["difference"] for row in terms) == pytest.approx(npv["difference"])
    assert {row["term"]: row["npv_usd"] or 0 for row in terms} == pytest.approx(case.plan.summary.npv_terms)


def test_sums_of_a_period_are_those_of_the_tables(case: Case, book: Workbook) -> None:
    found = rows(book, "By period")
    assert [row["period"] for row in found] == case.dataset.calendar.labels
    assert [row["it_used_mw"] for row in found] == pytest.approx(case.plan.sites.groupby("period")["it_used_mw"].sum().tolist())
    assert sum(row["short_gpus"] for row in found) == pytest.approx(case.plan.contracts["short_gpus"].sum())
    assert sum(row["cash_usd"] for row in found) == pytest.approx(case.plan.cash[list(NPV_TERMS)].to_numpy().sum())
    assert found[-1]["npv_so_far_usd"] == pytest.approx(case.plan.summary.npv_usd)
    gens = [name for name in found[0] if name.startswith("racks ")]
    last = case.plan.racks[case.plan.racks["period"] == case.dataset.calendar.labels[-1]]
    assert sum(found[-1][name] for name in gens) == last["in_service"].sum()


def test_charts_show_cells_of_the_workbook(case: Case, book: Workbook) -> None:
    charts = book["Charts"]._charts  # type: ignore[attr-defined]
    assert len(charts) == 6
    with zipfile.ZipFile(io.BytesIO(case.data)) as archive:
        drawn = [archive.read(name).decode() for name in archive.namelist() if re.fullmatch(r"xl/charts/chart\d+\.xml", name)]
    titles = " ".join(re.findall(r"<a:t>(.*?)</a:t>", "".join(drawn)))
    for words in ("IT power used", "GPUs owed and delivered", "Cash of each period", "Racks in service by generation", "NPV by term"):
        assert words in titles
    heads = [str(cell.value) for cell in book["By period"][1]]
    used = re.search(r"'By period'!\$(\w+)\$2:\$\w+\$(\d+)", drawn[0].split("<c:val>")[1])
    assert used is not None
    assert heads[openpyxl.utils.column_index_from_string(used[1]) - 1] == "it_used_mw"
    assert int(used[2]) == 1 + case.dataset.settings.periods


def test_late_periods_and_limits_that_bind_are_marked(case: Case, book: Workbook) -> None:
    def rules(sheet: str) -> list[str]:
        formats = book[sheet].conditional_formatting
        return [str(rule.formula[0]) for found in formats for rule in found.rules if rule.formula]

    heads = {str(cell.value): cell.column_letter for cell in book["Contracts by period"][1]}
    assert any(f"${heads['short_gpus']}2>" in formula for formula in rules("Contracts by period"))
    assert any('SEARCH(";it_power;"' in formula for formula in rules("Sites by period"))
    late = contract_lateness(case.plan, case.dataset).set_index("contract_id")["periods_late"]
    assert {row["contract_id"]: row["periods_late"] for row in rows(book, "Contracts")} == late.to_dict()


def test_exceptions_are_those_of_the_plan(case: Case, book: Workbook) -> None:
    wanted = exceptions(case.plan, case.dataset)
    found = rows(book, "Exceptions")
    assert [(row["kind"], row["id"], row["periods"]) for row in found] == list(
        wanted[["kind", "id", "periods"]].itertuples(index=False, name=None)
    )
    late = next(row for row in found if row["kind"] == "late")
    assert late["usd"] == pytest.approx(case.plan.contracts["damages_usd"].groupby(case.plan.contracts["contract_id"]).sum()[late["id"]])


def test_late_gpus_are_no_megawatts(case: Case, book: Workbook) -> None:
    head, *body = book["Exceptions"].iter_rows()
    at = [str(cell.value) for cell in head].index("most")
    formats = {str(row[0].value): row[at].number_format for row in body if row[at].value is not None}
    assert formats.pop("late") == number_format("GPUs")
    assert set(formats.values()) <= {number_format("MW")}


def test_a_figure_that_is_not_known_is_a_number(case: Case) -> None:
    """A plan of another version may have one."""
    summary = case.plan.summary.model_copy(update={"kpis": {**case.plan.summary.kpis, "rack_years": 7.5}})
    found = opened(workbook_bytes(Plan(summary, case.plan.tables, case.plan.events), case.dataset))
    row = next(row for row in rows(found, "KPIs") if row["figure"] == "rack_years")
    assert (row["meaning"], row["plan"]) == ("rack years", 7.5)


def test_what_changed_is_the_difference_of_the_two_plans(slip: tuple[Plan, Dataset, Plan, Dataset]) -> None:
    """2 racks fewer: 20 GPUs less at 3 USD, price and damages, over 8760 hours, less 20,000 USD of capital."""
    after, new, before, old = slip
    book = opened(workbook_bytes(after, new, baseline=before, baseline_dataset=old))
    wanted = difference(before, after, old, new)
    figures = {row["figure"]: row for row in rows(book, "KPIs")}
    assert figures["npv_usd"]["difference"] == pytest.approx(20_000 - 3 * 20 * 8760)
    racks = rows(book, "Changed racks")
    assert [(row["change"], row["racks"]) for row in racks] == [(move.kind.value, move.racks) for move in wanted.racks]
    assert rows(book, "Changed inputs") == [
        {"table": "supply", "row": "h100, 2026-Q1", "change": "changed", "column": "racks", "before": 10, "after": 8}
    ]
    assert rows(book, "Changed serving")[0]["mw_difference"] == pytest.approx(-0.2)
    readme = [str(cell) for row in book["README"].iter_rows(values_only=True) for cell in row]
    assert any("supply h100" in cell for cell in readme)


def test_without_the_baselines_dataset_only_figures_are_compared(slip: tuple[Plan, Dataset, Plan, Dataset]) -> None:
    after, new, before, _ = slip
    book = opened(workbook_bytes(after, new, baseline=before))
    assert not set(CHANGES) & set(book.sheetnames)
    assert {row["figure"]: row for row in rows(book, "KPIs")}["npv_usd"]["baseline"] == before.summary.npv_usd
    assert "the dataset of the baseline is not known" in str([c for r in book["README"].iter_rows(values_only=True) for c in r])
    alone = opened(workbook_bytes(after, new))
    assert [cell.value for cell in alone["KPIs"][1]] == ["figure", "meaning", "plan"]
    assert len(alone["Charts"]._charts) == 5  # type: ignore[attr-defined]


def test_the_same_plan_gives_the_same_bytes(case: Case) -> None:
    assert workbook_bytes(case.plan, case.dataset, baseline=case.baseline) == case.data


@pytest.mark.parametrize(
    "evil",
    [
        "=cmd|' /C calc'!A0",
        "+1+1",
        "-1+1",
        "@SUM(1)",
        "\t=1",
        "\r=1",
        " =1",
        "\uff1d1+1",
        '=HYPERLINK("http://x.example")',
        "http://x.example",
    ],
)
def test_no_name_becomes_a_formula_or_a_link(evil: str) -> None:
    found = text(evil)
    assert found[0] not in "=+-@\t\r\uff1d "
    assert found.endswith(evil)


def test_a_workbook_of_evil_names_holds_text_only() -> None:
    names = {"sites": "=cmd()", "customers": "@SUM(A1)", "tier": "+1"}
    dataset = small_dataset(
        name='=HYPERLINK("http://x.example","plan")',
        sites=[{"site_id": "-a", "name": names["sites"]}],
        contracts=[{"contract_id": "-c", "customer": names["customers"]}],
        market=[{"gen_id": "h100", "tier": names["tier"]}],
        supply=[{"gen_id": "h100", "period": "2026-Q1", "racks": 12}],
    )
    data = workbook_bytes(optimizer.plan(dataset, gap=0, threads=1), dataset)
    book = opened(data)
    cells = [cell for page in book.worksheets for row in page.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s", "n"}
    texts = [cell.value for cell in cells if cell.data_type == "s"]
    assert not [value for value in texts if value[:1] in ("=", "+", "-", "@", "\t", "\r")]
    assert {"'=cmd()", "'@SUM(A1)", "'+1", "'-a", "'-c"} <= set(texts)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert not [name for name in archive.namelist() if "externalLink" in name]
        sheets = {n: archive.read(n).decode() for n in archive.namelist() if n.startswith("xl/worksheets/")}
    assert not [name for name, xml in sheets.items() if re.search(r"<f[ >]", xml)]
    assert not [name for name, xml in sheets.items() if 'TargetMode="External"' in xml]


def test_long_text_says_how_long_it_was() -> None:
    assert text("x" * 40_000).endswith(" ... (40000 characters)")
    assert len(text("x" * 40_000)) == 32_767


def test_every_unit_of_a_plan_has_a_format() -> None:
    units = {c.unit for cols in PLAN_COLUMNS.values() for c in cols if c.kind in ("number", "integer")} | {
        unit for _, unit in KPIS.values()
    }
    assert all("0" in number_format(unit) for unit in units)


def test_a_plan_of_another_dataset_is_refused(case: Case) -> None:
    with pytest.raises(PlanError, match="unknown site"):
        workbook_bytes(case.plan, small_dataset())


@pytest.mark.parametrize(("period", "start"), [("month", "2026-11"), ("year", "2026")])
def test_empty_plans_have_a_workbook(period: str, start: str) -> None:
    dataset = small_dataset(period=period, start=start, periods=3, contracts=[], supply=[])
    book = opened(workbook_bytes(optimizer.plan(dataset, gap=0, threads=1), dataset))
    assert rows(book, "Racks") == []
    assert [row["period"] for row in rows(book, "By period")] == dataset.calendar.labels


# the command -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(slip: tuple[Plan, Dataset, Plan, Dataset], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan folder as a what-if writes it: its baseline was made for another dataset. Only to be read."""
    found = tmp_path_factory.mktemp("exported") / "p"
    plan_folder.write_all(found, *slip)
    return found


def test_export_writes_what_the_function_gives(wattplan: Wattplan, folder: Path, slip: Any, tmp_path: Path) -> None:
    file = tmp_path / "new" / "plan.xlsx"
    ended = wattplan("export", folder, "--xlsx", file, "--json")
    assert (ended.code, ended.document) == (0, {"paths": {"workbook": str(file)}})
    after, new, before, old = slip
    assert file.read_bytes() == workbook_bytes(after, new, baseline=before, baseline_dataset=old)
    assert [path.name for path in file.parent.iterdir()] == ["plan.xlsx"]
    assert wattplan("export", folder, "--xlsx", file).code == 0, "its own workbook may be replaced"


def test_export_compares_with_another_plan(wattplan: Wattplan, folder: Path, slip: Any, tmp_path: Path) -> None:
    after, new, before, old = slip
    write_plan(before, tmp_path / "q")
    write_dataset(old, tmp_path / "old.json")
    shutil.copytree(folder, tmp_path / "p", ignore=shutil.ignore_patterns("baseline"))
    asked = ("export", tmp_path / "p", "--xlsx", tmp_path / "x.xlsx")
    assert wattplan(*asked, "--baseline", tmp_path / "q", "--baseline-dataset", tmp_path / "old.json").code == 0
    assert (tmp_path / "x.xlsx").read_bytes() == workbook_bytes(after, new, baseline=before, baseline_dataset=old)
    assert wattplan(*asked).code == 0
    assert (tmp_path / "x.xlsx").read_bytes() == workbook_bytes(after, new)
    ended = wattplan(*asked, "--baseline-dataset", tmp_path / "old.json")
    assert ended.code == 2
    assert "--baseline" in ended.errors[0]
    ended = wattplan(*asked, "--baseline", tmp_path / "q", "--baseline-dataset", tmp_path / "p" / "dataset.json")
    assert ended.code == 2
    assert "is not the dataset of" in ended.errors[0]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("text", "is not a workbook"),
        ("folder", "is a folder"),
        ("dataset", "holds a dataset"),
        ("someone's", "is a workbook that no export wrote"),
        ("plan", "holds a plan"),
        ("csv", "ends with .xlsx"),
    ],
)
def test_export_replaces_nothing_else(wattplan: Wattplan, folder: Path, slip: Any, tmp_path: Path, what: str, words: str) -> None:
    file = tmp_path / ("x.csv" if what == "csv" else "x.xlsx")
    match what:
        case "text":
            file.write_text("notes")
        case "folder":
            file.mkdir()
        case "dataset":
            write_dataset(slip[1], file)
        case "plan":
            write_plan(slip[0], file)
        case "someone's":
            Workbook().save(file)
    before = file.read_bytes() if file.is_file() else None
    ended = wattplan("export", folder, "--xlsx", file)
    assert ended.code == 2
    assert words in ended.errors[0]
    assert (file.read_bytes() if file.is_file() else None) == before


def test_a_baseline_of_another_dataset_keeps_it_beside_it(folder: Path, slip: Any, tmp_path: Path) -> None:
    assert (folder / "baseline" / "dataset.json").is_file()
    plan_folder.write_all(tmp_path / "same", slip[0], slip[1], slip[0], slip[1])
    assert not (tmp_path / "same" / "baseline" / "dataset.json").exists()
    plan_folder.check_target(tmp_path / "same")
    shutil.copytree(folder, tmp_path / "p")
    write_plan(slip[0], tmp_path / "p")
    assert (tmp_path / "p" / "baseline" / "dataset.json").is_file(), "a plan folder with such a baseline can be written anew"

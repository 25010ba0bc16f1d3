"""The report: one page that stands alone, says what the plan says, and lets no name break out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import pytest

from batch.report import write_report
from batch.report.page import Part, Section, money, page_html, report_html
from batch.report.site_map import HEIGHT, Projection, site_use
from batch.report.tables import contracts_table, racks_table, sites_table, terms_table
from batch.units import unit
from models import tables as tb
from models.dataset import Dataset
from models.plan import NPV_TERMS, Plan
from models.template import template_dataset
from optimizer import plan
from optimizer.explain.prices import Prices, Throughout
from optimizer.spreadsheet import spreadsheet_plan
from tests.factories import small_dataset

SECTIONS = (
    "Sites", "Power and cooling against their limits", "IT power site by site", "What binds", "Delivered against owed", "Contracts",
    "Racks by generation", "What is built", "NPV bridge", "Cash", "Energy and carbon", "The search",
)  # fmt: skip
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@cache
def planned() -> tuple[Plan, Dataset]:
    dataset = template_dataset()
    return plan(dataset, gap=0, threads=1), dataset


def without_bundle(page: str) -> str:
    """The page without the drawing library."""
    return re.sub(r"<script>.*?</script>", "", page, count=1, flags=re.DOTALL)


def specs(page: str) -> dict[str, Any]:
    found = re.search(r"const page = (\{.*?\});\n", page, flags=re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1])["charts"])


def cells(table: str) -> list[list[str]]:
    """Rows of a table, the head first, as plain text."""
    rows = re.findall(r"<tr>(.*?)</tr>", table, flags=re.DOTALL)
    return [[re.sub(r"<.*?>", "", cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, flags=re.DOTALL)] for row in rows]


def test_every_section_is_there_and_the_headline_is_the_plans() -> None:
    best, dataset = planned()
    page = without_bundle(report_html(best, dataset))
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    assert tuple(titles) == SECTIONS
    assert money(best.summary.npv_usd) in page
    assert best.summary.dataset.sha256[:12] in page


def test_nothing_is_loaded_from_elsewhere() -> None:
    best, dataset = planned()
    page = without_bundle(report_html(best, dataset))
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page)
    assert "@import" not in page
    assert "url(" not in page
    assert all("url" not in data for spec in specs(page).values() for data in spec.get("datasets", {}).values() if isinstance(data, dict))


def test_the_charts_hold_the_plans_figures() -> None:
    best, dataset = planned()
    power = specs(report_html(best, dataset))["power-0"]
    rows = next(iter(power["datasets"].values()))
    shown = {row["period"]: row["it_used_mw"] for row in rows}
    assert shown == pytest.approx(best.sites.groupby("period")["it_used_mw"].sum().to_dict())


def test_a_baseline_adds_the_uplift_by_term() -> None:
    best, dataset = planned()
    baseline = spreadsheet_plan(dataset)
    assert best.summary.npv_usd is not None
    assert baseline.summary.npv_usd is not None
    page = report_html(best, dataset, baseline)
    assert money(best.summary.npv_usd - baseline.summary.npv_usd) in page
    assert tuple(re.findall(r"<h2>(.*?)</h2>", without_bundle(page))) == ("What changed", *SECTIONS)


def test_npv_by_term_stands_below_its_picture() -> None:
    best, _ = planned()
    rows = cells(terms_table(best))
    known = [name for name, usd in best.summary.npv_terms.items() if usd]
    assert [row[0] for row in rows[1:-1]] == [name.replace("_", " ") for name in NPV_TERMS if name in known]
    assert rows[-1][2] == f"{(best.summary.npv_usd or 0) / 1e6:,.3f}"


def test_names_stay_text() -> None:
    evil = "<script>alert(1)</script><!--"
    dataset = small_dataset(name=evil, sites=[{"site_id": "a", "name": evil}], contracts=[{"contract_id": "c", "customer": evil}])
    page = without_bundle(report_html(plan(dataset, gap=0, threads=1), dataset))
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert page.count("</script>") == 1
    assert "<!--" not in page


@pytest.mark.parametrize(("period", "start"), [("month", "2026-11"), ("quarter", "2026-Q1"), ("year", "2026")])
def test_small_and_empty_plans_have_a_report(period: str, start: str, tmp_path: Path) -> None:
    dataset = small_dataset(period=period, start=start, periods=3, contracts=[], supply=[])
    write_report(plan(dataset, gap=0, threads=1), dataset, tmp_path / "report.html")
    assert "Nothing to show." in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_only_the_pages_own_scripts_may_run_and_nothing_may_load() -> None:
    best, dataset = planned()
    page = report_html(best, dataset)
    policy = re.search(r'Content-Security-Policy" content="(.*?)">', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; ")
    allowed = re.findall(r"'sha256-(.*?)'", policy[1])
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    assert [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts] == allowed
    assert "connect-src" not in policy[1]


def test_the_tables_hold_the_plans_figures() -> None:
    best, dataset = planned()
    racks = cells(racks_table(best, dataset))
    sites = cells(sites_table(best, dataset))
    total = f"{best.racks['installed'].sum():,}"
    assert racks[0][-3:] == ["racks", "GPUs", "IT MW"]
    assert racks[-1][0] == sites[-1][0] == "all"
    assert racks[-1][-3] == sites[-1][-2] == total
    contracts = cells(contracts_table(best, dataset))
    assert [row[0] for row in contracts[1:]] == [row.contract_id for row in dataset.rows(tb.Contract)]


def test_a_late_a_declined_and_a_punctual_contract() -> None:
    """100 GPUs are there: half of what ``big`` is owed, while ``never`` would pay less than its GPUs cost."""
    dataset = small_dataset(
        contracts=[{"contract_id": "big", "customer": "A"}, {"contract_id": "never", "customer": "B", "status": "prospect"}],
        contract_ramp=[
            {"contract_id": "big", "from_period": "2026-Q1", "gpus": 200.0},
            {"contract_id": "never", "from_period": "2026-Q1", "gpus": 100.0},
        ],
        contract_prices=[
            {"contract_id": "big", "from_period": "2026-Q1", "usd_per_gpu_hour": 2.0},
            {"contract_id": "never", "from_period": "2026-Q1", "usd_per_gpu_hour": 0.0},
        ],
    )
    rows = cells(contracts_table(plan(dataset, gap=0, threads=1), dataset))
    assert rows[1][:10] == ["big", "A", "firm", "200", "2026-Q1", "never", "4", "100", "2026-Q1", "50.0%"]
    assert rows[2] == ["never", "B", "declined", *[""] * 9]


def test_sites_without_limits_that_bind_say_so() -> None:
    dataset = small_dataset(supply=[], contracts=[])
    assert "No limit of a site binds." in report_html(plan(dataset, gap=0, threads=1), dataset)


def test_names_of_sites_on_the_map_stay_inside_and_apart() -> None:
    places = {"a": (40.0, -100.0), "b": (40.0, -100.0), "c": (40.2, -99.9), "far": (60.0, 24.0), "dateline": (-17.0, 178.0)}
    sites = [{"site_id": site, "lat": lat, "lon": lon} for site, (lat, lon) in places.items()]
    dataset = small_dataset(sites=sites)
    best = plan(dataset, gap=0, threads=1)
    use = site_use(best, dataset)
    east = use[use["lon"] > 0]
    view = Projection.around(east, 400.0)
    for lat, lon in zip(east["lat"], east["lon"], strict=True):
        x, y = view.place(lat, lon)
        assert 0 <= x <= 400
        assert 0 <= y <= HEIGHT
        assert view.degrees(x, y) == pytest.approx((lat, lon))
    labels = [row["label"] for data in specs(report_html(best, dataset))["map-0"]["datasets"].values() for row in data if "label" in row]
    assert sorted(labels) == sorted(places)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2.5e9, 1.0], (1e9, "billion USD")),
        ([-3e6], (1e6, "million USD")),
        ([999.0], (1.0, "USD")),
        ([], (1.0, "USD")),
        ([1e3], (1e3, "thousand USD")),
    ],
)
def test_the_unit_suits_the_largest_value(values: list[float], expected: tuple[float, str]) -> None:
    assert unit(values, "USD") == expected


def opened(path: Path) -> tuple[str, list[str]]:
    """The page as a browser has made it, without scripts, and what stands in its console."""
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=30000"]
    done = subprocess.run([*command, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    page = re.sub(r"<script>.*?</script>", "", done.stdout, flags=re.DOTALL)
    return page, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, which .ci/run installs")
def test_a_chart_of_many_rows_is_drawn() -> None:
    """Altair refuses more than 5,000 of its own accord; 500 contracts over 12 quarters have more."""
    frame = pd.DataFrame({"n": range(6_000), "racks": 1.0})
    chart = alt.Chart(frame).mark_point().encode(x="n:Q", y="racks:Q")
    (spec,) = specs(page_html("many", "", [Section("many", "Many", "", [Part(chart=chart)])])).values()
    assert [len(rows) for rows in spec["datasets"].values()] == [6_000]


def test_a_browser_draws_every_picture_and_complains_of_nothing(tmp_path: Path) -> None:
    best, dataset = planned()
    path = tmp_path / "report.html"
    worth = Prices(1.0, 1.0, (), (Throughout("it_power", "prairie-1", "MW", 4, 3e6),), (), "a price")
    write_report(best, dataset, path, baseline=spreadsheet_plan(dataset), prices=worth)
    page, console = opened(path)
    drawn = re.findall(r'class="chart[^"]*drawn[^"]*" id="([\w-]+)"', page)
    assert sorted(drawn) == sorted(specs(path.read_text(encoding="utf-8")))
    assert {"changed-1", "worth-0"} < set(drawn)
    assert page.count("<svg") >= len(drawn)
    assert "can't be drawn:" not in page
    assert console == []


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, which .ci/run installs")
@pytest.mark.parametrize(
    "more",
    [
        {"period": "month", "start": "2026-11", "periods": 40, "supply": [], "contracts": []},
        {"period": "year", "periods": 1, "sites": [{"site_id": "solo", "lat": 71.0, "lon": -179.0}]},
        {"contracts": [], "market": [{"gen_id": "h100"}], "grid_nodes": [{"node_id": "n"}], "grid_limits": []},
    ],
)
def test_a_browser_draws_small_plans(more: dict[str, Any], tmp_path: Path) -> None:
    dataset = small_dataset(**more)
    write_report(plan(dataset, gap=0, threads=1), dataset, tmp_path / "report.html")
    page, console = opened(tmp_path / "report.html")
    assert page.count("<svg") >= len(specs((tmp_path / "report.html").read_text(encoding="utf-8"))) > 0
    assert console == []


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, which .ci/run installs")
def test_a_browser_runs_nothing_that_a_name_holds(tmp_path: Path) -> None:
    evil = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    dataset = small_dataset(name=evil, sites=[{"site_id": "a", "name": evil}], contracts=[{"contract_id": "c", "customer": evil}])
    write_report(plan(dataset, gap=0, threads=1), dataset, tmp_path / "report.html")
    page, console = opened(tmp_path / "report.html")
    title = re.search(r"<title>(.*?)</title>", page, flags=re.DOTALL)
    assert title is not None
    assert "onerror" in title[1]
    assert "<img" not in page
    assert console == []

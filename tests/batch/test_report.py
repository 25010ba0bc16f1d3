"""The report: one page that stands alone, says what the plan says, and lets no name break out."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from batch.report import write_report
from batch.report.page import money, report_html
from models.dataset import Dataset
from models.plan import Plan
from models.template import template_dataset
from optimizer import plan
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
    assert len(specs(page)["bridge-0"]["hconcat"]) == 2
    assert len(specs(report_html(best, dataset))["bridge-0"]["hconcat"]) == 1


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


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, which .ci/run installs")
def test_a_browser_draws_every_picture(tmp_path: Path) -> None:
    best, dataset = planned()
    path = tmp_path / "report.html"
    write_report(best, dataset, path, baseline=spreadsheet_plan(dataset))
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=30000", "--dump-dom", path.as_uri()]
    page = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    drawn = re.findall(r'class="chart[^"]*drawn[^"]*" id="([\w-]+)"', page)
    assert sorted(drawn) == sorted(specs(path.read_text(encoding="utf-8")))
    assert "can't be drawn:" not in re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)

"""The report's sections on what changed from a baseline and what a unit more is worth, and how the command gets both."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import optimizer
from batch.baseline import Baseline, compared
from batch.commands import plan_folder
from batch.commands import prices as prices_command
from batch.commands.outcome import json_text
from batch.report import changed
from batch.report.page import changed_section, worth_section
from batch.report.worth import AGAIN, PRICE
from models.dataset import Dataset
from models.plan import Plan
from optimizer.explain.difference import difference
from optimizer.explain.prices import Prices
from tests.batch.test_report import cells, without_bundle
from tests.conftest import Wattplan
from tests.factories import small_dataset


class Case(NamedTuple):
    """A plan with its dataset, another plan with its own; prices at the first, in their file; the folder of both plans, to be read."""

    plan: Plan
    dataset: Dataset
    baseline: Plan
    before: Dataset
    folder: Path
    file: Path
    prices: Prices


def halls(mw: float) -> Dataset:
    """Two halls; that of ``a`` has this much IT power. The contract's 150 GPUs and 400 more on the market want 55 racks of 100 kW."""
    return small_dataset(
        power_blocks=[
            {"block_id": "a1", "site_id": "a", "it_mw": mw, "liquid_mw": 5.0, "air_mw": 5.0},
            {"block_id": "b1", "site_id": "b", "it_mw": 1.0, "air_mw": 1.0},
        ],
        supply=[{"gen_id": "h100", "period": "2026-Q1", "racks": 50}],
        market=[{"gen_id": "h100", "tier": "spot", "usd_per_gpu_hour": 1.0, "max_gpus": 400}],
        contract_ramp=[{"contract_id": "c", "from_period": "2026-Q1", "gpus": 150}],
    )


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The hall of ``a`` shrinks from 3 MW to 2 MW: ten racks fewer, 100 GPUs less on the market."""
    before, after = halls(3.0), halls(2.0)
    best = optimizer.plan(after, gap=0, threads=1)
    baseline = optimizer.plan(before, gap=0, threads=1)
    folder = tmp_path_factory.mktemp("reported") / "p"
    plan_folder.write_all(folder, best, after, baseline, before)
    file = folder.parent / "prices.json"
    file.write_text(json_text(prices_command.run(prices_command.Options(folder, confirm=1)).document))
    return Case(best, after, baseline, before, folder, file, prices_command.read_prices(file, best))


def baseline_of(case: Case) -> Baseline:
    found = compared(case.plan, case.dataset, case.baseline, case.before)
    assert found is not None
    return found


def figures_of(chart: Any) -> list[dict[str, Any]]:
    """The rows that a chart shows."""
    return list(next(iter(chart.to_dict()["datasets"].values())))


def test_the_bridge_leads_from_one_npv_to_the_other(case: Case) -> None:
    """100 GPUs at 1 USD over 8760 hours go, and ten racks at 10,000 USD need not be bought: -776,000 USD."""
    section = changed_section(baseline_of(case))
    steps = figures_of(section.charts()["changed-1"])
    assert [step["term"] for step in steps] == ["baseline", "gpu capital", "market revenue", "plan"]
    change = {step["term"]: step["change"] for step in steps}
    assert (change["gpu capital"], change["market revenue"]) == pytest.approx((100_000, -876_000))
    assert change["plan"] - change["baseline"] == pytest.approx(-776_000)
    for one, other in pairwise(steps[:-1]):
        assert other["from"] == pytest.approx(one["to"]), "each step begins where the one before ends"
    assert steps[-2]["to"] == pytest.approx(steps[-1]["to"])
    rows = {row[0]: row[1:] for row in cells(section.html())}
    assert rows["gpu capital"][:3] == ["-0.40", "-0.30", "+0.10"]
    assert rows["NPV"][2] == "-0.78"


def test_inputs_moves_and_limits_are_those_of_the_difference(case: Case) -> None:
    found = difference(case.baseline, case.plan, case.before, case.dataset)
    text = changed_section(baseline_of(case)).html()
    assert found.sentences[0].replace(">", "&gt;") in text
    rows = cells(text)
    assert ["installed", "h100", "removed", "a 2026-Q1", "", "10", "1.0", "+0.10"] in rows
    assert len(found.racks) == 1
    figures = {row[0]: row[1:4] for row in rows}
    assert figures["racks installed"] == ["40", "30", "-10"]
    assert figures["GPU-hours delivered of those owed to firm contracts"][2] == "0"


def test_differences_within_solver_tolerance_are_marked(case: Case) -> None:
    """With bounds 1 million USD above both plans the gaps leave 2 million open: more than anything that differs."""
    loose = [
        Plan(plan.summary.model_copy(update={"bound_usd": (plan.summary.npv_usd or 0.0) + 1e6}), plan.tables)
        for plan in (case.plan, case.baseline)
    ]
    baseline = compared(loose[0], case.dataset, loose[1], case.before)
    assert baseline is not None
    rows = {row[0]: row for row in cells(changed.terms_table(baseline))}
    assert rows["NPV"][-1] == rows["market revenue"][-1] == changed.WITHIN
    assert rows["contract revenue"][-1] == "", "what does not differ has no mark"
    steps = figures_of(changed.bridge(baseline))
    assert {step["term"]: step["label"][-1] == "*" for step in steps}["market revenue"]
    assert changed.WITHIN not in changed.terms_table(baseline_of(case))


def test_two_plans_alike_have_no_bridge(case: Case) -> None:
    same = compared(case.plan, case.dataset, case.plan)
    assert same is not None
    section = changed_section(same)
    assert section.charts() == {}
    assert "both plans are of the same dataset" in section.html()


def test_prices_of_a_megawatt_and_of_everything_else(case: Case) -> None:
    """A MW more at ``a`` throughout: ten racks, the 776,000 USD that the bridge shows. At ``b`` it was not solved again."""
    section = worth_section(case.prices)
    bars = figures_of(section.charts()["worth-0"])
    shown = {bar["name"]: (bar["usd"], bar["kind"]) for bar in bars}
    highest = case.prices.throughout[0]
    assert {kind for _, kind in shown.values()} == {AGAIN, PRICE}
    assert shown[f"IT power, {highest.place}"] == (pytest.approx(776.0), AGAIN)
    rows = cells(section.html())
    assert ["IT power", highest.place, "MW", "4", "776,000", "776,000", "776,000", "confirmed"] in rows
    assert {row[0] for row in rows} >= {price.limit.words for price in case.prices.prices[:5]}
    assert case.prices.statement.split(".")[0] in section.html()


# the command -----------------------------------------------------------------------------------


def test_report_takes_the_prices_that_the_command_writes(wattplan: Wattplan, case: Case, tmp_path: Path) -> None:
    file = tmp_path / "r.html"
    assert wattplan("report", case.folder, "-o", file, "--prices", case.file).code == 0
    page = without_bundle(file.read_text(encoding="utf-8"))
    assert worth_section(case.prices).html() in page
    assert changed_section(baseline_of(case)).html() in page


def test_report_refuses_what_are_no_prices_of_the_plan(wattplan: Wattplan, case: Case, tmp_path: Path) -> None:
    document = json.loads(case.file.read_text())
    faults: dict[str, Any] = {
        "does not exist": None,
        "is not JSON": "{",
        "is not an object": [],
        "holds no prices": {**document, "throughout": 1},
        "holds prices of another plan": {**document, "plan_npv_usd": 1.0},
        "prices of this plan": {**document, "dataset": {"name": "other", "sha256": "0"}},
    }
    for words, held in faults.items():
        bad = tmp_path / "bad.json"
        bad.unlink(missing_ok=True)
        if held is not None:
            bad.write_text(held if isinstance(held, str) else json.dumps(held))
        ended = wattplan("report", case.folder, "-o", tmp_path / "not.html", "--prices", bad)
        assert ended.code == 2
        assert words in ended.errors[0]
        assert not (tmp_path / "not.html").exists()


def test_without_the_baselines_dataset_only_money_is_compared(wattplan: Wattplan, case: Case, tmp_path: Path) -> None:
    shutil.copytree(case.folder, tmp_path / "p")
    (tmp_path / "p" / "baseline" / "dataset.json").unlink()
    asked = ("report", tmp_path / "p", "-o", tmp_path / "r.html")
    assert wattplan(*asked).code == 0
    page = without_bundle((tmp_path / "r.html").read_text(encoding="utf-8"))
    text = page[page.index('id="section-changed"') : page.index('id="section-map"')]
    assert "The dataset of the baseline is not known" in text
    assert {row[0] for row in cells(text)} >= {"gpu capital", "NPV"}
    assert "Decisions that differ" not in text
    ended = wattplan(*asked, "--baseline-dataset", tmp_path / "p" / "dataset.json")
    assert ended.code == 2
    assert "is not the dataset of" in ended.errors[0]

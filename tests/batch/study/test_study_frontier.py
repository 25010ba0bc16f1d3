"""Frontiers of a study: points of the file, what they cost, what is proven of that, and the whole way on a plan by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from batch.study.asked import Asked
from batch.study.findings import findings_of
from batch.study.frontier import fronts
from batch.study.report import report_html, sections
from batch.study.words import text_of
from models.files import write_dataset
from models.plan_files import write_plan
from models.study import BASE, Origin, Scenario, StudyError, scenarios_of, study_of
from models.targets import Measure, measured
from optimizer import plan
from tests.conftest import Wattplan
from tests.optimizer.tradeoffs.hand import BEST, DEARER, two_sites


def document(*frontiers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "cut", "base": "plan", "scenarios": {"frontier": list(frontiers)}, **more}


def asked_of(*frontiers: dict[str, Any]) -> Asked:
    dataset = two_sites()
    return Asked.of(study_of(document(*frontiers)), dataset, plan(dataset, gap=0, threads=1))


def test_points_are_shares_of_the_base_plans_total() -> None:
    """Ten racks emit 1,080 t and cost 100,000 USD."""
    asked = asked_of({"measure": "carbon", "shares": [0.5, 1, 0.5, 0]}, {"measure": "capital"})
    assert [s.name for s in asked.scenarios[:4]] == [BASE, *(f"carbon at most {share} of the base plan's" for share in ("1", "0.5", "0"))]
    assert [dict(s.most) for s in asked.scenarios[1:4]] == [{"carbon": 1080}, {"carbon": 540}, {"carbon": 0}]
    assert [s.most["capital"] for s in asked.scenarios[4:]] == pytest.approx([95_000, 90_000, 80_000, 70_000, 50_000])
    assert {s.origin for s in asked.scenarios[1:]} == {Origin.FRONTIER}
    assert asked.job(2, 1).most == {"carbon": 540}
    assert study_of(document({"measure": "carbon", "shares": [0.5, 0.2]})).count() == 3


@pytest.mark.parametrize(
    ("given", "pointer", "said"),
    [
        (document({"measure": "carbn"}), "/scenarios/frontier/0/measure", "did you mean 'carbon'"),
        (document({"measure": "carbon", "shares": [1.5]}), "/scenarios/frontier/0/shares/0", "a list of numbers from 0 to 1"),
        (document({"measure": "carbon", "shares": []}), "/scenarios/frontier/0/shares", "is an empty list"),
        (document({"measure": "late"}, {"measure": "late"}), "/scenarios/frontier/1/measure", "is there already"),
        (document({"measure": "late"}, mode="evaluate"), "/scenarios/frontier", "mode repair or reoptimize"),
    ],
)
def test_what_cannot_be_a_frontier(given: dict[str, Any], pointer: str, said: str) -> None:
    with pytest.raises(StudyError) as error:
        study_of(given)
    assert [fault.pointer for fault in error.value.faults] == [pointer]
    assert said in str(error.value.faults[0])


def test_nothing_to_cut() -> None:
    """The base plan is never late."""
    with pytest.raises(StudyError, match="is nothing of the base plan"):
        asked_of({"measure": "late"})
    with pytest.raises(ValueError, match="begins at a plan"):
        list(scenarios_of(study_of(document({"measure": "late"}))))


def test_costs_and_what_is_proven_of_them() -> None:
    """A plan for a stricter limit counts for looser ones too, as does a bound the other way; the base plan is the first point."""
    asked = asked_of({"measure": "carbon", "shares": [0.75, 0.5, 0.25, 0.1]})
    rows: list[dict[str, Any]] = [
        {"status": "feasible", "npv_usd": BEST - 100, "bound_usd": BEST - 40, "tco2": 800.0},
        {"status": "feasible", "npv_usd": BEST - 90, "bound_usd": BEST - 10, "tco2": 500.0},
        {"status": "no_plan", "npv_usd": None, "bound_usd": BEST - 200},
        {"status": "infeasible", "npv_usd": None, "bound_usd": None},
    ]
    entries = {n: {"run": n, "scenario": "", "row": row, "decisions": []} for n, row in enumerate(rows, start=1)}
    (front,) = fronts(asked, entries)
    assert [point.most for point in front.points] == pytest.approx([1080, 810, 540, 270, 108])
    assert [point.npv_usd for point in front.points[:3]] == pytest.approx([BEST, BEST - 90, BEST - 90])
    assert [point.amount for point in front.points[:3]] == pytest.approx([1080, 500, 500])
    assert [point.cost_usd for point in front.points[:3]] == pytest.approx([0, 90, 90])
    assert [point.proven_usd for point in front.points] == pytest.approx([0, 40, 40, 200, math.inf])
    assert front.points[1].usd_per_unit == pytest.approx(90 / 580)
    assert all(math.isnan(front.points[n].usd_per_unit) for n in (0, 2, 3, 4))
    assert all(math.isnan(point.npv_usd) for point in front.points[3:])
    found = findings_of(asked, entries, None)
    assert json.loads(json.dumps(found.document()["frontiers"]))[0]["points"][4]["proven_usd"] is None
    assert not found.spreads, "points of a frontier are choices, not what may come"
    assert not found.effects
    text, page = text_of(found), report_html(found)
    assert "carbon, thousand tonnes CO2" in text
    assert "no plan" in text
    assert "Emissions of the energy, tonnes CO2" in page
    assert "Robust decisions" not in page
    assert "at least, proven" in page, "the table stands beside its picture"
    assert [part.chart is None for part in sections(found)[0].parts] == [False, True]


def test_a_frontier_from_the_file_to_the_report(tmp_path: Path, wattplan: Wattplan) -> None:
    """Half of the racks at ``b`` halve emissions and cost 5 x 21,600 USD."""
    dataset = two_sites()
    made = plan(dataset, gap=0, threads=1)
    write_plan(made, tmp_path / "plan")
    write_dataset(dataset, tmp_path / "plan" / "dataset.json")
    given = document({"measure": "carbon", "shares": [0.5]}, {"measure": "capital", "shares": [0.3]}, gap=0, baseline=False)
    (tmp_path / "study.json").write_text(json.dumps(given))
    ended = wattplan("study", tmp_path / "study.json", "-o", tmp_path / "out", "--json")
    assert ended.code == 0
    assert ended.document["regrets"] is None, "plans for other limits are not tried"
    carbon, capital = ended.document["frontiers"]
    assert carbon["points"][1]["npv_usd"] == pytest.approx(BEST - 5 * DEARER)
    assert carbon["points"][1]["proven_usd"] == pytest.approx(5 * DEARER, rel=1e-3)
    assert carbon["points"][1]["usd_per_unit"] == pytest.approx(5 * DEARER / 540)
    assert capital["points"][1]["amount"] == pytest.approx(30_000)
    runs = pd.read_parquet(tmp_path / "out" / "study.parquet")
    assert runs["tco2"].tolist() == pytest.approx([540, 3 * 108])
    assert runs["origin"].tolist() == ["frontier", "frontier"]
    assert measured(made.tables)[Measure.CAPITAL] == pytest.approx(100_000)
    assert "What less of it costs" in (tmp_path / "out" / "study.html").read_text()


def test_a_scenario_of_another_source_may_have_limits() -> None:
    dataset = two_sites()
    asked = Asked("own", dataset, plan(dataset, gap=0, threads=1), [Scenario("green", (), most={"carbon": 10.0})])
    assert asked.job(0, 1).most == {"carbon": 10.0}
    assert asked.fingerprint() != Asked("own", dataset, asked.plan, [Scenario("green", ())]).fingerprint()

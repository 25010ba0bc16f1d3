"""The command futures: one plan for many futures, in a folder, as JSON and as text."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from models.files import write_dataset
from models.plan import PLAN_COLUMNS, empty_table
from models.plan_files import read_plan, write_plan
from tests.conftest import Wattplan
from tests.models.hand_plan import hand_plan
from tests.optimizer.futures.small import newsvendor

SCENARIOS = """
schema_version = 1
name = "depth"
[[event]]
id = "depth"
why = "a test"
[[event.outcomes]]
odds = 0.5
name = "shallow"
changes = [{ type = "market.depth", max_gpus = 20, from_period = "2026-Q2" }]
[[event.outcomes]]
odds = 0.5
name = "deep"
changes = [{ type = "market.depth", max_gpus = 80, from_period = "2026-Q2" }]
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The dataset whose optimum follows by hand, and its scenarios."""
    folder = tmp_path_factory.mktemp("futures")
    write_dataset(newsvendor()[0], folder / "data.json")
    (folder / "scenarios.toml").write_text(SCENARIOS)
    return folder / "data.json", folder / "scenarios.toml"


def test_a_plan_for_two_futures(given: tuple[Path, Path], tmp_path: Path, wattplan: Wattplan) -> None:
    """The optimum of :func:`newsvendor`: 8 racks, 29,200 USD. Its first stage is a file of directives that a plan takes."""
    data, scenarios = given
    options = ["--scenarios", scenarios, "--decide-before", "2026-Q2", "--every", "--gap", 0, "--workers", 1]
    ended = wattplan("futures", data, *options, "-o", tmp_path / "out", "--json")
    assert ended.code == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert ended.document["summary"] == summary
    assert summary["value_usd"] == pytest.approx(29_200)
    assert summary["value_of_stochastic_solution_usd"]["low"] == pytest.approx(2_760, abs=1)
    first = pd.read_csv(tmp_path / "out" / "first_stage.csv")
    assert first[["decision", "gen_id", "period", "value", "unit"]].values.tolist() == [["bought", "h100", "2026-Q1", 8.0, "racks"]]
    told = pd.read_csv(tmp_path / "out" / "scenarios.csv")
    for row in told.to_dict("records"):
        assert read_plan(tmp_path / "out" / row["plan"]).summary.npv_usd == pytest.approx(row["npv_usd"])
        assert wattplan("show", tmp_path / "out" / row["plan"]).code == 0, "its dataset stands beside it"
    made = json.loads((tmp_path / "out" / "scenarios.json").read_text())
    assert [change["max_gpus"] for scenario in made for change in scenario["changes"]] == [20, 80]

    directed = wattplan("plan", data, "-o", tmp_path / "p", "--directives", tmp_path / "out" / "directives.csv", "--threads", 1, "-q")
    assert directed.code == 0
    assert read_plan(tmp_path / "p").racks["installed"].sum() == 8

    again = wattplan("futures", data, *options, "--weight", 1, "--cvar", 0.5, "--plan", tmp_path / "p", "-o", tmp_path / "out")
    assert again.code == 0
    for words in ("2 scenarios", "gap 0.00 %", "bought", "2 racks", "worst scenarios", "shallow"):
        assert words in again.out


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"--weight": 2}, "--weight: 2"),
        ({"--cvar": 1}, "--cvar: 1"),
        ({"--draws": 0}, "--draws: 0"),
        ({"--decide-before": "2030-Q1"}, "decide before: is outside the horizon"),
        ({"--scenarios": "nowhere.toml"}, "nowhere.toml: does not exist"),
    ],
)
def test_what_cannot_be_is_refused(
    given: tuple[Path, Path], tmp_path: Path, wattplan: Wattplan, change: dict[str, object], named: str
) -> None:  # fmt: skip
    options = {"--scenarios": given[1], "--decide-before": "2026-Q2", "-o": tmp_path / "out", **change}
    ended = wattplan("futures", given[0], *(part for option in options.items() for part in option))
    assert ended.code == 2
    assert named in ended.errors[0]
    assert not (tmp_path / "out").exists()


def test_other_files_are_not_deleted(given: tuple[Path, Path], tmp_path: Path, wattplan: Wattplan) -> None:
    (tmp_path / "summary.json").write_text("{}")
    ended = wattplan("futures", given[0], "--scenarios", given[1], "--decide-before", "2026-Q2", "-o", tmp_path)
    assert ended.code == 2
    assert "holds other things than plans of futures: summary.json" in ended.errors[0]


def test_an_infeasible_scenario_ends_with_3(given: tuple[Path, Path], tmp_path: Path, wattplan: Wattplan) -> None:
    """A scenario that asks for a rack more than there is supply."""
    text = SCENARIOS.replace(
        '{ type = "market.depth", max_gpus = 80, from_period = "2026-Q2" }',
        '{ type = "place.min", decision = "in_service", site_id = "a", gen_id = "h100", value = 11, from_period = "2026-Q2" }',
    )
    (tmp_path / "s.toml").write_text(text)
    ended = wattplan(
        "futures", given[0], "--scenarios", tmp_path / "s.toml", "--decide-before", "2026-Q2", "--every", "--workers", 1,
        "-o", tmp_path / "out",
    )  # fmt: skip
    assert ended.code == 3
    assert "scenario 'depth: deep': no plan can meet every limit" in ended.errors[0]


def test_a_plan_of_other_periods_is_no_start(given: tuple[Path, Path], tmp_path: Path, wattplan: Wattplan) -> None:
    racks = hand_plan().racks.assign(period=["2026-01", "2026-02", "2026-03", "2026-04", "2026-03", "2026-04"])
    tables = {name: empty_table(name) for name in PLAN_COLUMNS}
    write_plan(hand_plan(**{**tables, "racks": racks}), tmp_path / "monthly")
    options = ["--scenarios", given[1], "--decide-before", "2026-Q2", "--plan", tmp_path / "monthly"]
    ended = wattplan("futures", given[0], *options, "-o", tmp_path / "out")
    assert ended.code == 2
    assert "its periods are not those of the dataset" in ended.errors[0]

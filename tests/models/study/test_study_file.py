"""The study file: faults with their places, sizes, order of scenarios."""

from __future__ import annotations

import copy
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.changes import read_changes
from models.study import BASE, MOST_RUNS, Origin, StudyError, check_scenarios, named, read_study, scenarios_of, study_of
from models.study.applied import TRIED, first_tried
from models.uncertainty import UncertaintyError
from tests.conftest import ROOT
from tests.factories import small_dataset

CUT = {"type": "supply.cut", "cut_share": 0.5}
GOOD: dict[str, Any] = {
    "name": "all sources",
    "base": "plan",
    "scenarios": {
        "list": [{"name": "late", "changes": [{"type": "site.energization_delay", "site_id": "a", "delay_periods": 1}], "odds": 3}],
        "grid": {
            "axes": [
                {"name": "supply", "levels": [{"name": "all"}, {"name": "half", "odds": 0.25, "changes": [CUT]}]},
                {
                    "name": "price",
                    "levels": [{"name": "low"}, {"name": "high", "odds": 2, "changes": [{"type": "supply.price", "factor": 2}]}],
                },
            ]
        },
        "sample": {
            "runs": 4,
            "seed": 5,
            "axes": [
                {"name": "cut", "low": 0, "high": 0.5},
                {"name": "late by", "low": 1, "high": 2, "whole": True},
                {
                    "name": "rate",
                    "levels": [{"name": "now"}, {"name": "dear", "changes": [{"type": "discount.rate", "discount_rate": 0.2}]}],
                },
            ],
            "changes": [
                {"type": "supply.cut", "cut_share": "$cut"},
                {"type": "site.energization_delay", "site_id": "a", "delay_periods": "$late by"},
            ],
        },
    },
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good study with one place changed; ``None`` takes it away."""
    document = copy.deepcopy(GOOD)
    at: Any = document
    *before, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    for part in before:
        at = at[part]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return document


def test_scenarios_come_in_the_order_of_the_file() -> None:
    study = study_of(GOOD)
    found = list(scenarios_of(study))
    assert [s.name for s in found] == [
        BASE, "late", "supply=all, price=low", "supply=all, price=high", "supply=half, price=low", "supply=half, price=high",
        "sample 1", "sample 2", "sample 3", "sample 4",
    ]  # fmt: skip
    assert found == list(scenarios_of(study)), "the same study gives the same scenarios"
    assert study.count() == len(found) == 10
    assert found[0].origin is Origin.BASE
    assert not found[0].changes
    half_high = found[5]
    assert half_high.odds == 0.25 * 2
    assert [change["type"] for change in half_high.changes] == ["supply.cut", "supply.price"]
    assert half_high.levels == {"supply": "half", "price": "high"}
    assert found[1].odds == 3
    for scenario in found[6:]:
        cut, late, *more = scenario.changes
        assert cut["cut_share"] == scenario.values["cut"]
        assert late["delay_periods"] in (1, 2)
        assert isinstance(late["delay_periods"], int)
        assert bool(more) == (scenario.levels["rate"] == "dear")


@pytest.mark.parametrize(
    ("path", "value", "pointer", "said"),
    [
        ("mode", "repare", "/mode", "did you mean 'repair'"),
        ("gaps", 0.1, "/gaps", "did you mean 'gap'"),
        ("names", "x", "/names", "unknown key; allowed: one of "),  # the name is there already, so it is not what is meant
        ("gap", -1, "/gap", "allowed: a number from 0 to 1"),
        ("time_limit", 0, "/time_limit", "above 0"),
        ("scenarios/list/0/odds", 0, "/scenarios/list/0/odds", "list 'late', odds: is too small (found '0')"),
        ("scenarios/grid/axes/1/levels/1/odds", -2, "/scenarios/grid/axes/1/levels/1/odds", "axes 'price', levels 'high', odds"),
        ("scenarios/list/0/chnages", [], "/scenarios/list/0/chnages", "unknown key"),
        ("scenarios/list/0/name", "base", "/scenarios/list/0/name", "is kept for the run without changes"),
        ("scenarios/grid/axes/1/name", "supply", "/scenarios/grid/axes/1/name", "is there already"),
        ("scenarios/grid/axes/0/levels", [], "/scenarios/grid/axes/0/levels", "is an empty list"),
        ("scenarios/grid/axes/0/levels/1/changes/0/cut_share", 2, "/scenarios/grid/axes/0/levels/1/changes/0/cut_share", "level 'half'"),
        ("scenarios/sample/axes/0/high", 1.5, "/scenarios/sample/changes/0/cut_share", "highest values"),
        ("scenarios/sample/axes/0/high", -1, "/scenarios/sample/axes/0/high", "is not above low"),
        ("scenarios/sample/axes/0/high", None, "/scenarios/sample/axes/0/high", "low and high, or levels"),
        ("scenarios/sample/axes/1/low", 0.5, "/scenarios/sample/axes/1/low", "is not a whole number"),
        ("scenarios/sample/axes/2/low", 1, "/scenarios/sample/axes/2/low", "stands beside levels"),
        ("scenarios/sample/axes/0/name", "kut", "/scenarios/sample/changes", "no such axis (found '$cut'); did you mean '$kut'"),
        ("scenarios/sample/changes/0", {"type": "discount.rate", "discount_rate": 0.1}, "/scenarios/sample/axes/0/name", "is used nowhere"),
        ("scenarios/sample/axes/0/name", "price", "/scenarios/sample/axes/0/name", "is an axis of the grid too"),
        ("scenarios/sample/runs", 0, "/scenarios/sample/runs", "at least 1"),
        ("scenarios/sample/changes/1/delay_periods", "$rate", "/scenarios/sample/axes/2/levels/0/value", "the changes use $rate"),
        ("scenarios", {}, "/scenarios", "one or several of list, grid, sample, uncertainty"),
        ("base", None, "/base", "is missing"),
        ("base", {"plan": 3}, "/base/plan", "is not text (found '3')"),
        ("scenarios/list", {"name": "x"}, "/scenarios/list", "is not a list"),
    ],
)
def test_a_fault_has_place_value_and_what_is_allowed(path: str, value: Any, pointer: str, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        study_of(changed(path, value), "s.yaml")
    found = {fault.pointer: str(fault) for fault in caught.value.faults}
    assert pointer in found, found
    assert said in found[pointer]
    assert found[pointer].startswith("s.yaml")


def test_all_faults_come_at_once_those_of_changes_too() -> None:
    document = changed("mode", "repare")
    document["scenarios"]["list"][0]["changes"][0]["delay_periods"] = 0
    document["scenarios"]["grid"]["axes"][0]["oops"] = 1
    with pytest.raises(StudyError) as caught:
        study_of(document)
    pointers = {fault.pointer for fault in caught.value.faults}
    assert pointers == {"/mode", "/scenarios/list/0/changes/0/delay_periods", "/scenarios/grid/axes/0/oops"}


def test_ten_million_runs_are_refused_before_any_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("expanded")

    monkeypatch.setattr("models.study.scenarios.product", never)
    monkeypatch.setattr("models.study.scenarios.strata", never)
    ten = [{"name": f"level {n}"} for n in range(10)]
    grid = {"axes": [{"name": f"axis {n}", "levels": ten} for n in range(7)]}
    for scenarios, words in (
        ({"grid": grid}, "10,000,001 runs (10 x 10 x"),
        ({"sample": {**GOOD["scenarios"]["sample"], "runs": 10**7}}, "10,000,001 runs"),
    ):
        with pytest.raises(StudyError, match="at most 100,000 runs") as caught:
            study_of({**GOOD, "scenarios": scenarios})
        assert words in str(caught.value)
    assert MOST_RUNS == 100_000


def test_a_latin_hypercube_has_one_value_in_each_part_of_each_axis() -> None:
    runs = 40
    document = changed("scenarios/sample/runs", runs)
    document["scenarios"]["sample"]["axes"][2]["levels"][0]["odds"] = 3
    drawn = [s for s in scenarios_of(study_of(document)) if s.origin is Origin.SAMPLE]
    assert sorted(int(s.values["cut"] / 0.5 * runs) for s in drawn) == list(range(runs))
    assert [s.values["late by"] for s in drawn].count(1) == runs // 2
    assert [s.levels["rate"] for s in drawn].count("now") == runs * 3 // 4
    again = [s.values["cut"] for s in scenarios_of(study_of(document)) if s.origin is Origin.SAMPLE]
    assert again == [s.values["cut"] for s in drawn]
    document["scenarios"]["sample"]["seed"] = 6
    assert again != [s.values["cut"] for s in scenarios_of(study_of(document)) if s.origin is Origin.SAMPLE]
    pairs = {(int(s.values["cut"] / 0.25), s.values["late by"]) for s in drawn}
    assert len(pairs) == 4, "axes are drawn apart, not in step"


def test_an_axis_that_is_left_out_does_not_move_the_others() -> None:
    less = copy.deepcopy(GOOD)
    del less["scenarios"]["sample"]["axes"][2]
    before, after = ([s.values["cut"] for s in scenarios_of(study_of(d)) if s.origin is Origin.SAMPLE] for d in (GOOD, less))
    assert before == after


def test_what_the_dataset_does_not_take_is_told_with_the_scenario() -> None:
    document = changed("scenarios/list/0/changes/0/site_id", "aa")
    document["scenarios"]["grid"]["axes"][0]["levels"][1]["changes"][0]["gen_id"] = "h1000"
    scenarios = list(scenarios_of(study_of(document)))
    with pytest.raises(StudyError) as caught:
        check_scenarios(small_dataset(), scenarios, None, "s.yaml")
    text = str(caught.value)
    assert "s.yaml, scenario 'late', change 1, site_id: unknown id (found 'aa')" in text
    assert "scenario 'supply=half, price=low', change 1, gen_id: unknown id (and so in 1 more scenario) (found 'h1000')" in text
    assert len(caught.value.faults) == 2
    assert check_scenarios(small_dataset(), list(scenarios_of(study_of(GOOD))), None, "s.yaml") == 10


def test_each_level_is_tried_before_any_is_tried_again() -> None:
    scenarios = [s for s in scenarios_of(study_of(GOOD)) if s.origin is Origin.GRID]
    assert [s.name for s in first_tried(scenarios, 3)] == ["supply=all, price=low", "supply=all, price=high", "supply=half, price=low"]


def test_scenarios_of_any_other_source() -> None:
    changes = read_changes([CUT])
    typed, plain = named([("typed", changes), ("plain", [CUT])])
    assert typed.changes == plain.changes == [CUT]
    assert (typed.name, typed.odds, dict(typed.levels)) == ("typed", 1.0, {})


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    for text, said in (
        ("name: [", "neither YAML nor JSON"),
        ("name: a\nname: b\n", "the key 'name' stands twice"),
        ("", "is not an object"),
    ):
        path.write_text(text)
        with pytest.raises(StudyError, match=said):
            read_study(path)
    with pytest.raises(StudyError, match="does not exist"):
        read_study(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", sorted((ROOT / "data" / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_examples_can_be_read(path: Path) -> None:
    assert read_study(path).count() <= 250


def test_futures_of_an_uncertainty_are_scenarios(tmp_path: Path) -> None:
    (tmp_path / "odds.toml").write_text(
        'schema_version = 1\nname = "odds"\n[[slip]]\nid = "a"\nsite_id = "a"\noutcomes = [{ odds = 0.5, delay_periods = 1 }]\nwhy = "a test"\n'
    )
    document = {**GOOD, "scenarios": {"uncertainty": {"file": "odds.toml", "runs": 20, "seed": 3}}}
    dataset = small_dataset(power_blocks=[{"block_id": "a-1", "site_id": "a", "energized": "2026-Q2"}, {"block_id": "b-1", "site_id": "b"}])
    base, *found = scenarios_of(study_of(document), dataset, tmp_path)
    assert (base.name, len(found), study_of(document).count()) == (BASE, 20, 21)
    assert {s.origin for s in found} == {Origin.UNCERTAINTY}
    assert sum(s.odds for s in found) == pytest.approx(20)
    (axis,) = found[0].levels
    for scenario in found:
        assert (scenario.levels[axis] == "happens") == bool(scenario.changes)
    assert {s.levels[axis] for s in found} == {"happens", "does not"}
    assert check_scenarios(dataset, found, None, "s.yaml") == 0, "each change was tried when the uncertainty was read"
    sources = tomllib.loads((tmp_path / "odds.toml").read_text())
    in_place = {**GOOD, "scenarios": {"uncertainty": {"sources": sources, "runs": 20, "seed": 3}}}
    assert list(scenarios_of(study_of(in_place), dataset, Path("nowhere"))) == [base, *found], "the same sources in place of the file"


@pytest.mark.parametrize(
    ("uncertainty", "pointer", "said"),
    [
        ({"runs": 3}, "/scenarios/uncertainty", "exactly one of file and sources"),
        ({"runs": 3, "file": "odds.toml", "sources": {}}, "/scenarios/uncertainty", "exactly one of file and sources"),
        ({"runs": 3, "sources": ["slip"]}, "/scenarios/uncertainty/sources", ""),
    ],
)
def test_an_uncertainty_stands_in_one_place(uncertainty: dict[str, Any], pointer: str, said: str) -> None:
    with pytest.raises(StudyError) as refused:
        study_of({**GOOD, "scenarios": {"uncertainty": uncertainty}})
    (found,) = refused.value.faults
    assert (found.pointer, said in str(found)) == (pointer, True)


def test_faults_of_sources_in_place_say_where() -> None:
    slip = {"id": "a", "site_id": "nowhere", "outcomes": [{"odds": 0.5, "delay_periods": 1}], "why": "a test"}
    sources = {"schema_version": 1, "name": "odds", "slip": [slip]}
    study = study_of({**GOOD, "scenarios": {"uncertainty": {"sources": sources, "runs": 3}}})
    with pytest.raises(UncertaintyError, match="nowhere") as refused:
        list(scenarios_of(study, small_dataset()))
    assert [found.pointer for found in refused.value.faults] == ["/scenarios/uncertainty/sources/slip/0"]


def test_the_example_of_the_documentation_can_be_read() -> None:
    text = (ROOT / "docs" / "studies.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    study = study_of(yaml.safe_load(block))
    assert study.count() == 1 + 1 + 2 * 2 + 40 + 100 + 3
    assert f"{MOST_RUNS:,} runs" in text
    assert f"up to {TRIED} scenarios" in text

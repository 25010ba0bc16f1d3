"""One plan for many futures: by hand, by two methods, and what must not matter."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from models.changes import read_changes
from models.dataset import Dataset
from models.uncertainty import AS_PLANNED, Scenario, UncertaintyError
from optimizer import plan
from optimizer.audit import audit
from optimizer.futures import FuturesPlan, NoFuturesPlanError, Risk, ScenarioInfeasibleError, anticipations, cvar, plan_futures
from optimizer.futures.planner import applied
from tests.factories import small_dataset
from tests.optimizer.futures.small import futures, newsvendor, random_small

RELATIVE = 1e-6


def bought(found: FuturesPlan) -> float:
    """Racks bought in the first quarter."""
    return found.first["bought", "h100", 0]


# by hand -----------------------------------------------------------------------------------------


def test_racks_for_a_market_that_may_be_shallow() -> None:
    """With even odds the third to eighth rack pay (0.5 * 21,840 > 10,000): 8 racks, -80,000 + 21,840 * (2 + 8)/2 = 29,200 USD.

    Knowing the depth: (2 + 8)/2 * 11,840 = 59,200, so information is worth 30,000. The dataset as planned takes 50 GPUs, its plan
    buys 5 racks, which earn -50,000 + 21,840 * (2 + 5)/2 = 26,440: the stochastic solution is worth 2,760.
    """
    dataset, scenarios = newsvendor()
    found = plan_futures(dataset, scenarios, decide_before="2026-Q2", gap=0, workers=1)
    assert bought(found) == 8
    summary = found.summary
    assert summary.value_usd == pytest.approx(29_200)
    assert summary.bound_usd == pytest.approx(29_200)
    assert summary.cvar_npv_usd == pytest.approx(-36_320)
    assert summary.expected_plan_value_usd == pytest.approx(26_440)
    for figure, usd in ((summary.value_of_perfect_information_usd, 30_000), (summary.value_of_stochastic_solution_usd, 2_760)):
        assert (figure.low, figure.high) == pytest.approx((usd, usd), abs=0.5)
    table = found.scenarios.set_index("scenario")
    assert table["npv_usd"].to_dict() == pytest.approx({"shallow": -36_320, "deep": 94_720})
    assert table["known_npv_usd"].to_dict() == pytest.approx({"shallow": 23_680, "deep": 94_720})
    assert table["expected_plan_npv_usd"].to_dict() == pytest.approx({"shallow": -6_320, "deep": 59_200})
    assert found.first_stage[["decision", "gen_id", "period", "value"]].values.tolist() == [["bought", "h100", "2026-Q1", 8.0]]


@pytest.mark.parametrize(("weight", "racks", "value"), [(0.08, 8, 0.92 * 29_200 - 0.08 * 36_320), (0.09, 2, 23_680), (1.0, 2, 23_680)])
def test_who_shuns_risk_buys_less(weight: float, racks: int, value: float) -> None:
    """CVaR at 0.5 is the shallow market: a rack beyond two loses 10,000 there, and wins 920 on average.

    Per rack (1-w)*920 - w*10,000, so from w = 920/10,920 = 0.084 on only two are bought; they earn 23,680 in either market.
    """
    dataset, scenarios = newsvendor()
    found = plan_futures(dataset, scenarios, decide_before="2026-Q2", gap=0, weight=weight, alpha=0.5, workers=1)
    assert bought(found) == racks
    assert found.summary.value_usd == pytest.approx(value)
    assert found.summary.bound_usd == pytest.approx(value)


def test_cvar_is_the_mean_of_the_worst() -> None:
    """Losses 10, 5, 1 with odds 0.1, 0.3, 0.6: the worst 0.2 are 10 for 0.1 and 5 for 0.1."""
    losses, odds = np.array([1.0, 10.0, 5.0]), np.array([0.6, 0.1, 0.3])
    assert cvar(losses, odds, 0.8) == pytest.approx(7.5)
    assert cvar(losses, odds, 0.0) == pytest.approx(0.6 + 1.0 + 1.5)
    assert cvar(losses, odds, 0.999) == pytest.approx(10)
    assert Risk(0.5, 0.8).objective(losses, odds) == pytest.approx(0.5 * 3.1 + 0.5 * 7.5)
    with pytest.raises(ValueError, match="weight must be 0 to 1"):
        Risk(1.5)


# two methods -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "weight", "workers"), [(2, 0.0, 1), (4, 0.5, 2)])
def test_decomposition_finds_what_the_extensive_form_does(seed: int, weight: float, workers: int) -> None:
    """Both are optimal, so plan and bound agree; the first stages of single futures do not, so both have to search."""
    dataset = random_small(seed)
    whole, parts = (
        plan_futures(dataset, futures(), decide_before="2026-Q2", gap=0, weight=weight, alpha=0.7, workers=count, method=method)
        for method, count in (("extensive", 1), ("decomposition", workers))
    )
    assert (whole.summary.method, parts.summary.method) == ("extensive", "decomposition")
    for found in (whole, parts):
        summary = found.summary
        assert summary.status == "optimal"
        assert summary.value_usd == pytest.approx(whole.summary.value_usd, rel=RELATIVE)
        assert summary.bound_usd == pytest.approx(whole.summary.value_usd, rel=RELATIVE)
        assert summary.bound_certified_usd is not None
        assert summary.bound_certified_usd >= summary.value_usd - 1
        assert (summary.value_of_perfect_information_usd.low or 0) > 1000
        assert (summary.value_of_stochastic_solution_usd.low or 0) > 1000
        check(found, dataset)


def check(found: FuturesPlan, dataset: Dataset) -> None:
    """Every plan passes its audit in its own future, and together they do not anticipate."""
    assert found.futures
    for scenario, made in found.futures:
        report = audit(applied(dataset, scenario), made)
        assert not report.violations
    npv = [made.summary.npv_usd or 0.0 for _, made in found.futures]
    odds = [scenario.probability for scenario, _ in found.futures]
    assert found.summary.expected_npv_usd == pytest.approx(float(np.dot(odds, npv)))
    assert found.scenarios["npv_usd"].tolist() == pytest.approx(npv)
    datasets = [(scenario.name, applied(dataset, scenario), made) for scenario, made in found.futures]
    assert anticipations(dataset, datasets, 1) == []


def test_large_models_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if HiGHS could not take them: bounds from relaxations, plans by repair. Here it comes to the optimum of the test above."""
    dataset = random_small(4)
    monkeypatch.setattr("optimizer.futures.planner.SMALL", 0)
    found = plan_futures(dataset, futures(), decide_before="2026-Q2", gap=0.02, weight=0.5, alpha=0.7, workers=1)
    optimum = 161_811.068
    summary = found.summary
    assert summary.status == "within_gap"
    assert summary.value_usd == pytest.approx(optimum, abs=0.01)
    assert summary.bound_certified_usd == pytest.approx(summary.bound_usd)
    assert optimum < summary.bound_usd < 1.02 * optimum
    low, high = summary.value_of_stochastic_solution_usd.low or 0, summary.value_of_stochastic_solution_usd.high or 0
    assert 1000 < low <= optimum - (summary.expected_plan_value_usd or 0) + 0.1 <= high + 0.2
    check(found, dataset)


# what must not matter ----------------------------------------------------------------------------


def test_one_future_is_the_plan_without_futures() -> None:
    dataset = random_small(2)
    found = plan_futures(dataset, [AS_PLANNED], decide_before="2026-Q3", gap=0, weight=0.4, workers=1)
    alone = plan(dataset, gap=0, threads=1)
    assert found.summary.value_usd == pytest.approx(alone.summary.npv_usd, rel=RELATIVE)
    assert found.summary.bound_usd == pytest.approx(alone.summary.npv_usd, rel=RELATIVE)
    assert found.summary.value_of_perfect_information_usd.high == pytest.approx(0, abs=0.1)


def test_order_and_halves_of_a_future_change_nothing() -> None:
    """In reverse, and with the glut as two futures of half its odds: as told twice, and as two that differ in what has no effect."""
    dataset, scenarios = random_small(2), futures()
    glut = scenarios[1]
    idle = tuple(read_changes([{"type": "site.density", "site_id": "a", "max_rack_kw": 5000}]))
    halves = [
        replace(glut, name="glut 1", probability=glut.probability / 2),
        replace(glut, name="glut 2", probability=glut.probability / 2, changes=(*glut.changes, *idle)),
    ]
    base, other = (
        plan_futures(dataset, some, decide_before="2026-Q2", gap=0, weight=0.3, alpha=0.7, workers=1)
        for some in (scenarios, [*halves, scenarios[2], scenarios[0]])
    )
    assert len(other.scenarios) == 4
    assert other.summary.value_usd == pytest.approx(base.summary.value_usd, rel=RELATIVE)
    assert other.summary.bound_usd == pytest.approx(base.summary.bound_usd, rel=RELATIVE)
    assert other.summary.expected_npv_usd == pytest.approx(base.summary.expected_npv_usd, rel=RELATIVE)


def test_placement_can_be_decided_in_common() -> None:
    """It only takes freedom away; here no site of the first quarter's racks may differ."""
    dataset = random_small(4)
    free, placed = (
        plan_futures(dataset, futures(), decide_before="2026-Q3", gap=0, workers=1, placement=placement) for placement in (False, True)
    )
    assert placed.summary.value_usd <= free.summary.value_usd + 0.1
    datasets = [(scenario.name, applied(dataset, scenario), made) for scenario, made in placed.futures]
    assert anticipations(dataset, datasets, 2, placement=True) == []
    assert set(placed.first_stage["decision"]) >= {"installed"}


# what is caught ----------------------------------------------------------------------------------


def test_a_plan_that_anticipates_is_caught() -> None:
    """A rack more in one future, a contract signed in one only, an option ordered in one only."""
    dataset = random_small(2)
    found = plan_futures(dataset, futures(), decide_before="2026-Q2", gap=0, workers=1)
    decisions = set(found.first_stage[["decision", "value"]].itertuples(index=False, name=None))
    assert {("sign", 1.0), ("ordered", 1.0), ("bought", 1.0)} <= decisions

    def told() -> list[str]:
        each = [(scenario.name, applied(dataset, scenario), made) for scenario, made in found.futures]
        return anticipations(dataset, each, 1)

    assert told() == []
    tables = found.futures[2][1].tables
    racks = tables["racks"]
    first = racks.index[(racks["period"] == "2026-Q1") & (racks["installed"] > 0)][0]
    tables["racks"] = racks.assign(installed=racks["installed"].where(racks.index != first, racks["installed"] + 1))
    tables["decisions"] = tables["decisions"][~tables["decisions"]["kind"].isin(["sign", "build"])]
    assert told() == [
        "bought h100 2026-Q1: 2 in 'scarce', 1 in 'as planned'; must be the same in every future",
        "ordered b-2 2026-Q1: 1 in 'as planned', 0 in 'scarce'; must be the same in every future",
        "sign p: 1 in 'as planned', 0 in 'scarce'; must be the same in every future",
    ]


def test_an_infeasible_future_is_named() -> None:
    """A contract that may never be short is served at one hall only; when that is late, no plan can hold it."""
    dataset = small_dataset(
        power_blocks=[{"block_id": "a-1", "site_id": "a"}, {"block_id": "b-1", "site_id": "b", "energized": "2026-Q2"}],
        contracts=[{"contract_id": "c", "start": "2026-Q2", "sites": ["b"], "max_short_share": 0.0}],
    )
    late = tuple(read_changes([{"type": "site.energization_delay", "site_id": "b", "delay_periods": 1}]))
    with pytest.raises(ScenarioInfeasibleError, match="scenario 'hall late' is infeasible") as error:
        plan_futures(dataset, [Scenario("as planned", 0.5), Scenario("hall late", 0.5, late)], decide_before="2026-Q2", workers=1)
    assert error.value.scenario == "hall late"
    assert error.value.conflicts


def test_bad_arguments_are_refused_before_any_solve() -> None:
    dataset, scenarios = newsvendor()
    with pytest.raises(UncertaintyError, match="decide before: is outside the horizon"):
        plan_futures(dataset, scenarios, decide_before="2027-Q1")
    with pytest.raises(UncertaintyError, match="is not a period of this dataset"):
        plan_futures(dataset, scenarios, decide_before="soon")
    with pytest.raises(ValueError, match="odds of at least 0 that add to 1"):
        plan_futures(dataset, scenarios[:1], decide_before="2026-Q2")
    unknown = tuple(read_changes([{"type": "site.outage", "site_id": "z", "from_period": "2026-Q2"}]))
    with pytest.raises(UncertaintyError, match="scenario 'odd', change 1, site_id: unknown id"):
        plan_futures(dataset, [Scenario("odd", 1.0, unknown)], decide_before="2026-Q2")


def test_stopped_before_anything_is_found() -> None:
    dataset, scenarios = newsvendor()
    stop = threading.Event()
    stop.set()
    with pytest.raises(NoFuturesPlanError):
        plan_futures(dataset, scenarios, decide_before="2026-Q2", stop=stop, workers=1)

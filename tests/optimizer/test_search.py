"""How a search behaves: its clock, its stop, its start, its log, and that the same is asked twice with the same answer."""

from __future__ import annotations

import itertools
import threading
import time

import numpy as np
import pandas as pd
import pytest

from models.dataset import Dataset
from models.plan import PLAN_COLUMNS, Plan, SolutionStatus, StopReason
from optimizer import NoPlanError, Progress, plan
from optimizer.audit import audit
from tests.factories import small_dataset
from tests.generator import random_dataset
from tests.optimizer.solved import SEEDS, random_solution

MILLION = 1e6
SEED = SEEDS.start
OVERRUN = 8.0
"""Seconds that a search may take beyond its limit, on a busy machine."""


@pytest.fixture(scope="module")
def best() -> Plan:
    """The optimum of a small dataset."""
    return plan(random_dataset(SEED), gap=0, threads=1)


@pytest.fixture(scope="module")
def large() -> Dataset:
    """A dataset whose last gap takes far longer than a test."""
    return random_dataset(3, sites=12, periods=12, contracts=10)


def known(values: pd.Series) -> list[float]:
    return [float(value) for value in values if value is not None and np.isfinite(value)]


def check_log(made: Plan) -> None:
    """Time runs on, NPV never falls, the bound never rises, and no NPV is above a bound."""
    events = made.events
    assert list(events.columns) == ["seconds", "phase", "npv_usd", "bound_usd"]
    assert events["seconds"].is_monotonic_increasing
    npvs, bounds = known(events["npv_usd"]), known(events["bound_usd"])
    assert npvs
    assert bounds
    slack = 1e-6 * abs(npvs[-1])
    assert all(later >= earlier - slack for earlier, later in itertools.pairwise(npvs))
    assert all(later <= earlier + slack for earlier, later in itertools.pairwise(bounds))
    assert npvs[-1] <= bounds[-1] + slack
    assert max(npvs) <= min(bounds) + slack
    assert made.summary.npv_usd == pytest.approx(npvs[-1], rel=1e-6)


def check_summary(made: Plan) -> None:
    """The bounds hold and the gaps are what model.md says."""
    s = made.summary
    assert s.npv_usd is not None
    assert s.bound_usd is not None
    assert s.bound_certified_usd is not None
    assert s.npv_usd <= s.bound_usd <= s.bound_certified_usd * (1 + 1e-9) + 1e-6
    assert s.gap == pytest.approx((s.bound_usd - s.npv_usd) / max(abs(s.npv_usd), 1), abs=1e-12)
    assert s.gap_certified == pytest.approx((s.bound_certified_usd - s.npv_usd) / max(abs(s.npv_usd), 1), abs=1e-12)
    assert s.npv_usd == pytest.approx(sum(s.npv_terms.values()), rel=1e-12)
    assert s.audit is not None
    assert s.audit.passed


# gap -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gap", "status"), [(0.0, SolutionStatus.OPTIMAL), (1e-5, SolutionStatus.OPTIMAL), (0.2, None)])
def test_the_gap_asked_for_is_proven(gap: float, status: SolutionStatus | None, best: Plan) -> None:
    made = plan(random_dataset(SEED), gap=gap, threads=1)
    check_summary(made)
    check_log(made)
    s = made.summary
    assert s.gap is not None
    assert s.gap <= max(gap, 1e-6)
    assert (s.gap_requested, s.stop_reason) == (gap, StopReason.GAP_REACHED)
    assert s.status in ({status} if status else {SolutionStatus.OPTIMAL, SolutionStatus.WITHIN_GAP})
    assert best.summary.npv_usd is not None
    assert s.npv_usd is not None
    assert best.summary.npv_usd * (1 - gap) - 1e-6 * abs(best.summary.npv_usd) <= s.npv_usd <= best.summary.npv_usd * (1 + 1e-6)


@pytest.mark.parametrize("seed", list(SEEDS)[1:4])
def test_log_and_summary_are_consistent(seed: int) -> None:
    made = plan(random_dataset(seed), gap=0, threads=1)
    check_summary(made)
    check_log(made)
    assert made.summary.npv_usd == pytest.approx(-random_solution(seed).objective * MILLION, rel=1e-6)


@pytest.mark.parametrize(("gap", "limit"), [(-0.1, 1), (np.nan, 1), (np.inf, 1), (0.1, 0), (0.1, -1), (0.1, np.nan), (0.1, np.inf)])
def test_arguments_out_of_range_are_refused(gap: float, limit: float) -> None:
    with pytest.raises(ValueError, match="gap must be at least 0 and time_limit above 0"):
        plan(small_dataset(), gap=gap, time_limit=limit)


# time and stop -------------------------------------------------------------------------------------


def test_the_time_limit_is_kept_and_the_best_plan_returned(large: Dataset) -> None:
    began = time.monotonic()
    made = plan(large, gap=0, time_limit=20, threads=1)
    assert time.monotonic() - began < 20 + OVERRUN
    assert made.summary.stop_reason is StopReason.TIME_LIMIT
    assert made.summary.gap is not None
    assert made.summary.gap > 0
    check_summary(made)
    check_log(made)


def test_without_time_there_is_no_plan_and_it_is_said(large: Dataset) -> None:
    began = time.monotonic()
    with pytest.raises(NoPlanError, match="no plan was found in the time given") as raised:
        plan(large, gap=0, time_limit=0.05, threads=1)
    assert time.monotonic() - began < OVERRUN
    s = raised.value.summary
    assert s.status is not SolutionStatus.INFEASIBLE
    assert s.stop_reason is StopReason.TIME_LIMIT
    assert (s.npv_usd, s.audit) == (None, None)


def test_a_stop_before_the_start_is_no_plan(large: Dataset) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(NoPlanError) as raised:
        plan(large, gap=0, threads=1, stop=stop)
    assert raised.value.summary.stop_reason is StopReason.USER_STOP


def test_a_stop_with_a_start_gives_the_start(best: Plan) -> None:
    stop = threading.Event()
    stop.set()
    made = plan(random_dataset(SEED), gap=0, threads=1, stop=stop, start=best)
    assert made.summary.npv_usd == pytest.approx(best.summary.npv_usd, rel=1e-9)
    assert made.summary.stop_reason is StopReason.USER_STOP
    assert made.summary.audit is not None
    assert made.summary.audit.passed


def test_a_stop_ends_the_search_with_the_best_plan(large: Dataset) -> None:
    """Stopped from the progress call as soon as there is a plan."""
    stop = threading.Event()
    stopped: list[float] = []

    def watch(progress: Progress) -> None:
        if progress.npv_usd is not None and not stopped:
            stopped.append(time.monotonic())
            stop.set()

    made = plan(large, gap=0, time_limit=150, threads=1, stop=stop, progress=watch)
    assert stopped
    assert time.monotonic() - stopped[0] < OVERRUN
    assert made.summary.stop_reason is StopReason.USER_STOP
    assert audit(large, made.tables, made.summary).passed


def test_progress_is_told_as_it_goes() -> None:
    heard: list[Progress] = []
    made = plan(random_dataset(SEED), gap=0, threads=1, progress=heard.append)
    assert [p.seconds for p in heard] == sorted(p.seconds for p in heard)
    assert heard[0].phase == "building the model"
    last = [p for p in heard if p.npv_usd is not None][-1]
    assert last.npv_usd == pytest.approx(made.summary.npv_usd, rel=1e-6)
    assert last.gap is not None
    assert last.gap <= 1e-6
    assert all(p.gap is None or p.gap >= 0 for p in heard)


# start ---------------------------------------------------------------------------------------------


def test_a_start_is_never_made_worse(best: Plan) -> None:
    """From the optimum, hardly any time and a wide gap."""
    for gap, limit in ((0.5, 60.0), (0.0, 1.0)):
        made = plan(random_dataset(SEED), gap=gap, time_limit=limit, threads=1, start=best)
        assert best.summary.npv_usd is not None
        assert made.summary.npv_usd is not None
        assert made.summary.npv_usd >= best.summary.npv_usd * (1 - 1e-9)
        check_summary(made)


def test_a_poor_start_is_improved(best: Plan) -> None:
    dataset = random_dataset(SEED)
    poor = plan(dataset, gap=0.9, threads=1)
    made = plan(dataset, gap=0, threads=1, start=poor)
    assert made.summary.npv_usd == pytest.approx(best.summary.npv_usd, rel=1e-6)


def test_a_start_from_another_dataset_is_taken_as_far_as_it_goes(best: Plan) -> None:
    """Other ids, other supply: what does not exist or does not hold is left out or dropped, and the optimum is found."""
    other = random_dataset(SEED + 1)
    made = plan(other, gap=0, threads=1, start=best)
    assert made.summary.npv_usd == pytest.approx(-random_solution(SEED + 1).objective * MILLION, rel=1e-6)
    assert plan(small_dataset(), gap=0, threads=1, start=best).summary.npv_usd == pytest.approx(1_652_000)


def test_an_infeasible_start_is_dropped() -> None:
    """A plan for ten racks, where two are allocated."""
    start = plan(small_dataset(), gap=0, threads=1)
    less = small_dataset(supply=[{"gen_id": "h100", "period": "2026-Q1", "racks": 2}])
    made = plan(less, gap=0, threads=1, start=start)
    assert made.racks["installed"].sum() == 2


# the same again ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", list(SEEDS)[7:10])
def test_the_same_seed_and_threads_give_the_same_plan(seed: int) -> None:
    first, second = (plan(random_dataset(seed), gap=0, threads=1, seed=7) for _ in range(2))
    for name in PLAN_COLUMNS:
        pd.testing.assert_frame_equal(first[name], second[name], check_exact=True)
    assert first.summary.npv_usd == second.summary.npv_usd
    assert first.summary.solver == second.summary.solver
    assert first.summary.solver.seed == 7


def test_seeds_and_threads_change_nothing_about_the_optimum(best: Plan) -> None:
    for seed, threads in ((1, 1), (2, 2), (0, None)):
        made = plan(random_dataset(SEED), gap=0, seed=seed, threads=threads)
        assert made.summary.npv_usd == pytest.approx(best.summary.npv_usd, rel=1e-6)

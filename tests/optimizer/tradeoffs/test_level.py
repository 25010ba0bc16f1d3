"""Alternatives and the nearest plan, where the answer follows by hand."""

from __future__ import annotations

import threading

import pytest

from models.plan import Plan
from models.targets import Likeness, Targets
from optimizer import plan
from optimizer.instance import Instance
from optimizer.tradeoffs.alternatives import alternatives
from optimizer.tradeoffs.level import Asking
from optimizer.tradeoffs.nearest import nearest
from optimizer.tradeoffs.targets import in_common
from optimizer.whatif import Planner
from tests.optimizer.tradeoffs.hand import BEST, DEARER, all_at_b, racks_at, two_sites

FOUR = BEST - 4.5 * DEARER
"""Worth of a plan that can have four racks at ``b``, and not five."""


def planner(made: Plan | None = None) -> Planner:
    dataset = two_sites()
    return Planner(dataset, made or plan(dataset, gap=0, threads=1), threads=1)


def test_the_plan_most_unlike_within_a_loss() -> None:
    """Four of ten racks elsewhere are within the loss, five are not: half apart is proven to be too much."""
    told: list[str] = []
    found = alternatives(Asking(planner(), FOUR, tries=9), 1, lambda one: told.append(one.name))
    assert told == ["alternative 1"]
    assert racks_at(found[0].plan) == {"a": 6, "b": 4}
    assert found[0].apart == pytest.approx(0.4)
    assert found[0].loss_usd == pytest.approx(4 * DEARER)
    assert found[0].ceiling is not None
    assert 0.4 < found[0].ceiling < 0.42
    assert found[0].found.tried[0].level == 0.5
    bound = found[0].found.tried[0].bound_usd
    assert bound is not None
    assert bound == pytest.approx(BEST - 5 * DEARER, rel=1e-3)


def test_each_alternative_is_unlike_all_before_it() -> None:
    warm = planner()
    found = alternatives(Asking(warm, 0.5 * BEST, tries=6), 3)
    assert len(found) == 3
    plans = [warm.current, *(one.plan for one in found)]
    inst = Instance(warm.dataset)
    for n, one in enumerate(found, start=1):
        apart = [1 - in_common(inst, other.racks, one.plan.racks) for other in plans[:n] if other is not None]
        assert one.apart == pytest.approx(min(apart))
        assert one.apart > 0.05
        assert (one.plan.summary.npv_usd or 0.0) >= 0.5 * BEST


def test_no_alternative_within_no_loss() -> None:
    """Any other place costs something."""
    assert alternatives(Asking(planner(), BEST - 0.5 * DEARER, tries=9), 2) == []


def test_the_plan_nearest_to_an_old_one_within_a_loss() -> None:
    published = all_at_b()
    found = nearest(Asking(planner(published), FOUR, tries=9))
    assert found.plan is not None
    assert racks_at(found.plan) == {"a": 6, "b": 4}
    assert found.common == pytest.approx(0.4)
    assert found.ceiling is not None
    assert 0.4 < found.ceiling < 0.42


def test_an_old_plan_that_is_still_good_enough_is_the_nearest() -> None:
    found = nearest(Asking(planner(all_at_b()), BEST - 10 * DEARER - 1, tries=9))
    assert found.common == pytest.approx(1.0)
    assert [tried.level for tried in found.found.tried] == [1.0]
    assert found.ceiling is None


def test_stopping_keeps_what_was_found() -> None:
    stop = threading.Event()
    asking = Asking(planner(), FOUR, tries=9, stop=stop)

    def targets(level: float) -> Targets:
        assert asking.planner.current is not None
        if level != 0.25:
            stop.set()
        return Targets(likeness=(Likeness("given", asking.planner.current.racks, 1 - level, least=False),))

    found = asking.highest(targets, lambda made: 0.0, 0.25)
    assert len(found.tried) == 2
    assert found.plan is not None
    assert racks_at(found.plan) == {"a": 7, "b": 3}


def test_so_many_levels_are_tried_and_no_more() -> None:
    assert len(alternatives(Asking(planner(), FOUR, tries=3), 1)[0].found.tried) == 3

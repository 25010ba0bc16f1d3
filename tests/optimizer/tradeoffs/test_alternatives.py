"""Alternatives: plans that lose little and differ much, where the answer follows by hand."""

from __future__ import annotations

import pytest

from optimizer.instance import Instance
from optimizer.tradeoffs.alternatives import alternatives
from optimizer.tradeoffs.level import Asking
from optimizer.tradeoffs.targets import in_common
from tests.optimizer.tradeoffs.hand import BEST, DEARER, FOUR, racks_at, warm_planner


def test_the_plan_most_unlike_within_a_loss() -> None:
    """Four of ten racks elsewhere are within the loss, five are not: half apart is proven to be too much."""
    told: list[str] = []
    found = alternatives(Asking(warm_planner(), FOUR, tries=9), 1, lambda one: told.append(one.name))
    assert told == ["alternative 1"]
    assert racks_at(found[0].plan) == {"a": 6, "b": 4}
    assert found[0].apart == pytest.approx(0.4)
    assert found[0].loss_usd == pytest.approx(4 * DEARER)
    assert found[0].found.ceiling is not None
    assert 0.4 < found[0].found.ceiling < 0.42
    assert found[0].found.tried[0].level == 0.5
    bound = found[0].found.tried[0].bound_usd
    assert bound is not None
    assert bound == pytest.approx(BEST - 5 * DEARER, rel=1e-3)


def test_each_alternative_is_unlike_all_before_it() -> None:
    warm = warm_planner()
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
    assert alternatives(Asking(warm_planner(), BEST - 0.5 * DEARER, tries=9), 2) == []


def test_so_many_levels_are_tried_and_no_more() -> None:
    assert len(alternatives(Asking(warm_planner(), FOUR, tries=3), 1)[0].found.tried) == 3

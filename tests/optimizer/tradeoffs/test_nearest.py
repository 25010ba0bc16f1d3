"""The nearest plan: as much as possible of an old one, where the answer follows by hand."""

from __future__ import annotations

import pytest

from optimizer.tradeoffs.level import Asking
from optimizer.tradeoffs.nearest import nearest
from tests.optimizer.tradeoffs.hand import BEST, DEARER, FOUR, all_at_b, racks_at, warm_planner


def test_the_plan_nearest_to_an_old_one_within_a_loss() -> None:
    published = all_at_b()
    found = nearest(Asking(warm_planner(published), FOUR, tries=9))
    assert found.plan is not None
    assert racks_at(found.plan) == {"a": 6, "b": 4}
    assert found.level == pytest.approx(0.4)
    assert found.ceiling is not None
    assert 0.4 < found.ceiling < 0.42


def test_an_old_plan_that_is_still_good_enough_is_the_nearest() -> None:
    found = nearest(Asking(warm_planner(all_at_b()), BEST - 10 * DEARER - 1, tries=9))
    assert found.level == pytest.approx(1.0)
    assert [tried.level for tried in found.tried] == [1.0]
    assert found.ceiling is None

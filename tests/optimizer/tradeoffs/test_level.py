"""Looking for the highest level: halving, and stopping on the way."""

from __future__ import annotations

import threading

from models.targets import Likeness, Targets
from optimizer.tradeoffs.level import Asking
from tests.optimizer.tradeoffs.hand import FOUR, racks_at, warm_planner


def test_stopping_keeps_what_was_found() -> None:
    stop = threading.Event()
    asking = Asking(warm_planner(), FOUR, tries=9, stop=stop)

    def targets(level: float) -> Targets:
        assert asking.planner.current is not None
        if level != 0.25:
            stop.set()
        return Targets(likeness=(Likeness("given", asking.planner.current.racks, 1 - level, least=False),))

    found = asking.highest(targets, lambda made: 0.0, 0.25)
    assert len(found.tried) == 2
    assert found.plan is not None
    assert racks_at(found.plan) == {"a": 7, "b": 3}

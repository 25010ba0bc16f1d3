"""What a solve tells on its way: the newest progress, the best plan, and bounds that never rise."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from batch.engine.reporter import Reporter
from models.plan import Plan
from optimizer import Progress, plan
from tests.factories import small_dataset


def test_a_plan_is_told_with_the_best_bound_known_by_then() -> None:
    """A plan is audited while the search goes on, so that its own bound may be older than what was told."""
    made = plan(small_dataset(), gap=0, threads=1)
    assert made.summary.npv_usd is not None
    summary = made.summary.model_copy(update={"bound_usd": made.summary.npv_usd + 2e6, "gap": 0.5})
    older = Plan(summary, made.tables, made.events)
    told: list[tuple[str, dict[str, Any]]] = []
    with Reporter(lambda kind, payload: told.append((kind, payload)), lambda: False, threading.Event()) as reporter:
        reporter.progress(Progress(1.0, "racks", None, made.summary.npv_usd + 1e6, None))
        reporter.keep(older)
    kinds = dict(told)
    assert kinds["progress"]["bound_usd"] == kinds["incumbent"]["bound_usd"] == made.summary.npv_usd + 1e6
    assert kinds["incumbent"]["gap"] == pytest.approx(1e6 / abs(made.summary.npv_usd))

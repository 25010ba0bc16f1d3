"""What-ifs measured: seconds to an answer, against planning the changed dataset anew to the same gap."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.one_run import Found, Recorder
from benchmarks.runs import Run
from models.dataset import Dataset

CHANGES = 8
"""Changes answered in one run; the types follow each other, run after run by its seed."""
GAP = 0.01
"""Gap of plans and answers."""
PLAN_SECONDS, PLAN_SHARE = 300.0, 0.9
"""Most time for the plan that changes are asked of, and its gap as a share of that of answers: a planner asks of a plan at hand."""
TRIES = 20
"""Draws of a change until one gives a sound dataset."""


def by_whatif(run: Run, dataset: Dataset, recorder: Recorder) -> Found:
    """Plan, then answer changes one by one, each from the same plan; then plan each changed dataset anew.

    Each change is told as soon as it is measured. An answer has ``run.budget`` seconds, as planning anew has.
    """
    from models.changes import CHANGES as TYPES
    from optimizer.whatif import Planner

    began = time.monotonic()
    planner = Planner(dataset, threads=run.threads, seed=run.seed)
    plan = planner.plan(gap=PLAN_SHARE * run.gap, time_limit=max(PLAN_SECONDS, run.budget))
    recorder.at(plan.summary.npv_usd, plan.summary.bound_usd, last=True)
    planned = time.monotonic() - began
    began = time.monotonic()
    planner.warm()
    phases = {"plan": planned, "warm": time.monotonic() - began, "plan_gap": plan.summary.gap}
    for change in drawn(dataset, list(TYPES), run.seed, CHANGES):
        answer, after = _answer(planner, change, run)
        recorder.tell({"change": {"type": change.type, "sentence": change.sentence(dataset), **answer, **_anew(after, run)}})
    return Found(f"{CHANGES} changes", phases, {"audited": True})


def drawn(dataset: Dataset, types: list[str], seed: int, count: int) -> Iterator[Any]:
    """Changes that can be carried out, of one type after the other; the same for the same seed.

    Args:
        types: names of the types of changes.
        seed: the first type is number ``seed * count``, counted round.
        count: how many.
    """
    from models.changes import ChangeError, apply, draw

    rng = random.Random(seed)
    place, given = seed * count, 0
    while given < count:
        for _ in range(TRIES):
            try:
                change = draw(dataset, rng, types[place % len(types)])
                after = apply(dataset, [change])
            except ChangeError:
                break  # the dataset has nothing of the kind, or a plan is needed to say what it means
            if not after.warnings:
                yield change
                given += 1
                break
        place += 1
        if place > seed * count + len(types) + count and not given:
            raise ValueError("no type of change fits the dataset")


def _answer(planner: Any, change: Any, run: Run) -> tuple[dict[str, Any], Dataset]:
    """Seconds and gap of an answer, and the dataset after the change."""
    from models.changes import apply

    def ask() -> float | None:
        found = planner.change([change], mode="repair", gap=run.gap, time_limit=run.budget)
        return None if found.plan is None else found.plan.summary.gap

    return _timed(ask, ""), apply(planner.dataset, [change], planner.current).dataset


def _anew(dataset: Dataset, run: Run) -> dict[str, Any]:
    """Seconds and gap of planning anew."""
    from optimizer.planner import plan

    return _timed(lambda: plan(dataset, gap=run.gap, time_limit=run.budget, threads=run.threads, seed=run.seed).summary.gap, "anew_")


def _timed(ask: Callable[[], float | None], prefix: str) -> dict[str, Any]:
    """Seconds, gap and note of an answer; no gap where there is none."""
    from optimizer.planner import InfeasibleError, NoPlanError

    began = time.monotonic()
    gap, note = None, ""
    try:
        gap = ask()
    except InfeasibleError:
        note = "infeasible"
    except NoPlanError:
        note = "no plan"
    return {f"{prefix}seconds": time.monotonic() - began, f"{prefix}gap": gap, f"{prefix}note": note}

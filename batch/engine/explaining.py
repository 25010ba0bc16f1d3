"""Explanations in a worker: from a question as plain values to its answer."""

from __future__ import annotations

import time
from typing import Any

from batch.engine.idle import idle
from batch.engine.job import Job, Outcome
from batch.engine.kept import ground_of, planner_of
from models.changes import apply, read_changes
from models.dataset import Dataset
from models.faults import Fault, InputError
from models.files import dataset_from_bytes
from models.plan import StopReason
from models.plan_files import plan_from_bytes
from models.targets import Targets, limits_in_words, read_most
from optimizer.conflicts import conflicts
from optimizer.explain import as_json
from optimizer.explain.conflict import explain_conflict
from optimizer.explain.obstacles import Wish, obstacles
from optimizer.explain.prices import priced
from optimizer.explain.question import Kind, Question, asked_for, read_question
from optimizer.explain.why import Why, why
from optimizer.explain.why_not import WhyNot, why_not
from optimizer.highs import Control, SolverError
from optimizer.instance import Instance
from optimizer.tradeoffs.targets import matrix_of
from optimizer.whatif import WARMING

APART = "the rules of the dataset can hold together; "
ASIDE = "totals asked for are left out of this: "
NOT_NAMED = "no plan holds all directives, hard duties and limits; which of them conflict was not found in time"
"""What :func:`optimizer.conflicts.conflicts` says where it has found none in time."""


def explained(job: Job, control: Control) -> Outcome:
    """Answer a question.

    Args:
        job: with ``ask``.
        control: deadline and stop; what is not reached is left out of the answer, and ``stop_reason`` says so.

    Returns:
        The outcome: explanation, stop_reason, warm and seconds.

    Raises:
        InputError: faults of dataset, changes or plan, or no plan to speak of.
        PlacementError: the question names what there is not.
        SolverError: the solver failed.
    """
    began = time.monotonic()
    question = read_question(job.ask or {})
    found: dict[str, Any] | None = None
    warm = False
    try:
        found, warm = _conflict(job, control) if question.kind is Kind.CONFLICT else _of_plan(job, question, control)
    except SolverError:
        if not control.over:
            raise
    reason = StopReason.USER_STOP if control.stop.is_set() else StopReason.TIME_LIMIT if control.over else None
    seconds = {"total": time.monotonic() - began}
    return {"plan": None, "explanation": found, "stop_reason": reason and reason.value, "warm": warm, "seconds": seconds}


def _of_plan(job: Job, question: Question, control: Control) -> tuple[dict[str, Any], bool]:
    """The answer to a question about a plan, and whether its model was known."""
    if job.baseline is None:
        raise InputError([Fault("baseline", "is missing", allowed="a plan to explain", code="missing_value", pointer="/baseline")])
    if question.kind is Kind.PRICES:
        idle.give_way()
        ground, warm = ground_of(job, job.baseline)
        prices = priced(ground, confirm=question.confirm, signing=question.signing, control=control, threads=job.threads)
        return {"kind": question.kind.value, **as_json(prices)}, warm
    planner, warm = planner_of(job, job.baseline)
    assert planner.current is not None
    asked = asked_for(question, planner.instance)
    if not (isinstance(asked, Wish) and obstacles(asked, planner.instance)):  # what the data alone refuse needs no solve
        idle.ready(planner, control.until(WARMING * job.time_limit))
    answer: WhyNot | Why
    if question.kind is Kind.WHY_NOT:
        answer = why_not(
            planner.dataset, planner.current, asked, planner=planner, control=control, threads=job.threads, seed=job.seed
        )  # fmt: skip
    else:
        assert not isinstance(asked, Wish)
        answer = why(planner.dataset, planner.current, asked, planner=planner, control=control, threads=job.threads, seed=job.seed)
    idle.warm(planner)
    return {"kind": question.kind.value, **as_json(answer)}, warm


def _conflict(job: Job, control: Control) -> tuple[dict[str, Any], bool]:
    """The rules of a changed dataset that can't hold together; no model of it is kept."""
    idle.give_way()
    baseline = None if job.baseline is None else plan_from_bytes(job.baseline)
    applied = apply(dataset_from_bytes(job.dataset), read_changes(job.changes), baseline)
    found = explain_conflict(applied.dataset, control=control, threads=job.threads, seed=job.seed)
    words, targets = [] if found is None else found.words, Targets(read_most(job.most))
    if targets:
        words = words + ([ASIDE + _in_words(targets)] if found is not None else _totals(applied.dataset, targets, job, control))
    return {"kind": Kind.CONFLICT.value, "conflict": None if found is None else as_json(found), "words": words}, False


def _totals(dataset: Dataset, targets: Targets, job: Job, control: Control) -> list[str]:
    """What is said of totals, where the rules of the dataset can hold together without them; nothing where they can hold too."""
    inst = Instance(dataset)
    named = conflicts(inst, matrix_of(inst, targets), control, threads=job.threads, seed=job.seed)
    if not named:
        return []
    if named == [NOT_NAMED]:
        return [f"{APART}whether the totals asked for can be held too was not found in time: {_in_words(targets)}"]
    return [f"{APART}it is the totals asked for that can't be held with them: {_in_words(targets)}", *named]


def _in_words(targets: Targets) -> str:
    return "; ".join(limits_in_words(targets.most))

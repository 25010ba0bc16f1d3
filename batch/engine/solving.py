"""From a job to its outcome: the optimizer behind plain values, with every failure named."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from batch.engine import kept
from batch.engine.explaining import explained
from batch.engine.idle import idle
from batch.engine.job import EngineMode, Failure, Job, Outcome
from models.changes import Change, ChangeError, apply, read_changes
from models.faults import DatasetError, Fault, InputError
from models.files import dataset_from_bytes
from models.plan import Plan, StopReason, Summary
from models.plan_files import plan_from_bytes, plan_to_bytes
from models.targets import Targets, held_to, read_most
from optimizer import InfeasibleError, NoPlanError, Progress, SolverError, plan
from optimizer.blocks.directives import DirectiveConflictError
from optimizer.explain.placement import PlacementError
from optimizer.highs import CAREFUL, Control
from optimizer.whatif import LEAST, WARMING, Answer, Evaluation, Mode, Planner, evaluate, evaluations

log = logging.getLogger(__name__)


def outcome_of(job: Job, stop: threading.Event, progress: Callable[[Progress], None], keep: Callable[[Plan], None]) -> Outcome:
    """Carry out a job.

    Args:
        job: what to do.
        stop: set it to end with the best plan.
        progress: called as the search goes on.
        keep: called with each better plan.

    Returns:
        The outcome; failures are part of it, nothing is raised.
    """
    control = Control(time.monotonic() + job.time_limit, stop)
    try:
        with _careful(job.attempt > 1):
            return _solved(job, control, progress, keep)
    except InfeasibleError as error:
        outcome = _failed(Failure.INFEASIBLE, str(error), summary=_plain(error.summary), conflicts=list(error.conflicts))
    except DirectiveConflictError as error:
        outcome = _failed(Failure.INFEASIBLE, str(error), conflicts=[str(error)], stop_reason=StopReason.PROVED_INFEASIBLE.value)
    except NoPlanError as error:
        if job.start is not None:
            return _from_checkpoint(job.start, error.summary.stop_reason)
        outcome = _failed(Failure.NO_PLAN, str(error), summary={**_plain(error.summary), "status": "none"})
    except ChangeError as error:
        outcome = _faulty(Failure.CHANGE_ERROR, error)
    except DatasetError as error:
        outcome = _faulty(Failure.DATASET_ERROR, error)
    except InputError as error:
        outcome = _faulty(Failure.PLAN_ERROR, error)
    except PlacementError as error:
        outcome = _failed(Failure.QUESTION_ERROR, str(error))
    except SolverError as error:
        kept.forget()
        outcome = _failed(Failure.SOLVER_ERROR, str(error))
    except MemoryError:
        kept.forget()
        outcome = _failed(Failure.OUT_OF_MEMORY, "the solve needs more memory than the worker has")
    except Exception as error:
        kept.forget()
        log.exception("run %s, attempt %s", job.run_id, job.attempt)
        outcome = _failed(Failure.INTERNAL_ERROR, f"{type(error).__name__}: {error}")
    return outcome


def _solved(job: Job, control: Control, progress: Callable[[Progress], None], keep: Callable[[Plan], None]) -> Outcome:
    if job.mode not in (
        EngineMode.REPAIR,
        EngineMode.EVALUATE,
    ):  # the first waits for a planner that is being warmed, the second solves nothing
        idle.give_way()
    if job.mode == EngineMode.EXPLAIN:
        return explained(job, control)
    if control.stop.is_set():
        return _stopped(job)
    changes = read_changes(job.changes)
    start = None if job.start is None else plan_from_bytes(job.start)
    targets = Targets(read_most(job.most))
    if job.mode == EngineMode.PLAN:
        return _planned(job, changes, start, control, progress, keep, targets)
    if job.baseline is None:
        raise InputError([Fault("baseline", "is missing", allowed="a plan to start from", code="missing_value", pointer="/baseline")])
    if job.mode == EngineMode.EVALUATE:
        scored = evaluate(dataset_from_bytes(job.dataset), changes, plan_from_bytes(job.baseline))
        return {**_answered(scored), **_others(scored, job), "warm": False}
    planner, warm = kept.planner_of(job, job.baseline)
    if job.mode == EngineMode.REPAIR:
        idle.join(planner, control.until(job.warming or WARMING * job.time_limit))
        warm = warm and planner.relaxation.basis is not None
        if job.warming > 0:
            planner.warm(Control(time.monotonic() + job.warming, control.stop))
            control = Control(time.monotonic() + job.time_limit, control.stop)
        else:
            kept.warmed(planner, control, job.time_limit)
    try:
        return {**_changed(job, planner, changes, start, control, progress, keep, targets), "warm": warm}
    finally:
        if job.mode == EngineMode.REPAIR and not planner.ready:
            idle.warm(planner)


def _changed(
    job: Job,
    planner: Planner,
    changes: list[Change],
    start: Plan | None,
    control: Control,
    progress: Callable[[Progress], None],
    keep: Callable[[Plan], None],
    targets: Targets,
) -> Outcome:
    """What changes do to a plan."""
    answer = planner.change(
        changes, Mode(job.mode), gap=job.gap, time_limit=max(LEAST, control.deadline - time.monotonic()),
        progress=progress, stop=control.stop, start=start, keep=keep, targets=targets,
    )  # fmt: skip
    return {**_answered(answer), "sentences": [*answer.sentences, *held_to(targets.most)]}


def _planned(
    job: Job,
    changes: list[Change],
    start: Plan | None,
    control: Control,
    progress: Callable[[Progress], None],
    keep: Callable[[Plan], None],
    targets: Targets,
) -> Outcome:
    """A plan from nothing, or from one that was kept."""
    baseline = None if job.baseline is None else plan_from_bytes(job.baseline)
    applied = apply(dataset_from_bytes(job.dataset), changes, baseline)
    made = plan(
        applied.dataset, gap=job.gap, time_limit=max(LEAST, control.deadline - time.monotonic()), threads=job.threads, seed=job.seed,
        start=start or baseline, progress=progress, stop=control.stop, keep=keep, targets=targets,
    )  # fmt: skip
    known: Outcome = {
        "sentences": [*applied.sentences, *held_to(targets.most)],
        "warnings": _told(applied.warnings),
        "dataset_sha256": applied.dataset.sha256,
    }
    return {**known, **_with_plan(made), "seconds": made.summary.seconds.model_dump(), "warm": False}


def _stopped(job: Job) -> Outcome:
    """The outcome of a run that was stopped before it began."""
    if job.start is not None:
        return _from_checkpoint(job.start, StopReason.USER_STOP)
    return _failed(Failure.NO_PLAN, "stopped before there was a plan", stop_reason=StopReason.USER_STOP.value)


def _from_checkpoint(start: bytes, reason: StopReason) -> Outcome:
    """A plan that was kept before, as the outcome of a run that found none of its own."""
    summary = {**_plain(plan_from_bytes(start).summary), "stop_reason": reason.value}
    return {"plan": start, "summary": summary}


def _answered(answer: Answer) -> Outcome:
    return {
        **({"plan": None} if answer.plan is None else _with_plan(answer.plan)),
        "evaluation": None if answer.evaluation is None else _evaluated(answer.evaluation),
        "sentences": list(answer.sentences),
        "warnings": _told(answer.warnings),
        "dataset_sha256": answer.dataset.sha256,
        "baseline_npv_usd": answer.baseline_npv_usd,
        "difference_usd": answer.difference_usd,
        "rebuilt": answer.rebuilt,
        "cells": answer.cells,
        "seconds": dict(answer.seconds),
    }


def _others(scored: Answer, job: Job) -> Outcome:
    """More plans of a job under the same changes."""
    if not job.others:
        return {}
    found = evaluations(scored.dataset, [kept.plan_of(other) for other in job.others])
    return {"evaluations": [_evaluated(evaluation) for evaluation in found]}


def _with_plan(made: Plan) -> Outcome:
    return {"plan": plan_to_bytes(made), "summary": _plain(made.summary)}


def _plain(summary: Summary) -> dict[str, Any]:
    return summary.model_dump(mode="json")


def _evaluated(evaluation: Evaluation) -> dict[str, Any]:
    violations = [{"message": v.message, "family": v.constraint, "by": float(v.amount)} for v in evaluation.violations]
    terms = {name: float(value) for name, value in evaluation.npv_terms.items()}
    totals = {measure.value: total for measure, total in evaluation.totals.items()}
    return {"npv_usd": float(evaluation.npv_usd), "npv_terms": terms, "violations": violations, "totals": totals}


def _failed(kind: Failure, detail: str, faults: Iterable[Fault] = (), **known: Any) -> Outcome:
    return {"plan": None, **known, "failure": {"kind": kind.value, "detail": detail, "faults": _told(faults)}}


def _faulty(kind: Failure, error: InputError) -> Outcome:
    return _failed(kind, str(error.faults[0]) if error.faults else str(error), error.faults)


def _told(faults: Iterable[Fault]) -> list[dict[str, str]]:
    return [{"pointer": fault.pointer, "message": str(fault), "code": fault.code} for fault in faults]


@contextmanager
def _careful(wanted: bool) -> Iterator[None]:
    """Have the solver, here and in the processes that it starts, leave out what has crashed before."""
    before = os.environ.get(CAREFUL, "")
    os.environ[CAREFUL] = "1" if wanted else before
    try:
        yield
    finally:
        os.environ[CAREFUL] = before

"""From a job to its outcome: the optimizer behind plain values, with every failure named."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from batch.engine import kept
from batch.engine.explaining import explained
from batch.engine.idle import idle
from batch.engine.job import EngineMode, Failure, Job, Outcome
from models.changes import Change, ChangeError, apply, read_changes
from models.changes.base import TABLE as CHANGES
from models.faults import DatasetError, Fault, InputError
from models.files import dataset_from_bytes
from models.plan import Plan, StopReason, Summary
from models.plan_files import plan_from_bytes, plan_to_bytes
from models.targets import Targets, limits_in_words, read_most
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
    # A repair or an explanation may wait for the planner that is being warmed, and an evaluation solves nothing.
    if job.mode in (EngineMode.PLAN, EngineMode.REOPTIMIZE):
        idle.give_way()
    if job.mode == EngineMode.EXPLAIN:
        return explained(job, control)
    if control.stop.is_set():
        return _stopped(job)
    search = _Search(
        read_changes(job.changes), None if job.start is None else plan_from_bytes(job.start), Targets(read_most(job.most)), progress, keep
    )
    if job.mode == EngineMode.PLAN:
        return _planned(job, search, control)
    if job.baseline is None:
        raise InputError([Fault("baseline", "is missing", allowed="a plan to start from", code="missing_value", pointer="/baseline")])
    if job.mode == EngineMode.EVALUATE:
        scored = evaluate(dataset_from_bytes(job.dataset), search.changes, plan_from_bytes(job.baseline))
        return {**_answered(scored), **_others(scored, job), "warm": False}
    planner, warm = kept.planner_of(job, job.baseline)
    if job.mode == EngineMode.REOPTIMIZE:
        return {**_changed(job, planner, search, control), "warm": warm}
    warm, control = _readied(job, planner, warm, control)
    try:
        found = _changed(job, planner, search, control)
    except (InfeasibleError, NoPlanError):
        idle.warm(planner)
        raise
    idle.warm(planner)
    return {**found, "warm": warm}


@dataclass(frozen=True)
class _Search:
    """What is searched for, and who is told.

    Attributes:
        changes: of the dataset.
        start: a plan to go on from.
        targets: that the plan must hold.
        progress, keep: called as the search goes on.
    """

    changes: list[Change]
    start: Plan | None
    targets: Targets
    progress: Callable[[Progress], None]
    keep: Callable[[Plan], None]

    def sentences(self, of_changes: Iterable[str]) -> list[str]:
        """Changes and targets in words."""
        return [*of_changes, *limits_in_words(self.targets.most)]


def _readied(job: Job, planner: Planner, known: bool, control: Control) -> tuple[bool, Control]:
    """Get a planner ready for a repair; whether it was before, and the clock of the repair itself."""
    ahead = Control(time.monotonic() + job.warming, control.stop) if job.warming > 0 else control.until(WARMING * job.time_limit)
    solved = idle.ready(planner, ahead)
    return known and solved, Control(time.monotonic() + job.time_limit, control.stop) if job.warming > 0 else control


def _changed(job: Job, planner: Planner, search: _Search, control: Control) -> Outcome:
    """What changes do to a plan."""
    answer = planner.change(
        search.changes, Mode(job.mode), gap=job.gap, time_limit=max(LEAST, control.deadline - time.monotonic()), stop=control.stop,
        progress=search.progress, start=search.start, keep=search.keep, targets=search.targets,
    )  # fmt: skip
    return {**_answered(answer), "sentences": search.sentences(answer.sentences)}


def _planned(job: Job, search: _Search, control: Control) -> Outcome:
    """A plan from nothing, or from one that was kept."""
    baseline = None if job.baseline is None else plan_from_bytes(job.baseline)
    applied = apply(dataset_from_bytes(job.dataset), search.changes, baseline)
    made = plan(
        applied.dataset, gap=job.gap, time_limit=max(LEAST, control.deadline - time.monotonic()), threads=job.threads, seed=job.seed,
        start=search.start or baseline, progress=search.progress, stop=control.stop, keep=search.keep, targets=search.targets,
    )  # fmt: skip
    known: Outcome = {
        "sentences": search.sentences(applied.sentences), "warnings": _told(applied.warnings), "dataset_sha256": applied.dataset.sha256,
    }  # fmt: skip
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
    """Faults with their places in the job."""
    return [{"pointer": _pointer(fault), "message": str(fault), "code": fault.code} for fault in faults]


def _pointer(fault: Fault) -> str:
    """A fault of changes is told by its place in their list, which is one field of the job."""
    return f"/{CHANGES}{fault.pointer}" if fault.table == CHANGES else fault.pointer


@contextmanager
def _careful(wanted: bool) -> Iterator[None]:
    """Have the solver, here and in the processes that it starts, leave out what has crashed before."""
    before = os.environ.get(CAREFUL, "")
    os.environ[CAREFUL] = "1" if wanted else before
    try:
        yield
    finally:
        os.environ[CAREFUL] = before

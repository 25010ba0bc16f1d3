"""What the engine is asked, and how it answers; nothing here needs the optimizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Outcome = dict[str, Any]
"""An answer as plain values. Keys, each only where it is known:

- ``plan``: the plan as a zip file (:func:`models.plan_files.plan_to_bytes`), None if there is none;
- ``summary``: that of the plan, or of the search that found none (its status is then ``none`` or ``infeasible``);
- ``evaluation``: the baseline under the changes: npv_usd, npv_terms, violations (message, family, by),
  totals (by measure);
- ``evaluations``: of mode evaluate, the same of each of the job's other plans;
- ``sentences``, ``warnings`` (pointer, message, code): of the changes;
- ``dataset_sha256``: after the changes; ``baseline_npv_usd``, ``difference_usd``: USD;
- ``rebuilt``, ``cells``: what the changes did to the model; ``warm``: whether the worker knew the baseline's model;
- ``seconds``: wall-clock time by phase;
- ``conflicts``: of an infeasible problem, the rules that can't hold together;
- ``explanation``: the answer of mode explain (:func:`optimizer.explain.as_json`), None if there was none in time;
- ``stop_reason``: of what has no summary: why it ended without a plan; of mode explain, what has cut its answer short, None if nothing has;
- ``failure``: why there is no answer: kind (a :class:`Failure`), detail, and for faulty input its faults (pointer, message, code).
"""


class Failure(StrEnum):
    """Why a job ended without what was asked."""

    INFEASIBLE = "infeasible"
    NO_PLAN = "no_plan"
    CHANGE_ERROR = "change_error"
    DATASET_ERROR = "dataset_error"
    PLAN_ERROR = "plan_error"
    QUESTION_ERROR = "question_error"
    SOLVER_ERROR = "solver_error"
    OUT_OF_MEMORY = "out_of_memory"
    INTERNAL_ERROR = "internal_error"


class EngineMode(StrEnum):
    """What is asked."""

    PLAN = "plan"
    EVALUATE = "evaluate"
    REPAIR = "repair"
    REOPTIMIZE = "reoptimize"
    EXPLAIN = "explain"


class Fate(StrEnum):
    """How an attempt ended: with an outcome, or because its process, its cluster or its time did."""

    DONE = "done"
    CRASHED = "crashed"
    KILLED = "killed"
    OVERDUE = "overdue"
    LOST = "lost"


@dataclass(frozen=True)
class Job:
    """A solve, with everything that it needs: a worker shares no files with whoever asks.

    Attributes:
        run_id: names the run; one attempt of it at a time.
        attempt: from 1; from the second one on the solver leaves out what has crashed before.
        dataset: the base dataset (:func:`models.files.dataset_to_bytes`).
        changes: plain values, as :func:`models.changes.read_changes` takes them.
        baseline: the plan that repair, reoptimize and evaluate start from (:func:`models.plan_files.plan_to_bytes`), and
            the one that explain speaks of.
        others: of evaluate, more plans of the same base to score under the changes.
        start: a plan that an earlier attempt had kept, to go on from.
        mode: plan, repair, reoptimize, evaluate or explain.
        most: of plan, repair and reoptimize, what each measure of :class:`models.targets.Measure` is held to, in its unit; of explain,
            what a run was held to of which conflict is asked.
        ask: of explain, the question as plain values (:func:`optimizer.explain.question.read_question`).
        gap: relative gap at which the search ends.
        time_limit: seconds, from when a worker starts on it.
        warming: of repair, most seconds in which a worker may get ready (model, warm start) before the time limit begins; 0 where getting
            ready counts for the time limit, and may take a share of it.
        seed: of the solver.
        threads: of the solver.
    """

    run_id: str
    attempt: int
    dataset: bytes
    changes: list[dict[str, Any]] = field(default_factory=list)
    baseline: bytes | None = None
    others: Sequence[bytes] = ()
    start: bytes | None = None
    mode: str = EngineMode.REPAIR.value
    most: dict[str, float] = field(default_factory=dict)
    ask: dict[str, Any] | None = None
    gap: float = 0.01
    time_limit: float = 60.0
    warming: float = 0.0
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True)
class Ended:
    """The end of an attempt.

    Attributes:
        fate: how it ended.
        outcome: what was found; only of ``done``.
        detail: in words, where the fate alone does not say it.
    """

    fate: Fate
    outcome: Outcome | None = None
    detail: str = ""


OnEvent = Callable[[str, int, str, dict[str, Any]], None]
"""Called in the event loop with run, attempt, kind and payload.

``progress``: seconds, phase, npv_usd, bound_usd, gap. ``incumbent``: plan (bytes), npv_usd, bound_usd, gap.
"""
OnEnd = Callable[[str, int, Ended], None]
"""Called in the event loop, once for each attempt."""


class EngineError(Exception):
    """There is no cluster to work with."""

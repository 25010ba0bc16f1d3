"""A planner that stays warm: a plan and its model, and what changes of the dataset do to them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from models.changes import Change, apply
from models.dataset import Dataset
from models.faults import Fault
from models.plan import Plan
from models.targets import NO_TARGETS, Measure, Targets, measured
from optimizer.audit import audit
from optimizer.audit.report import Violation
from optimizer.decisions import decisions_from_plan, start_vector
from optimizer.exact import DECIDED, held
from optimizer.extract import Extract
from optimizer.formulation import formulate
from optimizer.highs import AUDITED, Control, Outcome
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix, compile_matrix
from optimizer.planner import Planning, Progress, plan
from optimizer.repair import Repair
from optimizer.warm import Warm

WARMING = 0.5
"""Share of a time limit that warming up may take."""
LEAST = 0.1
"""Seconds left to a search at least."""


class Mode(StrEnum):
    """How a change is answered."""

    EVALUATE = "evaluate"
    REPAIR = "repair"
    REOPTIMIZE = "reoptimize"


@dataclass(frozen=True)
class Evaluation:
    """An old plan under a changed dataset: no plan, but what it would be worth and what it would break.

    Attributes:
        npv_usd: NPV of its decisions with the new data, USD.
        npv_terms: its terms, USD.
        violations: limits broken, and by how much.
        totals: each measure of :class:`models.targets.Measure` over the horizon, in its unit.
    """

    npv_usd: float
    npv_terms: dict[str, float]
    violations: tuple[Violation, ...]
    totals: dict[Measure, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a change does.

    Attributes:
        mode: how it was answered.
        dataset: after the changes.
        sentences: the changes in words.
        warnings: of the changes.
        plan: the new plan; None of an evaluation.
        evaluation: the old plan under the change; None where it can't be told.
        baseline_npv_usd: NPV of the plan before, USD.
        rebuilt: whether rows or columns came or went, so that the model was passed to the solver anew.
        cells: bounds, limits, costs and coefficients changed otherwise.
        seconds: wall-clock time by phase.
    """

    mode: Mode
    dataset: Dataset
    sentences: tuple[str, ...]
    warnings: tuple[Fault, ...]
    plan: Plan | None
    evaluation: Evaluation | None
    baseline_npv_usd: float
    rebuilt: bool = False
    cells: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def difference_usd(self) -> float | None:
        """What the change is worth, USD: NPV after less NPV before."""
        after = self.plan.summary.npv_usd if self.plan is not None else self.evaluation.npv_usd if self.evaluation is not None else None
        return None if after is None else after - self.baseline_npv_usd


class Planner:
    """A dataset with its plan, ready for what-ifs.

    Args:
        dataset: the planning problem.
        plan: its plan, if there is one.
        threads: of the solver; all cores if not given.
        seed: of the solver.

    Raises:
        DirectiveConflictError: a directive asks for what is no decision.
    """

    def __init__(self, dataset: Dataset, plan: Plan | None = None, *, threads: int | None = None, seed: int = 0) -> None:
        self.dataset, self.current = dataset, plan
        self.threads, self.seed = threads or os.cpu_count() or 1, seed
        self.instance = Instance(dataset)
        self.matrix = compile_matrix(formulate(self.instance))
        self.duals: Floats | None = None
        self.relaxation = Warm(self.matrix, seed=seed)
        self.fixed = Warm(self.matrix, seed=seed, feasibility=AUDITED)

    def plan(
        self, *, gap: float = 0.01, time_limit: float = 600.0, progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None, keep: Callable[[Plan], None] | None = None,
    ) -> Plan:  # fmt: skip
        """Plan the dataset, from the plan at hand if there is one; the new plan and its relaxation's basis are kept.

        Raises:
            as :func:`optimizer.plan`.
        """
        control = Control(time.monotonic() + time_limit, stop or threading.Event())
        planning = Planning(gap, self.seed, self.threads, progress, keep, frozenset(), control)
        self.current = planning.run(self.dataset, self.current, None)
        record = planning.record
        if record is not None and record.basis is not None:
            self.relaxation.matrix, self.relaxation.basis, self.duals = record.matrix, record.basis, record.row_dual
        return self.current

    @property
    def ready(self) -> bool:
        """Whether what every what-if starts from is solved."""
        return self.relaxation.basis is not None and self.fixed.basis is not None

    def warm(self, control: Control | None = None) -> None:
        """Solve what every what-if starts from, as far as it is not solved yet.

        Raises:
            NoPlanError: there is no plan to start from.
        """
        control = control or Control()
        if self.relaxation.basis is None:
            found = self.relaxation.solve(control, self.matrix, self.matrix.lower, self.matrix.upper, method="ipm")
            if found.outcome is Outcome.OPTIMAL:
                self.relaxation.keep()
                self.duals = found.row_dual
        start = self._start(self.instance, self.matrix)
        if self.fixed.basis is None:
            found = self.fixed.solve(control, self.matrix, *held(self.matrix, start, DECIDED), method="ipm")
            if found.outcome is Outcome.OPTIMAL:
                self.fixed.keep()

    def change(
        self, changes: Sequence[Change], mode: Mode | str = Mode.REPAIR, *, gap: float = 0.01, time_limit: float = 60.0,
        progress: Callable[[Progress], None] | None = None, stop: threading.Event | None = None,
        start: Plan | None = None, keep: Callable[[Plan], None] | None = None, targets: Targets = NO_TARGETS,
    ) -> Answer:  # fmt: skip
        """What changes do to the plan; the planner itself stays as it is.

        Args:
            changes: carried out in order.
            mode: ``evaluate`` scores and audits the old plan under the changes; ``repair`` starts from the old plan's
                decisions and ends as soon as the gap is as good as asked or as the old plan's; ``reoptimize`` plans anew.
            gap: relative gap at which the search ends.
            time_limit: seconds.
            progress: called as the search goes on.
            stop: set it to end the search with the best plan.
            start: a plan of the changed dataset to go on from, such as one that was kept before.
            keep: called with each better plan, audited, while the search goes on.
            targets: that the new plan must hold besides; the old one need not, and its evaluation leaves them out.

        Raises:
            ChangeError: a change can't be carried out.
            DatasetError: the changed dataset has faults.
            InfeasibleError: no plan holds all directives, hard duties and limits.
            NoPlanError: none was found in time, or there is none to start from.
            SolverError: the solver failed, or its plan failed the audit.
        """
        mode = Mode(mode)
        began = time.monotonic()
        baseline = self._baseline()
        if mode is Mode.EVALUATE:
            return evaluate(self.dataset, changes, baseline)
        control = Control(began + time_limit, stop or threading.Event())
        applied = apply(self.dataset, changes, baseline)
        seconds = {"changes": time.monotonic() - began}
        evaluation = _evaluation(applied.dataset, baseline)
        seconds["evaluate"] = time.monotonic() - began - seconds["changes"]
        made: Plan | None = None
        if mode is Mode.REPAIR:
            made = Repair(self, applied.dataset, gap, control, progress, began, keep, targets).run(baseline, start)
        elif mode is Mode.REOPTIMIZE:
            left = max(0.1, control.remaining)
            made = plan(
                applied.dataset,
                gap=gap,
                time_limit=left,
                threads=self.threads,
                seed=self.seed,
                start=start or baseline,
                progress=progress,
                stop=stop,
                keep=keep,
                targets=targets,
            )
        seconds["total"] = time.monotonic() - began
        return Answer(
            mode, applied.dataset, applied.sentences, applied.warnings, made, evaluation,
            baseline.summary.npv_usd or 0.0, self.relaxation.rebuilt, self.relaxation.cells, seconds,
        )  # fmt: skip

    def _baseline(self) -> Plan:
        if self.current is None:
            raise ValueError("there is no plan yet: plan() makes one")
        return self.current

    def _start(self, instance: Instance, matrix: Matrix) -> Floats:
        """The plan's whole numbers as a vector of a model; shape (columns,)."""
        return start_vector(instance, matrix, decisions_from_plan(instance, self._baseline().tables))


def evaluate(dataset: Dataset, changes: Sequence[Change], baseline: Plan) -> Answer:
    """Score and audit a plan under changes, without a model or a search.

    Args:
        dataset: the planning problem.
        changes: carried out in order.
        baseline: its plan.

    Raises:
        ChangeError: a change can't be carried out.
        DatasetError: the changed dataset has faults.
    """
    began = time.monotonic()
    applied = apply(dataset, changes, baseline)
    seconds = {"changes": time.monotonic() - began}
    evaluation = _evaluation(applied.dataset, baseline)
    seconds["total"] = time.monotonic() - began
    seconds["evaluate"] = seconds["total"] - seconds["changes"]
    npv = baseline.summary.npv_usd or 0.0
    return Answer(Mode.EVALUATE, applied.dataset, applied.sentences, applied.warnings, None, evaluation, npv, seconds=seconds)


def evaluations(dataset: Dataset, plans: Sequence[Plan]) -> list[Evaluation]:
    """Score and audit plans under a dataset that they need not have been made for; what it lacks is left out of them."""
    instance = Instance(dataset)
    found = []
    for made in plans:
        extract = Extract(instance, decisions_from_plan(instance, made.tables))
        tables = extract.tables()
        report = audit(dataset, tables)
        found.append(Evaluation(extract.npv_usd, extract.npv_terms, tuple(report.violations), measured(tables)))
    return found


def _evaluation(dataset: Dataset, baseline: Plan) -> Evaluation:
    """A plan's decisions under another dataset."""
    return evaluations(dataset, [baseline])[0]

"""A planner that stays warm: a plan and its model, and what changes of the dataset do to them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from models.changes import Change, apply
from models.dataset import Dataset
from models.faults import Fault
from models.plan import Plan, relative_gap
from optimizer.audit import audit
from optimizer.audit.report import Violation
from optimizer.blocks.directives import DirectiveConflictError
from optimizer.conflicts import conflicts
from optimizer.decisions import Decisions, decisions_from_plan, start_vector
from optimizer.exact import DECIDED, YES_OR_NO, columns_of
from optimizer.extract import Extract
from optimizer.finish import Finish
from optimizer.formulation import formulate
from optimizer.highs import AUDITED, Control, Outcome, SolverError
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix, compile_matrix
from optimizer.planner import CONFLICT_SECONDS, InfeasibleError, NoPlanError, Planning, Progress, plan
from optimizer.record import Event, Record
from optimizer.relieve import held_to
from optimizer.search import SMALL, search
from optimizer.settle import Settler
from optimizer.shrink import unshrunk
from optimizer.station import Choice, Station
from optimizer.warm import Warm, carried_duals

PATIENCE = 6000
"""Iterations of the simplex method from the old basis, after which the interior-point method is faster."""
SLACK = 2e-3
"""Relative gap by which a repaired plan may be worse proven than the old one when the search ends."""
EFFORT = 1.5
"""Iterations of a search for better sites in a repair, by row of the merged model."""


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
    """

    npv_usd: float
    npv_terms: dict[str, float]
    violations: tuple[Violation, ...]


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
        self.loose = Warm(self.matrix, seed=seed)

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
        for warm, families in ((self.fixed, DECIDED), (self.loose, YES_OR_NO)):
            if warm.basis is None:
                found = warm.solve(control, self.matrix, *held(self.matrix, start, families), method="ipm")
                if found.outcome is Outcome.OPTIMAL:
                    warm.keep()

    def change(
        self, changes: Sequence[Change], mode: Mode | str = Mode.REPAIR, *, gap: float = 0.01, time_limit: float = 60.0,
        progress: Callable[[Progress], None] | None = None, stop: threading.Event | None = None,
        start: Plan | None = None, keep: Callable[[Plan], None] | None = None,
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
            start: a plan of the changed dataset to go on from when planning anew, such as one that was kept before.
            keep: called with each better plan, audited, while the search goes on.

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
        control = Control(began + time_limit, stop or threading.Event())
        applied = apply(self.dataset, changes, baseline)
        seconds = {"changes": time.monotonic() - began}
        evaluation = self._evaluate(applied.dataset, baseline)
        seconds["evaluate"] = time.monotonic() - began - seconds["changes"]
        made: Plan | None = None
        if mode is Mode.REPAIR:
            made = _Repair(self, applied.dataset, gap, control, progress, began, keep).run(baseline)
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

    def _evaluate(self, dataset: Dataset, baseline: Plan) -> Evaluation:
        """The baseline's decisions under another dataset."""
        instance = Instance(dataset)
        extract = Extract(instance, decisions_from_plan(instance, baseline.tables))
        report = audit(dataset, extract.tables())
        return Evaluation(extract.npv_usd, extract.npv_terms, tuple(report.violations))


def held(matrix: Matrix, x: Floats, families: tuple[str, ...]) -> tuple[Floats, Floats]:
    """Bounds of a model with families of whole numbers fixed; shape (columns,) each."""
    lower, upper = matrix.lower.copy(), matrix.upper.copy()
    columns = columns_of(matrix, families)
    lower[columns] = upper[columns] = np.clip(np.round(x[columns]), matrix.lower[columns], matrix.upper[columns])
    return lower, upper


class _Repair:
    """A new plan out of an old one: as it was, then with other racks, then with other sites."""

    def __init__(
        self, planner: Planner, dataset: Dataset, gap: float, control: Control, progress: Callable[[Progress], None] | None, began: float,
        keep: Callable[[Plan], None] | None,
    ) -> None:  # fmt: skip
        self.planner, self.dataset, self.control, self.progress, self.keep = planner, dataset, control, progress, keep
        self.finish = Finish(gap, planner.threads, planner.seed, control, began)

    def run(self, baseline: Plan) -> Plan:
        """Repair.

        Raises:
            InfeasibleError, NoPlanError, SolverError: as of :meth:`Planner.change`.
        """
        planner, since = self.planner, time.monotonic()
        instance = Instance(self.dataset)
        try:
            matrix = self.finish.matrix = compile_matrix(formulate(instance))
        except DirectiveConflictError as conflict:
            raise InfeasibleError([str(conflict)], self.finish.summary(self.dataset, None, None, infeasible=True)) from None
        self.finish.clock("build", since)
        known = baseline.summary.gap if baseline.summary.gap is not None else 0.0
        record = Record(
            instance,
            matrix,
            self.finish.gap if known <= self.finish.gap else known + SLACK,
            self.control,
            planner.threads,
            planner.seed,
            self._report,
            keep=lambda x: self._better(record, x),
            began=self.finish.began,
        )
        decisions = decisions_from_plan(instance, baseline.tables)
        since = time.monotonic()
        if planner.duals is not None:
            record.certify(carried_duals(planner.matrix, planner.duals, matrix))
        x = start_vector(instance, matrix, decisions)
        self._as_it_was(record, x)
        if record.best is None and matrix.a.nnz > SMALL:
            self._other_racks(record, x)
            if record.best is None and not self.control.over:
                self._other_sites(record, decisions, first=True)
        self.finish.clock("search", since)
        since = time.monotonic()
        if not record.done:
            self._relax(record)
        self.finish.clock("relax", since)
        since = time.monotonic()
        if not record.done and matrix.a.nnz <= SMALL:
            search(record)
        elif not record.done:
            self._other_racks(record, x)
            if not record.done:
                self._other_sites(record, decisions)
        self.finish.clock("search", since)
        if record.best is None:
            raise NoPlanError(self.finish.summary(self.dataset, record, None))
        made, faults = self.finish.made(self.dataset, instance, record, record.best)
        if faults:
            raise SolverError("the plan failed its audit: " + "; ".join(faults[:5]))
        return made

    def _relax(self, record: Record) -> None:
        """The new bound, from the old basis."""
        warm, matrix = self.planner.relaxation, record.matrix
        found = warm.solve(self.control, matrix, matrix.lower, matrix.upper, method="ipm", iterations=PATIENCE)
        if found.outcome is Outcome.INFEASIBLE:
            control = Control(time.monotonic() + CONFLICT_SECONDS, self.control.stop)
            named = conflicts(record.instance, matrix, control, threads=self.planner.threads, seed=self.planner.seed)
            raise InfeasibleError(named, self.finish.summary(self.dataset, record, None, infeasible=True))
        if found.outcome is Outcome.OPTIMAL and found.row_dual is not None:
            record.certify(found.row_dual)
        record.log("relaxation solved")

    def _as_it_was(self, record: Record, x: Floats) -> None:
        """The old plan's whole numbers, with everything else solved again."""
        found = self.planner.fixed.solve(self.control, record.matrix, *held(record.matrix, x, DECIDED), method="ipm", iterations=PATIENCE)
        if found.outcome is Outcome.OPTIMAL and found.x is not None:
            record.offer(found.x, "decisions as they were")

    def _other_racks(self, record: Record, x: Floats) -> None:
        """The old plan's yes-or-no decisions with other racks; those of new contracts are taken."""
        matrix = record.matrix
        lower, upper = held(matrix, x, YES_OR_NO)
        for name in ("sign", "serve"):
            first, index = matrix.columns[name]
            new = np.array([first + i for i, key in enumerate(index) if key[0] not in self._known], dtype=np.intp)
            lower[new], upper[new] = matrix.lower[new], matrix.upper[new]
        found = self.planner.loose.solve(self.control, matrix, lower, upper, method="ipm", iterations=PATIENCE)
        program = self.planner.loose.program
        if found.outcome is not Outcome.OPTIMAL or program is None:
            return
        settled = Settler(record.instance, matrix, program, found, self.control, lambda phase: None).run()
        if settled is None or settled.objective > record.best_objective:
            return
        whole = self._station(record).racks(unshrunk(matrix), program, settled)
        if whole is not None:
            record.accept(whole, "other racks")

    @property
    def _known(self) -> set[str]:
        """Contracts that the old plan knew."""
        return set(self.planner.instance.contract_rows)

    def _station(self, record: Record) -> Station:
        return Station(
            record.instance, record.matrix, seed=record.seed, control=self.control, tell=lambda kind, value: record.log(str(value))
        )

    def _other_sites(self, record: Record, decisions: Decisions, first: bool = False) -> None:
        """Sites searched on from those of the old plan; only until there is a plan, if ``first``."""
        matrix, station = record.matrix, self._station(record)
        sets: dict[str, list[str]] = {}
        for c, s in record.instance.choice_pairs:
            if c in self._known:
                sets.setdefault(c, [])
                if any(key[:2] == (c, s) for key in decisions.deliveries):
                    sets[c].append(s)
        known = {c: tuple(sites) for c, sites in sets.items()}
        choices = [Choice(known, np.inf, *held_to(matrix, known))]
        while not record.done:
            for choice in choices:
                x = station.complete(choice, record.best_objective)
                if x is not None:
                    record.accept(x, "other sites")
            if record.done or (first and record.best is not None):
                break
            everything = {c: known.get(c, ()) for c, _ in record.instance.choice_pairs}
            choices = station.better_sites(everything, EFFORT) or station.sites(EFFORT)
            if not choices:
                break
            known = choices[-1].sets

    def _better(self, record: Record, x: Floats) -> None:
        """Hand on a better plan while the search goes on, if it passes its audit; not the one that ends it."""
        if self.keep is not None and not record.proven:
            made, faults = self.finish.made(self.dataset, record.instance, record, x)
            if not faults:
                self.keep(made)

    def _report(self, event: Event) -> None:
        if self.progress is not None:
            both = event.npv_usd is not None and event.bound_usd is not None
            gap = relative_gap(event.bound_usd or 0.0, event.npv_usd or 0.0) if both else None
            self.progress(Progress(event.seconds, event.phase, event.npv_usd, event.bound_usd, gap))

"""A new plan out of an old one: as it was, then with more racks, other racks, other sites."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from models.dataset import Dataset
from models.plan import SMALLEST_GAP, Plan, relative_gap
from models.targets import NO_TARGETS, Targets
from optimizer.blocks.directives import DirectiveConflictError
from optimizer.conflicts import conflicts
from optimizer.decisions import Decisions, decisions_from_plan, start_vector
from optimizer.exact import DECIDED, columns_of, held
from optimizer.finish import Finish
from optimizer.highs import Control, Outcome, SolverError, schedule
from optimizer.instance import Floats, Instance
from optimizer.nearby import Nearby
from optimizer.planner import CONFLICT_SECONDS, InfeasibleError, NoPlanError, Progress
from optimizer.record import Event, Record
from optimizer.relieve import held_to
from optimizer.rounds import NothingFeasibleError, Rounds
from optimizer.search import SMALL, search
from optimizer.spreadsheet import greedy
from optimizer.station import Choice
from optimizer.tradeoffs.targets import matrix_of
from optimizer.warm import carried_duals
from optimizer.workers import Pool

if TYPE_CHECKING:
    from optimizer.whatif import Planner

PATIENCE = 4500
"""Iterations of the simplex method from the old basis, after which the interior-point method is faster."""
FIXED_PATIENCE = 10000
"""The same with the old decisions fixed, where iterations are faster."""
SLACK = 2e-3
"""Relative gap by which a repaired plan may be worse proven than the old one when the search ends."""


class Repair:
    """Repairs a planner's plan under a changed dataset.

    Args:
        planner: warm; its old model and plan.
        dataset: the changed one.
        gap: relative gap at which the search ends; that of the old plan, if that is larger.
        control: deadline and stop.
        progress: called as the search goes on.
        began: time on ``time.monotonic()``.
        keep: called with each better plan, audited, while the search goes on.
        targets: that the plan must hold besides.
    """

    def __init__(
        self, planner: Planner, dataset: Dataset, gap: float, control: Control, progress: Callable[[Progress], None] | None, began: float,
        keep: Callable[[Plan], None] | None, targets: Targets = NO_TARGETS,
    ) -> None:  # fmt: skip
        self.targets = targets
        self.planner, self.dataset, self.control, self.progress, self.keep = planner, dataset, control, progress, keep
        self.finish = Finish(gap, planner.threads, planner.seed, control, began, targets=targets)

    def run(self, baseline: Plan, start: Plan | None = None) -> Plan:
        """Repair.

        Args:
            baseline: the old plan.
            start: a plan of the changed dataset that was kept before; what is found is at least as good.

        Raises:
            InfeasibleError, NoPlanError, SolverError: as of :meth:`optimizer.whatif.Planner.change`.
        """
        planner, since = self.planner, time.monotonic()
        instance = Instance(self.dataset)
        try:
            matrix = self.finish.matrix = matrix_of(instance, self.targets)
        except DirectiveConflictError as conflict:
            raise InfeasibleError([str(conflict)], self.finish.summary(self.dataset, None, None, infeasible=True)) from None
        self.finish.clock("build", since)
        known = baseline.summary.gap if baseline.summary.gap is not None else 0.0
        asked = max(self.finish.gap, SMALLEST_GAP)  # an optimum's gap is seldom 0 to the last digit
        record = Record(
            instance, matrix, self.finish.gap if known <= asked else known + SLACK, self.control, planner.threads, planner.seed,
            self._report, keep=lambda x: self._better(record, x), began=self.finish.began,
        )  # fmt: skip
        decisions = decisions_from_plan(instance, baseline.tables)
        since = time.monotonic()
        x = start_vector(instance, matrix, decisions)
        if planner.duals is not None:
            record.certify(carried_duals(planner.matrix, planner.duals, matrix))
        if start is not None:
            record.offer(start_vector(instance, matrix, decisions_from_plan(instance, start.tables)), "plan that was kept")
        nearby = Nearby(record, x, self._short(baseline), self._renewed(instance), self.planner.fixed, bool(self.targets))
        if matrix.a.nnz <= SMALL:
            self._as_it_was(record, x)
            self._bound(record)
            try:
                search(record)
            except NothingFeasibleError:  # the relaxation has a solution, whole numbers have none
                raise self._infeasible(record) from None
        elif planner.threads > 1:
            self._side_by_side(record, nearby, x)
        elif self.targets:  # more of the old racks does not bring them nearer
            self._near(record, (nearby.other_racks,), self.control)
            self._bound(record)
            self._near(record, (nearby.other_places,), self.control)
        else:
            self._as_it_was(record, x)
            self._bound(record)
            self._near(record, (nearby.more_racks, nearby.other_racks, nearby.other_places), self.control)
        nothing = record.best is None
        if nothing and not record.done:
            # A plan that is poor, so that there is one whatever the time: nothing near the old one holds.
            record.offer(start_vector(instance, matrix, greedy(instance)), "plan by the spreadsheet's rule")
        if not record.done:
            self._other_sites(record, decisions, nothing)
        self.finish.clock("search", since)
        if record.best is None:
            raise NoPlanError(self.finish.summary(self.dataset, record, None))
        made, faults = self.finish.made(self.dataset, instance, record, record.best)
        if faults:
            raise SolverError("the plan failed its audit: " + "; ".join(faults[:5]))
        return made

    def _side_by_side(self, record: Record, nearby: Nearby, x: Floats) -> None:
        """The new bound, then other racks, on one core; on the other the old decisions, and plans that keep more of them."""
        enough = threading.Event()
        control = replace(self.control, enough=enough)

        def beside() -> None:
            self._bound(record)
            self._near(record, (nearby.other_racks,), control)

        schedule(1)
        with ThreadPoolExecutor(1) as other:
            ended = other.submit(beside)
            try:
                if self.targets:  # more of the old racks does not bring them nearer
                    self._near(record, (nearby.other_places,), control)
                else:
                    self._as_it_was(record, x)
                    self._near(record, (nearby.more_racks, nearby.other_places), control)
                ended.result()
            finally:
                enough.set()

    @staticmethod
    def _near(record: Record, steps: Sequence[Callable[[Control], None]], control: Control) -> None:
        """Take steps until the plan is good enough."""
        for step in steps:
            if not record.done and not control.over:
                step(control)
        if record.proven and control.enough is not None:
            control.enough.set()

    # the bound ---------------------------------------------------------------------------------

    def _bound(self, record: Record) -> None:
        """The relaxation's bound, from the old basis.

        Raises:
            InfeasibleError: it has no solution.
        """
        if record.done:
            return
        matrix, since = record.matrix, time.monotonic()
        found = self.planner.relaxation.solve(self.control, matrix, matrix.lower, matrix.upper, method="ipm", iterations=PATIENCE)
        self.finish.clock("relax", since)
        if found.outcome is Outcome.INFEASIBLE and record.best is None:
            raise self._infeasible(record)
        if found.row_dual is not None:
            record.certify(found.row_dual)
        record.log("relaxation solved")

    def _infeasible(self, record: Record) -> InfeasibleError:
        """The rules that conflict, named."""
        control = Control(time.monotonic() + CONFLICT_SECONDS, self.control.stop)
        named = conflicts(record.instance, record.matrix, control, threads=self.planner.threads, seed=self.planner.seed)
        return InfeasibleError(named, self.finish.summary(self.dataset, record, None, infeasible=True))

    # plans, the nearest first ------------------------------------------------------------------

    def _as_it_was(self, record: Record, x: Floats) -> None:
        """The old plan's whole numbers, with everything else solved again."""
        matrix = record.matrix
        lower, upper = held(matrix, x, DECIDED)
        found = self.planner.fixed.solve(self.control, matrix, lower, upper, method="ipm", iterations=FIXED_PATIENCE)
        if found.outcome is not Outcome.OPTIMAL or found.x is None:
            return
        whole = np.clip(found.x, matrix.lower, matrix.upper)
        columns = columns_of(matrix, DECIDED)
        whole[columns] = lower[columns]
        if not record.accept(whole, "decisions as they were"):
            record.offer(whole, "decisions as they were")

    def _other_sites(self, record: Record, decisions: Decisions, complete: bool) -> None:
        """Sites of all contracts searched on from those of the old plan, by all workers; ``complete``: a plan with those first."""
        sets: dict[str, list[str]] = {}
        for c, s in record.instance.choice_pairs:
            if c in self._known:
                sets.setdefault(c, [])
                if any(key[:2] == (c, s) for key in decisions.deliveries):
                    sets[c].append(s)
        known = {c: tuple(sites) for c, sites in sets.items()}
        choice = Choice(known, np.inf, *held_to(record.matrix, known))
        with Pool(record.instance, record.matrix, max(1, record.threads), record.seed, record.control) as pool:
            Rounds(record, pool, choices=[choice]).go_on(complete)

    # parts -------------------------------------------------------------------------------------

    def _short(self, baseline: Plan) -> dict[str, float]:
        """Contract GPUs that the old plan serves short, summed over periods, by contract."""
        found = baseline.tables["contracts"].groupby("contract_id")["short_gpus"].sum()
        return {str(c): float(gpus) for c, gpus in found.items()}

    def _renewed(self, instance: Instance) -> list[str]:
        """Contracts that are new or differ from what the old plan knew."""
        old = self.planner.instance

        def same(c: str) -> bool:
            before, after = old.owed[old.contract_at[c]], instance.owed[instance.contract_at[c]]
            return old.contract_rows[c] == instance.contract_rows[c] and np.array_equal(before, after)

        return [c for c in instance.contract_rows if c not in old.contract_rows or not same(c)]

    @property
    def _known(self) -> set[str]:
        """Contracts that the old plan knew."""
        return set(self.planner.instance.contract_rows)

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

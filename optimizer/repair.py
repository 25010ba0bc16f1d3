"""A new plan out of an old one: as it was, then with other racks, other places for what is worse served, other sites."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from models.dataset import Dataset
from models.plan import Plan, relative_gap
from optimizer.blocks.base import MILLION
from optimizer.blocks.directives import DirectiveConflictError
from optimizer.conflicts import conflicts
from optimizer.decisions import Decisions, decisions_from_plan, start_vector
from optimizer.exact import DECIDED, YES_OR_NO, columns_of, held
from optimizer.finish import Finish
from optimizer.formulation import formulate
from optimizer.highs import Control, Outcome, Program, Solution, SolverError, schedule
from optimizer.instance import Floats, Instance
from optimizer.matrix import Ints, Matrix, compile_matrix
from optimizer.planner import CONFLICT_SECONDS, InfeasibleError, NoPlanError, Progress
from optimizer.record import Event, Record
from optimizer.relieve import held_to
from optimizer.rounds import Rounds
from optimizer.search import SMALL, search
from optimizer.settle import Settler
from optimizer.shrink import unshrunk
from optimizer.sites import SiteSearch
from optimizer.station import Choice, Station
from optimizer.warm import carried_duals
from optimizer.workers import Pool

if TYPE_CHECKING:
    from optimizer.whatif import Planner

PATIENCE = 6000
"""Iterations of the simplex method from the old basis, after which the interior-point method is faster."""
SLACK = 2e-3
"""Relative gap by which a repaired plan may be worse proven than the old one when the search ends."""
ROUNDING = 1e-3
"""Relative loss that whole racks bring, at least: a relaxation must be so much better than the plan that is asked for."""
WORSE = 1.0
"""Contract GPUs, summed over periods, by which a contract must be worse served than before to be placed anew."""
TRIES = 3
"""Sets of sites tried for contracts that are placed anew."""


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
    """

    def __init__(
        self, planner: Planner, dataset: Dataset, gap: float, control: Control, progress: Callable[[Progress], None] | None, began: float,
        keep: Callable[[Plan], None] | None,
    ) -> None:  # fmt: skip
        self.planner, self.dataset, self.control, self.progress, self.keep = planner, dataset, control, progress, keep
        self.finish = Finish(gap, planner.threads, planner.seed, control, began)

    def run(self, baseline: Plan) -> Plan:
        """Repair.

        Raises:
            InfeasibleError, NoPlanError, SolverError: as of :meth:`optimizer.whatif.Planner.change`.
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
            instance, matrix, self.finish.gap if known <= self.finish.gap else known + SLACK, self.control, planner.threads, planner.seed,
            self._report, keep=lambda x: self._better(record, x), began=self.finish.began,
        )  # fmt: skip
        decisions = decisions_from_plan(instance, baseline.tables)
        since = time.monotonic()
        x = start_vector(instance, matrix, decisions)
        if planner.duals is not None:
            record.certify(carried_duals(planner.matrix, planner.duals, matrix))
        with ThreadPoolExecutor(1) as other:
            # The new bound on one core while the old decisions are tried on the other.
            schedule(1)
            relaxed = other.submit(self._relaxation, matrix) if planner.threads > 1 and matrix.a.nnz > SMALL else None
            self._as_it_was(record, x)
            self.finish.clock("search", since)
            since = time.monotonic()
            if not record.done:
                self._bound(record, relaxed)
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

    # the bound ---------------------------------------------------------------------------------

    def _relaxation(self, matrix: Matrix) -> Solution:
        """The relaxation, from the old basis."""
        return self.planner.relaxation.solve(self.control, matrix, matrix.lower, matrix.upper, method="ipm", iterations=PATIENCE)

    def _bound(self, record: Record, relaxed: Future[Solution] | None) -> None:
        """Take the relaxation's bound.

        Raises:
            InfeasibleError: it has no solution.
        """
        matrix = record.matrix
        found = relaxed.result() if relaxed is not None else self._relaxation(matrix)
        if found.outcome is Outcome.INFEASIBLE:
            control = Control(time.monotonic() + CONFLICT_SECONDS, self.control.stop)
            named = conflicts(record.instance, matrix, control, threads=self.planner.threads, seed=self.planner.seed)
            raise InfeasibleError(named, self.finish.summary(self.dataset, record, None, infeasible=True))
        if found.outcome is Outcome.OPTIMAL and found.row_dual is not None:
            record.certify(found.row_dual)
        record.log("relaxation solved")

    # plans, the nearest first ------------------------------------------------------------------

    def _as_it_was(self, record: Record, x: Floats) -> None:
        """The old plan's whole numbers, with everything else solved again."""
        matrix = record.matrix
        lower, upper = held(matrix, x, DECIDED)
        found = self.planner.fixed.solve(self.control, matrix, lower, upper, method="ipm", iterations=PATIENCE)
        if found.outcome is not Outcome.OPTIMAL or found.x is None:
            return
        whole = np.clip(found.x, matrix.lower, matrix.upper)
        columns = columns_of(matrix, DECIDED)
        whole[columns] = lower[columns]
        if not record.accept(whole, "decisions as they were"):
            record.offer(whole, "decisions as they were")

    def _other_racks(self, record: Record, x: Floats) -> None:
        """The old plan's yes-or-no decisions with other racks; where that can't do, contracts that are worse served are placed anew."""
        matrix, loose = record.matrix, self.planner.loose
        lower, upper = held(matrix, x, YES_OR_NO)
        for name in ("sign", "serve"):
            new = self._columns(matrix, name, lambda c: c not in self._known)
            lower[new], upper[new] = matrix.lower[new], matrix.upper[new]
        found = loose.solve(self.control, matrix, lower, upper, method="ipm", iterations=PATIENCE)
        program = loose.program
        if found.outcome is not Outcome.OPTIMAL or program is None:
            return
        if not self._enough(record, found):
            found = self._other_places(record, program, found)
        settled = Settler(record.instance, matrix, program, found, self.control, lambda phase: None).run()
        if settled is None or settled.objective > record.best_objective:
            return
        whole = self._station(record).racks(unshrunk(matrix), program, settled)
        if whole is not None:
            record.accept(whole, "other racks")

    def _other_places(self, record: Record, program: Program, found: Solution) -> Solution:
        """Contracts that are worse served than before at other sites, which may be opened, built or converted for them.

        Args:
            program: the relaxation with the old yes-or-no decisions, which are let go; contracts stay held to the sites chosen.
            found: its solution.

        Returns:
            Its solution with the new sites.
        """
        matrix, worse = record.matrix, self._worse_served(record, found)
        free = columns_of(matrix, tuple(name for name in YES_OR_NO if name not in ("sign", "serve")))
        sign = self._columns(matrix, "sign", lambda c: c in worse)
        free = np.concatenate([free, sign])
        program.bound(free, matrix.lower[free], matrix.upper[free])
        eased = program.solve(self.control, method="simplex", iterations=PATIENCE)
        if eased.outcome is not Outcome.OPTIMAL or eased.x is None:
            eased = program.solve(self.control, method="ipm")
        if eased.outcome is not Outcome.OPTIMAL or not worse or self._enough(record, eased):
            return eased
        places = SiteSearch(record.instance, matrix, self.control, record.seed, program=program)
        places.take_up(eased)
        for contracts in (worse, *([c] for c in worse if len(worse) > 1)):
            places.replace(contracts, TRIES)
            record.log("places of contracts worse served")
            if self._enough(record, places.best) or self.control.over:
                break
        places.hold_best()
        return places.best

    def _other_sites(self, record: Record, decisions: Decisions) -> None:
        """Sites of all contracts searched on from those of the old plan, by all workers."""
        sets: dict[str, list[str]] = {}
        for c, s in record.instance.choice_pairs:
            if c in self._known:
                sets.setdefault(c, [])
                if any(key[:2] == (c, s) for key in decisions.deliveries):
                    sets[c].append(s)
        known = {c: tuple(sites) for c, sites in sets.items()}
        choice = Choice(known, np.inf, *held_to(record.matrix, known))
        with Pool(record.instance, record.matrix, max(1, record.threads), record.seed, record.control) as pool:
            Rounds(record, pool, choices=[choice]).go_on()

    # parts -------------------------------------------------------------------------------------

    def _enough(self, record: Record, found: Solution) -> bool:
        """Whether a relaxation leaves room for a plan as good as asked for."""
        if not np.isfinite(record.bound):
            return False
        return relative_gap(-record.bound * MILLION, -found.objective * MILLION) <= max(0.0, record.gap - ROUNDING)

    def _worse_served(self, record: Record, found: Solution) -> list[str]:
        """Contracts that a solution serves worse than the old plan did, the worst first."""
        assert self.planner.current is not None
        assert found.x is not None
        table = self.planner.current.tables["contracts"]
        before = table.groupby("contract_id")["short_gpus"].sum().to_dict()
        first, index = record.matrix.columns["short"]
        after: dict[str, float] = {}
        for i, key in enumerate(index):
            after[str(key[0])] = after.get(str(key[0]), 0.0) + float(found.x[first + i])
        chosen = {c for c, _ in record.instance.choice_pairs}
        worse = {c: gpus - before.get(c, 0.0) for c, gpus in after.items() if c in chosen and c in self._known}
        return sorted((c for c, gpus in worse.items() if gpus > WORSE), key=lambda c: -worse[c])

    @staticmethod
    def _columns(matrix: Matrix, name: str, chosen: Callable[[str], bool]) -> Ints:
        """Columns of a family whose contract is chosen."""
        first, index = matrix.columns[name]
        return np.array([first + i for i, key in enumerate(index) if chosen(str(key[0]))], dtype=np.intp)

    @property
    def _known(self) -> set[str]:
        """Contracts that the old plan knew."""
        return set(self.planner.instance.contract_rows)

    def _station(self, record: Record) -> Station:
        return Station(
            record.instance, record.matrix, seed=record.seed, control=self.control, tell=lambda kind, value: record.log(str(value))
        )  # fmt: skip

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

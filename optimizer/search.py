"""From the relaxation to a proven plan.

Small models go to HiGHS as they are. Large ones are taken in the order in which decisions matter:

1. **Relaxation**: its value is the bound, its duals the certificate.
2. **Sites**: contract by contract, the sites that serve it; judged by warm relaxations.
3. **Yes or no**: contracts signed, sites opened, blocks built, retrofits ordered.
4. **Racks**: whole racks within the relaxed fleet.
5. **Improvement**: HiGHS on neighbourhoods of the best plan, and on the whole, for what time is left.

Every plan found is made exact: its whole numbers are fixed and the rest solved again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from models.plan import SMALLEST_GAP, relative_gap
from optimizer.blocks.base import MILLION
from optimizer.highs import AUDITED, EXACT, Control, Outcome, Program, Solution, certified_bound
from optimizer.improve import SiteSearch
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix
from optimizer.rounding import RackDive
from optimizer.settle import Settler
from optimizer.sites import choose_sites

SMALL = 40_000
"""Nonzeros up to which HiGHS alone is the better search."""
WHOLE = 1e-6
"""Distance from a whole number below which a value counts as one."""
RACKS_COST = 1e-3
"""Share of NPV that whole racks are allowed to cost when relaxed sites are judged good enough."""
POLISH_SECONDS = 45.0
"""Longest time for the search for better racks around a plan."""
YES_OR_NO = ("sign", "open", "built", "retrofit_ordered", "serve")
"""Families of binary variables."""

DECIDED = ("installed", "in_service", *YES_OR_NO)
"""Families of whole numbers from which all others follow."""
FALSE = 1e-6
"""Relative amount by which a plan must be better than a bound to prove it false."""


@dataclass(frozen=True)
class Event:
    """One line of the search's log: seconds since the start, what was done, best NPV and bound, USD."""

    seconds: float
    phase: str
    npv_usd: float | None
    bound_usd: float | None


class NothingFeasibleError(Exception):
    """The model has no solution, whatever the whole numbers."""


@dataclass
class Search:
    """State of a search: best solution, bound, log.

    Args:
        instance: the data.
        matrix: the model.
        gap: relative gap asked for.
        control: deadline and stop.
        threads, seed: of HiGHS.
        report: called with each event.
    """

    instance: Instance
    matrix: Matrix
    gap: float
    control: Control
    threads: int = 0
    seed: int = 0
    report: Callable[[Event], None] = lambda event: None
    began: float = field(default_factory=time.monotonic)
    events: list[Event] = field(default_factory=list)
    best: Floats | None = None
    bound: float = -np.inf
    certified: float = -np.inf
    row_dual: Floats | None = None
    relaxation: Solution | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    # state -------------------------------------------------------------------------------------

    @property
    def best_objective(self) -> float:
        """Objective of the best solution, million USD to be minimised."""
        return np.inf if self.best is None else float(self.matrix.cost @ self.best + self.matrix.offset)

    @property
    def reached(self) -> float:
        """Relative gap of the best solution to the bound."""
        if self.best is None or not np.isfinite(self.bound):
            return np.inf
        return relative_gap(-self.bound * MILLION, -self.best_objective * MILLION)

    @property
    def done(self) -> bool:
        """Whether the gap asked for is proven, or time is up."""
        return self.reached <= max(self.gap, SMALLEST_GAP) or self.control.over

    def log(self, phase: str, claimed: float = np.inf) -> None:
        """Add an event; ``claimed`` is the objective of a solution that is not made exact yet."""
        best = min(self.best_objective, claimed)
        npv = -best * MILLION if np.isfinite(best) else None
        bound = -self.bound * MILLION if np.isfinite(self.bound) else None
        event = Event(time.monotonic() - self.began, phase, npv, bound)
        self.events.append(event)
        self.report(event)

    def raise_bound(self, bound: float) -> None:
        """Take a lower limit of the objective, if it is better; never above the best solution."""
        if bound > self.bound:
            self.bound = min(bound, self.best_objective)

    def offer(self, x: Floats, phase: str) -> bool:
        """Take a solution if, made exact, it is better than the best; a bound that it proves false gives way to the certified one.

        Args:
            x: whole numbers within ``WHOLE`` of whole; the rest need not be feasible.
        """
        exact = self.exact(x)
        if exact is None or float(self.matrix.cost @ exact + self.matrix.offset) >= self.best_objective - 1e-12:
            return False
        self.best = exact
        if self.best_objective < self.bound - FALSE * max(1.0, abs(self.bound)):
            self.bound = self.certified
        self.bound = min(self.bound, self.best_objective)
        self.log(phase)
        return True

    def exact(self, x: Floats) -> Floats | None:
        """The best solution with these whole numbers: they are fixed and the rest is solved again; None if there is none."""
        whole = np.concatenate([np.arange(self.matrix.of(name).start, self.matrix.of(name).stop) for name in DECIDED])
        values = np.round(x[whole])
        for feasibility in (EXACT, AUDITED):
            program = Program(self.matrix, threads=self.threads, seed=self.seed, feasibility=feasibility)
            program.bound(whole, values, values)
            found = program.solve(Control())
            if found.outcome is Outcome.OPTIMAL and found.x is not None:
                result = np.clip(found.x, self.matrix.lower, self.matrix.upper)
                result[whole] = values
                return np.asarray(result)
        return None

    # phases ------------------------------------------------------------------------------------

    def run(self, starts: Sequence[Floats] = ()) -> None:
        """Search until the gap is proven or time is up.

        Args:
            starts: solutions to start from; only their whole numbers count.

        Raises:
            NothingFeasibleError: the relaxation, or the whole model, has no solution.
        """
        for start in starts:
            self.offer(start, "plan to start from")
        self.relax()
        if self.matrix.a.nnz > SMALL and not self.done:
            if self.best is None:
                self.first()
            self.dive()
        if not self.done:
            self.whole_model()

    def relax(self) -> None:
        """The linear relaxation: bound and certificate."""
        self.log("relaxation")
        began = time.monotonic()
        program = Program(self.matrix, threads=self.threads, seed=self.seed)
        method = "ipm" if self.matrix.a.nnz > SMALL else "simplex"
        found = program.solve(self.control, method=method)
        self.seconds["relax"] = time.monotonic() - began
        if found.outcome is Outcome.INFEASIBLE:
            raise NothingFeasibleError
        if found.outcome is Outcome.OPTIMAL and found.row_dual is not None:
            self.relaxation, self.row_dual = found, found.row_dual
            self.certified = certified_bound(self.matrix, found.row_dual)
            self.raise_bound(self.certified)
            self._warm = program
        self.log("relaxation solved")

    def first(self) -> None:
        """Any plan at all: no prospect signed, nothing opened, built or converted; the first that HiGHS finds."""
        upper = self.matrix.upper.copy()
        for name in YES_OR_NO:
            if name != "serve":
                upper[self.matrix.of(name)] = self.matrix.lower[self.matrix.of(name)]
        self._near(replace(self.matrix, upper=upper), "first plan", self.control.remaining / 3, solutions=1)

    def dive(self) -> None:
        """Sites, then yes or no, then racks, by warm relaxations."""
        if self.relaxation is None or self.relaxation.x is None:
            return
        program = self._warm
        found = choose_sites(self.instance, self.matrix, program, self.relaxation, self.control, self.log)
        if found is not None:
            found = Settler(self.instance, self.matrix, program, found, self.control, self.log).run()
        if found is None:
            return
        self.log("yes or no settled")
        self.racks(program, found)
        if not self.done:
            better = self.improve(program, found)
            if better is not found:
                self.racks(program, better)
        if not self.done:
            self.polish()

    def improve(self, program: Program, found: Solution) -> Solution:
        """Better sites by relaxations."""
        until = self.control.until(0.7 * self.control.remaining)
        target = max(self.gap - RACKS_COST, 0.5 * self.gap)
        near = SiteSearch(self.instance, self.matrix, program, found, until, self.seed)
        return near.run(lambda value: (value - self.bound) / abs(value) <= target if value else True, self.log)

    def racks(self, program: Program, found: Solution) -> None:
        """Whole racks by a dive; all yes-or-no decisions stay fixed."""
        lower, upper = program.lower.copy(), program.upper.copy()
        dive = RackDive(self.instance, self.matrix, program, found, self.control)
        whole = dive.run()
        near = dive.loose(lower, upper)
        program.bound(np.arange(self.matrix.shape[1]), lower, upper)
        if whole is not None and whole.x is not None and not dive.left:
            self.offer(whole.x, "whole racks")
        elif whole is not None:
            self._near(replace(self.matrix, lower=near[0], upper=near[1]), "whole racks", self.control.remaining / 2)

    def polish(self) -> None:
        """Racks around those of the best plan, by HiGHS; all yes-or-no decisions stay fixed."""
        if self.best is not None:
            self._near(self._restricted(self.best, 1.0), "racks", min(POLISH_SECONDS, self.control.remaining / 2))

    def _restricted(self, x: Floats, around: float) -> Matrix:
        """The model with yes-or-no decisions fixed as in x and racks within ``around`` of it."""
        m = self.matrix
        lower, upper = m.lower.copy(), m.upper.copy()
        for name in YES_OR_NO:
            part = m.of(name)
            lower[part] = upper[part] = np.round(x[part])
        for name in ("installed", "in_service"):
            part = m.of(name)
            lower[part] = np.maximum(lower[part], np.floor(x[part] + WHOLE) - around)
            upper[part] = np.minimum(upper[part], np.ceil(x[part] - WHOLE) + around)
        return replace(m, lower=lower, upper=upper)

    def _near(self, near: Matrix, phase: str, seconds: float, solutions: int | None = None) -> bool:
        """HiGHS on a restriction of the model, from the best solution if it lies there; its bound is not one of the whole model."""
        program = Program(near, integer=True, threads=self.threads, seed=self.seed)
        program.option("mip_rel_gap", 3e-4)
        if solutions is not None:
            program.option("mip_max_improving_sols", solutions)
        inside = self.best is not None and bool(((self.best >= near.lower - WHOLE) & (self.best <= near.upper + WHOLE)).all())
        found = program.solve(self.control.until(seconds), start=self.best if inside else None)
        return found.x is not None and self.offer(found.x, phase)

    def whole_model(self) -> None:
        """HiGHS on the whole model, from the best solution, for what time is left."""
        self.log("branch and bound")
        program = Program(self.matrix, integer=True, threads=self.threads, seed=self.seed)
        program.option("mip_rel_gap", self.gap)
        program.option("mip_abs_gap", 1e-9)

        def improved(x: Floats, objective: float, bound: float) -> None:
            self.raise_bound(bound)
            if objective < self.best_objective - 1e-9:
                self.improvements.append(x)
            self.log("branch and bound", claimed=objective)

        self.improvements: list[Floats] = []
        found = program.solve(self.control, start=self.best, on_improvement=improved)
        if found.outcome is Outcome.INFEASIBLE and self.best is None:
            raise NothingFeasibleError
        for x in ([found.x] if found.x is not None else []) + self.improvements[::-1]:
            if self.offer(x, "branch and bound"):
                break
        self.raise_bound(found.bound)
        self.log("end of search")

"""What a worker of the search does: relaxations, serving sites, whole plans, each on its own copy of the model.

Every job is bounded by iterations, so that its answer does not depend on the clock unless the deadline cuts it short.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from optimizer.highs import AUDITED, EXACT, Control, Outcome, Program, Solution
from optimizer.horizon import Merged, carry_over, merge_groups, merge_periods
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix
from optimizer.rounding import RackDive
from optimizer.site_choice import Sets, SiteSearch
from optimizer.yes_or_no import FAMILIES, Settler

DECIDED = ("installed", "in_service", *(name for name in FAMILIES if name != "retrofit_ordered"))
"""Families of whole numbers from which all others follow."""
GROUPS = 12
"""Groups of periods of the merged model."""
WHOLE = 1e-6
"""Distance from a whole number below which a value counts as one."""
NEAR_GAP = 3e-4
"""Relative gap at which a search in a neighbourhood ends."""


@dataclass(frozen=True)
class Choice:
    """Serving sites, and what the merged model says of them.

    Attributes:
        sets: sites by contract.
        objective: of the merged model, million USD to be minimised.
        lower, upper: bounds on yes-or-no columns of the model that the other decisions of the merged model leave; shape (columns,).
    """

    sets: Sets
    objective: float
    lower: Floats
    upper: Floats


@dataclass
class Station:
    """A worker's model, and what it keeps warm between jobs.

    Args:
        instance, matrix: the model.
        threads: of HiGHS in this worker.
        seed: of HiGHS and of all draws.
    """

    instance: Instance
    matrix: Matrix
    threads: int = 1
    seed: int = 0
    control: Control = field(default_factory=Control)
    tell: Callable[[str, Any], None] = lambda kind, value: None
    _merged: Merged | None = None
    _sites: SiteSearch | None = None

    def relax(self) -> Solution:
        """The linear relaxation, with duals."""
        program = Program(self.matrix, threads=self.threads, seed=self.seed)
        return program.solve(self.control, method="ipm")

    def sites(self, known: Sets | None, effort: float, part: int = 0, parts: int = 1) -> list[Choice]:
        """Better serving sites, by relaxations of the merged model.

        Args:
            known: sites to start from; built from scratch, if not given.
            effort: iterations of the simplex method, by row of the merged model.
            part, parts: which of how many workers this is; they share the starts.

        Returns:
            The best choice found, with the other decisions that go with it; empty when there is none or time is up.
        """
        search = self._site_search()
        if search is None:
            return []
        before, limit = search.iterations, effort * search.matrix.shape[0]
        if known is None:
            for start in islice(search.starts(), part, None, parts):
                search.build(start)
                if search.iterations - before > limit or self.control.over:
                    break
        elif known != search.sets:
            search.start_from(known)
        if not search.sets and search.contracts:
            return []
        stale = 0
        while search.iterations - before < limit and stale < 3 * len(search.contracts) + 1 and not self.control.over:
            better = search.polish() if known is None and stale == 0 else search.ruin()
            stale = 0 if better else stale + 1
        return [self._choice(search)]

    def complete(self, choice: Choice) -> Floats | None:
        """A whole plan from a choice of sites: the other yes-or-no decisions, then racks.

        Returns:
            An exact solution; None when there is none near or time is up.
        """
        program = Program(self.matrix, threads=self.threads, seed=self.seed)
        everything = np.arange(self.matrix.shape[1])
        found = Solution(Outcome.INFEASIBLE)
        for lower, upper in self._widened(choice):
            program.bound(everything, lower, upper)
            found = program.solve(self.control, method="ipm")
            if found.outcome is not Outcome.INFEASIBLE:
                break
        if found.outcome is not Outcome.OPTIMAL:
            return None
        settled = Settler(self.instance, self.matrix, program, found, self.control, partial(self.tell, "phase")).run()
        if settled is None:
            return None
        self.tell("phase", "yes or no settled")
        return self._racks(program, settled)

    def racks_near(self, x: Floats, around: float, seconds: float) -> Floats | None:
        """Better racks around those of a plan, by HiGHS; all yes-or-no decisions stay fixed.

        Args:
            x: the plan; shape (columns,).
            around: racks by which any number may differ.
            seconds: most time.
        """
        lower, upper = self.matrix.lower.copy(), self.matrix.upper.copy()
        for name in FAMILIES:
            part = self.matrix.of(name)
            lower[part] = upper[part] = np.round(x[part])
        for name in ("installed", "in_service"):
            part = self.matrix.of(name)
            lower[part] = np.maximum(lower[part], np.floor(x[part] + WHOLE) - around)
            upper[part] = np.minimum(upper[part], np.ceil(x[part] - WHOLE) + around)
        return self._near(lower, upper, seconds, x)

    def exact(self, x: Floats) -> Floats | None:
        """The best solution with these whole numbers: they are fixed and the rest is solved again; None if there is none."""
        whole = np.concatenate([np.arange(self.matrix.of(name).start, self.matrix.of(name).stop) for name in DECIDED])
        values = np.round(x[whole])
        for feasibility in (EXACT, AUDITED):
            program = Program(self.matrix, threads=self.threads, seed=self.seed, feasibility=feasibility)
            program.bound(whole, values, values)
            found = program.solve(replace(self.control, deadline=np.inf))
            if found.outcome is Outcome.OPTIMAL and found.x is not None:
                result = np.clip(found.x, self.matrix.lower, self.matrix.upper)
                result[whole] = values
                return np.asarray(result)
        return None

    def branch(self, start: Floats | None, gap: float, threads: int) -> tuple[Floats | None, float]:
        """Branch and bound on the whole model; better bounds and solutions are told as they come.

        Args:
            start: a solution to start from.
            gap: relative gap to end at.
            threads: of HiGHS.

        Returns:
            The best solution and the bound; the bound is infinite when there is no solution.
        """
        program = Program(self.matrix, integer=True, threads=threads, seed=self.seed)
        program.option("mip_rel_gap", gap)
        program.option("mip_abs_gap", 1e-9)
        found = program.solve(
            self.control, start=start, on_improvement=lambda x, objective, bound: self.tell("solution", x),
            on_bound=partial(self.tell, "bound"),
        )  # fmt: skip
        return found.x, np.inf if found.outcome is Outcome.INFEASIBLE else found.bound

    # parts -------------------------------------------------------------------------------------

    def _site_search(self) -> SiteSearch | None:
        """The search over sites in the merged model, made once."""
        if self._sites is None:
            self._merged = merge_periods(self.matrix, merge_groups(self.instance, min(GROUPS, self.instance.T)))
            search = SiteSearch(self.instance, self._merged.matrix, self.control, self.seed, partial(self.tell, "phase"))
            if not search.relax():
                return None
            self._sites = search
        self._sites.control = self.control
        return self._sites

    def _choice(self, search: SiteSearch) -> Choice:
        """The best sites with the other decisions that the merged model takes with them."""
        assert self._merged is not None
        search.hold_best()
        program = search.program
        before = program.lower.copy(), program.upper.copy()
        settled = Settler(self.instance, self._merged.matrix, program, search.best, self.control, lambda phase: None).run()
        objective = search.best.objective if settled is None else settled.objective
        lower, upper = carry_over(self.matrix, self._merged, program.lower, program.upper)
        program.bound(np.arange(len(before[0])), *before)
        return Choice(dict(search.sets), objective, lower, upper)

    def _widened(self, choice: Choice) -> list[tuple[Floats, Floats]]:
        """Bounds of the model: as chosen; with only the sites as chosen; with only other sites ruled out."""
        first, index = self.matrix.columns["serve"]
        serve = np.arange(first, first + len(index))
        served = np.array([float(s in choice.sets[c]) if c in choice.sets else -1.0 for c, s in index])
        low, high = self.matrix.lower.copy(), self.matrix.upper.copy()
        high[serve] = np.where(served == 0.0, low[serve], high[serve])
        held = low.copy()
        held[serve] = np.where(served == 1.0, high[serve], low[serve])
        return [(choice.lower, choice.upper), (held, high), (low, high)]

    def _racks(self, program: Program, settled: Solution) -> Floats | None:
        """Whole racks by a dive, then exact; what the dive leaves open is searched by HiGHS."""
        lower, upper = program.lower.copy(), program.upper.copy()
        dive = RackDive(self.instance, self.matrix, program, settled, self.control)
        whole = dive.run()
        if whole is None or whole.x is None:
            return None
        if not dive.left:
            return self.exact(whole.x)
        return self._near(*dive.loose(lower, upper), self.control.remaining / 2, None)

    def _near(self, lower: Floats, upper: Floats, seconds: float, start: Floats | None) -> Floats | None:
        """HiGHS on a restriction of the model."""
        program = Program(replace(self.matrix, lower=lower, upper=upper), integer=True, threads=self.threads, seed=self.seed)
        program.option("mip_rel_gap", NEAR_GAP)
        found = program.solve(self.control.until(seconds), start=start)
        return None if found.x is None else self.exact(found.x)

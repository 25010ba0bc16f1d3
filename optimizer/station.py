"""What a worker of the search does: relaxations, serving sites, whole plans, each on its own copy of the model.

Every job is bounded by iterations, so that its answer does not depend on the clock unless the deadline cuts it short.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from optimizer.exact import YES_OR_NO, columns_of, exact
from optimizer.highs import Control, Outcome, Program, Solution, SolverError, Statuses
from optimizer.horizon import Merged, carry_over, merge_groups, merge_periods
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix
from optimizer.relieve import held_to, relieve
from optimizer.rounding import RackDive
from optimizer.settle import Settler
from optimizer.shrink import Shrunk, shrink
from optimizer.signing import Answers
from optimizer.site_dive import MANNERS, Manner, manner
from optimizer.sites import Sets, SiteSearch

GROUPS = 12
"""Groups of periods of the model in which sites are chosen from scratch."""
FINE_GROUPS = 18
"""Groups of periods of the model in which they are improved."""
SITES_SHARE, BETTER_SHARE = 1 / 3, 1 / 2
"""Shares of the time left after which sites are not searched on, first and later, so that a whole plan of them can be made."""
ANEW = 3
"""Times that contracts without a place in the whole model are placed anew by merged periods."""
TRIES_ANEW = 3
"""Sets of sites tried for each."""
SETTLE_SECONDS, SETTLE_GAP = 45.0, 2e-3
"""Most time for HiGHS, and its gap, for yes-or-no decisions that could not be taken one after the other."""
WHOLE = 1e-6
"""Distance from a whole number below which a value counts as one."""
DEVEX = 1
"""How HiGHS weighs the rows of a dual simplex that makes few steps from a basis: exact weights would take longer to set up than the steps."""
AROUND = ((1.0, False), (3.0, True))
"""Racks that a dive left are searched for within so many of the relaxation: those alone, then all of their sites."""
LEFT_SECONDS = 30.0
"""Most time for either."""
NEAR_GAP, LEFT_GAP = 3e-4, 1e-3
"""Relative gaps at which a search in a neighbourhood ends: around a plan, and for the racks that a dive left."""


Banned = tuple[str, str]
"""A contract and a site."""


EXACT_SECONDS = 8.0
"""Seconds after a job's deadline in which a solution may still be made exact."""


@dataclass(frozen=True)
class Choice:
    """Serving sites, and what the merged model says of them.

    Attributes:
        sets: sites by contract.
        objective: of the merged model, million USD to be minimised.
        lower, upper: bounds on yes-or-no columns of the model that the other decisions of the merged model leave; shape (columns,).
        signed: whether contracts that have no choice of sites are signed, where the search for sites has decided that.
        groups: of periods in the merged model; objectives are compared only where these are the same.
    """

    sets: Sets
    objective: float
    lower: Floats
    upper: Floats
    groups: int = 0
    signed: Answers = field(default_factory=dict)


@dataclass(frozen=True)
class Coarse:
    """A search over sites and its merged model."""

    merged: Merged
    search: SiteSearch


@dataclass
class Station:
    """A worker's model, and what it keeps warm between jobs.

    Args:
        instance, matrix: the model.
        threads: of HiGHS in this worker.
        control: deadline and stop of the job at hand.
        without: ingredients of the search to leave out.
        seed: of HiGHS and of all draws.
        tell: takes what a job says on the way: kind and value.
    """

    instance: Instance
    matrix: Matrix
    without: frozenset[str] = frozenset()
    threads: int = 1
    seed: int = 0
    control: Control = field(default_factory=Control)
    tell: Callable[[str, Any], None] = lambda kind, value: None
    banned: set[Banned] = field(default_factory=set)
    """Contract-site pairs of which the whole model has shown that they don't hold where the merged ones think so."""
    _searches: dict[int, Coarse] = field(default_factory=dict)
    _chosen: Choice | None = None
    _completed: list[Choice] = field(default_factory=list)
    _manner: Manner = MANNERS[0]
    """Of the worker's first dive."""
    _restarts: int = 0

    def relax(self) -> tuple[Solution, Statuses]:
        """The linear relaxation, with duals, and its basis."""
        program = Program(self.matrix, threads=self.threads, seed=self.seed)
        try:
            return program.solve(self.control, method="ipm"), program.statuses()
        except SolverError:
            program.forget()
        return program.solve(self.control, method="simplex"), program.statuses()

    def sites(self, effort: float, part: int = 0, parts: int = 1, afresh: bool = False) -> list[Choice]:
        """Serving sites built from scratch, by relaxations of the coarse model.

        Args:
            effort: iterations of the simplex method, by row of the coarse model.
            part, parts: which of how many workers this is; they share the starts.
            afresh: place all contracts by chance.

        Returns:
            The best choice found, with the other decisions that go with it; empty when there is none or time is up.
        """
        coarse = self._coarse()
        if coarse is None:
            return []
        search = coarse.search
        before, limit, hurry = search.iterations, effort * search.matrix.shape[0], self._soon(SITES_SHARE)
        dives = "site dive" not in self.without
        if afresh:
            self._restarts += 1
            search.restart(manner(len(MANNERS) + self._restarts) if dives else None)
        else:
            self._manner = manner(part)
            if not (dives and search.dive(self._manner, hurry)):
                for start in islice(search.starts(), part, None, parts):
                    search.build(start)
                    if search.iterations - before > limit or hurry.over:
                        break
            if search.sets and limit:
                search.control = hurry
                search.polish()
        if not search.sets and search.contracts:
            return []
        self._kick(search, before + limit, hurry)
        return [self._choice(coarse)]

    def better_sites(self, known: Sets | None, effort: float) -> list[Choice]:
        """Better serving sites than those known, by relaxations of the fine model.

        Args:
            known: the worker's own last ones, if not given.
            effort: iterations of the simplex method, by row of the fine model.

        Returns:
            The best choice found, at least the one known as far as it can be held; empty when it can't, or time is up.
        """
        fine = self._search(FINE_GROUPS)
        search = fine.search
        before, limit, hurry = search.iterations, effort * search.matrix.shape[0], self._soon(BETTER_SHARE)
        if known is None:
            if self._chosen is None:
                return []
            known = self._chosen.sets
        known = self._without_banned(known)
        if known != search.sets:
            if not self._started(search, known, hurry):
                return []
            search.control = hurry
            search.polish()
        self._kick(search, before + limit, hurry)
        return [self._choice(fine)]

    def ban(self, pairs: Iterable[Banned]) -> None:
        """Keep contracts from sites, in every search from now on."""
        self.banned |= set(pairs)
        for coarse in self._searches.values():
            coarse.search.ban(self.banned)

    def complete(self, choice: Choice | None = None, better_than: float = np.inf) -> Floats | None:
        """A whole plan from a choice of sites: the other yes-or-no decisions, then racks.

        Args:
            choice: the worker's own last one, if not given.
            better_than: objective of a plan that is known; a choice that does not look better is left, as is one that was completed before.

        Returns:
            An exact solution; None when there is none near or time is up.
        """
        choice = choice or self._chosen
        if choice is None or choice.objective >= better_than < np.inf or any(choice is done for done in self._completed):
            return None
        self._completed.append(choice)
        begun = self._begun(choice)
        if begun is None:
            return None
        rest, program, found = begun
        settled = self._settled(rest.matrix, program, found, partial(self.tell, "phase"))
        if settled is None:
            program, settled = self._settled_at_once(rest.matrix)
        if settled is None:
            return None
        self.tell("phase", "yes or no settled")
        return self.racks(rest, program, settled)

    def racks_near(self, x: Floats, around: float, seconds: float) -> Floats | None:
        """Better racks around those of a plan, by HiGHS; all yes-or-no decisions stay fixed.

        Args:
            x: the plan; shape (columns,).
            around: racks by which any number may differ.
            seconds: most time.
        """
        lower, upper = self.matrix.lower.copy(), self.matrix.upper.copy()
        for name in YES_OR_NO:
            part = self.matrix.of(name)
            lower[part] = upper[part] = np.round(x[part])
        for name in ("installed", "in_service"):
            part = self.matrix.of(name)
            lower[part] = np.maximum(lower[part], np.floor(x[part] + WHOLE) - around)
            upper[part] = np.minimum(upper[part], np.ceil(x[part] - WHOLE) + around)
        return self._near(lower, upper, seconds, x)

    def first(self) -> Floats | None:
        """Any plan at all: no prospect signed, nothing opened, built or converted; the first that HiGHS finds."""
        upper = self.matrix.upper.copy()
        for name in YES_OR_NO:
            if name != "serve":
                upper[self.matrix.of(name)] = self.matrix.lower[self.matrix.of(name)]
        return self._near(self.matrix.lower, upper, self.control.remaining, None, solutions=1)

    def branch(self, start: Floats | None, gap: float) -> tuple[Floats | None, float]:
        """Branch and bound on the whole model; better bounds and solutions are told as they come.

        Args:
            start: a solution to start from.
            gap: relative gap to end at.

        Returns:
            The best solution and the bound; the bound is infinite when there is no solution.
        """
        program = Program(self.matrix, integer=True, threads=self.threads, seed=self.seed)
        program.option("mip_rel_gap", gap)
        program.option("mip_abs_gap", 1e-9)
        found = program.solve(
            self.control, start=start, on_improvement=lambda x, objective, bound: self._improved(x),
            on_bound=partial(self.tell, "bound"),
        )  # fmt: skip
        return found.x, np.inf if found.outcome is Outcome.INFEASIBLE else found.bound

    # parts -------------------------------------------------------------------------------------

    @property
    def _ending(self) -> Control:
        """Time to make a solution exact, also once the job's own is up: less than what is granted until the process is ended."""
        now = time.monotonic()
        return Control(max(now, now if self.control.stop.is_set() else self.control.deadline) + EXACT_SECONDS)

    def _improved(self, x: Floats) -> None:
        """Tell of a solution, made exact."""
        found = exact(self.matrix, x, self.seed, self._ending)
        if found is not None:
            self.tell("solution", found)

    def _soon(self, share: float) -> Control:
        """A deadline after a share of the time left."""
        return self.control.until(share * self.control.remaining)

    def _kick(self, search: SiteSearch, limit: float, control: Control) -> None:
        """Go on until the search has made so many iterations, or its share of the time is over; the search then has all the time again."""
        search.control = control
        while search.iterations < limit and search.contracts and search.sets and not control.over:
            search.kick()
        search.control = self.control

    def _coarse(self) -> Coarse | None:
        """The search over sites from scratch, with its relaxation; None when that has no solution."""
        made = self._search(GROUPS)
        if made.search.root.outcome is not Outcome.OPTIMAL and not made.search.relax():
            return None
        return made

    def _search(self, groups: int) -> Coarse:
        """A search over sites on merged periods, made once."""
        count = self.instance.T if "merged periods" in self.without else min(groups, self.instance.T)
        if count not in self._searches:
            merged = merge_periods(self.matrix, merge_groups(self.instance, count))
            signs = (count > GROUPS or count == self.instance.T) and "signing" not in self.without
            search = SiteSearch(self.instance, merged.matrix, self.control, self.seed, swaps="site swaps" not in self.without, signs=signs)
            search.ban(self.banned)
            self._searches[count] = Coarse(merged, search)
        made = self._searches[count]
        made.search.control, made.search.log = self.control, partial(self.tell, "phase")
        return made

    def _choice(self, coarse: Coarse) -> Choice:
        """The best sites with the other decisions that the merged model takes with them."""
        search, merged = coarse.search, coarse.merged
        signed, last = dict(search.signed or {}), self._chosen
        if last is not None and (last.sets, last.signed, last.groups) == (search.sets, signed, len(merged.groups)):
            return last
        search.hold_best()
        program = search.program
        before = program.lower.copy(), program.upper.copy()
        settled = self._settled(merged.matrix, program, search.best, lambda phase: None)
        objective = search.best.objective if settled is None else settled.objective
        lower, upper = self._signed(*carry_over(self.matrix, merged, program.lower, program.upper), signed)
        program.bound(np.arange(len(before[0])), *before)
        self._chosen = Choice(dict(search.sets), objective, lower, upper, len(merged.groups), signed)
        return self._chosen

    def _settled(self, matrix: Matrix, program: Program, found: Solution, log: Callable[[str], None]) -> Solution | None:
        """All yes-or-no decisions taken."""
        return Settler(self.instance, matrix, program, found, self.control, log, compare="options" not in self.without).run()

    def _settled_at_once(self, matrix: Matrix) -> tuple[Program, Solution | None]:
        """All yes-or-no decisions taken by HiGHS, racks left relaxed: where one after the other ends with none that holds."""
        columns = columns_of(matrix, YES_OR_NO)
        integer = np.zeros(matrix.shape[1], dtype=bool)
        integer[columns] = True
        search = Program(replace(matrix, integer=integer), integer=True, threads=self.threads, seed=self.seed)
        search.option("mip_rel_gap", SETTLE_GAP)
        taken = search.solve(self.control.until(min(SETTLE_SECONDS, self.control.remaining / 2)))
        program = Program(matrix, threads=self.threads, seed=self.seed)
        if taken.x is None:
            return program, None
        program.option("simplex_dual_edge_weight_strategy", DEVEX)
        program.bound(columns, np.round(taken.x[columns]), np.round(taken.x[columns]))
        found = program.solve(self.control, method="ipm")
        return program, found if found.outcome is Outcome.OPTIMAL else None

    def _begun(self, choice: Choice) -> tuple[Shrunk, Program, Solution] | None:
        """The relaxation with a choice as far as it can be held."""
        for lower, upper in self._widened(choice):
            rest = shrink(self.matrix, lower, upper)
            program = Program(rest.matrix, threads=self.threads, seed=self.seed)
            program.option("simplex_dual_edge_weight_strategy", DEVEX)
            found = program.solve(self.control, method="ipm")
            if found.outcome is not Outcome.INFEASIBLE:
                return (rest, program, found) if found.outcome is Outcome.OPTIMAL else None
        return None

    def _widened(self, choice: Choice) -> Iterator[tuple[Floats, Floats]]:
        """Bounds of the model: as chosen; with only the sites and signatures as chosen; with only the sites; without those too many.

        At last with only other sites ruled out. A contract that loses its last site is placed anew first, as often as ``ANEW``: the merged model did not see that it can't be there.
        """
        yield choice.lower, choice.upper
        if choice.signed:
            yield self._signed(*held_to(self.matrix, choice.sets), choice.signed)
        yield held_to(self.matrix, choice.sets)
        sets: Sets | None = choice.sets
        relieved: Sets | None = None
        for _ in range(ANEW):
            if sets is None:
                break
            relieved = relieve(self.matrix, sets, self.control, self.seed)
            lost = [(c, s) for c, sites in sets.items() for s in sites if not relieved[c]] if relieved is not None else []
            if relieved is None or not lost:
                break
            self.ban(lost)
            self.tell("banned", lost)
            sets = self._anew(relieved, [c for c, _ in lost])
            if sets is not None:
                yield held_to(self.matrix, sets)
        if relieved is not None:
            yield held_to(self.matrix, relieved)
        yield self.matrix.lower, held_to(self.matrix, choice.sets)[1]

    def _signed(self, lower: Floats, upper: Floats, answers: Answers) -> tuple[Floats, Floats]:
        """Bounds of the model with contracts signed or not."""
        first, index = self.matrix.columns["sign"]
        for i, (c,) in enumerate(index):
            if c in answers:
                lower[first + i] = upper[first + i] = float(answers[str(c)])
        return lower, upper

    def _anew(self, sets: Sets, contracts: Sequence[str]) -> Sets | None:
        """Sites with some contracts placed anew by merged periods; None where they find no place."""
        search = self._search(GROUPS).search
        if search.root.outcome is not Outcome.OPTIMAL or not search.start_from(sets):
            return None
        placed = [search.replace([c], TRIES_ANEW) for c in contracts]
        return dict(search.sets) if any(placed) else None

    def _started(self, search: SiteSearch, sets: Sets, soon: Control) -> bool:
        """Start a search from given sites, or, where it does not hold them all, from the better of those that it does and a dive of its own."""
        if search.start_from(sets):
            return True
        relieved = relieve(search.matrix, sets, self.control, self.seed)
        if relieved is not None:
            search.start_from(relieved)
        if "site dive" not in self.without and (search.root.outcome is Outcome.OPTIMAL or search.relax()):
            search.dive(self._manner, soon)
        return bool(search.sets)

    def _without_banned(self, sets: Sets) -> Sets:
        return {c: tuple(s for s in sites if (c, s) not in self.banned) for c, sites in sets.items()}

    def racks(self, rest: Shrunk, program: Program, settled: Solution) -> Floats | None:
        """Whole racks by a dive, then exact; what the dive leaves open is searched by HiGHS.

        Args:
            rest: what is left of the model.
            program: its relaxation, warm, with every yes-or-no decision fixed.
            settled: its solution.
        """
        lower, upper = program.lower.copy(), program.upper.copy()
        dive = RackDive(self.instance, rest.matrix, program, settled, self.control)
        if "rack dive" in self.without:
            dive.left = list(dive.columns["in_service"])
        else:
            whole = dive.run()
            if whole is None or whole.x is None:
                return None
            if not dive.left:
                return exact(self.matrix, rest.whole(whole.x), self.seed, self._ending)
        for around, everything in AROUND:
            low, high = dive.loose(lower, upper, around, everything)
            found = self._near(rest.whole(low), rest.whole(high), min(LEFT_SECONDS, self.control.remaining / 2), None, LEFT_GAP)
            if found is not None:
                return found
        return None

    def _near(
        self, lower: Floats, upper: Floats, seconds: float, start: Floats | None, gap: float = NEAR_GAP, solutions: int | None = None
    ) -> Floats | None:
        """HiGHS on a restriction of the model; ``solutions`` after which it ends, if given."""
        rest = shrink(self.matrix, lower, upper)
        program = Program(rest.matrix, integer=True, threads=self.threads, seed=self.seed)
        program.option("mip_rel_gap", gap)
        if solutions is not None:
            program.option("mip_max_improving_sols", solutions)
        found = program.solve(self.control.until(seconds), start=None if start is None else start[rest.columns])
        return None if found.x is None else exact(self.matrix, rest.whole(found.x), self.seed, self._ending)

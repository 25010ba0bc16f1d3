"""The search over futures whose models HiGHS takes as they are: the extensive form, or dual decomposition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.futures.bundle import Bundle
from optimizer.futures.check import decided
from optimizer.futures.common import alone, see_common
from optimizer.futures.crew import Crew, Found
from optimizer.futures.decompose import Decomposition
from optimizer.futures.extensive import Extensive, extensive
from optimizer.futures.recourse import Held, Recourse
from optimizer.futures.state import Method, State
from optimizer.futures.sub import Sub
from optimizer.highs import Control, Outcome
from optimizer.instance import Floats

EXTENSIVE = 60_000
"""Nonzeros of the extensive form up to which HiGHS takes it whole."""
RELAXED = 600_000
"""Nonzeros up to which its relaxation is solved, for the first multipliers."""
TRIED = 6
"""First stages of single futures tried before the search."""


@dataclass
class Small:
    """A search over small models.

    Args:
        state: takes what is found.
        crew: solves the futures, and last the dataset as planned.
        subs: the futures.
        lower, upper: bounds of the first stage that hold in all futures; shape (components,).
    """

    state: State
    crew: Crew
    subs: list[Sub]
    lower: Floats
    upper: Floats

    def run(self, method: Method) -> tuple[list[Found], Held | None]:
        """Search until the gap is proven or time is up.

        Returns:
            Each future on its own, and the first stage of the plan for the dataset as it is, held in all; None if it can't be.

        Raises:
            ScenarioInfeasibleError: a future without any plan, or no bounds in common.
        """
        state = self.state
        self.recourse = Recourse(self.crew, self.subs, state.odds, state.risk, self.lower, self.upper, state.gap)
        known = alone(state, self.recourse, self.subs, whole=True)
        see_common(state, self.lower, self.upper)
        expected = self._expected()
        for k in np.argsort(-state.odds, kind="stable").tolist()[:TRIED]:
            first = known[k].first
            if first is not None and not state.done:
                state.try_first(self.recourse, first)
        if not state.done:
            whole = extensive(self.subs, state.odds, self.lower, self.upper)
            if method is Method.EXTENSIVE or (method is Method.AUTO and whole.matrix.a.nnz <= EXTENSIVE):
                self._extensive(whole)
            else:
                state.method = Method.DECOMPOSITION
                self._decomposed(whole, known)
        return known, expected

    def _expected(self) -> Held | None:
        """The first stage of the plan for the dataset as it is, held in every future."""
        state, last = self.state, len(self.crew.subs) - 1
        state.tell("first stage of the plan for the dataset as it is")
        first: Floats | None
        if state.start is not None:
            told = decided(state.dataset, state.start, state.dataset, state.first.before, state.first.placement)
            first = np.array(state.first.values_of(told))
        else:
            first = self.crew.run([self.recourse.task(last, *self.crew.subs[last].bounds())], state.control)[0].first
        held = None if first is None else state.try_first(self.recourse, first)
        state.clock("expected")
        return held

    def _relaxed(self, whole: Extensive) -> Floats | None:
        """The relaxation of all futures together, and its duals."""
        self.state.tell("relaxation of all futures together")
        found, certified = whole.relaxed(self.state.control, self.state.seed)
        self.state.infeasible |= found.outcome is Outcome.INFEASIBLE
        self.state.raise_bound(certified, certified)
        return found.row_dual

    def _extensive(self, whole: Extensive) -> None:
        """All futures as one model."""
        state = self.state
        self._relaxed(whole)
        if state.done:
            return
        state.tell("branch and bound over all futures together")
        start = None if state.best is None else whole.start(self._complete(state.best))
        found = whole.solve(
            state.control, state.gap * 0.5, state.seed, state.workers, start, lambda x, objective, bound: state.raise_bound(bound)
        )  # fmt: skip
        if found.x is not None:
            late = Control(np.inf, state.control.stop) if state.best is None else None  # the first plan found is not lost to the clock
            state.try_first(self.recourse, self.subs[0].first(whole.parts(found.x)[0]), late)
        state.infeasible |= found.outcome is Outcome.INFEASIBLE and state.best is None
        state.raise_bound(found.bound)

    def _decomposed(self, whole: Extensive, known: list[Found]) -> None:
        """Futures on their own, held together by prices of their first stage."""
        state = self.state
        multipliers = [state.prices(known, len(self.lower))]
        if whole.matrix.a.nnz <= RELAXED:
            row_dual = self._relaxed(whole)
            if row_dual is not None:
                multipliers.append(whole.multipliers(self.subs, row_dual))
        if state.done:
            return
        state.tell("prices of what must be decided in common")

        def take(first: Floats) -> None:
            state.try_first(self.recourse, first)

        search = Decomposition(
            Bundle(self.crew, state.odds, True, state.gap * 0.1, state.scale(known, self.lower, self.upper)), self.lower, self.upper,
            whole.matrix.integer[: len(self.lower)], take, lambda: state.objective, state.raise_bound, state.gap, state.control,
        )  # fmt: skip
        search.run(multipliers)
        state.infeasible |= not search.nodes and state.best is None and not state.control.over

    def _complete(self, held: Held) -> list[Floats]:
        """Solutions of the futures with eta at the value at risk, and each excess above it."""
        state = self.state
        if state.risk.weight == 0:
            return held.solutions
        order = np.argsort(-held.losses, kind="stable")
        worst = int(np.searchsorted(np.cumsum(state.odds[order]), 1 - state.risk.alpha - 1e-12))
        at_risk = held.losses[order[min(worst, len(order) - 1)]]
        found = []
        for sub, x, loss in zip(self.subs, held.solutions, held.losses.tolist(), strict=True):
            full, eta = x.copy(), sub.positions[-1]
            full[eta], full[eta + 1] = at_risk, max(0.0, loss - at_risk)
            found.append(full)
        return found

"""The search over futures with large models: bounds from relaxations of single futures, plans by repairing the plan at hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from models.plan import Plan
from models.uncertainty import AS_PLANNED
from optimizer.futures.bundle import Bundle, Dual
from optimizer.futures.check import decided
from optimizer.futures.common import alone, see_common
from optimizer.futures.crew import Crew, Found, Task
from optimizer.futures.recourse import Held, Recourse
from optimizer.futures.searched import Searched, watcher
from optimizer.futures.state import Method, NoFuturesPlanError, ScenarioInfeasibleError, State
from optimizer.futures.sub import Sub
from optimizer.highs import Outcome
from optimizer.instance import Floats
from optimizer.planner import InfeasibleError, NoPlanError, plan

FIRST_PLAN = 0.25
"""Share of the time for the plan of the dataset as it is, if none is given."""
EXPECTED = 0.4
"""Share of the time left for holding its first stage in all futures."""
PRICING = 0.4
"""Share of the time left for raising the bound before first stages are tried again."""
ROUNDS = 8
"""Most rounds of it."""
RISE = 1e-5
"""Rise of the bound, as a share of the objective, that is not worth another round."""


@dataclass
class Large:
    """A search over large models.

    Args:
        state: takes what is found.
        crew: solves relaxations of the futures.
        subs: the futures.
        lower, upper: bounds of the first stage that hold in all futures; shape (components,).
    """

    state: State
    crew: Crew
    subs: list[Sub]
    lower: Floats
    upper: Floats

    def run(self) -> tuple[list[Found], Held | None]:
        """Search until the gap is proven, time is up, or there is nothing left to try.

        Returns:
            What is known of each future on its own, and the first stage of the plan for the dataset as it is, held in all; None if it
            can't be.

        Raises:
            ScenarioInfeasibleError: a future without any plan, or no bounds in common.
            NoFuturesPlanError: there was no time for the plan of the dataset as it is.
        """
        state = self.state
        state.method = Method.DECOMPOSITION
        base = state.start or self._base_plan()
        recourse = Recourse(self.crew, self.subs, state.odds, state.risk, self.lower, self.upper, state.gap)
        known = alone(state, recourse, self.subs, whole=False)
        see_common(state, self.lower, self.upper)
        self.searched = Searched(state, base, self.subs, self.lower, self.upper, np.array([found.bound for found in known]))
        told = decided(state.dataset, base, state.dataset, state.first.before, state.first.placement)
        control = state.control.until(EXPECTED * state.control.remaining)
        expected = state.try_first(self.searched, np.array(state.first.values_of(told)), control)
        state.clock("expected")
        self._raise(known)
        held = [one for one in state.tried.values() if one is not None]
        values = [min((float(one.losses[k]) for one in held), default=np.inf) for k in range(len(known))]
        return [replace(found, value=value, first=None) for found, value in zip(known, values, strict=True)], expected

    def _base_plan(self) -> Plan:
        """The plan for the dataset as it is."""
        state = self.state
        try:
            found = plan(
                state.dataset, gap=state.gap / 2, time_limit=max(1.0, FIRST_PLAN * state.control.remaining), threads=state.workers,
                seed=state.seed, progress=watcher(state.tell, "plan for the dataset as it is"), stop=state.control.stop,
            )  # fmt: skip
        except InfeasibleError as error:
            raise ScenarioInfeasibleError(AS_PLANNED.name, error.conflicts) from None
        except NoPlanError:
            raise NoFuturesPlanError(None) from None
        state.clock("plan")
        return found

    def _raise(self, known: list[Found]) -> None:
        """Raise the bound by prices of the first stage, and try the first stages that they lead to, in turn."""
        state = self.state
        bundle = Bundle(self.crew, state.odds, False, 0.0, state.scale(known, self.lower, self.upper))
        multipliers, dual = state.prices(known, len(self.lower)), None
        while not state.done:
            state.tell("prices of what must be decided in common")
            size = abs(state.objective if state.best is not None else state.bound)
            dual = bundle.raised(
                self.lower, self.upper, [multipliers], state.control, ROUNDS, state.objective, RISE * size,
                lambda found: state.raise_bound(found.bound, found.certified), dual, PRICING * state.control.remaining,
            )  # fmt: skip
            if dual.infeasible is not None:
                state.infeasible = True
                return
            count = len(state.tried)
            for number, candidate in enumerate(self._candidates(dual)):
                if state.done or (not dual.converged and len(state.tried) > count):
                    break
                if number == 0 or self._promising(candidate):
                    state.try_first(self.searched, candidate)
            if dual.converged and len(state.tried) == count:
                return

    def _promising(self, first: Floats) -> bool:
        """Whether a first stage was not tried yet, and its relaxations leave room for a better plan."""
        state = self.state
        if state.key(first) in state.tried:
            return False
        if state.best is None:
            return True
        state.tell("relaxations with another first stage")
        lower, upper = self.lower.copy(), self.upper.copy()
        lower[: len(first)] = upper[: len(first)] = first
        found = self.crew.run([Task(k, lower, upper, whole=False) for k in range(len(self.subs))], state.control)
        bounds = np.array([np.inf if one.outcome is Outcome.INFEASIBLE else one.bound for one in found])
        if state.risk.objective(bounds, state.odds) < state.objective:
            return True
        state.tried[state.key(first)] = None
        return False

    def _candidates(self, dual: Dual) -> Iterator[Floats]:
        """First stages to try: means in whole numbers; the best so far with one component as in a mean; at last, nothing at all."""
        size = len(self.state.first.keys)
        firsts = [one.first for one in dual.found if one.first is not None]
        means = [mean[:size] for mean in (dual.consensus, np.mean(firsts, axis=0) if firsts else None) if mean is not None]
        rounded = [np.clip(self._whole(mean), self.lower[:size], self.upper[:size]) for mean in means]
        yield from rounded
        if self.state.best is None:
            yield self.lower[:size]
        elif dual.converged:
            for mean in rounded:
                best = self.state.best.first[:size]
                for j in np.argsort(-np.abs(mean - best) / np.maximum(self.upper[:size] - self.lower[:size], 1.0), kind="stable").tolist():
                    if abs(mean[j] - best[j]) > 1e-9:
                        yield np.where(np.arange(size) == j, mean, best)

    def _whole(self, mean: Floats) -> Floats:
        """A mean of first stages in whole numbers: a hall is converted once, if at all, by as much as the mean."""
        keys = self.state.first.keys
        values = dict(zip(keys, np.round(mean).tolist(), strict=True))
        ordered = set()
        for key, share in zip(keys, mean.tolist(), strict=True):
            family, *parts = key
            if family == "retrofit_order_mw":
                fit = values["retrofit_ordered", *parts] if parts[0] not in ordered else 0.0
                values["retrofit_ordered", *parts], values[key] = fit, share if fit else 0.0
                if fit:
                    ordered.add(parts[0])
        return np.array([values[key] for key in keys])

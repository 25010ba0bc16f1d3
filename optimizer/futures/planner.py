"""A dataset and its futures in, one plan for all of them out: first stage, a plan for each future, both bounds, what it is worth."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from models.changes import ChangeError, apply
from models.dataset import Dataset
from models.faults import Fault
from models.plan import Plan
from models.uncertainty import AS_PLANNED, Scenario, UncertaintyError, merged
from optimizer.blocks.base import MILLION
from optimizer.blocks.directives import DirectiveConflictError
from optimizer.futures.crew import Crew
from optimizer.futures.finish import finished
from optimizer.futures.first_stage import FirstStage
from optimizer.futures.large import Large
from optimizer.futures.result import FuturesPlan
from optimizer.futures.risk import Risk
from optimizer.futures.small import Small
from optimizer.futures.state import Method, NoFuturesPlanError, ScenarioInfeasibleError, State
from optimizer.futures.sub import Sub, build, common_bounds
from optimizer.highs import Control
from optimizer.instance import Instance
from optimizer.planner import Progress
from optimizer.search import SMALL


def plan_futures(
    dataset: Dataset, scenarios: Sequence[Scenario], *, decide_before: str, weight: float = 0.0, alpha: float = 0.95, gap: float = 0.01,
    time_limit: float = 600.0, workers: int | None = None, seed: int = 0, placement: bool = False, method: Method | str = Method.AUTO,
    start: Plan | None = None, progress: Callable[[Progress], None] | None = None, stop: threading.Event | None = None,
) -> FuturesPlan:  # fmt: skip
    """The plan that is best over many futures: what is decided before it is known which comes, and how each goes on.

    Args:
        dataset: the dataset as planned.
        scenarios: the futures, with odds that add to 1; those with the same changes are put together.
        decide_before: first period whose decisions may wait until it is known which future comes.
        weight: of the CVaR in the objective ``(1 - weight) * E[NPV] + weight * CVaR_alpha[NPV]``.
        alpha: level of the CVaR: it is the mean of the worst ``1 - alpha``.
        gap: relative gap between the plan's value and its bound at which the search ends; below 1e-6 counts as 1e-6.
        time_limit: seconds.
        workers: processes; all cores if not given.
        seed: of the solver.
        placement: whether the site of racks installed is decided in the first stage too.
        method: of small models: ``extensive``, ``decomposition``, or by size; large ones are decomposed.
        start: the plan for the dataset as it is, whose first stage is compared with; found if not given.
        progress: called as the search goes on; ``npv_usd`` is the objective's value.
        stop: set it to end the search with the best plan.

    Raises:
        ValueError: an argument out of its range.
        UncertaintyError: a scenario can't be applied, or the period is not one of the dataset.
        ScenarioInfeasibleError: a future without any plan, or none in common.
        NoFuturesPlanError: none was found in time.
        SolverError: the solver failed, or a plan failed its audit.
    """
    if not scenarios or abs(sum(s.probability for s in scenarios) - 1) > 1e-6 or any(s.probability < 0 for s in scenarios):
        raise ValueError("scenarios must be at least one, with odds of at least 0 that add to 1")
    if not 0 <= gap < np.inf or not 0 < time_limit < np.inf:
        raise ValueError(f"gap must be at least 0 and time_limit above 0; found {gap} and {time_limit}")
    different = merged(s for s in scenarios if s.probability > 0)
    odds = np.array([s.probability for s in different])
    first = FirstStage.of(Instance(dataset), first_period(dataset, decide_before), placement)
    state = State(
        dataset, different, odds / odds.sum(), first, Risk(weight, alpha), gap,
        Control(time.monotonic() + time_limit, stop or threading.Event()), workers or os.cpu_count() or 1, seed, progress, start,
    )  # fmt: skip
    return _planned(state, Method(method), decide_before)


def _planned(state: State, method: Method, decide_before: str) -> FuturesPlan:
    """Build the futures, search, and put together what was found."""
    subs = []
    for number, scenario in enumerate(state.scenarios):
        state.tell(f"building future {number + 1} of {len(state.scenarios)}")
        subs.append(_sub(state, scenario, applied(state.dataset, scenario)))
    state.clock("build")
    lower, upper = common_bounds(subs, state.risk.weight > 0)
    count = min(state.workers, len(subs))
    if max(sub.matrix.a.nnz for sub in subs) > SMALL:
        with Crew(subs, count, state.seed) as crew:
            known, expected = Large(state, crew, subs, lower, upper).run()
    else:
        as_planned = next((sub for sub in subs if not sub.scenario.changes), None) or _sub(state, AS_PLANNED, state.dataset)
        with Crew([*subs, as_planned], count, state.seed) as crew:
            known, expected = Small(state, crew, subs, lower, upper).run(method)
    state.clock("search")
    if state.best is None:
        if state.infeasible:
            raise ScenarioInfeasibleError("", ["each has a plan on its own"])
        raise NoFuturesPlanError(-state.bound * MILLION if np.isfinite(state.bound) else None)
    return finished(state, subs, state.best, known, expected, decide_before)


def _sub(state: State, scenario: Scenario, dataset: Dataset) -> Sub:
    """The model of a future."""
    try:
        return build(scenario, dataset, state.first, state.risk)
    except DirectiveConflictError as conflict:
        raise ScenarioInfeasibleError(scenario.name, [str(conflict)]) from None


def first_period(dataset: Dataset, label: str) -> int:
    """Index of the period before which decisions are taken in common.

    Raises:
        UncertaintyError: it is not a period of the dataset after its first.
    """
    calendar = dataset.calendar
    allowed = f"a period from {calendar.label(1)} to {calendar.label(calendar.periods)}"
    try:
        index = calendar.index(label)
    except ValueError as error:
        fault = Fault("decide before", "is not a period of this dataset", value=label, allowed=str(error), code="bad_period")
        raise UncertaintyError([fault]) from None
    if not 1 <= index <= calendar.periods:
        raise UncertaintyError([Fault("decide before", "is outside the horizon", value=label, allowed=allowed, code="outside_horizon")])
    return index


def applied(dataset: Dataset, scenario: Scenario) -> Dataset:
    """The dataset of a future.

    Raises:
        UncertaintyError: its changes can't be applied; the faults name the scenario.
    """
    try:
        return apply(dataset, scenario.changes).dataset
    except ChangeError as error:
        raise UncertaintyError([replace(fault, table=f"scenario {scenario.name!r}") for fault in error.faults]) from None

"""A dataset and its futures in, one plan for all of them out: first stage, a plan for each future, both bounds, what it is worth."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum

import numpy as np
import pandas as pd

from models.changes import ChangeError, apply
from models.dataset import Dataset
from models.faults import Fault
from models.plan import SMALLEST_GAP, DatasetRef, Plan, SolverInfo, StopReason, relative_gap, status_of
from models.uncertainty import AS_PLANNED, Scenario, UncertaintyError, merged
from optimizer.blocks.base import MILLION
from optimizer.blocks.directives import DirectiveConflictError
from optimizer.conflicts import conflicts
from optimizer.futures.bundle import Bundle
from optimizer.futures.check import anticipations, decided
from optimizer.futures.crew import Crew, Found
from optimizer.futures.decompose import Decomposition
from optimizer.futures.extensive import Extensive, extensive
from optimizer.futures.first_stage import FirstStage
from optimizer.futures.recourse import Held, Recourse, plan_of
from optimizer.futures.result import SCENARIO_COLUMNS, FuturesPlan, FuturesSummary, Range
from optimizer.futures.risk import Risk, cvar
from optimizer.futures.sub import Sub, build, common_bounds
from optimizer.highs import VERSION, Control, Outcome, SolverError
from optimizer.instance import Floats, Instance
from optimizer.planner import CONFLICT_SECONDS, Progress

EXTENSIVE = 60_000
"""Nonzeros of the extensive form up to which HiGHS takes it whole."""
RELAXED = 600_000
"""Nonzeros up to which its relaxation is solved, for the first multipliers."""
TRIED = 6
"""First stages of single futures tried before the search."""


class Method(StrEnum):
    """How futures are put together."""

    AUTO = "auto"
    EXTENSIVE = "extensive"
    DECOMPOSITION = "decomposition"


class ScenarioInfeasibleError(Exception):
    """A future that no plan can hold.

    Attributes:
        scenario: its name; empty where each future has a plan, but no first stage is common to all.
        conflicts: the rules that can't hold together, in words.
    """

    def __init__(self, scenario: str, found: list[str]) -> None:
        self.scenario, self.conflicts = scenario, found
        what = f"scenario {scenario!r} is infeasible" if scenario else "no first stage can be held in every scenario"
        super().__init__("; ".join([what, *found]))


class NoFuturesPlanError(Exception):
    """No plan for all futures was found in the time given; ``bound_usd`` is what was proven until then."""

    def __init__(self, bound_usd: float | None) -> None:
        self.bound_usd = bound_usd
        super().__init__("no plan for all scenarios was found in the time given")


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
        method: ``extensive``, ``decomposition``, or by size.
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
    planning = FuturesPlanning(
        dataset, merged(s for s in scenarios if s.probability > 0), decide_before, Risk(weight, alpha), gap,
        Control(time.monotonic() + time_limit, stop or threading.Event()), workers or os.cpu_count() or 1, seed, placement, progress, start,
    )  # fmt: skip
    return planning.run(Method(method))


class FuturesPlanning:
    """One run, with its clock, the best plan and the bound so far."""

    def __init__(
        self, dataset: Dataset, scenarios: list[Scenario], decide_before: str, risk: Risk, gap: float, control: Control, workers: int,
        seed: int, placement: bool, progress: Callable[[Progress], None] | None, start: Plan | None,
    ) -> None:  # fmt: skip
        self.dataset, self.scenarios, self.decide_before, self.risk, self.gap = dataset, scenarios, decide_before, risk, gap
        self.control, self.workers, self.seed, self.progress = control, workers, seed, progress
        self.start, self.began = start, time.monotonic()
        self.seconds: dict[str, float] = {}
        self.events: list[tuple[float, str, float | None, float | None]] = []
        self.base = Instance(dataset)
        self.first = FirstStage.of(self.base, first_period(dataset, decide_before), placement)
        self.odds = np.array([s.probability for s in scenarios]) / sum(s.probability for s in scenarios)
        self.best: Held | None = None
        self.bound, self.certified = -np.inf, -np.inf
        self.phase = "starting"
        self.method = Method.EXTENSIVE
        self.tried: dict[tuple[float, ...], Held | None] = {}

    def run(self, method: Method) -> FuturesPlan:
        """From scenarios to the plan."""
        subs = self._built()
        lower, upper = common_bounds(subs, self.risk.weight > 0)
        with Crew([*subs, self._base_sub(subs)], min(self.workers, len(subs)), self.seed) as crew:
            recourse = Recourse(crew, subs, self.odds, self.risk, lower, upper, self.gap)
            known = self._alone(crew, recourse, subs)
            expected = self._expected(crew, recourse)
            if (lower > upper + 1e-9).any():
                raise ScenarioInfeasibleError("", self._no_common(lower, upper))
            self._search(method, recourse, subs, known)
            self._clock("search")
        if self.best is None:
            if np.isposinf(self.bound):
                raise ScenarioInfeasibleError("", ["each has a plan on its own"])
            raise NoFuturesPlanError(-self.bound * MILLION if np.isfinite(self.bound) else None)
        return self._result(subs, self.best, known, expected)

    # parts -------------------------------------------------------------------------------------

    def _built(self) -> list[Sub]:
        """The model of every future."""
        found = []
        for number, scenario in enumerate(self.scenarios):
            self._tell(f"building future {number + 1} of {len(self.scenarios)}")
            found.append(self._sub(scenario, applied(self.dataset, scenario)))
        self._clock("build")
        return found

    def _sub(self, scenario: Scenario, dataset: Dataset) -> Sub:
        try:
            return build(scenario, dataset, self.first, self.risk)
        except DirectiveConflictError as conflict:
            raise ScenarioInfeasibleError(scenario.name, [str(conflict)]) from None

    def _base_sub(self, subs: list[Sub]) -> Sub:
        """The dataset as planned; one of the futures may be it."""
        same = next((sub for sub in subs if not sub.scenario.changes), None)
        return same or self._sub(AS_PLANNED, self.dataset)

    def _alone(self, crew: Crew, recourse: Recourse, subs: list[Sub]) -> list[Found]:
        """Every future on its own: what it is worth to know it, and whether it can be planned at all."""
        self._tell("each future on its own")
        known = recourse.alone(self.control)
        for sub, found in zip(subs, known, strict=True):
            if found.outcome is Outcome.INFEASIBLE:
                matrix = replace(sub.matrix, cost=sub.loss, offset=sub.loss_offset)
                control = Control(time.monotonic() + CONFLICT_SECONDS, self.control.stop)
                raise ScenarioInfeasibleError(sub.scenario.name, conflicts(sub.instance, matrix, control, threads=1, seed=self.seed))
        self.raise_bound(self.risk.objective(np.array([found.bound for found in known]), self.odds), -np.inf)
        self._clock("known")
        return known

    def _expected(self, crew: Crew, recourse: Recourse) -> Held | None:
        """The first stage of the plan for the dataset as it is, held in every future."""
        self._tell("first stage of the plan for the dataset as it is")
        base = len(crew.subs) - 1
        first: Floats | None
        if self.start is not None:
            known = decided(self.dataset, self.start, self.dataset, self.first.before, self.first.placement)
            first = np.array(self.first.values_of(known))
        else:
            first = crew.run([recourse.task(base, *crew.subs[base].bounds())], self.control)[0].first
        held = None if first is None else self._try(recourse, first)
        self._clock("expected")
        return held

    def _search(self, method: Method, recourse: Recourse, subs: list[Sub], known: list[Found]) -> None:
        """From first stages of single futures to the best in common, and its bound."""
        for k in np.argsort(-self.odds, kind="stable").tolist()[:TRIED]:
            first = known[k].first
            if first is not None and not self.done:
                self._try(recourse, first)
        if self.done:
            return
        whole = extensive(subs, self.odds, recourse.lower, recourse.upper)
        if method is Method.EXTENSIVE or (method is Method.AUTO and whole.matrix.a.nnz <= EXTENSIVE):
            self._extensive(recourse, whole, subs)
        else:
            self.method = Method.DECOMPOSITION
            self._decomposed(recourse, whole, subs)

    def _extensive(self, recourse: Recourse, whole: Extensive, subs: list[Sub]) -> None:
        """All futures as one model."""
        self._tell("relaxation of all futures together")
        relaxed, certified = whole.relaxed(self.control, self.seed)
        if relaxed.outcome is Outcome.INFEASIBLE:
            self.bound = np.inf
            return
        self.raise_bound(certified, certified)
        if self.done:
            return
        self._tell("branch and bound over all futures together")

        def improved(x: Floats, objective: float, bound: float) -> None:
            self.raise_bound(bound, -np.inf)

        start = None if self.best is None else whole.start(self._complete(subs, self.best))
        found = whole.solve(self.control, self.gap * 0.5, self.seed, self.workers, start, improved)
        if found.outcome is Outcome.INFEASIBLE and self.best is None:
            self.bound = np.inf
            return
        if found.x is not None:
            self._try(recourse, subs[0].first(whole.parts(found.x)[0]), late=True)
        self.raise_bound(found.bound, -np.inf)

    def _decomposed(self, recourse: Recourse, whole: Extensive, subs: list[Sub]) -> None:
        """Futures on their own, held together by prices of their first stage."""
        multipliers = [np.zeros((len(subs), len(recourse.lower)))]
        if whole.matrix.a.nnz <= RELAXED:
            self._tell("relaxation of all futures together")
            relaxed, certified = whole.relaxed(self.control, self.seed)
            if relaxed.outcome is Outcome.INFEASIBLE:
                self.bound = np.inf
                return
            self.raise_bound(certified, certified)
            if relaxed.row_dual is not None:
                multipliers.append(whole.multipliers(subs, relaxed.row_dual))
        self._tell("prices of what must be decided in common")
        bundle = Bundle(recourse.crew, self.odds, True, self.gap * 0.1)
        integer = whole.matrix.integer[: len(recourse.lower)]
        search = Decomposition(
            bundle, recourse.lower, recourse.upper, integer, lambda first: self._take(recourse, first),
            lambda: np.inf if self.best is None else self.best.objective, self.raise_bound, self.gap, self.control,
        )  # fmt: skip
        search.run(multipliers)
        if not search.nodes and self.best is None and not self.control.over:
            self.bound = np.inf

    # what is found -----------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether the gap asked for is proven, or time is up."""
        return self.reached <= max(self.gap, SMALLEST_GAP) or self.control.over

    @property
    def reached(self) -> float:
        """Relative gap of the best plan to the bound."""
        if self.best is None or not np.isfinite(self.bound):
            return np.inf
        return relative_gap(-self.bound * MILLION, -self.best.objective * MILLION)

    def raise_bound(self, bound: float, certified: float) -> None:
        """Take a lower limit of the objective, million USD, if it is better; never above the best plan."""
        most = np.inf if self.best is None else self.best.objective
        self.certified = max(self.certified, min(certified, most))
        if min(bound, most) > self.bound and np.isfinite(min(bound, most)):
            self.bound = min(bound, most)
            self._tell(self.phase)

    def _take(self, recourse: Recourse, first: Floats) -> None:
        self._try(recourse, first)

    def _try(self, recourse: Recourse, first: Floats, late: bool = False) -> Held | None:
        """Hold a first stage in every future, and take it if it is the best."""
        size = recourse.components
        key = tuple(np.round(first[:size], 7).tolist())
        if key in self.tried:
            return self.tried[key]
        control = Control(np.inf, self.control.stop) if late and self.best is None else self.control
        held = recourse.held(first, control)
        if held is not None or not control.over:
            self.tried[key] = held
        if held is not None and (self.best is None or held.objective < self.best.objective - 1e-12):
            self.best = held
            if held.objective < self.bound:  # a bound that a plan proves false gives way
                self.bound = min(self.certified, held.objective) if held.objective < self.bound - 1e-6 * abs(self.bound) else held.objective
            self._tell(self.phase)
        return held

    def _complete(self, subs: list[Sub], held: Held) -> list[Floats]:
        """Solutions of the futures with eta at the value at risk, and each excess above it."""
        if self.risk.weight == 0:
            return held.solutions
        order = np.argsort(-held.losses, kind="stable")
        at_risk = held.losses[order[int(np.searchsorted(np.cumsum(self.odds[order]), 1 - self.risk.alpha - 1e-12))]]
        found = []
        for sub, x, loss in zip(subs, held.solutions, held.losses.tolist(), strict=True):
            full = x.copy()
            eta = sub.positions[-1]
            full[eta], full[eta + 1] = at_risk, max(0.0, loss - at_risk)
            found.append(full)
        return found

    def _no_common(self, lower: Floats, upper: Floats) -> list[str]:
        """Components whose bounds have nothing in common."""
        wrong = [key for key, low, high in zip(self.first.keys, lower.tolist(), upper.tolist(), strict=False) if low > high + 1e-9]
        return [f"{family} {' '.join(str(part) for part in parts)}" for family, *parts in wrong[:5]]

    def _tell(self, phase: str) -> None:
        self.phase = phase
        value = None if self.best is None else -self.best.objective * MILLION
        bound = -self.bound * MILLION if np.isfinite(self.bound) else None
        seconds = time.monotonic() - self.began
        self.events.append((seconds, phase, value, bound))
        if self.progress is not None:
            gap = self.reached if np.isfinite(self.reached) else None
            self.progress(Progress(seconds, phase, value, bound, gap))

    def _clock(self, name: str) -> None:
        self.seconds[name] = time.monotonic() - self.began - sum(self.seconds.values())

    # the result --------------------------------------------------------------------------------

    def _result(self, subs: list[Sub], best: Held, known: list[Found], expected: Held | None) -> FuturesPlan:
        """Plans of all futures, audited, with what they are worth.

        Raises:
            SolverError: a plan failed its audit, or they anticipate.
        """
        self._tell("writing and auditing the plans")
        plans = []
        for sub, x, limit in zip(subs, best.solutions, best.limits.tolist(), strict=True):
            made, faults = plan_of(sub, x, limit, self.gap, self.seed)
            if faults:
                raise SolverError(f"the plan of scenario {sub.scenario.name!r} failed its audit: " + "; ".join(faults[:5]))
            plans.append(made)
        futures = [(sub.scenario.name, sub.dataset, plan) for sub, plan in zip(subs, plans, strict=True)]
        faults = anticipations(self.dataset, futures, self.first.before, self.first.placement)
        if faults:
            raise SolverError("the plans decide differently before it is known which future comes: " + "; ".join(faults[:5]))
        self._clock("audit")
        size = len(self.first.keys)
        first = dict(zip(self.first.keys, (best.first[:size] + 0.0).tolist(), strict=True))
        rows = self._rows(subs, best, known, expected, plans)
        table = pd.DataFrame(rows, columns=list(SCENARIO_COLUMNS))
        events = pd.DataFrame(self.events, columns=["seconds", "phase", "npv_usd", "bound_usd"])
        summary = self._summary(best, known, expected, float(self.odds @ table["late_gpu_periods"].to_numpy(float)))
        told = list(zip(self.scenarios, plans, strict=True))
        return FuturesPlan(first, self.first.table(first), table, told, summary, self.first.directives(self.base, first), events)

    def _rows(self, subs: list[Sub], best: Held, known: list[Found], expected: Held | None, plans: list[Plan]) -> list[tuple[object, ...]]:
        """Rows of the table of scenarios."""
        rows: list[tuple[object, ...]] = []
        for k, (sub, plan) in enumerate(zip(subs, plans, strict=True)):
            alone = known[k]
            rows.append(
                (
                    sub.scenario.name, float(self.odds[k]), plan.summary.npv_usd, -best.limits[k] * MILLION,
                    -alone.value * MILLION if np.isfinite(alone.value) else None,
                    -alone.bound * MILLION if np.isfinite(alone.bound) else None,
                    None if expected is None else -expected.losses[k] * MILLION, late_gpu_periods(plan), "; ".join(sub.scenario.happened),
                )
            )  # fmt: skip
        return rows

    def _summary(self, best: Held, known: list[Found], expected: Held | None, late: float) -> FuturesSummary:
        gap = self.reached
        value, bound = -best.objective * MILLION, -min(self.bound, best.objective) * MILLION
        reached = gap <= max(self.gap, SMALLEST_GAP)
        reason = StopReason.GAP_REACHED if reached else StopReason.USER_STOP if self.control.stop.is_set() else StopReason.TIME_LIMIT
        known_losses = np.array([found.value for found in known]), np.array([found.bound for found in known])
        highest, lowest = (self.risk.objective(losses, self.odds) for losses in known_losses)
        solution = Range(low=None, high=None)
        if expected is not None:
            solution = _range(value + expected.limit * MILLION, bound + expected.objective * MILLION)
        return FuturesSummary(
            dataset=DatasetRef(name=self.dataset.name, sha256=self.dataset.sha256), decide_before=self.decide_before,
            placement=self.first.placement, scenarios=len(self.scenarios), weight=self.risk.weight, alpha=self.risk.alpha,
            method=self.method.value, status=status_of(gap, self.gap), stop_reason=reason, value_usd=value, bound_usd=bound,
            bound_certified_usd=-self.certified * MILLION if np.isfinite(self.certified) else None, gap=gap, gap_requested=self.gap,
            expected_npv_usd=-float(self.odds @ best.losses) * MILLION,
            cvar_npv_usd=-cvar(best.losses, self.odds, self.risk.alpha) * MILLION,
            expected_plan_value_usd=None if expected is None else -expected.objective * MILLION,
            value_of_stochastic_solution_usd=solution,
            value_of_perfect_information_usd=_range(-highest * MILLION - bound, -lowest * MILLION - value),
            late_gpu_periods=late, solver=SolverInfo(name="HiGHS", version=VERSION, threads=self.workers, seed=self.seed),
            seconds=self.seconds | {"total": time.monotonic() - self.began}, audit_passed=True,
        )  # fmt: skip


def _range(low: float, high: float) -> Range:
    """A value of information, which is never negative."""
    return Range(low=max(0.0, low) if np.isfinite(low) else None, high=max(0.0, high) if np.isfinite(high) else None)


def late_gpu_periods(plan: Plan) -> float:
    """Contract GPUs short, summed over periods."""
    return float(plan.tables["contracts"]["short_gpus"].sum())


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

"""First stages put to the test in futures that they were not made for."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from models.dataset import Dataset
from models.plan import Plan
from models.uncertainty import Scenario
from optimizer.audit import audit
from optimizer.blocks.base import MILLION
from optimizer.futures.crew import Desk, Found, Task, end_with_parent
from optimizer.futures.finish import late_gpu_periods
from optimizer.futures.first_stage import FirstStage, Key
from optimizer.futures.planner import applied, first_period
from optimizer.futures.recourse import plan_of
from optimizer.futures.risk import Risk, cvar
from optimizer.futures.searched import repaired
from optimizer.futures.sub import Sub, build
from optimizer.highs import Control, SolverError
from optimizer.instance import Instance
from optimizer.search import SMALL
from optimizer.whatif import Planner

TEST_COLUMNS: dict[str, str] = {
    "plan": "whose first stage is held",
    "scenario": "the future",
    "probability": "of the future",
    "npv_usd": "of the future's plan with that first stage, or of its relaxation if that is asked for; empty where it can't be held, USD",
    "bound_usd": "upper limit of it, USD",
    "late_gpu_periods": "contract GPUs short, summed over periods",
}
"""Columns of the table of tests, with meaning and unit."""

Row = tuple[str, str, float, float | None, float | None, float | None]


@dataclass
class Test:
    """What is tested.

    Args:
        dataset: the dataset as planned.
        first: its first stage.
        plans: first stages by name.
        gap: relative gap of each future's plan.
        seed: of the solver.
        seconds: most time of one first stage in one future.
        relaxed: whether the second stage is relaxed: an upper limit of NPV, much sooner where models are large.
        base: the plan for the dataset as it is, from which plans of large models are repaired.
    """

    __test__ = False
    dataset: Dataset
    first: FirstStage
    plans: Mapping[str, Mapping[Key, float]]
    gap: float
    seed: int
    seconds: float
    relaxed: bool
    base: Plan | None
    _planner: Planner | None = field(default=None)

    def rows(self, scenario: Scenario) -> list[Row]:
        """Every first stage in a future.

        Raises:
            UncertaintyError: the future can't be applied.
            SolverError: the solver failed, or a plan failed its audit.
        """
        sub = build(scenario, applied(self.dataset, scenario), self.first, Risk())
        found = []
        for name, values in self.plans.items():
            row = self._held(sub, values)
            found.append((name, scenario.name, scenario.probability, *row))
        return found

    def _held(self, sub: Sub, values: Mapping[Key, float]) -> tuple[float | None, float | None, float | None]:
        """NPV, its bound and lateness of a first stage in a future."""
        control = Control(time.monotonic() + self.seconds)
        if not self.relaxed and sub.matrix.a.nnz > SMALL:
            return self._searched(sub, values, control)
        first = np.array([values[key] for key in self.first.keys])
        found = Desk([sub], self.seed).solve(Task(0, first, first, whole=not self.relaxed, gap=self.gap, keep=True), control)
        if found.x is None:
            return None, None, None
        if self.relaxed:
            late = sum(gpus for _, gpus in sub.matrix.values("short", found.x))
            return -found.value * MILLION, -found.bound * MILLION, float(late)
        return self._audited(sub, found)

    def _audited(self, sub: Sub, found: Found) -> tuple[float | None, float | None, float | None]:
        """What a solution is worth as a plan, which passes its audit."""
        assert found.x is not None
        made, faults = plan_of(sub, found.x, found.bound, self.gap, self.seed)
        if faults:
            raise SolverError(f"the plan of scenario {sub.scenario.name!r} failed its audit: " + "; ".join(faults[:5]))
        return made.summary.npv_usd, made.summary.bound_usd, late_gpu_periods(made)

    def _searched(self, sub: Sub, values: Mapping[Key, float], control: Control) -> tuple[float | None, float | None, float | None]:
        """The plan for the dataset as it is, repaired."""
        if self.base is None:
            raise ValueError("plans of large models are repaired from one for the dataset as it is: give base, or ask for relaxed")
        if self._planner is None:
            self._planner = Planner(self.dataset, self.base, threads=1, seed=self.seed)
            self._planner.warm()
        made = repaired(self._planner, sub, self.first.directives(sub.instance, values), [self.base], self.gap, control)
        if made is None:
            return None, None, None
        faults = [violation.message for violation in audit(sub.dataset, made).violations]
        if faults:
            raise SolverError(f"the plan of scenario {sub.scenario.name!r} failed its audit: " + "; ".join(faults[:5]))
        return made.summary.npv_usd, made.summary.bound_usd, late_gpu_periods(made)


def out_of_sample(
    dataset: Dataset, plans: Mapping[str, Mapping[Key, float]], scenarios: Sequence[Scenario], *, decide_before: str,
    placement: bool = False, gap: float = 0.01, seconds: float = 60.0, time_limit: float = 3600.0, workers: int | None = None,
    seed: int = 0, relaxed: bool = False, base: Plan | None = None, progress: Callable[[int], None] = lambda done: None,
    stop: threading.Event | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Hold first stages in futures, such as fresh draws, and solve the rest of each.

    All first stages are tested in one future before the next, so that those tested before time is up compare.

    Args:
        dataset: the dataset as planned.
        plans: first stages by name, as ``FuturesPlan.first``.
        scenarios: the futures.
        decide_before, placement: as the first stages were made for.
        gap: relative gap of each future's plan.
        seconds: most time of one first stage in one future.
        time_limit: seconds after which no other future is begun.
        workers: processes; all cores if not given.
        seed: of the solver.
        relaxed: whether the second stage is relaxed: an upper limit of NPV, much sooner where models are large.
        base: the plan for the dataset as it is, from which plans of large models are repaired.
        progress: called with the number of futures tested.
        stop: set it to begin no other future.

    Returns:
        A row for each future and first stage; columns ``TEST_COLUMNS``.

    Raises:
        UncertaintyError: a scenario can't be applied, or the period is not one of the dataset.
        SolverError: the solver failed, or a plan failed its audit.
        ValueError: a first stage lacks a component.
    """
    first = FirstStage.of(Instance(dataset), first_period(dataset, decide_before), placement)
    for name, values in plans.items():
        lacking = [key for key in first.keys if key not in values]
        if lacking:
            raise ValueError(f"the first stage of {name!r} has no {' '.join(str(part) for part in lacking[0])}")
    test = Test(dataset, first, plans, gap, seed, seconds, relaxed, base)
    control = Control(time.monotonic() + time_limit, stop or threading.Event())
    rows: list[Row] = []
    for done, part in enumerate(_each(test, scenarios, workers or os.cpu_count() or 1, control), start=1):
        rows += part
        progress(done)
    return pd.DataFrame(rows, columns=list(TEST_COLUMNS))


def _each(test: Test, scenarios: Sequence[Scenario], workers: int, control: Control) -> Iterator[list[Row]]:
    """Rows of each future, in order, until time is up."""
    if workers == 1:
        for scenario in scenarios:
            if control.over:
                return
            yield test.rows(scenario)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=partial(_take, test)) as pool:
        for begin in range(0, len(scenarios), workers):
            if control.over:
                return
            yield from pool.map(_rows, scenarios[begin : begin + workers])


_tests: list[Test] = []
"""What a worker process tests."""


def _take(test: Test) -> None:
    """Take the test to a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    _tests[:] = [test]


def _rows(scenario: Scenario) -> list[Row]:
    """A future in a worker process."""
    return _tests[0].rows(scenario)


def compared(table: pd.DataFrame, alpha: float = 0.95) -> pd.DataFrame:
    """Each first stage over the futures in which all could be held.

    Args:
        table: of :func:`out_of_sample`.
        alpha: level of the CVaR.

    Returns:
        Columns plan, scenarios, not_held, mean_npv_usd, cvar_npv_usd, late_gpu_periods (mean); no number where none could be held by all.
    """
    held = table.groupby("scenario")["npv_usd"].transform(lambda npv: npv.notna().all()).astype(bool)
    rows = []
    for name, own in table.groupby("plan", sort=False):
        both = own[held.loc[own.index]]
        npv, odds = both["npv_usd"].to_numpy(float), both["probability"].to_numpy(float)
        odds = odds / odds.sum() if len(odds) else odds
        worst = -cvar(-npv, odds, alpha) if len(npv) else np.nan
        mean, late = (float(odds @ values) if len(npv) else np.nan for values in (npv, both["late_gpu_periods"].to_numpy(float)))
        rows.append((name, len(both), int(own["npv_usd"].isna().sum()), mean, worst, late))
    return pd.DataFrame(rows, columns=["plan", "scenarios", "not_held", "mean_npv_usd", "cvar_npv_usd", "late_gpu_periods"])

"""Budgeted robustness: the first stage that is best in the worst case, whichever so many of some sites slip.

The worst case over all ways to slip is at least as bad as over some of them, so the plan for some gives a bound for all. It is held in
every way to slip; the worst of these joins the some, until the worst is among them (scenario generation).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from models.dataset import Dataset
from models.plan import SMALLEST_GAP, Plan, relative_gap
from models.uncertainty import Scenario, any_late
from optimizer.futures.first_stage import Key
from optimizer.futures.outofsample import out_of_sample
from optimizer.futures.planner import plan_futures
from optimizer.futures.result import FuturesPlan
from optimizer.futures.state import NoFuturesPlanError
from optimizer.highs import Control
from optimizer.planner import Progress

NAME = "robust"
LEAST = 0.1
"""Seconds left to a search at least."""
SEARCH = 0.5
"""Share of the time left that the search for a first stage may take, so that it can be held in every future after it."""


@dataclass
class RobustPlan:
    """The plan that is best in the worst case.

    Attributes:
        first: its first stage by component.
        first_stage: the same as a table.
        worst: the future that is worst for it.
        worst_npv_usd: NPV in it, USD.
        bound_usd: upper limit of the worst case of any first stage, USD.
        gap: relative gap between them.
        table: the first stage in every future; columns ``optimizer.futures.outofsample.TEST_COLUMNS``.
        chosen: names of the futures that were planned for together, in the order in which they came.
        plan: for these futures.
    """

    first: dict[Key, float]
    first_stage: pd.DataFrame
    worst: str
    worst_npv_usd: float
    bound_usd: float
    gap: float
    table: pd.DataFrame
    chosen: list[str]
    plan: FuturesPlan


def plan_any_late(
    dataset: Dataset, sites: Sequence[str], number: int, delay_periods: int = 2, *, decide_before: str, gap: float = 0.01,
    time_limit: float = 600.0, workers: int | None = None, seed: int = 0, placement: bool = False, start: Plan | None = None,
    progress: Callable[[Progress], None] | None = None, stop: threading.Event | None = None,
) -> RobustPlan:  # fmt: skip
    """The plan that is best in the worst case, if just ``number`` of the sites slip, whichever they are.

    Args:
        dataset: the dataset as planned.
        sites: sites that may slip.
        number: how many of them do.
        delay_periods: by how many periods.
        decide_before, gap, time_limit, workers, seed, placement, start, progress, stop: as of :func:`plan_futures`; large models need
            ``start``, from which their plans are repaired.

    Raises:
        UncertaintyError: an unknown site, a number that cannot be, or too many combinations.
        ScenarioInfeasibleError, NoFuturesPlanError, SolverError: as of :func:`plan_futures`.
    """
    every = any_late(dataset, sites, number, delay_periods)
    control = Control(time.monotonic() + time_limit, stop or threading.Event())
    count = workers or os.cpu_count() or 1
    chosen, best, bound = every[:1], None, float("inf")
    while True:
        odds = 1 / len(chosen)
        same = [Scenario(s.name, odds, s.changes, s.happened) for s in chosen]
        try:
            found = plan_futures(
                dataset, same, decide_before=decide_before, weight=1.0, alpha=1 - odds / 2, gap=gap / 2, workers=count, seed=seed,
                time_limit=max(LEAST, SEARCH * control.remaining), placement=placement, start=start, progress=progress, stop=control.stop,
            )  # fmt: skip
        except NoFuturesPlanError as error:
            if best is None:
                raise
            best.bound_usd = max(best.worst_npv_usd, min(best.bound_usd, error.bound_usd or float("inf")))
            best.gap = relative_gap(best.bound_usd, best.worst_npv_usd)
            return best
        bound = min(bound, found.summary.bound_usd)
        table = out_of_sample(
            dataset, {NAME: found.first}, every, decide_before=decide_before, placement=placement, gap=gap / 2, workers=count, seed=seed,
            base=start, time_limit=max(LEAST, control.remaining), stop=control.stop,
        )  # fmt: skip
        if len(table) < len(every):  # time is up: the worst case is not known
            if best is None:
                raise NoFuturesPlanError(bound)
            return best
        table["npv_usd"] = table["npv_usd"].astype(float)
        rows = table.sort_values("npv_usd", na_position="first", kind="stable").to_dict("records")
        worst, npv = str(rows[0]["scenario"]), float(rows[0]["npv_usd"])
        if npv == npv and (best is None or npv > best.worst_npv_usd):  # not a number: some future can't hold the first stage
            best = RobustPlan(found.first, found.first_stage, worst, npv, bound, 0.0, table, [], found)
        if best is not None:
            best.bound_usd = max(bound, best.worst_npv_usd)
            best.gap, best.chosen = relative_gap(best.bound_usd, best.worst_npv_usd), [s.name for s in chosen]
        known = {s.name for s in chosen}
        if worst in known or control.over or (best is not None and best.gap <= max(gap, SMALLEST_GAP)):
            if best is None:
                raise NoFuturesPlanError(bound)
            return best
        chosen = [*chosen, next(s for s in every if s.name == worst)]

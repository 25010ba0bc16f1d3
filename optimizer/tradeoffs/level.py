"""The highest level at which a plan is still worth enough, by halving.

The worth of the best plan never rises with the level, so a level at which the proven bound is too low rules out all above it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from models.plan import Plan
from models.targets import Targets
from optimizer.planner import InfeasibleError, NoPlanError, Progress
from optimizer.whatif import Mode, Planner

STEP = 0.01
"""Least distance of two levels that are told apart."""


@dataclass(frozen=True)
class Tried:
    """What came of a level.

    Attributes:
        level: asked for.
        npv_usd: of the plan found, USD; None without one.
        bound_usd: what no plan at this level can exceed, USD; minus infinity where there is none, None where nothing is proven.
        seconds: wall-clock time.
    """

    level: float
    npv_usd: float | None
    bound_usd: float | None
    seconds: float


@dataclass(frozen=True)
class Highest:
    """The highest level found.

    Attributes:
        level: that the plan reaches, at least the one asked for; None without a plan.
        plan: worth enough; None if there is none.
        ceiling: no plan at this level or above it is worth enough, which is proven; None where nothing is.
        tried: every level tried, in order.
    """

    level: float | None
    plan: Plan | None
    ceiling: float | None
    tried: tuple[Tried, ...]


@dataclass
class Asking:
    """How levels are asked.

    Args:
        planner: warm; its plan is where every search starts.
        floor_usd: NPV of a plan that is worth enough, USD.
        seconds: most for each level.
        gap: relative gap at which a search ends that finds none worth enough.
        tries: most levels.
        progress: called as searches go on.
        stop: set it to end with what was found.
    """

    planner: Planner
    floor_usd: float
    seconds: float = 60.0
    gap: float = 1e-3
    tries: int = 5
    progress: Callable[[Progress], None] | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    def highest(self, targets: Callable[[float], Targets], reached: Callable[[Plan], float], first: float) -> Highest:
        """Look for the highest level, from 0 to 1.

        Args:
            targets: of a level.
            reached: level of a plan.
            first: level tried first.
        """
        best: Plan | None = None
        ceiling: float | None = None
        found: list[Tried] = []
        low, top, level = 0.0, 1.0, first
        while len(found) < self.tries and not self.stop.is_set():
            plan, tried = self._ask(level, targets(level))
            found.append(tried)
            if plan is not None and (plan.summary.npv_usd or 0.0) >= self.floor_usd:
                best, low = plan, max(low, level, reached(plan))
            else:
                top = level
                if tried.bound_usd is not None and tried.bound_usd < self.floor_usd:
                    ceiling = level if ceiling is None else min(ceiling, level)
            if top - low < STEP or low >= 1.0:
                break
            level = (low + top) / 2.0
        return Highest(low if best is not None else None, best, ceiling, tuple(found))

    def _ask(self, level: float, targets: Targets) -> tuple[Plan | None, Tried]:
        """A plan at a level; the search ends as soon as one is worth enough."""
        began, enough = time.monotonic(), threading.Event()

        def progress(now: Progress) -> None:
            if self.stop.is_set() or (now.npv_usd is not None and now.npv_usd >= self.floor_usd):
                enough.set()
            if self.progress is not None:
                self.progress(now)

        plan, bound = None, None
        try:
            plan = self.planner.change(
                [], Mode.REPAIR, gap=self.gap, time_limit=self.seconds, progress=progress, stop=enough, targets=targets
            ).plan
            bound = None if plan is None else plan.summary.bound_usd
        except InfeasibleError:
            bound = float("-inf")
        except NoPlanError as error:
            bound = error.summary.bound_usd
        npv = None if plan is None else plan.summary.npv_usd
        return plan, Tried(level, npv, bound, time.monotonic() - began)

"""A search's state: what is asked, the best plan and the bound so far, the clock and the log."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np

from models.dataset import Dataset
from models.plan import SMALLEST_GAP, Plan, relative_gap
from models.uncertainty import Scenario
from optimizer.blocks.base import MILLION
from optimizer.futures.crew import Found
from optimizer.futures.first_stage import FirstStage
from optimizer.futures.recourse import Held
from optimizer.futures.risk import Risk
from optimizer.highs import Control
from optimizer.instance import Floats
from optimizer.planner import Progress

FALSE = 1e-6
"""Relative amount by which a plan must be better than a bound to prove it false."""


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


class Holder(Protocol):
    """Holds a first stage in all futures."""

    def held(self, first: Floats, control: Control) -> Held | None:
        """A first stage in all futures; None if one can't hold it, or time is up."""


@dataclass
class State:
    """A search over futures; objectives in million USD, to be minimised.

    Args:
        dataset: the dataset as planned.
        scenarios: the futures, no two with the same changes.
        odds: of each; they add to 1; shape (futures,).
        first: the first stage.
        risk: the objective.
        gap: relative gap asked for.
        control: deadline and stop.
        workers, seed: of the solver.
        progress: called with each event.
        start: the plan for the dataset as it is, if it is given.

    Attributes:
        best: the best first stage so far, held in all futures.
        bound: proven lower limit of the objective.
        certified: the part of it that follows from duals of relaxations.
        tried: first stages tried, with what became of them.
        infeasible: whether no first stage can be held in all futures.
    """

    dataset: Dataset
    scenarios: list[Scenario]
    odds: Floats
    first: FirstStage
    risk: Risk
    gap: float
    control: Control
    workers: int
    seed: int
    progress: Callable[[Progress], None] | None = None
    start: Plan | None = None
    best: Held | None = None
    bound: float = -np.inf
    certified: float = -np.inf
    tried: dict[tuple[float, ...], Held | None] = field(default_factory=dict)
    infeasible: bool = False
    method: Method = Method.EXTENSIVE
    phase: str = "starting"
    began: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)
    events: list[tuple[float, str, float | None, float | None]] = field(default_factory=list)

    @property
    def objective(self) -> float:
        """Objective of the best plan."""
        return np.inf if self.best is None else self.best.objective

    @property
    def reached(self) -> float:
        """Relative gap of the best plan to the bound."""
        if self.best is None or not np.isfinite(self.bound):
            return np.inf
        return relative_gap(-self.bound * MILLION, -self.best.objective * MILLION)

    @property
    def done(self) -> bool:
        """Whether the gap asked for is proven, nothing is feasible, or time is up."""
        return self.reached <= max(self.gap, SMALLEST_GAP) or self.infeasible or self.control.over

    def raise_bound(self, bound: float, certified: float = -np.inf) -> None:
        """Take a lower limit of the objective, if it is better; never above the best plan."""
        self.certified = max(self.certified, min(certified, self.objective))
        better = min(bound, self.objective)
        if np.isfinite(better) and better > self.bound:
            self.bound = better
            self.tell(self.phase)

    def key(self, first: Floats) -> tuple[float, ...]:
        """What tells first stages apart."""
        return tuple(np.round(first[: len(self.first.keys)], 7).tolist())

    def try_first(self, holder: Holder, first: Floats, control: Control | None = None) -> Held | None:
        """Hold a first stage in every future, and take it if it is the best.

        A bound that it proves false gives way to the certified one.

        Args:
            holder: holds it.
            first: shape (components,); what stands for eta does not count.
            control: deadline and stop; those of the search, if not given.
        """
        key = self.key(first)
        if key in self.tried:
            return self.tried[key]
        control = control or self.control
        held = holder.held(first, control)
        if held is not None or not control.over:
            self.tried[key] = held
        if held is not None and held.objective < self.objective - 1e-12:
            self.best = held
            if held.objective < self.bound - FALSE * max(1.0, abs(self.bound)):
                self.bound = self.certified
            self.bound = min(self.bound, held.objective)
            self.tell(self.phase)
        return held

    def scale(self, known: list[Found], lower: Floats, upper: Floats) -> Floats:
        """What counts as a large difference of each component: its range; of eta, how far the losses of the futures spread."""
        scale = np.maximum(upper - lower, 1.0)
        if self.risk.weight > 0:
            losses = np.array([found.bound for found in known])
            scale[-1] = max(float(np.ptp(losses)), 1e-3 * float(np.abs(losses).max()), 1e-9)
        return scale

    def prices(self, known: list[Found], components: int) -> Floats:
        """First multipliers: that of eta weights the futures as the CVaR of their losses does; shape (futures, components)."""
        multipliers = np.zeros((len(self.odds), components))
        if self.risk.weight > 0:
            multipliers[:, -1] = self.risk.weights(np.array([found.bound for found in known]), self.odds) - 1.0
        return multipliers

    def tell(self, phase: str) -> None:
        """Add an event to the log."""
        self.phase = phase
        value = None if self.best is None else -self.best.objective * MILLION
        bound = -self.bound * MILLION if np.isfinite(self.bound) else None
        seconds = time.monotonic() - self.began
        self.events.append((seconds, phase, value, bound))
        if self.progress is not None:
            self.progress(Progress(seconds, phase, value, bound, self.reached if np.isfinite(self.reached) else None))

    def clock(self, name: str) -> None:
        """Count the time since the last call to a phase."""
        self.seconds[name] = time.monotonic() - self.began - sum(self.seconds.values())

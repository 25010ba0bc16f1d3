"""What a search has found so far: the best solution, the bound, and the log of how they came."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from models.plan import SMALLEST_GAP, relative_gap
from optimizer.blocks.base import MILLION
from optimizer.exact import DECIDED, columns_of, exact
from optimizer.highs import AUDITED, Control, Statuses, certified_bound
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix

FALSE = 1e-6
"""Relative amount by which a plan must be better than a bound to prove it false."""
BETTER = 1e-12
"""Amount by which a solution must be better than the best to replace it, million USD."""


@dataclass(frozen=True)
class Event:
    """One line of the search's log: seconds since the start, what was done, best NPV and bound, USD."""

    seconds: float
    phase: str
    npv_usd: float | None
    bound_usd: float | None


@dataclass
class Record:
    """State of a search.

    Args:
        instance: the data.
        matrix: the model.
        gap: relative gap asked for.
        control: deadline and stop.
        threads: cores that the search may use.
        seed: of HiGHS and of all draws.
        report: called with each event.
        keep: called with each better solution.
    """

    instance: Instance
    matrix: Matrix
    gap: float
    control: Control
    threads: int = 1
    seed: int = 0
    report: Callable[[Event], None] = lambda event: None
    keep: Callable[[Floats], None] = lambda x: None
    began: float = field(default_factory=time.monotonic)
    events: list[Event] = field(default_factory=list)
    best: Floats | None = None
    bound: float = -np.inf
    certified: float = -np.inf
    row_dual: Floats | None = None
    basis: Statuses | None = None
    """Basis of the relaxation."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held while the best solution, the bound or the events change: a search may run in several threads."""
    relaxed_after: float = 0.0
    """Seconds until the relaxation was solved."""

    @property
    def best_objective(self) -> float:
        """Objective of the best solution, million USD to be minimised."""
        return np.inf if self.best is None else self.objective(self.best)

    @property
    def reached(self) -> float:
        """Relative gap of the best solution to the bound."""
        if self.best is None or not np.isfinite(self.bound):
            return np.inf
        return relative_gap(-self.bound * MILLION, -self.best_objective * MILLION)

    @property
    def proven(self) -> bool:
        """Whether the gap asked for is proven."""
        return self.reached <= max(self.gap, SMALLEST_GAP)

    @property
    def done(self) -> bool:
        """Whether the gap asked for is proven, or time is up."""
        return self.proven or self.control.over

    def objective(self, x: Floats) -> float:
        """Million USD, to be minimised."""
        return float(self.matrix.cost @ x + self.matrix.offset)

    def log(self, phase: str, claimed: float = np.inf) -> None:
        """Add an event; ``claimed`` is the objective of a solution that is not made exact yet."""
        best = min(self.best_objective, claimed)
        npv = -best * MILLION if np.isfinite(best) else None
        bound = -self.bound * MILLION if np.isfinite(self.bound) else None
        with self.lock:
            event = Event(time.monotonic() - self.began, phase, npv, bound)
            self.events.append(event)
            self.report(event)

    def certify(self, row_dual: Floats) -> None:
        """Take duals of the relaxation, if they prove a better bound than those before."""
        certified = certified_bound(self.matrix, row_dual)
        with self.lock:
            if certified > self.certified:
                self.row_dual, self.certified = row_dual, certified
                self.raise_bound(certified)

    def raise_bound(self, bound: float) -> None:
        """Take a lower limit of the objective, if it is better; never above the best solution."""
        with self.lock:
            if bound > self.bound:
                self.bound = min(bound, self.best_objective)

    def offer(self, x: Floats, phase: str) -> bool:
        """Take a solution if, made exact, it is better than the best; also when time is up, so that a plan at hand is not lost.

        Args:
            x: only its whole numbers count; shape (columns,).
        """
        found = exact(self.matrix, x, self.seed)
        return found is not None and self.accept(found, phase)

    def accept(self, x: Floats, phase: str) -> bool:
        """Take an exact solution if it holds and is better than the best; a bound that it proves false gives way to the certified one.

        Args:
            x: shape (columns,).
        """
        whole = x[columns_of(self.matrix, DECIDED)]
        if (whole != np.round(whole)).any() or self.matrix.violation(x) > 2 * AUDITED:
            return False
        with self.lock:
            if self.objective(x) >= self.best_objective - BETTER:
                return False
            self.best = x
            if self.best_objective < self.bound - FALSE * max(1.0, abs(self.bound)):
                self.bound = self.certified
            self.bound = min(self.bound, self.best_objective)
            self.log(phase)
            self.keep(x)
        return True

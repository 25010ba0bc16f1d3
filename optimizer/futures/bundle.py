"""The Lagrangian dual of non-anticipativity, raised by cutting planes within a trust region.

Multipliers ``m_k`` price the first stage of each future; weighted with the odds they add to 0, so that where all futures agree
they cancel. ``D(m) = sum of p_k * min (cost_k(x) + m_k . first_k(x))`` is then a lower limit of every plan (Caroe and Schultz 1999).
Each solution of a future is a plane above its ``D_k``; the master maximises below all planes, within a box around the best
multipliers so far, whose size follows how well the planes foretold (Linderoth and Wright 2003).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import coo_array, csc_array

from optimizer.futures.crew import Crew, Found, Task
from optimizer.highs import Control, Outcome, Program
from optimizer.instance import Floats
from optimizer.matrix import Ints, Matrix

SERIOUS, GOOD = 0.1, 0.6
"""Shares of the foretold rise below which the reach shrinks, and above which it grows."""
SHARE = 0.05
"""Reach of the first step, taken in all components, as a share of the objective, at most."""
LOOSEST = 1e-3
"""Largest relative gap of a solve; it shrinks with what there is to prove."""
SLACK = 1e-9
"""Distance within which a first stage lies within bounds."""


@dataclass(frozen=True)
class Plane:
    """A solution of a future: its cost, and its first stage."""

    sub: int
    value: float
    first: Floats


@dataclass
class Dual:
    """Multipliers and what they prove.

    Attributes:
        bound: lower limit of the objective, million USD.
        certified: the part of it that follows from duals of relaxations.
        multipliers: that prove it; shape (futures, components).
        found: solutions of the futures at these multipliers.
        converged: whether no multipliers can prove much more.
        infeasible: a future that has no solution; None if all have.
        consensus: mean of the first stage over the planes that carry the master; shape (components,).
    """

    bound: float
    certified: float
    multipliers: Floats
    found: list[Found]
    converged: bool = False
    infeasible: int | None = None
    consensus: Floats | None = None


@dataclass
class Bundle:
    """Cutting planes of the Lagrangian dual.

    Args:
        crew: solves the futures.
        odds: of each; shape (futures,).
        whole: whether the futures are solved for whole numbers, or relaxed.
        gap: smallest relative gap of each solve.
        scale: what counts as a large difference of each component of the first stage; shape (components,).
    """

    crew: Crew
    odds: Floats
    whole: bool
    gap: float
    scale: Floats
    planes: list[Plane] = field(default_factory=list)
    _aim: float = np.inf
    _last: float = -np.inf

    def raised(
        self, lower: Floats, upper: Floats, multipliers: Sequence[Floats], control: Control, rounds: int, enough: float, tolerance: float,
        told: Callable[[Dual], None] = lambda dual: None, before: Dual | None = None, seconds: float = np.inf,
    ) -> Dual:  # fmt: skip
        """Raise the dual within bounds of the first stage.

        Args:
            lower, upper: bounds of the first stage; shape (components,).
            multipliers: to start from the best of; shape (futures, components) each.
            control: deadline and stop.
            rounds: most solves of all futures.
            enough: bound at which to stop.
            tolerance: rise below which it has converged, million USD.
            told: called after each round.
            before: what was proven within the same bounds, to go on from in place of multipliers.
            seconds: no round is begun that, by the time of the one before, would end later.
        """
        self._aim, self._last, began, last = enough, -np.inf, time.monotonic(), 0.0
        spread = np.maximum(np.minimum(upper - lower, self.scale), SLACK)
        free = np.flatnonzero(upper - lower > SLACK)
        best = before or self._solved(lower, upper, multipliers[0], control)
        for other in multipliers[1:] if before is None else ():
            if best.infeasible is None and best.bound < enough and not control.over:
                new = self._solved(lower, upper, other, control)
                best = new if new.bound > best.bound or new.infeasible is not None else best
        told(best)
        size = max(tolerance, min(enough - best.bound, SHARE * abs(best.bound)) / np.sqrt(max(1, len(free))))
        for _ in range(rounds - 1):
            if best.infeasible is not None or best.bound >= enough or control.over or not np.isfinite(best.bound) or not len(free):
                break
            since = time.monotonic()
            if since + last - began > seconds:
                break
            trial, foretold, best.consensus = self._master(lower, upper, free, best.multipliers, size / spread, control)
            if trial is None or foretold - best.bound <= tolerance:
                best.converged = trial is not None
                break
            new = self._solved(lower, upper, trial, control)
            if not np.isfinite(new.bound):
                break
            rise = (new.bound - best.bound) / (foretold - best.bound)
            size *= 3.0 if rise >= GOOD else 1.0 if rise >= SERIOUS else 0.7 if rise >= 0 else max(0.1, 0.5 / (1.0 - rise))
            if new.bound > best.bound:
                new.consensus, best = best.consensus, new
            told(best)
            last = time.monotonic() - since
        best.converged |= not len(free)
        return best

    def _solved(self, lower: Floats, upper: Floats, multipliers: Floats, control: Control) -> Dual:
        """The dual's value at multipliers; its solutions become planes."""
        left = (self._aim - self._last) / max(abs(self._aim), 1e-6)
        gap = max(self.gap, min(LOOSEST, 0.05 * left)) if np.isfinite(left) else LOOSEST
        tasks = [Task(k, lower, upper, multipliers[k], self.whole, True, gap) for k in range(len(self.odds))]
        found = self.crew.run(tasks, control)
        for k, one in enumerate(found):
            if one.outcome is Outcome.INFEASIBLE:
                return Dual(np.inf, np.inf, multipliers, found, infeasible=k)
            if one.first is not None:
                self.planes.append(Plane(k, one.value, one.first))
        bound = float(self.odds @ np.array([one.bound for one in found]))
        self._last = max(self._last, bound)
        return Dual(bound, float(self.odds @ np.array([one.certified for one in found])), multipliers, found)

    def _master(
        self, lower: Floats, upper: Floats, free: Ints, center: Floats, reach: Floats, control: Control
    ) -> tuple[Floats | None, float, Floats | None]:
        """Best multipliers below the planes and within reach of the center, what they promise, and the planes' mean first stage."""
        count, parts = len(self.odds), len(free)
        planes = [p for p in self.planes if (p.first >= lower - SLACK).all() and (p.first <= upper + SLACK).all()]
        if len({p.sub for p in planes}) < count:
            return None, np.inf, None
        subs = np.array([p.sub for p in planes])
        firsts = np.array([p.first[free] for p in planes])
        rows = np.arange(len(planes))
        a = coo_array(
            (
                np.concatenate([np.ones(len(planes)), -firsts.ravel(), np.repeat(self.odds, parts)]),
                (
                    np.concatenate([rows, np.repeat(rows, parts), len(planes) + np.tile(np.arange(parts), count)]),
                    np.concatenate([subs, (count + subs[:, None] * parts + np.arange(parts)).ravel(), count + np.arange(count * parts)]),
                ),
            ),
            shape=(len(planes) + parts, count + count * parts),
        )
        middle, around = center[:, free].ravel(), np.tile(reach[free], count)
        nothing = np.zeros(parts)
        matrix = Matrix(
            a=csc_array(a), cost=np.concatenate([-self.odds, np.zeros(count * parts)]), offset=0.0,
            row_lower=np.concatenate([np.full(len(planes), -np.inf), nothing]),
            row_upper=np.concatenate([np.array([p.value for p in planes]), nothing]),
            lower=np.concatenate([np.full(count, -np.inf), middle - around]),
            upper=np.concatenate([np.full(count, np.inf), middle + around]),
            integer=np.zeros(count + count * parts, dtype=bool), columns={}, rows={},
        )  # fmt: skip
        found = Program(matrix, threads=1).solve(control)
        if found.outcome is not Outcome.OPTIMAL or found.x is None or found.row_dual is None:
            return None, np.inf, None
        trial = center.copy()
        trial[:, free] = found.x[count:].reshape(count, parts)
        trial -= self.odds @ trial  # what rounding leaves: a bound needs the sum to be 0
        weights = np.abs(found.row_dual[: len(planes)])
        consensus = np.sum([w * p.first for w, p in zip(weights.tolist(), planes, strict=True)], axis=0) / max(weights.sum(), SLACK)
        return trial, -found.objective, consensus

"""Measures of searches: time to a gap, primal integral, means, spread and growth. Pure functions.

A trajectory is what a search knew when: points (seconds, NPV, bound) in order of time, USD; None where nothing was
known yet. A point holds until the next one. Values count as reported, so a claim that is withdrawn later does not count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from models.plan import relative_gap

Point = tuple[float, float | None, float | None]
"""Seconds, NPV and bound, USD."""
ROUNDING = 1e-9
"""Relative difference below which gaps count as equal."""


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of a sample."""

    median: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class AtLeast:
    """A figure, or its lower limit.

    Attributes:
        value: the figure.
        exact: whether it is the figure; otherwise the true one is at least as large.
    """

    value: float
    exact: bool


@dataclass(frozen=True)
class Growth:
    """``time = factor * size ** exponent``, fitted by least squares to logarithms.

    Attributes:
        error: standard error of the exponent; nan with fewer than three points.
    """

    exponent: float
    factor: float
    error: float


def gap_of(npv: float | None, bound: float | None) -> float:
    """Relative gap of model.md; infinite where either is unknown."""
    return math.inf if npv is None or bound is None else relative_gap(bound, npv)


def time_to_gap(trajectory: Sequence[Point], gap: float, *, bound: float | None = None, limit: float = math.inf) -> float | None:
    """Seconds after which the gap is never again above ``gap``; None if that is not so at ``limit``.

    Args:
        trajectory: in order of time.
        bound: a bound, USD, to measure against in place of the search's own.
        limit: seconds after which nothing counts.
    """
    since: float | None = None
    for seconds, npv, own in trajectory:
        if seconds > limit:
            break
        inside = gap_of(npv, own if bound is None else bound) <= gap * (1 + ROUNDING)
        since = (seconds if since is None else since) if inside else None
    return since


def final_gap(trajectory: Sequence[Point], *, bound: float | None = None, limit: float = math.inf) -> float:
    """Gap of the last point up to ``limit``; infinite if there is none."""
    last = [point for point in trajectory if point[0] <= limit][-1:]
    return gap_of(last[0][1], last[0][2] if bound is None else bound) if last else math.inf


def primal_gap(npv: float | None, best: float) -> float:
    """Distance from the best NPV known, in [0, 1].

    Source: Berthold, Measuring the impact of primal heuristics, Operations Research Letters 41 (2013): 1 with no solution
    or one of the other sign, 0 if both are equal, else the difference by the larger absolute value.
    """
    if npv is None or npv * best < 0:
        return 1.0
    return 0.0 if npv == best else abs(npv - best) / max(abs(npv), abs(best))


def primal_integral(trajectory: Sequence[Point], best: float, limit: float) -> float:
    """Integral of the primal gap over [0, limit], seconds (Berthold 2013); at most ``limit``.

    Args:
        trajectory: in order of time.
        best: best NPV known of the instance, USD.
        limit: seconds.
    """
    total, last, height = 0.0, 0.0, 1.0
    for seconds, npv, _ in trajectory:
        now = min(max(seconds, 0.0), limit)
        total += (now - last) * height
        last, height = now, primal_gap(npv, best)
        if seconds >= limit:
            break
    return total + (limit - last) * height


def best_npv(trajectories: Iterable[Sequence[Point]]) -> float | None:
    """Largest NPV at the end of any search, USD."""
    return max((t[-1][1] for t in trajectories if t and t[-1][1] is not None), default=None)


def best_bound(trajectories: Iterable[Sequence[Point]]) -> float | None:
    """Least bound at the end of any search, USD."""
    return min((t[-1][2] for t in trajectories if t and t[-1][2] is not None), default=None)


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles, by linear interpolation between the two nearest values; of infinities too.

    Raises:
        ValueError: no values.
    """
    if not values:
        raise ValueError("no values to take a median of")
    low, median, high = (_quantile(sorted(values), q) for q in (0.25, 0.5, 0.75))
    return Spread(median, low, high, len(values))


def _quantile(ordered: Sequence[float], q: float) -> float:
    place = q * (len(ordered) - 1)
    below, part = int(place), place - int(place)
    if part == 0 or ordered[below] == ordered[below + 1]:  # the difference of two infinities is none
        return ordered[below]
    return ordered[below] + part * (ordered[below + 1] - ordered[below])


def geometric_mean(values: Sequence[float], shift: float = 0.0) -> float:
    """``(product of (value + shift)) ** (1/n) - shift``; a shift keeps values near 0 from deciding.

    Raises:
        ValueError: no values, or one below 0 or with ``shift`` not above 0.
    """
    if not values or min(values) < 0 or min(values) + shift <= 0:
        raise ValueError("a geometric mean needs values of at least 0, above 0 with the shift")
    return math.exp(math.fsum(math.log(value + shift) for value in values) / len(values)) - shift


def mean_time(times: Sequence[float | None], limits: Sequence[float], shift: float = 0.0) -> AtLeast:
    """Shifted geometric mean of times; one that was not reached counts as its limit, so that the mean is a lower limit.

    Args:
        times, limits: seconds, shape (runs,).

    Raises:
        ValueError: no times, or as many limits as there are not times.
    """
    counted = [limit if time is None else time for time, limit in zip(times, limits, strict=True)]
    return AtLeast(geometric_mean(counted, shift), None not in times)


def times_faster(ours: float | None, theirs: float | None, limit: float) -> AtLeast | None:
    """How many times longer theirs took; a lower limit where theirs did not reach it within ``limit``; None where ours did not."""
    if ours is None:
        return None
    return AtLeast((limit if theirs is None else theirs) / max(ours, 1e-3), theirs is not None)


def growth(sizes: Sequence[float], times: Sequence[float]) -> Growth:
    """The power law of times against sizes.

    Raises:
        ValueError: fewer than two sizes that differ, or a value not above 0.
    """
    if len(set(sizes)) < 2 or min(*sizes, *times) <= 0:
        raise ValueError("growth needs two sizes that differ, and values above 0")
    x, y = np.log(np.asarray(sizes, dtype=float)), np.log(np.asarray(times, dtype=float))
    away = x - x.mean()
    exponent = float(away @ (y - y.mean()) / (away @ away))
    constant = float(y.mean() - exponent * x.mean())
    rest = y - constant - exponent * x
    error = math.sqrt(float(rest @ rest) / (len(x) - 2) / float(away @ away)) if len(x) > 2 else math.nan
    return Growth(exponent, math.exp(constant), error)

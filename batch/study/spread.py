"""Distribution of a figure over runs with odds: mean, quantiles, and the mean of the worst twentieth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.futures.risk import cvar

TAIL = 0.05
"""Share of the odds that CVaR 95 % averages over."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Spread:
    """A figure over runs, in its own unit.

    Attributes:
        runs: how many have the figure.
        mean: by odds.
        deviation: standard deviation by odds.
        lowest, highest: of all.
        quantiles: by share of the odds.
        cvar: mean of the worst 5 % of the odds.
    """

    runs: int
    mean: float
    deviation: float
    lowest: float
    highest: float
    quantiles: dict[float, float]
    cvar: float


def spread(values: Sequence[float], odds: Sequence[float], worst_is_low: bool) -> Spread | None:
    """The distribution of values; None without any.

    Args:
        values: one a run; NaN where a run has none.
        odds: weight of each.
        worst_is_low: whether low values are the bad ones.
    """
    x, w = np.asarray(values, dtype=float), np.asarray(odds, dtype=float)
    x, w = x[~np.isnan(x)], w[~np.isnan(x)]
    if not x.size or w.sum() <= 0:
        return None
    order = np.argsort(x, kind="stable")
    x, w = x[order], w[order] / w.sum()
    mean = float(x @ w)
    deviation = float(np.sqrt(max(0.0, float((x - mean) ** 2 @ w))))
    tail = -cvar(-x, w, 1 - TAIL) if worst_is_low else cvar(x, w, 1 - TAIL)
    return Spread(int(x.size), mean, deviation, float(x[0]), float(x[-1]), {q: quantile(x, w, q) for q in QUANTILES}, tail)


def quantile(x: NDArray[np.float64], w: NDArray[np.float64], q: float) -> float:
    """The lowest value at or below which lies a share of at least ``q`` of the odds; ``x`` ascends, ``w`` adds to 1."""
    at = int(np.searchsorted(np.cumsum(w), q - 1e-12))
    return float(x[min(at, x.size - 1)])

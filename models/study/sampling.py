"""A Latin hypercube: of each axis every part of equal odds is drawn just once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import accumulate


def strata(runs: int, seed: int, axis: str) -> list[float]:
    """One number in [0, 1) for each run, one in each of ``runs`` equal parts, in random order.

    Every axis has a stream of its own, so that another axis added or left out does not move it. Only ``random()`` is used,
    whose sequence Python keeps from version to version.

    Args:
        runs: numbers to draw.
        seed: of the draw.
        axis: names the stream.
    """
    rng = random.Random(f"{seed}/{axis}")
    keys = [rng.random() for _ in range(runs)]
    order = sorted(range(runs), key=keys.__getitem__)
    found = [0.0] * runs
    for part, run in enumerate(order):
        found[run] = min((part + rng.random()) / runs, 1.0 - 2**-53)
    return found


def number(u: float, low: float, high: float, whole: bool) -> float | int:
    """The value at ``u`` of [0, 1) in a range; whole numbers all have the same odds, both ends included."""
    if whole:
        return min(int(low) + int(u * (int(high) - int(low) + 1)), int(high))
    return low + u * (high - low)


def choice(u: float, odds: Sequence[float]) -> int:
    """Which entry ``u`` of [0, 1) falls on, by their odds."""
    sums = list(accumulate(odds))
    return next((n for n, top in enumerate(sums) if u * sums[-1] < top), len(sums) - 1)

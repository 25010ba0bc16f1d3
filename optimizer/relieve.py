"""Serving sites that are too many: a contract gives up a site where its smallest cluster can't be held.

Sites are chosen on merged periods, where power that comes a period late is not seen. What the whole model then
can't hold is found by letting clusters fall short, at a price, and dropping the site with the largest shortfall.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csc_array, hstack

from optimizer.highs import Control, Outcome, Program
from optimizer.instance import Floats
from optimizer.matrix import Matrix
from optimizer.shrink import shrink
from optimizer.sites import Sets

DROPPED = 6
"""Most sites dropped."""
SHORT = 1e-6
"""Contract GPUs below which a cluster is not short."""


def relieve(matrix: Matrix, sets: Sets, control: Control, seed: int = 0) -> Sets | None:
    """Drop sites of contracts until the rest can be held; the last one only where no other is left to drop.

    Returns:
        The sites that are left, none for a contract that lost its last; None when that does not help, or time is up.
    """
    rows, index = matrix.rows["min_cluster"]
    sets, columns = dict(sets), matrix.shape[1]
    elastic = _elastic(matrix, rows)
    duties: set[str] = set()
    last: tuple[str, Sets] | None = None
    for _ in range(DROPPED):
        lower, upper = elastic.lower.copy(), elastic.upper.copy()
        lower[:columns], upper[:columns] = held_to(matrix, sets)
        rest = shrink(elastic, lower, upper)
        found = Program(rest.matrix, threads=1, seed=seed).solve(control, method="ipm")
        if found.outcome is Outcome.INFEASIBLE and last is not None:
            # It lost its last site, and must be delivered all the same.
            duties.add(last[0])
            sets, last = last[1], None
            continue
        if found.outcome is not Outcome.OPTIMAL or found.x is None:
            return None
        short = rest.whole(found.x)[columns:]
        if short.sum() <= SHORT:
            return sets
        by_pair: dict[tuple[str, str], float] = {}
        for (c, s, _), gpus in zip(index, short.tolist(), strict=True):
            by_pair[str(c), str(s)] = by_pair.get((str(c), str(s)), 0.0) + gpus
        chosen = [pair for pair in by_pair if sets.get(pair[0]) and pair[0] not in duties and by_pair[pair] > SHORT]
        if not chosen:
            return None
        c, s = max(chosen, key=lambda pair: (len(sets[pair[0]]) > 1, by_pair[pair], pair))
        last = (c, dict(sets)) if len(sets[c]) == 1 else None
        sets[c] = tuple(site for site in sets[c] if site != s)
    return None


def held_to(matrix: Matrix, sets: Sets) -> tuple[Floats, Floats]:
    """Bounds of a model with contracts held to their sites; shape (columns,) each."""
    first, index = matrix.columns["serve"]
    serve = np.arange(first, first + len(index))
    served = np.array([float(s in sets[c]) if c in sets else -1.0 for c, s in index])
    lower, upper = matrix.lower.copy(), matrix.upper.copy()
    upper[serve] = np.where(served == 0.0, lower[serve], upper[serve])
    lower[serve] = np.where(served == 1.0, upper[serve], lower[serve])
    return lower, upper


def _elastic(matrix: Matrix, rows: np.ndarray) -> Matrix:
    """The model with a column for the shortfall of each of some rows, and their sum as objective."""
    count, columns = len(rows), matrix.shape[1]
    sides = np.where(np.isfinite(matrix.row_lower[rows]), 1.0, -1.0)
    more = csc_array((sides, (rows, np.arange(count))), shape=(matrix.shape[0], count))
    return replace(
        matrix,
        a=csc_array(hstack([matrix.a, more], format="csc")),
        cost=np.concatenate([np.zeros(columns), np.ones(count)]),
        offset=0.0,
        lower=np.concatenate([matrix.lower, np.zeros(count)]),
        upper=np.concatenate([matrix.upper, np.full(count, 1e9)]),
        integer=np.concatenate([matrix.integer, np.zeros(count, dtype=bool)]),
    )

"""A shorter horizon: periods in which little changes merged into one, for choices that need many relaxations.

The merged model is no bound and no plan. It says which sites serve a contract better, several times
faster than the model itself; what it says is then carried out in the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array

from optimizer.blocks.base import Index
from optimizer.instance import Floats, Instance
from optimizer.matrix import Ints, Matrix

LEVELS = frozenset(
    {
        "open", "built", "in_service", "retrofit_mw", "sold", "sold_tier", "delivered", "short", "sign", "serve", "kept_fleet",
        "revenue", "revenue_total", "shared",
    }
)  # fmt: skip
"""Families that hold during a period: one value for all merged periods."""
FLOWS = frozenset({"installed", "retired", "retrofit_ordered", "retrofit_order_mw", "moved", "paid_moves", "kept"})
"""Families that happen at the start of a period: in the first of the merged periods."""
YES_OR_NO = frozenset({"retrofit_ordered"})
"""Flows of which there is at most one."""
CARRIED = frozenset({"unused_supply", "unspent_budget"})
"""Families carried from one period to the next: the value at the end of the merged periods."""
NO_PERIOD = frozenset({"distance", "carbon_cap"})
"""Constraints whose last index is a number, but no period."""


class UnknownFamilyError(Exception):
    """A family of variables of which this module does not say how its periods merge."""


@dataclass(frozen=True)
class Merged:
    """A model with merged periods.

    Attributes:
        matrix: its matrix; families keep their names, the last index of a period is the number of its group.
        groups: the periods of each group.
    """

    matrix: Matrix
    groups: list[range]


def merge_groups(inst: Instance, count: int, longest: int = 6) -> list[range]:
    """Split the horizon where demand, power and supply change most.

    Groups minimise the discounted deviation of contract GPUs owed, GPUs that power can hold, and GPUs
    allocated from their mean within the group (dynamic programming over the borders).

    Args:
        count: number of groups, at least T/longest.
        longest: most periods in a group.
    """
    gpus = np.array([row.gpus_per_rack for row in inst.gen_rows.values()], dtype=float)
    per_mw = float(np.median(gpus / np.array([inst.rack_mw[g] for g in inst.gens])))
    state = np.vstack([inst.owed, inst.it_most * per_mw, np.cumsum(inst.supply, axis=1) * gpus[:, None]]).T * inst.disc[:, None]
    total, longest = inst.T, max(longest, -(-inst.T // count))
    cost = np.full((total, total + 1), np.inf)
    for a in range(total):
        for b in range(a + 1, min(total, a + longest) + 1):
            cost[a, b] = np.abs(state[a:b] - state[a:b].mean(axis=0)).sum()
    best = np.full((count + 1, total + 1), np.inf)
    best[0, 0] = 0.0
    border = np.zeros((count + 1, total + 1), dtype=int)
    for k in range(1, count + 1):
        for b in range(1, total + 1):
            choices = best[k - 1, :b] + cost[:b, b]
            border[k, b] = int(choices.argmin())
            best[k, b] = choices[border[k, b]]
    k, b = int(best[:, total].argmin()), total
    groups: list[range] = []
    while b > 0:
        a = int(border[k, b])
        groups.append(range(a, b))
        k, b = k - 1, a
    return groups[::-1]


def merge_periods(matrix: Matrix, groups: list[range]) -> Merged:
    """The model over groups of periods: rows of a group are added up, its columns tied.

    Raises:
        UnknownFamilyError: a family of variables is in none of ``LEVELS``, ``FLOWS`` and ``CARRIED``.
    """
    unknown = set(matrix.columns) - LEVELS - FLOWS - CARRIED
    if unknown:
        raise UnknownFamilyError(f"say in {__name__} how the periods of {', '.join(sorted(unknown))} merge")
    of_period = {t: k for k, group in enumerate(groups) for t in group}
    place = np.full(matrix.shape[1], -1, dtype=np.intp)
    columns: dict[str, tuple[int, list[Index]]] = {}
    lower: list[float] = []
    upper: list[float] = []
    whole: list[bool] = []
    for name, (first, index) in matrix.columns.items():
        begin, at = len(lower), dict[Index, int]()
        added = name in FLOWS - YES_OR_NO
        for i, key in enumerate(index):
            low, high = float(matrix.lower[first + i]), float(matrix.upper[first + i])
            merged = _merged(key, of_period)
            new = merged not in at
            j = at.setdefault(merged, begin + len(at))
            if new:
                lower.append(low)
                upper.append(high)
                whole.append(bool(matrix.integer[first + i]))
            elif added:
                lower[j], upper[j] = lower[j] + low, upper[j] + high
            else:
                lower[j], upper[j] = min(lower[j], low), max(upper[j], high)
            never = low == 0.0 == high
            if (new or name not in FLOWS) and not (never and name in LEVELS):
                place[first + i] = j
        columns[name] = (begin, list(at))
    rows, row_place, row_count = _merged_rows(matrix, of_period)
    kept = np.flatnonzero(place >= 0)
    tie = csc_array((np.ones(len(kept)), (kept, place[kept])), shape=(matrix.shape[1], len(lower)))
    add = csc_array((np.ones(matrix.shape[0]), (row_place, np.arange(matrix.shape[0]))), shape=(row_count, matrix.shape[0]))
    a = csc_array(add @ matrix.a @ tie)
    a.data[np.abs(a.data) < 1e-12] = 0.0
    a.eliminate_zeros()
    row_lower, row_upper = np.zeros(row_count), np.zeros(row_count)
    np.add.at(row_lower, row_place, matrix.row_lower)
    np.add.at(row_upper, row_place, matrix.row_upper)
    small = Matrix(
        a=a, cost=np.asarray(tie.T @ matrix.cost), offset=matrix.offset, row_lower=row_lower, row_upper=row_upper,
        lower=np.array(lower), upper=np.array(upper), integer=np.array(whole, dtype=bool), columns=columns, rows=rows,
    )  # fmt: skip
    return Merged(small, groups)


def carry_over(matrix: Matrix, merged: Merged, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """Bounds of yes-or-no columns of a model that say what bounds of the merged model say; signatures stay open (the merged model misjudges them).

    What begins in a group of periods may begin in any of them; what does not begin in the merged model never does.

    Args:
        lower, upper: bounds of the merged model; shape (merged columns,).

    Returns:
        Bounds of the model; shape (columns,).
    """
    low, high = matrix.lower.copy(), matrix.upper.copy()
    of_period = {t: k for k, group in enumerate(merged.groups) for t in group}
    for name in ("serve", "open", "built", "retrofit_ordered"):
        first, index = matrix.columns[name]
        begin, small = merged.matrix.columns[name]
        at = {key: begin + i for i, key in enumerate(small)}
        for i, key in enumerate(index):
            group = _merged(key, of_period)
            j = at[group]
            if lower[j] > 0.5 and name in LEVELS:
                before = at.get((*group[:-1], group[-1] - 1)) if name in ("open", "built") else j
                if before is not None and lower[before] > 0.5:
                    low[first + i] = high[first + i]
            elif upper[j] < 0.5:
                high[first + i] = low[first + i]
    return low, high


def _merged(key: Index, of_period: dict[int, int]) -> Index:
    """The index with its period replaced by the number of its group."""
    last = key[-1] if key else None
    return (*key[:-1], of_period[last]) if isinstance(last, int) and last in of_period else key


def _merged_rows(matrix: Matrix, of_period: dict[int, int]) -> tuple[dict[str, tuple[Ints, list[Index]]], Ints, int]:
    """Rows of each constraint in the merged model, the merged row of each row, and how many there are."""
    found: dict[str, tuple[Ints, list[Index]]] = {}
    place = np.zeros(matrix.shape[0], dtype=np.intp)
    count = 0
    for name, (rows, index) in matrix.rows.items():
        at: dict[Index, int] = {}
        for row, key in zip(rows.tolist(), index, strict=True):
            place[row] = at.setdefault(key if name in NO_PERIOD else _merged(key, of_period), count + len(at))
        found[name] = (np.arange(count, count + len(at), dtype=np.intp), list(at))
        count += len(at)
    return found, place, count

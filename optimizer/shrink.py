"""A model without what its bounds have settled: columns fixed, rows that can't be broken.

Once serving sites are chosen, most of the model is settled: what is not delivered from a site, what is not sold
there. The relaxations that follow are solved on the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from optimizer.blocks.base import Index
from optimizer.exact import YES_OR_NO
from optimizer.instance import Floats
from optimizer.matrix import Ints, Matrix

KEPT = frozenset({*YES_OR_NO, "installed", "retired", "in_service", "retrofit_order_mw"})
"""Families that stay whole, even where fixed: decisions are looked up in them."""
PASSES = 4
"""Times that rows are looked through for columns that they fix."""
TIGHT = 1e-12
"""Relative distance from its limit within which a row's least activity leaves its columns no room."""


@dataclass(frozen=True)
class Shrunk:
    """The rest of a model.

    Attributes:
        matrix: of the rest; families keep their names.
        columns: the columns that are left, by their place in the model; shape (columns of ``matrix``,).
        fixed: values of the others; shape (columns of the model,).
    """

    matrix: Matrix
    columns: Ints
    fixed: Floats

    def whole(self, x: Floats) -> Floats:
        """A solution of the model from one of the rest; shape (columns of the model,)."""
        found = self.fixed.copy()
        found[self.columns] = x
        return found


def unshrunk(matrix: Matrix) -> Shrunk:
    """All of a model."""
    return Shrunk(matrix, np.arange(matrix.shape[1]), np.zeros(matrix.shape[1]))


def shrink(matrix: Matrix, lower: Floats, upper: Floats) -> Shrunk:
    """Leave out columns that are fixed, or that a row fixes, and rows that no solution can break.

    Args:
        lower, upper: bounds within those of the matrix, all finite; shape (columns,).
    """
    lower, upper = lower.copy(), upper.copy()
    by_row = matrix.a.tocsr()
    up, down = by_row.maximum(0.0), by_row.minimum(0.0)
    entry_rows = np.repeat(np.arange(matrix.shape[0]), np.diff(by_row.indptr))
    size = abs(by_row) @ np.maximum(np.abs(lower), np.abs(upper))
    slack = TIGHT * np.maximum(1.0, size)
    for _ in range(PASSES):
        least, most = up @ lower + down @ upper, up @ upper + down @ lower
        at_least, at_most = least >= matrix.row_upper - slack, most <= matrix.row_lower + slack
        forced_low, forced_high = at_least[entry_rows], at_most[entry_rows]
        rises = by_row.data > 0
        to_lower = np.unique(by_row.indices[(forced_low & rises) | (forced_high & ~rises)])
        to_upper = np.unique(by_row.indices[(forced_low & ~rises) | (forced_high & rises)])
        before = int((lower < upper).sum())
        clash = np.intersect1d(to_lower, to_upper)
        to_lower, to_upper = np.setdiff1d(to_lower, clash), np.setdiff1d(to_upper, clash)
        upper[to_lower] = lower[to_lower]
        lower[to_upper] = upper[to_upper]
        if int((lower < upper).sum()) == before:
            break
    least, most = up @ lower + down @ upper, up @ upper + down @ lower
    loose = (least >= matrix.row_lower - slack) & (most <= matrix.row_upper + slack)
    gone = lower >= upper
    for family in KEPT & matrix.columns.keys():
        gone[matrix.of(family)] = False
    columns, rows = np.flatnonzero(~gone), np.flatnonzero(~loose)
    fixed = np.where(gone, lower, 0.0)
    constant = by_row @ fixed
    small = replace(
        matrix,
        a=matrix.a[rows][:, columns].tocsc(),
        cost=matrix.cost[columns],
        offset=matrix.offset + float(matrix.cost @ fixed),
        row_lower=matrix.row_lower[rows] - constant[rows],
        row_upper=matrix.row_upper[rows] - constant[rows],
        lower=lower[columns],
        upper=upper[columns],
        integer=matrix.integer[columns],
        columns=_columns_left(matrix, ~gone),
        rows=_rows_left(matrix, ~loose),
    )
    return Shrunk(small, columns, fixed)


def _columns_left(matrix: Matrix, left: np.ndarray) -> dict[str, tuple[int, list[Index]]]:
    """First column and indices of each family in the rest."""
    place = np.concatenate([[0], np.cumsum(left)])
    return {
        name: (int(place[first]), [key for i, key in enumerate(index) if left[first + i]])
        for name, (first, index) in matrix.columns.items()
    }


def _rows_left(matrix: Matrix, left: np.ndarray) -> dict[str, tuple[Ints, list[Index]]]:
    """Rows and indices of each constraint in the rest."""
    place = np.cumsum(left) - 1
    found: dict[str, tuple[Ints, list[Index]]] = {}
    for name, (rows, index) in matrix.rows.items():
        there = left[rows]
        found[name] = (place[rows[there]], [key for key, kept in zip(index, there.tolist(), strict=True) if kept])
    return found

"""The extensive form: all futures in one model that share the columns of the first stage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csc_array

from optimizer.futures.sub import MISSING, Sub
from optimizer.highs import Control, Improvement, Outcome, Program, Solution, certified_bound
from optimizer.instance import Floats
from optimizer.matrix import Ints, Matrix


@dataclass
class Extensive:
    """The extensive form.

    Attributes:
        matrix: the first stage's columns, then each future's own.
        columns: of each future's columns, theirs in the whole; shape (columns of the future,) each.
        odds: of each future; shape (futures,).
    """

    matrix: Matrix
    columns: list[Ints]
    odds: Floats

    def start(self, parts: list[Floats]) -> Floats:
        """A solution of the whole from one of each future, all with the same first stage."""
        x = np.zeros(self.matrix.shape[1])
        for columns, part in zip(self.columns, parts, strict=True):
            x[columns] = part
        return x

    def parts(self, x: Floats) -> list[Floats]:
        """A solution of the whole, by future."""
        return [x[columns] for columns in self.columns]

    def solve(
        self, control: Control, gap: float, seed: int, threads: int, start: Floats | None = None, on_improvement: Improvement | None = None
    ) -> Solution:
        """Branch and bound.

        Args:
            gap: relative gap at which it ends.
            start: a solution to start from; shape (columns,).
            on_improvement: called with each better solution and the bound.
        """
        program = Program(self.matrix, integer=True, threads=threads, seed=seed)
        program.option("mip_rel_gap", gap)
        program.option("mip_abs_gap", 1e-9)
        return program.solve(control, start=start, on_improvement=on_improvement)

    def relaxed(self, control: Control, seed: int) -> tuple[Solution, float]:
        """The relaxation, and the lower limit that its duals certify, million USD; minus infinity without duals."""
        found = Program(self.matrix, threads=1, seed=seed).solve(control)
        if found.outcome is not Outcome.OPTIMAL or found.row_dual is None:
            return found, -np.inf
        return found, certified_bound(self.matrix, found.row_dual)

    def multipliers(self, subs: list[Sub], row_dual: Floats) -> Floats:
        """Multipliers of the first stage's equality that make the separated relaxations as good as the whole; shape (futures, components).

        With the reduced cost ``rc`` of a shared column, future k gets ``rc - (cost_k - a_k'y_k/p_k)``; weighted with the odds they
        add to 0.

        Args:
            subs: the futures.
            row_dual: of the relaxation; shape (rows,).
        """
        found, begin = np.zeros((len(subs), len(subs[0].positions))), 0
        for k, sub in enumerate(subs):
            rows = sub.matrix.shape[0]
            own = sub.matrix.cost - np.asarray(sub.matrix.a.T @ row_dual[begin : begin + rows]) / self.odds[k]
            begin += rows
            there = sub.positions != MISSING
            found[k, there] = -own[sub.positions[there]]
        return found - self.odds @ found


def extensive(subs: list[Sub], odds: Floats, lower: Floats, upper: Floats) -> Extensive:
    """Put futures together.

    Args:
        subs: the futures.
        odds: of each; shape (futures,).
        lower, upper: bounds of the first stage; shape (components,).
    """
    size = len(lower)
    columns, count = list[Ints](), size
    for sub in subs:
        there = sub.positions != MISSING
        own = np.full(sub.matrix.shape[1], MISSING, dtype=np.intp)
        own[sub.positions[there]] = np.flatnonzero(there)
        free = np.flatnonzero(own == MISSING)
        own[free] = np.arange(count, count + len(free))
        count += len(free)
        columns.append(own)
    cost, low, high = np.zeros(count), np.full(count, -np.inf), np.full(count, np.inf)
    integer = np.zeros(count, dtype=bool)
    rows, data, row_at, column_at = 0, list[Floats](), list[Ints](), list[Ints]()
    for sub, own, p in zip(subs, columns, odds.tolist(), strict=True):
        m = sub.matrix
        np.add.at(cost, own, p * m.cost)
        low[own], high[own] = np.maximum(low[own], m.lower), np.minimum(high[own], m.upper)
        integer[own] |= m.integer
        a = m.a.tocoo()
        data.append(a.data)
        row_at.append(np.asarray(a.row + rows, dtype=np.intp))
        column_at.append(own[a.col])
        rows += m.shape[0]
    low[:size], high[:size] = np.maximum(low[:size], lower), np.minimum(high[:size], upper)
    a = coo_array((np.concatenate(data), (np.concatenate(row_at), np.concatenate(column_at))), shape=(rows, count))
    matrix = Matrix(
        a=csc_array(a), cost=cost, offset=float(sum(p * sub.matrix.offset for sub, p in zip(subs, odds.tolist(), strict=True))),
        row_lower=np.concatenate([s.matrix.row_lower for s in subs]), row_upper=np.concatenate([s.matrix.row_upper for s in subs]),
        lower=low, upper=high, integer=integer, columns={}, rows={},
    )  # fmt: skip
    return Extensive(matrix, columns, odds)

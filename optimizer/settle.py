"""Yes or no: serving sites, contracts signed, sites opened, blocks built, retrofits ordered, out of a relaxation."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from optimizer.highs import Control, Outcome, Program, Solution
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix

WHOLE = 1e-6
"""Distance from 0 or 1 below which a value counts as decided."""

Fix = dict[int, float]
"""Columns to fix, with their values."""


class Settler:
    """Fixes the yes-or-no decisions of a relaxation, concept by concept, and solves it again after each.

    Args:
        program: the relaxation, warm; its bounds are tightened.
        found: its solution.
    """

    def __init__(
        self, inst: Instance, matrix: Matrix, program: Program, found: Solution, control: Control, log: Callable[[str], None]
    ) -> None:
        self.inst, self.matrix, self.program, self.control, self.log = inst, matrix, program, control, log
        self.found = found

    @property
    def x(self) -> Floats:
        """The present solution."""
        assert self.found.x is not None
        return self.found.x

    def run(self) -> Solution | None:
        """Settle everything.

        Returns:
            The solution of the relaxation with all yes-or-no decisions fixed; None when time is up or a corner is dead.
        """
        steps: tuple[tuple[str, Callable[[], Fix]], ...] = (
            ("contracts signed", self._signs),
            ("serving sites", self._serving),
            ("sites and blocks", lambda: self._growth(0.5)),
            ("sites and blocks", lambda: self._growth(0.0)),
            ("retrofits", self._retrofits),
            ("serving sites", self._serving),
            ("contracts signed", lambda: self._signs(last=True)),
        )
        for phase, choose in steps:
            for _ in range(len(self.inst.choice_pairs) + 2):
                fixes = choose()
                if not fixes:
                    break
                if not self._apply(fixes):
                    return None
                self.log(phase)
        return self.found

    def _apply(self, fixes: Fix) -> bool:
        """Fix columns and solve again; a set that can't be held is halved, a single one is turned the other way round."""
        columns = np.array(list(fixes), dtype=np.intp)
        values = np.array(list(fixes.values()))
        before = self.program.lower[columns].copy(), self.program.upper[columns].copy()
        self.program.bound(columns, values, values)
        after = self.program.solve(self.control, method="simplex")
        if after.outcome is Outcome.INFEASIBLE:
            self.program.bound(columns, *before)
            if len(columns) == 1:
                self.program.bound(columns, 1.0 - values, 1.0 - values)
                after = self.program.solve(self.control, method="simplex")
            else:
                items, middle = list(fixes.items()), len(fixes) // 2
                return self._apply(dict(items[:middle])) and self._apply(dict(items[middle:]))
        if after.outcome is not Outcome.OPTIMAL or after.x is None:
            return False
        self.found = after
        return True

    def _columns(self, family: str) -> Iterator[tuple[int, tuple[str, ...]]]:
        first, index = self.matrix.columns[family]
        return ((first + i, key) for i, key in enumerate(index))

    def _free(self, column: int) -> bool:
        return bool(self.program.upper[column] - self.program.lower[column] > 0.5)

    def _signs(self, last: bool = False) -> Fix:
        """Contracts that the relaxation signs (nearly) in full; at last, all."""
        free = [j for j, _ in self._columns("sign") if self._free(j)]
        sure = {j: 1.0 for j in free if self.x[j] >= (0.5 if last else 1 - WHOLE)}
        return sure or (dict.fromkeys(free, 0.0) if last else {})

    def _serving(self) -> Fix:
        """Sites that hold their cluster serve; of the rest, the weakest of each contract is dropped, or held to its cluster."""
        reached: Fix = {}
        weakest: dict[str, tuple[float, int]] = {}
        delivered = self._least_delivered()
        for column, (c, s) in self._columns("serve"):
            if not self._free(column):
                continue
            if self.x[column] <= WHOLE:
                reached[column] = 0.0
                continue
            cluster = self.inst.contract_rows[c].min_cluster_gpus
            ratio = delivered.get((c, s), 0.0) / cluster if cluster > 0 and self.inst.cluster_periods(c) else 1.0
            if ratio >= 1 - WHOLE:
                reached[column] = 1.0
            else:
                weakest[c] = min(weakest.get(c, (np.inf, -1)), (ratio, column))
        return reached or {column: float(ratio >= 0.5) for ratio, column in weakest.values()}

    def _least_delivered(self) -> dict[tuple[str, str], float]:
        """Contract GPUs delivered in the leanest of the periods in which the cluster must stand, by pair."""
        inst = self.inst
        needed = {c: set(inst.cluster_periods(c)) for c in inst.contracts}
        sums: dict[tuple[str, str], dict[int, float]] = {}
        for (c, s, g, t), gpus in self.matrix.values("delivered", self.x):
            if t in needed[c]:
                by_period = sums.setdefault((c, s), {})
                by_period[t] = by_period.get(t, 0.0) + gpus * inst.equivalents[c][g]
        return {pair: min(found.get(t, 0.0) for t in needed[pair[0]]) for pair, found in sums.items()}

    def _growth(self, threshold: float) -> Fix:
        """Candidates and blocks, each over its whole life: on from the period in which the relaxation has more than half of it.

        Args:
            threshold: those of which the relaxation never has so much are left for later.
        """
        fixes: Fix = {}
        for family in ("open", "built"):
            columns: dict[str, list[int]] = {}
            for column, (name, _) in self._columns(family):
                if self._free(column):
                    columns.setdefault(name, []).append(column)
            for found in columns.values():
                values = self.x[found]
                if values.max() >= threshold:
                    fixes |= {column: float(value >= 0.5) for column, value in zip(found, np.maximum.accumulate(values), strict=True)}
        return fixes

    def _retrofits(self) -> Fix:
        """None where the relaxation orders none; then site by site one order, in its heaviest period, if half of the smallest size is ordered."""
        inst = self.inst
        orders: dict[str, list[tuple[int, float]]] = {}
        top = dict(
            zip(self.matrix.columns["retrofit_order_mw"][1], self.matrix.upper[self.matrix.of("retrofit_order_mw")].tolist(), strict=True)
        )
        megawatts = dict(self.matrix.values("retrofit_order_mw", self.x))
        for column, key in self._columns("retrofit_ordered"):
            if self._free(column):
                possible = top[key] >= inst.retrofit_rows[str(key[0])].min_mw
                orders.setdefault(key[0], []).append((column, megawatts.get(key, 0.0) if possible else 0.0))
        fixes: Fix = {column: 0.0 for found in orders.values() for column, _ in found if sum(mw for _, mw in found) <= WHOLE}
        for s, found in orders.items():
            if fixes:
                break
            total = sum(mw for _, mw in found)
            worth = total >= max(0.5 * inst.retrofit_rows[s].min_mw, WHOLE)
            heaviest = max(found, key=lambda item: item[1])[0]
            fixes |= {column: float(worth and column == heaviest) for column, _ in found}
        return fixes

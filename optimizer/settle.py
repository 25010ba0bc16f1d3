"""Yes or no: contracts signed, sites opened, blocks built, retrofits ordered, once serving sites are chosen.

What a relaxation says whole is taken at its word. Each other decision has a few options near what the
relaxation says; each is judged by a warm relaxation, given up as soon as it can't be the best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.exact import YES_OR_NO
from optimizer.highs import Control, Outcome, Program, Solution
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix

WHOLE = 1e-6
"""Distance from 0 or 1 below which a value counts as decided."""
CLEAR = 0.1
"""Distance from 0 or 1 within which decisions are taken together, without trying the other way."""
SHARES = (0.5, 0.25, 0.9)
"""A block may be built from the period in which the relaxation has such a share of the most it ever has; the first is tried first."""
PATIENCE = 3000
"""Iterations of the simplex method after which an option is given up that can't be shown to be better than one at hand."""

Fix = dict[int, float]
"""Columns to fix, with their values."""


@dataclass(frozen=True)
class Decision:
    """A decision to be taken.

    Attributes:
        phase: what it is about, in words.
        options: columns and values of each option, the likeliest first.
        weight: how far the relaxation is from any of them.
    """

    phase: str
    options: tuple[Fix, ...]
    weight: float


class Settler:
    """Takes the yes-or-no decisions of a relaxation.

    Args:
        program: the relaxation, warm; its bounds are tightened.
        found: its solution.
        compare: whether options are compared by relaxations; the likeliest that holds is taken, if not.
    """

    def __init__(
        self,
        inst: Instance,
        matrix: Matrix,
        program: Program,
        found: Solution,
        control: Control,
        log: Callable[[str], None],
        compare: bool = True,
    ) -> None:
        self.inst, self.matrix, self.program, self.control, self.log = inst, matrix, program, control, log
        self.found, self.compare = found, compare

    @property
    def x(self) -> Floats:
        """The present solution."""
        assert self.found.x is not None
        return self.found.x

    def run(self) -> Solution | None:
        """Take all decisions.

        Returns:
            The solution of the relaxation with all yes-or-no decisions fixed; None when time is up or there is no way on.
        """
        while True:
            self._fix(self._rounded(WHOLE, YES_OR_NO))
            clear = self._rounded(CLEAR, YES_OR_NO[:-1])
            if clear and self._at_once(clear):
                self.log("clear decisions")
                continue
            decisions = list(self._decisions())
            if not decisions:
                return self._solved()
            chosen = max(decisions, key=lambda d: d.weight)
            if not self._decide(chosen):
                return None
            self.log(chosen.phase)

    def _rounded(self, distance: float, families: Sequence[str]) -> Fix:
        """Columns decided together, all within a distance of 0 or 1, with what they are nearest to."""
        groups = (found for family in families for found in self._groups(family))
        return {j: float(round(float(self.x[j]))) for found in groups if self._whole(found, distance) for j in found}

    def _at_once(self, fixes: Fix) -> bool:
        """Fix columns and solve again; False, with nothing changed, when they can't be held."""
        columns = np.array(list(fixes), dtype=np.intp)
        before, basis = (self.program.lower[columns].copy(), self.program.upper[columns].copy()), self.program.basis()
        self._fix(fixes)
        after = self._solve()
        if after.outcome is Outcome.OPTIMAL:
            self.found = after
            return True
        self.program.bound(columns, *before)
        self.program.set_basis(basis)
        return False

    def _solved(self) -> Solution | None:
        """The relaxation with everything fixed."""
        found = self._solve()
        self.found = found
        return found if found.outcome is Outcome.OPTIMAL else None

    def _decide(self, decision: Decision) -> bool:
        """Take the best option; all of the columns free in it stay fixed."""
        columns = np.array(sorted({j for option in decision.options for j in option}), dtype=np.intp)
        before = self.program.lower[columns].copy(), self.program.upper[columns].copy()
        basis, best, best_fix, best_basis = self.program.basis(), Solution(Outcome.INFEASIBLE), Fix(), None
        for option in decision.options:
            self._fix(option)
            self.program.set_basis(basis)
            after = self._solve(cut=best.objective)
            if after.outcome is Outcome.OPTIMAL and after.objective < best.objective:
                best, best_fix, best_basis = after, option, self.program.basis()
            self.program.bound(columns, *before)
            if self.control.over or (best.x is not None and not self.compare):
                break
        if best.outcome is not Outcome.OPTIMAL:
            return False
        self._fix(best_fix)
        self.program.set_basis(best_basis)
        self.found = best
        return True

    def _solve(self, cut: float = np.inf) -> Solution:
        return self.program.solve(self.control, method="simplex", cut=cut, iterations=PATIENCE if np.isfinite(cut) else None)

    def _fix(self, fixes: Fix) -> None:
        columns, values = np.array(list(fixes), dtype=np.intp), np.array(list(fixes.values()), dtype=float)
        self.program.bound(columns, values, values)

    # what is to be decided ---------------------------------------------------------------------

    def _columns(self, family: str) -> dict[str, list[int]]:
        """Columns of a family that are still free, by the first part of their index, in order of time."""
        first, index = self.matrix.columns[family]
        found: dict[str, list[int]] = {}
        for i, key in enumerate(index):
            if self.program.upper[first + i] - self.program.lower[first + i] > 0.5:
                found.setdefault(str(key[0]), []).append(first + i)
        return found

    def _groups(self, family: str) -> Iterator[list[int]]:
        """Columns of a family that are decided together."""
        for found in self._columns(family).values():
            yield from ([j] for j in found) if family == "serve" else (found,)

    def _whole(self, columns: list[int], distance: float) -> bool:
        x = self.x[columns]
        return bool((np.abs(x - np.round(x)) <= distance).all())

    def _decisions(self) -> Iterator[Decision]:
        x = self.x
        for columns in self._columns("sign").values():
            yield self._single("contracts signed", columns[0])
        for found in self._columns("serve").values():
            for j in found:
                yield self._single("serving sites", j)
        for family in ("open", "built"):
            for columns in self._columns(family).values():
                yield self._life(columns)
        for columns in self._columns("retrofit_ordered").values():
            yield self._retrofit(columns, x)

    def _single(self, phase: str, j: int) -> Decision:
        value = float(self.x[j])
        return Decision(phase, ({j: float(round(value))}, {j: 1.0 - round(value)}), 1.0 + min(value, 1 - value))

    def _life(self, columns: list[int]) -> Decision:
        """A site or block: used from a period on, or never."""
        values = np.maximum.accumulate(self.x[columns])
        options: list[Fix] = []
        for share in SHARES:
            begin = int(np.argmax(values >= share * values[-1]))
            options.append({j: float(i >= begin) for i, j in enumerate(columns)})
        options.insert(1 if values[-1] >= 0.5 else 0, dict.fromkeys(columns, 0.0))
        distinct = [option for i, option in enumerate(options) if option not in options[:i]]
        return Decision("sites and blocks", tuple(distinct), 2.0 + float(values[-1]))

    def _retrofit(self, columns: list[int], x: Floats) -> Decision:
        """A site's retrofit: in its heaviest period, in the first with an order, or not at all."""
        first, index = self.matrix.columns["retrofit_ordered"]
        other, order_index = self.matrix.columns["retrofit_order_mw"]
        at = {key: other + i for i, key in enumerate(order_index)}
        megawatts = [float(x[at[index[j - first]]]) for j in columns]
        heaviest, total = int(np.argmax(megawatts)), sum(megawatts)
        earliest = next((i for i, mw in enumerate(megawatts) if mw > WHOLE), heaviest)
        never = dict.fromkeys(columns, 0.0)
        options = [{j: float(i == chosen) for i, j in enumerate(columns)} for chosen in dict.fromkeys((heaviest, earliest))]
        least = self.inst.retrofit_rows[str(index[columns[0] - first][0])].min_mw
        options.insert(1 if total >= 0.5 * least and total > WHOLE else 0, never)
        return Decision("retrofits", tuple(options), float(total / max(least, WHOLE)) / (1.0 + total / max(least, WHOLE)))

"""Whole racks out of a relaxed fleet: generation by generation at every site, the rest of the relaxation adapting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.highs import Control, Outcome, Program, Solution
from optimizer.instance import Floats, Instance, Pair
from optimizer.matrix import Ints, Matrix

AROUND = 3.0
"""Racks by which those of a site that the dive could not settle may differ from the relaxation."""
EPSILON = 1e-6
"""A relaxed number of racks this close to a whole one counts as that."""


@dataclass(frozen=True)
class Trajectory:
    """Racks of one generation at one site over time, whole.

    Attributes:
        columns: columns of ``installed`` and ``in_service``.
        values: their values.
    """

    columns: Ints
    values: Floats


class RackDive:
    """Fixes whole racks in rounds: in each, one more generation of every site, the largest first.

    Sums over time are rounded, so that a rack that comes late by a fraction is not lost: to the nearest
    whole number while other generations of the site are still free to give way, down for the last.
    What can't be held is tried down, then up, then left to a search of its own.

    Args:
        program: the relaxation, warm, with every yes-or-no decision fixed; its bounds on racks are tightened.
        found: its solution.
    """

    def __init__(self, inst: Instance, matrix: Matrix, program: Program, found: Solution, control: Control) -> None:
        self.inst, self.matrix, self.program, self.control = inst, matrix, program, control
        self.found = found
        self.left: list[Pair] = []
        self.columns: dict[str, dict[Pair, list[tuple[int, int]]]] = {}
        for family in ("installed", "retired", "in_service"):
            first, index = matrix.columns[family]
            pairs: dict[Pair, list[tuple[int, int]]] = {}
            for i, (s, g, t) in enumerate(index):
                if t >= 0 and inst.held[inst.site_at[s], inst.gen_at[g], t]:
                    pairs.setdefault((s, g), []).append((first + i, t))
            self.columns[family] = pairs

    def run(self) -> Solution | None:
        """Fix all racks.

        Returns:
            The solution of the relaxation with whole racks but those of ``left``; None when time is up.
        """
        for pairs, last in self._rounds():
            if not self._apply(pairs, 0.0 if last else 0.5):
                return None
        return self.found

    def loose(self, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
        """Bounds with the racks of the dive fixed, but free within ``AROUND`` at the sites where some were left.

        Args:
            lower, upper: bounds of the relaxation before the dive; shape (columns,).
        """
        low, high = self.program.lower.copy(), self.program.upper.copy()
        assert self.found.x is not None
        sites = {s for s, _ in self.left}
        for family in ("installed", "in_service"):
            for (s, _), found in self.columns[family].items():
                if s in sites:
                    columns = [column for column, _ in found]
                    low[columns] = np.maximum(lower[columns], np.floor(self.found.x[columns]) - AROUND)
                    high[columns] = np.minimum(upper[columns], np.ceil(self.found.x[columns]) + AROUND)
        return low, high

    def _rounds(self) -> list[tuple[list[Pair], bool]]:
        """Pairs to fix in each round, by their power over time, and whether the round is the last of its sites."""
        assert self.found.x is not None
        weight = {}
        for (s, g), found in self.columns["in_service"].items():
            weight[s, g] = float(self.found.x[[column for column, _ in found]].sum()) * self.inst.rack_mw[g]
        by_site: dict[str, list[Pair]] = {}
        for pair in sorted(weight, key=lambda pair: (-weight[pair], pair)):
            by_site.setdefault(pair[0], []).append(pair)
        used = {s: sum(1 for pair in pairs if weight[pair] > EPSILON) for s, pairs in by_site.items()}
        rounds: list[tuple[list[Pair], bool]] = []
        for rank in range(max(map(len, by_site.values()), default=0)):
            early = [pairs[rank] for s, pairs in by_site.items() if rank < used[s] - 1]
            late = [pairs[rank] for s, pairs in by_site.items() if used[s] - 1 <= rank < len(pairs)]
            rounds += [(chosen, last) for chosen, last in ((early, False), (late, True)) if chosen]
        return rounds

    def _trajectory(self, pair: Pair, up: float) -> Trajectory:
        """The racks of a pair in the present solution, made whole: ``up`` is 0 for down, 0.5 for nearest, 1 for up."""
        assert self.found.x is not None
        inst, x = self.inst, self.found.x
        i, j = inst.site_at[pair[0]], inst.gen_at[pair[1]]
        new, gone = np.zeros(inst.T), np.zeros(inst.T)
        for target, family in ((new, "installed"), (gone, "retired")):
            for column, t in self.columns[family][pair]:
                target[t] = x[column]
        if up == 0.5:
            installed, retired = np.floor(np.cumsum(new) + 0.5), np.floor(np.cumsum(gone) + 0.5)
        elif up == 0.0:
            installed, retired = np.floor(np.cumsum(new) + EPSILON), np.ceil(np.cumsum(gone) - EPSILON)
        else:
            installed, retired = np.ceil(np.cumsum(new) - EPSILON), np.floor(np.cumsum(gone) + EPSILON)
        installs = np.minimum(np.diff(installed, prepend=0.0), inst.installs_most[i, j])
        installed = np.cumsum(installs)
        life = inst.gen_rows[pair[1]].life_periods
        young = installed - np.concatenate([np.zeros(min(life, inst.T)), installed[: max(0, inst.T - life)]])
        service = np.minimum(np.maximum(inst.fleet[i, j] + installed - retired, 0.0), inst.fleet_alive[i, j] + young)
        service = _downward(service, installs, inst.fleet[i, j])
        columns = [column for family in ("installed", "in_service") for column, _ in self.columns[family][pair]]
        values = [installs[t] for _, t in self.columns["installed"][pair]] + [service[t] for _, t in self.columns["in_service"][pair]]
        return Trajectory(np.array(columns, dtype=np.intp), np.array(values))

    def _apply(self, pairs: Sequence[Pair], up: float) -> bool:
        """Fix pairs and solve again; what can't be held is halved, a single pair is tried down and up."""
        for rounding in [up] if len(pairs) > 1 else [up] + [other for other in (0.0, 1.0) if other != up]:
            fixes = [self._trajectory(pair, rounding) for pair in pairs]
            columns = np.concatenate([fix.columns for fix in fixes])
            values = np.concatenate([fix.values for fix in fixes])
            before = self.program.lower[columns].copy(), self.program.upper[columns].copy()
            self.program.bound(columns, values, values)
            after = self.program.solve(self.control, method="simplex")
            if after.outcome is Outcome.OPTIMAL and after.x is not None:
                self.found = after
                return True
            self.program.bound(columns, *before)
            if after.outcome is not Outcome.INFEASIBLE:
                return False
        if len(pairs) == 1:
            self.left += pairs
            return True
        middle = len(pairs) // 2
        return self._apply(pairs[:middle], up) and self._apply(pairs[middle:], up)


def _downward(service: Floats, installs: Floats, fleet: float) -> Floats:
    """Racks in service that never rise by more than is installed."""
    result, before = service.copy(), fleet
    for t in range(len(result)):
        before = result[t] = min(result[t], before + installs[t])
    return result

"""Whole racks out of a relaxed fleet: generation by generation at every site, the rest of the relaxation adapting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optimizer.highs import Control, Infeasibility, Outcome, Program, Solution
from optimizer.instance import Floats, Instance, Pair
from optimizer.matrix import Ints, Matrix

DOWN, NEAREST, UP = 0.0, 0.5, 1.0
"""Ways to make a number of racks whole."""
TRIES = 12
"""Proofs of infeasibility answered by other roundings before pairs are left."""
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
    Where that can't be held, the solver's proof of it names the pairs to round the other way; what still can't
    be held is left to a search of its own.

    Args:
        program: the relaxation, warm, with every yes-or-no decision fixed; its bounds on racks are tightened.
        found: its solution.
    """

    def __init__(self, inst: Instance, matrix: Matrix, program: Program, found: Solution, control: Control) -> None:
        self.inst, self.matrix, self.program, self.control = inst, matrix, program, control
        self.found = found
        self.left: list[Pair] = []
        self.fixed: dict[Pair, tuple[dict[float, Trajectory], float]] = {}
        self.free: dict[Pair, tuple[Floats, Floats]] = {}
        self.tried: set[tuple[Pair, float]] = set()
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
            if not self._apply(pairs, DOWN if last else NEAREST):
                return None
        return self.found

    def loose(self, lower: Floats, upper: Floats, around: float, everything: bool) -> tuple[Floats, Floats]:
        """Bounds with the racks of the dive fixed, but those that it left free near the relaxation.

        Args:
            lower, upper: bounds of the relaxation before the dive; shape (columns,).
            around: racks by which the free ones may differ from the relaxation.
            everything: whether all racks are free at a site where some were left.
        """
        low, high = self.program.lower.copy(), self.program.upper.copy()
        assert self.found.x is not None
        sites = {s for s, _ in self.left}
        for family in ("installed", "in_service"):
            for pair, found in self.columns[family].items():
                if pair in self.left or (everything and pair[0] in sites):
                    columns = [column for column, _ in found]
                    low[columns] = np.maximum(lower[columns], np.floor(self.found.x[columns]) - around)
                    high[columns] = np.minimum(upper[columns], np.ceil(self.found.x[columns]) + around)
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

    def _trajectory(self, pair: Pair, rounding: float, found: Solution) -> Trajectory:
        """The racks of a pair in a solution, made whole."""
        assert found.x is not None
        inst, x = self.inst, found.x
        i, j = inst.site_at[pair[0]], inst.gen_at[pair[1]]
        new, gone = np.zeros(inst.T), np.zeros(inst.T)
        for target, family in ((new, "installed"), (gone, "retired")):
            for column, t in self.columns[family][pair]:
                target[t] = x[column]
        if rounding == NEAREST:
            installed, retired = np.floor(np.cumsum(new) + 0.5), np.floor(np.cumsum(gone) + 0.5)
        elif rounding == DOWN:
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

    def _apply(self, pairs: Sequence[Pair], rounding: float) -> bool:
        """Fix pairs and solve again; what makes that infeasible is rounded another way, or left."""
        before, basis = self.found, self.program.basis()
        for pair in pairs:
            self._fix(self._options(pair, before), pair, rounding)
        for _ in range(TRIES):
            after = self.program.solve(self.control, method="simplex")
            if after.outcome is Outcome.OPTIMAL and after.x is not None:
                self.found = after
                return True
            if after.outcome is not Outcome.INFEASIBLE:
                return False
            proof = self.program.infeasibility()
            if proof is None or not self._relieve(proof):
                break
        return self._without(pairs, basis)

    def _without(self, pairs: Sequence[Pair], basis: Any) -> bool:
        """Leave the pairs that proofs of infeasibility rest on, then half of the pairs, then more, until the others can be held."""
        while True:
            found = self.program.solve(self.control, method="simplex")
            if found.outcome is Outcome.OPTIMAL and found.x is not None:
                self.found = found
                return True
            held = [pair for pair in pairs if pair in self.fixed]
            if found.outcome is not Outcome.INFEASIBLE or not self.fixed:
                return False
            proof = self.program.infeasibility()
            if proof is None or not self._release(proof):
                for pair in held[: max(1, len(held) // 2)] or list(self.fixed):
                    self._leave(pair)
                self.program.set_basis(basis)

    def _relieve(self, proof: Infeasibility) -> bool:
        """Round some of the pairs that a proof of infeasibility rests on the other way, those that matter most first, until it falls."""
        gains: list[tuple[float, Pair, float]] = []
        for pair, (options, rounding) in self.fixed.items():
            weight, now = proof.columns[options[rounding].columns], options[rounding].values
            best = max(options, key=lambda other: float(weight @ options[other].values))
            gain = float(weight @ (options[best].values - now))
            if gain > EPSILON and (pair, best) not in self.tried:
                gains.append((gain, pair, best))
        gains.sort(key=lambda found: (-found[0], found[1]))
        missing = proof.missing
        for gain, pair, rounding in gains:
            self.tried.add((pair, rounding))
            self._fix(self.fixed[pair][0], pair, rounding)
            missing -= gain
            if missing <= 0.0:
                break
        return bool(gains)

    def _release(self, proof: Infeasibility) -> bool:
        """Leave the pairs that could undo a proof of infeasibility, those that could do most first, until it falls."""
        gains: list[tuple[float, Pair]] = []
        for pair, (options, rounding) in self.fixed.items():
            chosen, (low, high) = options[rounding], self.free[pair]
            weight = proof.columns[chosen.columns]
            gains.append((float((np.maximum(weight * low, weight * high) - weight * chosen.values).sum()), pair))
        gains.sort(key=lambda found: (-found[0], found[1]))
        missing = proof.missing
        for gain, pair in gains:
            if gain <= EPSILON:
                break
            self._leave(pair)
            missing -= gain
            if missing <= 0.0:
                break
        return bool(gains) and gains[0][0] > EPSILON

    def _options(self, pair: Pair, found: Solution) -> dict[float, Trajectory]:
        return {rounding: self._trajectory(pair, rounding, found) for rounding in (DOWN, NEAREST, UP)}

    def _fix(self, options: dict[float, Trajectory], pair: Pair, rounding: float) -> None:
        chosen = options[rounding]
        if pair not in self.fixed:
            self.free[pair] = self.program.lower[chosen.columns].copy(), self.program.upper[chosen.columns].copy()
        self.fixed[pair] = options, rounding
        self.program.bound(chosen.columns, chosen.values, chosen.values)

    def _leave(self, pair: Pair) -> None:
        options, rounding = self.fixed.pop(pair)
        self.program.bound(options[rounding].columns, *self.free[pair])
        self.left.append(pair)


def _downward(service: Floats, installs: Floats, fleet: float) -> Floats:
    """Racks in service that never rise by more than is installed."""
    result, before = service.copy(), fleet
    for t in range(len(result)):
        before = result[t] = min(result[t], before + installs[t])
    return result

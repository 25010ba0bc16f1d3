"""What an edit brings with whole racks: racks near it are decided anew, with and without it, and all others stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from optimizer.blocks.base import MILLION
from optimizer.exact import columns_of
from optimizer.explain.ground import Edit, Ground
from optimizer.highs import Control, Outcome, Program
from optimizer.instance import Floats
from optimizer.matrix import Matrix
from optimizer.shrink import shrink

TOUCHED = 1e-6
"""Racks by which a site and generation differ at least to be decided anew."""
PAIRS = 6
"""Most sites and generations decided anew."""
FAMILIES = ("installed", "in_service")


class WholeRacks:
    """Re-solves with whole racks.

    Args:
        ground: the plan's model.
        control: deadline and stop of each comparison.
    """

    def __init__(self, ground: Ground, control: Control) -> None:
        self.ground, self.control = ground, control

    def gained(self, edit: Edit, moved: Floats) -> float | None:
        """NPV gained by an edit, USD; None where either solve is not proven optimal in time.

        Args:
            moved: solution of the local model with the edit, which says where racks differ; shape (columns,).
        """
        pairs = self._touched(moved)
        if not pairs:
            return edit.constant_usd
        without = self._best(self.ground.local, pairs)
        if without is None:
            return None
        with_it = self._best(self.ground.edited(edit), pairs)
        return None if with_it is None else (without - with_it) * MILLION + edit.constant_usd

    def _touched(self, moved: Floats) -> list[tuple[str, str]]:
        """Sites and generations whose racks an edit moves, those that it moves most first."""
        base = self.ground.solved().x
        assert base is not None
        amount: dict[tuple[str, str], float] = {}
        first, index = self.ground.matrix.columns["in_service"]
        for i, (s, g, _) in enumerate(index):
            amount[s, g] = amount.get((s, g), 0.0) + abs(float(moved[first + i] - base[first + i]))
        found = [pair for pair, racks in amount.items() if racks > TOUCHED]
        return sorted(found, key=lambda pair: (-amount[pair], pair))[:PAIRS]

    def _best(self, model: Matrix, pairs: list[tuple[str, str]]) -> float | None:
        """Least objective with all other racks as in the plan, million USD; None if not proven."""
        g, chosen = self.ground, set(pairs)
        lower, upper = model.lower.copy(), model.upper.copy()
        for family in FAMILIES:
            first, index = g.matrix.columns[family]
            fixed = np.array([first + i for i, key in enumerate(index) if key[:2] not in chosen], dtype=np.intp)
            lower[fixed] = upper[fixed] = np.round(g.x[fixed])
        integer = np.zeros(model.shape[1], dtype=bool)
        integer[columns_of(model, FAMILIES)] = True
        rest = shrink(replace(model, integer=integer), lower, upper)
        program = Program(rest.matrix, integer=True, threads=1, seed=g.seed)
        program.option("mip_rel_gap", 0.0)
        program.option("mip_abs_gap", 1e-5)
        found = program.solve(self.control)
        return found.objective if found.outcome is Outcome.OPTIMAL and found.x is not None else None

"""A linear programme kept solved, that turns into another by changing the cells that differ."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from optimizer.highs import Control, Outcome, Program, Solution, SolverError, Statuses
from optimizer.instance import Floats
from optimizer.matrix import Matrix

BASIC, LOWER = 1, 0
"""How HiGHS numbers the statuses of a basis."""


def same_structure(old: Matrix, new: Matrix) -> bool:
    """Whether two models have the same rows and columns, so that only cells differ."""
    return (
        old.shape == new.shape
        and old.columns == new.columns
        and old.rows.keys() == new.rows.keys()
        and all(old.rows[name][1] == new.rows[name][1] and np.array_equal(old.rows[name][0], new.rows[name][0]) for name in old.rows)
    )


def carried(old: Matrix, statuses: Statuses, new: Matrix) -> Statuses:
    """A basis for another model: rows and columns of one name keep their status, new ones begin at their limit or basic.

    Args:
        statuses: of the columns and rows of the old model.
    """
    columns = np.full(new.shape[1], LOWER, dtype=np.int8)
    rows = np.full(new.shape[0], BASIC, dtype=np.int8)
    for name, (first, index) in new.columns.items():
        if name in old.columns:
            begin, known = old.columns[name]
            at = {key: begin + i for i, key in enumerate(known)}
            for i, key in enumerate(index):
                if key in at:
                    columns[first + i] = statuses[0][at[key]]
    for name, (place, index) in new.rows.items():
        if name in old.rows:
            at = dict(zip(old.rows[name][1], old.rows[name][0].tolist(), strict=True))
            for row, key in zip(place.tolist(), index, strict=True):
                if key in at:
                    rows[row] = statuses[1][at[key]]
    return columns, rows


def carried_duals(old: Matrix, row_dual: Floats, new: Matrix) -> Floats:
    """Duals for another model: rows of one name keep theirs, new ones have none. Any duals prove a bound."""
    duals = np.zeros(new.shape[0])
    for name, (place, index) in new.rows.items():
        if name in old.rows:
            at = dict(zip(old.rows[name][1], old.rows[name][0].tolist(), strict=True))
            for row, key in zip(place.tolist(), index, strict=True):
                if key in at:
                    duals[row] = row_dual[at[key]]
    return duals


@dataclass
class Warm:
    """A relaxation with its basis.

    Args:
        matrix: the model that the basis belongs to.
        threads, seed: of HiGHS.
        feasibility: tolerance of rows and bounds.

    Attributes:
        basis: of the model as it was first solved; every turn starts from it.
        rebuilt: whether the last turn had to pass the whole model anew.
        cells: how many cells the last turn changed otherwise.
    """

    matrix: Matrix
    threads: int = 1
    seed: int = 0
    feasibility: float = 1e-7
    basis: Statuses | None = None
    rebuilt: bool = True
    cells: int = 0
    program: Program | None = field(default=None)

    def solve(
        self, control: Control, matrix: Matrix, lower: Floats, upper: Floats, method: str = "simplex", iterations: int | None = None
    ) -> Solution:
        """Turn into a model and solve it, from the basis.

        Args:
            matrix: the model.
            lower, upper: bounds of its columns; shape (columns,).
            method: without a basis, of :meth:`Program.solve`.
            iterations: most iterations of the simplex method from the basis; after them, the interior-point method takes over,
                whose duals prove a bound as good, at once, where a basis would take it twice the time.
        """
        if self.program is not None and same_structure(self.program.matrix, matrix):
            self.rebuilt, self.cells = False, self.program.become(matrix, lower, upper)
        else:
            self.program = Program(matrix, threads=self.threads, seed=self.seed, feasibility=self.feasibility)
            self.program.bound(np.arange(matrix.shape[1]), lower, upper)
            self.rebuilt, self.cells = True, 0
        if self.basis is not None:
            known = same_structure(self.matrix, matrix)
            self.program.set_statuses(self.basis if known else carried(self.matrix, self.basis, matrix))
            found = self.program.solve(control, method="simplex", iterations=iterations)
            if found.outcome is not Outcome.STOPPED or iterations is None or control.over:
                return found
            return self._interior(self.program, control)
        return self.program.solve(control, method=method)

    @staticmethod
    def _interior(program: Program, control: Control) -> Solution:
        """By interior points, without a basis unless there is no other way to an answer."""
        program.option("run_crossover", "off")
        try:
            return program.solve(control, method="ipm")
        except SolverError:
            program.option("run_crossover", "on")
            return program.solve(control, method="ipm")
        finally:
            program.option("run_crossover", "on")

    def keep(self) -> None:
        """Take the model and basis of the last solve as those to start from."""
        if self.program is not None:
            self.matrix, self.basis = self.program.matrix, self.program.statuses()

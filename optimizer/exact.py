"""Whole numbers made exact: they are fixed, and the rest of the model is solved again."""

from __future__ import annotations

import numpy as np

from optimizer.highs import AUDITED, EXACT, Control, Outcome, Program, Solution, SolverError
from optimizer.instance import Floats
from optimizer.matrix import Ints, Matrix

YES_OR_NO = ("sign", "serve", "open", "built", "retrofit_ordered")
"""Families of yes-or-no decisions."""
DECIDED = ("installed", "in_service", *(name for name in YES_OR_NO))
"""Families of whole numbers from which all others follow."""
LARGE = 50_000
"""Nonzeros from which interior points take half of the time of the simplex method."""


def columns_of(matrix: Matrix, families: tuple[str, ...]) -> Ints:
    """Columns of families of variables."""
    return np.concatenate([np.arange(matrix.of(name).start, matrix.of(name).stop, dtype=np.intp) for name in families])


def held(matrix: Matrix, x: Floats, families: tuple[str, ...]) -> tuple[Floats, Floats]:
    """Bounds of a model with families of whole numbers fixed as in a solution; shape (columns,) each."""
    lower, upper = matrix.lower.copy(), matrix.upper.copy()
    columns = columns_of(matrix, families)
    lower[columns] = upper[columns] = np.clip(np.round(x[columns]), matrix.lower[columns], matrix.upper[columns])
    return lower, upper


def exact(matrix: Matrix, x: Floats, seed: int = 0, control: Control | None = None) -> Floats | None:
    """The best solution with the whole numbers of another.

    Args:
        x: only its whole numbers count, which need be whole only nearly; shape (columns,).
        control: deadline and stop; none if not given.

    Returns:
        A solution within the tolerances of the audit; None if there is none, or time is up.
    """
    whole = columns_of(matrix, DECIDED)
    values = np.round(x[whole])
    for feasibility in (EXACT, AUDITED):
        program = Program(matrix, threads=1, seed=seed, feasibility=feasibility)
        program.bound(whole, values, values)
        try:
            found = _solved(program, control or Control())
        except SolverError:
            if feasibility == AUDITED:
                raise
            continue
        if found.outcome is Outcome.OPTIMAL and found.x is not None:
            result = np.clip(found.x, matrix.lower, matrix.upper)
            result[whole] = values
            return np.asarray(result)
    return None


def _solved(program: Program, control: Control) -> Solution:
    """A linear programme solved from nothing, by the faster method that gives an answer."""
    if program.matrix.a.nnz >= LARGE:
        try:
            return program.solve(control, method="ipm")
        except SolverError:
            program.forget()
    return program.solve(control)

"""HiGHS: arrays in, solutions, bounds and duals out; with deadlines, a stop and progress.

What a solver says is a claim. Every plan is audited, and the bound of the relaxation is recomputed
from its duals by :func:`certified_bound`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from optimizer.instance import Floats
from optimizer.matrix import Ints, Matrix

VERSION: str = highspy.Highs().version()
AUDITED = 1e-7
"""Primal feasibility that still passes the audit, for plans whose figures HiGHS can't make more exact."""
EXACT = 1e-9
"""Primal feasibility asked of linear programmes whose solutions become plans (the audit allows 1e-6)."""

BOUND_STEP = 1e-6
"""Relative step by which a bound must be better to be told."""
CAREFUL = "WATTPLAN_CAREFUL_SOLVER"
"""Environment variable: where it is set, searches leave out feasibility jump, which has crashed; worker processes inherit it."""
MANY = 2**31 - 1
"""Iterations that no solve reaches."""

_scheduler = {"threads": -1}
"""Threads of HiGHS's scheduler, of which a process has one: it must be reset before another number is asked for."""


def schedule(threads: int) -> None:
    """Give HiGHS's scheduler a number of threads; none may be solving."""
    if _scheduler["threads"] != threads:
        highspy.Highs.resetGlobalScheduler(True)
        _scheduler["threads"] = threads


class SolverError(Exception):
    """HiGHS failed: it refused the model, or ended without an answer."""


class Outcome(StrEnum):
    """How a solve ended."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Solution:
    """What a solve found.

    Attributes:
        outcome: how it ended.
        x: best solution; shape (columns,); None if none was found.
        objective: its value, million USD to be minimised.
        bound: proven lower limit of the objective.
        row_dual: duals of a linear programme; shape (rows,).
        reduced_cost: shape (columns,).
        seconds: wall-clock time.
        iterations: of the simplex method.
    """

    outcome: Outcome
    x: Floats | None = None
    objective: float = np.inf
    bound: float = -np.inf
    row_dual: Floats | None = None
    reduced_cost: Floats | None = None
    seconds: float = 0.0
    iterations: int = 0


@dataclass(frozen=True)
class Infeasibility:
    """Why a linear programme has no solution: a weighted sum of its rows that its bounds can't reach (Farkas).

    Attributes:
        columns: weight of each column in that sum; shape (columns,).
        missing: by how much the sum stays below its limit at best.
    """

    columns: Floats
    missing: float


@dataclass
class Control:
    """When to give up.

    Attributes:
        deadline: time on ``time.monotonic()``.
        stop: set by the user.
        enough: set by whoever finds that the work is not needed any more.
    """

    deadline: float = np.inf
    stop: threading.Event = field(default_factory=threading.Event)
    enough: threading.Event | None = None

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; 0 when stopped, or not needed any more."""
        if self.stop.is_set() or (self.enough is not None and self.enough.is_set()):
            return 0.0
        return max(0.0, self.deadline - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether to give up now."""
        return self.remaining <= 0.0

    def until(self, seconds: float) -> Control:
        """The same stop, with a deadline of at most so many seconds from now."""
        return Control(min(self.deadline, time.monotonic() + seconds), self.stop, self.enough)


Statuses = tuple[NDArray[np.int8], NDArray[np.int8]]
"""Status of each column and row in a basis, as HiGHS numbers them."""
Improvement = Callable[[Floats, float, float], None]
"""Called with an improving solution, its objective and the bound."""


class Program:
    """A matrix in HiGHS, kept warm: bounds change, the basis stays.

    Args:
        matrix: the model.
        integer: whether whole numbers are asked for.
        threads: 0 for all cores.
        seed: random seed of HiGHS.
        feasibility: tolerance of rows and bounds.
    """

    def __init__(self, matrix: Matrix, *, integer: bool = False, threads: int = 0, seed: int = 0, feasibility: float = 1e-7) -> None:
        self.matrix = matrix
        self.integer = integer
        self.lower, self.upper = matrix.lower.copy(), matrix.upper.copy()
        self.threads = threads
        self._h: Any = highspy.Highs()
        self.option("output_flag", False)
        self.option("threads", threads)
        self.option("random_seed", seed)
        self.option("primal_feasibility_tolerance", feasibility)
        self.option("mip_feasibility_tolerance", 1e-8)
        if integer and os.environ.get(CAREFUL):
            self.option("mip_heuristic_run_feasibility_jump", False)
        if self._h.passModel(to_highs(matrix, integer)) == highspy.HighsStatus.kError:
            raise SolverError("HiGHS refused the model")

    def option(self, name: str, value: Any) -> None:
        """Set an option of HiGHS.

        Raises:
            SolverError: HiGHS does not know it.
        """
        if self._h.setOptionValue(name, value) == highspy.HighsStatus.kError:
            raise SolverError(f"HiGHS refused the option {name} = {value!r}")

    def bound(self, columns: Ints, lower: Floats, upper: Floats) -> None:
        """Change bounds of columns; the basis is kept."""
        if len(columns) == 0:
            return
        self.lower[columns], self.upper[columns] = lower, upper
        index = np.ascontiguousarray(columns, dtype=np.int32)
        self._h.changeColsBounds(len(index), index, np.ascontiguousarray(lower, dtype=float), np.ascontiguousarray(upper, dtype=float))

    def price(self, cost: Floats) -> None:
        """Change the costs of all columns; the basis is kept."""
        columns = np.flatnonzero(self.matrix.cost != cost)
        if len(columns):
            self._h.changeColsCost(len(columns), columns.astype(np.int32), np.ascontiguousarray(cost[columns]))
            self.matrix = replace(self.matrix, cost=cost)

    def bound_rows(self, rows: Ints, lower: Floats, upper: Floats) -> None:
        """Change limits of rows; the basis is kept."""
        if len(rows):
            index = np.ascontiguousarray(rows, dtype=np.int32)
            self._h.changeRowsBounds(len(index), index, np.ascontiguousarray(lower, dtype=float), np.ascontiguousarray(upper, dtype=float))

    def solve(
        self,
        control: Control,
        *,
        method: str = "choose",
        cut: float = np.inf,
        iterations: int | None = None,
        start: Floats | None = None,
        on_improvement: Improvement | None = None,
        on_bound: Callable[[float], None] | None = None,
    ) -> Solution:
        """Solve, from the last basis if there is one.

        Args:
            control: deadline and stop.
            method: ``simplex``, ``ipm`` or ``choose``.
            cut: a linear programme is given up once it is proven to have no objective below this.
            iterations: most iterations of the simplex method; a linear programme that needs more is given up.
            start: a solution to start a search for whole numbers from.
            on_improvement: called with each better solution.
            on_bound: called with each better bound of a search for whole numbers.

        Raises:
            SolverError: HiGHS ended without an answer.
        """
        began = time.monotonic()
        if control.over:
            return Solution(Outcome.STOPPED)
        h = self._h
        schedule(self.threads)
        self.option("solver", method)
        self.option("objective_bound", cut)
        self.option("simplex_iteration_limit", MANY if iterations is None else iterations)
        self.option("time_limit", h.getRunTime() + min(control.remaining, 1e7))
        if start is not None:
            given = highspy.HighsSolution()
            given.col_value = start.tolist()
            h.setSolution(given)

        told = [-np.inf]

        def better(bound: float) -> bool:
            step = BOUND_STEP * abs(told[0]) if np.isfinite(told[0]) else 0.0
            return bool(told[0] + step < bound < np.inf)

        def interrupt(event: Any) -> None:
            if control.over:
                event.interrupt()
            elif self.integer and on_bound is not None and better(event.data_out.mip_dual_bound):
                told[0] = event.data_out.mip_dual_bound
                on_bound(told[0])

        def improve(event: Any) -> None:
            data = event.data_out
            if on_improvement is not None:
                on_improvement(np.array(data.mip_solution), data.objective_function_value, data.mip_dual_bound)

        watched = [h.cbMipInterrupt] if self.integer else [h.cbSimplexInterrupt, h.cbIpmInterrupt]
        for callback in watched:
            callback.subscribe(interrupt)
        if self.integer and on_improvement is not None:
            h.cbMipImprovingSolution.subscribe(improve)
        try:
            h.run()
            if self._unscaled_infeasible():
                h.clearSolver()
                h.run()
        finally:
            for callback in [*watched, h.cbMipImprovingSolution]:
                callback.clear()
        return replace(self._read(time.monotonic() - began), iterations=max(0, h.getInfo().simplex_iteration_count))

    def _unscaled_infeasible(self) -> bool:
        """Whether HiGHS calls a linear programme optimal whose solution breaks the tolerance once scaling is undone."""
        optimal = self._h.getModelStatus() == highspy.HighsModelStatus.kOptimal
        return not self.integer and optimal and self._h.getInfo().primal_solution_status != 2

    def _read(self, seconds: float) -> Solution:
        h = self._h
        status = h.getModelStatus()
        kinds = highspy.HighsModelStatus
        if status in (kinds.kInfeasible, kinds.kUnboundedOrInfeasible):
            return Solution(Outcome.INFEASIBLE, seconds=seconds)
        stopped = (
            kinds.kTimeLimit,
            kinds.kInterrupt,
            kinds.kIterationLimit,
            kinds.kSolutionLimit,
            kinds.kObjectiveBound,
            kinds.kObjectiveTarget,
        )
        if status == kinds.kModelEmpty:
            offset, nothing = self.matrix.offset, np.zeros(0)
            return Solution(Outcome.OPTIMAL, nothing, offset, offset, nothing, nothing, seconds)
        if status not in (kinds.kOptimal, *stopped):
            raise SolverError(f"HiGHS ended with {h.modelStatusToString(status)}")
        info, solution = h.getInfo(), h.getSolution()
        optimal = status == kinds.kOptimal
        feasible = info.primal_solution_status == 2
        x = np.array(solution.col_value) if feasible else None
        if self.integer:
            found = x is not None and np.isfinite(info.objective_function_value)
            return Solution(
                Outcome.OPTIMAL if optimal else Outcome.STOPPED, x if found else None, info.objective_function_value if found else np.inf,
                info.mip_dual_bound, seconds=seconds,
            )  # fmt: skip
        dual = np.array(solution.row_dual) if solution.dual_valid else None
        cost = np.array(solution.col_dual) if solution.dual_valid else None
        value = info.objective_function_value if feasible else np.inf
        return Solution(Outcome.OPTIMAL if optimal else Outcome.STOPPED, x, value, value if optimal else -np.inf, dual, cost, seconds)

    def become(self, matrix: Matrix, lower: Floats, upper: Floats) -> int:
        """Turn into a model with the same rows and columns by changing the cells that differ; the basis is kept.

        Args:
            matrix: the other model.
            lower, upper: bounds of its columns; shape (columns,).

        Returns:
            How many bounds, limits, costs and coefficients were changed.
        """
        old, count = self.matrix, 0
        columns = np.flatnonzero((self.lower != lower) | (self.upper != upper))
        self.bound(columns, lower[columns], upper[columns])
        rows = np.flatnonzero((old.row_lower != matrix.row_lower) | (old.row_upper != matrix.row_upper))
        self.bound_rows(rows, matrix.row_lower[rows], matrix.row_upper[rows])
        costs = np.flatnonzero(old.cost != matrix.cost)
        if len(costs):
            self._h.changeColsCost(len(costs), costs.astype(np.int32), np.ascontiguousarray(matrix.cost[costs]))
        if old.offset != matrix.offset:
            self._h.changeObjectiveOffset(matrix.offset)
        count += len(columns) + len(rows) + len(costs)
        for i, j, value in cells_that_differ(old, matrix):
            self._h.changeCoeff(i, j, value)
            count += 1
        self.matrix = matrix
        return count

    def infeasibility(self) -> Infeasibility | None:
        """Why the last linear programme has no solution; None when HiGHS can't say, or what it says does not hold."""
        _, known = self._h.getDualRayExist()
        if not known:
            return None
        _, _, values = self._h.getDualRay()
        matrix = self.matrix
        for y in (np.array(values), -np.array(values)):
            y[np.abs(y) < 1e-11] = 0.0
            y[(y > 0) & ~np.isfinite(matrix.row_lower)] = 0.0
            y[(y < 0) & ~np.isfinite(matrix.row_upper)] = 0.0
            weights = np.asarray(matrix.a.T @ y)
            limits = np.where(y > 0, matrix.row_lower, matrix.row_upper)
            missing = float(y[y != 0] @ limits[y != 0] - np.maximum(weights * self.lower, weights * self.upper).sum())
            if missing > 0:
                return Infeasibility(weights, missing)
        return None

    def statuses(self) -> Statuses:
        """The basis of the last linear programme, as numbers."""
        basis = self._h.getBasis()
        return np.array([int(s) for s in basis.col_status], dtype=np.int8), np.array([int(s) for s in basis.row_status], dtype=np.int8)

    def set_statuses(self, statuses: Statuses) -> None:
        """Start from a basis given as numbers."""
        basis = highspy.HighsBasis()
        basis.col_status = [highspy.HighsBasisStatus(s) for s in statuses[0].tolist()]
        basis.row_status = [highspy.HighsBasisStatus(s) for s in statuses[1].tolist()]
        basis.valid = True
        self._h.setBasis(basis)

    def basis(self) -> Any:
        """The basis of the last linear programme."""
        return self._h.getBasis()

    def forget(self) -> None:
        """Solve from nothing next time."""
        self._h.clearSolver()

    def set_basis(self, basis: Any) -> None:
        """Start from a basis."""
        self._h.setBasis(basis)


def cells_that_differ(old: Matrix, new: Matrix) -> list[tuple[int, int, float]]:
    """Row, column and new value of the coefficients in which two matrices of one shape differ."""
    changed = (new.a - old.a).tocoo()
    there = changed.data != 0.0
    rows, columns = changed.row[there], changed.col[there]
    if not len(rows):
        return []
    values = np.asarray(new.a.tocsr()[rows, columns]).reshape(-1)
    return list(zip(rows.tolist(), columns.tolist(), values.tolist(), strict=True))


def to_highs(matrix: Matrix, integer: bool) -> Any:
    """The matrix as HiGHS takes it."""
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.col_cost_, lp.offset_ = matrix.cost, matrix.offset
    lp.col_lower_, lp.col_upper_ = matrix.lower, matrix.upper
    lp.row_lower_, lp.row_upper_ = matrix.row_lower, matrix.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = matrix.a.indptr
    lp.a_matrix_.index_ = matrix.a.indices
    lp.a_matrix_.value_ = matrix.a.data
    if integer:
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[int(whole)] for whole in matrix.integer]
    return lp


def certified_bound(matrix: Matrix, row_dual: Floats) -> float:
    """Lower limit of the objective that a vector of row duals proves, million USD (weak duality).

    Any ``y`` gives ``offset + sum of y+ * row_lower + y- * row_upper + sum of min(rc*lower, rc*upper)``
    with ``rc = cost - a'y``; duals that lean on an open side of a row count as 0.

    Args:
        row_dual: shape (rows,).
    """
    y = row_dual.copy()
    y[(y > 0) & ~np.isfinite(matrix.row_lower)] = 0.0
    y[(y < 0) & ~np.isfinite(matrix.row_upper)] = 0.0
    rows = np.where(y > 0, matrix.row_lower, matrix.row_upper)
    rest = matrix.cost - matrix.a.T @ y
    return float(matrix.offset + y[y != 0] @ rows[y != 0] + np.minimum(rest * matrix.lower, rest * matrix.upper).sum())

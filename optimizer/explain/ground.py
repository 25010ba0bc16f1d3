"""A dataset with its plan as the explanations need it: the model near the plan, with racks divisible, kept warm.

The *local model* is the planning model with the plan's yes-or-no decisions fixed (contracts signed and served from
which sites, sites opened, blocks built, retrofits ordered) and racks divisible. With racks fixed too, no limit on racks
would have a value: nothing could use one more megawatt. Bounds that the model's builder derives from capacity (how many
racks could ever fit, how much a site could ever deliver) are taken away, since one unit more of a limit would move them too;
the rows that they follow from stay.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from models.dataset import Dataset
from models.plan import Plan
from optimizer.blocks.base import MILLION
from optimizer.decisions import decisions_from_plan, start_vector
from optimizer.exact import YES_OR_NO, columns_of
from optimizer.explain.room import roomy_upper, switches
from optimizer.formulation import formulate
from optimizer.highs import Control, Outcome, Program, Solution, SolverError
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix, compile_matrix


@dataclass(frozen=True)
class Edit:
    """A small change of the model: limits of rows and upper bounds of columns that move.

    Attributes:
        rows, columns: place in the model, and by how much the limit moves.
        constant_usd: money that comes with it, discounted USD.
    """

    rows: tuple[tuple[int, float], ...] = ()
    columns: tuple[tuple[int, float], ...] = ()
    constant_usd: float = 0.0


def local_model(inst: Instance, matrix: Matrix, x: Floats, free: Iterable[str] = ()) -> Matrix:
    """The local model near a plan.

    Args:
        x: the plan's whole numbers; shape (columns,).
        free: contracts that may be signed and choose their sites.
    """
    lower, upper, row_upper = matrix.lower.copy(), roomy_upper(inst, matrix), matrix.row_upper.copy()
    contracts = set(free)
    whole = columns_of(matrix, YES_OR_NO)
    lower[whole] = upper[whole] = np.clip(np.round(x[whole]), matrix.lower[whole], matrix.upper[whole])
    for family in ("sign", "serve"):
        first, index = matrix.columns[family]
        loose = [first + i for i, key in enumerate(index) if key[0] in contracts]
        lower[loose], upper[loose] = matrix.lower[loose], matrix.upper[loose]
    for row, column in switches(matrix).items():
        if lower[column] > 0.5:
            row_upper[row] = np.inf
    return replace(matrix, lower=lower, upper=upper, row_upper=row_upper)


@dataclass
class Ground:
    """A dataset, its plan, and the local model near it, solved.

    Args:
        dataset: the planning problem.
        plan: its plan.
        seed: of the solver.
        built: instance and matrix of the dataset, if they are there already.

    Attributes:
        instance, matrix: of the dataset.
        x: the plan's whole numbers as a vector of the model; shape (columns,).
    """

    dataset: Dataset
    plan: Plan
    seed: int = 0
    built: tuple[Instance, Matrix] | None = None
    instance: Instance = field(init=False)
    matrix: Matrix = field(init=False)
    x: Floats = field(init=False)
    _local: Matrix | None = field(default=None, init=False)
    _program: Program | None = field(default=None, init=False)
    _found: Solution | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.built is None:
            self.instance = Instance(self.dataset)
            self.matrix = compile_matrix(formulate(self.instance))
        else:
            self.instance, self.matrix = self.built
        self.x = start_vector(self.instance, self.matrix, decisions_from_plan(self.instance, self.plan.tables))

    @property
    def in_force(self) -> frozenset[str]:
        """Contracts in force in the plan: firm ones and prospects signed."""
        return frozenset(str(c) for (c,), value in self.matrix.values("sign", self.x) if value > 0.5)

    @property
    def local(self) -> Matrix:
        """The local model."""
        if self._local is None:
            self._local = local_model(self.instance, self.matrix, self.x)
        return self._local

    def solved(self, control: Control | None = None) -> Solution:
        """The local model's solution, with duals.

        Raises:
            SolverError: it was not solved in time; as it holds the plan itself, it has a solution.
        """
        if self._found is None:
            self._program = Program(self.local, threads=1, seed=self.seed)
            found = self._program.solve(control or Control(), method="ipm")
            if found.outcome is not Outcome.OPTIMAL or found.row_dual is None:
                raise SolverError(f"the model near the plan was not solved ({found.outcome.value})")
            self._found = found
            self._basis = self._program.statuses()
        return self._found

    def value_usd(self, edit: Edit) -> float:
        """What an edit is worth by the duals, discounted USD: minus the sum of dual times step, times a million.

        Call :meth:`solved` with a deadline first; without it the model is solved here, however long that takes.

        The solver minimises minus NPV in million USD, and a dual is the slope of its objective in the limit of its row.
        """
        found = self.solved()
        assert found.row_dual is not None
        assert found.reduced_cost is not None
        rows = sum(float(found.row_dual[i]) * step for i, step in edit.rows)
        columns = sum(min(0.0, float(found.reduced_cost[j])) * step for j, step in edit.columns)
        return -(rows + columns) * MILLION + edit.constant_usd

    def resolved(self, edit: Edit, control: Control) -> tuple[float, Floats] | None:
        """What an edit brings when the local model is solved again with it, discounted USD, and the solution; None if time is up.

        The model is left as it was.
        """
        base = self.solved(control)
        program = self._program
        assert program is not None
        rows, columns = _places(edit.rows), _places(edit.columns)
        m = self.local
        program.set_statuses(self._basis)
        program.bound_rows(rows, m.row_lower[rows] + _steps(edit.rows), m.row_upper[rows] + _steps(edit.rows))
        program.bound(columns, m.lower[columns], m.upper[columns] + _steps(edit.columns))
        try:
            found = program.solve(control, method="simplex")
        finally:
            program.bound_rows(rows, m.row_lower[rows], m.row_upper[rows])
            program.bound(columns, m.lower[columns], m.upper[columns])
        if found.outcome is not Outcome.OPTIMAL or found.x is None:
            return None
        return (base.objective - found.objective) * MILLION + edit.constant_usd, found.x

    def edited(self, edit: Edit) -> Matrix:
        """The local model with an edit."""
        m = self.local
        row_lower, row_upper, upper = m.row_lower.copy(), m.row_upper.copy(), m.upper.copy()
        for i, step in edit.rows:
            row_lower[i] += step
            row_upper[i] += step
        for j, step in edit.columns:
            upper[j] += step
        return replace(m, row_lower=row_lower, row_upper=row_upper, upper=upper)


def _places(steps: tuple[tuple[int, float], ...]) -> np.ndarray:
    return np.array([i for i, _ in steps], dtype=np.intp)


def _steps(steps: tuple[tuple[int, float], ...]) -> Floats:
    return np.array([step for _, step in steps], dtype=float)


def within(seconds: float, control: Control | None = None) -> Control:
    """A deadline so many seconds from now; with another control's stop, and no later than its deadline."""
    return control.until(seconds) if control is not None else Control(time.monotonic() + seconds)

"""How fast the model is built and handed to HiGHS, against Pyomo's own interfaces and linopy.

    python -m benchmarks.bench --part build

All ways run on models with the same variables and constraints; each must leave HiGHS with the same rows, columns and
nonzeros. Seconds are CPU seconds of the process, so that other work on the machine matters less.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highspy
import numpy as np
from pyomo.contrib.appsi.solvers.highs import Highs as AppsiHighs
from pyomo.contrib.solver.solvers.highs import Highs as ContribHighs

from optimizer.blocks.base import Formulation
from optimizer.formulation import formulate
from optimizer.highs import to_highs
from optimizer.instance import Instance
from optimizer.matrix import Matrix, compile_matrix

Size = tuple[int, int, int]


class Clock:
    """CPU seconds of this process, step by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.last = time.process_time()

    def __call__(self, step: str) -> None:
        """End a step."""
        now = time.process_time()
        self.seconds[step] = now - self.last
        self.last = now

    def restart(self) -> None:
        """Forget all steps so far."""
        self.seconds.clear()
        self.last = time.process_time()


def size(highs: Any) -> Size:
    """Rows, columns and nonzeros that HiGHS holds."""
    return highs.getNumRow(), highs.getNumCol(), highs.getNumNz()


def by_arrays(f: Formulation, clock: Clock) -> Any:
    """The project's way: compile to arrays, pass them."""
    m = compile_matrix(f)
    clock("compile")
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.passModel(to_highs(m, integer=True))
    clock("hand over")
    return highs


def by_appsi(f: Formulation, clock: Clock) -> Any:
    """``pyomo.contrib.appsi``, the solver ``appsi_highs``."""
    solver = AppsiHighs()
    solver.set_instance(f.model)
    clock("hand over")
    return solver._solver_model


def by_contrib(f: Formulation, clock: Clock) -> Any:
    """``pyomo.contrib.solver``, the solver ``highs``."""
    solver = ContribHighs()
    solver.set_instance(f.model)
    clock("hand over")
    return solver._solver_model


def by_file(f: Formulation, clock: Clock) -> Any:
    """Pyomo's LP writer, then HiGHS's reader."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.lp"
        f.model.write(str(path))
        clock("write")
        highs = highspy.Highs()
        highs.setOptionValue("output_flag", False)
        highs.readModel(str(path))
        clock("read")
    return highs


def by_linopy(f: Formulation, clock: Clock) -> Any:
    """linopy, given every family's coefficients as arrays: the least it can take, since working them out does not count."""
    import linopy  # slow to load, and only needed here
    import xarray as xr

    m = compile_matrix(f)
    families = [(name, *_padded(m, rows), m.row_lower[rows], m.row_upper[rows]) for name, (rows, _) in m.rows.items() if len(rows)]
    paid = np.flatnonzero(m.cost)
    clock.restart()
    model = linopy.Model()
    for name, (_, index) in m.columns.items():
        if index:
            part = m.of(name)  # labels of variables are numbers in this order, so they are the matrix's columns
            lower, upper = (xr.DataArray(limit[part], dims=f"{name}_index") for limit in (m.lower, m.upper))
            model.add_variables(lower=lower, upper=upper, name=name, integer=bool(m.integer[part.start]))
    for name, columns, values, low, high in families:
        row = f"{name}_row"
        terms = {"coeffs": ((row, "_term"), values), "vars": ((row, "_term"), columns), "const": ((row,), np.zeros(len(low)))}
        sign = np.where(low == high, "=", np.where(np.isfinite(high), "<=", ">="))
        limit = np.where(np.isfinite(high), high, low)
        expression = linopy.LinearExpression(xr.Dataset(terms), model)
        model.add_constraints(expression, xr.DataArray(sign, dims=row), xr.DataArray(limit, dims=row), name=name)
    model.add_objective(linopy.LinearExpression(xr.Dataset({"coeffs": (("_term",), m.cost[paid]), "vars": (("_term",), paid)}), model))
    clock("build")
    highs = model.to_highspy()
    clock("hand over")
    return highs


def _padded(m: Matrix, rows: Any) -> tuple[Any, Any]:
    """Columns and coefficients of rows, as many in each as in the longest; -1 and nan beyond. Shape (rows, longest)."""
    part = m.a.tocsr()[rows]
    counts = np.diff(part.indptr)
    row, term = np.repeat(np.arange(len(rows)), counts), np.arange(part.nnz) - np.repeat(part.indptr[:-1], counts)
    columns, values = np.full((len(rows), counts.max()), -1), np.full((len(rows), counts.max()), np.nan)
    columns[row, term], values[row, term] = part.indices, part.data
    return columns, values


OURS = "arrays (this project)"
LINOPY = "linopy, coefficients given (a lower limit)"
WAYS: dict[str, tuple[bool, Callable[[Formulation, Clock], Any]]] = {
    OURS: (True, by_arrays),
    "appsi_highs, plain model": (False, by_appsi),
    "contrib.solver highs, plain model": (False, by_contrib),
    "LP file, plain model": (False, by_file),
    "appsi_highs, templated model": (True, by_appsi),
    "contrib.solver highs, templated model": (True, by_contrib),
    LINOPY: (True, by_linopy),
}
"""Whether constraints are built as templates, and how the model reaches HiGHS. The LP writer takes no templates."""


def measure(instance_of: Callable[[], Instance], way: str) -> tuple[dict[str, float], Size]:
    """CPU seconds of each step of one way, and what HiGHS holds."""
    templated, hand_over = WAYS[way]
    gc.collect()
    clock = Clock()
    f = formulate(instance_of(), templated=templated)
    clock("build")
    highs = hand_over(f, clock)
    return {**clock.seconds, "total": sum(clock.seconds.values())}, size(highs)

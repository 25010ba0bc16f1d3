"""The model as sparse arrays, with names of rows and columns: everything after the build works on these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler
from scipy.sparse import csc_array

from optimizer.blocks.base import MILLION, BuildError, Formulation, Index
from optimizer.formulation import templates
from optimizer.instance import Floats

Ints = NDArray[np.intp]


@dataclass
class Matrix:
    """``min cost @ x + offset`` over ``row_lower <= a @ x <= row_upper``, ``lower <= x <= upper``.

    The solver minimises; ``cost`` is the negative NPV in million USD. All columns have finite bounds.

    Attributes:
        a: coefficients, by column; shape (rows, columns).
        cost: shape (columns,).
        offset: the constant of the objective.
        row_lower, row_upper: shape (rows,); infinite where a side is open.
        lower, upper: shape (columns,).
        integer: whether a column is a whole number; shape (columns,).
        columns: first column of each family of variables, with its indices.
        rows: rows of each constraint, with their indices.
    """

    a: csc_array
    cost: Floats
    offset: float
    row_lower: Floats
    row_upper: Floats
    lower: Floats
    upper: Floats
    integer: NDArray[np.bool_]
    columns: dict[str, tuple[int, list[Index]]]
    rows: dict[str, tuple[Ints, list[Index]]]

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return (int(self.a.shape[0]), int(self.a.shape[1]))

    def of(self, family: str) -> slice:
        """Columns of a family of variables."""
        first, index = self.columns[family]
        return slice(first, first + len(index))

    def values(self, family: str, x: Floats) -> list[tuple[Index, float]]:
        """Index and value of every variable of a family that is not zero in a solution."""
        first, index = self.columns[family]
        part = x[first : first + len(index)]
        return [(index[i], float(part[i])) for i in np.flatnonzero(part).tolist()]

    def npv_usd(self, x: Floats) -> float:
        """NPV of a solution, USD."""
        return -float(self.cost @ x + self.offset) * MILLION

    def column_names(self) -> list[str]:
        """Names such as ``installed[ellendale,gb300,3]``."""
        names = [""] * self.shape[1]
        for family, (first, index) in self.columns.items():
            for i, key in enumerate(index):
                names[first + i] = label(family, key)
        return names

    def row_names(self) -> list[str]:
        """Names such as ``it_power[ellendale,3]``."""
        names = [""] * self.shape[0]
        for family, (rows, index) in self.rows.items():
            for row, key in zip(rows.tolist(), index, strict=True):
                names[row] = label(family, key)
        return names

    def violation(self, x: Floats) -> float:
        """Largest violation of a row or bound, each divided by max(1, |limit|)."""
        activity = self.a @ x
        worst = 0.0
        for low, high, value in ((self.row_lower, self.row_upper, activity), (self.lower, self.upper, x)):
            for limit, over in ((low, low - value), (high, value - high)):
                finite = np.isfinite(limit)
                if finite.any():
                    worst = max(worst, float((over[finite] / np.maximum(1.0, np.abs(limit[finite]))).max()))
        return worst


def label(family: str, key: Index) -> str:
    """Name of a row or column."""
    return f"{family}[{','.join(str(part) for part in key)}]"


def compile_matrix(f: Formulation) -> Matrix:
    """The Pyomo model as arrays.

    Raises:
        BuildError: rows of a constraint went missing on the way (a limit that vanishes is the commonest wrong answer).
    """
    order: list[Any] = []
    columns: dict[str, tuple[int, list[Index]]] = {}
    for name, family in f.variables.items():
        component = getattr(f.model, name)
        columns[name] = (len(order), family.index)
        order += [component[key] for key in family.index]
    with templates(True):
        info = LinearStandardFormCompiler().write(f.model, mixed_form=True, column_order=order)
    position = {id(var): i for i, var in enumerate(order)}
    place = np.fromiter((position[id(var)] for var in info.columns), dtype=np.intp, count=len(info.columns))
    a = info.A.tocoo()
    full = csc_array((a.data, (a.row, place[a.col])), shape=(len(info.rows), len(order)))
    full.sum_duplicates()
    cost = np.zeros(len(order))
    cost[place] = info.c.toarray().reshape(-1)[: len(place)]
    rhs = np.asarray(info.rhs, dtype=float)
    kind = np.fromiter((row.bound_type for row in info.rows), dtype=np.intp, count=len(info.rows))
    return Matrix(
        a=full,
        cost=cost,
        offset=float(np.asarray(info.c_offset).reshape(-1)[0]),
        row_lower=np.where(kind <= 0, rhs, -np.inf),
        row_upper=np.where(kind >= 0, rhs, np.inf),
        lower=np.concatenate([v.lower for v in f.variables.values()]),
        upper=np.concatenate([v.upper for v in f.variables.values()]),
        integer=np.concatenate([np.full(len(v.index), v.integer) for v in f.variables.values()]),
        columns=columns,
        rows=_rows_by_constraint(f, info.rows),
    )


def _rows_by_constraint(f: Formulation, entries: list[Any]) -> dict[str, tuple[Ints, list[Index]]]:
    """Rows of each constraint.

    Raises:
        BuildError: a constraint lost rows.
    """
    found: dict[str, list[int]] = {name: [] for name in f.rows}
    index: dict[str, list[Index]] = {name: [] for name in f.rows}
    for i, entry in enumerate(entries):
        name = entry.constraint.parent_component().local_name
        found[name].append(i)
        key = entry.constraint.index()
        index[name].append(key if isinstance(key, tuple) else (key,))
    for name, rows in f.rows.items():
        if len(found[name]) != len(rows):
            missing = sorted(set(map(str, rows)) - set(map(str, index[name])))[:3]
            raise BuildError(
                f"constraint {name}: {len(rows)} rows declared, {len(found[name])} in the matrix; missing {', '.join(missing)}"
            )
    return {name: (np.array(found[name], dtype=np.intp), index[name]) for name in f.rows}


def coefficient_ranges(m: Matrix) -> dict[str, tuple[float, float]]:
    """Smallest and largest absolute value of coefficients, costs, bounds and right-hand sides (zeros left out)."""

    def span(values: Floats) -> tuple[float, float]:
        size = np.abs(values[np.isfinite(values) & (values != 0)])
        return (float(size.min()), float(size.max())) if size.size else (0.0, 0.0)

    return {
        "matrix": span(m.a.data),
        "cost": span(m.cost),
        "bounds": span(np.concatenate([m.lower, m.upper])),
        "right-hand sides": span(np.concatenate([m.row_lower, m.row_upper])),
    }


def sizes(m: Matrix) -> Mapping[str, int]:
    """Rows, columns, integers, nonzeros."""
    return {"rows": m.shape[0], "columns": m.shape[1], "integers": int(m.integer.sum()), "nonzeros": int(m.a.nnz)}

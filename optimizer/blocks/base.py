"""What a block is made of: variables, data, constraints and terms of NPV, and where they are collected.

A block declares its variables and data on the Pyomo model, lists its constraints, and gives its
terms of NPV. A constraint is one function without ``if``: which rows exist is said by its index set,
so that Pyomo expands it as a template. How many rows there must be is said a second time, by other
code, and a build that differs fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from optimizer.instance import Floats, Instance

Index = tuple[Any, ...]
MILLION = 1e6
"""USD per million USD: money in the solver is million USD (model.md)."""


class BuildError(Exception):
    """The model that was built is not the model that the data ask for."""


@dataclass(frozen=True)
class Variable:
    """A family of decision variables.

    Attributes:
        name: name in code, log and matrix.
        index: index of each variable, in the order of the matrix columns.
        lower, upper: bounds; shape (len(index),).
        integer: whether the variables are whole numbers.
    """

    name: str
    index: list[Index]
    lower: Floats
    upper: Floats
    integer: bool

    def position(self) -> dict[Index, int]:
        """Position of each index."""
        return {key: i for i, key in enumerate(self.index)}


@dataclass(frozen=True)
class Constraint:
    """A family of constraint rows.

    Attributes:
        number: its number in model.md.
        name: its name in code, log, matrix and audit.
        rule: the function that writes one row.
        over: the indices of its rows.
        rows: how many rows the data ask for, computed by other code than ``over``.
    """

    number: int
    name: str
    rule: Callable[..., Any]
    over: Callable[[Formulation], Iterable[Index]]
    rows: Callable[[Instance], int]

    @property
    def reason(self) -> str:
        """First line of the docstring: why the rule exists."""
        return (self.rule.__doc__ or "").strip().splitlines()[0]


@dataclass(frozen=True)
class Term:
    """Part of a term of NPV: coefficients on one family of variables, discounted, in million USD.

    Attributes:
        name: name of the NPV term (model.md).
        variable: family of variables; empty for a constant.
        coefficients: million USD per unit; shape (number of variables of the family,).
        constant: million USD.
    """

    name: str
    variable: str = ""
    coefficients: Floats = field(default_factory=lambda: np.zeros(0))
    constant: float = 0.0


class Formulation:
    """The model as it is being declared: the Pyomo model, with what the blocks say of it.

    Args:
        instance: the data.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.model = pyo.ConcreteModel(name=instance.dataset.name)
        self.variables: dict[str, Variable] = {}
        self.constraints: dict[str, Constraint] = {}
        self.rows: dict[str, list[Index]] = {}
        self.terms: list[Term] = []

    def variable(
        self,
        name: str,
        index: Iterable[Index],
        *,
        lower: float | Sequence[float] | Floats = 0.0,
        upper: float | Sequence[float] | Floats,
        integer: bool = False,
    ) -> Variable:
        """Declare a family of bounded variables.

        Raises:
            BuildError: a bound is not finite, or the lower bound is above the upper.
        """
        keys = list(index)
        low = np.broadcast_to(np.asarray(lower, dtype=float), (len(keys),)).copy()
        high = np.broadcast_to(np.asarray(upper, dtype=float), (len(keys),)).copy()
        if not (np.isfinite(low).all() and np.isfinite(high).all() and (low <= high).all()):
            wrong = int(np.flatnonzero(~(np.isfinite(low) & np.isfinite(high) & (low <= high)))[0])
            raise BuildError(f"bounds of {name}{list(keys[wrong])}: {low[wrong]} to {high[wrong]}")
        family = Variable(name, keys, low, high, integer)
        self.variables[name] = family
        self._unused(name)
        bounds = dict(zip(keys, zip(low.tolist(), high.tolist(), strict=True), strict=True))
        setattr(
            self.model,
            name,
            pyo.Var(
                pyo.Set(initialize=keys, dimen=len(keys[0]) if keys else 1, name=f"{name}_index"),
                domain=pyo.Integers if integer else pyo.Reals,
                bounds=lambda _, *key: bounds[key],
                dense=True,
            ),
        )
        return family

    def param(self, name: str, values: Mapping[Any, float]) -> None:
        """Declare data of rules, by index."""
        self._unused(name)
        setattr(self.model, name, pyo.Param(list(values), initialize=dict(values), domain=pyo.Reals))

    def members(self, name: str, values: Mapping[Any, Sequence[Any]], width: int = 1) -> None:
        """Declare what a rule sums over, by index; ``width`` is the number of parts of a member."""
        self._unused(name)
        setattr(self.model, name, pyo.Set(list(values), initialize=dict(values), dimen=width))

    def constrain(self, constraint: Constraint) -> None:
        """Declare a constraint.

        Raises:
            BuildError: it has not as many rows as the data ask for.
        """
        index = list(constraint.over(self))
        asked = constraint.rows(self.instance)
        if len(index) != asked:
            raise BuildError(f"constraint {constraint.number} {constraint.name}: {len(index)} rows, the data ask for {asked}")
        self._unused(constraint.name)
        self.constraints[constraint.name] = constraint
        self.rows[constraint.name] = index
        if index:
            keys = pyo.Set(initialize=index, dimen=len(index[0]), name=f"{constraint.name}_rows")
            setattr(self.model, constraint.name, pyo.Constraint(keys, rule=constraint.rule))

    def _unused(self, name: str) -> None:
        if self.model.component(name) is not None:
            raise BuildError(f"two parts of the model are called {name}")

    def term(self, name: str, variable: str, coefficients: Floats | Sequence[float]) -> None:
        """Add a part of an NPV term: discounted million USD per unit of each variable of a family."""
        values = np.asarray(coefficients, dtype=float)
        if values.shape != (len(self.variables[variable].index),):
            raise BuildError(
                f"term {name} on {variable}: {values.shape[0]} coefficients for {len(self.variables[variable].index)} variables"
            )
        self.terms.append(Term(name, variable, values))

    def constant(self, name: str, value: float) -> None:
        """Add a constant part of an NPV term, discounted million USD."""
        self.terms.append(Term(name, constant=float(value)))


@dataclass(frozen=True)
class Block:
    """A concept of the model.

    Attributes:
        name: name of the concept, and of its file.
        declare: declares variables and data.
        constraints: its constraints.
        money: adds its terms of NPV.
    """

    name: str
    declare: Callable[[Formulation], None]
    constraints: tuple[Constraint, ...] = ()
    money: Callable[[Formulation], None] | None = None


def constraint(
    number: int, over: Callable[[Formulation], Iterable[Index]], rows: Callable[[Instance], int]
) -> Callable[[Callable[..., Any]], Constraint]:
    """Make a constraint of the function that writes one of its rows; the function's name is the constraint's."""

    def make(rule: Callable[..., Any]) -> Constraint:
        return Constraint(number, rule.__name__, rule, over, rows)

    return make


def columns_of(variable: Variable, *positions: Mapping[Any, int] | None) -> tuple[NDArray[np.intp], ...]:
    """Index of a family as arrays of positions, one per index part; ``None`` keeps a number (a period) as it is."""
    parts = list(zip(*variable.index, strict=True)) if variable.index else [() for _ in positions]
    return tuple(
        np.array(part if at is None else [at[key] for key in part], dtype=np.intp) for part, at in zip(parts, positions, strict=True)
    )

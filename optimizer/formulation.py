"""The planning model in Pyomo: the blocks of model.md put together."""

from __future__ import annotations

import builtins
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyomo.core.base.constraint as pyomo_constraint
import pyomo.environ as pyo
from pyomo.common.gc_manager import PauseGC
from pyomo.core.expr import LinearExpression, template_expr

from optimizer.blocks import (
    budget,
    carbon,
    cooling,
    customers,
    delivery,
    directives,
    energy,
    fleet,
    grid,
    market,
    moves,
    opening,
    power,
    residual,
    serving,
    supply,
    water,
)
from optimizer.blocks.base import Block, Constraint, Formulation
from optimizer.instance import Instance

SUM = builtins.sum
"""The built-in function, which Pyomo replaces for a while."""

BLOCKS: tuple[Block, ...] = (
    opening.BLOCK,
    fleet.BLOCK,
    supply.BLOCK,
    power.BLOCK,
    cooling.BLOCK,
    grid.BLOCK,
    market.BLOCK,
    delivery.BLOCK,
    serving.BLOCK,
    moves.BLOCK,
    residual.BLOCK,
    energy.BLOCK,
    carbon.BLOCK,
    water.BLOCK,
    budget.BLOCK,
    customers.BLOCK,
    directives.BLOCK,
)
"""Every concept of the model, in an order in which each finds the variables that its declarations need."""


def all_constraints() -> dict[str, Constraint]:
    """Every constraint of the model by name."""
    return {constraint.name: constraint for block in BLOCKS for constraint in block.constraints}


@contextmanager
def templates(on: bool) -> Iterator[None]:
    """Let Pyomo write constraints as templates, which it expands without building an expression per row.

    While it reads a template, Pyomo puts its own ``sum`` in the place of the built-in one, for all threads of the process. Other threads
    (a worker's messages, its progress) would add up with it and fail on sums of nothing; so they are given the built-in one.
    """
    context: Any = template_expr._template_iter_context
    of_pyomo, builder = context.sum_template, threading.get_ident()

    def sum_template(self: Any, *given: Any, **more: Any) -> Any:
        return of_pyomo(self, *given, **more) if threading.get_ident() == builder else SUM(*given, **more)

    before = pyomo_constraint.TEMPLATIZE_CONSTRAINTS
    log = logging.getLogger("pyomo.core")
    level = log.level
    pyomo_constraint.TEMPLATIZE_CONSTRAINTS = on
    log.setLevel(logging.ERROR)
    context.sum_template = sum_template
    try:
        yield
    finally:
        context.sum_template = of_pyomo
        pyomo_constraint.TEMPLATIZE_CONSTRAINTS = before
        log.setLevel(level)


def formulate(instance: Instance, *, templated: bool = True) -> Formulation:
    """The Pyomo model of an instance: maximise NPV, million USD.

    Args:
        instance: the data.
        templated: whether constraints are written as Pyomo templates; the matrix is the same.

    Raises:
        BuildError: a constraint has not the rows that the data ask for.
        DirectiveConflictError: a directive asks for what is no decision.
    """
    with PauseGC():
        return _declare(instance, templated)


def _declare(instance: Instance, templated: bool) -> Formulation:
    """Declare all blocks; the garbage collector, which a build of many small objects doubles in time, waits."""
    f = Formulation(instance)
    f.model.periods = pyo.RangeSet(0, instance.T - 1)
    f.model.last_period = pyo.Set(initialize=[instance.T - 1])
    for block in BLOCKS:
        block.declare(f)
    with templates(templated):
        for block in BLOCKS:
            for constraint in block.constraints:
                f.constrain(constraint)
    for block in BLOCKS:
        if block.money is not None:
            block.money(f)
    f.model.npv = pyo.Objective(expr=_npv(f), sense=pyo.maximize)
    return f


def _npv(f: Formulation) -> LinearExpression:
    """All terms of NPV as one linear expression."""
    total = {name: np.zeros(len(family.index)) for name, family in f.variables.items()}
    constant = 0.0
    for term in f.terms:
        constant += term.constant
        if term.variable:
            total[term.variable] += term.coefficients
    variables, coefficients = [], []
    for name, values in total.items():
        component = getattr(f.model, name)
        index = f.variables[name].index
        chosen = np.flatnonzero(values).tolist()
        variables += [component[index[i]] for i in chosen]
        coefficients += values[chosen].tolist()
    return LinearExpression(constant=constant, linear_coefs=coefficients, linear_vars=variables)

"""The elastic model: named rules may give way, each at a price of one per share of its limit; kept warm in the solver.

A rule is *held* (its slack is 0), *soft* (its slack costs), or *dropped* (its slack is free). Which is which are bounds and costs
of the slack columns alone, so the next question starts from the last basis.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import csc_array, hstack

from optimizer.blocks.base import MILLION, Index
from optimizer.conflicts import GIVES_WAY, HARD, activity
from optimizer.highs import Control, Outcome, Program, Solution
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix

Group = tuple[str, str]
"""A named rule: its kind and id."""
SMALLEST = 1e-3
"""Limits below this, in the unit of their row, have no share: one unit of the row counts as much as all of a limit."""


@dataclass(frozen=True)
class Slack:
    """By how much one side of a row gives way.

    Attributes:
        name, key, row: constraint, index and row.
        size: the limit, in the unit of the row: a slack of 1 is all of it.
        most: largest slack that can ever be needed, from the bounds of the row's columns.
        more: whether it stands for a larger limit (less is asked for, or more is allowed).
    """

    name: str
    key: Index
    row: int
    size: float
    most: float
    more: bool


def group_of(name: str, key: Index) -> Group:
    """The named rule that a row belongs to."""
    if name.startswith("directive"):
        return "directive", str(key[0])
    return name, "" if name == "capex_budget" else str(key[0])


def size_of(inst: Instance, matrix: Matrix, name: str, key: Index, row: int) -> float:
    """The limit that a row stands for, in the row's unit.

    Of a hard duty what is owed, of a share of revenue what the customer would pay if all were delivered, of balances
    (budget, supply) what there is up to the period.
    """
    low, high = float(matrix.row_lower[row]), float(matrix.row_upper[row])
    if name == "short_limit":
        size = float(inst.owed[inst.contract_at[key[0]], key[1]])
    elif name == "capex_budget":
        size = float(inst.budget[: key[0] + 1].sum()) / MILLION
    elif name == "supply":
        size = float(inst.supply[inst.gen_at[key[0]], : key[1] + 1].sum())
    elif name == "customer_share":
        own = [inst.contract_at[c] for c, r in inst.contract_rows.items() if r.customer == key[0]]
        size = float((inst.owed[own, key[1]] * inst.contract_price[own, key[1]]).sum() * inst.hours[key[1]]) / MILLION
    else:
        size = abs(high) if np.isfinite(high) else abs(low)
    return size if size > SMALLEST else 1.0


def slacks_of(inst: Instance, matrix: Matrix, families: Iterable[str]) -> list[Slack]:
    """Slacks of every side of the rows of some constraints."""
    least, most = activity(matrix)
    found = []
    for name in families:
        rows, index = matrix.rows.get(name, (np.zeros(0, dtype=np.intp), []))
        for row, key in zip(rows.tolist(), index, strict=True):
            low, high = float(matrix.row_lower[row]), float(matrix.row_upper[row])
            size = size_of(inst, matrix, name, key, row)
            if np.isfinite(low):
                found.append(Slack(name, key, row, size, max(0.0, low - float(least[row])) / size, not np.isfinite(high)))
            if np.isfinite(high):
                found.append(Slack(name, key, row, -size, max(0.0, float(most[row]) - high) / size, True))
    return found


def with_slacks(matrix: Matrix, slacks: list[Slack]) -> Matrix:
    """The model with these slacks, each with a cost of 1 and all else free of charge."""
    count = len(slacks)
    extra = csc_array(([s.size for s in slacks], ([s.row for s in slacks], range(count))), shape=(matrix.shape[0], count))
    return replace(
        matrix,
        a=csc_array(hstack([matrix.a, extra], format="csc")),
        cost=np.concatenate([np.zeros(matrix.shape[1]), np.ones(count)]),
        offset=0.0,
        lower=np.concatenate([matrix.lower, np.zeros(count)]),
        upper=np.concatenate([matrix.upper, np.array([s.most for s in slacks], dtype=float)]),
        integer=np.concatenate([matrix.integer, np.zeros(count, dtype=bool)]),
    )


@dataclass
class Elastic:
    """The elastic model of a dataset in the solver, once with racks divisible and once in whole numbers.

    Args:
        inst, matrix: of the dataset.
        threads, seed: of the solver.

    Attributes:
        slacks: of every hard rule.
        groups: places of each named rule's slacks.
    """

    inst: Instance
    matrix: Matrix
    threads: int = 1
    seed: int = 0
    slacks: list[Slack] = field(init=False)
    groups: dict[Group, list[int]] = field(init=False)
    _model: Matrix = field(init=False)
    _programs: dict[bool, Program] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.slacks = slacks_of(self.inst, self.matrix, HARD)
        self.groups = {}
        for i, slack in enumerate(self.slacks):
            self.groups.setdefault(group_of(slack.name, slack.key), []).append(i)
        self._model = with_slacks(self.matrix, self.slacks)

    def solve(self, control: Control, soft: Iterable[Group], dropped: Iterable[Group] = (), integer: bool = False) -> Solution | None:
        """The least sum of shares by which soft rules give way while all that are neither soft nor dropped hold.

        Returns:
            A solution without ``x`` says that what is held has none; None that it was not found in time.
        """
        first, upper, cost = self.matrix.shape[1], self._model.upper.copy(), self._model.cost.copy()
        give = [first + i for group in soft for i in self.groups[group]]
        free = [first + i for group in dropped for i in self.groups[group]]
        held = np.ones(len(self.slacks), dtype=bool)
        held[np.array([*give, *free], dtype=np.intp) - first] = False
        upper[first:][held] = 0.0
        cost[free] = 0.0
        model = replace(self._model, cost=cost)
        fresh = integer not in self._programs
        if fresh:
            self._programs[integer] = Program(model, integer=integer, threads=self.threads, seed=self.seed)
            if integer:
                self._programs[integer].option("mip_rel_gap", 1e-3)
        program = self._programs[integer]
        program.become(model, model.lower, upper)
        found = program.solve(control, method="choose" if integer else "ipm" if fresh else "simplex")
        if found.outcome is Outcome.INFEASIBLE:
            return found
        if found.x is None or (found.outcome is Outcome.STOPPED and found.objective > GIVES_WAY):
            return None
        return found

    def shares(self, found: Solution) -> Floats:
        """Value of each slack; shape (slacks,)."""
        assert found.x is not None
        return found.x[self.matrix.shape[1] :]

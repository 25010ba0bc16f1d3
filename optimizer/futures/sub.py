"""A future's model as a part of the whole: its matrix, where its first stage is, its loss, and its share of the risk."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csc_array, hstack, vstack

from models.dataset import Dataset
from models.uncertainty import Scenario
from optimizer.exact import DECIDED, columns_of
from optimizer.formulation import formulate
from optimizer.futures.first_stage import FirstStage
from optimizer.futures.risk import Risk
from optimizer.instance import Floats, Instance
from optimizer.matrix import Ints, Matrix, compile_matrix

MISSING = -1
"""Position of a component that a future's model lacks: it is 0 there."""


@dataclass
class Sub:
    """A future's model.

    Attributes:
        scenario: the future.
        dataset, instance: with its changes.
        matrix: the model with columns ``bought`` for sums of racks and, with risk, ``eta`` and ``excess``; its cost is the future's
            part of the objective, before it is weighted with its odds.
        loss: cost of the loss; shape (columns,).
        loss_offset: constant of the loss, million USD.
        positions: columns of the first stage, with risk ``eta`` last; ``MISSING`` where it has none.
        own: number of columns without ``eta`` and ``excess``, which are the last; their row is the last too.
        decided: columns of the whole numbers from which all others follow.
    """

    scenario: Scenario
    dataset: Dataset
    instance: Instance
    matrix: Matrix
    loss: Floats
    loss_offset: float
    positions: Ints
    decided: Ints
    own: int

    def bounds(self) -> tuple[Floats, Floats]:
        """Bounds of the first stage in this future alone; shape (components,) each."""
        there = self.positions != MISSING
        lower, upper = np.zeros(len(self.positions)), np.zeros(len(self.positions))
        lower[there], upper[there] = self.matrix.lower[self.positions[there]], self.matrix.upper[self.positions[there]]
        return lower, upper

    def first(self, x: Floats) -> Floats:
        """First stage of a solution; shape (components,)."""
        values = np.zeros(len(self.positions))
        there = self.positions != MISSING
        values[there] = x[self.positions[there]]
        return values

    def loss_of(self, x: Floats) -> float:
        """Loss of a solution, million USD."""
        return float(self.loss @ x + self.loss_offset)

    def bare(self) -> Sub:
        """The same without names, for other processes."""
        return replace(self, instance=None, dataset=None, matrix=replace(self.matrix, columns={}, rows={}))  # type: ignore[arg-type]


def build(scenario: Scenario, dataset: Dataset, first: FirstStage, risk: Risk) -> Sub:
    """The model of a future.

    Args:
        scenario: the future.
        dataset: with its changes.
        first: the first stage.
        risk: the objective.

    Raises:
        DirectiveConflictError: a directive asks for what is no decision.
    """
    instance = Instance(dataset)
    matrix = compile_matrix(formulate(instance))
    if not first.placement:
        matrix = _with_bought(matrix, first, instance)
    loss, offset, own = matrix.cost, matrix.offset, matrix.shape[1]
    if risk.weight > 0:
        matrix = _with_risk(matrix, risk)
        loss = np.concatenate([loss, [0.0, 0.0]])
    decided = columns_of(matrix, DECIDED)
    return Sub(scenario, dataset, instance, matrix, loss, offset, _positions(matrix, first, instance, risk), decided, own)


def _positions(matrix: Matrix, first: FirstStage, instance: Instance, risk: Risk) -> Ints:
    """Columns of the first stage."""
    at: dict[str, dict[object, int]] = {}
    found = []
    for key in first.keys:
        column = first.column(instance, key)
        if column is None or column[0] not in matrix.columns:
            found.append(MISSING)
            continue
        family, index = column
        if family not in at:
            begin, known = matrix.columns[family]
            at[family] = {k: begin + i for i, k in enumerate(known)}
        found.append(at[family].get(index, MISSING))
    if risk.weight > 0:
        found.append(matrix.columns["eta"][0])
    return np.array(found, dtype=np.intp)


def _with_bought(matrix: Matrix, first: FirstStage, instance: Instance) -> Matrix:
    """With the racks bought of each generation and period as columns: their sum over sites."""
    begin, index = matrix.columns["installed"]
    keys = [key[1:] for key in first.keys if key[0] == "bought" and key[1] in instance.gen_at]
    row_of = {key: i for i, key in enumerate(keys)}
    parts = [(row_of[g, t], begin + i) for i, (_, g, t) in enumerate(index) if (g, t) in row_of]
    rows, columns = (np.array(part, dtype=np.intp) for part in (zip(*parts, strict=True) if parts else ((), ())))
    sums = csc_array((np.ones(len(rows)), (rows, columns)), shape=(len(keys), matrix.shape[1]))
    most = np.asarray(sums @ matrix.upper)
    own = csc_array(-np.eye(len(keys)))
    zero = csc_array((matrix.shape[0], len(keys)))
    a = csc_array(vstack([hstack([matrix.a, zero]), hstack([sums, own])], format="csc"))
    count, none = matrix.shape[1], np.zeros(len(keys))
    return replace(
        matrix, a=a, cost=np.concatenate([matrix.cost, none]),
        row_lower=np.concatenate([matrix.row_lower, none]), row_upper=np.concatenate([matrix.row_upper, none]),
        lower=np.concatenate([matrix.lower, none]), upper=np.concatenate([matrix.upper, most]),
        integer=np.concatenate([matrix.integer, np.ones(len(keys), dtype=bool)]),
        columns={**matrix.columns, "bought": (count, list(keys))},
        rows={**matrix.rows, "bought": (np.arange(matrix.shape[0], a.shape[0], dtype=np.intp), list(keys))},
    )  # fmt: skip


def _with_risk(matrix: Matrix, risk: Risk) -> Matrix:
    """With ``eta`` and ``excess >= loss - eta``; the cost becomes the future's part of the objective (Rockafellar and Uryasev).

    eta and excess get bounds that no optimum reaches: the range of the loss over the bounds of all columns.
    """
    count, (low, high) = matrix.shape[1], loss_range(matrix)
    extra = csc_array((matrix.shape[0], 2))
    row = csc_array(np.concatenate([-matrix.cost, [1.0, 1.0]])[None, :])
    a = csc_array(vstack([hstack([matrix.a, extra]), row], format="csc"))
    number = np.array([matrix.shape[0]], dtype=np.intp)
    return replace(
        matrix, a=a, cost=np.concatenate([(1 - risk.weight) * matrix.cost, [risk.weight, risk.weight / (1 - risk.alpha)]]),
        offset=(1 - risk.weight) * matrix.offset,
        row_lower=np.append(matrix.row_lower, matrix.offset), row_upper=np.append(matrix.row_upper, np.inf),
        lower=np.concatenate([matrix.lower, [low, 0.0]]), upper=np.concatenate([matrix.upper, [high, high - low]]),
        integer=np.concatenate([matrix.integer, [False, False]]),
        columns={**matrix.columns, "eta": (count, [()]), "excess": (count + 1, [()])},
        rows={**matrix.rows, "excess": (number, [()])},
    )  # fmt: skip


def loss_range(matrix: Matrix) -> tuple[float, float]:
    """Smallest and largest loss that the bounds of the columns alone allow, million USD."""
    ends = np.stack([matrix.cost * matrix.lower, matrix.cost * matrix.upper])
    return float(ends.min(axis=0).sum() + matrix.offset), float(ends.max(axis=0).sum() + matrix.offset)


def common_bounds(subs: list[Sub], eta: bool) -> tuple[Floats, Floats]:
    """Bounds of the first stage that hold in every future; a lower one above its upper one says that there is none.

    Args:
        subs: the futures.
        eta: whether the last component is eta, whose bounds span those of all futures.
    """
    each = [sub.bounds() for sub in subs]
    lower, upper = np.max([low for low, _ in each], axis=0), np.min([high for _, high in each], axis=0)
    if eta:  # the risk of all lies between the smallest and the largest loss of any
        lower[-1], upper[-1] = min(low[-1] for low, _ in each), max(high[-1] for _, high in each)
        for sub in subs:
            j = sub.positions[-1]
            sub.matrix.lower[j], sub.matrix.upper[j] = lower[-1], upper[-1]
            sub.matrix.upper[j + 1] = upper[-1] - lower[-1]
    return lower, upper

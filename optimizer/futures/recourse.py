"""The second stage: a first stage held in every future, and each future on its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from models.plan import Plan
from optimizer.finish import Finish
from optimizer.futures.crew import Crew, Found, Task
from optimizer.futures.risk import Risk
from optimizer.futures.sub import Sub
from optimizer.highs import Control
from optimizer.instance import Floats
from optimizer.record import Record

WITHIN = 0.25
"""Share of the gap asked for that a single future may leave open."""


@dataclass(frozen=True)
class Held:
    """A first stage in all futures.

    Attributes:
        first: its components; shape (components,).
        losses: of each future's plan, million USD; shape (futures,).
        limits: proven lower limits of each future's loss with this first stage; shape (futures,).
        solutions: of each future's model; none where plans were searched for.
        objective: of the plans.
        limit: lower limit of the objective with this first stage.
        plans: of each future, where they were searched for.
    """

    first: Floats
    losses: Floats
    limits: Floats
    solutions: list[Floats]
    objective: float
    limit: float
    plans: list[Plan] = field(default_factory=list)


@dataclass
class Recourse:
    """Solves the second stage of models that HiGHS takes as they are.

    Args:
        crew: solves the futures.
        subs: the futures.
        odds: of each; shape (futures,).
        risk: the objective.
        lower, upper: bounds of the first stage that hold in all futures, with those of eta; shape (components,).
        gap: relative gap asked for.
    """

    crew: Crew
    subs: list[Sub]
    odds: Floats
    risk: Risk
    lower: Floats
    upper: Floats
    gap: float

    @property
    def components(self) -> int:
        """Number of components of the first stage without eta."""
        return len(self.lower) - int(self.risk.weight > 0)

    def held(self, first: Floats, control: Control) -> Held | None:
        """A first stage in all futures; None if one can't hold it, or time is up.

        Args:
            first: shape (components,); what stands for eta does not count.
        """
        lower, upper = self.lower.copy(), self.upper.copy()
        lower[: self.components] = upper[: self.components] = first[: self.components]
        if (lower < self.lower - 1e-9).any() or (upper > self.upper + 1e-9).any():
            return None
        tasks = [self.task(k, lower, upper) for k in range(len(self.subs))]
        return self._put_together(first, self.crew.run(tasks, control))

    def _put_together(self, first: Floats, found: list[Found]) -> Held | None:
        solutions = [one.x for one in found if one.x is not None]
        if len(solutions) < len(found):
            return None
        losses, limits = np.array([one.value for one in found]), np.array([min(one.bound, one.value) for one in found])
        return Held(
            first, losses, limits, solutions, self.risk.objective(losses, self.odds), self.risk.objective(limits, self.odds)
        )  # fmt: skip

    def alone(self, control: Control, whole: bool = True) -> list[Found]:
        """Every future on its own, as if it were known.

        Args:
            whole: whether for whole numbers, or relaxed.
        """
        tasks = [replace(self.task(k, *sub.bounds()), whole=whole) for k, sub in enumerate(self.subs)]
        return self.crew.run(tasks, control)

    def task(self, number: int, lower: Floats, upper: Floats) -> Task:
        """The best of a future's loss within bounds of the first stage."""
        return Task(number, lower, upper, gap=self.gap * WITHIN, keep=True)


def plan_of(sub: Sub, x: Floats, bound: float, gap: float, seed: int) -> tuple[Plan, list[str]]:
    """The plan of a future's solution, and what its audit finds wrong.

    Args:
        sub: the future.
        x: an exact solution; shape (columns,).
        bound: proven lower limit of the loss, with the first stage as it is, million USD.
        gap: relative gap asked for.
        seed: of the solver.
    """
    matrix = replace(sub.matrix, cost=sub.loss, offset=sub.loss_offset)
    record = Record(sub.instance, matrix, gap, Control(), 1, seed)
    record.best, record.bound = x, min(bound, record.objective(x))
    finish = Finish(gap, 1, seed, Control(), matrix=matrix)
    return finish.made(sub.dataset, sub.instance, record, x)

"""What every search over futures begins with: each future on its own, and whether they can have anything in common."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from optimizer.conflicts import conflicts
from optimizer.futures.crew import Found
from optimizer.futures.recourse import Recourse
from optimizer.futures.state import ScenarioInfeasibleError, State
from optimizer.futures.sub import Sub
from optimizer.highs import Control, Outcome
from optimizer.instance import Floats
from optimizer.planner import CONFLICT_SECONDS


def alone(state: State, recourse: Recourse, subs: Sequence[Sub], whole: bool) -> list[Found]:
    """Every future on its own: what it is worth to know it, and whether it can be planned at all.

    Args:
        whole: whether for whole numbers, or relaxed.

    Raises:
        ScenarioInfeasibleError: a future without any plan; the rules that conflict are named.
    """
    state.tell("each future on its own")
    known = recourse.alone(state.control, whole)
    for sub, found in zip(subs, known, strict=True):
        if found.outcome is Outcome.INFEASIBLE:
            matrix = replace(sub.matrix, cost=sub.loss, offset=sub.loss_offset)
            control = Control(time.monotonic() + CONFLICT_SECONDS, state.control.stop)
            raise ScenarioInfeasibleError(sub.scenario.name, conflicts(sub.instance, matrix, control, threads=1, seed=state.seed))
    bounds, certified = np.array([found.bound for found in known]), np.array([found.certified for found in known])
    state.raise_bound(state.risk.objective(bounds, state.odds), state.risk.objective(certified, state.odds))
    state.clock("known")
    return known


def see_common(state: State, lower: Floats, upper: Floats) -> None:
    """See that some first stage lies within the bounds of every future.

    Raises:
        ScenarioInfeasibleError: none does.
    """
    size = len(state.first.keys)
    wrong = [
        key for key, low, high in zip(state.first.keys, lower[:size].tolist(), upper[:size].tolist(), strict=True) if low > high + 1e-9
    ]
    if wrong:
        raise ScenarioInfeasibleError("", [" ".join(str(part) for part in key) for key in wrong[:5]])

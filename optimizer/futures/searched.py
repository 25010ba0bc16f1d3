"""The second stage of large models: a first stage laid over each future as directives, and the plan at hand repaired under them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.plan import DatasetRef, Plan
from models.tables import Directive
from optimizer.blocks.base import MILLION
from optimizer.blocks.directives import DirectiveConflictError
from optimizer.futures.first_stage import with_first_stage
from optimizer.futures.recourse import Held
from optimizer.futures.state import State
from optimizer.futures.sub import Sub
from optimizer.highs import Control
from optimizer.instance import Floats
from optimizer.planner import InfeasibleError, NoPlanError, Progress
from optimizer.repair import Repair
from optimizer.whatif import Planner

SHARE = 2.0
"""Most time of one future, as a multiple of its even share of the time left."""


@dataclass
class Searched:
    """Holds first stages in futures by repairing plans.

    Args:
        state: of the search.
        plan: of the dataset as it is.
        subs: the futures.
        lower, upper: bounds of the first stage that hold in all futures; shape (components,).
        limits: lower limits of each future's loss, whatever the first stage; shape (futures,).

    Attributes:
        latest: the last plan made for each future, to start from.
    """

    state: State
    plan: Plan
    subs: list[Sub]
    lower: Floats
    upper: Floats
    limits: Floats
    latest: dict[int, Plan] = field(default_factory=dict)
    _planner: Planner | None = None

    def held(self, first: Floats, control: Control) -> Held | None:
        """A first stage in all futures; None if in one no plan was found that holds it, or it can't become the best.

        Args:
            first: shape (components,); what stands for eta does not count.
        """
        state, size = self.state, len(self.state.first.keys)
        if (first[:size] < self.lower[:size] - 1e-9).any() or (first[:size] > self.upper[:size] + 1e-9).any():
            return None
        if self._planner is None:
            state.tell("plan for the dataset as it is: kept warm")
            self._planner = Planner(state.dataset, self.plan, threads=state.workers, seed=state.seed)
            self._planner.warm(control)
        values = dict(zip(state.first.keys, first[:size].tolist(), strict=True))
        losses, plans = self.limits.copy(), list[Plan]()
        for k, sub in enumerate(self.subs):
            state.tell(f"first stage held in future {k + 1} of {len(self.subs)}")
            seconds = SHARE * control.remaining / (len(self.subs) - k)
            made = self._one(state.first.directives(sub.instance, values), k, control.until(seconds))
            if made is None:
                return None
            plans.append(made)
            losses[k] = -(made.summary.npv_usd or 0.0) / MILLION
            if state.risk.objective(losses, state.odds) >= state.objective:
                return None
        bounds = [made.summary.bound_usd for made in plans]
        limits = np.minimum(losses, [-np.inf if bound is None else -bound / MILLION for bound in bounds])
        objective, limit = (state.risk.objective(each, state.odds) for each in (losses, limits))
        return Held(first, losses, limits, [], objective, limit, plans)

    def _one(self, directives: list[Directive], number: int, control: Control) -> Plan | None:
        """The future's own last plan, repaired; or the plan at hand, where there is none or that leads nowhere."""
        assert self._planner is not None
        baselines = list(dict.fromkeys((self.latest.get(number, self.plan), self.plan)))
        made = repaired(self._planner, self.subs[number], directives, baselines, self.state.gap, control)
        if made is not None:
            self.latest[number] = made
        return made


def repaired(
    planner: Planner, sub: Sub, directives: list[Directive], baselines: Sequence[Plan], gap: float, control: Control
) -> Plan | None:
    """A plan repaired in a future, whose first stage is fixed; None if none was found.

    Args:
        planner: warm, of the dataset as planned.
        sub: the future.
        directives: its first stage.
        baselines: plans to start from, in turn.
        gap: relative gap asked for.
        control: deadline and stop.
    """
    dataset = with_first_stage(sub.dataset, directives)
    for baseline in baselines:
        try:
            made = Repair(planner, dataset, gap, control, None, time.monotonic(), None).run(baseline)
        except (InfeasibleError, DirectiveConflictError):
            return None
        except NoPlanError:
            continue
        ref = DatasetRef(name=sub.dataset.name, sha256=sub.dataset.sha256)
        return Plan(made.summary.model_copy(update={"dataset": ref}), made.tables, made.events)
    return None


def watcher(tell: Callable[[str], None], what: str) -> Callable[[Progress], None]:
    """Progress of a search inside this one, as words."""

    def watch(progress: Progress) -> None:
        gap = "" if progress.gap is None else f", gap {100 * progress.gap:.2f} %"
        tell(f"{what}: {progress.phase}{gap}")

    return watch

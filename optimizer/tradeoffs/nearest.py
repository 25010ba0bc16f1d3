"""The plan within a loss of the best that has as much as possible in common with one that is published already."""

from __future__ import annotations

from models.plan import Plan
from models.targets import Likeness, Targets
from optimizer.tradeoffs.level import Asking, Highest
from optimizer.tradeoffs.targets import in_common

PUBLISHED = "the published plan"


def nearest(asking: Asking) -> Highest:
    """Look for it: the level is the share of the published plan's racks that stand in a plan too, in the stricter count of the model.

    Args:
        asking: its planner has the dataset as it is now and, as its plan, the published one; its floor is the NPV that the plan must have.
    """
    planner, published = asking.planner, asking.planner.current
    if published is None:
        raise ValueError("there is no published plan")

    def targets(level: float) -> Targets:
        return Targets(likeness=(Likeness(PUBLISHED, published.racks, level, least=True),))

    def common(plan: Plan) -> float:
        return in_common(planner.instance, published.racks, plan.racks)

    return asking.highest(targets, common, 1.0)

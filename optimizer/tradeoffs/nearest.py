"""The plan within a loss of the best that has as much as possible in common with one that is published already."""

from __future__ import annotations

from dataclasses import dataclass

from models.plan import Plan
from models.targets import Likeness, Targets
from optimizer.tradeoffs.level import Asking, Highest
from optimizer.tradeoffs.targets import in_common

PUBLISHED = "the published plan"


@dataclass(frozen=True)
class Nearest:
    """The nearest plan found.

    Attributes:
        plan: worth enough; None if none was found.
        common: share of the published plan's racks that stand in it too; None without a plan.
        ceiling: no plan worth enough has so much in common or more, in the stricter count of the model; None where nothing is proven.
        found: what was tried.
    """

    plan: Plan | None
    common: float | None
    ceiling: float | None
    found: Highest


def nearest(asking: Asking) -> Nearest:
    """Look for it.

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

    found = asking.highest(targets, common, 1.0)
    return Nearest(found.plan, None if found.plan is None else common(found.plan), found.ceiling, found)

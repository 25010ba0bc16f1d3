"""Plans within a loss of the best that have as little as possible in common with it and with each other.

Brill, Chang and Hopkins 1982: where a model leaves something out, a plan that is nearly as good and quite different may be the better one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from models.plan import Plan
from models.targets import Likeness, Targets
from optimizer.tradeoffs.level import Asking, Highest
from optimizer.tradeoffs.targets import in_common

FIRST = 0.5
"""Share of racks elsewhere or at other times that is tried first."""
GIVEN = "the plan given"


@dataclass(frozen=True)
class Alternative:
    """A plan unlike those before it.

    Attributes:
        name: ``alternative 1`` and so on.
        plan: the plan.
        apart: least share of any earlier plan's racks that it has elsewhere or at other times, 0 to 1.
        loss_usd: NPV of the plan given less its own, USD.
        found: what was tried; no plan within the loss is as far apart as its ceiling, in the stricter count of the model.
    """

    name: str
    plan: Plan
    apart: float
    loss_usd: float
    found: Highest


def alternatives(asking: Asking, number: int, told: Callable[[Alternative], None] = lambda found: None) -> list[Alternative]:
    """Look for alternatives to the plan at hand, one after the other.

    Args:
        asking: its planner's plan is the one given; its floor is the NPV that an alternative must have.
        number: most alternatives.
        told: called with each as it is found.

    Returns:
        Fewer than asked for where none is found within the loss, or the search was stopped.
    """
    planner = asking.planner
    if planner.current is None:
        raise ValueError("there is no plan to find alternatives to")
    known = [(GIVEN, planner.current)]
    found: list[Alternative] = []
    for n in range(1, number + 1):

        def targets(level: float, known: tuple[tuple[str, Plan], ...] = tuple(known)) -> Targets:
            return Targets(likeness=tuple(Likeness(name, plan.racks, 1.0 - level, least=False) for name, plan in known))

        def apart(plan: Plan, known: tuple[tuple[str, Plan], ...] = tuple(known)) -> float:
            return min(1.0 - in_common(planner.instance, other.racks, plan.racks) for _, other in known)

        highest = asking.highest(targets, apart, FIRST)
        if highest.plan is None:
            break
        loss = (planner.current.summary.npv_usd or 0.0) - (highest.plan.summary.npv_usd or 0.0)
        found.append(Alternative(f"alternative {n}", highest.plan, apart(highest.plan), loss, highest))
        known.append((found[-1].name, highest.plan))
        told(found[-1])
    return found

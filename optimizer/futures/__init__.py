"""One plan for many futures: two stages, by the extensive form or dual decomposition, with the risk of the worst.

from models.uncertainty import draw, read_uncertainty
from optimizer.futures import plan_futures

best = plan_futures(dataset, draw(uncertainty, dataset, 20, seed=1), decide_before="2026-Q3", weight=0.3)
best.first_stage        # what to decide now
best.scenarios          # what follows in each future
best.summary            # value, bound, value of the stochastic solution and of perfect information
"""

from optimizer.futures.check import anticipations
from optimizer.futures.first_stage import FirstStage
from optimizer.futures.outofsample import compared, out_of_sample
from optimizer.futures.planner import plan_futures
from optimizer.futures.result import FuturesPlan, FuturesSummary
from optimizer.futures.risk import Risk, cvar
from optimizer.futures.robust import RobustPlan, plan_any_late
from optimizer.futures.state import Method, NoFuturesPlanError, ScenarioInfeasibleError

__all__ = [
    "FirstStage",
    "FuturesPlan",
    "FuturesSummary",
    "Method",
    "NoFuturesPlanError",
    "Risk",
    "RobustPlan",
    "ScenarioInfeasibleError",
    "anticipations",
    "compared",
    "cvar",
    "out_of_sample",
    "plan_any_late",
    "plan_futures",
]

"""The mathematics: model, search, proofs."""

from optimizer.highs import SolverError
from optimizer.planner import InfeasibleError, NoPlanError, Progress, plan

__all__ = ["InfeasibleError", "NoPlanError", "Progress", "SolverError", "plan"]

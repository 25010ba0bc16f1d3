"""One plan for many futures: its first stage, a plan for each future, and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
from pydantic import BaseModel, ConfigDict

from models.plan import DatasetRef, Plan, SolutionStatus, SolverInfo, StopReason
from models.tables import Directive
from models.uncertainty import Scenario
from optimizer.futures.first_stage import Key

SCENARIO_COLUMNS: dict[str, str] = {
    "scenario": "name of the future",
    "probability": "of the future",
    "npv_usd": "of its plan with the common first stage, USD",
    "bound_usd": "upper limit of it with that first stage, USD",
    "known_npv_usd": "of a plan made for this future alone, as if it were known, USD",
    "known_bound_usd": "upper limit of that, USD",
    "expected_plan_npv_usd": "with the first stage of the plan for the dataset as it is, USD; empty where this future can't hold it",
    "late_gpu_periods": "contract GPUs short, summed over periods",
    "happened": "what comes otherwise",
}
"""Columns of the table of scenarios, with meaning and unit."""


class Range(BaseModel):
    """A figure that proofs leave open between two limits, USD. None: not limited on that side."""

    model_config = ConfigDict(extra="forbid")
    low: float | None
    high: float | None


class FuturesSummary(BaseModel):
    """What one plan for many futures is worth.

    Values are of ``(1 - weight) * E[NPV] + weight * CVaR_alpha[NPV]`` (lower tail), USD.
    """

    model_config = ConfigDict(extra="forbid")
    schema_version: int = 1
    dataset: DatasetRef
    decide_before: str
    placement: bool
    scenarios: int
    weight: float
    alpha: float
    method: str
    status: SolutionStatus
    stop_reason: StopReason
    value_usd: float
    bound_usd: float
    bound_certified_usd: float | None
    gap: float
    gap_requested: float
    expected_npv_usd: float
    cvar_npv_usd: float
    expected_plan_value_usd: float | None
    """Value with the first stage of the plan for the dataset as it is; None where some future can't hold it."""
    value_of_stochastic_solution_usd: Range
    value_of_perfect_information_usd: Range
    late_gpu_periods: float
    solver: SolverInfo
    seconds: dict[str, float]
    audit_passed: bool


@dataclass
class FuturesPlan:
    """One plan for many futures.

    Attributes:
        first: its first stage by component.
        first_stage: the same as a table.
        scenarios: a row for each future; columns ``SCENARIO_COLUMNS``.
        futures: each future with its plan, audited.
        summary: what it is worth.
        directives: the first stage as directives of the dataset as it is.
        events: log of the search: columns seconds, phase, npv_usd (the value), bound_usd.
    """

    first: dict[Key, float]
    first_stage: pd.DataFrame
    scenarios: pd.DataFrame
    futures: list[tuple[Scenario, Plan]]
    summary: FuturesSummary
    directives: list[Directive]
    events: pd.DataFrame = field(default_factory=pd.DataFrame)

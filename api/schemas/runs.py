"""Runs: what is asked, and what was found."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from api.schemas.base import Asked, Changes, FaultView, Sha256, Told
from api.store import RunMode, RunState
from models.targets import Measure

_MODES = tuple(mode.value for mode in RunMode if mode is not RunMode.EXPLAIN)


def _for_changes(mode: Any) -> Any:
    if mode not in _MODES:
        raise ValueError(f"must be one of {', '.join(_MODES)}; explanations are asked under /api/v1/explanations")
    return mode


ChangeMode = Annotated[RunMode, BeforeValidator(_for_changes), WithJsonSchema({"type": "string", "enum": list(_MODES)})]
"""How a question about changes is answered."""


class RunRequest(Asked):
    """A question: what do these changes do? Exactly one of dataset, line, scenario and baseline says what they are changes of."""

    mode: ChangeMode = Field(
        default=RunMode.REPAIR,
        description="plan: a first plan of a dataset; evaluate: score and audit the baseline under the changes, no search; "
        "repair: from what the baseline decided, moves pay their price; reoptimize: from scratch",
    )
    dataset: Sha256 | None = Field(default=None, description="plan this dataset with the changes; only with mode plan")
    line: str | None = Field(default=None, description="id or name of a plan line: its baseline is changed")
    scenario: str | None = Field(default=None, description="id of a scenario: its changes, then those given here")
    baseline: str | None = Field(default=None, description="id of a run with a plan: that plan is changed")
    changes: Changes = Field(default_factory=list)
    most: dict[Measure, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(
        default_factory=dict,
        description="what the plan is held to besides its dataset: most of carbon (tonnes CO2), capital (USD) and late (contract GPUs short, "
        "summed over periods); docs/tradeoffs.md",
    )
    gap: float = Field(
        default=0.01, ge=0, le=10, description="relative gap, (bound - NPV) / |NPV|, at which the search ends", allow_inf_nan=False
    )
    time_limit: float = Field(default=60.0, gt=0, description="seconds; the best plan found by then is the answer", allow_inf_nan=False)
    seed: int = Field(
        default=0, ge=0, le=2**31 - 1, description="of the search; the same seed takes the same way where the clock does not decide"
    )
    fresh: bool = Field(default=False, description="search even if the store has an answer as good")

    @model_validator(mode="after")
    def _one_base(self) -> RunRequest:
        given = [name for name in ("dataset", "line", "scenario", "baseline") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of dataset, line, scenario, baseline; found {' and '.join(given) or 'none'}")
        if self.mode is RunMode.PLAN and given == ["baseline"]:
            raise ValueError("mode plan makes a first plan of a dataset, line or scenario; a baseline is changed by repair or reoptimize")
        if self.mode is RunMode.EVALUATE and self.most:
            raise ValueError("mode evaluate makes no plan that could be held to most")
        if self.mode is not RunMode.PLAN and given == ["dataset"]:
            raise ValueError(f"mode {self.mode} needs a plan to start from: give line, scenario or baseline, or use mode plan")
        return self


class ViolationView(Told):
    """A limit that the baseline breaks under the changes."""

    message: str
    family: str = ""
    by: float | None = Field(default=None, description="by how much, in the unit of the limit")


class EvaluationView(Told):
    """The baseline's decisions under the changes: an evaluation, no plan."""

    npv_usd: float
    npv_terms: dict[str, float]
    violations: list[ViolationView]
    totals: dict[str, float] = Field(
        default_factory=dict, description="carbon (tonnes CO2), capital (USD) and late (contract GPUs short, summed over periods)"
    )


class SolutionView(Told):
    """What was found and proven. ``status`` speaks of the plan, a run's ``state`` of the work."""

    status: str = Field(description="optimal, within_gap, feasible, infeasible or none")
    stop_reason: str | None = Field(default=None, description="gap_reached, time_limit, user_stop or proved_infeasible")
    npv_usd: float | None = None
    bound_usd: float | None = Field(default=None, description="no plan can be worth more")
    gap: float | None = None
    bound_certified_usd: float | None = Field(default=None, description="the bound that duals prove by arithmetic alone")
    difference_usd: float | None = Field(default=None, description="NPV after less NPV of the baseline")
    audit_passed: bool | None = None
    conflicts: list[str] = Field(default_factory=list, description="of an infeasible question: rules that can't hold together")


class RunView(Told):
    """A run: a question, and its answer as far as there is one."""

    id: str
    state: RunState
    mode: RunMode
    solution: SolutionView | None = None
    evaluation: EvaluationView | None = None
    sentences: list[str] = Field(default_factory=list, description="the changes in words, in order")
    warnings: list[FaultView] = Field(default_factory=list)
    base_dataset: str
    dataset: str | None = Field(default=None, description="the dataset after the changes")
    baseline: str | None = None
    line: str | None = None
    scenario: str | None = None
    revision: int | None = None
    study: str | None = Field(default=None, description="id of the study that it is a run of")
    changes: Changes
    most: dict[str, float] = Field(default_factory=dict, description="what the plan is held to besides its dataset")
    gap: float | None = Field(description="none of an explanation")
    time_limit: float
    seed: int
    attempt: int
    code_version: str
    summary: dict[str, Any] | None = Field(default=None, description="the plan's summary.json")
    seconds: dict[str, float] = Field(default_factory=dict, description="wall-clock time by phase")
    warm: bool | None = Field(default=None, description="whether the worker had the base ready")
    problem: dict[str, Any] | None = Field(default=None, description="of a failed run: why")
    created_at: datetime
    started_at: datetime | None = None
    stop_asked_at: datetime | None = None
    updated_at: datetime
    finished_at: datetime | None = None
    links: dict[str, str] = Field(default_factory=dict)

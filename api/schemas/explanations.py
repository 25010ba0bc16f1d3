"""Explanations: what is asked about a plan, and what is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from api.schemas.base import Asked, Changes, FaultView, Sha256, Told
from api.store import RunState
from optimizer.explain.conflict import Conflict
from optimizer.explain.declined import SigningPrice
from optimizer.explain.difference import Delta
from optimizer.explain.obstacles import Obstacle
from optimizer.explain.placement import Placement, SiteFact
from optimizer.explain.prices import CONFIRMED, Price, Throughout
from optimizer.explain.relief import Relief
from optimizer.explain.why import SiteCost, Without
from optimizer.explain.why_not import Possible

PlacementText = Annotated[
    str,
    Field(
        min_length=1, max_length=300, examples=["c@a"],
        description="contract@site (served from there), generation@site (its racks there), or one id: a prospect (signed), a candidate site "
        "(opened), an optional block (built), an open site with a retrofit (converted)",
    ),
]  # fmt: skip


# what is asked ---------------------------------------------------------------------------------


class PricesQuestion(Asked):
    """What one unit more of each limit is worth, which of these prices hold, and at which price declined prospects would be signed."""

    kind: Literal["prices"]
    confirm: int = Field(default=CONFIRMED, ge=0, le=1000, description="how many of the highest prices are confirmed by solving again")
    signing: bool = Field(
        default=True, description="whether the prices of declined prospects are searched; each takes as long as a what-if"
    )


class WhyQuestion(Asked):
    """Why the plan does something."""

    kind: Literal["why"]
    placement: PlacementText


class WhyNotQuestion(Asked):
    """Why the plan does not do something: a placement, or GPUs that are wished for."""

    kind: Literal["why_not"]
    placement: PlacementText | None = None
    gpus: float | None = Field(
        default=None, ge=1, le=1e12, allow_inf_nan=False,
        description="physical GPUs in each period: delivered, if a contract is named, else in racks in service",
    )  # fmt: skip
    gen_id: str | None = Field(default=None, description="their generation; any, if not given")
    site_id: str | None = Field(default=None, description="where; anywhere, if not given")
    contract_id: str | None = Field(default=None, description="for whom; anyone, if not given")
    from_period: str | None = Field(default=None, description="first period; the first of the horizon, if not given", examples=["2026-Q1"])
    to_period: str | None = Field(default=None, description="last period; the last of the horizon, if not given")

    @model_validator(mode="after")
    def _one_wish(self) -> WhyNotQuestion:
        if (self.placement is None) == (self.gpus is None):
            raise ValueError("needs exactly one of placement and gpus")
        own = [name for name in ("gen_id", "site_id", "contract_id", "from_period", "to_period") if getattr(self, name) is not None]
        if self.placement is not None and own:
            raise ValueError(f"{' and '.join(own)} go with gpus, not with placement")
        return self


class ConflictQuestion(Asked):
    """Which rules of a dataset can't hold together."""

    kind: Literal["conflict"]


class _Request(Asked):
    """What every request may say beside its question."""

    time_limit: float = Field(
        default=120.0, gt=0, allow_inf_nan=False, description="seconds; what is not reached by then is left out of the answer"
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="of the searches")
    fresh: bool = Field(default=False, description="search even if the store has the answer")


class _OfPlan(_Request):
    """A question about a plan: exactly one of run and line says which."""

    run: str | None = Field(default=None, description="id of a run with a plan")
    line: str | None = Field(default=None, description="id or name of a plan line: the plan of its baseline")

    @model_validator(mode="after")
    def _one_plan(self) -> _OfPlan:
        if (self.run is None) == (self.line is None):
            raise ValueError("needs exactly one of run and line")
        return self


class PricesRequest(PricesQuestion, _OfPlan):
    """Ask what limits are worth at a plan."""

    time_limit: float = Field(
        default=600.0, gt=0, allow_inf_nan=False, description="seconds; what is not reached by then is left out of the answer"
    )


class WhyRequest(WhyQuestion, _OfPlan):
    """Ask why a plan does something."""


class WhyNotRequest(WhyNotQuestion, _OfPlan):
    """Ask why a plan does not do something."""


class ConflictRequest(ConflictQuestion, _Request):
    """Ask why there is no plan: exactly one of run, line, scenario and dataset says of what; changes are made to it."""

    run: str | None = Field(default=None, description="id of a run: the dataset after its changes, and the totals that it was held to")
    line: str | None = Field(default=None, description="id or name of a plan line")
    scenario: str | None = Field(default=None, description="id of a scenario: its changes, then those given here")
    dataset: Sha256 | None = None
    changes: Changes = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_base(self) -> ConflictRequest:
        given = [name for name in ("run", "line", "scenario", "dataset") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of run, line, scenario, dataset; found {' and '.join(given) or 'none'}")
        return self


ExplanationRequest = PricesRequest | WhyRequest | WhyNotRequest | ConflictRequest
QUESTIONS = (PricesQuestion, WhyQuestion, WhyNotQuestion, ConflictQuestion)
Question = Annotated[PricesQuestion | WhyQuestion | WhyNotQuestion | ConflictQuestion, Field(discriminator="kind")]


def question_part(asked: ExplanationRequest) -> dict[str, Any]:
    """What a request asks, without what it is asked of; values that were not given and have no default are left out."""
    own = next(kind for kind in QUESTIONS if isinstance(asked, kind))
    return asked.model_dump(mode="json", include=set(own.model_fields), exclude_none=True)


# what is answered ------------------------------------------------------------------------------


class PricesAnswer(Told):
    """What limits are worth at a plan; present values in USD."""

    kind: Literal["prices"]
    plan_npv_usd: float
    local_npv_usd: float = Field(description="NPV with racks divisible; at least the plan's")
    prices: list[Price] = Field(description="limits with a value, the most valuable unit first")
    throughout: list[Throughout] = Field(description="one unit more in every period")
    signing: list[SigningPrice] = Field(description="at which price each declined prospect would be signed")
    statement: str = Field(description="what is confirmed, and how")


class WhyAnswer(Told):
    """Why a plan does something."""

    kind: Literal["why"]
    placement: Placement
    drivers: list[str] = Field(description="reasons, in words")
    sites: list[SiteFact] = Field(description="of a contract: which sites can serve it, by the data alone")
    costs: list[SiteCost] = Field(description="of a contract: what a GPU-hour costs at each of them, USD, the cheapest first")
    without: Without | None = Field(description="the plan without it; none if there is none, or none was found in time")
    statement: str = Field(description="what is proven and what was found")
    seconds: float


class WhyNotAnswer(Told):
    """Why a plan does not do something."""

    kind: Literal["why_not"]
    wish: str
    possible: Possible
    already: bool = Field(description="the plan does it")
    obstacles: list[Obstacle] = Field(description="limits that the wish exceeds by itself")
    conflict: Conflict | None = Field(description="of a wish that can't be: the rules and limits in the way, and repairs")
    npv_usd: float | None = Field(description="NPV of the plan found with it")
    cost_usd: float | None = Field(description="NPV of the plan less that; negative where the plan could be better")
    cost_least_usd: float | None = Field(description="proven: every plan with it is worth at least so much less")
    terms: list[Delta] = Field(description="NPV term by term: with it less without")
    relaxation: str | None = Field(description="what gives way most cheaply so that it can be, or is free, in words")
    limits: list[Relief] = Field(description="limits that make it cost what it costs, and how much more of each makes it free")
    statement: str = Field(description="what is proven and what was found")
    seconds: float


class ConflictAnswer(Told):
    """Which rules can't hold together."""

    kind: Literal["conflict"]
    conflict: Conflict | None = Field(description="none where all rules of the dataset can hold together")
    words: list[str] = Field(
        description="the same, line by line; of a run with totals (most) also which of these can't be held with the rules"
    )


Answer = Annotated[PricesAnswer | WhyAnswer | WhyNotAnswer | ConflictAnswer, Field(discriminator="kind")]


class ExplanationView(Told):
    """A question about a plan, and its answer as soon as there is one. It is a run of mode explain, with the same id."""

    id: str
    state: RunState
    question: Question
    answer: Answer | None = Field(default=None, description="none while it is searched, where none was found in time, and in lists")
    stop_reason: str | None = Field(default=None, description="time_limit or user_stop where that has cut the answer short; else none")
    run: str | None = Field(default=None, description="id of the run whose plan it is about")
    line: str | None = None
    scenario: str | None = None
    dataset: str | None = Field(default=None, description="the dataset that it is about, after the changes")
    changes: Changes = Field(description="of conflict")
    sentences: list[str] = Field(default_factory=list, description="the changes in words")
    warnings: list[FaultView] = Field(default_factory=list)
    time_limit: float
    seed: int
    attempt: int
    code_version: str
    seconds: dict[str, float] = Field(default_factory=dict, description="wall-clock time by phase")
    warm: bool | None = Field(default=None, description="whether the worker had the plan's model ready")
    problem: dict[str, Any] | None = Field(default=None, description="of one that failed: why")
    created_at: datetime
    started_at: datetime | None = None
    stop_asked_at: datetime | None = None
    updated_at: datetime
    finished_at: datetime | None = None
    links: dict[str, str] = Field(default_factory=dict)

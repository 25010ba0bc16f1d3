"""What differs between two runs."""

from __future__ import annotations

from pydantic import Field

from api.schemas.base import Told
from api.schemas.datasets import RowChangeView
from optimizer.explain.difference import Delta, TableCount
from optimizer.explain.moves import DecisionMove, RackMove, ServingMove
from optimizer.explain.tight import LimitMove


class RunDiff(Told):
    """From one plan to another; every difference is the second less the first, money in USD."""

    before: str
    after: str
    sentences: list[str] = Field(description="what changed of the inputs, in words")
    tables: list[TableCount]
    dataset: list[RowChangeView]
    npv: Delta
    tolerance_usd: float | None = Field(description="what the gaps of the two plans leave open; none where a bound is missing")
    best_least_usd: float | None = Field(description="the best plans of the two datasets differ by no less than this")
    best_most_usd: float | None = Field(description="and by no more than this")
    terms: list[Delta] = Field(description="NPV term by term; they add to the difference of NPV")
    kpis: list[Delta]
    racks: list[RackMove]
    decisions: list[DecisionMove]
    contracts: list[ServingMove]
    limits: list[LimitMove]

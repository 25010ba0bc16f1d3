"""What differs between two runs."""

from __future__ import annotations

from api.schemas.base import Told
from api.schemas.datasets import RowChangeView


class TermDiff(Told):
    """A term of NPV in both, USD."""

    term: str
    before_usd: float
    after_usd: float
    difference_usd: float


class RunDiff(Told):
    """From one plan to another."""

    before: str
    after: str
    npv_before_usd: float
    npv_after_usd: float
    difference_usd: float
    terms: list[TermDiff]
    dataset: list[RowChangeView]

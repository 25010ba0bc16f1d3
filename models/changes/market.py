"""Changes of the market: what unsold GPUs fetch, and how many it takes."""

from __future__ import annotations

import random
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from models.changes.base import Change, Edit, exactly_one, factor_text, figure, window_text
from models.changes.fields import Real, Text, among, amount, factor, first_period, last_period
from models.changes.pick import later, nearby, one, until
from models.changes.steps import Step, restep, scaled
from models.dataset import Dataset
from models.tables import MarketTier

SOLD = "market.gen_id"
TIER = "market.tier"


def place_text(gen_id: str | None, tier: str | None) -> str:
    """``h100, on_demand``."""
    return f"{gen_id or 'all generations'}, {tier}" if tier else gen_id or "all generations"


def concerns(edit: Edit, gen_id: str | None, tier: str | None) -> set[tuple[str, str]]:
    """Generations and tiers of the market that a change means.

    Raises:
        RefusedError: the generation has no such tier.
    """
    every = {(row.gen_id, row.tier) for row in edit.dataset.rows(MarketTier)}
    found = {(g, k) for g, k in every if gen_id in (None, g) and tier in (None, k)}
    if not found and gen_id is not None and tier is not None:
        allowed = "one of " + ", ".join(sorted(k for g, k in every if g == gen_id))
        edit.refuse("tier", f"is no tier of {gen_id}", "unknown_id", tier, allowed)
    return found


class MarketPrice(Change):
    """The market pays more or less."""

    title = "Market price"
    example: ClassVar[dict[str, Any]] = {
        "type": "market.price", "gen_id": "h100", "tier": "on_demand", "factor": 0.8, "from_period": "2026-Q3",
    }  # fmt: skip
    type: Literal["market.price"] = "market.price"
    gen_id: Text | None = among("generation", SOLD, default=None, none_means="all")
    tier: Text | None = among("price tier", TIER, default=None, none_means="all")
    factor: Real | None = factor("factor on the price", none_means="usd_per_gpu_hour")
    usd_per_gpu_hour: Real | None = amount("price", "USD per GPU-hour", default=None, none_means="factor")
    from_period: Text | None = first_period()
    to_period: Text | None = last_period()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        exactly_one(self, "factor", "usd_per_gpu_hour")
        return self

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        usd = self.usd_per_gpu_hour
        what = f"{figure(usd)} USD per GPU-hour" if usd is not None else factor_text(self.factor or 0.0)
        return f"{place_text(self.gen_id, self.tier)}: market price {what}{window_text(self.from_period, self.to_period)}"

    def edit(self, edit: Edit) -> Dataset:
        """Rows of market, from a tier's first row on."""
        first, last = edit.window(self)
        chosen = concerns(edit, self.gen_id, self.tier)

        def change(rows: Step, t: int) -> Step:
            fixed = self.usd_per_gpu_hour
            return scaled(rows, usd_per_gpu_hour=lambda usd: usd * self.factor if fixed is None else fixed)

        return restep(edit.dataset, MarketTier, lambda row: (row.gen_id, row.tier) in chosen, first, last, change)

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """A tier or the whole market, up to a quarter less or 30 % more."""
        row, begin = one(rng, dataset.rows(MarketTier)), later(dataset, rng)
        if row is None:
            return None
        gen_id, tier = rng.choice([(row.gen_id, row.tier), (row.gen_id, None), (None, None)])
        return cls(gen_id=gen_id, tier=tier, factor=nearby(rng), from_period=begin, to_period=until(dataset, rng, begin))


class MarketDepth(Change):
    """The market takes more or fewer GPUs."""

    title = "Market depth"
    example: ClassVar[dict[str, Any]] = {"type": "market.depth", "gen_id": "gb300_nvl72", "factor": 0.5, "from_period": "2027-Q1"}
    type: Literal["market.depth"] = "market.depth"
    gen_id: Text | None = among("generation", SOLD, default=None, none_means="all")
    tier: Text | None = among("price tier", TIER, default=None, none_means="all")
    factor: Real | None = factor("factor on the GPUs", none_means="max_gpus")
    max_gpus: Real | None = amount("GPUs sold on average", "GPUs", default=None, none_means="factor")
    from_period: Text | None = first_period()
    to_period: Text | None = last_period()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        exactly_one(self, "factor", "max_gpus")
        return self

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        what = f"{figure(self.max_gpus)} GPUs" if self.max_gpus is not None else factor_text(self.factor or 0.0)
        return f"{place_text(self.gen_id, self.tier)}: market depth {what}{window_text(self.from_period, self.to_period)}"

    def edit(self, edit: Edit) -> Dataset:
        """Rows of market, from a tier's first row on."""
        first, last = edit.window(self)
        chosen = concerns(edit, self.gen_id, self.tier)

        def change(rows: Step, t: int) -> Step:
            fixed = self.max_gpus
            return scaled(rows, max_gpus=lambda gpus: gpus * self.factor if fixed is None else fixed)

        return restep(edit.dataset, MarketTier, lambda row: (row.gen_id, row.tier) in chosen, first, last, change)

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """A tier or the whole market, up to a quarter less or 30 % more."""
        row, begin = one(rng, dataset.rows(MarketTier)), later(dataset, rng)
        if row is None:
            return None
        gen_id, tier = rng.choice([(row.gen_id, row.tier), (row.gen_id, None), (None, None)])
        return cls(gen_id=gen_id, tier=tier, factor=nearby(rng), from_period=begin, to_period=until(dataset, rng, begin))

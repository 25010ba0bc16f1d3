"""Market, budget, carbon cap, residual value."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from models import tables as tb
from optimizer.instance.base import Bools, Floats, Pair, steps
from optimizer.instance.serving import ServingData


class MoneyData(ServingData):
    """Prices and limits of money and carbon."""

    @cached_property
    def market(self) -> dict[Pair, tuple[Floats, Floats]]:
        """By (generation, tier): (USD per GPU-hour, most GPUs sold); shape (T,) each."""
        prices: dict[Pair, list[tuple[int, float]]] = {}
        depths: dict[Pair, list[tuple[int, float]]] = {}
        for row in self.dataset.rows(tb.MarketTier):
            prices.setdefault((row.gen_id, row.tier), []).append((self.index(row.from_period), row.usd_per_gpu_hour))
            depths.setdefault((row.gen_id, row.tier), []).append((self.index(row.from_period), row.max_gpus))
        return {key: (steps(prices[key], self.T, 0.0), steps(depths[key], self.T, 0.0)) for key in prices}

    @cached_property
    def draws(self) -> Bools:
        """Where and when racks can draw power: idle, or for a contract or the market; shape (sites, T)."""
        found = np.zeros((len(self.sites), self.T), dtype=bool)
        for g, j in self.gen_at.items():
            if self.gen_rows[g].idle_share > 0:
                found |= self.held[:, j]
                continue
            busy = np.zeros_like(found)
            for (other, _), (_, depth) in self.market.items():
                if other == g and self.settings.load_market > 0:
                    busy |= depth > 0
            for c, s in self.pairs:
                if g in self.equivalents[c] and self.contract_rows[c].load_share > 0:
                    busy[self.site_at[s]] |= self.owed[self.contract_at[c]] > 0
            found |= busy & (self.racks_most[:, j] > 0)
        return found

    @cached_property
    def has_budget(self) -> bool:
        """Whether capex_budget.csv has a row."""
        return bool(self.dataset.rows(tb.CapexBudget))

    @cached_property
    def budget(self) -> Floats:
        """Capital added to the budget in a period, USD; shape (T,)."""
        usd = np.zeros(self.T)
        for row in self.dataset.rows(tb.CapexBudget):
            usd[self.index(row.period)] += row.usd
        return usd

    @cached_property
    def capped_years(self) -> dict[int, float]:
        """Calendar years of the horizon with a carbon cap: tonnes CO2."""
        years = set(self.calendar.years)
        return {row.year: row.tonnes for row in self.dataset.rows(tb.CarbonCap) if row.year in years}

    def residual_usd(self, g: str, since: int) -> float:
        """Value at the end of the horizon of one rack installed in period ``since`` (undiscounted; residual_value of model.md)."""
        row = self.gen_rows[g]
        age = max(0.0, 1.0 - (self.T - since) / row.life_periods)
        return float(row.residual_factor * self.gpu_price[g][-1] * row.gpus_per_rack * age)

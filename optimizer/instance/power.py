"""Power blocks, cooling and site limits: what sites can ever hold."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from models import tables as tb
from optimizer.instance.base import Floats
from optimizer.instance.fleet import FleetData


class PowerData(FleetData):
    """Power and cooling of sites."""

    def option_window(self, block: str) -> tuple[int, int]:
        """First and last period in which an optional block can be energized; empty when first > last."""
        row = self.block_rows[block]
        latest = self.T - 1 if row.latest is None else min(self.index(row.latest), self.T - 1)
        return max(self.index(row.energized), row.lead_periods, 0), latest

    @cached_property
    def buildable(self) -> dict[str, tuple[int, int]]:
        """Options that can be built, with their window of energization."""
        windows = {b: self.option_window(b) for b in self.options}
        return {b: (first, last) for b, (first, last) in windows.items() if first <= last}

    @cached_property
    def options_of(self) -> dict[str, list[str]]:
        """Buildable options by site."""
        found: dict[str, list[str]] = {s: [] for s in self.sites}
        for b in self.buildable:
            found[self.block_rows[b].site_id].append(b)
        return found

    def _firm(self, megawatts: dict[str, float]) -> Floats:
        """Sum over firm blocks energized by t; shape (sites, T)."""
        total = np.zeros((len(self.sites), self.T))
        for b, row in self.block_rows.items():
            if row.status is tb.BlockStatus.FIRM:
                total[self.site_at[row.site_id], min(max(self.index(row.energized), 0), self.T) :] += megawatts[b]
        return total

    @cached_property
    def it_of_block(self) -> dict[str, float]:
        """Usable IT power of a block, MW."""
        return {b: row.usable_share * row.it_mw for b, row in self.block_rows.items()}

    @cached_property
    def liquid_of_block(self) -> dict[str, float]:
        """Heat to liquid that a block can remove, MW."""
        return {b: row.liquid_mw for b, row in self.block_rows.items()}

    @cached_property
    def air_of_block(self) -> dict[str, float]:
        """Heat to air that a block can remove, MW."""
        return {b: row.air_mw for b, row in self.block_rows.items()}

    @cached_property
    def it_firm(self) -> Floats:
        """Usable IT power of firm blocks, MW; shape (sites, T)."""
        return self._firm(self.it_of_block)

    @cached_property
    def liquid_firm(self) -> Floats:
        """Liquid cooling of firm blocks, MW; shape (sites, T)."""
        return self._firm(self.liquid_of_block)

    @cached_property
    def air_firm(self) -> Floats:
        """Air cooling of firm blocks, MW; shape (sites, T)."""
        return self._firm(self.air_of_block)

    @cached_property
    def site_limits(self) -> dict[str, Floats]:
        """Limits of site_limits.csv by resource it, liquid, air; infinite where none; shape (sites, T)."""
        limits = {name: np.full((len(self.sites), self.T), math.inf) for name in ("it", "liquid", "air")}
        rows = sorted(self.dataset.rows(tb.SiteLimit), key=lambda r: self.index(r.from_period))
        for row in rows:
            start = min(max(self.index(row.from_period), 0), self.T)
            for name, value in (("it", row.it_mw), ("liquid", row.liquid_mw), ("air", row.air_mw)):
                limits[name][self.site_at[row.site_id], start:] = math.inf if value is None else value
        return limits

    def _with_options(self, firm: Floats, megawatts: dict[str, float]) -> Floats:
        """Capacity with every option built as early as it can be; shape (sites, T)."""
        total = firm.copy()
        for b, (first, _) in self.buildable.items():
            total[self.site_at[self.block_rows[b].site_id], first:] += megawatts[b]
        return total

    @cached_property
    def it_most(self) -> Floats:
        """Largest IT power that can ever be used, MW; shape (sites, T)."""
        return np.minimum(self._with_options(self.it_firm, self.it_of_block), self.site_limits["it"])

    @cached_property
    def air_most(self) -> Floats:
        """Largest heat to air that can ever be removed, MW; shape (sites, T)."""
        return np.minimum(self._with_options(self.air_firm, self.air_of_block), self.site_limits["air"])

    def retrofit_most(self, s: str) -> Floats:
        """Largest retrofit ordered up to each period, MW (rule 6: never above the air there is); shape (T,)."""
        row = self.retrofit_rows[s]
        air = self._with_options(self.air_firm, self.air_of_block)[self.site_at[s]]
        return np.minimum(row.max_mw, np.maximum.accumulate(air))

    @cached_property
    def liquid_most(self) -> Floats:
        """Largest heat to liquid that can ever be removed, MW; shape (sites, T)."""
        total = self._with_options(self.liquid_firm, self.liquid_of_block)
        for s, row in self.retrofit_rows.items():
            ordered = self.retrofit_most(s)
            lead = row.lead_periods
            if lead < self.T:
                total[self.site_at[s], lead:] += ordered[: self.T - lead]
        return np.minimum(total, self.site_limits["liquid"])

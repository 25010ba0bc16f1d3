"""Racks that sites can hold and install, and the indices of their variables."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from models import tables as tb
from optimizer.instance.base import ROUND_UP, Bools, Floats, Pair
from optimizer.instance.power import PowerData


class RackData(PowerData):
    """Racks by site, generation and period."""

    @cached_property
    def racks_fit(self) -> Floats:
        """Most racks of a generation that power and cooling of a site can ever hold; shape (sites, generations, T)."""
        most = np.full((len(self.sites), len(self.gens), self.T), math.inf)
        for g, row in self.gen_rows.items():
            i, mw = self.gen_at[g], self.rack_mw[g]
            most[:, i] = self.it_most / mw
            if row.liquid_share > 0:
                most[:, i] = np.minimum(most[:, i], self.liquid_most / (row.liquid_share * mw))
            if row.liquid_share < 1:
                most[:, i] = np.minimum(most[:, i], self.air_most / ((1 - row.liquid_share) * mw))
        return np.floor(most + ROUND_UP)

    @cached_property
    def may_install(self) -> Bools:
        """Where and when a rack can be installed; shape (sites, generations, T)."""
        allocated = np.cumsum(self.supply, axis=1) >= 1
        return self.hosts[:, :, None] & (self.installable & allocated)[None] & (self.racks_fit >= 1)

    @cached_property
    def installs_most(self) -> Floats:
        """Most racks installed in a period; shape (sites, generations, T)."""
        rate = np.array([math.inf if r.install_racks_per_period is None else math.floor(r.install_racks_per_period + ROUND_UP)
                         for r in self.site_rows.values()])  # fmt: skip
        most = np.minimum(self.racks_fit, np.cumsum(self.supply, axis=1)[None])
        return np.where(self.may_install, np.minimum(most, rate[:, None, None]), 0.0)

    @cached_property
    def racks_most(self) -> Floats:
        """Most racks in service; shape (sites, generations, T)."""
        installed = np.zeros_like(self.installs_most)
        for i, g in enumerate(self.gens):
            total = np.cumsum(self.installs_most[:, i], axis=1)
            life = self.gen_rows[g].life_periods
            if life < self.T:
                total[:, life:] -= total[:, : self.T - life].copy()
            installed[:, i] = np.minimum(total, np.cumsum(self.supply, axis=1)[i][None])
        return np.minimum(self.racks_fit, self.fleet_alive + installed)

    @cached_property
    def held(self) -> Bools:
        """Periods in which a site has a rack variable of a generation: from the first it can hold on; shape (sites, generations, T)."""
        ever = (self.fleet[:, :, None] > 0) | self.may_install
        return np.asarray(np.logical_or.accumulate(ever, axis=2))

    @cached_property
    def rack_index(self) -> list[tuple[str, str, int]]:
        """(site, generation, period) with rack variables, ordered by site, generation, period."""
        return [(self.sites[i], self.gens[j], t) for i, j, t in np.argwhere(self.held).tolist()]

    @cached_property
    def held_pairs(self) -> list[Pair]:
        """(site, generation) with rack variables."""
        return [(self.sites[i], self.gens[j]) for i, j in np.argwhere(self.held[:, :, -1]).tolist()]

    @cached_property
    def _gens_held(self) -> dict[tuple[str, int], list[str]]:
        found: dict[tuple[str, int], list[str]] = {}
        for s, g, t in self.rack_index:
            found.setdefault((s, t), []).append(g)
        return found

    def gens_held(self, s: str, t: int) -> list[str]:
        """Generations with rack variables at a site in a period."""
        return self._gens_held.get((s, t), [])

    @cached_property
    def _sites_held(self) -> dict[tuple[str, int], list[str]]:
        found: dict[tuple[str, int], list[str]] = {}
        for s, g, t in self.rack_index:
            found.setdefault((g, t), []).append(s)
        return found

    def sites_held(self, g: str, t: int) -> list[str]:
        """Sites with rack variables of a generation in a period."""
        return self._sites_held.get((g, t), [])

    @cached_property
    def rack_usd(self) -> Floats:
        """Capital of a rack: its GPUs and its installation, USD; shape (generations, T)."""
        rows = self.gen_rows.items()
        usd = [self.gpu_price[g] * row.gpus_per_rack + row.install_usd_per_rack for g, row in rows]
        return np.array(usd).reshape(len(self.gens), self.T)

    @cached_property
    def open_from_start(self) -> Bools:
        """Whether the site is open from the start (no candidate); shape (sites, T)."""
        is_open = np.array([row.status is tb.SiteStatus.OPEN for row in self.site_rows.values()], dtype=bool)
        return np.broadcast_to(is_open[:, None], (len(self.sites), self.T))

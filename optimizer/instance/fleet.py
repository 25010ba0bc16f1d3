"""Generations, their supply, and the fleet before the start."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from models import tables as tb
from optimizer.instance.base import Base, Bools, Floats, Pair


class FleetData(Base):
    """Generations, supply, fleet."""

    @cached_property
    def rack_mw(self) -> dict[str, float]:
        """Provisioned IT power of a rack, MW."""
        return {g: row.rack_kw / 1000.0 for g, row in self.gen_rows.items()}

    @cached_property
    def gpu_price(self) -> dict[str, Floats]:
        """USD per GPU by generation over the horizon."""
        found = self._stepped(((r.gen_id, r.from_period, r.usd_per_gpu) for r in self.dataset.rows(tb.GpuPrice)), 0.0)
        return {g: found.get(g, np.zeros(self.T)) for g in self.gens}

    @cached_property
    def supply(self) -> Floats:
        """New allocation of racks; shape (generations, T)."""
        racks = np.zeros((len(self.gens), self.T))
        for row in self.dataset.rows(tb.Supply):
            racks[self.gen_at[row.gen_id], self.index(row.period)] += row.racks
        return racks

    @cached_property
    def installable(self) -> Bools:
        """Install window of a generation; shape (generations, T)."""
        t = np.arange(self.T)
        return np.array([(t >= self.index(r.first_install)) & (t <= self.index(r.last_install)) for r in self.gen_rows.values()]).reshape(
            len(self.gens), self.T
        )

    @cached_property
    def hosts(self) -> Bools:
        """Whether the halls of a site take the rack; shape (sites, generations)."""
        return np.array(
            [
                [site.max_rack_kw is None or gen.rack_kw <= site.max_rack_kw for gen in self.gen_rows.values()]
                for site in self.site_rows.values()
            ],
            dtype=bool,
        ).reshape(len(self.sites), len(self.gens))

    @cached_property
    def cohorts(self) -> dict[Pair, list[tuple[int, int]]]:
        """Fleet by (site, generation): (period of installation, racks), oldest first."""
        found: dict[Pair, list[tuple[int, int]]] = {}
        for row in self.dataset.rows(tb.Fleet):
            if row.racks > 0:
                found.setdefault((row.site_id, row.gen_id), []).append((self.index(row.in_service_since), row.racks))
        return {pair: sorted(rows) for pair, rows in found.items()}

    @cached_property
    def fleet(self) -> Floats:
        """Racks in service before the start; shape (sites, generations)."""
        racks = np.zeros((len(self.sites), len(self.gens)))
        for (s, g), rows in self.cohorts.items():
            racks[self.site_at[s], self.gen_at[g]] = sum(n for _, n in rows)
        return racks

    @cached_property
    def fleet_alive(self) -> Floats:
        """Fleet racks still within their life; shape (sites, generations, T)."""
        alive = np.zeros((len(self.sites), len(self.gens), self.T))
        for (s, g), rows in self.cohorts.items():
            for since, racks in rows:
                last = since + self.gen_rows[g].life_periods
                alive[self.site_at[s], self.gen_at[g], : max(last, 0)] += racks
        return alive

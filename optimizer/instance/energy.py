"""Grid, energy, carbon and PUE."""

from __future__ import annotations

import math
from functools import cached_property

import networkx as nx
import numpy as np

from models import tables as tb
from optimizer.instance.base import Floats, steps
from optimizer.instance.racks import RackData


class EnergyData(RackData):
    """Grid nodes, prices of energy, demand and carbon, PUE."""

    @cached_property
    def grid_limits(self) -> dict[str, Floats]:
        """Limit of each limited node, MW; infinite before its first row."""
        rows = ((r.node_id, r.from_period, r.limit_mw) for r in self.dataset.rows(tb.GridLimit))
        return self._stepped(rows, math.inf)

    @cached_property
    def sites_below(self) -> dict[str, list[str]]:
        """Sites in the subtree of each node."""
        forest: nx.DiGraph[str] = nx.DiGraph()
        for row in self.dataset.rows(tb.GridNode):
            forest.add_node(row.node_id)
            if row.parent_id is not None:
                forest.add_edge(row.parent_id, row.node_id)
        found: dict[str, list[str]] = {}
        for node in forest:
            below = {node, *nx.descendants(forest, node)}
            found[node] = [s for s, row in self.site_rows.items() if row.grid_node in below]
        return found

    @cached_property
    def energy(self) -> dict[str, tuple[Floats, Floats]]:
        """By price zone: (USD per MWh, tonnes CO2 per MWh), hour-weighted over slices and seasons; shape (T,) each."""
        grouped: dict[str, dict[int | None, dict[int, list[tb.EnergySlice]]]] = {}
        for row in self.dataset.rows(tb.EnergySlice):
            zone = grouped.setdefault(row.price_zone, {})
            zone.setdefault(row.season, {}).setdefault(self.index(row.from_period), []).append(row)
        weights = self.calendar.season_weights
        result = {}
        for name, seasons in grouped.items():
            usd, tonnes = np.zeros(self.T), np.zeros(self.T)
            for season, by_start in seasons.items():
                weight = np.ones(self.T) if season is None else weights[:, season - 1]
                usd += weight * steps(((t, sum(r.hours_share * r.usd_per_mwh for r in rows)) for t, rows in by_start.items()), self.T, 0.0)
                grams = steps(((t, sum(r.hours_share * r.gco2_per_kwh for r in rows)) for t, rows in by_start.items()), self.T, 0.0)
                tonnes += weight * grams / 1000.0
            result[name] = (usd, tonnes)
        return result

    def _site_series(self, by_zone: dict[str, Floats]) -> Floats:
        zero = np.zeros(self.T)
        return np.array([by_zone.get(row.price_zone, zero) for row in self.site_rows.values()]).reshape(len(self.sites), self.T)

    @cached_property
    def usd_per_mwh(self) -> Floats:
        """Energy price; shape (sites, T)."""
        return self._site_series({z: usd for z, (usd, _) in self.energy.items()})

    @cached_property
    def tonnes_per_mwh(self) -> Floats:
        """Carbon intensity, tonnes CO2 per MWh; shape (sites, T)."""
        return self._site_series({z: tonnes for z, (_, tonnes) in self.energy.items()})

    @cached_property
    def usd_per_tonne(self) -> Floats:
        """Carbon price; shape (sites, T)."""
        rows = ((r.price_zone, r.from_period, r.usd_per_t) for r in self.dataset.rows(tb.CarbonPrice))
        return self._site_series(self._stepped(rows, 0.0))

    @cached_property
    def demand_usd_per_mw(self) -> Floats:
        """Demand charge of a period, USD per MW of planned peak; shape (sites, T)."""
        rows = ((r.price_zone, r.from_period, r.usd_per_kw_month) for r in self.dataset.rows(tb.DemandCharge))
        return self._site_series(self._stepped(rows, 0.0)) * 1000.0 * self.months

    @cached_property
    def pue(self) -> Floats:
        """Mean PUE of a generation's racks: liquid and air by the heat each takes; shape (sites, generations, T)."""
        seasonal: dict[str, dict[int, tuple[float, float]]] = {}
        for row in self.dataset.rows(tb.SitePue):
            seasonal.setdefault(row.site_id, {})[row.season] = (row.pue_air, row.pue_liquid)
        result = np.zeros((len(self.sites), len(self.gens), self.T))
        liquid_share = np.array([r.liquid_share for r in self.gen_rows.values()])
        for i, (s, site) in enumerate(self.site_rows.items()):
            by_season = seasonal.get(s, {})
            table = np.array([by_season.get(q, (site.pue_air, site.pue_liquid)) for q in (1, 2, 3, 4)])
            air, liquid = (self.calendar.season_weights @ table).T
            result[i] = liquid_share[:, None] * liquid[None] + (1 - liquid_share)[:, None] * air[None]
        return result

    @cached_property
    def peak_mw(self) -> Floats:
        """Planned facility peak of a rack, MW; shape (sites, generations)."""
        return np.array(
            [
                [
                    g.rack_kw / 1000.0 * (g.liquid_share * s.pue_liquid_peak + (1 - g.liquid_share) * s.pue_air_peak)
                    for g in self.gen_rows.values()
                ]
                for s in self.site_rows.values()
            ]
        ).reshape(len(self.sites), len(self.gens))

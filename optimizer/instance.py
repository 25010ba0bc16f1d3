"""The dataset as arrays: everything of model.md that follows from data alone, ready for the blocks.

Sites, generations, contracts and blocks keep their ids; periods are indices 0..T-1. Arrays are
indexed by position in ``sites``, ``gens``, ``contracts``. Power is in MW, money in USD here; the
blocks turn it into discounted million USD.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from models import tables as tb
from models.dataset import Dataset

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Pair = tuple[str, str]

ROUND_UP = 1e-9
"""A rack that fits but for this share of a rack is held to fit (binary fractions of data)."""


def steps(rows: Iterable[tuple[int, float]], periods: int, before: float) -> Floats:
    """Values of a step table over the horizon: a row holds until the next; ``before`` the first row, ``before``."""
    values = np.full(periods, before)
    for start, value in sorted(rows):
        values[min(max(start, 0), periods) :] = value
    return values


class Instance:
    """What the model needs to know of a dataset.

    Args:
        dataset: a checked dataset.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.settings = dataset.settings
        self.calendar = dataset.calendar
        self.T = dataset.settings.periods
        self.months = self.calendar.months
        self.hours = self.calendar.hours
        self.disc = self.calendar.discount(self.settings.discount_rate)
        self.disc_end = self.calendar.discount_end(self.settings.discount_rate)
        self.site_rows = {row.site_id: row for row in dataset.rows(tb.Site)}
        self.gen_rows = {row.gen_id: row for row in dataset.rows(tb.Generation)}
        self.contract_rows = {row.contract_id: row for row in dataset.rows(tb.Contract)}
        self.block_rows = {row.block_id: row for row in dataset.rows(tb.PowerBlock)}
        self.retrofit_rows = {row.site_id: row for row in dataset.rows(tb.Retrofit)}
        self.sites = list(self.site_rows)
        self.gens = list(self.gen_rows)
        self.contracts = list(self.contract_rows)
        self.candidates = [s for s, row in self.site_rows.items() if row.status is tb.SiteStatus.CANDIDATE]
        self.options = [b for b, row in self.block_rows.items() if row.status is tb.BlockStatus.OPTION]
        self.prospects = [c for c, row in self.contract_rows.items() if row.status is tb.ContractStatus.PROSPECT]
        self.site_at = {s: i for i, s in enumerate(self.sites)}
        self.gen_at = {g: i for i, g in enumerate(self.gens)}
        self.contract_at = {c: i for i, c in enumerate(self.contracts)}

    def index(self, label: str) -> int:
        """Index of a period label."""
        return self.calendar.index(label)

    def _stepped(self, rows: Iterable[tuple[str, str, float]], before: float) -> dict[str, Floats]:
        """Step tables by key: (key, from_period, value) rows -> values over the horizon."""
        grouped: dict[str, list[tuple[int, float]]] = {}
        for key, label, value in rows:
            grouped.setdefault(key, []).append((self.index(label), value))
        return {key: steps(found, self.T, before) for key, found in grouped.items()}

    # generations -------------------------------------------------------------------------------

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

    # fleet -------------------------------------------------------------------------------------

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

    # power and cooling -------------------------------------------------------------------------

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

    # racks -------------------------------------------------------------------------------------

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

    # grid --------------------------------------------------------------------------------------

    @cached_property
    def grid_limits(self) -> dict[str, Floats]:
        """Limit of each limited node, MW; infinite before its first row."""
        rows = ((r.node_id, r.from_period, r.limit_mw) for r in self.dataset.rows(tb.GridLimit))
        return self._stepped(rows, math.inf)

    @cached_property
    def sites_below(self) -> dict[str, list[str]]:
        """Sites in the subtree of each node."""
        forest = nx.DiGraph()
        for row in self.dataset.rows(tb.GridNode):
            forest.add_node(row.node_id)
            if row.parent_id is not None:
                forest.add_edge(row.parent_id, row.node_id)
        found: dict[str, list[str]] = {}
        for node in forest:
            below = {node, *nx.descendants(forest, node)}
            found[node] = [s for s, row in self.site_rows.items() if row.grid_node in below]
        return found

    # energy ------------------------------------------------------------------------------------

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

    # contracts ---------------------------------------------------------------------------------

    @cached_property
    def owed(self) -> Floats:
        """``D[c,t]``: contract GPUs owed while in force; shape (contracts, T)."""
        ramps = self._stepped(((r.contract_id, r.from_period, r.gpus) for r in self.dataset.rows(tb.ContractRamp)), 0.0)
        result = np.zeros((len(self.contracts), self.T))
        t = np.arange(self.T)
        for i, (c, row) in enumerate(self.contract_rows.items()):
            inside = (t >= self.index(row.start)) & (t <= self.index(row.end))
            result[i] = np.where(inside, ramps.get(c, np.zeros(self.T)), 0.0)
        return result

    @cached_property
    def contract_price(self) -> Floats:
        """USD per delivered contract GPU and hour; shape (contracts, T)."""
        rows = ((r.contract_id, r.from_period, r.usd_per_gpu_hour) for r in self.dataset.rows(tb.ContractPrice))
        found = self._stepped(rows, 0.0)
        return np.array([found.get(c, np.zeros(self.T)) for c in self.contracts]).reshape(len(self.contracts), self.T)

    @cached_property
    def equivalents(self) -> dict[str, dict[str, float]]:
        """By contract: eligible generations with the contract GPUs that one GPU counts for."""
        found: dict[str, dict[str, float]] = {c: {} for c in self.contracts}
        for row in self.dataset.rows(tb.ContractGeneration):
            found[row.contract_id][row.gen_id] = row.gpu_equivalent
        return found

    def allowed_sites(self, c: str) -> list[str]:
        """Sites that zone, list and exclusions of a contract leave."""
        row = self.contract_rows[c]
        return [
            s
            for s, site in self.site_rows.items()
            if (not row.zones or site.zone in row.zones) and (not row.sites or s in row.sites) and s not in row.excluded_sites
        ]

    @cached_property
    def serving_costs(self) -> dict[Pair, float]:
        """USD per delivered contract GPU and hour, by contract and site."""
        return {(r.contract_id, r.site_id): r.usd_per_gpu_hour for r in self.dataset.rows(tb.ServingCost)}

    @cached_property
    def current(self) -> dict[str, dict[str, float]]:
        """Contract GPUs delivered just before the start, by contract and site."""
        found: dict[str, dict[str, float]] = {}
        for row in self.dataset.rows(tb.CurrentDelivery):
            found.setdefault(row.contract_id, {})[row.site_id] = row.gpus
        return found

    def cluster_periods(self, c: str) -> list[int]:
        """Periods in which the smallest cluster must stand (rule 13); empty where there is none."""
        row, owed = self.contract_rows[c], self.owed[self.contract_at[c]]
        if row.min_cluster_gpus <= 0 or owed.max(initial=0.0) <= 0:
            return []
        highest = [int(t) for t in np.flatnonzero(owed == owed.max())]
        late = [t for t in highest if t >= highest[0] + row.cluster_grace]
        return late or highest[-1:]

    @cached_property
    def fits(self) -> dict[Pair, Floats]:
        """Most contract GPUs that an allowed site could deliver, by (contract, site); shape (T,).

        All IT power on the eligible generation with the most contract GPUs per MW, or all racks
        that fit, whichever is less (a mix can't beat both); never more than is owed.
        """
        found = {}
        for c, row in self.contract_rows.items():
            eligible = [(self.gen_at[g], g, eq) for g, eq in self.equivalents[c].items()]
            owed = self.owed[self.contract_at[c]]
            for s in self.allowed_sites(c):
                i = self.site_at[s]
                by_racks, best_per_mw = np.zeros(self.T), np.zeros(self.T)
                for j, g, eq in eligible:
                    per_rack = eq * self.gen_rows[g].gpus_per_rack / (1 + row.spare_share)
                    by_racks += self.racks_most[i, j] * per_rack
                    best_per_mw = np.where(self.racks_most[i, j] > 0, np.maximum(best_per_mw, per_rack / self.rack_mw[g]), best_per_mw)
                found[c, s] = np.minimum(owed, np.minimum(by_racks, self.it_most[i] * best_per_mw))
        return found

    @cached_property
    def pairs(self) -> list[Pair]:
        """(contract, site) pairs that can deliver anything, and whose smallest cluster can be reached."""
        found = []
        for (c, s), most in self.fits.items():
            cluster = self.contract_rows[c].min_cluster_gpus
            reachable = all(most[t] >= cluster * (1 - ROUND_UP) for t in self.cluster_periods(c))
            if most.max(initial=0.0) > 0 and reachable:
                found.append((c, s))
        return found

    @cached_property
    def delivery_index(self) -> tuple[list[tuple[str, str, str, int]], Floats]:
        """(contract, site, generation, period) in which racks can deliver, and the most physical GPUs delivered."""
        index: list[tuple[str, str, str, int]] = []
        most: list[Floats] = []
        for c, s in self.pairs:
            owed, spare = self.owed[self.contract_at[c]], 1 + self.contract_rows[c].spare_share
            for g, eq in self.equivalents[c].items():
                racks = self.racks_most[self.site_at[s], self.gen_at[g]]
                periods = np.flatnonzero((owed > 0) & (racks > 0))
                index += [(c, s, g, t) for t in periods.tolist()]
                most.append(np.minimum(owed / eq, self.gen_rows[g].gpus_per_rack * racks / spare)[periods])
        return index, np.concatenate(most) if most else np.zeros(0)

    def gens_delivering(self, c: str, s: str, t: int) -> list[str]:
        """Generations that can deliver to a contract from a site in a period."""
        if (c, s) not in self._paired:
            return []
        i = self.site_at[s]
        owed = self.owed[self.contract_at[c], t] > 0
        return [g for g in self.equivalents[c] if owed and self.racks_most[i, self.gen_at[g], t] > 0]

    @cached_property
    def _paired(self) -> frozenset[Pair]:
        return frozenset(self.pairs)

    @cached_property
    def equivalent_matrix(self) -> Floats:
        """Contract GPUs that one GPU counts for, 0 where not eligible; shape (contracts, generations)."""
        matrix = np.zeros((len(self.contracts), len(self.gens)))
        for c, found in self.equivalents.items():
            for g, eq in found.items():
                matrix[self.contract_at[c], self.gen_at[g]] = eq
        return matrix

    @cached_property
    def choice_pairs(self) -> list[Pair]:
        """Pairs of contracts to which the choice of sites matters."""
        return [(c, s) for c, s in self.pairs if self.has_site_choice(c)]

    def sites_of_choice(self, c: str) -> list[str]:
        """Sites among which a contract has a choice."""
        return [s for d, s in self.choice_pairs if d == c]

    @cached_property
    def _cliques(self) -> dict[str, list[list[str]]]:
        return {c: self.distance_cliques(c, self.sites_of_choice(c)) for c in self.contracts}

    def cliques_of(self, c: str) -> list[list[str]]:
        """Cliques of sites too far apart among those that can serve the contract."""
        return self._cliques[c]

    def owed_before(self, c: str, t: int) -> float:
        """``D[c,t-1]``; before the start, the sum of current_deliveries.csv."""
        return float(self.owed[self.contract_at[c], t - 1]) if t > 0 else sum(self.current.get(c, {}).values())

    @cached_property
    def _choosy(self) -> frozenset[str]:
        directed = [d.contract_id for d in self.dataset.rows(tb.Directive) if d.decision is tb.DecisionKind.SERVE]
        if None in directed:
            return frozenset(self.contracts)
        rows = self.contract_rows.items()
        limited = {c for c, row in rows if row.max_sites is not None or row.max_rtt_ms is not None or self.cluster_periods(c)}
        return frozenset(limited.union(c for c in directed if c is not None))

    def has_site_choice(self, c: str) -> bool:
        """Whether it matters which sites serve the contract as a yes or no: max_sites, a cluster, a distance, or a directive."""
        return c in self._choosy

    @cached_property
    def round_trip_ms(self) -> dict[str, dict[str, float]]:
        """Round-trip time over the shortest path between sites; pairs without a path are left out."""
        network = nx.Graph()
        network.add_nodes_from(self.sites)
        for row in self.dataset.rows(tb.NetworkLink):
            network.add_edge(row.site_a, row.site_b, rtt_ms=row.rtt_ms)
        return {s: dict(found) for s, found in nx.all_pairs_dijkstra_path_length(network, weight="rtt_ms")}

    def distance_cliques(self, c: str, sites: Sequence[str]) -> list[list[str]]:
        """Cliques of sites too far from one another to serve the contract together; they cover every such pair (rule 14)."""
        limit = self.contract_rows[c].max_rtt_ms
        if limit is None:
            return []
        rtt = self.round_trip_ms
        far = {s: {u for u in sites if u != s and rtt[s].get(u, math.inf) > limit} for s in sites}
        open_edges = {frozenset((s, u)) for s in sites for u in far[s]}
        cliques = []
        for edge in sorted(open_edges, key=sorted):
            if edge not in open_edges:
                continue
            clique = sorted(edge)
            for s in sites:
                if s not in clique and far[s].issuperset(clique):
                    clique.append(s)
            open_edges -= {frozenset((s, u)) for s in clique for u in clique if s != u}
            cliques.append(clique)
        return cliques

    # market ------------------------------------------------------------------------------------

    @cached_property
    def market(self) -> dict[Pair, tuple[Floats, Floats]]:
        """By (generation, tier): (USD per GPU-hour, most GPUs sold); shape (T,) each."""
        prices: dict[Pair, list[tuple[int, float]]] = {}
        depths: dict[Pair, list[tuple[int, float]]] = {}
        for row in self.dataset.rows(tb.MarketTier):
            prices.setdefault((row.gen_id, row.tier), []).append((self.index(row.from_period), row.usd_per_gpu_hour))
            depths.setdefault((row.gen_id, row.tier), []).append((self.index(row.from_period), row.max_gpus))
        return {key: (steps(prices[key], self.T, 0.0), steps(depths[key], self.T, 0.0)) for key in prices}

    # limits of money and carbon ----------------------------------------------------------------

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

    # residual ----------------------------------------------------------------------------------

    def residual_usd(self, g: str, since: int) -> float:
        """Value at the end of the horizon of one rack installed in period ``since`` (undiscounted; residual_value of model.md)."""
        row = self.gen_rows[g]
        age = max(0.0, 1.0 - (self.T - since) / row.life_periods)
        return float(row.residual_factor * self.gpu_price[g][-1] * row.gpus_per_rack * age)

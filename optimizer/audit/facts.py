"""What the audit needs of a dataset, read from its tables alone.

Arrays are indexed by position in the tables: S sites, G generations, C contracts, T periods. Power in MW,
money in USD, as in model.md. Nothing here is shared with the builder of the model.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import tables as tb
from models.dataset import Dataset

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]


def positions(labels: Iterable[Hashable], known: Sequence[str]) -> Ints:
    """Position of each label in ``known``, -1 where it is not there."""
    return np.asarray(pd.Index(list(known), dtype=object).get_indexer(pd.Index(list(labels), dtype=object)), dtype=np.intp)


def floats(values: Iterable[Any], missing: float = math.nan) -> Floats:
    """A column as floats, ``missing`` where it is empty."""
    array = np.asarray(pd.to_numeric(pd.Series(list(values), dtype=object), errors="coerce"), dtype=float)
    return np.where(np.isnan(array), missing, array)


class Facts:
    """A dataset as the audit sees it.

    Args:
        dataset: a checked dataset.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.settings = dataset.settings
        self.calendar = dataset.calendar
        self.periods = dataset.settings.periods
        self.labels = self.calendar.labels
        self.hours = self.calendar.hours
        self.months = float(self.calendar.months)
        years = self.months / 12.0
        rate = dataset.settings.discount_rate
        self.disc: Floats = np.power(1.0 + rate, -(np.arange(self.periods) + 0.5) * years)
        self.disc_end = float((1.0 + rate) ** (-self.periods * years))
        self.sites, self.gens, self.contracts = dataset["sites"], dataset["generations"], dataset["contracts"]
        self.blocks, self.retrofits = dataset["power_blocks"], dataset["retrofits"]
        self.site_ids: list[str] = self.sites["site_id"].tolist()
        self.gen_ids: list[str] = self.gens["gen_id"].tolist()
        self.contract_ids: list[str] = self.contracts["contract_id"].tolist()
        self.block_ids: list[str] = self.blocks["block_id"].tolist()
        self.candidate: Bools = np.array([v == "candidate" for v in self.sites["status"]], dtype=bool)
        self.option: Bools = np.array([v == "option" for v in self.blocks["status"]], dtype=bool)
        self.prospect: Bools = np.array([v == "prospect" for v in self.contracts["status"]], dtype=bool)
        self.block_site = positions(self.blocks["site_id"], self.site_ids)
        self._index: dict[str, int] = {}

    def index(self, label: str) -> int:
        """Index of a period label, inside or outside the horizon."""
        if label not in self._index:
            self._index[label] = self.calendar.index(label)
        return self._index[label]

    def indices(self, labels: Iterable[str]) -> Ints:
        """Index of each period label."""
        return np.array([self.index(label) for label in labels], dtype=np.intp)

    def site(self, column: str, missing: float = math.nan) -> Floats:
        """A numeric column of sites.csv; shape (S,)."""
        return floats(self.sites[column], missing)

    def gen(self, column: str) -> Floats:
        """A numeric column of generations.csv; shape (G,)."""
        return floats(self.gens[column])

    def contract(self, column: str, missing: float = math.nan) -> Floats:
        """A numeric column of contracts.csv; shape (C,)."""
        return floats(self.contracts[column], missing)

    def block(self, column: str, missing: float = 0.0) -> Floats:
        """A numeric column of power_blocks.csv; one value per block."""
        return floats(self.blocks[column], missing)

    def stepped(self, table: str, keys: str, known: Sequence[str], value: str, before: float, empty: float = 0.0) -> Floats:
        """A from_period table over the horizon: a row holds until its key's next; shape (len(known), T).

        Args:
            table, keys, value: the table, its key column and the column of values.
            known: keys to fill; rows of other keys are left out.
            before: value before the first row.
            empty: value of an empty cell.
        """
        frame = self.dataset[table]
        rows = zip(self.indices(frame["from_period"]), positions(frame[keys], known), floats(frame[value], empty), strict=True)
        values = np.full((len(known), self.periods), before)
        for start, key, amount in sorted(rows):
            if key >= 0:
                values[key, max(start, 0) :] = amount
        return values

    # racks -------------------------------------------------------------------------------------

    @cached_property
    def rack_mw(self) -> Floats:
        """Provisioned IT power of a rack, MW; shape (G,)."""
        return self.gen("rack_kw") / 1000.0

    @cached_property
    def liquid_share(self) -> Floats:
        """Share of a rack's heat taken by liquid; shape (G,)."""
        return self.gen("liquid_share")

    @cached_property
    def life(self) -> Ints:
        """Life in periods; shape (G,)."""
        return np.asarray(self.gens["life_periods"], dtype=np.intp)

    @cached_property
    def supply(self) -> Floats:
        """Racks allocated up to each period; shape (G, T)."""
        frame = self.dataset["supply"]
        racks = np.zeros((len(self.gen_ids), self.periods))
        np.add.at(racks, (positions(frame["gen_id"], self.gen_ids), self.indices(frame["period"])), floats(frame["racks"]))
        return racks.cumsum(axis=1)

    @cached_property
    def cohorts(self) -> list[tuple[int, int, int, float]]:
        """Fleet cohorts: site, generation, period since which in service, racks."""
        return [
            (self.site_ids.index(row.site_id), self.gen_ids.index(row.gen_id), self.index(row.in_service_since), float(row.racks))
            for row in self.dataset.rows(tb.Fleet)
        ]

    @cached_property
    def gpu_price(self) -> Floats:
        """USD per GPU; shape (G, T)."""
        return self.stepped("gpu_prices", "gen_id", self.gen_ids, "usd_per_gpu", 0.0)

    # sites -------------------------------------------------------------------------------------

    @cached_property
    def site_limits(self) -> dict[str, Floats]:
        """Limits of site_limits.csv by column it_mw, liquid_mw, air_mw; infinite where none; shape (S, T)."""
        return {
            name: self.stepped("site_limits", "site_id", self.site_ids, name, math.inf, math.inf)
            for name in ("it_mw", "liquid_mw", "air_mw")
        }

    @cached_property
    def pue(self) -> tuple[Floats, Floats]:
        """Mean PUE of air and of liquid, hour-weighted over the period's seasons; shape (S, T) each."""
        by_season = {name: np.repeat(self.site(name)[:, None], 4, axis=1) for name in ("pue_air", "pue_liquid")}
        frame = self.dataset["site_pue"]
        place, season = positions(frame["site_id"], self.site_ids), np.asarray(frame["season"], dtype=np.intp) - 1
        for name, values in by_season.items():
            values[place, season] = floats(frame[name])
        weights = self.calendar.season_weights.T
        return by_season["pue_air"] @ weights, by_season["pue_liquid"] @ weights

    @cached_property
    def energy(self) -> tuple[Floats, Floats]:
        """USD per MWh and tonnes CO2 per MWh at each site, each weighted by hours; shape (S, T) each."""
        frame = self.dataset["energy"].assign(start=lambda rows: self.indices(rows["from_period"]))
        frame["usd"] = frame["hours_share"] * frame["usd_per_mwh"]
        frame["tonnes"] = frame["hours_share"] * frame["gco2_per_kwh"] / 1000.0
        frame["season"] = frame["season"].fillna(0).astype(int)
        sums = frame.groupby(["price_zone", "season", "start"], sort=True)[["usd", "tonnes"]].sum()
        zones = sorted(set(self.sites["price_zone"]))
        usd, tonnes = np.zeros((len(zones), 4, self.periods)), np.zeros((len(zones), 4, self.periods))
        place = {zone: i for i, zone in enumerate(zones)}
        for (zone, season, start), usd_mean, tonnes_mean in zip(sums.index, sums["usd"], sums["tonnes"], strict=True):
            if zone in place:
                seasons = slice(None) if season == 0 else season - 1
                usd[place[zone], seasons, max(start, 0) :] = usd_mean
                tonnes[place[zone], seasons, max(start, 0) :] = tonnes_mean
        of_site = np.array([place[zone] for zone in self.sites["price_zone"]], dtype=np.intp)
        weights = self.calendar.season_weights
        return np.einsum("zqt,tq->zt", usd, weights)[of_site], np.einsum("zqt,tq->zt", tonnes, weights)[of_site]

    def _by_price_zone(self, table: str, value: str) -> Floats:
        zones = sorted(set(self.sites["price_zone"]))
        return self.stepped(table, "price_zone", zones, value, 0.0)[positions(self.sites["price_zone"], zones)]

    @cached_property
    def demand_charge(self) -> Floats:
        """USD per kW and month of planned peak; shape (S, T)."""
        return self._by_price_zone("demand_charges", "usd_per_kw_month")

    @cached_property
    def carbon_price(self) -> Floats:
        """USD per tonne of CO2; shape (S, T)."""
        return self._by_price_zone("carbon_prices", "usd_per_t")

    @cached_property
    def grid(self) -> tuple[list[str], Floats, Bools]:
        """Nodes with a limit, their limits (N, T) in MW, and which sites are below them (N, S)."""
        nodes = list(dict.fromkeys(self.dataset["grid_limits"]["node_id"]))
        limits = self.stepped("grid_limits", "node_id", nodes, "limit_mw", math.inf)
        frame = self.dataset["grid_nodes"]
        forest: nx.DiGraph[str] = nx.DiGraph()
        forest.add_nodes_from(frame["node_id"])
        forest.add_edges_from((parent, node) for node, parent in zip(frame["node_id"], frame["parent_id"], strict=True) if parent)
        below = np.zeros((len(nodes), len(self.site_ids)), dtype=bool)
        for i, node in enumerate(nodes):
            subtree = nx.descendants(forest, node) | {node}
            below[i] = [place in subtree for place in self.sites["grid_node"]]
        return nodes, limits, below

    # contracts ---------------------------------------------------------------------------------

    @cached_property
    def start(self) -> Ints:
        """First period of each contract; shape (C,)."""
        return self.indices(self.contracts["start"])

    @cached_property
    def ramp(self) -> Floats:
        """``D[c,t]``, contract GPUs owed once in force; shape (C, T)."""
        gpus = self.stepped("contract_ramp", "contract_id", self.contract_ids, "gpus", 0.0)
        t = np.arange(self.periods)[None, :]
        end = self.indices(self.contracts["end"])
        return np.where((t >= self.start[:, None]) & (t <= end[:, None]), gpus, 0.0)

    @cached_property
    def contract_price(self) -> Floats:
        """USD per contract GPU and hour; shape (C, T)."""
        return self.stepped("contract_prices", "contract_id", self.contract_ids, "usd_per_gpu_hour", 0.0)

    @cached_property
    def equivalent(self) -> Floats:
        """Contract GPUs that one GPU counts for, 0 where the generation is not eligible; shape (C, G)."""
        frame = self.dataset["contract_generations"]
        values = np.zeros((len(self.contract_ids), len(self.gen_ids)))
        values[positions(frame["contract_id"], self.contract_ids), positions(frame["gen_id"], self.gen_ids)] = floats(
            frame["gpu_equivalent"]
        )
        return values

    @cached_property
    def allowed(self) -> Bools:
        """Whether zones, sites and excluded sites let a site serve a contract; shape (C, S)."""
        zones = self.sites["zone"].tolist()
        rows = []
        for named, listed, excluded in zip(self.contracts["zones"], self.contracts["sites"], self.contracts["excluded_sites"], strict=True):
            rows.append(
                [
                    (not named or zone in named) and (not listed or site in listed) and site not in excluded
                    for site, zone in zip(self.site_ids, zones, strict=True)
                ]
            )
        return np.array(rows, dtype=bool).reshape(len(self.contract_ids), len(self.site_ids))

    @cached_property
    def cluster_periods(self) -> Bools:
        """Periods in which serving sites must hold the smallest cluster; shape (C, T).

        Those in which the ramp is at its highest in the horizon, from ``cluster_grace`` after the first of
        them on; if none is left, the last of them.
        """
        top = self.ramp.max(axis=1, initial=0.0)
        found = np.zeros(self.ramp.shape, dtype=bool)
        for c, grace in enumerate(self.contracts["cluster_grace"]):
            highest = np.flatnonzero(self.ramp[c] == top[c]) if top[c] > 0 else np.zeros(0, dtype=np.intp)
            if highest.size:
                late = highest[highest >= highest[0] + int(grace)]
                found[c, late if late.size else highest[-1:]] = True
        return found

    @cached_property
    def current(self) -> tuple[Floats, Bools]:
        """Contract GPUs delivered just before the start, (C, S), and which contracts have a row there, (C,)."""
        frame = self.dataset["current_deliveries"]
        gpus, listed = np.zeros((len(self.contract_ids), len(self.site_ids))), np.zeros(len(self.contract_ids), dtype=bool)
        place = positions(frame["contract_id"], self.contract_ids)
        np.add.at(gpus, (place, positions(frame["site_id"], self.site_ids)), floats(frame["gpus"]))
        listed[place] = True
        return gpus, listed

    @cached_property
    def serving_cost(self) -> Floats:
        """USD per contract GPU and hour by contract and site; shape (C, S)."""
        frame = self.dataset["serving_costs"]
        values = np.zeros((len(self.contract_ids), len(self.site_ids)))
        values[positions(frame["contract_id"], self.contract_ids), positions(frame["site_id"], self.site_ids)] = floats(
            frame["usd_per_gpu_hour"]
        )
        return values

    @cached_property
    def round_trip_ms(self) -> Floats:
        """Round-trip time of the shortest path between sites, infinite without a path; shape (S, S)."""
        frame = self.dataset["network_links"]
        network: nx.Graph[str] = nx.Graph()
        network.add_nodes_from(self.site_ids)
        network.add_weighted_edges_from(zip(frame["site_a"], frame["site_b"], floats(frame["rtt_ms"]), strict=True))
        place = {site: i for i, site in enumerate(self.site_ids)}
        times = np.full((len(self.site_ids), len(self.site_ids)), np.inf)
        for site, reached in nx.all_pairs_dijkstra_path_length(network):
            for other, milliseconds in reached.items():
                times[place[site], place[other]] = milliseconds
        return times

    # market ------------------------------------------------------------------------------------

    @cached_property
    def tiers(self) -> list[tuple[str, str]]:
        """(generation, tier) of market.csv."""
        frame = self.dataset["market"]
        return list(dict.fromkeys(zip(frame["gen_id"], frame["tier"], strict=True)))

    @cached_property
    def market(self) -> tuple[Floats, Floats]:
        """USD per GPU-hour and most GPUs sold, by tier; shape (K, T) each."""
        frame = self.dataset["market"]
        place = {tier: i for i, tier in enumerate(self.tiers)}
        price, depth = np.zeros((len(place), self.periods)), np.zeros((len(place), self.periods))
        starts = self.indices(frame["from_period"])
        for i in np.argsort(starts, kind="stable"):
            at = place[frame["gen_id"].iloc[i], frame["tier"].iloc[i]]
            price[at, max(starts[i], 0) :] = frame["usd_per_gpu_hour"].iloc[i]
            depth[at, max(starts[i], 0) :] = frame["max_gpus"].iloc[i]
        return price, depth

"""Contracts: what they are owed, pay, and who can deliver it."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from models import tables as tb
from optimizer.instance.base import ROUND_UP, Floats, Pair
from optimizer.instance.energy import EnergyData


class ContractData(EnergyData):
    """Contracts, eligible generations and sites."""

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

    def owed_before(self, c: str, t: int) -> float:
        """``D[c,t-1]``; before the start, the sum of current_deliveries.csv."""
        return float(self.owed[self.contract_at[c], t - 1]) if t > 0 else sum(self.current.get(c, {}).values())

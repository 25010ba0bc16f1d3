"""Choice of serving sites: which contracts have one, and sites too far apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import networkx as nx

from models import tables as tb
from optimizer.instance.base import Pair
from optimizer.instance.contracts import ContractData

DIGITS_MS = 9
"""Digits after the point of a round-trip time, ms."""


class ServingData(ContractData):
    """Pairs of contracts and sites among which there is a choice."""

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
        """Round-trip time over the shortest path between sites; pairs without a path are left out.

        A sum of links is the same in either direction, and is not above a limit by the noise of floating point.
        """
        network: nx.Graph[str] = nx.Graph()
        network.add_nodes_from(self.sites)
        for row in self.dataset.rows(tb.NetworkLink):
            network.add_edge(row.site_a, row.site_b, rtt_ms=row.rtt_ms)
        paths = nx.all_pairs_dijkstra_path_length(network, weight="rtt_ms")
        return {s: {other: round(ms, DIGITS_MS) for other, ms in found.items()} for s, found in paths}

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

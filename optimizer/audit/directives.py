"""Directives: decisions fixed, bounded or forbidden from outside (18 of model.md).

Racks and deliveries are summed over what a directive leaves open; ``open`` over candidates, ``build`` over
options, ``sign`` over prospects, ``serve`` over contracts and sites. What is named and no longer a decision
counts as what it is: an open site 1, a firm contract 1, a firm block 1 once energized.
"""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx
import numpy as np
import pandas as pd

from models import tables as tb
from optimizer.audit.facts import Bools, Floats, Ints
from optimizer.audit.report import Findings
from optimizer.audit.usage import Usage

UNITS = {
    "in_service": "racks", "installed": "racks", "deliveries": "GPUs", "sign": "contracts", "open": "sites", "build": "blocks",
    "retrofit": "MW", "serve": "sites",
}  # fmt: skip


class Directed:
    """What directives speak of, in a plan.

    Args:
        use: the plan's quantities.
        serving: which sites serve a contract; shape (C, S).
    """

    def __init__(self, use: Usage, serving: Bools) -> None:
        self.use, self.facts, self.serving = use, use.facts, serving
        self.values: dict[str, Callable[[tb.Directive], Floats]] = {
            "in_service": lambda row: self._racks(row, use.plan.in_service),
            "installed": lambda row: self._racks(row, use.plan.installed),
            "deliveries": self._deliveries,
            "sign": self._sign,
            "open": self._open,
            "build": self._build,
            "retrofit": self._retrofit,
        }

    def _named(self, identifier: str | None, known: list[str]) -> Ints:
        """Positions of what an id names: one, or all when it is empty."""
        if identifier is None:
            return np.arange(len(known), dtype=np.intp)
        return np.array([known.index(identifier)], dtype=np.intp)

    def _racks(self, row: tb.Directive, racks: Floats) -> Floats:
        sites, gens = self._named(row.site_id, self.facts.site_ids), self._named(row.gen_id, self.facts.gen_ids)
        return np.asarray(racks[np.ix_(sites, gens)].sum(axis=(0, 1)), dtype=np.float64)

    def _deliveries(self, row: tb.Directive) -> Floats:
        frame = self.use.deliveries
        chosen = np.ones(len(frame), dtype=bool)
        for column in ("contract_id", "site_id", "gen_id"):
            identifier = getattr(row, column)
            if identifier is not None:
                chosen &= (frame[column] == identifier).to_numpy(bool)
        total = np.zeros(self.facts.periods)
        np.add.at(total, frame["t"].to_numpy(int)[chosen], frame["gpus"].to_numpy(float)[chosen])
        return total

    def _sign(self, row: tb.Directive) -> Floats:
        named = self._named(row.contract_id, self.facts.contract_ids)
        if row.contract_id is None:
            named = named[self.facts.prospect]
        return np.array([self.use.plan.signed[named].sum()], dtype=float)

    def _open(self, row: tb.Directive) -> Floats:
        named = self._named(row.site_id, self.facts.site_ids)
        if row.site_id is None:
            named = named[self.facts.candidate]
        return np.asarray(self.use.open[named].sum(axis=0), dtype=np.float64)

    def _build(self, row: tb.Directive) -> Floats:
        named = self._named(row.block_id, self.facts.block_ids)
        if row.block_id is None:
            named = named[self.facts.option]
        of_site = np.isin(self.facts.block_site[named], self._named(row.site_id, self.facts.site_ids))
        return np.asarray(self.use.built[named[of_site]].sum(axis=0), dtype=np.float64)

    def _retrofit(self, row: tb.Directive) -> Floats:
        return np.asarray(self.use.retrofit_mw[self._named(row.site_id, self.facts.site_ids)].sum(axis=0), dtype=np.float64)

    def serve_range(self, row: tb.Directive) -> tuple[float, float]:
        """Fewest and most serving (contract, site) pairs among those named.

        The plan's tables show who delivers. A site may also serve and deliver nothing, where no smallest
        cluster forbids that, and as far as signature, opening, max_sites and distance leave room.
        """
        facts = self.facts
        contracts, sites = self._named(row.contract_id, facts.contract_ids), self._named(row.site_id, facts.site_ids)
        fewest = most = 0
        for c in contracts:
            now = int(self.serving[c, sites].sum())
            fewest, most = fewest + now, most + now + self._idle(int(c), sites)
        return float(fewest), float(most)

    def _idle(self, c: int, sites: Ints) -> int:
        """Most of these sites that could serve a contract beside those that do, delivering nothing."""
        facts, use = self.facts, self.use
        if not use.plan.signed[c] or (facts.contract("min_cluster_gpus", 0.0)[c] > 0 and facts.cluster_periods[c].any()):
            return 0
        free = [int(s) for s in sites if facts.allowed[c, s] and use.open[s, -1] and not self.serving[c, s]]
        limit = facts.contract("max_rtt_ms", np.inf)[c]
        if np.isfinite(limit):
            near = facts.round_trip_ms <= limit
            free = [s for s in free if near[s, self.serving[c]].all()]
            graph: nx.Graph[int] = nx.Graph()
            graph.add_nodes_from(free)
            graph.add_edges_from((s, other) for s in free for other in free if s < other and near[s, other])
            free = list(nx.max_weight_clique(graph, weight=None)[0]) if free else []
        room = facts.contract("max_sites", np.inf)[c] - self.serving[c].sum()
        return int(max(0.0, min(len(free), room)))


def check(use: Usage, findings: Findings, serving: Bools) -> None:
    """Check constraint 18.

    Args:
        use: the plan's quantities.
        findings: where violations are noted.
        serving: which sites serve a contract; shape (C, S).
    """
    facts, directed = use.facts, Directed(use, serving)
    findings.count("directive", 0)
    for row in facts.dataset.rows(tb.Directive):
        what, unit = f"{row.decision.value} (rule {row.rule.value})", UNITS[row.decision.value]
        if row.decision in (tb.DecisionKind.SIGN, tb.DecisionKind.SERVE):
            low, high = (
                directed.serve_range(row) if row.decision is tb.DecisionKind.SERVE else (float(directed.values["sign"](row)[0]),) * 2
            )
            found, other, places = np.array([low]), np.array([high]), pd.DataFrame({"row": [row.row]})
        else:
            first = max(facts.index(row.from_period), 0) if row.from_period is not None else 0
            last = min(facts.index(row.to_period), facts.periods - 1) if row.to_period is not None else facts.periods - 1
            span = slice(first, max(first, last + 1))  # all before the horizon names no period
            found = other = directed.values[row.decision.value](row)[span]
            labels = facts.labels[span]
            places = pd.DataFrame({"row": [row.row] * len(labels), "period": labels})
        named = {key: str(getattr(row, key)) for key in ("contract_id", "site_id", "gen_id", "block_id") if getattr(row, key) is not None}
        places = places.assign(**named)
        if row.rule is not tb.Rule.MIN:
            findings.at_most("directive", 18, what, found, row.value, places, unit)
        if row.rule is not tb.Rule.MAX:
            findings.at_least("directive", 18, what, other, row.value, places, unit)

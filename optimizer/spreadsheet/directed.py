"""Directives as the greedy rule reads them: ceilings to stay below, floors to try for, decisions given outright."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models import tables as tb
from optimizer.decisions import Decisions, no_decisions
from optimizer.instance import Bools, Floats, Instance

Limit = tuple[Bools, Floats]
"""Cells that a directive sums, and its value by period (infinite or 0 where it says nothing); shapes (sites, generations) and (T,)."""


@dataclass(frozen=True)
class DeliveryLimit:
    """A directive on deliveries: contracts, cells, and its value by period in physical GPUs."""

    contracts: frozenset[str]
    cells: Bools
    gpus: Floats


class Directed:
    """What the directives of a dataset ask of the rule.

    Attributes:
        ceilings, floors: limits of racks by decision (in_service, installed).
        delivery_ceilings, delivery_floors: limits of deliveries.
        signed, refused: prospects that must, or must not, be signed.
        most_signed: largest number of prospects signed.
        barred, forced: (contract, site) that must not, or must, serve.
    """

    def __init__(self, inst: Instance) -> None:
        self.inst = inst
        self.ceilings: dict[str, list[Limit]] = {"in_service": [], "installed": []}
        self.floors: dict[str, list[Limit]] = {"in_service": [], "installed": []}
        self.delivery_ceilings: list[DeliveryLimit] = []
        self.delivery_floors: list[DeliveryLimit] = []
        self.signed: set[str] = set()
        self.refused: set[str] = set()
        self.most_signed = np.inf
        self.barred: set[tuple[str, str]] = set()
        self.forced: set[tuple[str, str]] = set()
        for row in inst.dataset.rows(tb.Directive):
            if row.decision in (tb.DecisionKind.IN_SERVICE, tb.DecisionKind.INSTALLED):
                self._racks(row)
            elif row.decision is tb.DecisionKind.DELIVERIES:
                self._deliveries(row)
            elif row.decision is tb.DecisionKind.SIGN:
                self._sign(row)
            elif row.decision is tb.DecisionKind.SERVE and row.contract_id is not None and row.site_id is not None:
                (self.barred if row.rule is not tb.Rule.MIN and row.value < 1 else self.forced).add((row.contract_id, row.site_id))
                if row.rule is tb.Rule.MAX and row.value >= 1:
                    self.forced.discard((row.contract_id, row.site_id))

    def _span(self, row: tb.Directive) -> slice:
        """Periods of the horizon that a directive names."""
        first = max(self.inst.index(row.from_period), 0) if row.from_period is not None else 0
        last = self.inst.index(row.to_period) if row.to_period is not None else self.inst.T - 1
        return slice(first, max(last + 1, first))

    def _series(self, row: tb.Directive, elsewhere: float) -> Floats:
        values = np.full(self.inst.T, elsewhere)
        values[self._span(row)] = row.value
        return values

    def _cells(self, row: tb.Directive) -> Bools:
        sites = np.array([row.site_id in (None, s) for s in self.inst.sites], dtype=bool)
        gens = np.array([row.gen_id in (None, g) for g in self.inst.gens], dtype=bool)
        return np.asarray(sites[:, None] & gens[None, :])

    def _racks(self, row: tb.Directive) -> None:
        if row.rule is not tb.Rule.MIN:
            self.ceilings[row.decision.value].append((self._cells(row), self._series(row, np.inf)))
        if row.rule is not tb.Rule.MAX and row.value > 0:
            self.floors[row.decision.value].append((self._cells(row), self._series(row, 0.0)))

    def _deliveries(self, row: tb.Directive) -> None:
        contracts = frozenset(self.inst.contracts if row.contract_id is None else [row.contract_id])
        if row.rule is not tb.Rule.MIN:
            self.delivery_ceilings.append(DeliveryLimit(contracts, self._cells(row), self._series(row, np.inf)))
        if row.rule is not tb.Rule.MAX and row.value > 0:
            self.delivery_floors.append(DeliveryLimit(contracts, self._cells(row), self._series(row, 0.0)))

    def _sign(self, row: tb.Directive) -> None:
        if row.contract_id is None:
            if row.rule is not tb.Rule.MIN:
                self.most_signed = min(self.most_signed, row.value)
        elif row.rule is not tb.Rule.MAX and row.value > 0.5:
            self.signed.add(row.contract_id)
        elif row.rule is not tb.Rule.MIN and row.value < 0.5:
            self.refused.add(row.contract_id)

    def decisions(self) -> Decisions:
        """Firm contracts in force, and the sites, blocks, retrofits and prospects that directives decide by name."""
        inst, found = self.inst, no_decisions(self.inst)
        found.signed |= self.signed
        rows = [row for row in inst.dataset.rows(tb.Directive) if row.rule is not tb.Rule.MAX and row.value > 0]
        for row in rows:
            start = self._span(row).start
            if start >= inst.T:
                continue
            if row.decision is tb.DecisionKind.OPEN and row.site_id in inst.candidates:
                found.opened[str(row.site_id)] = min(start, found.opened.get(str(row.site_id), start))
            elif row.decision is tb.DecisionKind.RETROFIT and row.site_id in inst.retrofit_rows:
                found.retrofits[str(row.site_id)] = (start, max(row.value, inst.retrofit_rows[str(row.site_id)].min_mw))
            elif row.decision is tb.DecisionKind.BUILD and row.block_id in inst.buildable:
                first, latest = inst.buildable[str(row.block_id)]
                found.built[str(row.block_id)] = min(max(start, first), latest)
        for b, t in found.built.items():
            site = inst.block_rows[b].site_id
            if site in inst.candidates:
                found.opened[site] = min(t, found.opened.get(site, t))
        return found

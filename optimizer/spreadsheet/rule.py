"""The greedy rule: contracts in order, each onto the nearest free, fitting megawatt."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, replace

import numpy as np

from models.dataset import Dataset
from models.plan import DatasetRef, Plan, Seconds, SolutionStatus, SolverInfo, StopReason, Summary
from models.tables import ContractStatus
from optimizer.audit import AuditReport, audit
from optimizer.decisions import NEGLIGIBLE, Decisions
from optimizer.extract import Extract
from optimizer.instance import ROUND_UP, Floats, Instance
from optimizer.kpis import kpis
from optimizer.spreadsheet.capacity import Capacity
from optimizer.spreadsheet.directed import Directed
from optimizer.spreadsheet.placing import Placement, kept, place
from optimizer.spreadsheet.selling import Market, above_share, cut_customers

NAME = "spreadsheet rule"
VERSION = "1"


class RuleFailedError(Exception):
    """The rule found no plan that passes its audit.

    Attributes:
        violations: what the best attempt violates, in words.
    """

    def __init__(self, violations: list[str]) -> None:
        self.violations = violations
        super().__init__("the spreadsheet rule found no valid plan: " + " ".join(violations))


@dataclass(frozen=True)
class Variant:
    """How much of the rule is followed.

    Attributes:
        directed_first: contracts whose deliveries a directive asks for come before all others.
        prospects, installs, deliveries: whether there are any.
        fleet: whether the fleet stays.
    """

    directed_first: bool = False
    prospects: bool = True
    installs: bool = True
    deliveries: bool = True
    fleet: bool = True


CUTS = (0.5, 0.5, 0.5, 0.5, 0.5, 1.0)
"""Shares of a customer's excess taken away, round by round: what it frees is sold, which lets it keep more."""
MOST_CUT = 0.2
"""Share of its GPUs that a prospect may lose to the limit on its customer's revenue; it is declined rather than lose more."""
VARIANTS = (
    Variant(),
    Variant(directed_first=True),
    Variant(prospects=False),
    Variant(prospects=False, installs=False),
    Variant(prospects=False, installs=False, deliveries=False),
    Variant(prospects=False, installs=False, deliveries=False, fleet=False),
)
"""From the whole rule to nothing at all; the first that passes its audit is taken."""


def greedy(instance: Instance) -> Decisions:
    """Decisions of the rule; if no variant of it passes the audit, those that violate least.

    Contracts by start and value, firm ones first, each kept where it is served, then on idle racks, then on new racks in
    free energized megawatts. A prospect is signed only if its whole ramp can be delivered. No sites opened, blocks
    built or halls converted, unless a directive names them.
    """
    return _best(instance)[0]


def spreadsheet_plan(dataset: Dataset) -> Plan:
    """The plan of the rule, audited; it has no bound.

    Raises:
        RuleFailedError: no variant of the rule passes the audit.
    """
    began = time.monotonic()
    instance = Instance(dataset)
    _, report, extract = _best(instance)
    if not report.passed:
        raise RuleFailedError([v.message for v in report.violations[:5]])
    summary = Summary(
        dataset=DatasetRef(name=dataset.name, sha256=dataset.sha256),
        status=SolutionStatus.FEASIBLE,
        # The rule runs to its end at once and proves nothing: of the reasons there are, none is nearer.
        stop_reason=StopReason.TIME_LIMIT,
        npv_usd=extract.npv_usd,
        bound_usd=None,
        bound_certified_usd=None,
        gap=None,
        gap_certified=None,
        gap_requested=0.0,
        npv_terms=extract.npv_terms,
        seconds=Seconds(total=time.monotonic() - began),
        solver=SolverInfo(name=NAME, version=VERSION),
        audit=report.summary(),
        kpis=kpis(extract),
    )
    return Plan(summary, extract.tables())


def _settled(inst: Instance, variant: Variant) -> Decisions:
    """Decisions of a variant.

    It is run again without a site of a contract while a customer can't be cut to its share because of its clusters, then
    without the prospect that the cut hurts most while one loses more than ``MOST_CUT``.
    """
    rule = Rule(inst, variant)
    rule.firm()
    while True:
        trial = rule.copy()
        trial.rest()
        pair = trial.too_much()
        if pair is not None:
            c, s = pair
            rule.given_up[c] = rule.given_up.get(c, frozenset()) | {s}
            if c in rule.placed:
                again = Rule(inst, variant)
                again.given_up = rule.given_up
                again.firm()
                rule = again
            continue
        hurt = trial.most_hurt()
        if hurt is None:
            return trial.decisions()
        rule.given_up[hurt] = frozenset(inst.sites)


def _best(inst: Instance) -> tuple[Decisions, AuditReport, Extract]:
    """First variant that passes its audit, or the one that violates the fewest rows."""
    found: list[tuple[int, Decisions, AuditReport, Extract]] = []
    for variant in VARIANTS:
        decisions = _settled(inst, variant)
        extract = Extract(inst, decisions)
        report = audit(inst.dataset, extract.tables())
        if report.passed:
            return decisions, report, extract
        found.append((sum(report.violated.values()), decisions, report, extract))
    return min(found, key=lambda item: item[0])[1:]


class Rule:
    """One run of the rule.

    Args:
        inst: the data.
        variant: how much of it.

    Attributes:
        given_up: sites that must not serve a contract.
        placed: what each contract in force gets.
    """

    def __init__(self, inst: Instance, variant: Variant) -> None:
        self.inst, self.variant = inst, variant
        self.given_up: dict[str, frozenset[str]] = {}
        self.directed = Directed(inst)
        self.found = self.directed.decisions()
        self.capacity = Capacity(inst, self.directed, self.found)
        self.placed: dict[str, Placement] = {}

    def copy(self) -> Rule:
        """The same, to go on from more than once."""
        other = copy.copy(self)
        other.found = replace(self.found, signed=set(self.found.signed))
        other.capacity = self.capacity.copy()
        other.placed = {c: replace(p, gpus=p.gpus.copy(), contract_gpus=p.contract_gpus.copy()) for c, p in self.placed.items()}
        return other

    def firm(self) -> None:
        """The fleet made to fit, racks that directives ask for, and firm contracts."""
        cap = self.capacity
        if not self.variant.fleet:
            for i, j in np.argwhere(cap.in_service.any(axis=2)).tolist():
                cap.retire(i, j, 0, np.inf)
        cap.fit_fleet()
        if self.variant.installs:
            cap.install_directed()
        if self.variant.deliveries:
            self._firm()

    def rest(self) -> None:
        """Prospects, and the market."""
        if self.variant.prospects:
            self._prospects()
        self._sell()

    def _order(self, contracts: set[str]) -> list[str]:
        """By start, then by value; what is owed in any case first."""
        inst = self.inst
        value = (inst.contract_price * inst.hours * inst.owed).sum(axis=1)

        first = {c for limit in self.directed.delivery_floors for c in limit.contracts} if self.variant.directed_first else set()

        def key(c: str) -> tuple[bool, bool, int, float]:
            row = inst.contract_rows[c]
            return c not in first, row.max_short_share >= 1, inst.index(row.start), -float(value[inst.contract_at[c]])

        return sorted((c for c in inst.contracts if c in contracts and inst.owed[inst.contract_at[c]].any()), key=key)

    def _firm(self) -> None:
        """Firm contracts; racks on which a later one runs now are kept for it."""
        order = self._order({c for c, row in self.inst.contract_rows.items() if row.status is ContractStatus.FIRM} | self.directed.signed)
        held = {}
        for c in order:
            spare = 1 + self.inst.contract_rows[c].spare_share
            held[c] = kept(self.capacity, c)
            self.capacity.free -= held[c] * spare
        for c in order:
            self.capacity.free += held[c] * (1 + self.inst.contract_rows[c].spare_share)
            self._take(c, self._place(c, held[c]))

    def _place(self, c: str, held: Floats | None = None) -> Placement:
        return place(self.capacity, c, held, self.variant.installs, self.given_up.get(c, frozenset()))

    def _take(self, c: str, placement: Placement) -> None:
        self.placed[c], self.capacity = placement, placement.capacity

    def _prospects(self) -> None:
        """Prospects whose whole ramp can be delivered."""
        wanted = set(self.inst.prospects) - self.directed.signed - self.directed.refused
        for c in self._order(wanted):
            if len(self.found.signed & set(self.inst.prospects)) + 1 > self.directed.most_signed:
                break
            placement = self._place(c)
            if self._whole(c, placement):
                self._take(c, placement)
                self.found.signed.add(c)

    def _whole(self, c: str, placement: Placement) -> bool:
        """Whether all that is owed is delivered, but for racks in their first period."""
        row, owed = self.inst.contract_rows[c], self.inst.owed[self.inst.contract_at[c]]
        held = np.arange(self.inst.T) >= self.inst.index(row.start) + row.grace_periods
        least = np.where(held & (row.max_short_share < 1), (1 - row.max_short_share) * owed, 0.0)
        whole = placement.contract_gpus + placement.coming >= owed * (1 - ROUND_UP)
        return bool((whole & (placement.contract_gpus >= least * (1 - ROUND_UP))).all())

    def too_much(self) -> tuple[str, str] | None:
        """A contract, and its least site, of a customer that is above its share although it was cut; None if there is none."""
        inst = self.inst
        found: list[tuple[float, str, str]] = []
        for customer in above_share(self.capacity, self.placed, self.market.revenue):
            for c, placement in self.placed.items():
                row = inst.contract_rows[c]
                if row.customer == customer and inst.cluster_periods(c):
                    by_site = np.einsum("sgt,g->s", placement.gpus, inst.equivalent_matrix[inst.contract_at[c]])
                    found += [(float(by_site[i]), c, inst.sites[i]) for i in np.flatnonzero(by_site > 0).tolist()]
        return min(found)[1:] if found else None

    def most_hurt(self) -> str | None:
        """The prospect signed by choice that loses the largest share of what it is owed, if that is above ``MOST_CUT``."""
        inst = self.inst
        lost: dict[str, float] = {}
        for c in sorted(self.found.signed.intersection(inst.prospects) - self.directed.signed):
            placement, owed = self.placed[c], inst.owed[inst.contract_at[c]]
            lost[c] = 1 - float(((placement.contract_gpus + placement.coming) * inst.hours).sum() / (owed * inst.hours).sum())
        worst = max(lost, key=lambda c: lost[c], default=None)
        return worst if worst is not None and lost[worst] > MOST_CUT else None

    def _sell(self) -> None:
        """Sell what is idle; cut customers above their share, and sell what that frees."""
        self.market = Market(self.capacity)
        self.market.sell(range(self.inst.T))
        for part in CUTS:
            self.market.sell(sorted(cut_customers(self.capacity, self.placed, self.market.revenue, part)))

    def decisions(self) -> Decisions:
        """The decisions, with what is too small to count left out."""
        inst, found, cap = self.inst, self.found, self.capacity
        found.installed, found.in_service = cap.installed, cap.in_service
        for c, placement in self.placed.items():
            for i, j, t in np.argwhere(placement.gpus > NEGLIGIBLE).tolist():
                found.deliveries[c, inst.sites[i], inst.gens[j], t] = float(placement.gpus[i, j, t])
        found.sold, found.sold_tier = self.market.sold, self.market.sold_tier
        return found

"""Which limits are tight in a plan, and which of them are not in another."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from models.binding import binding
from models.plan import Plan
from optimizer.explain.answer import spans
from optimizer.instance import Instance

CAPITAL = ("gpu_capital", "block_capex", "activation", "retrofits")
"""NPV terms that the capex budget counts (rule 17 of model.md)."""


@dataclass(frozen=True)
class LimitMove:
    """A limit that is tight in other periods than before.

    Attributes:
        limit: its name: those of ``models.binding``, ``supply``, ``capex_budget``, ``carbon_cap``.
        place: site or generation; empty for what counts once.
        became_tight, became_slack: periods, in ranges.
        before, after: number of periods in which it is tight.
        difference: second plan less first.
    """

    limit: str
    place: str
    became_tight: str
    became_slack: str
    before: int
    after: int
    difference: int

    def reversed(self) -> LimitMove:
        """The same seen from the other plan."""
        return replace(
            self, became_tight=self.became_slack, became_slack=self.became_tight, before=self.after, after=self.before,
            difference=-self.difference,
        )  # fmt: skip


Tight = dict[tuple[str, str], set[int]]


def tight_limits(plan: Plan, inst: Instance) -> Tight:
    """Periods in which each limit is tight, by name and place; a year's carbon cap counts in each of its periods.

    Limits of sites are those of the column ``binding``. Supply is tight where racks are installed and less than one rack
    of the allocation is left; budget and carbon cap where nothing is left within 1e-6.
    """
    found: Tight = defaultdict(set)
    sites = plan.sites
    for site, period, names in zip(sites["site_id"], sites["period"], sites["binding"], strict=True):
        for name in str(names).split(";") if isinstance(names, str) and names else ():
            found[name, str(site)].add(inst.index(str(period)))
    racks = plan.racks
    installed = np.zeros((len(inst.gens), inst.T))
    for gen, period, count in zip(racks["gen_id"], racks["period"], racks["installed"], strict=True):
        installed[inst.gen_at[gen], inst.index(period)] += count
    left = np.cumsum(inst.supply, axis=1) - np.cumsum(installed, axis=1)
    for g, t in zip(*np.nonzero((installed > 0) & (left < 1.0 - 1e-6)), strict=True):
        found["supply", inst.gens[int(g)]].add(int(t))
    if inst.has_budget:
        spent = -np.cumsum(plan.cash[list(CAPITAL)].to_numpy(float).sum(axis=1))
        total = np.cumsum(inst.budget)
        for t in range(inst.T):
            if binding(float(total[t]), float(spent[t]), 0.0):
                found["capex_budget", ""].add(t)
    tonnes = sites.assign(year=[inst.calendar.years[inst.index(p)] for p in sites["period"]]).groupby("year")["tco2"].sum()
    for year, cap in inst.capped_years.items():
        if binding(cap, float(tonnes.get(year, 0.0)), 0.0):
            found["carbon_cap", ""] |= {t for t, y in enumerate(inst.calendar.years) if y == year}
    return found


def limit_moves(before: Plan, after: Plan, old: Instance, new: Instance) -> tuple[LimitMove, ...]:
    """Limits that became tight or slack, those that changed in most periods first."""
    one, two = tight_limits(before, old), tight_limits(after, new)
    found = []
    for limit, place in sorted({*one, *two}):
        labels = [{inst.calendar.label(t) for t in side.get((limit, place), set())} for side, inst in ((one, old), (two, new))]
        came, went = sorted(labels[1] - labels[0]), sorted(labels[0] - labels[1])
        if came or went:
            tight, slack = (spans(old.calendar, [old.index(p) for p in periods]) for periods in (came, went))
            move = LimitMove(limit, place, tight, slack, len(labels[0]), len(labels[1]), len(labels[1]) - len(labels[0]))
            found.append((-len(came) - len(went), move))
    return tuple(move for _, move in sorted(found, key=lambda pair: (pair[0], pair[1].limit, pair[1].place)))

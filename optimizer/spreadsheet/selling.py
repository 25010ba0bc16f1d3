"""What is left idle goes to the market; customers above their share of the revenue are cut back."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from optimizer.instance import Floats
from optimizer.spreadsheet.capacity import TINY, Capacity
from optimizer.spreadsheet.placing import Placement

SLACK = 1e-9
"""Share by which a customer is cut below its limit, so that rounding does not lift it above."""


class Market:
    """Sales of idle GPUs.

    Attributes:
        sold: GPUs by (site, generation, period).
        sold_tier: GPUs by (generation, tier, period).
        revenue: USD; shape (T,).
    """

    def __init__(self, cap: Capacity) -> None:
        inst = self.inst = cap.inst
        self.cap = cap
        self.sold: dict[tuple[str, str, int], float] = {}
        self.sold_tier: dict[tuple[str, str, int], float] = {}
        self.revenue = np.zeros(inst.T)
        load = inst.settings.load_market
        # USD per GPU-hour above idling: rack MW per GPU, facility overhead, energy and carbon.
        mw = np.array([inst.rack_mw[g] for g in inst.gens]) / cap.gpus * (load - cap.idle)
        self.extra_usd = mw[None, :, None] * inst.pue * (inst.usd_per_mwh + inst.usd_per_tonne * inst.tonnes_per_mwh)[:, None, :]

    def sell(self, periods: Collection[int]) -> None:
        """Idle GPUs of some periods to the best tiers, cheapest site first, while the price is above the energy it costs."""
        inst, cap = self.inst, self.cap
        for g in dict.fromkeys(g for g, _ in inst.market):
            j = inst.gen_at[g]
            idle = (cap.free[:, j] > TINY).any(axis=0)
            for t in (t for t in periods if idle[t]):
                tiers = sorted((k for h, k in inst.market if h == g), key=lambda k: -inst.market[g, k][0][t])
                left = {k: float(inst.market[g, k][1][t]) - self.sold_tier.get((g, k, t), 0.0) for k in tiers}
                sites = np.flatnonzero(cap.free[:, j, t] > TINY)
                for i in sites[np.argsort(self.extra_usd[sites, j, t], kind="stable")].tolist():
                    for k in tiers:
                        if left[k] > TINY and inst.market[g, k][0][t] > self.extra_usd[i, j, t]:
                            left[k] -= self._sell(i, j, k, t, left[k])

    def _sell(self, i: int, j: int, k: str, t: int, most: float) -> float:
        inst, load = self.inst, self.inst.settings.load_market
        gpus = min(most, self.cap.gpus_left(i, j, t, load))
        if gpus <= TINY:
            return 0.0
        s, g = inst.sites[i], inst.gens[j]
        self.cap.use(i, j, t, gpus, load)
        self.sold[s, g, t] = self.sold.get((s, g, t), 0.0) + gpus
        self.sold_tier[g, k, t] = self.sold_tier.get((g, k, t), 0.0) + gpus
        self.revenue[t] += inst.market[g, k][0][t] * inst.hours[t] * gpus
        return gpus


def revenue(cap: Capacity, c: str, contract_gpus: Floats) -> Floats:
    """Revenue of a contract, USD; shape (T,)."""
    inst = cap.inst
    return np.asarray(inst.contract_price[inst.contract_at[c]] * inst.hours * contract_gpus)


def limited_periods(cap: Capacity) -> range:
    """Periods in which the share of one customer is limited."""
    settings = cap.inst.settings
    if settings.customer_revenue_share is None:
        return range(0)
    since = settings.customer_revenue_share_from
    return range(max(0, cap.inst.index(since)) if since is not None else 0, cap.inst.T)


def by_customer(cap: Capacity, placed: dict[str, Placement]) -> dict[str, Floats]:
    """Revenue of each customer, USD; shape (T,) each."""
    found: dict[str, Floats] = {}
    for c, placement in placed.items():
        customer = cap.inst.contract_rows[c].customer
        found[customer] = found.get(customer, np.zeros(cap.inst.T)) + revenue(cap, c, placement.contract_gpus)
    return found


def excesses(cap: Capacity, placed: dict[str, Placement], market: Floats) -> Iterator[tuple[str, int, float]]:
    """Customers above their share: (customer, period, USD above what it may bring).

    Args:
        market: revenue of the market, USD; shape (T,).
    """
    share = cap.inst.settings.customer_revenue_share
    earned = by_customer(cap, placed)
    for t in limited_periods(cap) if share is not None else ():
        level = share_level(share or 0.0, [values[t] for values in earned.values()], float(market[t]))
        for customer, values in earned.items():
            if values[t] > level:
                yield customer, t, float(values[t] - level)


def above_share(cap: Capacity, placed: dict[str, Placement], market: Floats) -> set[str]:
    """Customers above their share by more than rounding."""
    earned = by_customer(cap, placed)
    return {customer for customer, t, usd in excesses(cap, placed, market) if usd > SLACK * earned[customer][t]}


def cut_customers(cap: Capacity, placed: dict[str, Placement], market: Floats, part: float = 1.0) -> set[int]:
    """Scale deliveries down where a customer brings more than its share; clusters and short limits stay.

    Args:
        market: revenue of the market, USD; shape (T,).
        part: share of the excess that is cut.

    Returns:
        Periods in which something was cut.
    """
    found = list(excesses(cap, placed, market))
    for customer, t, usd in found:
        mine = {c: p for c, p in placed.items() if cap.inst.contract_rows[c].customer == customer}
        _cut(cap, mine, t, part * usd * (1 + SLACK))
    return {t for _, t, _ in found}


def share_level(share: float, revenues: list[float], market: float) -> float:
    """Largest revenue that a customer may keep when all above it are cut to it: ``level = share * (the rest + cut * level)``."""
    ordered = sorted(revenues, reverse=True)
    for cut in range(len(ordered) + 1):
        rest = sum(ordered[cut:]) + market
        level = share * rest / (1 - share * cut) if share * cut < 1 else np.inf
        if cut == len(ordered) or ordered[cut] <= level:
            return level
    return 0.0


def _cut(cap: Capacity, mine: dict[str, Placement], t: int, excess: float) -> None:
    """Take a customer's deliveries of a period down by an amount of revenue, each contract by the same share of what it can give up."""
    inst = cap.inst
    give: dict[str, Floats] = {}
    usd: dict[str, float] = {}
    for c, placement in mine.items():
        row, at = inst.contract_rows[c], inst.contract_at[c]
        by_site = placement.gpus[:, :, t] @ inst.equivalent_matrix[at]
        floor = row.min_cluster_gpus if t in inst.cluster_periods(c) else 0.0
        slack = np.maximum(by_site - floor, 0.0)
        if row.max_short_share < 1 and t >= inst.index(row.start) + row.grace_periods:
            needed = (1 - row.max_short_share) * inst.owed[at, t]
            slack *= min(1.0, max(0.0, float(by_site.sum()) - needed) / max(float(slack.sum()), TINY))
        for limit in cap.directed.delivery_floors:
            if c in limit.contracts and limit.gpus[t] > 0:
                slack *= max(0.0, 1 - float(limit.gpus[t]) / max(float(placement.gpus[limit.cells, t].sum()), TINY))
        give[c] = np.divide(slack, by_site, out=np.zeros_like(slack), where=by_site > 0)
        usd[c] = float(inst.contract_price[at, t] * inst.hours[t] * slack.sum())
    share = min(1.0, excess / max(sum(usd.values()), TINY))
    for c, placement in mine.items():
        row = inst.contract_rows[c]
        for i, j in np.argwhere(placement.gpus[:, :, t] > 0).tolist():
            gpus = float(placement.gpus[i, j, t] * give[c][i] * share)
            cap.use(i, j, t, -gpus, row.load_share, row.spare_share, c)
            placement.gpus[i, j, t] -= gpus
        placement.contract_gpus[t] = float((placement.gpus[:, :, t] @ inst.equivalent_matrix[inst.contract_at[c]]).sum())

"""Customers: the largest share of one customer in the revenue of a period."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pyomo.environ as pyo

from optimizer.blocks.base import MILLION, Block, Formulation, Index, columns_of, constraint
from optimizer.instance import Instance


def declare(f: Formulation) -> None:
    """``revenue`` of a customer and ``revenue_total``, million USD in a period, undiscounted; only where the limit holds."""
    inst = f.instance
    index = customer_index(f)
    most: dict[Index, float] = defaultdict(float)
    for c, i in inst.contract_at.items():
        for t in range(inst.T):
            most[inst.contract_rows[c].customer, t] += float(inst.contract_price[i, t] * inst.hours[t] * inst.owed[i, t]) / MILLION
    f.variable("revenue", index, upper=[most[key] for key in index])
    periods = share_periods(inst)
    customers: dict[int, list[str]] = {t: [] for t in periods}
    for u, t in index:
        customers[t].append(u)
    tiers: dict[int, list[Index]] = {t: [] for t in periods}
    market: dict[Index, float] = {}
    for g, k, t in f.variables["sold_tier"].index:
        if t in tiers:
            tiers[t].append((g, k))
            market[g, k, t] = float(inst.market[g, k][0][t] * inst.hours[t]) / MILLION
    sold = {t: sum(market[g, k, t] * float(inst.market[g, k][1][t]) for g, k in found) for t, found in tiers.items()}
    f.variable("revenue_total", [(t,) for t in periods], upper=[sold[t] + sum(most[u, t] for u in customers[t]) for t in periods])
    f.model.customer_share_most = pyo.Param(initialize=inst.settings.customer_revenue_share or 0.0)
    f.members("customers_in", customers)
    f.members("tiers_in", tiers, 2)
    f.param("tier_revenue", market)
    delivered = f.variables["delivered"]
    contract, _, gen, period = columns_of(delivered, inst.contract_at, inst.site_at, inst.gen_at, None)
    usd = inst.contract_price[contract, period] * inst.hours[period] * inst.equivalent_matrix[contract, gen] / MILLION
    groups: dict[Index, list[Index]] = {key: [] for key in index}
    rates = {}
    wanted = set(periods)
    for position, key in enumerate(delivered.index):
        if key[3] in wanted:
            groups[inst.contract_rows[key[0]].customer, key[3]].append(key[:3])
            rates[key] = usd[position]
    f.members("deliveries_to", groups, 3)
    f.param("delivery_revenue", rates)


def share_periods(inst: Instance) -> list[int]:
    """Periods in which the limit holds."""
    if inst.settings.customer_revenue_share is None:
        return []
    since = inst.settings.customer_revenue_share_from
    return list(range(max(0, 0 if since is None else inst.index(since)), inst.T))


def customer_index(f: Formulation) -> list[Index]:
    """Customers owed GPUs, in the periods in which the limit holds."""
    inst = f.instance
    periods = share_periods(inst)
    owed = {(row.customer, t) for c, row in inst.contract_rows.items() for t in periods if inst.owed[inst.contract_at[c], t] > 0}
    return sorted(owed)


def customer_rows(inst: Instance) -> int:
    """Customers owed GPUs in a period from customer_revenue_share_from on."""
    first = inst.T - len(share_periods(inst))
    customers = np.array([row.customer for row in inst.contract_rows.values()], dtype=object)
    return int(sum((inst.owed[customers == u, first:] > 0).any(axis=0).sum() for u in set(customers)))


@constraint(17, over=customer_index, rows=customer_rows)
def customer_revenue(m: Any, u: Any, t: Any) -> Any:
    """Revenue of a customer (million USD in the period).

    Rev[u,t] = sum of price[c,t]*H[t]*eq[c,g]*w[c,s,g,t] over the customer's contracts
    """
    return m.revenue[u, t] == sum(m.delivery_revenue[c, s, g, t] * m.delivered[c, s, g, t] for c, s, g in m.deliveries_to[u, t])


@constraint(17, over=lambda f: [(t,) for t in share_periods(f.instance)], rows=lambda inst: len(share_periods(inst)))
def revenue_sum(m: Any, t: Any) -> Any:
    """Revenue of all customers and of the market (million USD in the period).

    total[t] = sum of Rev[u,t] over u + market revenue[t]
    """
    return m.revenue_total[t] == sum(m.revenue[u, t] for u in m.customers_in[t]) + sum(
        m.tier_revenue[g, k, t] * m.sold_tier[g, k, t] for g, k in m.tiers_in[t]
    )


@constraint(17, over=customer_index, rows=customer_rows)
def customer_share(m: Any, u: Any, t: Any) -> Any:
    """No customer brings more than its share of a period's revenue (million USD).

    Rev[u,t] <= customer_revenue_share*total[t]
    """
    return m.revenue[u, t] <= m.customer_share_most * m.revenue_total[t]


BLOCK = Block("customers", declare, (customer_revenue, revenue_sum, customer_share))

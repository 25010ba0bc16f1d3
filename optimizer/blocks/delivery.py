"""Delivery: GPUs that racks can sell, contract GPUs owed and delivered, revenue and liquidated damages."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from models.tables import ContractStatus
from optimizer.blocks.base import MILLION, Block, Formulation, Index, columns_of, constraint
from optimizer.instance import Instance


def declare(f: Formulation) -> None:
    """``delivered`` (w, physical GPUs), ``short`` (contract GPUs), ``sign`` (1 for firm contracts)."""
    inst = f.instance
    index, most = inst.delivery_index
    f.variable("delivered", index, upper=most)
    owed = owed_index(f)
    f.variable("short", owed, upper=[inst.owed[inst.contract_at[c], t] for c, t in owed])
    firm = [row.status is ContractStatus.FIRM for row in inst.contract_rows.values()]
    f.variable("sign", [(c,) for c in inst.contracts], lower=[float(is_firm) for is_firm in firm], upper=1.0, integer=True)
    servers: dict[Index, list[Index]] = {key: [] for key in owed}
    takers: dict[Index, list[str]] = defaultdict(list)
    gens: dict[Index, list[str]] = {(c, s, t): [] for c, s in inst.pairs for t in np.flatnonzero(inst.owed[inst.contract_at[c]]).tolist()}
    for c, s, g, t in index:
        servers[c, t].append((s, g))
        takers[s, g, t].append(c)
        gens[c, s, t].append(g)
    f.members("servers", servers, 2)
    f.members("gens_serving", gens)
    f.members("takers", {key: takers.get(key, []) for key in sellable_index(f)})
    f.param("equivalent", {(c, g): eq for c, found in inst.equivalents.items() for g, eq in found.items()})
    f.param("gpus_held", {c: 1 + row.spare_share for c, row in inst.contract_rows.items()})
    f.param("gpus_per_rack", {g: row.gpus_per_rack for g, row in inst.gen_rows.items()})
    f.param("idle_gpus", {g: (1 - inst.settings.commissioning_share) * row.gpus_per_rack for g, row in inst.gen_rows.items()})
    f.param("owed_gpus", {(c, t): inst.owed[inst.contract_at[c], t] for c, t in owed})
    f.param(
        "short_most_gpus",
        {(c, t): inst.contract_rows[c].max_short_share * inst.owed[inst.contract_at[c], t] for c, t in short_limit_index(f)},
    )


def sellable_index(f: Formulation) -> list[Index]:
    """Rack indices with a contract or a market that could take their GPUs, or where a new rack may be installed that does not bill at once."""
    inst = f.instance
    served = {key[1:] for key in f.variables["delivered"].index}
    served.update(f.variables["sold"].index)
    if inst.settings.commissioning_share < 1:
        served.update((inst.sites[i], inst.gens[j], t) for i, j, t in np.argwhere(inst.installs_most > 0).tolist())
    return [key for key in inst.rack_index if key in served]


def sellable_rows(inst: Instance) -> int:
    """Sites, generations and periods that may hold racks and have a market, or an eligible contract owed GPUs, or may get new ones."""
    wanted = np.zeros_like(inst.held)
    for (g, _), (_, depth) in inst.market.items():
        wanted[:, inst.gen_at[g]] |= depth > 0
    for c, s in inst.pairs:
        for g in inst.equivalents[c]:
            wanted[inst.site_at[s], inst.gen_at[g]] |= inst.owed[inst.contract_at[c]] > 0
    fresh = inst.may_install & (inst.installs_most > 0) & (inst.settings.commissioning_share < 1)
    return int(((wanted & (inst.racks_most > 0)) | fresh).sum())


@constraint(10, over=sellable_index, rows=sellable_rows)
def sellable(m: Any, s: Any, g: Any, t: Any) -> Any:
    """GPUs delivered with their spares, and sold, are in racks that bill; a new rack bills for a share of its first period (GPUs).

    sum of (1+spare[c])*w[c,s,g,t] over c + v[s,g,t] <= gpr[g]*(x[s,g,t] - (1-commissioning_share)*n[s,g,t])
    """
    return (
        sum(m.gpus_held[c] * m.delivered[c, s, g, t] for c in m.takers[s, g, t])
        + sum(m.sold[s, g, tau] for tau in m.market_period[s, g, t])
        - m.gpus_per_rack[g] * m.in_service[s, g, t]
        + m.idle_gpus[g] * m.installed[s, g, t]
        <= 0
    )


def owed_index(f: Formulation) -> list[Index]:
    """Contracts and periods with GPUs owed."""
    inst = f.instance
    return [(c, t) for c, i in inst.contract_at.items() for t in range(inst.T) if inst.owed[i, t] > 0]


def owed_rows(inst: Instance) -> int:
    """Positive entries of the contracts' ramps within their terms."""
    return int((inst.owed > 0).sum())


@constraint(12, over=owed_index, rows=owed_rows)
def delivery(m: Any, c: Any, t: Any) -> Any:
    """What is owed and not delivered is short (contract GPUs).

    sum of eq[c,g]*w[c,s,g,t] over s,g + short[c,t] = D[c,t]*sign[c]
    """
    return sum(m.equivalent[c, g] * m.delivered[c, s, g, t] for s, g in m.servers[c, t]) + m.short[c, t] == m.owed_gpus[c, t] * m.sign[c]


def short_limit_index(f: Formulation) -> list[Index]:
    """Contracts that are a hard duty, after their grace periods."""
    inst = f.instance
    rows = inst.contract_rows
    return [(c, t) for c, t in owed_index(f) if rows[c].max_short_share < 1 and t >= inst.index(rows[c].start) + rows[c].grace_periods]


def short_limit_rows(inst: Instance) -> int:
    """Periods owed after start and grace, over contracts with max_short_share below 1."""
    return sum(
        int((inst.owed[i, max(0, inst.index(row.start) + row.grace_periods) :] > 0).sum())
        for i, row in enumerate(inst.contract_rows.values())
        if row.max_short_share < 1
    )


@constraint(12, over=short_limit_index, rows=short_limit_rows)
def short_limit(m: Any, c: Any, t: Any) -> Any:
    """A hard duty may be short by a share only (contract GPUs).

    short[c,t] <= max_short_share[c]*D[c,t]*sign[c]
    """
    return m.short[c, t] <= m.short_most_gpus[c, t] * m.sign[c]


def money(f: Formulation) -> None:
    """contract_revenue and damages."""
    inst = f.instance
    c, _, g, t = columns_of(f.variables["delivered"], inst.contract_at, inst.site_at, inst.gen_at, None)
    f.term(
        "contract_revenue", "delivered", inst.contract_price[c, t] * inst.hours[t] * inst.equivalent_matrix[c, g] * inst.disc[t] / MILLION
    )
    c, t = columns_of(f.variables["short"], inst.contract_at, None)
    damages = np.array([row.ld_usd_per_gpu_hour for row in inst.contract_rows.values()])
    f.term("damages", "short", -damages[c] * inst.hours[t] * inst.disc[t] / MILLION)


BLOCK = Block("delivery", declare, (sellable, delivery, short_limit), money)

"""Market: GPUs sold beside the contracts, in price tiers of limited depth."""

from __future__ import annotations

from typing import Any

import numpy as np

from optimizer.blocks.base import MILLION, Block, Formulation, Index, constraint
from optimizer.instance import Instance


def declare(f: Formulation) -> None:
    """``sold`` (v) by site and ``sold_tier`` (q) by price tier, in GPUs."""
    inst = f.instance
    depth = {g: np.zeros(inst.T) for g in inst.gens}
    for (g, _), (_, most) in inst.market.items():
        depth[g] = depth[g] + most
    index: list[Index] = []
    upper: list[float] = []
    for s, g, t in inst.rack_index:
        racks = inst.racks_most[inst.site_at[s], inst.gen_at[g], t]
        if depth[g][t] > 0 and racks > 0:
            index.append((s, g, t))
            upper.append(min(depth[g][t], inst.gen_rows[g].gpus_per_rack * racks))
    f.variable("sold", index, upper=upper)
    held = {(g, t) for _, g, t in index}
    tiers = [(g, k, t) for (g, k), (_, most) in inst.market.items() for t in range(inst.T) if most[t] > 0 and (g, t) in held]
    f.variable("sold_tier", tiers, upper=[inst.market[g, k][1][t] for g, k, t in tiers])
    offered = set(index)
    f.members("market_period", {key: [key[2]] if key in offered else [] for key in inst.rack_index})
    sites: dict[Index, list[str]] = {}
    for s, g, t in index:
        sites.setdefault((g, t), []).append(s)
    kinds: dict[Index, list[str]] = {}
    for g, k, t in tiers:
        kinds.setdefault((g, t), []).append(k)
    f.members("sites_selling", sites)
    f.members("tiers_open", kinds)


def market_index(f: Formulation) -> list[Index]:
    """Generations and periods with a market and racks to sell from."""
    return sorted({(g, t) for _, g, t in f.variables["sold"].index})


def market_rows(inst: Instance) -> int:
    """Generations and periods with positive depth in some tier that some site may hold."""
    depth = np.zeros((len(inst.gens), inst.T), dtype=bool)
    for (g, _), (_, most) in inst.market.items():
        depth[inst.gen_at[g]] |= most > 0
    return int((depth & (inst.racks_most > 0).any(axis=0)).sum())


@constraint(11, over=market_index, rows=market_rows)
def market_balance(m: Any, g: Any, t: Any) -> Any:
    """What sites sell, the tiers take; their depth is the bound of q (GPUs).

    sum of v[s,g,t] over s = sum of q[g,k,t] over k, q <= max_gpus
    """
    return sum(m.sold[s, g, t] for s in m.sites_selling[g, t]) == sum(m.sold_tier[g, k, t] for k in m.tiers_open[g, t])


def money(f: Formulation) -> None:
    """market_revenue."""
    inst = f.instance
    tiers = f.variables["sold_tier"].index
    f.term("market_revenue", "sold_tier", [float(inst.market[g, k][0][t] * inst.hours[t] * inst.disc[t] / MILLION) for g, k, t in tiers])


BLOCK = Block("market", declare, (market_balance,), money)

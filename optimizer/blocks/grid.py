"""Grid: facility draw of sites against the limits of the nodes that feed them, and demand charges on it."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.tables import GridLimit, GridNode
from optimizer.blocks.base import MILLION, Block, Formulation, Index, columns_of, constraint
from optimizer.instance import Instance


def declare(f: Formulation) -> None:
    """Peak draw of a rack at the design day, overhead of sites, limits of nodes, MW."""
    inst = f.instance
    index = grid_index(f)
    f.param("rack_peak_mw", {(s, g): inst.peak_mw[i, j] for s, i in inst.site_at.items() for g, j in inst.gen_at.items()})
    f.param("overhead_mw", {s: inst.site_rows[s].overhead_mw for s in inst.candidates})
    opened = set(inst.candidates)
    constant = {z: sum(inst.site_rows[s].overhead_mw for s in below if s not in opened) for z, below in inst.sites_below.items()}
    f.param("grid_room_mw", {(z, t): max(0.0, float(inst.grid_limits[z][t]) - constant[z]) for z, t in index})
    f.members("racks_below", {(z, t): [(s, g) for s in inst.sites_below[z] for g in inst.gens_held(s, t)] for z, t in index}, 2)
    f.members("candidates_below", {(z, t): [s for s in inst.sites_below[z] if s in opened] for z, t in index})


def grid_index(f: Formulation) -> list[Index]:
    """Limited nodes, in the periods with a limit and something that can draw below."""
    inst = f.instance
    opened = set(inst.candidates)
    found: list[Index] = []
    for z, limit in inst.grid_limits.items():
        draws_always = any(s in opened and inst.site_rows[s].overhead_mw > 0 for s in inst.sites_below[z])
        for t in range(inst.T):
            if np.isfinite(limit[t]) and (draws_always or any(inst.gens_held(s, t) for s in inst.sites_below[z])):
                found.append((z, t))
    return found


def grid_rows(inst: Instance) -> int:
    """Periods from a node's first limit on in which a site at or under it has rack variables or a candidate's overhead."""
    draws = np.asarray(inst.held.any(axis=1))
    for s in inst.candidates:
        draws[inst.site_at[s]] |= inst.site_rows[s].overhead_mw > 0
    parent = {row.node_id: row.parent_id for row in inst.dataset.rows(GridNode)}
    below: dict[str, Any] = {}
    for s, i in inst.site_at.items():
        node = inst.site_rows[s].grid_node
        while node is not None:
            below[node] = below.get(node, False) | draws[i]
            node = parent[node]
    first: dict[str, int] = {}
    for row in inst.dataset.rows(GridLimit):
        first[row.node_id] = min(first.get(row.node_id, inst.T), max(inst.index(row.from_period), 0))
    return int(sum(below[z][t:].sum() for z, t in first.items() if z in below))


@constraint(7, over=grid_index, rows=grid_rows)
def grid(m: Any, z: Any, t: Any) -> Any:
    """Facility draw on the design day, of all sites fed by a node, stays within its limit (MW).

    sum of F[s,t] over s in the subtree of z <= limit[z,t]
    """
    return (
        sum(m.rack_peak_mw[s, g] * m.in_service[s, g, t] for s, g in m.racks_below[z, t])
        + sum(m.overhead_mw[s] * m.open[s, t] for s in m.candidates_below[z, t])
        <= m.grid_room_mw[z, t]
    )


def money(f: Formulation) -> None:
    """demand_charges: the planned peak is billed as contracted capacity is."""
    inst = f.instance
    usd = inst.demand_usd_per_mw * inst.disc / MILLION
    s, g, t = columns_of(f.variables["in_service"], inst.site_at, inst.gen_at, None)
    now = np.maximum(t, 0)
    f.term("demand_charges", "in_service", -inst.peak_mw[s, g] * usd[s, now] * (inst.held[s, g, now] & (t >= 0)))
    overhead = np.array([row.overhead_mw for row in inst.site_rows.values()])
    s, t = columns_of(f.variables["open"], inst.site_at, None)
    f.term("demand_charges", "open", -overhead[s] * np.where(t >= 0, usd[s, np.maximum(t, 0)], 0.0))
    f.constant("demand_charges", -float((overhead[:, None] * usd)[inst.open_from_start].sum()))


BLOCK = Block("grid", declare, (grid,), money)

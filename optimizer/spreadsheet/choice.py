"""Which sites may serve a contract, and what each could deliver at the contract's highest ramp."""

from __future__ import annotations

import math

import numpy as np

from optimizer.instance import ROUND_UP, Instance
from optimizer.spreadsheet.capacity import Capacity


def highest_period(inst: Instance, c: str) -> int:
    """First period in which the contract's cluster must stand, or its first at the highest ramp."""
    owed = inst.owed[inst.contract_at[c]]
    return (inst.cluster_periods(c) or [int(np.argmax(owed))])[0]


def deliverable(cap: Capacity, c: str, i: int) -> float:
    """Contract GPUs that a site could deliver from the highest ramp to the contract's end: idle racks, and new ones of its best generation."""
    inst = cap.inst
    owed, row = inst.owed[inst.contract_at[c]], inst.contract_rows[c]
    active = np.flatnonzero(owed > 0)
    peak, first = highest_period(inst, c), int(active[0])
    idle = fresh = 0.0
    for g, eq in inst.equivalents[c].items():
        j = inst.gen_at[g]
        idle += eq * max(0.0, float(cap.free[i, j, peak : active[-1] + 1].min())) / (1 + row.spare_share)
        may = np.flatnonzero(inst.installable[j, : peak + 1])
        if inst.hosts[i, j] and may.size and may[-1] >= first:
            racks = min(
                cap.room_for_racks(i, j, peak), float(cap.supply[j, min(peak, may[-1]) :].min()), float(cap.rate[i, first : peak + 1].sum())
            )
            fresh = max(fresh, eq * cap.gpus[j] * math.floor(max(racks, 0.0) + ROUND_UP) / (1 + row.spare_share))
    return idle + fresh


def choose_sites(cap: Capacity, c: str, without: frozenset[str] = frozenset()) -> list[str]:
    """Sites for a contract, in the order in which they are filled: those that serve it now first, then those with most to give.

    Where the number of sites, their distance or a smallest cluster matters, the fewest that together reach the
    highest ramp; if none do, those that come nearest.

    Args:
        without: sites that were tried and did not hold the cluster.
    """
    inst, directed = cap.inst, cap.directed
    row, owed = inst.contract_rows[c], inst.owed[inst.contract_at[c]]
    sites = [s for s in inst.allowed_sites(c) if (c, s) not in directed.barred and s not in without]
    gives = {s: deliverable(cap, c, inst.site_at[s]) for s in sites}
    current = inst.current.get(c, {})
    ranked = sorted(sites, key=lambda s: ((c, s) not in directed.forced, -current.get(s, 0.0), -gives[s]))
    cluster = row.min_cluster_gpus if inst.cluster_periods(c) else 0.0
    if cluster <= 0 and row.max_sites is None and row.max_rtt_ms is None:
        return ranked
    highest = float(owed.max())
    most = min(len(sites) if row.max_sites is None else row.max_sites, highest / cluster if cluster > 0 else math.inf)
    ranked = [s for s in ranked if gives[s] > 0 and gives[s] >= cluster * (1 - ROUND_UP) or (c, s) in directed.forced]
    limit = math.inf if row.max_rtt_ms is None else row.max_rtt_ms
    far = inst.round_trip_ms if row.max_rtt_ms is not None else {}
    best: list[str] = []
    reached = -1.0
    for anchor in ranked:
        chosen: list[str] = []
        total = 0.0
        for s in [anchor, *(u for u in ranked if u != anchor)]:
            near = all(far[s].get(u, math.inf) <= limit for u in chosen) if far else True
            if near and len(chosen) + 1 <= most + ROUND_UP and (total < highest or (c, s) in directed.forced):
                chosen.append(s)
                total += gives[s]
        if min(total, highest) > reached * (1 + ROUND_UP) + ROUND_UP:
            best, reached = chosen, min(total, highest)
    return best

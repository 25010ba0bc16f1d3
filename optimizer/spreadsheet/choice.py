"""Which sites may serve a contract, and what each could deliver at the contract's highest ramp."""

from __future__ import annotations

import math

import numpy as np

from optimizer.instance import ROUND_UP, Floats
from optimizer.spreadsheet.capacity import Capacity


def deliverable(cap: Capacity, c: str, i: int) -> Floats:
    """Contract GPUs that a site could deliver from a period to the contract's end: idle racks, and new ones of its best generation; shape (T,)."""
    inst = cap.inst
    owed, row = inst.owed[inst.contract_at[c]], inst.contract_rows[c]
    active = np.flatnonzero(owed > 0)
    first, last = int(active[0]), int(active[-1])
    idle, fresh = np.zeros(inst.T), np.zeros(inst.T)
    rate = np.cumsum(np.where(np.arange(inst.T) >= first, cap.rate[i], 0.0))
    for g, eq in inst.equivalents[c].items():
        j = inst.gen_at[g]
        per_rack = eq * cap.gpus[j] / (1 + row.spare_share)
        idle[: last + 1] += per_rack / cap.gpus[j] * np.maximum(onwards(cap.free[i, j, : last + 1]), 0.0)
        may = inst.installable[j] & (np.arange(inst.T) >= first)
        if inst.hosts[i, j] and may.any():
            racks = np.minimum(np.minimum(onwards(cap.fits(i, j)), rate), onwards(cap.supply[j]))
            racks = np.maximum.accumulate(np.where(may, racks, 0.0))
            fresh = np.maximum(fresh, per_rack * np.floor(np.maximum(racks, 0.0) + ROUND_UP))
    return idle + fresh


def onwards(values: Floats) -> Floats:
    """Smallest value from each period on."""
    return np.asarray(np.minimum.accumulate(values[::-1])[::-1])


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

    def reached(chosen: list[str]) -> float:
        return float((np.minimum(sum((gives[s] for s in chosen), np.zeros(inst.T)), owed) * inst.hours).sum())

    cluster = row.min_cluster_gpus if inst.cluster_periods(c) else 0.0
    ranked = sorted(sites, key=lambda s: ((c, s) not in directed.forced, -current.get(s, 0.0), -reached([s])))
    if cluster <= 0 and row.max_sites is None and row.max_rtt_ms is None:
        return ranked
    most = min(len(sites) if row.max_sites is None else row.max_sites, float(owed.max()) / cluster if cluster > 0 else math.inf)
    stands = inst.cluster_periods(c)[:1]
    ranked = [s for s in ranked if (c, s) in directed.forced or (gives[s].any() and (gives[s][stands] >= cluster * (1 - ROUND_UP)).all())]
    limit = math.inf if row.max_rtt_ms is None else row.max_rtt_ms
    far = inst.round_trip_ms if row.max_rtt_ms is not None else {}
    best: list[str] = []
    for anchor in ranked:
        chosen = [anchor]
        for s in ranked:
            near = all(far[s].get(u, math.inf) <= limit for u in chosen) if far else True
            if s != anchor and near and len(chosen) + 1 <= most + ROUND_UP:
                more = reached([*chosen, s]) > reached(chosen) * (1 + ROUND_UP)
                chosen += [s] if more or (c, s) in directed.forced else []
        if reached(chosen) > reached(best) * (1 + ROUND_UP):
            best = chosen
    return best

"""Moves: contract GPUs withdrawn from a site while the contract runs on; none is silent where it costs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from models.tables import CurrentDelivery
from optimizer.blocks.base import MILLION, Block, Formulation, Index, constraint
from optimizer.instance import Instance


def declare(f: Formulation) -> None:
    """``moved`` and ``paid_moves``, contract GPUs; only where a move costs (elsewhere they bind nothing)."""
    inst = f.instance
    later = moves_index(f)
    first = first_moves_index(f)
    f.variable("moved", first + later, upper=[inst.current[c][s] for c, s, _ in first] + [inst.fits[c, s][t - 1] for c, s, t in later])
    paid = paid_index(f)
    sites: dict[Index, list[str]] = {key: [] for key in paid}
    most: dict[Index, float] = dict.fromkeys(paid, 0.0)
    for (c, s, t), upper in zip(f.variables["moved"].index, f.variables["moved"].upper, strict=True):
        sites[c, t].append(s)
        most[c, t] += float(upper)
    f.variable("paid_moves", paid, upper=[most[key] for key in paid])
    f.members("sites_left", sites)
    f.members("gens_still_serving", {(c, s, t): inst.gens_delivering(c, s, t) for c, s, t in first})
    f.param("current_gpus", {(c, s): inst.current[c][s] for c, s, _ in first})
    f.param("ramp_down_gpus", {(c, t): max(0.0, inst.owed_before(c, t) - inst.owed[inst.contract_at[c], t]) for c, t in paid})


def moves_index(f: Formulation) -> list[Index]:
    """Pairs of contracts whose moves cost, in the periods with GPUs owed now and before."""
    inst = f.instance
    found: list[Index] = []
    for c, s in inst.pairs:
        owed = inst.owed[inst.contract_at[c]]
        if inst.contract_rows[c].move_usd_per_gpu > 0:
            found += [(c, s, t) for t in range(1, inst.T) if owed[t - 1] > 0 and owed[t] > 0]
    return found


def moves_rows(inst: Instance) -> int:
    """Consecutive periods owed, times the sites of each contract whose moves cost."""
    running = ((inst.owed[:, 1:] > 0) & (inst.owed[:, :-1] > 0)).sum(axis=1)
    return int(sum(running[inst.contract_at[c]] for c, _ in inst.pairs if inst.contract_rows[c].move_usd_per_gpu > 0))


@constraint(15, over=moves_index, rows=moves_rows)
def moves(m: Any, c: Any, s: Any, t: Any) -> Any:
    """GPUs withdrawn from a site are moved (contract GPUs).

    moved[c,s,t] >= sum of eq[c,g]*w[c,s,g,t-1] over g - sum of eq[c,g]*w[c,s,g,t] over g
    """
    return m.moved[c, s, t] >= sum(m.equivalent[c, g] * m.delivered[c, s, g, t - 1] for g in m.gens_serving[c, s, t - 1]) - sum(
        m.equivalent[c, g] * m.delivered[c, s, g, t] for g in m.gens_serving[c, s, t]
    )


def first_moves_index(f: Formulation) -> list[Index]:
    """Placements before the start, of contracts whose moves cost and that are owed GPUs in the first period."""
    inst = f.instance
    return [
        (c, s, 0)
        for c, sites in inst.current.items()
        if inst.contract_rows[c].move_usd_per_gpu > 0 and inst.owed[inst.contract_at[c], 0] > 0
        for s in sites
    ]


def first_moves_rows(inst: Instance) -> int:
    """Rows of current_deliveries.csv of contracts that are owed GPUs in the first period and pay for moves."""
    counts = Counter(row.contract_id for row in inst.dataset.rows(CurrentDelivery))
    return int(sum(n for c, n in counts.items() if inst.owed[inst.contract_at[c], 0] > 0 and inst.contract_rows[c].move_usd_per_gpu > 0))


@constraint(15, over=first_moves_index, rows=first_moves_rows)
def first_moves(m: Any, c: Any, s: Any, t: Any) -> Any:
    """So are those withdrawn from where they were before the start (contract GPUs).

    moved[c,s,0] >= current_deliveries[c,s] - sum of eq[c,g]*w[c,s,g,0] over g
    """
    return m.moved[c, s, t] >= m.current_gpus[c, s] - sum(
        m.equivalent[c, g] * m.delivered[c, s, g, t] for g in m.gens_still_serving[c, s, t]
    )


def paid_index(f: Formulation) -> list[Index]:
    """Contracts and periods with moves."""
    return sorted({(c, t) for c, _, t in [*first_moves_index(f), *moves_index(f)]})


def paid_rows(inst: Instance) -> int:
    """Periods in which a contract whose moves cost runs on, and has sites to move from."""
    total = 0
    served = {c for c, _ in inst.pairs}
    placed = set(inst.dataset["current_deliveries"]["contract_id"])
    for c, row in inst.contract_rows.items():
        owed = inst.owed[inst.contract_at[c]] > 0
        if row.move_usd_per_gpu > 0:
            total += int((owed[1:] & owed[:-1]).sum()) * (c in served) + int(owed[0] and c in placed)
    return total


@constraint(15, over=paid_index, rows=paid_rows)
def paid(m: Any, c: Any, t: Any) -> Any:
    """Moves beyond what the ramp takes away are paid (contract GPUs).

    paid[c,t] >= sum of moved[c,s,t] over s - max(0, D[c,t-1]-D[c,t])
    """
    return m.paid_moves[c, t] >= sum(m.moved[c, s, t] for s in m.sites_left[c, t]) - m.ramp_down_gpus[c, t]


def money(f: Formulation) -> None:
    """moves: the price of moving a contract GPU."""
    inst = f.instance
    price = {c: row.move_usd_per_gpu for c, row in inst.contract_rows.items()}
    f.term("moves", "paid_moves", np.array([-price[c] * inst.disc[t] / MILLION for c, t in f.variables["paid_moves"].index]))


BLOCK = Block("moves", declare, (moves, first_moves, paid), money)

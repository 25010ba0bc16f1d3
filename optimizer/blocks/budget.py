"""Capex budget: capital spent up to a period comes out of the budget up to then."""

from __future__ import annotations

from typing import Any

import numpy as np

from optimizer.blocks.base import MILLION, Block, Formulation, Index, constraint
from optimizer.instance import Instance


def declare(f: Formulation) -> None:
    """``unspent_budget``, million USD, undiscounted; 0 before the start."""
    inst = f.instance
    periods = budget_index(f)
    total = np.cumsum(inst.budget) / MILLION
    keys = [(-1,), *periods] if periods else []
    f.variable("unspent_budget", keys, upper=[total[t] if t >= 0 else 0.0 for (t,) in keys])
    f.param("budget", {t: float(inst.budget[t]) / MILLION for (t,) in periods})
    f.param("rack_capital", {(g, t): inst.rack_usd[inst.gen_at[g], t] / MILLION for g in inst.gens for (t,) in periods})
    f.param("activation_capital", {s: inst.site_rows[s].activation_usd / MILLION for s in inst.candidates})
    f.param("block_capital", {b: inst.block_rows[b].capex_usd / MILLION for b in inst.buildable})
    f.param("retrofit_fixed", {s: row.fixed_usd / MILLION for s, row in inst.retrofit_rows.items()})
    f.param("retrofit_per_mw", {s: row.usd_per_kw * 1000.0 / MILLION for s, row in inst.retrofit_rows.items()})
    f.members("racks_bought", {t: [(s, g) for s in inst.sites for g in inst.gens_held(s, t)] for (t,) in periods}, 2)
    paid: dict[int, list[Index]] = {t: [] for (t,) in periods}
    for b, (first, _) in inst.buildable.items():
        for t in range(first, inst.T):
            when = t - inst.block_rows[b].lead_periods
            if when in paid:
                paid[when].append((b, t, t - 1))
    f.members("blocks_paid", paid, 3)
    f.members("candidate_sites", {t: list(inst.candidates) for (t,) in periods})
    f.members("retrofit_sites", {t: list(inst.retrofit_rows) for (t,) in periods})


def budget_index(f: Formulation) -> list[Index]:
    """Every period, where there is a budget."""
    return [(t,) for t in range(f.instance.T)] if f.instance.has_budget else []


def budget_rows(inst: Instance) -> int:
    """Every period of the horizon as soon as capex_budget.csv has a row."""
    return inst.T if len(inst.dataset["capex_budget"]) else 0


@constraint(17, over=budget_index, rows=budget_rows)
def capex_budget(m: Any, t: Any) -> Any:
    """GPU capital with installation, block capex when paid, retrofits when ordered and activation (million USD, undiscounted).

    unspent[t] = unspent[t-1] + budget[t] - spent[t], unspent >= 0
    """
    return m.unspent_budget[t] == m.unspent_budget[t - 1] + m.budget[t] - sum(
        m.rack_capital[g, t] * m.installed[s, g, t] for s, g in m.racks_bought[t]
    ) - sum(m.block_capital[b] * (m.built[b, now] - m.built[b, before]) for b, now, before in m.blocks_paid[t]) - sum(
        m.activation_capital[s] * (m.open[s, t] - m.open[s, t - 1]) for s in m.candidate_sites[t]
    ) - sum(m.retrofit_fixed[s] * m.retrofit_ordered[s, t] + m.retrofit_per_mw[s] * m.retrofit_order_mw[s, t] for s in m.retrofit_sites[t])


BLOCK = Block("budget", declare, (capex_budget,))

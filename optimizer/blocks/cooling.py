"""Cooling: heat of racks to liquid and to air against the blocks, retrofits and limits of their site."""

from __future__ import annotations

from typing import Any

import numpy as np

from optimizer.blocks.base import MILLION, Block, Formulation, Index, constraint
from optimizer.instance import Instance


def declare(f: Formulation) -> None:
    """``retrofit_ordered`` (fit), ``retrofit_order_mw`` (Rq) and ``retrofit_mw`` (R, also before the start, where it is 0)."""
    inst = f.instance
    orders = [(s, t) for s in inst.retrofit_rows for t in range(inst.T)]
    most = {s: inst.retrofit_most(s) for s in inst.retrofit_rows}
    f.variable("retrofit_ordered", orders, upper=1.0, integer=True)
    f.variable("retrofit_order_mw", orders, upper=[most[s][t] for s, t in orders])
    states = [(s, t) for s in inst.retrofit_rows for t in range(-1, inst.T)]
    f.variable("retrofit_mw", states, upper=[most[s][t] if t >= 0 else 0.0 for s, t in states])
    f.param("retrofit_min_mw", {s: row.min_mw for s, row in inst.retrofit_rows.items()})
    f.param("retrofit_max_mw", {s: row.max_mw for s, row in inst.retrofit_rows.items()})
    share = {g: row.liquid_share for g, row in inst.gen_rows.items()}
    for kind, heat, firm, block in (
        ("liquid", {g: share[g] * inst.rack_mw[g] for g in inst.gens}, inst.liquid_firm, inst.liquid_of_block),
        ("air", {g: (1 - share[g]) * inst.rack_mw[g] for g in inst.gens}, inst.air_firm, inst.air_of_block),
    ):
        index = cooled_index(f, kind)
        f.param(f"rack_{kind}_mw", heat)
        f.members(f"{kind}_gens", {(s, t): [g for g in inst.gens_held(s, t) if heat[g] > 0] for s, t in index})
        f.param(f"{kind}_firm_mw", {(s, t): firm[inst.site_at[s], t] for s, t in index})
        f.param(f"block_{kind}_mw", {b: block[b] for b in inst.buildable})
        f.members(f"{kind}_options", {(s, t): [b for b in inst.options_of[s] if inst.buildable[b][0] <= t] for s, t in index})
        f.members(f"retrofit_for_{kind}", {(s, t): retrofit_period(inst, kind, s, t) for s, t in index})
        limited = limit_index(f, kind)
        f.param(f"{kind}_limit_mw", {(s, t): inst.site_limits[kind][inst.site_at[s], t] for s, t in limited})
    f.param("hall_air_mw", {(s, t): inst.air_firm[inst.site_at[s], t] for s, t in orders})
    f.members("hall_options", {(s, t): [b for b in inst.options_of[s] if inst.buildable[b][0] <= t] for s, t in orders})


def retrofit_period(inst: Instance, kind: str, s: str, t: int) -> list[int]:
    """The period up to which orders count in t: liquid comes after the lead, air goes ``downtime`` periods before."""
    row = inst.retrofit_rows.get(s)
    if row is None:
        return []
    downtime = row.lead_periods if row.downtime_periods is None else row.downtime_periods
    since = t - row.lead_periods if kind == "liquid" else t - (row.lead_periods - downtime)
    return [since] if since >= 0 else []


def cooled_index(f: Formulation, kind: str) -> list[Index]:
    """Sites and periods with variables of racks that give heat to liquid, or to air."""
    inst = f.instance
    gives = {g for g, row in inst.gen_rows.items() if (row.liquid_share if kind == "liquid" else 1 - row.liquid_share) > 0}
    return [(s, t) for s in inst.sites for t in range(inst.T) if gives.intersection(inst.gens_held(s, t))]


def cooled_rows(inst: Instance, kind: str, limits: bool) -> int:
    """Periods in which a site has racks with heat of this kind; with a finite limit of its own, if asked."""
    share = np.array([row.liquid_share for row in inst.gen_rows.values()])
    gives = share > 0 if kind == "liquid" else share < 1
    found = inst.held[:, gives].any(axis=1)
    return int((found & np.isfinite(inst.site_limits[kind])).sum() if limits else found.sum())


def limit_index(f: Formulation, kind: str) -> list[Index]:
    """Of these, those with a limit in site_limits.csv."""
    inst = f.instance
    return [(s, t) for s, t in cooled_index(f, kind) if np.isfinite(inst.site_limits[kind][inst.site_at[s], t])]


@constraint(5, over=lambda f: cooled_index(f, "liquid"), rows=lambda inst: cooled_rows(inst, "liquid", False))
def liquid(m: Any, s: Any, t: Any) -> Any:
    """Heat to liquid stays within blocks and finished retrofits (MW).

    sum of liq[g]*kw[g]*x[s,g,t]/1000 over g <= LIQ[s,t] + R[s,t-lead[s]]
    """
    return sum(m.rack_liquid_mw[g] * m.in_service[s, g, t] for g in m.liquid_gens[s, t]) <= m.liquid_firm_mw[s, t] + sum(
        m.block_liquid_mw[b] * m.built[b, t] for b in m.liquid_options[s, t]
    ) + sum(m.retrofit_mw[s, tau] for tau in m.retrofit_for_liquid[s, t])


@constraint(5, over=lambda f: cooled_index(f, "air"), rows=lambda inst: cooled_rows(inst, "air", False))
def air(m: Any, s: Any, t: Any) -> Any:
    """Heat to air stays within blocks less the halls under conversion (MW).

    sum of (1-liq[g])*kw[g]*x[s,g,t]/1000 over g <= AIR[s,t] - R[s,t-(lead[s]-downtime[s])]
    """
    return sum(m.rack_air_mw[g] * m.in_service[s, g, t] for g in m.air_gens[s, t]) <= m.air_firm_mw[s, t] + sum(
        m.block_air_mw[b] * m.built[b, t] for b in m.air_options[s, t]
    ) - sum(m.retrofit_mw[s, tau] for tau in m.retrofit_for_air[s, t])


@constraint(5, over=lambda f: limit_index(f, "liquid"), rows=lambda inst: cooled_rows(inst, "liquid", True))
def liquid_limit(m: Any, s: Any, t: Any) -> Any:
    """Derates of liquid cooling (MW).

    sum of liq[g]*kw[g]*x[s,g,t]/1000 over g <= liquid_mw of site_limits.csv
    """
    return sum(m.rack_liquid_mw[g] * m.in_service[s, g, t] for g in m.liquid_gens[s, t]) <= m.liquid_limit_mw[s, t]


@constraint(5, over=lambda f: limit_index(f, "air"), rows=lambda inst: cooled_rows(inst, "air", True))
def air_limit(m: Any, s: Any, t: Any) -> Any:
    """Derates of air cooling (MW).

    sum of (1-liq[g])*kw[g]*x[s,g,t]/1000 over g <= air_mw of site_limits.csv
    """
    return sum(m.rack_air_mw[g] * m.in_service[s, g, t] for g in m.air_gens[s, t]) <= m.air_limit_mw[s, t]


def retrofit_index(f: Formulation) -> list[Index]:
    """Sites that can be retrofitted, in every period."""
    return [(s, t) for s in f.instance.retrofit_rows for t in range(f.instance.T)]


def retrofit_rows(inst: Instance) -> int:
    """Rows of retrofits.csv times the periods."""
    return len(inst.dataset["retrofits"]) * inst.T


@constraint(6, over=retrofit_index, rows=retrofit_rows)
def retrofit_total(m: Any, s: Any, t: Any) -> Any:
    """Megawatts ordered add up (MW).

    R[s,t] = R[s,t-1] + Rq[s,t]
    """
    return m.retrofit_mw[s, t] == m.retrofit_mw[s, t - 1] + m.retrofit_order_mw[s, t]


@constraint(6, over=retrofit_index, rows=retrofit_rows)
def retrofit_least(m: Any, s: Any, t: Any) -> Any:
    """An order has a smallest size (MW).

    Rq[s,t] >= min_mw[s]*fit[s,t]
    """
    return m.retrofit_order_mw[s, t] >= m.retrofit_min_mw[s] * m.retrofit_ordered[s, t]


@constraint(6, over=retrofit_index, rows=retrofit_rows)
def retrofit_most(m: Any, s: Any, t: Any) -> Any:
    """An order has a largest size (MW).

    Rq[s,t] <= max_mw[s]*fit[s,t]
    """
    return m.retrofit_order_mw[s, t] <= m.retrofit_max_mw[s] * m.retrofit_ordered[s, t]


@constraint(6, over=lambda f: [(s,) for s in f.instance.retrofit_rows], rows=lambda inst: len(inst.dataset["retrofits"]))
def retrofit_once(m: Any, s: Any) -> Any:
    """A site is converted at most once (orders).

    sum of fit[s,t] over t <= 1
    """
    return sum(m.retrofit_ordered[s, t] for t in m.periods) <= 1


@constraint(6, over=retrofit_index, rows=retrofit_rows)
def retrofit_air(m: Any, s: Any, t: Any) -> Any:
    """Only halls that stand can be converted (MW).

    R[s,t] <= AIR[s,t]
    """
    return m.retrofit_mw[s, t] <= m.hall_air_mw[s, t] + sum(m.block_air_mw[b] * m.built[b, t] for b in m.hall_options[s, t])


def open_retrofit_index(f: Formulation) -> list[Index]:
    """Candidates that can be retrofitted, in every period."""
    inst = f.instance
    return [(s, t) for s in inst.retrofit_rows if s in inst.candidates for t in range(inst.T)]


def open_retrofit_rows(inst: Instance) -> int:
    """Retrofit rows of candidates times the periods."""
    return len(set(inst.candidates) & set(inst.dataset["retrofits"]["site_id"])) * inst.T


@constraint(9, over=open_retrofit_index, rows=open_retrofit_rows)
def open_retrofit(m: Any, s: Any, t: Any) -> Any:
    """Halls are converted at open sites only (0 or 1).

    fit[s,t] <= open[s,t]
    """
    return m.retrofit_ordered[s, t] <= m.open[s, t]


def money(f: Formulation) -> None:
    """retrofits: the fixed cost of an order and the cost of its megawatts."""
    inst = f.instance
    orders = f.variables["retrofit_ordered"].index
    f.term("retrofits", "retrofit_ordered", [float(-inst.retrofit_rows[s].fixed_usd * inst.disc[t] / MILLION) for s, t in orders])
    f.term(
        "retrofits", "retrofit_order_mw", [float(-inst.retrofit_rows[s].usd_per_kw * 1000.0 * inst.disc[t] / MILLION) for s, t in orders]
    )


BLOCK = Block(
    "cooling",
    declare,
    (liquid, air, liquid_limit, air_limit, retrofit_total, retrofit_least, retrofit_most, retrofit_once, retrofit_air, open_retrofit),
    money,
)

"""Power: critical IT load of racks against the power blocks and the limits of their site."""

from __future__ import annotations

from typing import Any

import numpy as np

from optimizer.blocks.base import Block, Formulation, Index, constraint
from optimizer.instance import Instance


def declare(f: Formulation) -> None:
    """Rack power and capacity in MW of critical IT load; no PUE here."""
    inst = f.instance
    f.param("rack_mw", inst.rack_mw)
    held = hall_index(f)
    f.members("gens_at", {(s, t): inst.gens_held(s, t) for s, t in held})
    f.members("options_at", {(s, t): [b for b in inst.options_of[s] if inst.buildable[b][0] <= t] for s, t in held})
    f.param("it_firm_mw", {(s, t): inst.it_firm[inst.site_at[s], t] for s, t in held})
    f.param("block_it_mw", {b: inst.it_of_block[b] for b in inst.buildable})
    f.param("it_limit_mw", {(s, t): inst.site_limits["it"][inst.site_at[s], t] for s, t in it_limit_index(f)})


def hall_index(f: Formulation) -> list[Index]:
    """Sites and periods with rack variables."""
    inst = f.instance
    return [(s, t) for s in inst.sites for t in range(inst.T) if inst.gens_held(s, t)]


def hall_rows(inst: Instance) -> int:
    """Periods in which a site has any rack variable."""
    return int(inst.held.any(axis=1).sum())


@constraint(4, over=hall_index, rows=hall_rows)
def it_power(m: Any, s: Any, t: Any) -> Any:
    """Provisioned IT load stays within the blocks that are energized (MW IT).

    sum of kw[g]*x[s,g,t]/1000 over g <= IT[s,t]
    """
    return sum(m.rack_mw[g] * m.in_service[s, g, t] for g in m.gens_at[s, t]) <= m.it_firm_mw[s, t] + sum(
        m.block_it_mw[b] * m.built[b, t] for b in m.options_at[s, t]
    )


def it_limit_index(f: Formulation) -> list[Index]:
    """Sites and periods with an IT limit of their own, and racks."""
    inst = f.instance
    return [(s, t) for s, t in hall_index(f) if np.isfinite(inst.site_limits["it"][inst.site_at[s], t])]


def it_limit_rows(inst: Instance) -> int:
    """Finite IT limits of site_limits.csv where racks can stand."""
    return int((np.isfinite(inst.site_limits["it"]) & inst.held.any(axis=1)).sum())


@constraint(4, over=it_limit_index, rows=it_limit_rows)
def it_limit(m: Any, s: Any, t: Any) -> Any:
    """Derates and outages of the site (MW IT).

    sum of kw[g]*x[s,g,t]/1000 over g <= it_mw of site_limits.csv
    """
    return sum(m.rack_mw[g] * m.in_service[s, g, t] for g in m.gens_at[s, t]) <= m.it_limit_mw[s, t]


BLOCK = Block("power", declare, (it_power, it_limit))

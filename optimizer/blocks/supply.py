"""Supply: allocation of racks by generation; what is not used stays available."""

from __future__ import annotations

from typing import Any

import numpy as np

from optimizer.blocks.base import Block, Formulation, Index, constraint
from optimizer.instance import Instance


def installable_gens(inst: Instance) -> list[str]:
    """Generations that can be installed somewhere."""
    return [g for g in inst.gens if inst.may_install[:, inst.gen_at[g]].any()]


def declare(f: Formulation) -> None:
    """``unused_supply``: racks allocated up to t and not yet installed; 0 before the start."""
    inst = f.instance
    gens = installable_gens(inst)
    allocated = np.cumsum(inst.supply, axis=1)
    keys = [(g, t) for g in gens for t in range(-1, inst.T)]
    f.variable("unused_supply", keys, upper=[allocated[inst.gen_at[g], t] if t >= 0 else 0.0 for g, t in keys])
    f.param("allocation", {(g, t): inst.supply[inst.gen_at[g], t] for g in gens for t in range(inst.T)})
    f.members("sites_holding", {(g, t): inst.sites_held(g, t) for g in gens for t in range(inst.T)})


def supply_index(f: Formulation) -> list[Index]:
    """Generations that can be installed, in every period."""
    return [(g, t) for g in installable_gens(f.instance) for t in range(f.instance.T)]


def supply_rows(inst: Instance) -> int:
    """All periods of each generation that some site may install at some time."""
    return int(inst.may_install.any(axis=(0, 2)).sum()) * inst.T


@constraint(2, over=supply_index, rows=supply_rows)
def supply(m: Any, g: Any, t: Any) -> Any:
    """Racks installed up to a period come out of the allocation up to then (racks).

    unused[g,t] = unused[g,t-1] + supply[g,t] - sum of n[s,g,t] over s, unused >= 0
    """
    return m.unused_supply[g, t] == m.unused_supply[g, t - 1] + m.allocation[g, t] - sum(
        m.installed[s, g, t] for s in m.sites_holding[g, t]
    )


BLOCK = Block("supply", declare, (supply,))

"""Water: what cooling a site's IT load uses in a period, and its limit."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from optimizer.blocks.base import Block, Formulation, Index, constraint
from optimizer.blocks.energy import it_average
from optimizer.instance import Instance

KILO = 1e3
"""Cubic metres per thousand: rows are in thousand m3, so that their numbers are near those of other rows."""


def declare(f: Formulation) -> None:
    """Thousand m3 per unit of each family of variables, at sites with a limit (1 L/kWh = 1 m3/MWh)."""
    inst = f.instance
    limited = {s: row.water_limit_m3_per_period for s, row in inst.site_rows.items() if row.water_limit_m3_per_period is not None}
    wue = np.array([row.wue_l_per_kwh * (s in limited) for s, row in inst.site_rows.items()])
    index = [(s, t) for s in limited for t in range(inst.T)]
    for name, (mw, s, _, t) in it_average(f).items():
        water = mw * wue[s] * inst.hours[t] / KILO
        family = f.variables[name].index
        chosen = np.flatnonzero(water).tolist()
        f.param(f"{name}_water", {family[i]: water[i] for i in chosen})
        groups: dict[Index, list[Index]] = defaultdict(list)
        for i in chosen:
            key = family[i]
            groups[key[-3], key[-1]].append((*key[:-3], key[-2]))
        f.members(f"{name}_at", {key: groups.get(key, []) for key in index}, 2 if name == "delivered" else 1)
    f.param("water_limit", {s: limit / KILO for s, limit in limited.items()})


def water_index(f: Formulation) -> list[Index]:
    """Sites with a limit that use water, in the periods in which racks there can draw power."""
    inst, used = f.instance, f.model
    return [
        (s, t)
        for s, row in inst.site_rows.items()
        if row.water_limit_m3_per_period is not None
        for t in range(inst.T)
        if len(used.in_service_at[s, t]) or len(used.delivered_at[s, t]) or len(used.sold_at[s, t])
    ]


def water_rows(inst: Instance) -> int:
    """Periods in which racks can draw power, of the sites with a limit and a water use."""
    table = inst.dataset["sites"]
    thirsty = (table["water_limit_m3_per_period"].notna() & (table["wue_l_per_kwh"] > 0)).to_numpy()
    return int(inst.draws[thirsty].sum())


@constraint(17, over=water_index, rows=water_rows)
def water(m: Any, s: Any, t: Any) -> Any:
    """Water used on site stays within the limit; the overhead uses none (thousand m3).

    H[t]*(IT average MW of s)*wue[s] <= water_limit[s]
    """
    return (
        sum(m.in_service_water[s, g, t] * m.in_service[s, g, t] for g in m.in_service_at[s, t])
        + sum(m.delivered_water[c, s, g, t] * m.delivered[c, s, g, t] for c, g in m.delivered_at[s, t])
        + sum(m.sold_water[s, g, t] * m.sold[s, g, t] for g in m.sold_at[s, t])
        <= m.water_limit[s]
    )


BLOCK = Block("water", declare, (water,))

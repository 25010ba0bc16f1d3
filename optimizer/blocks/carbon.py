"""Carbon: emissions of the energy, their price, and the cap of a calendar year."""

from __future__ import annotations

from typing import Any

import numpy as np

from optimizer.blocks.base import MILLION, Block, Formulation, Index, constraint
from optimizer.blocks.energy import facility_average
from optimizer.instance import Instance

KILO = 1e3
"""Tonnes per kilotonne: rows of the cap are in kilotonnes, so that their numbers are near those of other rows."""

WIDTH = {"in_service": 3, "delivered": 4, "sold": 3, "open": 2}
"""Parts of the index of each family that emits."""


def declare(f: Formulation) -> None:
    """Kilotonnes of CO2 per unit of each family of variables, in the years with a cap."""
    inst = f.instance
    years = inst.capped_years
    capped = np.isin(np.array(inst.calendar.years), list(years))
    found, _ = facility_average(f, inst.hours * inst.tonnes_per_mwh / KILO * capped)
    for name, kilotonnes in found.items():
        index = f.variables[name].index
        chosen = np.flatnonzero(kilotonnes).tolist()
        f.param(f"{name}_kilotonnes", {index[i]: kilotonnes[i] for i in chosen})
        groups: dict[int, list[Index]] = {year: [] for year in years}
        for i in chosen:
            groups[inst.calendar.years[index[i][-1]]].append(index[i])
        f.members(f"{name}_in_year", groups, WIDTH[name])
    overhead = np.array([row.overhead_mw for row in inst.site_rows.values()])[:, None] * inst.open_from_start
    emitted = (overhead * inst.tonnes_per_mwh * inst.hours / KILO).sum(axis=0)
    of_year = np.array(inst.calendar.years)
    f.param("carbon_room_kilotonnes", {year: max(0.0, cap / KILO - emitted[of_year == year].sum()) for year, cap in years.items()})


def carbon_index(f: Formulation) -> list[Index]:
    """Capped years in which a decision can emit; the cap leaves room for the overhead of open sites by a check of the data."""
    return [(year,) for year in f.instance.capped_years if any(len(f.model.component(f"{name}_in_year")[year]) for name in WIDTH)]


def carbon_cap_rows(inst: Instance) -> int:
    """Years of carbon_cap.csv with a period of the horizon in which a site can draw power that emits, or a candidate's overhead can."""
    draws = inst.draws.copy()
    for s in inst.candidates:
        draws[inst.site_at[s]] |= inst.site_rows[s].overhead_mw > 0
    emits = (draws & (inst.tonnes_per_mwh > 0)).any(axis=0)
    return int(inst.dataset["carbon_cap"]["year"].isin(np.array(inst.calendar.years)[emits]).sum())


@constraint(17, over=carbon_index, rows=carbon_cap_rows)
def carbon_cap(m: Any, year: Any) -> Any:
    """Emissions of a calendar year stay within its cap, which is not pro-rated (kilotonnes CO2).

    sum of H[t]*P[s,t]*tonnes per MWh over s and the periods of the year <= cap[year]
    """
    return (
        sum(m.in_service_kilotonnes[s, g, t] * m.in_service[s, g, t] for s, g, t in m.in_service_in_year[year])
        + sum(m.delivered_kilotonnes[c, s, g, t] * m.delivered[c, s, g, t] for c, s, g, t in m.delivered_in_year[year])
        + sum(m.sold_kilotonnes[s, g, t] * m.sold[s, g, t] for s, g, t in m.sold_in_year[year])
        + sum(m.open_kilotonnes[s, t] * m.open[s, t] for s, t in m.open_in_year[year])
        <= m.carbon_room_kilotonnes[year]
    )


def money(f: Formulation) -> None:
    """carbon: the price of what is emitted."""
    inst = f.instance
    found, constant = facility_average(f, inst.hours * inst.tonnes_per_mwh * inst.usd_per_tonne * inst.disc / MILLION)
    for name, coefficients in found.items():
        f.term("carbon", name, -coefficients)
    f.constant("carbon", -constant)


BLOCK = Block("carbon", declare, (carbon_cap,), money)

"""Fleet: racks installed, retired and in service; their end of life, the rate of installation, capital and running cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from optimizer.blocks.base import MILLION, Block, Formulation, Index, columns_of, constraint
from optimizer.instance import Instance


def declare(f: Formulation) -> None:
    """``in_service`` (x), ``installed`` (n), ``retired`` (r), in racks; x also one period before the first, where it is the fleet."""
    inst = f.instance
    racks = inst.rack_index
    at = columns_at(inst, racks)
    first = [(s, g, t - 1) for s, g, t in racks if t == 0 or not inst.held[inst.site_at[s], inst.gen_at[g], t - 1]]
    before = [inst.fleet[inst.site_at[s], inst.gen_at[g]] if t < 0 else 0.0 for s, g, t in first]
    most = inst.racks_most[at]
    f.variable("in_service", first + racks, lower=before + [0.0] * len(racks), upper=[*before, *most], integer=True)
    f.variable("installed", racks, upper=inst.installs_most[at], integer=True)
    s, g, t = at
    earlier = np.where(t > 0, inst.racks_most[s, g, np.maximum(t - 1, 0)], inst.fleet[s, g])
    f.variable("retired", racks, upper=earlier + inst.installs_most[at], integer=True)
    f.param("still_alive", dict(zip(racks, inst.fleet_alive[at].tolist(), strict=True)))
    ages = {}
    for site, gen, period in end_of_life_index(f):
        life = inst.gen_rows[gen].life_periods
        i, j = inst.site_at[site], inst.gen_at[gen]
        ages[site, gen, period] = [tau for tau in range(max(0, period - life + 1), period + 1) if inst.held[i, j, tau]]
    f.members("installed_within_life", ages)
    rate = {s: row.install_racks_per_period for s, row in inst.site_rows.items() if row.install_racks_per_period is not None}
    f.param("install_rate_racks", rate)
    f.members("installable_gens", {(s, t): inst.gens_held(s, t) for s, t in install_rate_index(f)})


def columns_at(inst: Instance, racks: list[Index]) -> tuple[Any, Any, Any]:
    """Rack indices as positions of site, generation and period."""
    s, g, t = zip(*racks, strict=True) if racks else ((), (), ())
    return (
        np.array([inst.site_at[k] for k in s], dtype=np.intp),
        np.array([inst.gen_at[k] for k in g], dtype=np.intp),
        np.array(t, dtype=np.intp),
    )


def racks_index(f: Formulation) -> Iterable[Index]:
    """(site, generation, period) with rack variables."""
    return f.instance.rack_index


def rack_rows(inst: Instance) -> int:
    """From the first period in which a site has or may install a generation, to the end of the horizon."""
    first = np.where(inst.fleet > 0, 0, np.where(inst.may_install.any(axis=2), inst.may_install.argmax(axis=2), inst.T))
    return int((inst.T - first).sum())


@constraint(1, over=racks_index, rows=rack_rows)
def fleet(m: Any, s: Any, g: Any, t: Any) -> Any:
    """Racks come by installation and go by retirement (racks).

    x[s,g,t] = x[s,g,t-1] + n[s,g,t] - r[s,g,t]
    """
    return m.in_service[s, g, t] == m.in_service[s, g, t - 1] + m.installed[s, g, t] - m.retired[s, g, t]


def end_of_life_index(f: Formulation) -> list[Index]:
    """Periods by which some rack may have reached the end of its life."""
    inst = f.instance
    found: list[Index] = []
    for s, g, t in inst.rack_index:
        i, j, life = inst.site_at[s], inst.gen_at[g], inst.gen_rows[g].life_periods
        if inst.fleet_alive[i, j, t] < inst.fleet[i, j] or (t >= life and inst.may_install[i, j, : t - life + 1].any()):
            found.append((s, g, t))
    return found


def end_of_life_rows(inst: Instance) -> int:
    """Site, generation and period from the first end of life on, be it of the fleet or of the first installation."""
    total = 0
    for i, s in enumerate(inst.sites):
        for j, g in enumerate(inst.gens):
            life = inst.gen_rows[g].life_periods
            ends = [max(0, since + life) for since, _ in inst.cohorts.get((s, g), [])]
            ends += [int(t) + life for t in np.flatnonzero(inst.may_install[i, j])[:1]]
            total += max(0, inst.T - min(ends, default=inst.T))
    return total


@constraint(3, over=end_of_life_index, rows=end_of_life_rows)
def end_of_life(m: Any, s: Any, g: Any, t: Any) -> Any:
    """No rack serves beyond its life; racks of one site and generation are interchangeable (racks).

    Rule 3 with rule 1 put in: x[s,g,t] <= fleet within its life + sum of n[s,g,tau] over t-L[g] < tau <= t
    """
    return m.in_service[s, g, t] <= m.still_alive[s, g, t] + sum(m.installed[s, g, tau] for tau in m.installed_within_life[s, g, t])


def install_rate_index(f: Formulation) -> list[Index]:
    """Sites with a rate, in the periods in which they have rack variables."""
    inst = f.instance
    return [
        (s, t)
        for s, row in inst.site_rows.items()
        if row.install_racks_per_period is not None
        for t in range(inst.T)
        if inst.gens_held(s, t)
    ]


def install_rate_rows(inst: Instance) -> int:
    """Periods with rack variables, of the sites with a rate."""
    limited = np.array([row.install_racks_per_period is not None for row in inst.site_rows.values()], dtype=bool)
    return int(np.asarray(inst.held.any(axis=1))[limited].sum())


@constraint(8, over=install_rate_index, rows=install_rate_rows)
def install_rate(m: Any, s: Any, t: Any) -> Any:
    """Crews and docks take only so many racks in a period (racks per period).

    sum of n[s,g,t] over g <= install_racks_per_period[s]
    """
    return sum(m.installed[s, g, t] for g in m.installable_gens[s, t]) <= m.install_rate_racks[s]


def money(f: Formulation) -> None:
    """gpu_capital: price of the rack's GPUs and its installation; opex: running cost of racks in service."""
    inst = f.instance
    s, g, t = columns_of(f.variables["installed"], inst.site_at, inst.gen_at, None)
    f.term("gpu_capital", "installed", -inst.rack_usd[g, t] * inst.disc[t] / MILLION)
    s, g, t = columns_of(f.variables["in_service"], inst.site_at, inst.gen_at, None)
    per_period = np.array([row.opex_usd_per_rack_year for row in inst.gen_rows.values()]) * inst.months / 12.0
    during = np.where(t >= 0, inst.disc[np.maximum(t, 0)], 0.0) * inst.held[s, g, np.maximum(t, 0)]
    f.term("opex", "in_service", -per_period[g] * during / MILLION)


BLOCK = Block("fleet", declare, (fleet, end_of_life, install_rate), money)

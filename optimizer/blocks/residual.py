"""Residual value: what racks and blocks still there at the end of the horizon are worth."""

from __future__ import annotations

from typing import Any

import numpy as np

from optimizer.blocks.base import MILLION, Block, Formulation, Index, constraint
from optimizer.instance import Instance


def declare(f: Formulation) -> None:
    """``kept`` (a): racks of a cohort still in service at the end, installed in the horizon; ``kept_fleet``: of the fleet.

    Only cohorts that are worth something at the end.
    """
    inst = f.instance
    new: list[Index] = []
    old: list[Index] = []
    racks: list[float] = []
    for s, g in inst.held_pairs:
        new += [
            (s, g, t) for t in np.flatnonzero(inst.may_install[inst.site_at[s], inst.gen_at[g]]).tolist() if inst.residual_usd(g, t) > 0
        ]
        for since, count in inst.cohorts.get((s, g), []):
            if inst.residual_usd(g, since) > 0:
                old.append((s, g, since))
                racks.append(float(count))
    f.variable("kept", new, upper=[inst.installs_most[inst.site_at[s], inst.gen_at[g], t] for s, g, t in new])
    f.variable("kept_fleet", old, upper=racks)
    pairs = kept_index(f)
    for name, index in (("cohorts", new), ("fleet_cohorts", old)):
        found: dict[Index, list[int]] = {pair: [] for pair in pairs}
        for s, g, t in index:
            found[s, g].append(t)
        f.members(name, found)


def cohort_index(f: Formulation) -> list[Index]:
    """Cohorts of the horizon that are worth something at its end."""
    return f.variables["kept"].index


def _worth(inst: Instance, since: int) -> Any:
    """Whether a rack of each generation installed in a period is worth something at the end; shape (generations,)."""
    factor = np.array([row.residual_factor for row in inst.gen_rows.values()])
    price = np.array([inst.gpu_price[g][-1] for g in inst.gens])
    life = np.array([row.life_periods for row in inst.gen_rows.values()])
    return (factor > 0) & (price > 0) & (inst.T - since < life)


def cohort_rows(inst: Instance) -> int:
    """Installation periods younger than the life at the end, of generations with a residual value."""
    return int(sum((inst.may_install[:, :, t] & _worth(inst, t)[None]).sum() for t in range(inst.T)))


@constraint(16, over=cohort_index, rows=cohort_rows)
def kept_of_cohort(m: Any, s: Any, g: Any, t: Any) -> Any:
    """No more racks of a cohort are kept than were installed; the fleet's bound is its racks (racks).

    a[s,g,tau] <= n[s,g,tau]
    """
    return m.kept[s, g, t] <= m.installed[s, g, t]


def kept_index(f: Formulation) -> list[Index]:
    """Sites and generations with a cohort of value."""
    return sorted({(s, g) for name in ("kept", "kept_fleet") for s, g, _ in f.variables[name].index})


def kept_rows(inst: Instance) -> int:
    """Sites and generations with an installation, or a fleet, worth something at the end."""
    valued = np.zeros((len(inst.sites), len(inst.gens)), dtype=bool)
    for t in range(inst.T):
        valued |= inst.may_install[:, :, t] & _worth(inst, t)[None]
    for (s, g), cohorts in inst.cohorts.items():
        valued[inst.site_at[s], inst.gen_at[g]] |= any(_worth(inst, since)[inst.gen_at[g]] for since, _ in cohorts)
    return int(valued.sum())


@constraint(16, over=kept_index, rows=kept_rows)
def residual(m: Any, s: Any, g: Any) -> Any:
    """No more racks are worth something at the end than are in service then (racks).

    sum of a[s,g,tau] over tau <= x[s,g,T-1]
    """
    return sum(m.kept[s, g, tau] for tau in m.cohorts[s, g]) + sum(m.kept_fleet[s, g, tau] for tau in m.fleet_cohorts[s, g]) <= sum(
        m.in_service[s, g, t] for t in m.last_period
    )


def money(f: Formulation) -> None:
    """residual_value of racks and of optional blocks, discounted from the end of the horizon."""
    inst = f.instance
    for name in ("kept", "kept_fleet"):
        f.term("residual_value", name, [inst.disc_end * inst.residual_usd(g, t) / MILLION for _, g, t in f.variables[name].index])
    blocks = inst.block_rows
    f.term(
        "residual_value",
        "built",
        [
            inst.disc_end * blocks[b].residual_share * blocks[b].capex_usd / MILLION if t == inst.T - 1 >= inst.buildable[b][0] else 0.0
            for b, t in f.variables["built"].index
        ],
    )


BLOCK = Block("residual", declare, (kept_of_cohort, residual), money)

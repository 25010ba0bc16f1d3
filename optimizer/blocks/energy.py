"""Energy: average draw of racks by their load, and what its energy costs."""

from __future__ import annotations

from typing import Any

import numpy as np

from optimizer.blocks.base import MILLION, Block, Formulation, columns_of
from optimizer.instance import Floats


def declare(f: Formulation) -> None:
    """Energy needs no variables of its own: it follows from racks, deliveries and sales."""


def it_average(f: Formulation) -> dict[str, tuple[Floats, Any, Any, Any]]:
    """``A`` of model.md by family of variables: MW of IT average per unit, with positions of site, generation and period.

    A[s,g,t] = kw[g]/1000/gpr[g] * (idle[g]*gpr[g]*x + sum of (load[c]-idle[g])*w over c + (load_market-idle[g])*v)
    """
    inst = f.instance
    idle = np.array([row.idle_share for row in inst.gen_rows.values()])
    rack = np.array([inst.rack_mw[g] for g in inst.gens])
    gpu = rack / np.array([row.gpus_per_rack for row in inst.gen_rows.values()])
    load = np.array([row.load_share for row in inst.contract_rows.values()])
    s, g, t = columns_of(f.variables["in_service"], inst.site_at, inst.gen_at, None)
    now = np.maximum(t, 0)
    found = {"in_service": ((rack * idle)[g] * ((t >= 0) & inst.held[s, g, now]), s, g, now)}
    c, s, g, t = columns_of(f.variables["delivered"], inst.contract_at, inst.site_at, inst.gen_at, None)
    found["delivered"] = (gpu[g] * (load[c] - idle[g]), s, g, t)
    s, g, t = columns_of(f.variables["sold"], inst.site_at, inst.gen_at, None)
    found["sold"] = (gpu[g] * (inst.settings.load_market - idle[g]), s, g, t)
    return found


def facility_average(f: Formulation, per_mw: Floats) -> tuple[dict[str, Floats], float]:
    """``P`` of model.md times a rate by site and period: coefficients by family of variables, and the constant of open sites.

    P[s,t] = overhead_mw*open[s,t] + sum of A[s,g,t]*(liq[g]*pue_liquid[s] + (1-liq[g])*pue_air[s]) over g

    Args:
        per_mw: the rate per MW of facility average; shape (sites, T).
    """
    inst = f.instance
    found = {name: mw * inst.pue[s, g, t] * per_mw[s, t] for name, (mw, s, g, t) in it_average(f).items()}
    overhead = np.array([row.overhead_mw for row in inst.site_rows.values()])
    s, t = columns_of(f.variables["open"], inst.site_at, None)
    found["open"] = overhead[s] * np.where(t >= 0, per_mw[s, np.maximum(t, 0)], 0.0)
    return found, float((overhead[:, None] * per_mw)[inst.open_from_start].sum())


def money(f: Formulation) -> None:
    """energy: hours times average draw times the mean price of the hours."""
    inst = f.instance
    found, constant = facility_average(f, inst.hours * inst.usd_per_mwh * inst.disc / MILLION)
    for name, coefficients in found.items():
        f.term("energy", name, -coefficients)
    f.constant("energy", -constant)


BLOCK = Block("energy", declare, (), money)

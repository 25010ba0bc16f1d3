"""Whole racks out of a relaxed fleet, without breaking power, cooling, grid, supply or end of life."""

from __future__ import annotations

import numpy as np

from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix

EPSILON = 1e-6
"""A relaxed number of racks this close below a whole one counts as that."""


def cumulative(matrix: Matrix, inst: Instance, family: str, x: Floats) -> Floats:
    """Running sum over periods of a rack variable; shape (sites, generations, T)."""
    racks = np.zeros((len(inst.sites), len(inst.gens), inst.T))
    for (s, g, t), value in matrix.values(family, x):
        racks[inst.site_at[s], inst.gen_at[g], t] = value
    return np.asarray(np.cumsum(racks, axis=2))


def whole_racks(inst: Instance, matrix: Matrix, x: Floats) -> Floats:
    """The solution with whole racks: installations rounded down in sum over time, retirements rounded up.

    Racks in service never exceed the relaxed ones, so that every limit on them still holds, and at the
    end of life as many are retired as were installed. Installations beyond a site's rate wait.

    Args:
        x: a solution of the relaxation whose other whole numbers are whole; shape (columns,).

    Returns:
        The same with whole ``installed``, ``in_service`` and ``retired``; what depends on them is stale.
    """
    installed = np.floor(cumulative(matrix, inst, "installed", x) + EPSILON)
    retired = np.ceil(cumulative(matrix, inst, "retired", x) - EPSILON)
    installed = _within_rate(inst, installed)
    service = np.maximum(inst.fleet[:, :, None] + installed - retired, 0.0)
    result = x.copy()
    before = np.concatenate([inst.fleet[:, :, None], service[:, :, :-1]], axis=2)
    new = np.diff(installed, axis=2, prepend=0.0)
    gone = before + new - service
    for family, racks in (("installed", new), ("in_service", service), ("retired", gone)):
        first, index = matrix.columns[family]
        for i, (s, g, t) in enumerate(index):
            if t >= 0 and (family != "in_service" or inst.held[inst.site_at[s], inst.gen_at[g], t]):
                result[first + i] = racks[inst.site_at[s], inst.gen_at[g], t]
    return result


def _within_rate(inst: Instance, installed: Floats) -> Floats:
    """Delay what rounding pushed above the rate of installation of a site (whole racks, summed over time)."""
    result = installed.copy()
    for i, row in enumerate(inst.site_rows.values()):
        if row.install_racks_per_period is None:
            continue
        rate = np.floor(row.install_racks_per_period + EPSILON)
        waiting = np.zeros(len(inst.gens))
        total = np.zeros(len(inst.gens))
        for t in range(inst.T):
            waiting += installed[i, :, t] - (installed[i, :, t - 1] if t else 0.0)
            room = rate
            for j in np.argsort(-waiting):
                most = min(waiting[j], inst.installs_most[i, j, t], room)
                total[j] += most
                waiting[j] -= most
                room -= most
            result[i, :, t] = total
    return result

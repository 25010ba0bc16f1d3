"""Which constraints bind in a solution."""

from __future__ import annotations

import numpy as np

from optimizer.instance import Floats
from optimizer.matrix import Matrix

TIGHT = 1e-6
"""Relative slack up to which a row counts as tight."""
REST = {"supply": "unused_supply", "capex_budget": "unspent_budget"}
"""Limits written as a balance: what is left over is a variable, with the index of the row."""
COUNTED = {"moves": "moved", "first_moves": "moved", "paid": "paid_moves"}
"""Rows that count something: they are tight at 0 as well, so they count only where that is above 0."""


def tight_constraints(m: Matrix, x: Floats) -> set[str]:
    """Names of the constraints with a row that is tight and whose left side is not empty.

    A balance is tight where nothing is left over, though something was taken.

    Args:
        x: a solution; shape (columns,).
    """
    activity = m.a @ x
    size = np.abs(m.a) @ np.abs(x)
    limit = np.where(np.isfinite(m.row_upper), m.row_upper, m.row_lower)
    slack = np.minimum(np.abs(m.row_upper - activity), np.abs(activity - m.row_lower))
    tight = (slack <= TIGHT * np.maximum(1.0, np.abs(limit))) & (size > TIGHT)
    found = set()
    for name, (rows, index) in m.rows.items():
        if name in REST | COUNTED:
            first, keys = m.columns[(REST | COUNTED)[name]]
            at = {key: first + i for i, key in enumerate(keys)}
            value = np.array([x[at[key]] for key in index])
            binds = value > TIGHT
            if name in REST:
                before = np.array([x[at[(*key[:-1], key[-1] - 1)]] for key in index])
                given = np.abs(limit[rows])
                binds = (value <= TIGHT) & (before + given > TIGHT)
        else:
            binds = tight[rows]
        if binds.any():
            found.add(name)
    return found

"""The model without bounds that only follow from capacity, so that more of a limit can be used where it is given.

The model's builder tightens bounds from the data: how many racks of a generation a site could ever hold, how much it could ever
deliver. They follow from rows and cut off nothing, but one megawatt more would move them too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from optimizer.blocks.base import Index
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix

ROOM = 100.0
"""Racks, GPUs or million USD by which bounds that only follow from rows are above what they could ever be."""
DERIVED = {"serving_size": "serve", "open_delivery": "open", "open_racks": "open"}
"""Constraints whose sizes follow from other rows, with the decision that switches them."""


def roomy_upper(inst: Instance, matrix: Matrix) -> Floats:
    """Upper bounds that no capacity goes into; where no rack may be installed it stays so; shape (columns,)."""
    upper = matrix.upper.copy()
    for family, values in _by_family(inst, matrix).items():
        part = matrix.of(family)
        before = np.array([_before(inst, family, key) for key in matrix.columns[family][1]], dtype=bool)
        upper[part] = np.where(before, upper[part], np.maximum(values, matrix.lower[part]))
    for family in ("retrofit_order_mw", "retrofit_mw"):
        first, index = matrix.columns[family]
        for i, key in enumerate(index):
            if key[1] >= 0:
                upper[first + i] = inst.retrofit_rows[key[0]].max_mw
    return upper


def _before(inst: Instance, family: str, key: Index) -> bool:
    """Whether a column is what was before the first period, or before a site could hold any rack of a generation: given, not decided."""
    if isinstance(key[-1], int) and key[-1] < 0:
        return True
    return family == "in_service" and not inst.held[inst.site_at[key[0]], inst.gen_at[key[1]], key[-1]]


def _by_family(inst: Instance, matrix: Matrix) -> dict[str, Floats]:
    allocated = np.cumsum(inst.supply, axis=1)
    racks = allocated + inst.fleet.sum(axis=0)[:, None] + ROOM
    owed, depth = inst.owed, {g: np.zeros(inst.T) for g in inst.gens}
    for (g, _), (_, most) in inst.market.items():
        depth[g] = depth[g] + most

    def each(family: str, value: Callable[..., float]) -> Floats:
        return np.array([value(*key) for key in matrix.columns[family][1]], dtype=float)

    def may_install(s: str, g: str, t: int) -> bool:
        j = inst.gen_at[g]
        return bool(inst.hosts[inst.site_at[s], j] and inst.installable[j, t] and allocated[j, t] >= 1)

    found = {
        "in_service": each("in_service", lambda s, g, t: float(racks[inst.gen_at[g], t])),
        "retired": each("retired", lambda s, g, t: 2.0 * float(racks[inst.gen_at[g], t])),
        "installed": each("installed", lambda s, g, t: float(racks[inst.gen_at[g], t]) * may_install(s, g, t)),
        "delivered": each("delivered", lambda c, s, g, t: 2.0 * float(owed[inst.contract_at[c], t]) / inst.equivalents[c][g] + ROOM),
        "sold": each("sold", lambda s, g, t: float(depth[g][t]) + ROOM),
        "moved": each("moved", lambda c, s, t: 2.0 * inst.owed_before(c, t) + ROOM),
    }
    for family in ("short", "unused_supply", "unspent_budget", "paid_moves", "revenue", "revenue_total"):
        found[family] = 2.0 * matrix.upper[matrix.of(family)] + ROOM
    return found


def switches(matrix: Matrix) -> dict[int, int]:
    """Column of the yes-or-no decision of each row whose size only follows from other rows."""
    found: dict[int, int] = {}
    for name, family in DERIVED.items():
        rows, keys = matrix.rows.get(name, (np.zeros(0, dtype=np.intp), []))
        first, index = matrix.columns[family]
        at = {key: first + i for i, key in enumerate(index)}
        for row, key in zip(rows.tolist(), keys, strict=True):
            switch = key[:2] if name == "serving_size" else (key[0], key[-1]) if name == "open_racks" else (key[1], key[-1])
            found[row] = at[switch]
    return found


def roomy(inst: Instance, matrix: Matrix) -> Matrix:
    """The model with such bounds, and with sizes of switched rows that let through all that the bounds let through."""
    upper = roomy_upper(inst, matrix)
    entries = matrix.a.tocoo()
    data = entries.data.copy()
    switch = switches(matrix)
    size = np.zeros(matrix.shape[0])
    np.add.at(size, entries.row, np.where(data > 0, data * upper[entries.col], 0.0))
    column = np.full(matrix.shape[0], -1)
    column[list(switch)] = list(switch.values())
    own = column[entries.row] == entries.col
    data[own] = -size[entries.row[own]]
    a = matrix.a.copy()
    order = np.lexsort((entries.row, entries.col))
    a.data = data[order]
    a.indices = entries.row[order].astype(a.indices.dtype)
    return replace(matrix, a=a, upper=upper)

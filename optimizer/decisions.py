"""What a plan decides: the few numbers from which all plan tables follow, whoever chose them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from models.tables import ContractStatus
from optimizer.blocks.base import Index
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix

NEGLIGIBLE = 1e-7
"""GPUs and megawatts below this are a solver's rounding, not a decision."""


@dataclass
class Decisions:
    """Decisions of a plan, by site, generation, contract, block and period.

    Attributes:
        installed: racks installed; shape (sites, generations, T), whole.
        in_service: racks in service; shape (sites, generations, T), whole.
        deliveries: physical GPUs by (contract, site, generation, period).
        sold: GPUs sold on the market by (site, generation, period).
        sold_tier: the same by (generation, tier, period).
        signed: contracts in force.
        opened: period in which each chosen candidate opens.
        built: period in which each chosen option is energized.
        retrofits: (period of the order, MW) by site.
    """

    installed: Floats
    in_service: Floats
    deliveries: dict[tuple[str, str, str, int], float] = field(default_factory=dict)
    sold: dict[tuple[str, str, int], float] = field(default_factory=dict)
    sold_tier: dict[tuple[str, str, int], float] = field(default_factory=dict)
    signed: set[str] = field(default_factory=set)
    opened: dict[str, int] = field(default_factory=dict)
    built: dict[str, int] = field(default_factory=dict)
    retrofits: dict[str, tuple[int, float]] = field(default_factory=dict)


def no_decisions(inst: Instance) -> Decisions:
    """Nothing installed, signed or built beyond what is firm; the fleet serves out its life where its hall lets it."""
    shape = (len(inst.sites), len(inst.gens), inst.T)
    firm = {c for c, row in inst.contract_rows.items() if row.status is ContractStatus.FIRM}
    return Decisions(np.zeros(shape), np.zeros(shape), signed=firm)


def decisions_of(inst: Instance, matrix: Matrix, x: Floats) -> Decisions:
    """The decisions in a solution whose integers are whole.

    Args:
        x: solution; shape (columns,).
    """
    shape = (len(inst.sites), len(inst.gens), inst.T)
    found = Decisions(np.zeros(shape), np.zeros(shape))
    for name, target in (("installed", found.installed), ("in_service", found.in_service)):
        for (s, g, t), racks in matrix.values(name, x):
            if t >= 0:
                target[inst.site_at[s], inst.gen_at[g], t] = round(racks)
    found.deliveries = {key: gpus for key, gpus in matrix.values("delivered", x) if gpus > NEGLIGIBLE}
    found.sold = {key: gpus for key, gpus in matrix.values("sold", x) if gpus > NEGLIGIBLE}
    found.sold_tier = {key: gpus for key, gpus in matrix.values("sold_tier", x) if gpus > NEGLIGIBLE}
    found.signed = {c for (c,), value in matrix.values("sign", x) if value > 0.5}
    for (s, t), value in matrix.values("open", x):
        if value > 0.5:
            found.opened[s] = min(t, found.opened.get(s, t))
    for (b, t), value in matrix.values("built", x):
        if value > 0.5:
            found.built[b] = min(t, found.built.get(b, t))
    for (s, t), mw in matrix.values("retrofit_order_mw", x):
        if mw > NEGLIGIBLE:
            found.retrofits[s] = (t, mw)
    return found


def decisions_from_plan(inst: Instance, tables: Mapping[str, pd.DataFrame]) -> Decisions:
    """The decisions of a plan, as far as they exist in the dataset; what the dataset no longer has is left out.

    Args:
        tables: plan tables of data.md.
    """
    found = no_decisions(inst)
    for row in _rows(tables["racks"]):
        t = inst.index(row.period)
        if row.site_id in inst.site_at and row.gen_id in inst.gen_at and 0 <= t < inst.T:
            place = inst.site_at[row.site_id], inst.gen_at[row.gen_id], t
            found.installed[place], found.in_service[place] = row.installed, row.in_service
    for row in _rows(tables["deliveries"]):
        if row.contract_id in inst.contract_at and row.site_id in inst.site_at and row.gen_id in inst.gen_at:
            found.deliveries[row.contract_id, row.site_id, row.gen_id, inst.index(row.period)] = float(row.gpus)
    for row in _rows(tables["market_sites"]):
        if row.site_id in inst.site_at and row.gen_id in inst.gen_at:
            found.sold[row.site_id, row.gen_id, inst.index(row.period)] = float(row.gpus)
    for row in _rows(tables["market"]):
        if row.gen_id in inst.gen_at:
            found.sold_tier[row.gen_id, row.tier, inst.index(row.period)] = float(row.gpus)
    for row in _rows(tables["decisions"]):
        t = inst.index(row.period)
        if row.kind == "sign" and row.id in inst.contract_at:
            found.signed.add(row.id)
        elif row.kind == "open" and row.id in inst.candidates:
            found.opened[row.id] = t
        elif row.kind == "build" and row.id in inst.buildable:
            found.built[row.id] = t
        elif row.kind == "retrofit" and row.id in inst.retrofit_rows:
            found.retrofits[row.id] = (t, float(row.mw))
    return found


def _rows(table: pd.DataFrame) -> Iterator[Any]:
    """Rows as named tuples, whose fields pandas can't type."""
    return iter(table.itertuples(index=False))


def start_vector(inst: Instance, matrix: Matrix, d: Decisions) -> Floats:
    """A solution with the whole numbers of some decisions; the rest is for the solver to fill in.

    Returns:
        Values within the bounds of the columns; shape (columns,).
    """
    x = matrix.lower.copy()
    served = {(c, s) for (c, s, _, _), gpus in d.deliveries.items() if gpus > NEGLIGIBLE}

    def fill(family: str, value: Callable[[Index], float]) -> None:
        first, index = matrix.columns[family]
        x[first : first + len(index)] = [value(key) for key in index]

    def racks(values: Floats) -> Callable[[Index], float]:
        return lambda key: float(values[inst.site_at[key[0]], inst.gen_at[key[1]], key[2]]) if key[2] >= 0 else 0.0

    fill("installed", racks(d.installed))
    fill("in_service", racks(d.in_service))
    fill("sign", lambda key: float(key[0] in d.signed))
    fill("serve", lambda key: float(key in served))
    fill("open", lambda key: float(key[1] >= d.opened.get(key[0], inst.T)))
    fill("built", lambda key: float(key[1] >= d.built.get(key[0], inst.T)))
    fill("retrofit_ordered", lambda key: float(d.retrofits.get(key[0], (-1, 0.0))[0] == key[1]))
    return np.clip(x, matrix.lower, matrix.upper)

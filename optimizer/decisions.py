"""What a plan decides: the few numbers from which all plan tables follow, whoever chose them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.tables import ContractStatus
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

"""The audit of non-anticipativity: that plans of different futures decide the same before it is known which comes.

It reads datasets and plan tables, and imports only ``models``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.dataset import Dataset
from models.plan import Plan
from models.tables import BlockStatus, Contract, ContractStatus, PowerBlock

TOLERANCE = 1e-6
"""Largest difference, in the unit of the decision."""

Decided = dict[tuple[Any, ...], float]


def decided(dataset: Dataset, plan: Plan, base: Dataset, before: int, placement: bool) -> Decided:
    """What a plan decides before a period, by decision and ids; what is 0 may be left out.

    Args:
        dataset: of the plan's future.
        plan: its plan.
        base: the dataset as planned.
        before: index of the first period that is decided later.
        placement: whether the site of racks installed counts.
    """
    calendar, found = dataset.calendar, Decided()
    racks = plan.tables["racks"]
    for s, g, period, count in zip(*(racks[name].tolist() for name in ("site_id", "gen_id", "period", "installed")), strict=True):
        t = calendar.index(str(period))
        if t < before and count:
            key = ("installed", s, g, t) if placement else ("bought", g, t)
            found[key] = found.get(key, 0.0) + float(count)
    prospects = {row.contract_id for row in base.rows(Contract) if row.status is ContractStatus.PROSPECT}
    lead = {row.block_id: row.lead_periods for row in base.rows(PowerBlock)}
    slips = {b: earliest - _earliest(base)[b] for b, earliest in _earliest(dataset).items() if b in _earliest(base)}
    decisions = plan.tables["decisions"]
    for kind, own, period, mw in zip(*(decisions[name].tolist() for name in ("kind", "id", "period", "mw")), strict=True):
        t = calendar.index(str(period))
        if kind == "sign" and own in prospects:
            found["sign", own] = 1.0
        elif kind == "build" and own in slips and t - lead[own] - slips[own] < before:
            found["ordered", own, t - lead[own] - slips[own]] = 1.0
        elif kind == "open" and t < before:
            found["open", own, t] = 1.0
        elif kind == "retrofit" and t < before:
            found["retrofit", own, t] = float(mw)
    return found


def _earliest(dataset: Dataset) -> dict[str, int]:
    """First period in which each optional block can be energized."""
    rows = [row for row in dataset.rows(PowerBlock) if row.status is BlockStatus.OPTION]
    return {row.block_id: max(dataset.calendar.index(row.energized), row.lead_periods, 0) for row in rows}


def anticipations(
    base: Dataset, futures: Sequence[tuple[str, Dataset, Plan]], before: int, placement: bool = False
) -> list[str]:  # fmt: skip
    """Where plans of different futures decide differently before it is known which comes; empty if nowhere.

    Args:
        base: the dataset as planned.
        futures: name, dataset and plan of each.
        before: index of the first period that is decided later.
        placement: whether the site of racks installed counts.
    """
    each = [(name, decided(dataset, plan, base, before, placement)) for name, dataset, plan in futures]
    found = []
    for key in sorted({key for _, values in each for key in values}, key=str):
        values = [(name, known.get(key, 0.0)) for name, known in each]
        (low_name, low), (high_name, high) = min(values, key=lambda v: v[1]), max(values, key=lambda v: v[1])
        if high - low > TOLERANCE:
            family, *ids = key
            where = " ".join(base.calendar.label(part) if isinstance(part, int) else str(part) for part in ids)
            found.append(f"{family} {where}: {high:g} in {high_name!r}, {low:g} in {low_name!r}; must be the same in every future")
    return found

"""Power and cooling that a site's blocks give, for changes that are relative to it."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from models.dataset import Dataset
from models.tables import BlockStatus, PowerBlock, Retrofit, SiteLimit

Floats = NDArray[np.float64]


class Resource(StrEnum):
    """What a site can be short of."""

    IT = "it"
    LIQUID = "liquid"
    AIR = "air"


def _megawatts(block: PowerBlock, resource: Resource) -> float:
    if resource is Resource.IT:
        return block.usable_share * block.it_mw
    return block.liquid_mw if resource is Resource.LIQUID else block.air_mw


def firm(dataset: Dataset, site_id: str, resource: Resource) -> Floats:
    """MW of the site's firm blocks energized by each period; shape (periods,)."""
    total = np.zeros(dataset.calendar.periods)
    for block in dataset.rows(PowerBlock):
        if block.site_id == site_id and block.status is BlockStatus.FIRM:
            total[max(dataset.calendar.index(block.energized), 0) :] += _megawatts(block, resource)
    return total


def optional(dataset: Dataset, site_id: str, resource: Resource) -> Floats:
    """MW that options and retrofits may add by each period, each as early as it can; shape (periods,)."""
    calendar = dataset.calendar
    total = np.zeros(calendar.periods)
    for block in dataset.rows(PowerBlock):
        if block.site_id == site_id and block.status is BlockStatus.OPTION:
            first = max(calendar.index(block.energized), block.lead_periods, 0)
            latest = calendar.periods - 1 if block.latest is None else calendar.index(block.latest)
            if first <= latest:
                total[first:] += _megawatts(block, resource)
    if resource is Resource.LIQUID:
        for row in dataset.rows(Retrofit):
            if row.site_id == site_id:
                total[row.lead_periods :] += row.max_mw
    return total


def most(dataset: Dataset, site_id: str, resource: Resource) -> Floats:
    """Largest MW that blocks and retrofits can ever give; shape (periods,)."""
    return firm(dataset, site_id, resource) + optional(dataset, site_id, resource)


def limit(dataset: Dataset, site_id: str, resource: Resource) -> Floats:
    """Limit of site_limits in each period, infinite where none; shape (periods,)."""
    found = np.full(dataset.calendar.periods, np.inf)
    for row in sorted((r for r in dataset.rows(SiteLimit) if r.site_id == site_id), key=lambda r: dataset.calendar.index(r.from_period)):
        value = getattr(row, f"{resource.value}_mw")
        found[max(dataset.calendar.index(row.from_period), 0) :] = np.inf if value is None else value
    return found

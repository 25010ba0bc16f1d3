"""Paths of prices as changes."""

from __future__ import annotations

from models.changes import Change
from models.changes.energy import EnergyPrice
from models.changes.market import MarketPrice
from models.changes.supply import SupplyPrice
from models.dataset import Dataset
from models.uncertainty.sources import Price, PriceKind

Factors = tuple[tuple[int, float], ...]
"""Factors of a price by first period."""


def price_changes(dataset: Dataset, source: Price, factors: Factors) -> list[Change]:
    """Changes of a price path: one for each step whose factor is not 1."""
    label, found = dataset.calendar.label, list[Change]()
    for number, (begin, factor) in enumerate(factors):
        if factor == 1.0:
            continue
        first, last = label(begin), label(factors[number + 1][0] - 1) if number + 1 < len(factors) else None
        if source.price is PriceKind.GPU:
            found.append(SupplyPrice(gen_id=source.gen_id, factor=factor, from_period=first, to_period=last))
        elif source.price is PriceKind.MARKET:
            found.append(MarketPrice(gen_id=source.gen_id, tier=source.tier, factor=factor, from_period=first, to_period=last))
        else:
            found.append(EnergyPrice(price_zone=source.price_zone, factor=factor, from_period=first, to_period=last))
    return found

"""Random choices that samples of changes are made of; deterministic for a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from models.dataset import Dataset
from models.tables import Fleet, PowerBlock, Site, SiteStatus

T = TypeVar("T")


def one(rng: random.Random, items: Sequence[T]) -> T | None:
    """One of the items, None if there is none."""
    return rng.choice(items) if items else None


def later(dataset: Dataset, rng: random.Random, first: int = 0) -> str:
    """A period in the first two thirds of the horizon, from ``first`` on where that is possible."""
    last = dataset.calendar.periods - 1
    return dataset.calendar.label(rng.randint(min(first, last), max(min(first, last), (2 * last) // 3)))


def until(dataset: Dataset, rng: random.Random, begin: str) -> str | None:
    """An end up to six periods after the begin, or none."""
    last = min(dataset.calendar.index(begin) + rng.randint(0, 5), dataset.calendar.periods - 1)
    return dataset.calendar.label(last) if rng.random() < 0.5 else None


def mild(rng: random.Random) -> float:
    """A share from 5 to 30 %, in whole percent."""
    return rng.randint(5, 30) / 100


def nearby(rng: random.Random) -> float:
    """A factor from 0.75 to 1.3, never 1."""
    return rng.choice([0.75, 0.8, 0.85, 0.9, 0.95, 1.05, 1.1, 1.15, 1.2, 1.3])


def site_with_racks(dataset: Dataset, rng: random.Random) -> str | None:
    """A site with racks or firm power; any open site if there is none."""
    has_power = {row.site_id for row in dataset.rows(PowerBlock) if row.it_mw > 0} | {row.site_id for row in dataset.rows(Fleet)}
    ids = [row.site_id for row in dataset.rows(Site) if row.status is SiteStatus.OPEN and row.site_id in has_power]
    return one(rng, ids or [row.site_id for row in dataset.rows(Site)])


def fresh_id(taken: Sequence[str], stem: str) -> str:
    """An id that is not taken."""
    return next(name for name in (f"{stem}-{n}" for n in range(1, len(taken) + 2)) if name not in taken)

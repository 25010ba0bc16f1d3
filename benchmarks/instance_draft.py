"""An instance in the making: random numbers, periods, places, tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from models.calendar import Calendar

START, PERIODS = "2025-Q4", 29
REFERENCE_SITES, REFERENCE_MW = 32, 2380.0
"""Sites and firm IT power, MW, to which the reference's supply, contracts, market and budget belong: a little less power than
its 2,587 MW, for random sites and contracts fit each other less well than chosen ones."""

Table = list[dict[str, Any]]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Block:
    """A power block: MW, and the index of the period in which it is energized (at the earliest)."""

    it_mw: float
    air_mw: float
    liquid_mw: float
    energized: int
    option: bool = False


@dataclass
class Place:
    """A site with its blocks.

    Attributes:
        cell: number of the cell, a neighbourhood of about 32 sites with contracts of its own.
        liquid_share: of the cooling.
        derate: IT MW that may be used from a period on, where it is below the blocks.
        steady: whether no limit comes later.
        fleet: racks at the start by generation.
    """

    site_id: str
    kind: str
    cell: int
    zone: str
    lat: float
    lon: float
    liquid_share: float
    max_rack_kw: float | None
    blocks: list[Block]
    derate: list[tuple[int, float | None]] = field(default_factory=list)
    steady: bool = True
    price_zone: str = ""
    grid_node: str = ""
    fleet: dict[str, int] = field(default_factory=dict)

    @property
    def candidate(self) -> bool:
        """Whether the site is yet to be opened."""
        return self.kind == "candidate"

    def mw(self, t: int, options: bool = False) -> tuple[float, float, float]:
        """IT, air and liquid MW in period t, with the derate; firm blocks only unless options are asked for."""
        on = [b for b in self.blocks if b.energized <= t and (options or not b.option)]
        limit = [most for since, most in self.derate if since <= t][-1:]
        it = sum(b.it_mw for b in on)
        if limit and limit[0] is not None:
            it = min(it, limit[0])
        return it, sum(b.air_mw for b in on), sum(b.liquid_mw for b in on)


@dataclass(frozen=True)
class Gpu:
    """What other tables need of a generation: kW and GPUs per rack, liquid share, H100 GPUs that a GPU counts for, life in periods."""

    gen_id: str
    rack_kw: float
    gpus: int
    liquid_share: float
    worth: float
    life: int


class Draft:
    """Random numbers and tables of one instance; every method draws from one stream, so the order of calls is part of the seed."""

    def __init__(self, sites: int, seed: int) -> None:
        self.sites, self.seed = sites, seed
        self.rng = np.random.default_rng([seed, sites])
        self.calendar = Calendar(START, PERIODS)
        self.tables: dict[str, Table] = {}
        self.places: list[Place] = []
        self.gpus: dict[str, Gpu] = {}
        self.market: dict[str, list[float]] = {}

    @property
    def cells(self) -> int:
        """Number of neighbourhoods of about 32 sites."""
        return max(1, round(self.sites / REFERENCE_SITES))

    @property
    def scale(self) -> float:
        """Firm IT power as a multiple of the reference's."""
        return sum(p.mw(PERIODS)[0] for p in self.places) / REFERENCE_MW

    def add(self, table: str, **row: Any) -> None:
        """Add a row."""
        self.tables.setdefault(table, []).append(row)

    def label(self, t: int) -> str:
        """Label of a period index, inside or outside the horizon."""
        return self.calendar.label(t)

    def index(self, label: str) -> int:
        """Index of a period label."""
        return self.calendar.index(label)

    def pick(self, low: float, high: float, digits: int = 4) -> float:
        """A number between low and high."""
        return round(float(self.rng.uniform(low, high)), digits)

    def near(self, value: float, share: float, digits: int = 4) -> float:
        """A number at most this share above or below a value."""
        return round(value * float(self.rng.uniform(1 - share, 1 + share)), digits)

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, share: float) -> bool:
        """Yes, with this probability."""
        return bool(self.rng.random() < share)

    def some(self, items: list[Item], count: int) -> list[Item]:
        """Some of the items without repetition, in their order; all if there are fewer."""
        chosen = self.rng.permutation(len(items))[: max(count, 0)]
        return [items[i] for i in sorted(chosen.tolist())]


def shares(total: int, weights: list[float], least: int = 0) -> list[int]:
    """A whole number split by weights: largest remainders, every part at least ``least`` where the total allows, in order of weight."""
    exact = [total * w / sum(weights) for w in weights]
    parts = [max(int(x), least) for x in exact]
    while sum(parts) > total:
        parts[max(range(len(parts)), key=lambda i: (parts[i] - exact[i], parts[i]))] -= 1
    while sum(parts) < total:
        parts[min(range(len(parts)), key=lambda i: (parts[i] - exact[i], i))] += 1
    return parts

"""Which limits of a site are tight: the rule behind the column ``binding`` of a plan's sites table.

A limit binds a site in a period when the site uses some of it and what is left is of no use to the
site: less than the smallest step that could use it (one more rack), or nothing within tolerance.
A hall with 30 kW left is full when the smallest rack needs 45 kW. The names are those of ``BINDING_NAMES``:

==============  ====================================================  =============================================
name            limit against use (MW unless said)                    smallest step
==============  ====================================================  =============================================
it_power        IT power against racks in service                     smallest ``rack_kw/1000`` of the racks to hand
liquid          heat to liquid against racks in service               smallest positive ``liquid_share*rack_kw/1000``
air             heat to air against racks in service                  smallest positive ``(1-liquid_share)*rack_kw/1000``
grid            a limit of the site's grid node or of one above it,   smallest planned facility peak of a rack there
                against the draw of all sites below that node
install_rate    racks that can be installed in the period, against    1 rack
                racks installed (racks)
water           water of the period against its limit (m3)            none: only the tolerance counts
==============  ====================================================  =============================================

The racks to hand at a site in a period are those of the generations that its halls take
(``max_rack_kw``) and that either have racks in service there in that period, or can be installed in
that period with some supply allocated so far. Where no rack is to hand the step is 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models import tables as tb
from models.dataset import Dataset

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BINDING_NAMES = ("it_power", "liquid", "air", "grid", "install_rate", "water")
"""Names in the column ``binding``, in the order in which they are written."""

TOLERANCE = 1e-6
"""What is left counts as nothing below this share of ``max(1, limit)``; a rack fits if it is short by no more."""


def binding_mask(limit: ArrayLike, used: ArrayLike, grain: ArrayLike) -> Bools:
    """Whether limits bind, element by element.

    ``used > 0`` and ``limit - used < max(grain - tolerance, tolerance)`` with
    ``tolerance = 1e-6*max(1, limit)``: a rack that fits exactly is room that is left, whatever
    the last digit of a floating-point sum says. An infinite limit never binds.

    Args:
        limit, used, grain: limit, use and smallest step, in one unit; any shapes that broadcast.

    Returns:
        Booleans of the broadcast shape.
    """
    top, use, step = np.broadcast_arrays(np.asarray(limit, float), np.asarray(used, float), np.asarray(grain, float))
    tolerance = TOLERANCE * np.maximum(1.0, np.where(np.isfinite(top), top, 1.0))
    return np.asarray((use > 0) & (top - use < np.maximum(step - tolerance, tolerance)), dtype=np.bool_)


def binding(limit: float, used: float, grain: float) -> bool:
    """Whether one limit binds; the rule of ``binding_mask``."""
    return bool(binding_mask(limit, used, grain))


@dataclass(frozen=True)
class SiteUse:
    """What sites may use and use, for ``BindingRule.names``.

    Sites and generations are in the order of the dataset's tables; S sites, G generations, T periods.

    Attributes:
        installed, in_service: racks; shape (S, G, T).
        it_limit_mw, it_used_mw, liquid_limit_mw, liquid_used_mw, air_limit_mw, air_used_mw: the columns
            of the sites table, limits after retrofits and site limits; shape (S, T).
        facility_peak_mw: planned facility peak; shape (S, T).
        water_m3: water of the period; shape (S, T).
    """

    installed: Floats
    in_service: Floats
    it_limit_mw: Floats
    it_used_mw: Floats
    liquid_limit_mw: Floats
    liquid_used_mw: Floats
    air_limit_mw: Floats
    air_used_mw: Floats
    facility_peak_mw: Floats
    water_m3: Floats


class BindingRule:
    """Names the tight limits of a plan's sites.

    ``BindingRule(dataset).names(use)`` gives the column ``binding`` for all sites and periods at once.

    Args:
        dataset: a checked dataset.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.calendar = dataset.calendar
        self.periods = dataset.settings.periods
        self.sites = dataset.rows(tb.Site)
        self.gens = dataset.rows(tb.Generation)

    @cached_property
    def hosts(self) -> Bools:
        """Whether the halls of a site take the rack; shape (S, G)."""
        largest = np.array([math.inf if s.max_rack_kw is None else s.max_rack_kw for s in self.sites])
        return np.asarray(largest[:, None] >= np.array([g.rack_kw for g in self.gens])[None, :], dtype=np.bool_)

    @cached_property
    def obtainable(self) -> Bools:
        """Whether a rack can be installed by its window, and some supply is allocated by then; shape (G, T)."""
        place = {g.gen_id: i for i, g in enumerate(self.gens)}
        racks = np.zeros((len(self.gens), self.periods))
        for row in self.dataset.rows(tb.Supply):
            racks[place[row.gen_id], self.calendar.index(row.period)] += row.racks
        window = np.zeros((len(self.gens), self.periods), dtype=bool)
        for i, gen in enumerate(self.gens):
            first, last = self.calendar.index(gen.first_install), self.calendar.index(gen.last_install)
            window[i, max(first, 0) : max(last + 1, 0)] = True
        return np.asarray(window & (racks.cumsum(axis=1) > 0), dtype=np.bool_)

    def to_hand(self, in_service: Floats) -> Bools:
        """Generations whose next rack could use what is left; shape (S, G, T)."""
        return np.asarray(self.hosts[:, :, None] & ((in_service > 0) | self.obtainable[None]), dtype=np.bool_)

    def _smallest(self, per_rack: Floats, hand: Bools) -> Floats:
        """Smallest positive use of a rack to hand, 0 where there is none; ``per_rack`` of shape (S, G), result (S, T)."""
        steps = np.where(hand & (per_rack[:, :, None] > 0), per_rack[:, :, None], np.inf)
        least = steps.min(axis=1, initial=np.inf)
        return np.where(np.isfinite(least), least, 0.0)

    def peak_mw(self) -> Floats:
        """Planned facility peak of a rack, MW; shape (S, G)."""
        liquid = np.array([s.pue_liquid_peak for s in self.sites])[:, None]
        air = np.array([s.pue_air_peak for s in self.sites])[:, None]
        share = np.array([g.liquid_share for g in self.gens])[None, :]
        rack_mw = np.array([g.rack_kw for g in self.gens])[None, :] / 1000.0
        return np.asarray(rack_mw * (share * liquid + (1.0 - share) * air), dtype=np.float64)

    @cached_property
    def nodes(self) -> dict[str, tuple[Floats, list[int]]]:
        """Limit over the horizon, MW, and indices of the sites below, for every grid node with a limit and a site."""
        parent = {row.node_id: row.parent_id for row in self.dataset.rows(tb.GridNode)}
        limits: dict[str, Floats] = {}
        for row in sorted(self.dataset.rows(tb.GridLimit), key=lambda r: self.calendar.index(r.from_period)):
            limits.setdefault(row.node_id, np.full(self.periods, np.inf))[max(self.calendar.index(row.from_period), 0) :] = row.limit_mw
        below: dict[str, list[int]] = {node: [] for node in limits}
        for i, site in enumerate(self.sites):
            node = site.grid_node
            while node is not None:
                if node in below:
                    below[node].append(i)
                node = parent.get(node)
        return {node: (limits[node], sites) for node, sites in below.items() if sites}

    def _grid(self, peak: Floats, grain: Floats) -> Bools:
        """Sites with a tight grid node above them; shape (S, T)."""
        tight = np.zeros(peak.shape, dtype=bool)
        for limit, sites in self.nodes.values():
            drawn = peak[sites].sum(axis=0)
            tight[sites] |= binding_mask(limit[None, :], drawn[None, :], grain[sites])
        return np.asarray(tight & (peak > 0), dtype=np.bool_)

    def masks(self, use: SiteUse) -> dict[str, Bools]:
        """Which limits bind, by name; each of shape (S, T)."""
        hand = self.to_hand(use.in_service)
        rack = np.array([g.rack_kw for g in self.gens])[None, :] / 1000.0 + np.zeros((len(self.sites), 1))
        liquid = np.array([g.liquid_share for g in self.gens])[None, :]
        rate = np.array([math.inf if s.install_racks_per_period is None else s.install_racks_per_period for s in self.sites])
        water = np.array([math.inf if s.water_limit_m3_per_period is None else s.water_limit_m3_per_period for s in self.sites])
        return {
            "it_power": binding_mask(use.it_limit_mw, use.it_used_mw, self._smallest(rack, hand)),
            "liquid": binding_mask(use.liquid_limit_mw, use.liquid_used_mw, self._smallest(rack * liquid, hand)),
            "air": binding_mask(use.air_limit_mw, use.air_used_mw, self._smallest(rack * (1.0 - liquid), hand)),
            "grid": self._grid(use.facility_peak_mw, self._smallest(self.peak_mw(), hand)),
            "install_rate": binding_mask(rate[:, None], use.installed.sum(axis=1), 1.0),
            "water": binding_mask(water[:, None], use.water_m3, 0.0),
        }

    def names(self, use: SiteUse) -> NDArray[np.object_]:
        """The column ``binding``: names joined by ``;`` in the order of ``BINDING_NAMES``, empty where nothing binds; shape (S, T)."""
        masks = self.masks(use)
        text = np.full((len(self.sites), self.periods), "", dtype=object)
        for name in BINDING_NAMES:
            mask = masks[name]
            text[mask] = [f"{known};{name}" if known else name for known in text[mask]]
        return text

"""What a plan uses and has, recomputed from its racks, deliveries, sales and decisions."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd

from models import tables as tb
from optimizer.audit.facts import Bools, Facts, Floats, Ints
from optimizer.audit.placed import Placed, dense
from optimizer.audit.report import TOLERANCE


class Usage:
    """Quantities that follow from a plan: S sites, G generations, C contracts, T periods.

    Args:
        facts: the dataset.
        plan: the plan's arrays.
    """

    def __init__(self, facts: Facts, plan: Placed) -> None:
        self.facts, self.plan = facts, plan
        self.shape_sgt = plan.in_service.shape

    # contracts ---------------------------------------------------------------------------------

    @cached_property
    def deliveries(self) -> pd.DataFrame:
        """Sound rows of deliveries.csv with ``eq``: contract GPUs that a physical GPU counts for."""
        frame = self.plan.tables["deliveries"]
        return frame.assign(eq=self.facts.equivalent[frame["c"].to_numpy(int), frame["g"].to_numpy(int)])

    @cached_property
    def served(self) -> Floats:
        """Contract GPUs delivered by site; shape (C, S, T)."""
        facts = self.facts
        frame = self.deliveries.assign(counted=lambda rows: rows["gpus"] * rows["eq"])
        return dense(frame, ("c", "s", "t"), (len(facts.contract_ids), len(facts.site_ids), facts.periods), "counted")

    @cached_property
    def delivered(self) -> Floats:
        """Contract GPUs delivered; shape (C, T)."""
        return np.asarray(self.served.sum(axis=1), dtype=np.float64)

    @cached_property
    def owed(self) -> Floats:
        """``D*sign``: contract GPUs owed; shape (C, T)."""
        return np.where(self.plan.signed[:, None], self.facts.ramp, 0.0)

    @cached_property
    def serving(self) -> Bools:
        """Whether a site delivers more than a tolerance to a contract in some period; shape (C, S)."""
        least = TOLERANCE * np.maximum(1.0, self.facts.ramp)
        return np.asarray((self.served > least[:, None, :]).any(axis=2), dtype=np.bool_)

    @cached_property
    def before(self) -> tuple[Floats, Floats, Bools]:
        """Of each period the placement before it (C, S, T), the contract GPUs owed then (C, T), and whether moves count (C, T)."""
        current, listed = self.facts.current
        placed = np.concatenate([current[:, :, None], self.served[:, :, :-1]], axis=2)
        owed = np.concatenate([current.sum(axis=1)[:, None], self.owed[:, :-1]], axis=1)
        runs = (self.owed > 0) & (owed > 0)
        runs[:, 0] = (self.owed[:, 0] > 0) & listed
        return placed, owed, np.asarray(runs, dtype=np.bool_)

    @cached_property
    def moved(self) -> Floats:
        """Contract GPUs withdrawn from sites while the contract runs on; shape (C, T)."""
        placed, _, runs = self.before
        return np.where(runs, np.maximum(placed - self.served, 0.0).sum(axis=1), 0.0)

    @cached_property
    def held(self) -> Floats:
        """GPUs held for contracts, spares included; shape (S, G, T)."""
        spare = self.facts.contract("spare_share")
        frame = self.deliveries
        return dense(frame.assign(held=frame["gpus"] * (1.0 + spare[frame["c"].to_numpy(int)])), ("s", "g", "t"), self.shape_sgt, "held")

    # sites -------------------------------------------------------------------------------------

    @cached_property
    def open(self) -> Bools:
        """Whether each site is in use; shape (S, T)."""
        return np.asarray(self.plan.opened[:, None] <= np.arange(self.facts.periods)[None, :], dtype=np.bool_)

    @cached_property
    def built(self) -> Bools:
        """Whether each block is energized; shape (blocks, T)."""
        return np.asarray(self.plan.built[:, None] <= np.arange(self.facts.periods)[None, :], dtype=np.bool_)

    def capacity(self, megawatts: Floats) -> Floats:
        """Sum over a site's energized blocks of their megawatts; shape (S, T)."""
        total = np.zeros((len(self.facts.site_ids), self.facts.periods))
        np.add.at(total, self.facts.block_site, megawatts[:, None] * self.built)
        return total

    @cached_property
    def it_capacity(self) -> Floats:
        """IT power of blocks, MW; shape (S, T)."""
        return self.capacity(self.facts.block("usable_share") * self.facts.block("it_mw"))

    @cached_property
    def air_blocks(self) -> Floats:
        """``AIR`` of model.md: air cooling of blocks before retrofits, MW; shape (S, T)."""
        return self.capacity(self.facts.block("air_mw"))

    @cached_property
    def liquid_capacity(self) -> Floats:
        """Liquid cooling of blocks and finished retrofits, MW; shape (S, T)."""
        return self.capacity(self.facts.block("liquid_mw")) + self._ordered_after(self._retrofit_periods[0])

    @cached_property
    def air_capacity(self) -> Floats:
        """Air cooling of blocks without the halls under conversion or converted, MW; shape (S, T)."""
        lead, downtime = self._retrofit_periods
        return self.air_blocks - self._ordered_after(lead - downtime)

    @cached_property
    def _retrofit_periods(self) -> tuple[Ints, Ints]:
        """Lead and downtime of retrofits by site, 0 where there are none; shape (S,) each."""
        lead, downtime = np.zeros((2, len(self.facts.site_ids)), dtype=np.intp)
        for row in self.facts.dataset.rows(tb.Retrofit):
            s = self.facts.site_ids.index(row.site_id)
            lead[s] = row.lead_periods
            downtime[s] = row.lead_periods if row.downtime_periods is None else row.downtime_periods
        return lead, downtime

    def _ordered_after(self, delay: Ints) -> Floats:
        """Retrofit MW ordered at least ``delay`` periods ago; shape (S, T)."""
        total = np.zeros((len(self.facts.site_ids), self.facts.periods))
        orders = self.plan.orders
        for s, t, mw in zip(orders.s, orders.t, orders.mw, strict=True):
            total[s, t + delay[s] :] += mw
        return total

    @cached_property
    def retrofit_mw(self) -> Floats:
        """``R``: retrofit MW ordered up to each period; shape (S, T)."""
        return self._ordered_after(np.zeros(len(self.facts.site_ids), dtype=np.intp))

    def racks_mw(self, per_rack: Floats) -> Floats:
        """Sum over racks in service of MW per rack, given by generation (G,) or site and generation (S, G); shape (S, T)."""
        each = np.broadcast_to(per_rack, self.shape_sgt[:2])
        return np.asarray(np.einsum("sgt,sg->st", self.plan.in_service, each), dtype=np.float64)

    @cached_property
    def it_used(self) -> Floats:
        """IT power of racks in service, MW; shape (S, T)."""
        return self.racks_mw(self.facts.rack_mw)

    @cached_property
    def liquid_used(self) -> Floats:
        """Heat to liquid, MW; shape (S, T)."""
        return self.racks_mw(self.facts.rack_mw * self.facts.liquid_share)

    @cached_property
    def air_used(self) -> Floats:
        """Heat to air, MW; shape (S, T)."""
        return self.racks_mw(self.facts.rack_mw * (1.0 - self.facts.liquid_share))

    @cached_property
    def overhead(self) -> Floats:
        """Draw of open sites without racks, MW; shape (S, T)."""
        return self.facts.site("overhead_mw")[:, None] * self.open

    @cached_property
    def peak(self) -> Floats:
        """``F``: planned facility peak, MW; shape (S, T)."""
        facts = self.facts
        liquid, air = facts.site("pue_liquid_peak")[:, None], facts.site("pue_air_peak")[:, None]
        return self.overhead + self.racks_mw(facts.rack_mw * (facts.liquid_share * liquid + (1.0 - facts.liquid_share) * air))

    @cached_property
    def it_average(self) -> Floats:
        """``A``: average IT power of racks, MW; shape (S, G, T)."""
        facts = self.facts
        idle, per_rack = facts.gen("idle_share"), facts.gen("gpus_per_rack")
        frame = self.deliveries
        above_idle = facts.contract("load_share")[frame["c"].to_numpy(int)] - idle[frame["g"].to_numpy(int)]
        loaded = dense(frame.assign(loaded=frame["gpus"] * above_idle), ("s", "g", "t"), self.shape_sgt, "loaded")
        loaded += (facts.settings.load_market - idle)[None, :, None] * self.plan.sold
        loaded += (idle * per_rack)[None, :, None] * self.plan.in_service
        return np.asarray((facts.rack_mw / per_rack)[None, :, None] * loaded, dtype=np.float64)

    @cached_property
    def average(self) -> Floats:
        """``P``: average facility draw, MW; shape (S, T)."""
        air, liquid = self.facts.pue
        share = self.facts.liquid_share
        return np.asarray(
            self.overhead
            + np.einsum("sgt,g->st", self.it_average, share) * liquid
            + np.einsum("sgt,g->st", self.it_average, 1.0 - share) * air,
            dtype=np.float64,
        )

    @cached_property
    def energy_mwh(self) -> Floats:
        """Energy, MWh; shape (S, T)."""
        return self.facts.hours * self.average

    @cached_property
    def tonnes(self) -> Floats:
        """Emissions, tonnes of CO2; shape (S, T)."""
        return self.energy_mwh * self.facts.energy[1]

    @cached_property
    def water(self) -> Floats:
        """Water, m3 (1 L/kWh is 1 m3/MWh; overhead excluded); shape (S, T)."""
        return np.asarray(self.facts.hours * self.it_average.sum(axis=1) * self.facts.site("wue_l_per_kwh")[:, None], dtype=np.float64)

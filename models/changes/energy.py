"""Changes of energy, demand charges and carbon: prices by zone, and the yearly cap on emissions."""

from __future__ import annotations

import random
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from models.changes.base import Change, Edit, exactly_one, factor_text, figure, window_text
from models.changes.fields import Real, Text, among, amount, factor, first_period, last_period, signed
from models.changes.pick import later, nearby, one, until
from models.changes.steps import Step, restep, scaled
from models.dataset import Dataset
from models.tables import DemandCharge, EnergySlice, Site

ZONE = "sites.price_zone"


def zones(dataset: Dataset, zone: str | None) -> list[str]:
    """This price zone, or all in which sites lie."""
    return list(dict.fromkeys(row.price_zone for row in dataset.rows(Site) if zone in (None, row.price_zone)))


class EnergyPrice(Change):
    """Energy costs more or less, in all slices of the hours or one."""

    title = "Energy price"
    example: ClassVar[dict[str, Any]] = {
        "type": "energy.price", "price_zone": "GB_UK", "factor": 1.4, "from_period": "2026-Q4", "to_period": "2027-Q1",
    }  # fmt: skip
    type: Literal["energy.price"] = "energy.price"
    price_zone: Text | None = among("price zone", ZONE, default=None, none_means="all")
    slice: Text | None = among("slice of the hours", "energy.slice", default=None, none_means="all")
    factor: Real | None = factor("factor on the price", none_means="added_usd_per_mwh")
    added_usd_per_mwh: Real | None = signed("added to the price; may be negative", "USD per MWh", default=None, none_means="factor")
    from_period: Text | None = first_period()
    to_period: Text | None = last_period()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        exactly_one(self, "factor", "added_usd_per_mwh")
        return self

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        hours = f" in {self.slice} hours" if self.slice else ""
        added = self.added_usd_per_mwh
        what = f"{'+' if added >= 0 else ''}{figure(added)} USD per MWh" if added is not None else factor_text(self.factor or 0.0)
        return f"{self.price_zone or 'all price zones'}: energy price{hours} {what}{window_text(self.from_period, self.to_period)}"

    def edit(self, edit: Edit) -> Dataset:
        """Rows of energy, all slices of a zone and season together, of the seasons that occur in the window."""
        first, last = edit.window(self)

        def new(usd: float) -> float:
            return usd * self.factor if self.factor is not None else usd + (self.added_usd_per_mwh or 0.0)

        def change(rows: Step, t: int) -> Step:
            return tuple(
                row.model_copy(update={"usd_per_mwh": new(row.usd_per_mwh)}) if self.slice in (None, row.slice) else row for row in rows
            )

        chosen = set(zones(edit.dataset, self.price_zone))
        weights = edit.dataset.calendar.season_weights[first : None if last is None else last + 1]
        seasons = {None, *(q + 1 for q in range(4) if weights[:, q].any())}
        return restep(
            edit.dataset, EnergySlice, lambda row: row.price_zone in chosen and row.season in seasons, first, last, change,
            together=("slice",),
        )  # fmt: skip

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """One zone or all, up to a quarter cheaper or 30 % dearer."""
        zone, begin = one(rng, [None, *zones(dataset, None)]), later(dataset, rng)
        return cls(price_zone=zone, factor=nearby(rng), from_period=begin, to_period=until(dataset, rng, begin))


class EnergyDemandCharge(Change):
    """The charge on the planned peak."""

    title = "Demand charge"
    example: ClassVar[dict[str, Any]] = {
        "type": "energy.demand_charge", "price_zone": "PJM_NJ", "factor": 1.5, "from_period": "2027-Q1",
    }  # fmt: skip
    type: Literal["energy.demand_charge"] = "energy.demand_charge"
    price_zone: Text | None = among("price zone", ZONE, default=None, none_means="all")
    factor: Real | None = factor("factor on the charge", none_means="usd_per_kw_month")
    usd_per_kw_month: Real | None = amount(
        "charge on the facility's planned peak", "USD per kW and month", default=None, none_means="factor"
    )
    from_period: Text | None = first_period()
    to_period: Text | None = last_period()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        exactly_one(self, "factor", "usd_per_kw_month")
        return self

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        usd = self.usd_per_kw_month
        what = f"{figure(usd)} USD per kW and month" if usd is not None else factor_text(self.factor or 0.0)
        return f"{self.price_zone or 'all price zones'}: demand charge {what}{window_text(self.from_period, self.to_period)}"

    def edit(self, edit: Edit) -> Dataset:
        """Rows of demand_charges; 0 before a zone's first row."""
        first, last = edit.window(self)

        def change(rows: Step, t: int) -> Step:
            fixed = self.usd_per_kw_month
            return scaled(rows, usd_per_kw_month=lambda usd: usd * self.factor if fixed is None else fixed)

        def free(key: tuple[Any, ...]) -> Step:
            return (DemandCharge(price_zone=key[0], from_period="-", usd_per_kw_month=0.0),)

        chosen = dict.fromkeys((zone,) for zone in zones(edit.dataset, self.price_zone))
        return restep(
            edit.dataset, DemandCharge, lambda row: (row.price_zone,) in chosen, first, last, change, add=chosen, blank=free
        )  # fmt: skip

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """One zone or all, up to a quarter cheaper or 30 % dearer; a charge of its own where there is none."""
        zone = one(rng, [None, *zones(dataset, None)])
        charged = any(row.usd_per_kw_month > 0 and zone in (None, row.price_zone) for row in dataset.rows(DemandCharge))
        begin = later(dataset, rng)
        if charged:
            return cls(price_zone=zone, factor=nearby(rng), from_period=begin, to_period=until(dataset, rng, begin))
        return cls(price_zone=zone, usd_per_kw_month=float(rng.randint(1, 12)), from_period=begin, to_period=until(dataset, rng, begin))

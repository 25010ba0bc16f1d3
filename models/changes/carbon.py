"""Changes of carbon: prices by zone, and the cap on the emissions of a year."""

from __future__ import annotations

import random
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from models.changes.base import Change, Edit, exactly_one, factor_text, figure, window_text
from models.changes.energy import ZONE, zones
from models.changes.fields import Flag, Real, Text, Whole, among, amount, count, factor, first_period, flag, last_period
from models.changes.pick import later, one, until
from models.changes.steps import Step, restep, scaled, with_rows
from models.dataset import Dataset
from models.tables import CarbonCap, CarbonPrice


class CarbonPriceChange(Change):
    """The price of emitted carbon dioxide."""

    title = "Carbon price"
    example: ClassVar[dict[str, Any]] = {"type": "carbon.price", "price_zone": "PJM_NJ", "usd_per_t": 40, "from_period": "2028-Q1"}
    type: Literal["carbon.price"] = "carbon.price"
    price_zone: Text | None = among("price zone", ZONE, default=None, none_means="all")
    factor: Real | None = factor("factor on the price", none_means="usd_per_t")
    usd_per_t: Real | None = amount("price of emitted CO2", "USD per tonne", default=None, none_means="factor")
    from_period: Text | None = first_period()
    to_period: Text | None = last_period()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        exactly_one(self, "factor", "usd_per_t")
        return self

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        what = f"{figure(self.usd_per_t)} USD per tonne" if self.usd_per_t is not None else factor_text(self.factor or 0.0)
        return f"{self.price_zone or 'all price zones'}: carbon price {what}{window_text(self.from_period, self.to_period)}"

    def edit(self, edit: Edit) -> Dataset:
        """Rows of carbon_prices; 0 before a zone's first row."""
        first, last = edit.window(self)

        def change(rows: Step, t: int) -> Step:
            fixed = self.usd_per_t
            return scaled(rows, usd_per_t=lambda usd: usd * self.factor if fixed is None else fixed)

        def free(key: tuple[Any, ...]) -> Step:
            return (CarbonPrice(price_zone=key[0], from_period="-", usd_per_t=0.0),)

        chosen = dict.fromkeys((zone,) for zone in zones(edit.dataset, self.price_zone))
        return restep(edit.dataset, CarbonPrice, lambda row: (row.price_zone,) in chosen, first, last, change, add=chosen, blank=free)

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """5 to 60 USD per tonne in one zone or all."""
        zone, begin = one(rng, [None, *zones(dataset, None)]), later(dataset, rng)
        return cls(price_zone=zone, usd_per_t=float(rng.randint(5, 60)), from_period=begin, to_period=until(dataset, rng, begin))


class CarbonCapChange(Change):
    """Emissions allowed in calendar years."""

    title = "Carbon cap"
    example: ClassVar[dict[str, Any]] = {"type": "carbon.cap", "from_year": 2030, "to_year": 2032, "factor": 0.9}
    type: Literal["carbon.cap"] = "carbon.cap"
    from_year: Whole = count("first calendar year", "year", least=1900, most=2200)
    to_year: Whole | None = count("last calendar year", "year", default=None, none_means="from_year", least=1900, most=2200)
    factor: Real | None = factor("factor on the caps there are", none_means="tonnes or lifted")
    tonnes: Real | None = amount("emissions allowed in each year", "tonnes CO2", default=None, none_means="factor or lifted")
    lifted: Flag = flag("no cap in these years")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        exactly_one(self, "factor", "tonnes", "lifted")
        if self.to_year is not None and self.to_year < self.from_year:
            raise ValueError(f"to_year is before from_year, {self.from_year}")
        return self

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        when = f" in {self.from_year}" + (f" to {self.to_year}" if self.to_year not in (None, self.from_year) else "")
        what = "lifted" if self.lifted else factor_text(self.factor or 0.0)
        return f"carbon cap {f'{figure(self.tonnes)} tonnes a year' if self.tonnes is not None else what}{when}"

    def edit(self, edit: Edit) -> Dataset:
        """Rows of carbon_cap; a factor leaves years without a cap as they are."""
        rows = {row.year: row for row in edit.dataset.rows(CarbonCap)}
        years = set(edit.dataset.calendar.years)
        if self.from_year not in years:
            allowed = f"a year from {min(years)} to {max(years)}"
            edit.refuse("from_year", "is outside the horizon", "outside_horizon", self.from_year, allowed)
        for year in range(self.from_year, (self.to_year or self.from_year) + 1):
            if self.lifted:
                rows.pop(year, None)
            elif self.tonnes is not None:
                rows[year] = CarbonCap(year=year, tonnes=self.tonnes)
            elif year in rows:
                rows[year] = CarbonCap(year=year, tonnes=rows[year].tonnes * (self.factor or 0.0))
        return with_rows(edit.dataset, CarbonCap, rows.values())

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """5 % less to 10 % more than a cap that is there."""
        years = set(dataset.calendar.years)
        row = one(rng, [row for row in dataset.rows(CarbonCap) if row.year in years])
        return None if row is None else cls(from_year=row.year, factor=rng.choice([0.95, 0.97, 1.05, 1.1]))

"""Changes of sites: derates, outages, late power, new blocks, closure, rack density."""

from __future__ import annotations

import math
import random
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from models.changes import power
from models.changes.base import Change, Edit, figure, percent, periods_text, window_text
from models.changes.fields import (
    Real,
    Text,
    Whole,
    among,
    amount,
    choice,
    count,
    first_period,
    last_period,
    period,
    portion,
)  # fmt: skip
from models.changes.pick import later, mild, site_with_racks, until
from models.changes.power import Resource
from models.changes.steps import Step, restep, with_rows
from models.dataset import Dataset
from models.tables import Site, SiteLimit

SITE = "sites.site_id"
WORDS = {Resource.IT: "IT power", Resource.LIQUID: "liquid cooling", Resource.AIR: "air cooling"}


def lower(dataset: Dataset, site_id: str, limits: dict[Resource, NDArray[np.float64]], first: int, last: int | None) -> Dataset:
    """The dataset with these limits, MW by period, where they are below what holds anyway."""
    names = {r: f"{r.value}_mw" for r in limits}
    most = {r: power.most(dataset, site_id, r) for r in limits}
    end = dataset.calendar.periods - 1

    def change(rows: Step, t: int) -> Step:
        row = rows[0]
        new = {}
        for r, name in names.items():
            had, limit = getattr(row, name), float(limits[r][min(max(t, 0), end)])
            if limit < (math.inf if had is None else had) and limit < most[r][min(max(t, 0), end)]:
                new[name] = limit
        return (row.model_copy(update=new),) if new else rows

    breaks = {t for r in limits for t in range(1, end + 1) if limits[r][t] != limits[r][t - 1] or most[r][t] != most[r][t - 1]}
    return restep(
        dataset, SiteLimit, lambda row: row.site_id == site_id, first, last, change, add=[(site_id,)], breaks=breaks, blank=unlimited
    )


def unlimited(key: tuple[Any, ...]) -> Step:
    """A site without limits."""
    return (SiteLimit(site_id=key[0], from_period="-"),)


class SiteDerate(Change):
    """A site may use less power, or remove less heat, for a while or for good.

    Racks beyond the limit have to be retired: the model has no racks that stand without power.
    """

    title = "Derate a site"
    example: ClassVar[dict[str, Any]] = {
        "type": "site.derate", "site_id": "chester-va", "derate_share": 0.2, "from_period": "2026-Q3", "to_period": "2027-Q1",
    }  # fmt: skip
    type: Literal["site.derate"] = "site.derate"
    site_id: Text = among("site", SITE)
    derate_share: Real | None = portion("share of the capacity that is lost", default=None, none_means="the limits in MW")
    resource: Resource = choice("what the share is taken of: IT power, liquid or air cooling", default=Resource.IT)
    it_mw: Real | None = amount("largest IT load", "MW IT", default=None, none_means="as before")
    liquid_mw: Real | None = amount("largest heat to liquid", "MW", default=None, none_means="as before")
    air_mw: Real | None = amount("largest heat to air", "MW", default=None, none_means="as before")
    from_period: Text | None = first_period()
    to_period: Text | None = last_period()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        megawatts = [name for name in ("it_mw", "liquid_mw", "air_mw") if getattr(self, name) is not None]
        if (self.derate_share is None) == (not megawatts):
            raise ValueError("needs either derate_share or limits in MW (it_mw, liquid_mw, air_mw)")
        return self

    def _given(self) -> dict[Resource, float]:
        limits = {r: getattr(self, f"{r.value}_mw") for r in Resource}
        return {r: mw for r, mw in limits.items() if mw is not None}

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        when = window_text(self.from_period, self.to_period)
        if self.derate_share is not None:
            return f"{self.site_id}: {WORDS[self.resource]} derated by {percent(self.derate_share)}{when}"
        limits = ", ".join(f"{WORDS[r]} at most {figure(mw)} MW" for r, mw in self._given().items())
        return f"{self.site_id}: {limits}{when}"

    def edit(self, edit: Edit) -> Dataset:
        """Rows of site_limits; a share counts from what blocks, options as if built, and earlier limits allow."""
        first, last = edit.window(self)
        dataset, periods = edit.dataset, edit.dataset.calendar.periods
        limits = {r: np.full(periods, mw) for r, mw in self._given().items()}
        if self.derate_share is not None:
            r = self.resource
            held = np.minimum(power.most(dataset, self.site_id, r), power.limit(dataset, self.site_id, r))
            limits = {r: (1.0 - self.derate_share) * held}
            extra = power.optional(dataset, self.site_id, r)[first : None if last is None else last + 1]
            if extra.max(initial=0.0) > 0:
                start = dataset.calendar.label(first + int(np.argmax(extra > 0)))
                what = "options" if r is not Resource.LIQUID else "options and retrofits"
                problem = f"{what} of {figure(float(extra.max()))} MW at {self.site_id} count as built from {start} on; limits in MW hold either way"
                edit.warn("derate_share", problem, "options_counted")
        return lower(dataset, self.site_id, limits, first, last)

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """5 to 30 % less IT power."""
        site, begin = site_with_racks(dataset, rng), later(dataset, rng)
        end = until(dataset, rng, begin)
        return None if site is None else cls(site_id=site, derate_share=mild(rng), from_period=begin, to_period=end)


class SiteOutage(Change):
    """A site is out of service for some periods; its racks have to be retired before and bought anew after."""

    title = "Outage of a site"
    example: ClassVar[dict[str, Any]] = {"type": "site.outage", "site_id": "reno-nv", "from_period": "2026-Q3", "outage_periods": 1}
    type: Literal["site.outage"] = "site.outage"
    site_id: Text = among("site", SITE)
    from_period: Text = period("first period without power")
    outage_periods: Whole = count("periods without power", "periods", default=1, least=1, most=400)

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        return f"{self.site_id}: out of service for {periods_text(dataset, self.outage_periods)} from {self.from_period}"

    def edit(self, edit: Edit) -> Dataset:
        """Rows of site_limits: no IT load."""
        calendar = edit.dataset.calendar
        first = calendar.index(self.from_period)
        last = first + self.outage_periods - 1
        none = {Resource.IT: np.zeros(calendar.periods)}
        return lower(edit.dataset, self.site_id, none, first, None if last >= calendar.periods - 1 else last)

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """One period without power."""
        site = site_with_racks(dataset, rng)
        return None if site is None else cls(site_id=site, from_period=later(dataset, rng), outage_periods=1)


class SiteClose(Change):
    """A site ends: no racks from a period on. Leases of its firm blocks stay due."""

    title = "Close a site"
    example: ClassVar[dict[str, Any]] = {"type": "site.close", "site_id": "reno-nv", "from_period": "2028-Q1"}
    type: Literal["site.close"] = "site.close"
    site_id: Text = among("site", SITE)
    from_period: Text = period("first period without the site")

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        return f"{self.site_id}: closed from {self.from_period}"

    def edit(self, edit: Edit) -> Dataset:
        """A row of site_limits with no IT load, for ever."""
        calendar = edit.dataset.calendar
        none = {Resource.IT: np.zeros(calendar.periods)}
        return lower(edit.dataset, self.site_id, none, calendar.index(self.from_period), None)

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """A site that ends in the second half of the horizon."""
        site = site_with_racks(dataset, rng)
        begin = later(dataset, rng, dataset.calendar.periods // 2)
        return None if site is None else cls(site_id=site, from_period=begin)


class SiteDensity(Change):
    """The largest rack that the halls of a site take."""

    title = "Rack density of a site"
    example: ClassVar[dict[str, Any]] = {"type": "site.density", "site_id": "plano-tx", "max_rack_kw": 130}
    type: Literal["site.density"] = "site.density"
    site_id: Text = among("site", SITE)
    max_rack_kw: Real | None = amount("largest rack", "kW IT per rack", default=None, none_means="any rack")

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        what = "any rack fits" if self.max_rack_kw is None else f"racks of at most {figure(self.max_rack_kw)} kW"
        return f"{self.site_id}: {what}"

    def edit(self, edit: Edit) -> Dataset:
        """A figure of sites; racks in service stay."""
        most = self.max_rack_kw
        rows = [r.model_copy(update={"max_rack_kw": most}) if r.site_id == self.site_id else r for r in edit.dataset.rows(Site)]
        return with_rows(edit.dataset, Site, rows)

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """A limit between usual racks."""
        site = site_with_racks(dataset, rng)
        return None if site is None else cls(site_id=site, max_rack_kw=rng.choice([50.0, 70.0, 140.0, 160.0, 230.0, None]))

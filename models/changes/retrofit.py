"""Changes of retrofits: conversions of air-cooled halls allowed, forbidden or ordered."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from models.changes.base import Change, Edit, figure
from models.changes.directive import with_directives
from models.changes.fields import Real, Text, Whole, among, amount, count, period
from models.changes.pick import later, one, site_with_racks
from models.changes.site import SITE
from models.changes.steps import with_rows
from models.dataset import Dataset
from models.tables import DecisionKind, Directive, Retrofit, Rule

CONVERTIBLE = "retrofits.site_id"


class RetrofitAllow(Change):
    """A site may be converted, on these terms; they replace those it has."""

    title = "Allow a retrofit"
    example: ClassVar[dict[str, Any]] = {
        "type": "retrofit.allow", "site_id": "reno-nv", "min_mw": 3, "max_mw": 10, "fixed_usd": 4e6, "usd_per_kw": 2000,
        "lead_periods": 3, "downtime_periods": 1,
    }  # fmt: skip
    type: Literal["retrofit.allow"] = "retrofit.allow"
    site_id: Text = among("site", SITE)
    min_mw: Real = amount("smallest order", "MW", default=0.0)
    max_mw: Real = amount("largest order", "MW")
    fixed_usd: Real = amount("fixed cost of the order", "USD")
    usd_per_kw: Real = amount("cost per kW converted", "USD per kW")
    lead_periods: Whole = count("periods from order until the liquid cools", "periods", most=1200)
    downtime_periods: Whole | None = count(
        "periods without the air before the liquid cools", "periods", default=None, none_means="lead_periods", most=1200
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_mw > self.max_mw:
            raise ValueError("min_mw is above max_mw")
        if self.downtime_periods is not None and self.downtime_periods > self.lead_periods:
            raise ValueError("downtime_periods is above lead_periods")
        return self

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        cost = f"{figure(self.fixed_usd)} USD and {figure(self.usd_per_kw)} USD per kW"
        return f"{self.site_id}: {figure(self.min_mw)} to {figure(self.max_mw)} MW may be converted to liquid for {cost}"

    def edit(self, edit: Edit) -> Dataset:
        """A row of retrofits, new or in place of the site's."""
        rows = edit.dataset.rows(Retrofit)
        row = Retrofit(**self.model_dump(exclude={"type"}))
        if any(r.site_id == self.site_id for r in rows):
            return with_rows(edit.dataset, Retrofit, [row if r.site_id == self.site_id else r for r in rows])
        return with_rows(edit.dataset, Retrofit, [*rows, row])

    def undoings(self, before: Dataset) -> Iterator[Change]:
        """The terms that the site had, or none."""
        terms = [row.model_dump() for row in before.rows(Retrofit) if row.site_id == self.site_id]
        yield RetrofitAllow(**terms[0]) if terms else RetrofitForbid(site_id=self.site_id)

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """Up to 20 MW at usual cost."""
        site = site_with_racks(dataset, rng)
        if site is None:
            return None
        cost = float(rng.randint(15, 30)) * 100.0
        return cls(site_id=site, min_mw=1.0, max_mw=float(rng.randint(2, 20)), fixed_usd=4e6, usd_per_kw=cost, lead_periods=2)


class RetrofitForbid(Change):
    """A site can't be converted."""

    title = "Forbid a retrofit"
    example: ClassVar[dict[str, Any]] = {"type": "retrofit.forbid", "site_id": "chicago-il"}
    type: Literal["retrofit.forbid"] = "retrofit.forbid"
    site_id: Text = among("site", SITE)

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        return f"{self.site_id}: no conversion to liquid"

    def edit(self, edit: Edit) -> Dataset:
        """The site's row of retrofits goes."""
        return with_rows(edit.dataset, Retrofit, [r for r in edit.dataset.rows(Retrofit) if r.site_id != self.site_id])

    def undoings(self, before: Dataset) -> Iterator[Change]:
        """The terms that the site had, or none."""
        terms = [row.model_dump() for row in before.rows(Retrofit) if row.site_id == self.site_id]
        yield RetrofitAllow(**terms[0]) if terms else RetrofitForbid(site_id=self.site_id)

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """A site that could be converted."""
        row = one(rng, dataset.rows(Retrofit))
        return None if row is None else cls(site_id=row.site_id)


class RetrofitForce(Change):
    """A conversion has to be ordered."""

    title = "Order a retrofit"
    example: ClassVar[dict[str, Any]] = {"type": "retrofit.force", "site_id": "chicago-il", "mw": 8, "by_period": "2026-Q4"}
    type: Literal["retrofit.force"] = "retrofit.force"
    site_id: Text = among("site that can be converted", CONVERTIBLE)
    mw: Real = amount("least megawatts converted", "MW", above_zero=True)
    by_period: Text | None = period("period by which it is ordered", default=None, none_means="the end of the horizon")

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        when = f" by {self.by_period}" if self.by_period else ""
        return f"{self.site_id}: at least {figure(self.mw)} MW ordered to be converted to liquid{when}"

    def edit(self, edit: Edit) -> Dataset:
        """A directive: at least so many MW ordered up to the period."""
        (row,) = (r for r in edit.dataset.rows(Retrofit) if r.site_id == self.site_id)
        if self.mw > row.max_mw:
            edit.refuse("mw", f"is above the largest order of {self.site_id}", "out_of_range", self.mw, f"at most {row.max_mw:g}")
        calendar = edit.dataset.calendar
        since = self.by_period or calendar.label(calendar.periods - 1)
        directive = Directive(
            row="-", rule=Rule.MIN, decision=DecisionKind.RETROFIT, site_id=self.site_id, from_period=since, value=self.mw
        )  # fmt: skip
        return with_directives(edit.dataset, [directive], self.sentence(edit.dataset))

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """The smallest order of a site."""
        row = one(rng, [r for r in dataset.rows(Retrofit) if r.max_mw > 0])
        return None if row is None else cls(site_id=row.site_id, mw=row.min_mw or row.max_mw, by_period=later(dataset, rng))

"""Changes of retrofits: allowed, forbidden, forced."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from models.dataset import Dataset
from models.tables import DecisionKind, PowerBlock, Retrofit, Rule
from models.whatif.base import ID, Amount, Change, Count, Period, Random, one_of, refers
from models.whatif.draft import Draft


class Allow(Change):
    """A site may be converted to liquid, or on other terms."""

    type: Literal["retrofit.allow"] = "retrofit.allow"
    site_id: ID = refers("sites", "site")
    min_mw: Amount = Field(default=0.0, description="smallest order, MW")
    max_mw: Amount = Field(description="largest order, MW")
    fixed_usd: Amount = Field(description="fixed cost of the order, USD")
    usd_per_kw: Amount = Field(description="cost per kW converted, USD per kW")
    lead_periods: Count = Field(le=1200, description="periods from order until the liquid cools")
    downtime_periods: Count | None = Field(default=None, le=1200, description="periods without the air; lead_periods if not given")
    title: ClassVar = "Allow a retrofit"
    example: ClassVar[dict[str, Any]] = {
        "type": "retrofit.allow", "site_id": "plano-tx", "min_mw": 2, "max_mw": 10, "fixed_usd": 5e6, "usd_per_kw": 2500, "lead_periods": 2,
    }  # fmt: skip

    @model_validator(mode="after")
    def _range(self) -> Allow:
        if self.max_mw < self.min_mw:
            raise ValueError("max_mw must be at least min_mw")
        return self

    def sentence(self) -> str:
        return f"{self.site_id}: {self.min_mw:g} to {self.max_mw:g} MW of air cooling may become liquid"

    def write(self, draft: Draft) -> None:
        draft.one("sites", "site_id", self.site_id)
        values = self.model_dump(exclude={"type", "site_id"})
        found = draft.rows("retrofits", site_id=self.site_id)
        if found:
            draft.set("retrofits", found[0], **values)
        else:
            draft.add("retrofits", site_id=self.site_id, **values)

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        block = one_of(random, [row for row in dataset.rows(PowerBlock) if row.air_mw > 1])
        if block is None:
            return None
        most = round(block.air_mw * float(random.uniform(0.3, 0.9)), 1)
        return cls(site_id=block.site_id, max_mw=most, fixed_usd=3e6, usd_per_kw=2000.0, lead_periods=int(random.integers(1, 4)))


class Forbid(Change):
    """A site may not be converted."""

    type: Literal["retrofit.forbid"] = "retrofit.forbid"
    site_id: ID = refers("retrofits", "site")
    title: ClassVar = "Forbid a retrofit"
    example: ClassVar[dict[str, Any]] = {"type": "retrofit.forbid", "site_id": "plano-tx"}

    def sentence(self) -> str:
        return f"{self.site_id}: no retrofit"

    def write(self, draft: Draft) -> None:
        draft.one("sites", "site_id", self.site_id)
        if draft.rows("retrofits", site_id=self.site_id):
            draft.directive(self.sentence(), rule=Rule.MAX, decision=DecisionKind.RETROFIT, site_id=self.site_id, value=0.0)

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        chosen = one_of(random, [row.site_id for row in dataset.rows(Retrofit)])
        return None if chosen is None else cls(site_id=chosen)


class Force(Change):
    """A site is converted by a period."""

    type: Literal["retrofit.force"] = "retrofit.force"
    site_id: ID = refers("retrofits", "site")
    mw: Amount = Field(description="least MW converted", gt=0)
    by_period: Period = Field(description="first period in which the liquid must cool")
    title: ClassVar = "Force a retrofit"
    example: ClassVar[dict[str, Any]] = {"type": "retrofit.force", "site_id": "plano-tx", "mw": 4, "by_period": "2027-Q4"}

    def sentence(self) -> str:
        return f"{self.site_id}: at least {self.mw:g} MW converted by {self.by_period}"

    def write(self, draft: Draft) -> None:
        row = draft.one("retrofits", "site_id", self.site_id)
        first = draft.period("by_period", self.by_period)
        if self.mw > row["max_mw"]:
            draft.refuse("mw", self.mw, "more than the largest order", f"at most {row['max_mw']:g}", code="out_of_range")
        if first < row["lead_periods"]:
            soonest = draft.calendar.label(row["lead_periods"])
            draft.refuse("by_period", self.by_period, "sooner than a retrofit can be done", f"{soonest} or later", code="out_of_range")
        draft.directive(
            self.sentence(), rule=Rule.MIN, decision=DecisionKind.RETROFIT, site_id=self.site_id, from_period=self.by_period, value=self.mw
        )

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        row = one_of(random, [row for row in dataset.rows(Retrofit) if row.max_mw > 0 and row.lead_periods < dataset.calendar.periods])
        if row is None:
            return None
        by = dataset.calendar.label(int(random.integers(row.lead_periods, dataset.calendar.periods)))
        return cls(site_id=row.site_id, mw=max(row.min_mw, 0.2 * row.max_mw), by_period=by)


CHANGES = (Allow, Forbid, Force)

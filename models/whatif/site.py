"""Changes of sites: derates, outages, late power, new blocks, closures, density."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from models.dataset import Dataset
from models.tables import BlockStatus, PowerBlock, Site, SiteStatus
from models.whatif.base import ID, Amount, Change, Count, Period, Random, Share, Spanning, length, one_of, plural, refers, some_period
from models.whatif.draft import Draft, Plain

LIMITS = ("it_mw", "liquid_mw", "air_mw")
NO_LIMIT: Plain = dict.fromkeys(LIMITS, None)


def _lower(draft: Draft, site_id: str, first: int, last: int, limits: dict[str, float]) -> None:
    """Hold a site to limits, or to those it has if they are lower."""

    def lower(row: Plain) -> Plain:
        return {name: value if row[name] is None else min(row[name], value) for name, value in limits.items()}

    draft.step("site_limits", {"site_id": site_id}, first, last, lower, NO_LIMIT)


class SiteChange(Spanning):
    """A change of a site in some periods."""

    site_id: ID = refers("sites", "site")


class Derate(SiteChange):
    """A site may use less than its blocks give."""

    type: Literal["site.derate"] = "site.derate"
    it_mw: Amount | None = Field(default=None, description="largest IT load, MW IT")
    liquid_mw: Amount | None = Field(default=None, description="largest heat to liquid, MW")
    air_mw: Amount | None = Field(default=None, description="largest heat to air, MW")
    title: ClassVar = "Derate a site"
    example: ClassVar[dict[str, Any]] = {"type": "site.derate", "site_id": "ellendale-nd", "from_period": "2027-Q1", "it_mw": 60}

    @model_validator(mode="after")
    def _some_limit(self) -> Derate:
        if all(getattr(self, name) is None for name in LIMITS):
            raise ValueError("it_mw, liquid_mw or air_mw must be given")
        return self

    def sentence(self) -> str:
        names = {"it_mw": "IT", "liquid_mw": "liquid cooling", "air_mw": "air cooling"}
        parts = [f"{names[name]} at most {getattr(self, name):g} MW" for name in LIMITS if getattr(self, name) is not None]
        return f"{self.site_id}: {' and '.join(parts)} {self.when}"

    def write(self, draft: Draft) -> None:
        draft.one("sites", "site_id", self.site_id)
        limits = {name: float(getattr(self, name)) for name in LIMITS if getattr(self, name) is not None}
        _lower(draft, self.site_id, *draft.span(self), limits)

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        megawatts: dict[str, float] = {}
        for block in dataset.rows(PowerBlock):
            if block.status is BlockStatus.FIRM:
                megawatts[block.site_id] = megawatts.get(block.site_id, 0.0) + block.it_mw * block.usable_share
        chosen = one_of(random, sorted(s for s, mw in megawatts.items() if mw > 0))
        if chosen is None:
            return None
        share = float(random.uniform(0.7, 0.95))
        return cls(site_id=chosen, from_period=some_period(dataset, random), it_mw=round(megawatts[chosen] * share, 1))


class Outage(SiteChange):
    """Nothing runs at a site."""

    type: Literal["site.outage"] = "site.outage"
    title: ClassVar = "Outage of a site"
    example: ClassVar[dict[str, Any]] = {
        "type": "site.outage", "site_id": "denton-tx", "from_period": "2026-Q3", "to_period": "2026-Q4",
    }  # fmt: skip

    def sentence(self) -> str:
        return f"{self.site_id}: outage {self.when}"

    def write(self, draft: Draft) -> None:
        draft.one("sites", "site_id", self.site_id)
        _lower(draft, self.site_id, *draft.span(self), dict.fromkeys(LIMITS, 0.0))

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        chosen, when = one_of(random, [row.site_id for row in dataset.rows(Site)]), some_period(dataset, random)
        return None if chosen is None else cls(site_id=chosen, from_period=when, to_period=when)


class EnergizationDelay(Change):
    """Power blocks of a site are energized later."""

    type: Literal["site.energization_delay"] = "site.energization_delay"
    site_id: ID = refers("sites", "site")
    periods: Count = Field(description="periods of delay", ge=1, le=1200)
    from_period: Period | None = Field(
        default=None, description="first period of energization that slips; all after the start if not given"
    )
    block_id: ID | None = refers("power_blocks", "only this block; all of the site if not given", default=None)
    title: ClassVar = "Delay of power"
    example: ClassVar[dict[str, Any]] = {
        "type": "site.energization_delay", "site_id": "denton-tx", "periods": 2, "from_period": "2026-Q1",
    }  # fmt: skip

    def sentence(self) -> str:
        what = f"block {self.block_id}" if self.block_id else "power"
        since = f" from {self.from_period}" if self.from_period else ""
        unit = length(self.from_period) if self.from_period else "period"
        return f"{self.site_id}: {what} energized {plural(self.periods, unit)} later{since}"

    def write(self, draft: Draft) -> None:
        draft.one("sites", "site_id", self.site_id)
        if self.block_id is not None and draft.one("power_blocks", "block_id", self.block_id)["site_id"] != self.site_id:
            known = ", ".join(row["block_id"] for row in draft.rows("power_blocks", site_id=self.site_id)) or "none: the site has no blocks"
            draft.refuse("block_id", self.block_id, f"not a block of {self.site_id}", known, code="unknown_id")
        first = 1 if self.from_period is None else draft.period("from_period", self.from_period)
        for row in draft.rows("power_blocks", site_id=self.site_id):
            if self.block_id in (None, row["block_id"]) and draft.calendar.index(row["energized"]) >= first:
                later = {"energized": draft.shifted(row["energized"], self.periods)}
                if row["latest"] is not None:
                    later["latest"] = draft.shifted(row["latest"], self.periods)
                draft.set("power_blocks", row, **later)

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        late = [row for row in dataset.rows(PowerBlock) if 1 <= dataset.calendar.index(row.energized) < dataset.calendar.periods]
        row = one_of(random, late)
        if row is None:
            return None
        return cls(site_id=row.site_id, periods=int(random.integers(1, 3)), from_period=row.energized)


class AddBlock(Change):
    """A new power block at a site."""

    type: Literal["site.add_block"] = "site.add_block"
    block_id: ID = Field(description="identifier of the new block")
    site_id: ID = refers("sites", "site")
    energized: Period = Field(description="period of energization; of an option the earliest")
    it_mw: Amount = Field(description="critical IT power, MW IT")
    liquid_mw: Amount = Field(description="heat that liquid can remove, MW")
    air_mw: Amount = Field(description="heat that air can remove, MW")
    status: BlockStatus = Field(default=BlockStatus.FIRM, description="contracted, or may be ordered")
    usable_share: Share = Field(default=1.0, description="share of the IT power that may be used")
    lease_usd_per_kw_month: Amount = Field(default=0.0, description="lease, USD per kW IT and month")
    capex_usd: Amount = Field(default=0.0, description="capital of an option, USD")
    residual_share: Share = Field(default=0.0, description="share of the capital left at the end of the horizon")
    lead_periods: Count = Field(default=0, le=1200, description="periods from order to energization of an option")
    title: ClassVar = "New power block"
    example: ClassVar[dict[str, Any]] = {
        "type": "site.add_block", "block_id": "denton-tx-new", "site_id": "denton-tx", "energized": "2027-Q1",
        "it_mw": 40, "liquid_mw": 34, "air_mw": 6, "lease_usd_per_kw_month": 120,
    }  # fmt: skip

    def sentence(self) -> str:
        kind = "option on a block" if self.status is BlockStatus.OPTION else "block"
        return f"{self.site_id}: {kind} of {self.it_mw:g} MW ({self.block_id}) energized in {self.energized}"

    def write(self, draft: Draft) -> None:
        draft.one("sites", "site_id", self.site_id)
        if draft.rows("power_blocks", block_id=self.block_id):
            draft.refuse("block_id", self.block_id, "there is such a block already", "a name of its own", code="duplicate_id")
        draft.period("energized", self.energized, inside=False)
        draft.add("power_blocks", **self.model_dump(exclude={"type"}))

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        row = one_of(random, [row for row in dataset.rows(PowerBlock) if row.status is BlockStatus.FIRM])
        taken = {block.block_id for block in dataset.rows(PowerBlock)}
        if row is None:
            return None
        name = next(f"extra-{n}" for n in range(len(taken) + 1) if f"extra-{n}" not in taken)
        share = float(random.uniform(0.1, 0.4))
        return cls(
            block_id=name, site_id=row.site_id, energized=some_period(dataset, random), lease_usd_per_kw_month=row.lease_usd_per_kw_month,
            it_mw=round(row.it_mw * share, 1), liquid_mw=round(row.liquid_mw * share, 1), air_mw=round(row.air_mw * share, 1),
        )  # fmt: skip


class Close(Change):
    """A site ends: nothing runs there from a period on."""

    type: Literal["site.close"] = "site.close"
    site_id: ID = refers("sites", "site")
    from_period: Period = Field(description="first period in which nothing runs")
    title: ClassVar = "Close a site"
    example: ClassVar[dict[str, Any]] = {"type": "site.close", "site_id": "plano-tx", "from_period": "2028-Q1"}

    def sentence(self) -> str:
        return f"{self.site_id}: closed from {self.from_period}"

    def write(self, draft: Draft) -> None:
        draft.one("sites", "site_id", self.site_id)
        last = draft.calendar.periods - 1
        _lower(draft, self.site_id, draft.period("from_period", self.from_period), last, dict.fromkeys(LIMITS, 0.0))

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        chosen = one_of(random, [row.site_id for row in dataset.rows(Site) if row.status is SiteStatus.OPEN])
        if chosen is None:
            return None
        late = dataset.calendar.label(int(random.integers(dataset.calendar.periods // 2, dataset.calendar.periods)))
        return cls(site_id=chosen, from_period=late)


class Density(Change):
    """The halls of a site take other racks."""

    type: Literal["site.density"] = "site.density"
    site_id: ID = refers("sites", "site")
    max_rack_kw: Amount | None = Field(description="largest rack that the halls take, kW IT per rack; null for any")
    title: ClassVar = "Rack density of a site"
    example: ClassVar[dict[str, Any]] = {"type": "site.density", "site_id": "plano-tx", "max_rack_kw": 150}

    def sentence(self) -> str:
        return f"{self.site_id}: racks of any power" if self.max_rack_kw is None else f"{self.site_id}: racks up to {self.max_rack_kw:g} kW"

    def write(self, draft: Draft) -> None:
        draft.set("sites", draft.one("sites", "site_id", self.site_id), max_rack_kw=self.max_rack_kw)

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        chosen = one_of(random, [row.site_id for row in dataset.rows(Site)])
        kilowatts = None if random.random() < 0.5 else float(round(float(random.uniform(130, 400))))
        return None if chosen is None else cls(site_id=chosen, max_rack_kw=kilowatts)


CHANGES = (Derate, Outage, EnergizationDelay, AddBlock, Close, Density)

"""Changes of supply: fewer, later or more racks, other prices."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from pydantic import Field

from models.dataset import Dataset
from models.tables import GpuPrice, Supply
from models.whatif.base import ID, Amount, Change, Count, Factor, Period, Random, Share, Spanning, length, one_of, plural, refers
from models.whatif.draft import Draft, Plain


def _allocations(draft: Draft, gen_id: str, first: int, last: int) -> list[Plain]:
    draft.one("generations", "gen_id", gen_id)
    rows = draft.rows("supply", gen_id=gen_id)
    return [row for row in rows if first <= draft.calendar.index(row["period"]) <= last]


def _some_gen(dataset: Dataset, random: Random) -> str | None:
    chosen: str | None = one_of(random, sorted({row.gen_id for row in dataset.rows(Supply) if row.racks > 0}))
    return chosen


class Cut(Spanning):
    """Fewer racks are allocated."""

    type: Literal["supply.cut"] = "supply.cut"
    gen_id: ID = refers("generations", "generation")
    share: Share = Field(description="share of the racks that does not come")
    title: ClassVar = "Cut of supply"
    example: ClassVar[dict[str, Any]] = {"type": "supply.cut", "gen_id": "gb300_nvl72", "from_period": "2026-Q1", "share": 0.2}

    def sentence(self) -> str:
        return f"{self.gen_id}: {self.share:.3g} of the supply cut {self.when}".replace(f"{self.share:.3g}", f"{100 * self.share:.3g} %")

    def write(self, draft: Draft) -> None:
        for row in _allocations(draft, self.gen_id, *draft.span(self)):
            draft.set("supply", row, racks=math.floor(row["racks"] * (1 - self.share) + 1e-9))

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        gen, share = _some_gen(dataset, random), round(float(random.uniform(0.05, 0.3)), 2)
        return None if gen is None else cls(gen_id=gen, from_period=dataset.calendar.label(0), share=share)


class Delay(Change):
    """Racks are allocated later."""

    type: Literal["supply.delay"] = "supply.delay"
    gen_id: ID = refers("generations", "generation")
    periods: Count = Field(description="periods of delay", ge=1, le=1200)
    from_period: Period = Field(description="first allocation that slips")
    title: ClassVar = "Delay of supply"
    example: ClassVar[dict[str, Any]] = {"type": "supply.delay", "gen_id": "vr_nvl144", "from_period": "2026-Q3", "periods": 1}

    def sentence(self) -> str:
        return f"{self.gen_id}: supply {plural(self.periods, length(self.from_period))} later from {self.from_period}"

    def write(self, draft: Draft) -> None:
        first, last = draft.period("from_period", self.from_period), draft.calendar.periods - 1
        late = _allocations(draft, self.gen_id, first, last)
        kept = {draft.calendar.index(row["period"]): row for row in draft.rows("supply", gen_id=self.gen_id) if row not in late}
        moved = {draft.calendar.index(row["period"]) + self.periods: row["racks"] for row in late}
        draft.drop("supply", late)
        for t, racks in moved.items():
            if t in kept:
                draft.set("supply", kept[t], racks=kept[t]["racks"] + racks)
            elif t <= last:
                draft.add("supply", gen_id=self.gen_id, period=draft.calendar.label(t), racks=racks)

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        gen = _some_gen(dataset, random)
        if gen is None:
            return None
        first = min(dataset.calendar.index(row.period) for row in dataset.rows(Supply) if row.gen_id == gen and row.racks > 0)
        return cls(gen_id=gen, periods=int(random.integers(1, 3)), from_period=dataset.calendar.label(max(first, 0)))


class Add(Change):
    """More racks are allocated."""

    type: Literal["supply.add"] = "supply.add"
    gen_id: ID = refers("generations", "generation")
    period: Period = Field(description="period of the allocation")
    racks: Count = Field(description="racks added")
    title: ClassVar = "More supply"
    example: ClassVar[dict[str, Any]] = {"type": "supply.add", "gen_id": "gb300_nvl72", "period": "2026-Q2", "racks": 100}

    def sentence(self) -> str:
        return f"{self.gen_id}: {self.racks:,} more racks in {self.period}"

    def write(self, draft: Draft) -> None:
        draft.one("generations", "gen_id", self.gen_id)
        draft.period("period", self.period)
        found = draft.rows("supply", gen_id=self.gen_id, period=self.period)
        if found:
            draft.set("supply", found[0], racks=found[0]["racks"] + self.racks)
        elif self.racks:
            draft.add("supply", gen_id=self.gen_id, period=self.period, racks=self.racks)

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        row = one_of(random, [row for row in dataset.rows(Supply) if row.racks > 0])
        return None if row is None else cls(gen_id=row.gen_id, period=row.period, racks=max(1, int(row.racks * random.uniform(0.05, 0.3))))


class Price(Spanning):
    """GPUs cost more or less."""

    type: Literal["supply.price"] = "supply.price"
    gen_id: ID = refers("generations", "generation")
    factor: Factor | None = Field(default=None, description="factor on the price")
    usd_per_gpu: Amount | None = Field(default=None, description="price, USD per GPU; instead of a factor")
    title: ClassVar = "Price of GPUs"
    example: ClassVar[dict[str, Any]] = {"type": "supply.price", "gen_id": "gb300_nvl72", "from_period": "2026-Q1", "factor": 1.1}

    def sentence(self) -> str:
        how = f"times {self.factor:g}" if self.usd_per_gpu is None else f"{self.usd_per_gpu:,.0f} USD per GPU"
        return f"{self.gen_id}: price {how} {self.when}"

    def write(self, draft: Draft) -> None:
        if (self.factor is None) == (self.usd_per_gpu is None):
            draft.refuse("factor", self.factor, "either factor or usd_per_gpu must be given", code="bad_change")
        draft.one("generations", "gen_id", self.gen_id)
        first, last = draft.span(self)
        where = {"gen_id": self.gen_id}
        if self.usd_per_gpu is not None:
            price = float(self.usd_per_gpu)
            draft.step("gpu_prices", where, first, last, lambda row: {"usd_per_gpu": price}, {"usd_per_gpu": price})
        else:
            draft.scale("gpu_prices", where, first, last, usd_per_gpu=float(self.factor or 0.0))

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        gen = one_of(random, sorted({row.gen_id for row in dataset.rows(GpuPrice)}))
        factor = round(float(random.uniform(0.85, 1.2)), 2)
        return None if gen is None else cls(gen_id=gen, from_period=dataset.calendar.label(0), factor=factor)


CHANGES = (Cut, Delay, Add, Price)

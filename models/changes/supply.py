"""Changes of the supply of racks: cut, late, more of it, and its price."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from models.changes.base import Change, Edit, exactly_one, factor_text, figure, percent, periods_text, window_text
from models.changes.fields import Real, Text, Whole, among, amount, count, delay, factor, first_period, last_period, period, portion
from models.changes.pick import later, mild, nearby, one, until
from models.changes.steps import Step, restep, scaled, with_rows
from models.dataset import Dataset
from models.tables import Generation, GpuPrice, Supply

GENERATION = "generations.gen_id"
ROUNDING = 1e-9
"""A product this close below a whole number of racks counts as that number."""


def _supplied(dataset: Dataset) -> list[str]:
    """Generations with an allocation."""
    return list(dict.fromkeys(row.gen_id for row in dataset.rows(Supply) if row.racks > 0))


class SupplyCut(Change):
    """Fewer racks are allocated than planned; each allocation is rounded down to whole racks."""

    title = "Cut the supply"
    example: ClassVar[dict[str, Any]] = {
        "type": "supply.cut", "gen_id": "gb300_nvl72", "cut_share": 0.2, "from_period": "2026-Q2", "to_period": "2026-Q4",
    }  # fmt: skip
    type: Literal["supply.cut"] = "supply.cut"
    gen_id: Text | None = among("generation", GENERATION, default=None, none_means="all")
    cut_share: Real = portion("share of the racks that does not come")
    from_period: Text | None = first_period()
    to_period: Text | None = last_period()

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        return f"{self.gen_id or 'all generations'}: supply cut by {percent(self.cut_share)}{window_text(self.from_period, self.to_period)}"

    def edit(self, edit: Edit) -> Dataset:
        """Fewer racks in rows of supply."""
        first, last = edit.window(self)
        rows = []
        for row in edit.dataset.rows(Supply):
            t = edit.dataset.calendar.index(row.period)
            hit = self.gen_id in (None, row.gen_id) and first <= t and (last is None or t <= last)
            left = math.floor(row.racks * (1.0 - self.cut_share) + ROUNDING)
            rows.append(row.model_copy(update={"racks": left}) if hit else row)
        return with_rows(edit.dataset, Supply, rows)

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """5 to 30 % fewer racks of a generation."""
        gen = one(rng, _supplied(dataset))
        return None if gen is None else cls(gen_id=gen, cut_share=mild(rng))


class SupplyDelay(Change):
    """Allocations come later; what would come after the horizon is lost."""

    title = "Late supply"
    example: ClassVar[dict[str, Any]] = {
        "type": "supply.delay", "gen_id": "vr_nvl144", "delay_periods": 2, "from_period": "2026-Q4",
    }  # fmt: skip
    type: Literal["supply.delay"] = "supply.delay"
    gen_id: Text | None = among("generation", GENERATION, default=None, none_means="all")
    delay_periods: Whole = delay("periods by which the racks are late")
    from_period: Text | None = first_period("allocations of this period or later are late")

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        since = window_text(self.from_period, None)
        return f"{self.gen_id or 'all generations'}: supply {periods_text(dataset, self.delay_periods)} later{since}"

    def edit(self, edit: Edit) -> Dataset:
        """Rows of supply move; they come after the generation's last installation all the same, which is warned of."""
        dataset, calendar = edit.dataset, edit.dataset.calendar
        first = 0 if self.from_period is None else calendar.index(self.from_period)
        closes = {g.gen_id: calendar.index(g.last_install) for g in dataset.rows(Generation)}
        racks: dict[tuple[str, int], int] = defaultdict(int)
        useless: dict[str, int] = defaultdict(int)
        for row in dataset.rows(Supply):
            t = calendar.index(row.period)
            late = self.gen_id in (None, row.gen_id) and t >= first
            to = t + self.delay_periods if late else t
            if to < calendar.periods:
                racks[row.gen_id, to] += row.racks
            if late and t <= closes[row.gen_id] < to:
                useless[row.gen_id] += row.racks
        for gen, lost in useless.items():
            edit.warn("delay_periods", f"{lost} racks of {gen} come after its last installation", "supply_too_late")
        rows = [Supply(gen_id=g, period=calendar.label(t), racks=n) for (g, t), n in racks.items()]
        return with_rows(dataset, Supply, rows)

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """A generation one or two periods late."""
        gen = one(rng, _supplied(dataset))
        return None if gen is None else cls(gen_id=gen, delay_periods=rng.randint(1, 2))


class SupplyAdd(Change):
    """More racks are allocated in a period."""

    title = "More supply"
    example: ClassVar[dict[str, Any]] = {"type": "supply.add", "gen_id": "gb300_nvl72", "period": "2026-Q3", "racks": 200}
    type: Literal["supply.add"] = "supply.add"
    gen_id: Text = among("generation", GENERATION)
    period: Text = period("period of the allocation")
    racks: Whole = count("racks more", "racks", least=1)

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        return f"{self.gen_id}: {figure(self.racks)} more racks in {self.period}"

    def edit(self, edit: Edit) -> Dataset:
        """More racks in a row of supply, or a new one."""
        rows, key = edit.dataset.rows(Supply), (self.gen_id, self.period)
        if any((row.gen_id, row.period) == key for row in rows):
            new = [r.model_copy(update={"racks": r.racks + self.racks}) if (r.gen_id, r.period) == key else r for r in rows]
        else:
            new = [*rows, Supply(gen_id=self.gen_id, period=self.period, racks=self.racks)]
        return with_rows(edit.dataset, Supply, new)

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """5 to 100 more racks beside an allocation that is there."""
        row = one(rng, [row for row in dataset.rows(Supply) if row.racks > 0])
        return None if row is None else cls(gen_id=row.gen_id, period=row.period, racks=rng.randint(5, 100))


class SupplyPrice(Change):
    """GPUs cost more or less."""

    title = "Price of GPUs"
    example: ClassVar[dict[str, Any]] = {"type": "supply.price", "gen_id": "vr_nvl144", "factor": 1.1, "from_period": "2027-Q1"}
    type: Literal["supply.price"] = "supply.price"
    gen_id: Text | None = among("generation", GENERATION, default=None, none_means="all")
    factor: Real | None = factor("factor on the price", none_means="usd_per_gpu")
    usd_per_gpu: Real | None = amount("price with the GPU's share of the rack", "USD per GPU", default=None, none_means="factor")
    from_period: Text | None = first_period()
    to_period: Text | None = last_period()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        exactly_one(self, "factor", "usd_per_gpu")
        return self

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        what = f"{figure(self.usd_per_gpu)} USD per GPU" if self.usd_per_gpu is not None else factor_text(self.factor or 0.0)
        return f"{self.gen_id or 'all generations'}: price {what}{window_text(self.from_period, self.to_period)}"

    def edit(self, edit: Edit) -> Dataset:
        """Rows of gpu_prices."""
        first, last = edit.window(self)

        def change(rows: Step, t: int) -> Step:
            fixed = self.usd_per_gpu
            return scaled(rows, usd_per_gpu=lambda usd: usd * self.factor if fixed is None else fixed)

        return restep(edit.dataset, GpuPrice, lambda row: self.gen_id in (None, row.gen_id), first, last, change)

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """A generation up to a quarter cheaper or 30 % dearer."""
        row, begin = one(rng, dataset.rows(GpuPrice)), later(dataset, rng)
        end = until(dataset, rng, begin)
        return None if row is None else cls(gen_id=row.gen_id, factor=nearby(rng), from_period=begin, to_period=end)

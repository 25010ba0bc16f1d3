"""Changes of a site's power blocks: late energization and new blocks."""

from __future__ import annotations

import math
import random
from typing import Any, ClassVar, Literal, Self

from models.changes.base import Change, Edit, figure, periods_text
from models.changes.fields import Id, Real, Text, Whole, among, amount, choice, count, delay, field, period, portion
from models.changes.pick import fresh_id, later, one, site_with_racks
from models.changes.site import SITE, unlimited
from models.changes.steps import Step, restep, with_rows
from models.dataset import Dataset
from models.tables import BlockStatus, PowerBlock, Site, SiteLimit, SiteStatus

LIMITS = ("it_mw", "liquid_mw", "air_mw")


class SiteEnergizationDelay(Change):
    """Power of a site comes later: its blocks, and the steps by which its limits rise."""

    title = "Late power"
    example: ClassVar[dict[str, Any]] = {
        "type": "site.energization_delay", "site_id": "denton-tx", "delay_periods": 2, "from_period": "2026-Q3",
    }  # fmt: skip
    type: Literal["site.energization_delay"] = "site.energization_delay"
    site_id: Text = among("site", SITE)
    delay_periods: Whole = delay("periods by which the power is late")
    from_period: Text | None = period(
        "blocks energized in this period or later are late", default=None, none_means="every block not energized at the start"
    )
    block_id: Text | None = among(
        "only this block is late", "power_blocks.block_id", default=None, none_means="all of the site, and its limits"
    )

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        what = f"power of {self.block_id}" if self.block_id else "power"
        since = f" from {self.from_period}" if self.from_period else ""
        return f"{self.site_id}: {what} energized {periods_text(dataset, self.delay_periods)} later{since}"

    def edit(self, edit: Edit) -> Dataset:
        """Later ``energized`` of power_blocks; in site_limits a rise comes later, a derate when it did.

        With the limit ``L`` and the delay ``d`` the new limit from the first period f on is
        ``min(L[t], max(L[f-1..t-d]))``.
        """
        dataset, calendar = edit.dataset, edit.dataset.calendar
        first = 1 if self.from_period is None else calendar.index(self.from_period)
        blocks = []
        for row in dataset.rows(PowerBlock):
            if row.block_id == self.block_id and row.site_id != self.site_id:
                own = ", ".join(b.block_id for b in dataset.rows(PowerBlock) if b.site_id == self.site_id)
                edit.refuse("block_id", f"is a block of {row.site_id}", "wrong_site", self.block_id, own or "empty: the site has none")
            at = calendar.index(row.energized)
            late = row.site_id == self.site_id and self.block_id in (None, row.block_id) and at >= first
            label = calendar.label(at + self.delay_periods) if late else row.energized
            blocks.append(row.model_copy(update={"energized": label}) if late else row)
        moved = with_rows(dataset, PowerBlock, blocks)
        return moved if self.block_id else self._late_limits(moved, first)

    def _late_limits(self, dataset: Dataset, first: int) -> Dataset:
        calendar, delay = dataset.calendar, self.delay_periods
        own = {calendar.index(row.from_period): row for row in dataset.rows(SiteLimit) if row.site_id == self.site_id}
        if not own:
            return dataset

        def held(t: int, name: str) -> float:
            """Limit in period t, infinite if none."""
            begun = [start for start in own if start <= t]
            value = getattr(own[max(begun)], name) if begun else None
            return math.inf if value is None else float(value)

        def change(rows: Step, t: int) -> Step:
            new: dict[str, float | None] = {}
            for name in LIMITS:
                risen = max(held(u, name) for u in range(first - 1, max(first, t - delay + 1)))
                value = min(held(t, name), risen)
                new[name] = None if math.isinf(value) else value
            return (rows[0].model_copy(update=new),)

        breaks = {t + delay for t in own if t >= first}
        last = max([*own, first]) + delay
        return restep(
            dataset, SiteLimit, lambda row: row.site_id == self.site_id, first, last, change, breaks=breaks, blank=unlimited
        )  # fmt: skip

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """A site with a block that comes after the start, one to three periods late."""
        coming = [b for b in dataset.rows(PowerBlock) if 0 < dataset.calendar.index(b.energized) < dataset.calendar.periods]
        block = one(rng, coming)
        return None if block is None else cls(site_id=block.site_id, delay_periods=rng.randint(1, 3), from_period=block.energized)


class SiteAddBlock(Change):
    """A new power block, contracted or optional, with its cooling."""

    title = "Add a power block"
    example: ClassVar[dict[str, Any]] = {
        "type": "site.add_block", "site_id": "ellendale-nd", "block_id": "ellendale-nd-5", "it_mw": 50, "air_mw": 9,
        "liquid_mw": 51, "energized": "2028-Q1", "lease_usd_per_kw_month": 153,
    }  # fmt: skip
    type: Literal["site.add_block"] = "site.add_block"
    site_id: Text = among("site", SITE)
    block_id: Id = field("identifier of the new block", form={"widget": "new_id"})
    it_mw: Real = amount("critical IT power", "MW IT")
    air_mw: Real = amount("heat that air can remove", "MW")
    liquid_mw: Real = amount("heat that liquid can remove", "MW")
    energized: Text = period("period of energization; of an option the earliest", outside=True)
    status: BlockStatus | None = choice(
        "contracted, or may be ordered", default=None, none_means="contracted; an option at a candidate site"
    )
    usable_share: Real = portion("share of the IT power that may be used", default=1.0)
    lease_usd_per_kw_month: Real = amount("lease", "USD per kW IT and month", default=0.0)
    capex_usd: Real = amount("capital, paid lead_periods before energization (options only)", "USD", default=0.0)
    residual_share: Real = portion("share of the capital left at the end of the horizon", default=0.0)
    lead_periods: Whole = count("periods from order to energization", "periods", default=0, most=1200)
    latest: Text | None = period("last period in which an option can be energized", default=None, none_means="any", outside=True)

    @property
    def new_ids(self) -> tuple[str, ...]:
        """See ``Change``."""
        return (self.block_id,)

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        what = "an option on" if self._status(dataset) is BlockStatus.OPTION else "a new block of"
        return f"{self.site_id}: {what} {figure(self.it_mw)} MW ({self.block_id}) from {self.energized}"

    def _status(self, dataset: Dataset) -> BlockStatus:
        candidates = {row.site_id for row in dataset.rows(Site) if row.status is SiteStatus.CANDIDATE}
        return self.status or (BlockStatus.OPTION if self.site_id in candidates else BlockStatus.FIRM)

    def edit(self, edit: Edit) -> Dataset:
        """A row of power_blocks."""
        rows = edit.dataset.rows(PowerBlock)
        edit.new_id("block_id", self.block_id, (row.block_id for row in rows))
        figures = self.model_dump(exclude={"type", "status"})
        return with_rows(edit.dataset, PowerBlock, [*rows, PowerBlock(status=self._status(edit.dataset), **figures)])

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """5 to 50 MW, half of it cooled by air."""
        site, mw = site_with_racks(dataset, rng), float(rng.randint(5, 50))
        if site is None:
            return None
        name = fresh_id([row.block_id for row in dataset.rows(PowerBlock)], f"{site}-new")
        begin = later(dataset, rng, 1)
        half = 0.6 * mw
        return cls(site_id=site, block_id=name, it_mw=mw, air_mw=half, liquid_mw=half, energized=begin, lease_usd_per_kw_month=140.0)

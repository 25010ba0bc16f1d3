"""Changes of common limits and terms: grid, capital budget, price of moves, discount rate."""

from __future__ import annotations

import random
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from models.changes.base import Change, Edit, exactly_one, factor_text, figure, percent, window_text
from models.changes.contract import CONTRACT
from models.changes.fields import Real, Text, among, amount, factor, field, first_period, last_period
from models.changes.pick import later, one, until
from models.changes.steps import Step, restep, scaled, with_rows
from models.dataset import Dataset
from models.tables import CapexBudget, Contract, GridLimit


class GridLimitChange(Change):
    """The largest facility draw below a grid node."""

    title = "Grid limit"
    example: ClassVar[dict[str, Any]] = {"type": "grid.limit", "node_id": "oncor_dfw", "factor": 0.9, "from_period": "2026-Q3"}
    type: Literal["grid.limit"] = "grid.limit"
    node_id: Text = among("grid node", "grid_nodes.node_id")
    factor: Real | None = factor("factor on the limits there are", none_means="limit_mw")
    limit_mw: Real | None = amount("largest facility draw of all sites below the node", "MW", default=None, none_means="factor")
    from_period: Text | None = first_period()
    to_period: Text | None = last_period()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        exactly_one(self, "factor", "limit_mw")
        return self

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        what = f"{figure(self.limit_mw)} MW" if self.limit_mw is not None else factor_text(self.factor or 0.0)
        return f"{self.node_id}: grid limit {what}{window_text(self.from_period, self.to_period)}"

    def edit(self, edit: Edit) -> Dataset:
        """Rows of grid_limits. What holds before a node's first row is no limit, which no row can say."""
        first, last = edit.window(self)
        calendar, own = edit.dataset.calendar, self.node_id
        starts = [calendar.index(row.from_period) for row in edit.dataset.rows(GridLimit) if row.node_id == own]
        begin = min(starts, default=calendar.periods)
        if self.limit_mw is not None and last is not None and last + 1 < begin:
            problem = f"{own} has no limit to return to after it"
            edit.refuse("to_period", problem, "no_limit_after", self.to_period, f"empty, or {calendar.label(begin - 1)} or later")

        def change(rows: Step, t: int) -> Step:
            fixed = self.limit_mw
            if not rows and fixed is not None:
                return (GridLimit(node_id=own, from_period=calendar.label(t), limit_mw=fixed),)
            return scaled(rows, limit_mw=lambda mw: mw * self.factor if fixed is None else fixed)

        return restep(edit.dataset, GridLimit, lambda row: row.node_id == own, first, last, change, add=[(own,)])

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """A limit that is there, 10 % tighter to 30 % wider."""
        row, begin = one(rng, dataset.rows(GridLimit)), later(dataset, rng)
        end = until(dataset, rng, begin)
        scale = rng.choice([0.9, 0.95, 1.1, 1.2, 1.3])
        return None if row is None else cls(node_id=row.node_id, factor=scale, from_period=begin, to_period=end)


class BudgetCap(Change):
    """Capital that may be spent."""

    title = "Capital budget"
    example: ClassVar[dict[str, Any]] = {"type": "budget.cap", "factor": 0.8, "from_period": "2026-Q3", "to_period": "2027-Q4"}
    type: Literal["budget.cap"] = "budget.cap"
    factor: Real | None = factor("factor on the capital added", none_means="usd_per_period")
    usd_per_period: Real | None = amount("capital added to the budget in each period", "USD", default=None, none_means="factor")
    from_period: Text | None = first_period()
    to_period: Text | None = last_period()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        exactly_one(self, "factor", "usd_per_period")
        return self

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        usd = self.usd_per_period
        what = f"{figure(usd)} USD a period" if usd is not None else factor_text(self.factor or 0.0)
        return f"capital budget {what}{window_text(self.from_period, self.to_period)}"

    def edit(self, edit: Edit) -> Dataset:
        """Rows of capex_budget; without any there is no budget, and then it has to cover the whole horizon."""
        first, last = edit.window(self)
        calendar = edit.dataset.calendar
        rows = {calendar.index(row.period): row for row in edit.dataset.rows(CapexBudget)}
        if not rows and self.usd_per_period is not None and (first > 0 or last is not None):
            problem = "there is no budget yet, and one for these periods alone would leave 0 USD for the others"
            at = "from_period" if first > 0 else "to_period"
            edit.refuse(at, problem, "no_budget", getattr(self, at), "empty: the whole horizon")
        for t in range(first, calendar.periods if last is None else last + 1):
            if self.usd_per_period is not None:
                rows[t] = CapexBudget(period=calendar.label(t), usd=self.usd_per_period)
            elif t in rows:
                rows[t] = CapexBudget(period=calendar.label(t), usd=rows[t].usd * (self.factor or 0.0))
        return with_rows(edit.dataset, CapexBudget, [row for _, row in sorted(rows.items())])

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """5 to 30 % less of a budget that is there, or more of it."""
        begin = later(dataset, rng)
        end = until(dataset, rng, begin)
        scale = rng.choice([0.7, 0.8, 0.9, 0.95, 1.1, 1.25])
        return cls(factor=scale, from_period=begin, to_period=end) if dataset.rows(CapexBudget) else None


class MovePrice(Change):
    """What moving a contract GPU to another site costs, from the placement at the start on."""

    title = "Price of moves"
    example: ClassVar[dict[str, Any]] = {"type": "move.price", "contract_id": "microsoft_base", "usd_per_gpu": 2000}
    type: Literal["move.price"] = "move.price"
    contract_id: Text | None = among("contract", CONTRACT, default=None, none_means="all")
    factor: Real | None = factor("factor on the cost", none_means="usd_per_gpu")
    usd_per_gpu: Real | None = amount("cost of moving a contract GPU to another site", "USD per GPU", default=None, none_means="factor")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        exactly_one(self, "factor", "usd_per_gpu")
        return self

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        usd = self.usd_per_gpu
        what = f"{figure(usd)} USD per GPU" if usd is not None else factor_text(self.factor or 0.0)
        return f"{self.contract_id or 'all contracts'}: price of moves {what}"

    def edit(self, edit: Edit) -> Dataset:
        """``move_usd_per_gpu`` of contracts."""
        rows = []
        for row in edit.dataset.rows(Contract):
            usd = row.move_usd_per_gpu * (self.factor or 0.0) if self.usd_per_gpu is None else self.usd_per_gpu
            rows.append(row.model_copy(update={"move_usd_per_gpu": usd}) if self.contract_id in (None, row.contract_id) else row)
        return with_rows(edit.dataset, Contract, rows)

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """100 to 3000 USD for one contract or all."""
        ids = [row.contract_id for row in dataset.rows(Contract)]
        return cls(contract_id=one(rng, [None, *ids]), usd_per_gpu=100.0 * rng.randint(1, 30)) if ids else None


class DiscountRate(Change):
    """The discount rate."""

    title = "Discount rate"
    example: ClassVar[dict[str, Any]] = {"type": "discount.rate", "discount_rate": 0.09}
    type: Literal["discount.rate"] = "discount.rate"
    discount_rate: Real = field("discount rate", unit="per year", form={"widget": "percent"}, ge=0, le=10)

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        return f"discount rate {percent(self.discount_rate)} a year"

    def edit(self, edit: Edit) -> Dataset:
        """A setting."""
        return edit.dataset.replace({"discount_rate": self.discount_rate})

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """5 to 15 %."""
        return cls(discount_rate=rng.randint(5, 15) / 100)

"""Changes of contracts in time and size: resized, delayed, extended, terminated."""

from __future__ import annotations

import random
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from models.changes.base import Change, Edit, exactly_one, factor_text, figure, periods_text, window_text
from models.changes.fields import Real, Text, Whole, among, amount, delay, factor, first_period, last_period, period
from models.changes.pick import nearby, one
from models.changes.steps import Step, restep, scaled, with_rows
from models.dataset import Dataset
from models.tables import Contract, ContractPrice, ContractRamp, CurrentDelivery

CONTRACT = "contracts.contract_id"


def contract_of(dataset: Dataset, contract_id: str) -> Contract:
    """The contract of this id, which must be there."""
    return next(row for row in dataset.rows(Contract) if row.contract_id == contract_id)


def with_terms(dataset: Dataset, contract_id: str, **terms: Any) -> Dataset:
    """A dataset whose contract has other terms."""
    rows = [r.model_copy(update=terms) if r.contract_id == contract_id else r for r in dataset.rows(Contract)]
    return with_rows(dataset, Contract, rows)


def ramp_of(dataset: Dataset, contract_id: str) -> dict[int, ContractRamp]:
    """Rows of a contract's ramp by first period."""
    return {dataset.calendar.index(r.from_period): r for r in dataset.rows(ContractRamp) if r.contract_id == contract_id}


def with_cluster(dataset: Dataset, contract_id: str) -> Dataset:
    """The smallest cluster is at most the highest ramp."""
    contract, highest = contract_of(dataset, contract_id), max((r.gpus for r in ramp_of(dataset, contract_id).values()), default=0.0)
    return with_terms(dataset, contract_id, min_cluster_gpus=highest) if contract.min_cluster_gpus > highest else dataset


class ContractResize(Change):
    """More or fewer GPUs are owed; a smallest cluster above the highest ramp shrinks to it."""

    title = "Resize a contract"
    example: ClassVar[dict[str, Any]] = {
        "type": "contract.resize", "contract_id": "meta_2025", "factor": 0.8, "from_period": "2027-Q1",
    }  # fmt: skip
    type: Literal["contract.resize"] = "contract.resize"
    contract_id: Text = among("contract", CONTRACT)
    factor: Real | None = factor("factor on the GPUs owed", none_means="gpus")
    gpus: Real | None = amount("GPUs owed", "contract GPUs", default=None, none_means="factor")
    from_period: Text | None = first_period()
    to_period: Text | None = last_period()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        exactly_one(self, "factor", "gpus")
        return self

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        what = f"owed {figure(self.gpus)} GPUs" if self.gpus is not None else f"GPUs owed {factor_text(self.factor or 0.0)}"
        return f"{self.contract_id}: {what}{window_text(self.from_period, self.to_period)}"

    def edit(self, edit: Edit) -> Dataset:
        """Rows of contract_ramp, within the contract."""
        calendar, contract = edit.dataset.calendar, contract_of(edit.dataset, self.contract_id)
        first, last = edit.window(self)
        start, end = calendar.index(contract.start), calendar.index(contract.end)
        if first > end or (last is not None and last < start):
            at = "from_period" if first > end else "to_period"
            allowed = f"a period from {contract.start} to {contract.end}"
            edit.refuse(at, f"{self.contract_id} is not in force then", "outside_contract", getattr(self, at), allowed)
        first = start if self.from_period is None else max(first, start)
        last = None if last is None or last >= end else last

        def change(rows: Step, t: int) -> Step:
            fixed = self.gpus
            return scaled(rows, gpus=lambda gpus: gpus * self.factor if fixed is None else fixed)

        def none(key: tuple[Any, ...]) -> Step:
            return (ContractRamp(contract_id=key[0], from_period=contract.start, gpus=0.0),)

        wanted = restep(edit.dataset, ContractRamp, lambda row: row.contract_id == self.contract_id, first, last, change, blank=none)
        return with_cluster(wanted, self.contract_id)

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """A contract up to a quarter smaller or 30 % larger."""
        row = one(rng, dataset.rows(Contract))
        return None if row is None else cls(contract_id=row.contract_id, factor=nearby(rng))


class ContractDelay(Change):
    """A contract begins and ends later, or, from a period on, its ramp comes later."""

    title = "Delay a contract"
    example: ClassVar[dict[str, Any]] = {"type": "contract.delay", "contract_id": "meta_2026", "delay_periods": 2}
    type: Literal["contract.delay"] = "contract.delay"
    contract_id: Text = among("contract", CONTRACT)
    delay_periods: Whole = delay("periods by which it is late")
    from_period: Text | None = period(
        "ramp steps of this period or later are late; start and end stay", default=None, none_means="the whole contract is late"
    )

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        what = f"ramp from {self.from_period}" if self.from_period else "start and end"
        return f"{self.contract_id}: {what} {periods_text(dataset, self.delay_periods)} later"

    def edit(self, edit: Edit) -> Dataset:
        """Rows of contracts, contract_ramp and contract_prices; steps after the contract's end are dropped."""
        dataset, calendar = edit.dataset, edit.dataset.calendar
        contract = contract_of(dataset, self.contract_id)

        def shifted(label: str) -> str:
            return calendar.label(calendar.index(label) + self.delay_periods)

        if self.from_period is not None:
            return self._late_ramp(dataset, calendar.index(self.from_period), calendar.index(contract.end))
        if calendar.index(contract.start) < 0 or any(r.contract_id == self.contract_id for r in dataset.rows(CurrentDelivery)):
            problem = f"{self.contract_id} has begun in {contract.start}; only the rest of its ramp can be late"
            edit.refuse("from_period", problem, "contract_begun", None, f"a period from {calendar.start} to {contract.end}")
        moved = with_terms(dataset, self.contract_id, start=shifted(contract.start), end=shifted(contract.end))
        own = self.contract_id
        ramp = [
            r.model_copy(update={"from_period": shifted(r.from_period)}) if r.contract_id == own else r for r in dataset.rows(ContractRamp)
        ]
        price = [
            r.model_copy(update={"from_period": shifted(r.from_period)}) if r.contract_id == own else r for r in dataset.rows(ContractPrice)
        ]
        return with_rows(with_rows(moved, ContractRamp, ramp), ContractPrice, price)

    def _late_ramp(self, dataset: Dataset, first: int, end: int) -> Dataset:
        calendar, rows = dataset.calendar, []
        for row in dataset.rows(ContractRamp):
            t = calendar.index(row.from_period)
            if row.contract_id != self.contract_id or t < first:
                rows.append(row)
            elif t + self.delay_periods <= end:
                rows.append(row.model_copy(update={"from_period": calendar.label(t + self.delay_periods)}))
        late = with_rows(dataset, ContractRamp, rows)
        if not ramp_of(late, self.contract_id):  # a contract has a ramp, if only one that owes nothing
            contract = contract_of(dataset, self.contract_id)
            nothing = ContractRamp(contract_id=self.contract_id, from_period=contract.start, gpus=0.0)
            late = with_rows(late, ContractRamp, [*rows, nothing])
        return with_cluster(late, self.contract_id)

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """A contract yet to begin, one to three periods late."""
        begun = {row.contract_id for row in dataset.rows(CurrentDelivery)}
        coming = [r for r in dataset.rows(Contract) if dataset.calendar.index(r.start) >= 0 and r.contract_id not in begun]
        row = one(rng, coming)
        return None if row is None else cls(contract_id=row.contract_id, delay_periods=rng.randint(1, 3))

"""Changes of a contract's end: an extension exercised, a termination."""

from __future__ import annotations

import random
from typing import Any, ClassVar, Literal, Self

from models.changes.base import Change, Edit, figure, periods_text
from models.changes.contract import CONTRACT, contract_of, ramp_of, with_cluster, with_terms
from models.changes.fields import Real, Text, Whole, among, amount, count, period
from models.changes.pick import later, one
from models.changes.steps import Step, restep, with_rows
from models.dataset import Dataset
from models.tables import (
    Contract,
    ContractGeneration,
    ContractPrice,
    ContractRamp,
    CurrentDelivery,
    Directive,
    ServingCost,
)  # fmt: skip


class ContractExtend(Change):
    """The option to extend a contract is exercised: it ends later, at the same or another size and price."""

    title = "Extend a contract"
    example: ClassVar[dict[str, Any]] = {
        "type": "contract.extend", "contract_id": "ibm", "extension_periods": 4, "usd_per_gpu_hour": 2.5,
    }  # fmt: skip
    type: Literal["contract.extend"] = "contract.extend"
    contract_id: Text = among("contract", CONTRACT)
    extension_periods: Whole = count("periods by which it ends later", "periods", least=1, most=400)
    usd_per_gpu_hour: Real | None = amount("price in the extension", "USD per GPU-hour", default=None, none_means="as at the end")
    gpus: Real | None = amount("GPUs owed in the extension", "contract GPUs", default=None, none_means="as at the end")

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        parts = [f"extended by {periods_text(dataset, self.extension_periods)}"]
        parts += [f"{figure(self.gpus)} GPUs"] if self.gpus is not None else []
        parts += [f"{figure(self.usd_per_gpu_hour)} USD per GPU-hour"] if self.usd_per_gpu_hour is not None else []
        return f"{self.contract_id}: " + ", ".join(parts)

    def edit(self, edit: Edit) -> Dataset:
        """``end`` of contracts; a row of contract_ramp and contract_prices from the first period of the extension."""
        calendar, own = edit.dataset.calendar, self.contract_id
        end = calendar.index(contract_of(edit.dataset, own).end)
        dataset = with_terms(edit.dataset, own, end=calendar.label(end + self.extension_periods))

        def ramp(rows: Step, t: int) -> Step:
            return tuple(row.model_copy(update={"gpus": self.gpus}) for row in rows)

        def price(rows: Step, t: int) -> Step:
            return tuple(row.model_copy(update={"usd_per_gpu_hour": self.usd_per_gpu_hour}) for row in rows)

        if self.gpus is not None:
            dataset = restep(dataset, ContractRamp, lambda row: row.contract_id == own, end + 1, None, ramp)
        if self.usd_per_gpu_hour is not None:
            dataset = restep(dataset, ContractPrice, lambda row: row.contract_id == own, end + 1, None, price)
        return dataset

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """A contract that ends in the horizon, one to four periods longer."""
        ends = [r for r in dataset.rows(Contract) if 0 <= dataset.calendar.index(r.end) < dataset.calendar.periods - 1]
        row = one(rng, ends)
        return None if row is None else cls(contract_id=row.contract_id, extension_periods=rng.randint(1, 4))


class ContractTerminate(Change):
    """A contract ends before its time; one that would not have begun by then is gone altogether."""

    title = "Terminate a contract"
    example: ClassVar[dict[str, Any]] = {"type": "contract.terminate", "contract_id": "openai_2025b", "from_period": "2027-Q1"}
    type: Literal["contract.terminate"] = "contract.terminate"
    contract_id: Text = among("contract", CONTRACT)
    from_period: Text = period("first period without the contract")

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        return f"{self.contract_id}: terminated from {self.from_period}"

    def edit(self, edit: Edit) -> Dataset:
        """``end`` of contracts, with the ramp up to it; or no row that names the contract, directives among them."""
        dataset, calendar = edit.dataset, edit.dataset.calendar
        contract, first = contract_of(dataset, self.contract_id), calendar.index(self.from_period)
        if first > calendar.index(contract.end):
            return dataset
        if first <= calendar.index(contract.start):
            return self._without(dataset)
        rows = [
            row
            for row in dataset.rows(ContractRamp)
            if row.contract_id != self.contract_id or calendar.index(row.from_period) < first
        ]  # fmt: skip
        ended = with_rows(with_terms(dataset, self.contract_id, end=calendar.label(first - 1)), ContractRamp, rows)
        if not ramp_of(ended, self.contract_id):  # its ramp would have begun later: nothing was owed yet
            nothing = ContractRamp(contract_id=self.contract_id, from_period=contract.start, gpus=0.0)
            ended = with_rows(ended, ContractRamp, [*rows, nothing])
        return with_cluster(ended, self.contract_id)

    def _without(self, dataset: Dataset) -> Dataset:
        own = self.contract_id
        dataset = with_rows(dataset, Contract, [r for r in dataset.rows(Contract) if r.contract_id != own])
        dataset = with_rows(dataset, ContractGeneration, [r for r in dataset.rows(ContractGeneration) if r.contract_id != own])
        dataset = with_rows(dataset, ContractRamp, [r for r in dataset.rows(ContractRamp) if r.contract_id != own])
        dataset = with_rows(dataset, ContractPrice, [r for r in dataset.rows(ContractPrice) if r.contract_id != own])
        dataset = with_rows(dataset, CurrentDelivery, [r for r in dataset.rows(CurrentDelivery) if r.contract_id != own])
        dataset = with_rows(dataset, ServingCost, [r for r in dataset.rows(ServingCost) if r.contract_id != own])
        return with_rows(dataset, Directive, [r for r in dataset.rows(Directive) if r.contract_id != own])

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """A contract that ends in the second half of the horizon."""
        row, begin = one(rng, dataset.rows(Contract)), later(dataset, rng, dataset.calendar.periods // 2)
        return None if row is None else cls(contract_id=row.contract_id, from_period=begin)

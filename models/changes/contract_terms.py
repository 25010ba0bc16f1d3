"""Changes of what a contract says: a new one, its price, its rules."""

from __future__ import annotations

import random
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict

from models.changes.base import Change, Edit, figure
from models.changes.fields import (
    Id,
    Real,
    Text,
    Whole,
    among,
    amount,
    choice,
    count,
    field,
    period,
    portion,
)  # fmt: skip
from models.changes.pick import fresh_id, later, one
from models.changes.site import SITE
from models.changes.steps import with_rows
from models.dataset import Dataset
from models.tables import Contract, ContractGeneration, ContractPrice, ContractRamp, ContractStatus

GENERATION = "generations.gen_id"
ZONE = "sites.zone"


class RampStep(BaseModel):
    """GPUs owed from a period on."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    from_period: Text = period("first period, within the contract", outside=True)
    gpus: Real = amount("GPUs owed", "contract GPUs")


class PriceStep(BaseModel):
    """Price from a period on."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    from_period: Text = period("first period", outside=True)
    usd_per_gpu_hour: Real = amount("price of a delivered contract GPU", "USD per GPU-hour")


class Eligible(BaseModel):
    """A generation that may serve the contract."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    gen_id: Text = among("generation", GENERATION)
    gpu_equivalent: Real = amount("contract GPUs that one GPU counts for", "contract GPUs per GPU", default=1.0, above_zero=True)


class ContractAdd(Change):
    """A new contract, as a prospect to decide on or signed."""

    title = "Add a contract"
    example: ClassVar[dict[str, Any]] = {
        "type": "contract.add", "contract_id": "new_lab", "customer": "New lab", "status": "prospect", "start": "2026-Q4",
        "end": "2030-Q3", "ramp": [{"from_period": "2026-Q4", "gpus": 4000}, {"from_period": "2027-Q1", "gpus": 8000}],
        "prices": [{"from_period": "2026-Q4", "usd_per_gpu_hour": 3.2}], "ld_usd_per_gpu_hour": 1.6, "load_share": 0.8,
        "generations": [{"gen_id": "gb300_nvl72"}, {"gen_id": "vr_nvl144", "gpu_equivalent": 1.5}], "zones": ["US"],
    }  # fmt: skip
    type: Literal["contract.add"] = "contract.add"
    contract_id: Id = field("identifier of the new contract", form={"widget": "new_id"})
    customer: Text = field("customer")
    status: ContractStatus = choice("signed, or may be", default=ContractStatus.PROSPECT)
    start: Text = period("first period", outside=True)
    end: Text = period("last period, inclusive", outside=True)
    ramp: tuple[RampStep, ...] = field("GPUs owed", form={"widget": "rows"}, min_length=1, max_length=1200)
    prices: tuple[PriceStep, ...] = field("price", form={"widget": "rows"}, min_length=1, max_length=1200)
    generations: tuple[Eligible, ...] = field("generations that may serve", form={"widget": "rows"}, min_length=1, max_length=1000)
    ld_usd_per_gpu_hour: Real = amount("liquidated damages per contract GPU owed and not delivered", "USD per GPU-hour")
    load_share: Real = portion("load of the GPUs, as a share of their provisioned power")
    spare_share: Real = portion("extra GPUs held per GPU delivered", default=0.0)
    zones: tuple[Text, ...] = among("zones that may serve", ZONE, default=(), none_means="all", many=True)
    sites: tuple[Text, ...] = among("sites that may serve", SITE, default=(), none_means="all", many=True)
    excluded_sites: tuple[Text, ...] = among("sites that may not serve", SITE, default=(), none_means="none", many=True)
    min_cluster_gpus: Real = amount("smallest delivery from a serving site at the highest ramp", "contract GPUs", default=0.0)
    cluster_grace: Whole = count("periods at the highest ramp before the cluster must stand", "periods", default=2, most=1200)
    max_short_share: Real = portion("largest share of the GPUs owed that may be short after the grace periods", default=1.0)
    grace_periods: Whole = count("periods from the start before max_short_share holds", "periods", default=0, most=1200)
    max_sites: Whole | None = count("largest number of serving sites", "sites", default=None, none_means="no limit")
    max_rtt_ms: Real | None = amount("largest round-trip time between serving sites", "ms", default=None, none_means="no limit")
    move_usd_per_gpu: Real = amount("cost of moving a contract GPU to another site", "USD per GPU", default=0.0)

    @property
    def new_ids(self) -> tuple[str, ...]:
        """See ``Change``."""
        return (self.contract_id,)

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        size = figure(max(step.gpus for step in self.ramp))
        what = "signed contract" if self.status is ContractStatus.FIRM else "prospect"
        return f"{self.contract_id}: new {what} of {self.customer}, up to {size} GPUs from {self.start} to {self.end}"

    def edit(self, edit: Edit) -> Dataset:
        """Rows of contracts, contract_generations, contract_ramp and contract_prices."""
        dataset, own = edit.dataset, self.contract_id
        edit.new_id("contract_id", own, (row.contract_id for row in dataset.rows(Contract)))
        terms = self.model_dump(exclude={"type", "ramp", "prices", "generations"})
        gens = [ContractGeneration(contract_id=own, **g.model_dump()) for g in self.generations]
        ramp = [ContractRamp(contract_id=own, **step.model_dump()) for step in self.ramp]
        prices = [ContractPrice(contract_id=own, **step.model_dump()) for step in self.prices]
        dataset = with_rows(dataset, Contract, [*dataset.rows(Contract), Contract(**terms)])
        dataset = with_rows(dataset, ContractGeneration, [*dataset.rows(ContractGeneration), *gens])
        dataset = with_rows(dataset, ContractRamp, [*dataset.rows(ContractRamp), *ramp])
        return with_rows(dataset, ContractPrice, [*dataset.rows(ContractPrice), *prices])

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """A prospect like one of the contracts there are, a tenth of its size."""
        like = one(rng, dataset.rows(Contract))
        gens = [r for r in dataset.rows(ContractGeneration) if like and r.contract_id == like.contract_id]
        if like is None or not gens:
            return None
        begin = later(dataset, rng, 1)
        highest = max(row.gpus for row in dataset.rows(ContractRamp) if row.contract_id == like.contract_id)
        price = max(row.usd_per_gpu_hour for row in dataset.rows(ContractPrice) if row.contract_id == like.contract_id)
        return cls(
            contract_id=fresh_id([r.contract_id for r in dataset.rows(Contract)], "new"), customer="New customer", start=begin,
            end=dataset.calendar.label(dataset.calendar.periods - 1), ramp=(RampStep(from_period=begin, gpus=round(0.1 * highest, 1)),),
            prices=(PriceStep(from_period=begin, usd_per_gpu_hour=price),), zones=like.zones, load_share=like.load_share,
            generations=tuple(Eligible(gen_id=r.gen_id, gpu_equivalent=r.gpu_equivalent) for r in gens),
            ld_usd_per_gpu_hour=like.ld_usd_per_gpu_hour,
        )  # fmt: skip

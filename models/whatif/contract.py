"""Changes of contracts: new, larger, later, longer, ended, at other prices and rules."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.dataset import Dataset
from models.tables import Contract, ContractPrice, ContractRamp, ContractStatus, Directive
from models.whatif.base import ID, Amount, Change, Count, Factor, Period, Random, Share, Spanning, one_of, plural, refers
from models.whatif.draft import Draft

PARTS = ("contract_generations", "contract_ramp", "contract_prices", "current_deliveries", "serving_costs")
"""Tables with rows of a contract, besides its own."""
RULES = (
    "status", "ld_usd_per_gpu_hour", "load_share", "spare_share", "zones", "sites", "excluded_sites", "min_cluster_gpus", "cluster_grace",
    "max_short_share", "grace_periods", "max_sites", "max_rtt_ms", "move_usd_per_gpu",
)  # fmt: skip


class ContractChange(Change):
    """A change of one contract."""

    contract_id: ID = refers("contracts", "contract")


class RampStep(BaseModel):
    """GPUs owed from a period on."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    from_period: Period = Field(description="first period")
    gpus: Amount = Field(description="GPUs owed, contract GPUs")


class PriceStep(BaseModel):
    """Price from a period on."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    from_period: Period = Field(description="first period")
    usd_per_gpu_hour: Amount = Field(description="price, USD per GPU-hour")


class Serving(BaseModel):
    """A generation that may serve."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    gen_id: ID = refers("generations", "generation")
    gpu_equivalent: float = Field(default=1.0, gt=0, allow_inf_nan=False, description="contract GPUs that one GPU counts for")


class Add(Change):
    """A new contract."""

    type: Literal["contract.add"] = "contract.add"
    contract_id: ID = Field(description="identifier of the new contract")
    customer: str = Field(min_length=1, description="customer")
    status: ContractStatus = Field(default=ContractStatus.PROSPECT, description="signed, or may be")
    start: Period = Field(description="first period")
    end: Period = Field(description="last period, inclusive")
    ramp: tuple[RampStep, ...] = Field(min_length=1, description="GPUs owed")
    prices: tuple[PriceStep, ...] = Field(min_length=1, description="prices")
    generations: tuple[Serving, ...] = Field(min_length=1, description="generations that may serve")
    ld_usd_per_gpu_hour: Amount = Field(description="liquidated damages, USD per contract GPU-hour owed and not delivered")
    load_share: Share = Field(default=0.8, description="load of the GPUs, as a share of their provisioned power")
    spare_share: Share = Field(default=0.0, description="extra GPUs held per GPU delivered")
    zones: tuple[str, ...] = Field(default=(), description="zones that may serve; all if empty")
    sites: tuple[ID, ...] = Field(default=(), description="sites that may serve; all if empty")
    excluded_sites: tuple[ID, ...] = Field(default=(), description="sites that may not serve")
    min_cluster_gpus: Amount = Field(default=0.0, description="smallest delivery from a serving site, contract GPUs")
    cluster_grace: Count = Field(default=2, le=1200, description="periods at the highest ramp before the cluster must stand")
    max_short_share: Share = Field(default=1.0, description="largest share that may be short after the grace periods")
    grace_periods: Count = Field(default=0, le=1200, description="periods before max_short_share holds")
    max_sites: Count | None = Field(default=None, description="largest number of serving sites")
    max_rtt_ms: Amount | None = Field(default=None, description="largest round-trip time between serving sites, ms")
    move_usd_per_gpu: Amount = Field(default=0.0, description="cost of moving a contract GPU, USD per GPU")
    title: ClassVar = "New contract"
    example: ClassVar[dict[str, Any]] = {
        "type": "contract.add", "contract_id": "new_lab", "customer": "New Lab", "start": "2027-Q1", "end": "2031-Q4",
        "ramp": [{"from_period": "2027-Q1", "gpus": 8000}], "prices": [{"from_period": "2027-Q1", "usd_per_gpu_hour": 3.1}],
        "generations": [{"gen_id": "gb300_nvl72"}], "ld_usd_per_gpu_hour": 1.5, "min_cluster_gpus": 2000, "max_sites": 2,
    }  # fmt: skip

    def sentence(self) -> str:
        most = max(step.gpus for step in self.ramp)
        kind = "signed" if self.status is ContractStatus.FIRM else "offered"
        return f"{self.contract_id}: new contract {kind}, {most:,.0f} GPUs for {self.customer}, {self.start} to {self.end}"

    def write(self, draft: Draft) -> None:
        if draft.rows("contracts", contract_id=self.contract_id):
            draft.refuse("contract_id", self.contract_id, "there is such a contract already", "a name of its own", code="duplicate_id")
        for field in ("start", "end"):
            draft.period(field, getattr(self, field), inside=False)
        for i, serving in enumerate(self.generations):
            draft.one("generations", f"generations/{i}/gen_id", serving.gen_id, "gen_id")
        for name in ("sites", "excluded_sites"):
            for i, site in enumerate(getattr(self, name)):
                draft.one("sites", f"{name}/{i}", site, "site_id")
        draft.add("contracts", **self.model_dump(exclude={"type", "ramp", "prices", "generations"}))
        for table, steps in (("contract_ramp", self.ramp), ("contract_prices", self.prices), ("contract_generations", self.generations)):
            for step in steps:
                draft.add(table, contract_id=self.contract_id, **step.model_dump())

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        row = one_of(random, [row for row in dataset.rows(Contract) if dataset.calendar.index(row.start) >= 0])
        if row is None:
            return None
        taken = {contract.contract_id for contract in dataset.rows(Contract)}
        name = next(f"drawn-{n}" for n in range(len(taken) + 1) if f"drawn-{n}" not in taken)
        share = float(random.uniform(0.1, 0.4))
        tables = {part: [r for r in dataset.table_rows(part) if getattr(r, "contract_id", "") == row.contract_id] for part in PARTS[:3]}
        own = {field: getattr(row, field) for field in RULES if field not in ("status", "min_cluster_gpus")}
        return cls.model_validate(
            {
                "contract_id": name, "customer": row.customer, "start": row.start, "end": row.end, **own,
                "ramp": [
                    {"from_period": r.from_period, "gpus": round(r.gpus * share)}
                    for r in dataset.rows(ContractRamp) if r.contract_id == row.contract_id
                ],
                "prices": [r.model_dump(include={"from_period", "usd_per_gpu_hour"}) for r in tables["contract_prices"]],
                "generations": [r.model_dump(include={"gen_id", "gpu_equivalent"}) for r in tables["contract_generations"]],
                "min_cluster_gpus": round(row.min_cluster_gpus * share),
            }
        )  # fmt: skip


class Resize(ContractChange):
    """More or fewer GPUs are owed."""

    type: Literal["contract.resize"] = "contract.resize"
    factor: Factor = Field(description="factor on the GPUs owed")
    from_period: Period | None = Field(default=None, description="first period; from the start of the contract if not given")
    title: ClassVar = "Size of a contract"
    example: ClassVar[dict[str, Any]] = {"type": "contract.resize", "contract_id": "meta_2026", "factor": 1.2, "from_period": "2027-Q3"}

    def sentence(self) -> str:
        return f"{self.contract_id}: GPUs owed times {self.factor:g}" + (f" from {self.from_period}" if self.from_period else "")

    def write(self, draft: Draft) -> None:
        row = draft.one("contracts", "contract_id", self.contract_id)
        end = draft.calendar.index(row["end"])
        first = draft.calendar.index(row["start"])
        if self.from_period is not None:
            first = draft.period("from_period", self.from_period)
            if not draft.calendar.index(row["start"]) <= first <= end:
                allowed = f"{row['start']} to {row['end']}"
                draft.refuse("from_period", self.from_period, "outside the contract", allowed, code="out_of_range")
        draft.scale("contract_ramp", {"contract_id": self.contract_id}, first, max(end, draft.calendar.periods), gpus=self.factor)

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        row = one_of(random, list(dataset.rows(Contract)))
        return None if row is None else cls(contract_id=row.contract_id, factor=round(float(random.uniform(0.8, 1.15)), 2))


class Delay(ContractChange):
    """A contract starts and ends later."""

    type: Literal["contract.delay"] = "contract.delay"
    periods: Count = Field(description="periods of delay", ge=1, le=1200)
    title: ClassVar = "Delay of a contract"
    example: ClassVar[dict[str, Any]] = {"type": "contract.delay", "contract_id": "hyperscaler_2027", "periods": 2}

    def sentence(self) -> str:
        return f"{self.contract_id}: starts and ends {plural(self.periods)} later"

    def write(self, draft: Draft) -> None:
        row = draft.one("contracts", "contract_id", self.contract_id)
        if draft.calendar.index(row["start"]) < 0:
            draft.refuse("contract_id", self.contract_id, f"running since {row['start']}: it can't start later", code="running")
        draft.set("contracts", row, start=draft.shifted(row["start"], self.periods), end=draft.shifted(row["end"], self.periods))
        for table in ("contract_ramp", "contract_prices"):
            for step in draft.rows(table, contract_id=self.contract_id):
                draft.set(table, step, from_period=draft.shifted(step["from_period"], self.periods))

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        row = one_of(
            random, [row for row in dataset.rows(Contract) if 0 <= dataset.calendar.index(row.start) < dataset.calendar.periods - 3]
        )
        return None if row is None else cls(contract_id=row.contract_id, periods=int(random.integers(1, 3)))


class Extend(ContractChange):
    """A contract runs longer: an option is exercised."""

    type: Literal["contract.extend"] = "contract.extend"
    end: Period = Field(description="new last period, inclusive")
    gpus: Amount | None = Field(default=None, description="GPUs owed after the old end, contract GPUs; as before if not given")
    usd_per_gpu_hour: Amount | None = Field(default=None, description="price after the old end, USD per GPU-hour; as before if not given")
    title: ClassVar = "Exercise an option to extend"
    example: ClassVar[dict[str, Any]] = {"type": "contract.extend", "contract_id": "meta_2025", "end": "2032-Q4", "usd_per_gpu_hour": 2.2}

    def sentence(self) -> str:
        return f"{self.contract_id}: extended to {self.end}"

    def write(self, draft: Draft) -> None:
        row = draft.one("contracts", "contract_id", self.contract_id)
        old, new = draft.calendar.index(row["end"]), draft.period("end", self.end, inside=False)
        if new <= old:
            allowed = f"{draft.calendar.label(old + 1)} or later"
            draft.refuse("end", self.end, f"not after the present end {row['end']}", allowed, code="out_of_range")
        draft.set("contracts", row, end=self.end)
        after = draft.calendar.label(old + 1)
        for table, name, value in (("contract_ramp", "gpus", self.gpus), ("contract_prices", "usd_per_gpu_hour", self.usd_per_gpu_hour)):
            if value is not None:
                draft.add(table, contract_id=self.contract_id, from_period=after, **{name: float(value)})

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        calendar = dataset.calendar
        row = one_of(random, [row for row in dataset.rows(Contract) if 0 <= calendar.index(row.end) < calendar.periods - 1])
        if row is None:
            return None
        last = calendar.index(row.end)
        return cls(contract_id=row.contract_id, end=calendar.label(min(calendar.periods - 1, last + int(random.integers(1, 5)))))


class Terminate(ContractChange):
    """A contract ends early, or is gone."""

    type: Literal["contract.terminate"] = "contract.terminate"
    from_period: Period = Field(description="first period without the contract")
    title: ClassVar = "Terminate a contract"
    example: ClassVar[dict[str, Any]] = {"type": "contract.terminate", "contract_id": "openai_2025b", "from_period": "2028-Q1"}

    def sentence(self) -> str:
        return f"{self.contract_id}: terminated from {self.from_period}"

    def write(self, draft: Draft) -> None:
        row = draft.one("contracts", "contract_id", self.contract_id)
        first = draft.period("from_period", self.from_period)
        if first > draft.calendar.index(row["end"]):
            return
        if first > draft.calendar.index(row["start"]):
            draft.set("contracts", row, end=draft.calendar.label(first - 1))
            for table in ("contract_ramp", "contract_prices"):
                late = [r for r in draft.rows(table, contract_id=self.contract_id) if draft.calendar.index(r["from_period"]) >= first]
                draft.drop(table, late)
            return
        if draft.rows("directives", contract_id=self.contract_id):
            rows = ", ".join(str(r["row"]) for r in draft.rows("directives", contract_id=self.contract_id))
            draft.refuse(
                "contract_id", self.contract_id, f"directives name it: {rows}", "a contract that no directive names", code="in_use"
            )
        for table in ("contracts", *PARTS):
            draft.drop(table, draft.rows(table, contract_id=self.contract_id))

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        named = {row.contract_id for row in dataset.rows(Directive)}
        running = [row for row in dataset.rows(Contract) if row.contract_id not in named]
        row = one_of(random, [row for row in running if dataset.calendar.index(row.end) > dataset.calendar.periods // 2])
        if row is None:
            return None
        middle = max(dataset.calendar.index(row.start) + 1, dataset.calendar.periods // 2)
        return cls(contract_id=row.contract_id, from_period=dataset.calendar.label(min(middle, dataset.calendar.periods - 1)))


class Price(ContractChange, Spanning):
    """A contract pays another price."""

    type: Literal["contract.price"] = "contract.price"
    usd_per_gpu_hour: Amount = Field(description="price, USD per GPU-hour")
    title: ClassVar = "Price of a contract"
    example: ClassVar[dict[str, Any]] = {
        "type": "contract.price", "contract_id": "frontier_2028", "from_period": "2028-Q1", "usd_per_gpu_hour": 3.5,
    }  # fmt: skip

    def sentence(self) -> str:
        return f"{self.contract_id}: {self.usd_per_gpu_hour:g} USD per GPU-hour {self.when}"

    def write(self, draft: Draft) -> None:
        row = draft.one("contracts", "contract_id", self.contract_id)
        first, last = draft.span(self)
        start, end = draft.calendar.index(row["start"]), draft.calendar.index(row["end"])
        if last < start or first > end:
            return
        price = {"usd_per_gpu_hour": float(self.usd_per_gpu_hour)}
        draft.step("contract_prices", {"contract_id": self.contract_id}, max(first, start), min(last, end), lambda row: price)

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        row = one_of(random, list(dataset.rows(ContractPrice)))
        if row is None:
            return None
        price = round(row.usd_per_gpu_hour * float(random.uniform(0.9, 1.2)), 3)
        return cls(contract_id=row.contract_id, from_period=dataset.calendar.label(0), usd_per_gpu_hour=price)


class Rules(ContractChange):
    """A contract has other duties and rights; only what is given changes."""

    type: Literal["contract.rules"] = "contract.rules"
    status: ContractStatus | None = Field(default=None, description="signed, or may be")
    ld_usd_per_gpu_hour: Amount | None = Field(default=None, description="liquidated damages, USD per GPU-hour")
    load_share: Share | None = Field(default=None, description="load of the GPUs, as a share of their provisioned power")
    spare_share: Share | None = Field(default=None, description="extra GPUs held per GPU delivered")
    zones: tuple[str, ...] | None = Field(default=None, description="zones that may serve; all if empty")
    sites: tuple[ID, ...] | None = Field(default=None, description="sites that may serve; all if empty")
    excluded_sites: tuple[ID, ...] | None = Field(default=None, description="sites that may not serve")
    min_cluster_gpus: Amount | None = Field(default=None, description="smallest delivery from a serving site, contract GPUs")
    cluster_grace: Count | None = Field(default=None, le=1200, description="periods at the highest ramp before the cluster must stand")
    max_short_share: Share | None = Field(default=None, description="largest share that may be short after the grace periods")
    grace_periods: Count | None = Field(default=None, le=1200, description="periods before max_short_share holds")
    max_sites: Count | None = Field(default=None, description="largest number of serving sites; null for no limit")
    max_rtt_ms: Amount | None = Field(default=None, description="largest round-trip time between serving sites, ms; null for no limit")
    move_usd_per_gpu: Amount | None = Field(default=None, description="cost of moving a contract GPU, USD per GPU")
    title: ClassVar = "Rules of a contract"
    example: ClassVar[dict[str, Any]] = {"type": "contract.rules", "contract_id": "meta_2026", "max_sites": 6, "min_cluster_gpus": 12000}

    @property
    def given(self) -> dict[str, Any]:
        """Fields to change."""
        return {name: getattr(self, name) for name in RULES if name in self.model_fields_set}

    def sentence(self) -> str:
        def words(value: Any) -> str:
            if isinstance(value, tuple):
                return " ".join(value) or "all"
            return "no limit" if value is None else str(getattr(value, "value", value))

        return f"{self.contract_id}: " + ", ".join(f"{name} {words(value)}" for name, value in self.given.items())

    def write(self, draft: Draft) -> None:
        row = draft.one("contracts", "contract_id", self.contract_id)
        optional = ("max_sites", "max_rtt_ms")
        for name, value in self.given.items():
            if value is None and name not in optional:
                draft.refuse(name, "null", "can't be empty", f"a value; null only for {' and '.join(optional)}", code="bad_change")
        for name in ("sites", "excluded_sites"):
            for i, site in enumerate(self.given.get(name, ())):
                draft.one("sites", f"{name}/{i}", site, "site_id")
        draft.set("contracts", row, **self.given)

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        row = one_of(random, list(dataset.rows(Contract)))
        if row is None:
            return None
        ways: list[dict[str, Any]] = [
            {"ld_usd_per_gpu_hour": round(row.ld_usd_per_gpu_hour * 1.2, 3)}, {"min_cluster_gpus": round(row.min_cluster_gpus * 0.8)},
            {"load_share": round(min(1.0, row.load_share * 1.05), 3)}, {"max_rtt_ms": None},
        ]  # fmt: skip
        return cls(contract_id=row.contract_id, **one_of(random, ways))


CHANGES = (Add, Resize, Delay, Extend, Terminate, Price, Rules)

"""Changes of a contract's price and rules."""

from __future__ import annotations

import random
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from models.changes.base import Change, Edit, exactly_one, factor_text, figure, window_text
from models.changes.contract import CONTRACT, contract_of, with_terms
from models.changes.contract_terms import ZONE
from models.changes.fields import Real, Text, Whole, among, amount, choice, count, factor, first_period, last_period, portion
from models.changes.pick import later, nearby, one, until
from models.changes.site import SITE
from models.changes.steps import Step, restep, scaled
from models.dataset import Dataset
from models.tables import Contract, ContractPrice


class ContractPriceChange(Change):
    """The price of a contract."""

    title = "Price of a contract"
    example: ClassVar[dict[str, Any]] = {
        "type": "contract.price", "contract_id": "microsoft_base", "factor": 0.9, "from_period": "2027-Q1",
    }  # fmt: skip
    type: Literal["contract.price"] = "contract.price"
    contract_id: Text = among("contract", CONTRACT)
    factor: Real | None = factor("factor on the price", none_means="usd_per_gpu_hour")
    usd_per_gpu_hour: Real | None = amount("price of a delivered contract GPU", "USD per GPU-hour", default=None, none_means="factor")
    from_period: Text | None = first_period()
    to_period: Text | None = last_period()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        exactly_one(self, "factor", "usd_per_gpu_hour")
        return self

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        usd = self.usd_per_gpu_hour
        what = f"{figure(usd)} USD per GPU-hour" if usd is not None else factor_text(self.factor or 0.0)
        return f"{self.contract_id}: price {what}{window_text(self.from_period, self.to_period)}"

    def edit(self, edit: Edit) -> Dataset:
        """Rows of contract_prices."""
        first, last = edit.window(self)

        def change(rows: Step, t: int) -> Step:
            fixed = self.usd_per_gpu_hour
            return scaled(rows, usd_per_gpu_hour=lambda usd: usd * self.factor if fixed is None else fixed)

        return restep(edit.dataset, ContractPrice, lambda row: row.contract_id == self.contract_id, first, last, change)

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """Up to a quarter cheaper or 30 % dearer."""
        row, begin = one(rng, dataset.rows(Contract)), later(dataset, rng)
        end = until(dataset, rng, begin)
        return None if row is None else cls(contract_id=row.contract_id, factor=nearby(rng), from_period=begin, to_period=end)


class Removable(StrEnum):
    """Rules that a contract can do without."""

    ZONES = "zones"
    SITES = "sites"
    EXCLUDED_SITES = "excluded_sites"
    MAX_SITES = "max_sites"
    MAX_RTT_MS = "max_rtt_ms"


NO_RULE: dict[Removable, Any] = {
    Removable.ZONES: (), Removable.SITES: (), Removable.EXCLUDED_SITES: (), Removable.MAX_SITES: None, Removable.MAX_RTT_MS: None,
}  # fmt: skip
KEPT = "as before"


class ContractRules(Change):
    """Rules of a contract; those not given stay, those in ``removed`` go."""

    title = "Rules of a contract"
    example: ClassVar[dict[str, Any]] = {
        "type": "contract.rules", "contract_id": "openai_2025b", "max_sites": 2, "removed": ["max_rtt_ms"],
    }  # fmt: skip
    type: Literal["contract.rules"] = "contract.rules"
    contract_id: Text = among("contract", CONTRACT)
    ld_usd_per_gpu_hour: Real | None = amount(
        "liquidated damages per contract GPU owed and not delivered", "USD per GPU-hour", default=None, none_means=KEPT
    )
    load_share: Real | None = portion("load of the GPUs, as a share of their provisioned power", default=None, none_means=KEPT)
    spare_share: Real | None = portion("extra GPUs held per GPU delivered", default=None, none_means=KEPT)
    zones: tuple[Text, ...] | None = among("zones that may serve", ZONE, default=None, none_means=KEPT, many=True)
    sites: tuple[Text, ...] | None = among("sites that may serve", SITE, default=None, none_means=KEPT, many=True)
    excluded_sites: tuple[Text, ...] | None = among("sites that may not serve", SITE, default=None, none_means=KEPT, many=True)
    min_cluster_gpus: Real | None = amount(
        "smallest delivery from a serving site at the highest ramp", "contract GPUs", default=None, none_means=KEPT
    )
    cluster_grace: Whole | None = count(
        "periods at the highest ramp before the cluster must stand", "periods", default=None, none_means=KEPT, most=1200
    )
    max_short_share: Real | None = portion(
        "largest share of the GPUs owed that may be short after the grace periods", default=None, none_means=KEPT
    )
    grace_periods: Whole | None = count(
        "periods from the start before max_short_share holds", "periods", default=None, none_means=KEPT, most=1200
    )
    max_sites: Whole | None = count("largest number of serving sites", "sites", default=None, none_means=KEPT)
    max_rtt_ms: Real | None = amount("largest round-trip time between serving sites", "ms", default=None, none_means=KEPT)
    removed: tuple[Removable, ...] = choice("rules that no longer hold", default=(), none_means="none")

    def _terms(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in type(self).model_fields if name not in ("type", "contract_id", "removed")}
        return {name: value for name, value in given.items() if value is not None}

    @model_validator(mode="after")
    def _something(self) -> Self:
        terms = self._terms()
        if not terms and not self.removed:
            raise ValueError("needs a rule to set, or one in removed")
        empty = [name for name, value in terms.items() if value == ()]
        if empty:
            raise ValueError(f"{empty[0]} has no entry; to lift the rule name it in removed")
        twice = [rule.value for rule in self.removed if rule.value in terms]
        if twice:
            raise ValueError(f"both sets and removes {', '.join(twice)}")
        return self

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        shown = {name: ", ".join(v) if isinstance(v, tuple) else figure(v) for name, v in self._terms().items()}
        parts = [f"{name} {value}" for name, value in shown.items()] + [f"no {rule.value}" for rule in self.removed]
        return f"{self.contract_id}: " + ", ".join(parts)

    def undoings(self, before: Dataset) -> Iterator[Change]:
        """The rules as they were."""
        row = contract_of(before, self.contract_id)
        old = {name: getattr(row, name) for name in (*self._terms(), *(rule.value for rule in self.removed))}
        gone = tuple(rule for rule in Removable if rule.value in old and old[rule.value] == NO_RULE[rule])
        kept = {name: value for name, value in old.items() if name not in {rule.value for rule in gone}}
        yield type(self)(contract_id=self.contract_id, removed=gone, **kept)

    def edit(self, edit: Edit) -> Dataset:
        """Figures of contracts."""
        terms = {**self._terms(), **{rule.value: NO_RULE[rule] for rule in self.removed}}
        return with_terms(edit.dataset, self.contract_id, **terms)

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """Other damages, another number of sites, or a site left out."""
        row = one(rng, dataset.rows(Contract))
        if row is None:
            return None
        kind = rng.randrange(3)
        if kind == 0:
            usd = contract_of(dataset, row.contract_id).ld_usd_per_gpu_hour
            return cls(contract_id=row.contract_id, ld_usd_per_gpu_hour=usd * nearby(rng) + 0.1)
        return (
            cls(contract_id=row.contract_id, max_sites=rng.randint(2, 6))
            if kind == 1
            else cls(contract_id=row.contract_id, spare_share=0.05)
        )

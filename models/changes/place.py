"""Changes that direct decisions: something has to be done, must not be done, or is done at least or at most so much."""

from __future__ import annotations

import random
from enum import StrEnum
from typing import Any, ClassVar, Literal, Self

from models.changes.base import Change, Edit, figure, window_text
from models.changes.contract import CONTRACT
from models.changes.directive import with_directives
from models.changes.fields import Real, Text, among, amount, choice, first_period, last_period, period
from models.changes.pick import later, one, until
from models.changes.site import SITE
from models.checks.directives import IDS, WITHOUT_PERIOD
from models.dataset import Dataset
from models.tables import (
    BlockStatus,
    Contract,
    ContractStatus,
    DecisionKind,
    Directive,
    Fleet,
    Generation,
    PowerBlock,
    Rule,
    Site,
    SiteStatus,
    Supply,
)  # fmt: skip

BLOCK = "power_blocks.block_id"
GENERATION = "generations.gen_id"
NOUNS = {
    DecisionKind.IN_SERVICE: "racks in service", DecisionKind.INSTALLED: "racks installed", DecisionKind.DELIVERIES: "GPUs delivered",
}  # fmt: skip


class YesOrNo(StrEnum):
    """Decisions that are taken or not."""

    SIGN = "sign"
    SERVE = "serve"
    OPEN = "open"
    BUILD = "build"


class Amount(StrEnum):
    """Decisions that are counted."""

    IN_SERVICE = "in_service"
    INSTALLED = "installed"
    DELIVERIES = "deliveries"


def check_ids(edit: Edit, change: Any, kind: DecisionKind, *, complete: bool) -> None:
    """Ids that the decision has, all of them or at least one, and no others; no period where it has none.

    Raises:
        RefusedError: other ids are given.
    """
    has = IDS[kind]
    for name in ("contract_id", "site_id", "gen_id", "block_id"):
        value = getattr(change, name, None)
        if value is not None and name not in has:
            edit.fault(
                name, f"the decision {kind.value} has no {name}", "must_be_empty", value, f"empty ({kind.value} has {', '.join(has)})"
            )
        elif value is None and name in has and complete:
            edit.fault(name, f"is needed for the decision {kind.value}", "missing_value", None, "an id")
    if not complete and all(getattr(change, name, None) is None for name in has):
        edit.fault(has[0], f"the decision {kind.value} needs an id", "missing_value", None, "an id of " + " or ".join(has))
    for name in ("from_period", "to_period", "by_period"):
        if kind in WITHOUT_PERIOD and getattr(change, name, None) is not None:
            edit.fault(name, f"the decision {kind.value} has no period", "must_be_empty", getattr(change, name), "empty")
    edit.stop()


def standing(dataset: Dataset, change: Any, kind: DecisionKind) -> bool:
    """Whether what the change names is no decision any more: a signed contract, an open site, a firm block."""
    return (
        (kind is DecisionKind.SIGN and _status(dataset, Contract, change.contract_id) is ContractStatus.FIRM)
        or (kind is DecisionKind.OPEN and _status(dataset, Site, change.site_id) is SiteStatus.OPEN)
        or (kind is DecisionKind.BUILD and _status(dataset, PowerBlock, change.block_id) is BlockStatus.FIRM)
    )


def _status(dataset: Dataset, row_type: type[Contract | Site | PowerBlock], own: str | None) -> StrEnum | None:
    key = {Contract: "contract_id", Site: "site_id", PowerBlock: "block_id"}[row_type]
    return next((row.status for row in dataset.rows(row_type) if getattr(row, key) == own), None)


def ids_text(change: Any) -> str:
    """``denton-tx, h100``: the ids of a change."""
    found = (getattr(change, name, None) for name in ("contract_id", "block_id", "site_id", "gen_id"))
    return ", ".join(value for value in found if value) or "in all"


def directive(change: Any, rule: Rule, kind: DecisionKind, value: float, **window: str | None) -> Directive:
    """A directive on what a change names; its name comes later."""
    ids = {name: getattr(change, name, None) for name in ("contract_id", "site_id", "gen_id", "block_id")}
    return Directive(row="-", rule=rule, decision=kind, value=value, **ids, **window)


class PlaceForce(Change):
    """A prospect is signed, a contract is served from a site, a candidate site opened, or an optional block built."""

    title = "Force a decision"
    example: ClassVar[dict[str, Any]] = {"type": "place.force", "decision": "sign", "contract_id": "sovereign_eu"}
    type: Literal["place.force"] = "place.force"
    decision: YesOrNo = choice("the decision that is taken")
    contract_id: Text | None = among("contract (sign, serve)", CONTRACT, default=None, none_means="not for this decision")
    site_id: Text | None = among("site (serve, open)", SITE, default=None, none_means="not for this decision")
    block_id: Text | None = among("power block (build)", BLOCK, default=None, none_means="not for this decision")
    by_period: Text | None = period("period by which it is open or built", default=None, none_means="the end of the horizon")

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        when = f" by {self.by_period}" if self.by_period else ""
        words = {
            YesOrNo.SIGN: f"{self.contract_id}: has to be signed",
            YesOrNo.SERVE: f"{self.contract_id}: {self.site_id} has to be one of its sites",
            YesOrNo.OPEN: f"{self.site_id}: has to be open{when}",
            YesOrNo.BUILD: f"{self.block_id}: has to be built{when}",
        }
        return words[self.decision]

    def edit(self, edit: Edit) -> Dataset:
        """A directive; nothing where it is so already."""
        kind = DecisionKind(self.decision.value)
        check_ids(edit, self, kind, complete=True)
        if standing(edit.dataset, self, kind):
            return edit.dataset
        calendar = edit.dataset.calendar
        since = None if kind in WITHOUT_PERIOD else self.by_period or calendar.label(calendar.periods - 1)
        made = directive(self, Rule.FIX, kind, 1.0, from_period=since)
        return with_directives(edit.dataset, [made], self.sentence(edit.dataset))

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """A prospect signed or an option built."""
        prospects = [row.contract_id for row in dataset.rows(Contract) if row.status is ContractStatus.PROSPECT]
        options = [row.block_id for row in dataset.rows(PowerBlock) if row.status is BlockStatus.OPTION]
        made = [cls(decision=YesOrNo.SIGN, contract_id=c) for c in prospects] + [cls(decision=YesOrNo.BUILD, block_id=b) for b in options]
        return one(rng, made)


class PlaceForbid(Change):
    """Something must not be done: sign, serve, open, build, or hold racks and deliver anything at all."""

    title = "Forbid a decision"
    example: ClassVar[dict[str, Any]] = {
        "type": "place.forbid", "decision": "serve", "contract_id": "meta_2025", "site_id": "ellendale-nd",
    }  # fmt: skip
    type: Literal["place.forbid"] = "place.forbid"
    decision: DecisionKind = choice("the decision that must not be taken")
    contract_id: Text | None = among("contract (sign, serve, deliveries)", CONTRACT, default=None, none_means="all")
    site_id: Text | None = among("site", SITE, default=None, none_means="all")
    gen_id: Text | None = among("generation (in_service, installed, deliveries)", GENERATION, default=None, none_means="all")
    block_id: Text | None = among("power block (build)", BLOCK, default=None, none_means="all")
    from_period: Text | None = first_period()
    to_period: Text | None = last_period()

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        words = {
            DecisionKind.SIGN: "must not be signed", DecisionKind.SERVE: "must not be served", DecisionKind.OPEN: "must not be open",
            DecisionKind.BUILD: "must not be built",
        }  # fmt: skip
        if self.decision is DecisionKind.SERVE and self.contract_id and self.site_id:
            return f"{self.contract_id}: must not be served from {self.site_id}"
        if self.decision is DecisionKind.RETROFIT:  # a directive bounds what is ordered up to each period
            return f"{ids_text(self)}: no retrofit ordered{f' up to {self.to_period}' if self.to_period else ''}"
        what = words.get(self.decision) or f"no {NOUNS[self.decision]}"
        return f"{ids_text(self)}: {what}{window_text(self.from_period, self.to_period)}"

    def edit(self, edit: Edit) -> Dataset:
        """A directive: at most 0."""
        kind = self.decision
        check_ids(edit, self, kind, complete=False)
        edit.window(self)
        if standing(edit.dataset, self, kind):
            instead = {DecisionKind.SIGN: "contract.terminate", DecisionKind.OPEN: "site.close"}.get(kind, "site.energization_delay")
            named = {DecisionKind.SIGN: "contract_id", DecisionKind.OPEN: "site_id"}.get(kind, "block_id")
            edit.refuse(named, "is no decision any more", "not_a_decision", getattr(self, named), f"a change of the type {instead}")
        made = directive(self, Rule.MAX, kind, 0.0, from_period=self.from_period, to_period=self.to_period)
        return with_directives(edit.dataset, [made], self.sentence(edit.dataset))

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """A prospect not signed, an option not built, or no new racks of a generation at a site."""
        prospects = [row.contract_id for row in dataset.rows(Contract) if row.status is ContractStatus.PROSPECT]
        options = [row.block_id for row in dataset.rows(PowerBlock) if row.status is BlockStatus.OPTION]
        site, supply = one(rng, dataset.rows(Site)), one(rng, dataset.rows(Supply))
        made = [cls(decision=DecisionKind.SIGN, contract_id=c) for c in prospects]
        made += [cls(decision=DecisionKind.BUILD, block_id=b) for b in options]
        if site is not None and supply is not None:
            made.append(cls(decision=DecisionKind.INSTALLED, site_id=site.site_id, gen_id=supply.gen_id))
        return one(rng, made)


class Bounded(Change):
    """Racks or deliveries of what is named, summed over what is not, stay on one side of a value."""

    decision: Amount = choice("what is counted: racks in service, racks installed, or physical GPUs delivered")
    contract_id: Text | None = among("contract (deliveries)", CONTRACT, default=None, none_means="summed over")
    site_id: Text | None = among("site", SITE, default=None, none_means="summed over")
    gen_id: Text | None = among("generation", GENERATION, default=None, none_means="summed over")
    value: Real = amount("racks, or physical GPUs", "of the decision")
    from_period: Text | None = first_period("first period in which it holds")
    to_period: Text | None = last_period("last period in which it holds")
    rule: ClassVar[Rule]
    words: ClassVar[str]

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        what = NOUNS[DecisionKind(self.decision.value)]
        return f"{ids_text(self)}: {self.words} {figure(self.value)} {what}{window_text(self.from_period, self.to_period)}"

    def edit(self, edit: Edit) -> Dataset:
        """A directive."""
        kind = DecisionKind(self.decision.value)
        check_ids(edit, self, kind, complete=False)
        edit.window(self)
        made = directive(self, self.rule, kind, self.value, from_period=self.from_period, to_period=self.to_period)
        return with_directives(edit.dataset, [made], self.sentence(edit.dataset))


class PlaceMin(Bounded):
    """At least so many racks or GPUs, in each period."""

    title = "Place at least"
    rule = Rule.MIN
    words = "at least"
    example: ClassVar[dict[str, Any]] = {
        "type": "place.min", "decision": "in_service", "site_id": "ellendale-nd", "gen_id": "gb300_nvl72", "value": 100,
        "from_period": "2026-Q4", "to_period": "2028-Q4",
    }  # fmt: skip
    type: Literal["place.min"] = "place.min"

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """A few racks of the fleet stay through the first period, or are installed somewhere, sometime."""
        fleet = [row for row in dataset.rows(Fleet) if row.racks > 0 and _alive(dataset, row)]
        row, start = one(rng, fleet), dataset.calendar.start
        if row is None:
            supply = one(rng, [row for row in dataset.rows(Supply) if row.racks > 0])
            last = dataset.calendar.label(dataset.calendar.periods - 1)
            return None if supply is None else cls(decision=Amount.IN_SERVICE, gen_id=supply.gen_id, value=1.0, from_period=last)
        racks = float(max(1, row.racks // 4))
        return cls(decision=Amount.IN_SERVICE, site_id=row.site_id, gen_id=row.gen_id, value=racks, from_period=start, to_period=start)


def _alive(dataset: Dataset, row: Fleet) -> bool:
    life = {gen.gen_id: gen.life_periods for gen in dataset.rows(Generation)}
    return dataset.calendar.index(row.in_service_since) + life[row.gen_id] > 0


class PlaceMax(Bounded):
    """At most so many racks or GPUs, in each period."""

    title = "Place at most"
    rule = Rule.MAX
    words = "at most"
    example: ClassVar[dict[str, Any]] = {
        "type": "place.max", "decision": "installed", "gen_id": "gb200_nvl72", "value": 200, "from_period": "2026-Q1",
    }  # fmt: skip
    type: Literal["place.max"] = "place.max"

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """At most some dozens of racks of a generation at a site."""
        site, supply, begin = one(rng, dataset.rows(Site)), one(rng, dataset.rows(Supply)), later(dataset, rng)
        if site is None or supply is None:
            return None
        end, racks = until(dataset, rng, begin), float(rng.randint(5, 80))
        site_id, gen_id = site.site_id, supply.gen_id
        return cls(decision=Amount.INSTALLED, site_id=site_id, gen_id=gen_id, value=racks, from_period=begin, to_period=end)

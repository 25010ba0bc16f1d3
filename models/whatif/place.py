"""Decisions taken by hand: racks placed, bounded or forbidden; a part of a plan frozen; the price of moves."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from models.dataset import Dataset
from models.tables import BlockStatus, Contract, ContractStatus, DecisionKind, Generation, Rule, Site, SiteStatus
from models.whatif.base import ID, Amount, Change, Count, Period, Random, Spanning, one_of, refers, some_period
from models.whatif.draft import Draft


class PlaceChange(Spanning):
    """A directive on the racks of a generation at a site."""

    site_id: ID = refers("sites", "site")
    gen_id: ID = refers("generations", "generation")

    @property
    def what(self) -> str:
        """Generation and site in words."""
        return f"{self.site_id}: {self.gen_id}"

    def direct(self, draft: Draft, rule: Rule, decision: DecisionKind, racks: float) -> None:
        """Write the directive.

        Raises:
            ChangeError: no such site, generation or period.
        """
        draft.one("sites", "site_id", self.site_id)
        draft.one("generations", "gen_id", self.gen_id)
        draft.span(self)
        draft.directive(
            self.sentence(), rule=rule, decision=decision, site_id=self.site_id, gen_id=self.gen_id,
            from_period=self.from_period, to_period=self.to_period, value=float(racks),
        )  # fmt: skip


class Force(PlaceChange):
    """So many racks are in service, neither more nor fewer."""

    type: Literal["place.force"] = "place.force"
    racks: Count = Field(description="racks in service")
    title: ClassVar = "Place racks"
    example: ClassVar[dict[str, Any]] = {
        "type": "place.force", "site_id": "denton-tx", "gen_id": "gb300_nvl72", "from_period": "2027-Q1", "to_period": "2027-Q4", "racks": 50,
    }  # fmt: skip

    def sentence(self) -> str:
        return f"{self.what} exactly {self.racks:,} racks in service {self.when}"

    def write(self, draft: Draft) -> None:
        self.direct(draft, Rule.FIX, DecisionKind.IN_SERVICE, self.racks)

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        site, gen = _drawn(dataset, random)
        when = dataset.calendar.label(dataset.calendar.periods - 1)
        return None if site is None else cls(site_id=site, gen_id=gen, from_period=when, racks=0)


class Forbid(PlaceChange):
    """No racks are installed."""

    type: Literal["place.forbid"] = "place.forbid"
    title: ClassVar = "Forbid racks"
    example: ClassVar[dict[str, Any]] = {"type": "place.forbid", "site_id": "denton-tx", "gen_id": "gb300_nvl72", "from_period": "2026-Q1"}

    def sentence(self) -> str:
        return f"{self.what} not installed {self.when}"

    def write(self, draft: Draft) -> None:
        self.direct(draft, Rule.MAX, DecisionKind.INSTALLED, 0)

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        site, gen = _drawn(dataset, random)
        return None if site is None else cls(site_id=site, gen_id=gen, from_period=some_period(dataset, random))


class Least(PlaceChange):
    """At least so many racks are in service."""

    type: Literal["place.min"] = "place.min"
    racks: Count = Field(description="least racks in service")
    title: ClassVar = "At least so many racks"
    example: ClassVar[dict[str, Any]] = {
        "type": "place.min", "site_id": "denton-tx", "gen_id": "gb300_nvl72", "from_period": "2027-Q1", "racks": 20,
    }  # fmt: skip

    def sentence(self) -> str:
        return f"{self.what} at least {self.racks:,} racks in service {self.when}"

    def write(self, draft: Draft) -> None:
        self.direct(draft, Rule.MIN, DecisionKind.IN_SERVICE, self.racks)

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        site, gen = _drawn(dataset, random)
        return None if site is None else cls(site_id=site, gen_id=gen, from_period=some_period(dataset, random), racks=0)


class Most(PlaceChange):
    """At most so many racks are in service."""

    type: Literal["place.max"] = "place.max"
    racks: Count = Field(description="most racks in service")
    title: ClassVar = "At most so many racks"
    example: ClassVar[dict[str, Any]] = {
        "type": "place.max", "site_id": "denton-tx", "gen_id": "gb300_nvl72", "from_period": "2027-Q1", "racks": 100,
    }  # fmt: skip

    def sentence(self) -> str:
        return f"{self.what} at most {self.racks:,} racks in service {self.when}"

    def write(self, draft: Draft) -> None:
        self.direct(draft, Rule.MAX, DecisionKind.IN_SERVICE, self.racks)

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        site, gen = _drawn(dataset, random)
        racks = int(random.integers(20, 400))
        return None if site is None else cls(site_id=site, gen_id=gen, from_period=some_period(dataset, random), racks=racks)


def _drawn(dataset: Dataset, random: Random) -> tuple[Any, Any]:
    """A site and a generation."""
    return one_of(random, [row.site_id for row in dataset.rows(Site)]), one_of(random, [row.gen_id for row in dataset.rows(Generation)])


class Freeze(Change):
    """What the baseline's plan decides before a period stays."""

    type: Literal["freeze.before"] = "freeze.before"
    period: Period = Field(description="first period that is free again")
    title: ClassVar = "Freeze the near term"
    example: ClassVar[dict[str, Any]] = {"type": "freeze.before", "period": "2026-Q3"}

    def sentence(self) -> str:
        return f"decisions before {self.period} stay as in the baseline"

    def write(self, draft: Draft) -> None:
        end = draft.period("period", self.period)
        if draft.baseline is None:
            draft.refuse("", None, "there is no baseline whose decisions could stay", "a change of a plan", code="no_baseline")
        if end == 0:
            return
        labels = {draft.calendar.label(t): t for t in range(end)}
        self._racks(draft, labels)
        self._yes_or_no(draft, labels, draft.calendar.label(end - 1))

    def _racks(self, draft: Draft, labels: dict[str, int]) -> None:
        """Racks installed and in service, by site and generation, over runs of equal numbers."""
        assert draft.baseline is not None
        table = draft.baseline.tables["racks"]
        sites, gens = {row["site_id"] for row in draft.rows("sites")}, {row["gen_id"] for row in draft.rows("generations")}
        for decision in (DecisionKind.INSTALLED, DecisionKind.IN_SERVICE):
            numbers: dict[tuple[str, str], list[int]] = {(s, g): [0] * len(labels) for s in sorted(sites) for g in sorted(gens)}
            for s, g, label, racks in zip(table["site_id"], table["gen_id"], table["period"], table[decision.value], strict=True):
                if label in labels and (s, g) in numbers:
                    numbers[s, g][labels[label]] = int(racks)
            for (s, g), racks in numbers.items():
                for first, last, count in _runs(racks):
                    draft.directive(
                        self.sentence(), rule=Rule.FIX, decision=decision, site_id=s, gen_id=g, value=float(count),
                        from_period=draft.calendar.label(first), to_period=draft.calendar.label(last),
                    )  # fmt: skip

    def _yes_or_no(self, draft: Draft, labels: dict[str, int], last: str) -> None:
        """Contracts signed, sites opened, blocks energized and retrofits that begin before the period; none but these."""
        assert draft.baseline is not None
        table = draft.baseline.tables["decisions"]
        taken: dict[tuple[str, str], tuple[str, float]] = {}
        for kind, name, label, mw in zip(table["kind"], table["id"], table["period"], table["mw"], strict=True):
            taken[str(kind), str(name)] = (str(label), 0.0 if mw is None or mw != mw else float(mw))
        for row in draft.rows("contracts"):
            label = taken.get(("sign", row["contract_id"]), ("", 0.0))[0]
            if row["status"] == ContractStatus.PROSPECT and row["start"] in labels:
                signed = float(label != "")
                draft.directive(self.sentence(), rule=Rule.FIX, decision=DecisionKind.SIGN, contract_id=row["contract_id"], value=signed)
        for kind, table_name, key, decision, status in (
            ("open", "sites", "site_id", DecisionKind.OPEN, SiteStatus.CANDIDATE),
            ("build", "power_blocks", "block_id", DecisionKind.BUILD, BlockStatus.OPTION),
        ):
            for row in draft.rows(table_name):
                if row["status"] == status:
                    begun = taken.get((kind, row[key]), ("", 0.0))[0]
                    self._switched(draft, decision, key, row[key], labels.get(begun), last)
        for row in draft.rows("retrofits"):
            label, mw = taken.get(("retrofit", row["site_id"]), ("", 0.0))
            ready = labels[label] + row["lead_periods"] if label in labels else None
            if ready is not None and ready < draft.calendar.periods:
                draft.directive(
                    self.sentence(), rule=Rule.MIN, decision=DecisionKind.RETROFIT, site_id=row["site_id"],
                    from_period=draft.calendar.label(ready), value=mw * (1 - 1e-9),
                )  # fmt: skip

    def _switched(self, draft: Draft, decision: DecisionKind, key: str, name: str, begun: int | None, last: str) -> None:
        """A site open or block built from a period on, and not before."""
        ends = draft.calendar.index(last)
        parts = [(0, ends, 0.0)] if begun is None else [(0, begun - 1, 0.0), (begun, ends, 1.0)]
        for first, until, value in parts:
            if first <= until:
                draft.directive(
                    self.sentence(), rule=Rule.FIX, decision=decision, value=value, **{key: name},
                    from_period=draft.calendar.label(first), to_period=draft.calendar.label(until),
                )  # fmt: skip

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        return cls(period=dataset.calendar.label(int(random.integers(1, max(2, dataset.calendar.periods // 4)))))


def _runs(values: list[int]) -> list[tuple[int, int, int]]:
    """First and last place and value of runs of equal values."""
    found: list[tuple[int, int, int]] = []
    for i, value in enumerate(values):
        if found and found[-1][2] == value:
            found[-1] = (found[-1][0], i, value)
        else:
            found.append((i, i, value))
    return found


class MovePrice(Change):
    """Moving a contract GPU to another site costs so much."""

    type: Literal["move.price"] = "move.price"
    usd_per_gpu: Amount = Field(description="cost of a move, USD per contract GPU")
    contract_id: ID | None = refers("contracts", "contract; all if not given", default=None)
    title: ClassVar = "Price of moves"
    example: ClassVar[dict[str, Any]] = {"type": "move.price", "usd_per_gpu": 2000}

    def sentence(self) -> str:
        return f"{self.contract_id or 'all contracts'}: moves cost {self.usd_per_gpu:,.0f} USD per GPU"

    def write(self, draft: Draft) -> None:
        if self.contract_id is not None:
            draft.one("contracts", "contract_id", self.contract_id)
        for row in draft.rows("contracts"):
            if self.contract_id in (None, row["contract_id"]):
                draft.set("contracts", row, move_usd_per_gpu=float(self.usd_per_gpu))

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        row = one_of(random, [row for row in dataset.rows(Contract) if row.move_usd_per_gpu > 0])
        price = round(float(random.uniform(500, 4000)))
        return cls(usd_per_gpu=price, contract_id=None if row is None else row.contract_id)


CHANGES = (Force, Forbid, Least, Most, Freeze, MovePrice)

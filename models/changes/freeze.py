"""Freezes: decisions taken before a period stay as in the baseline's plan."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal, Self

import pandas as pd

from models.calendar import Calendar
from models.changes.base import Change, Edit
from models.changes.directive import with_directives
from models.changes.fields import Flag, Text, field, period
from models.dataset import Dataset
from models.plan import Plan
from models.tables import (
    BlockStatus,
    Contract,
    ContractStatus,
    DecisionKind,
    Directive,
    Fleet,
    Generation,
    PowerBlock,
    Retrofit,
    Rule,
    Site,
    SiteStatus,
)  # fmt: skip

Ids = dict[str, str]


class FreezeBefore(Change):
    """Decisions before a period stay as in the baseline: racks, sites, blocks, retrofits, signatures and, if asked, deliveries.

    A block or retrofit counts from its order, a prospect from its start.
    """

    title = "Freeze the past"
    example: ClassVar[dict[str, Any]] = {"type": "freeze.before", "period": "2026-Q3"}
    type: Literal["freeze.before"] = "freeze.before"
    period: Text = period("first period that stays free")
    deliveries: Flag = field("deliveries to contracts stay too", default=True, form={"widget": "checkbox"})

    def sentence(self, dataset: Dataset) -> str:
        """See ``Change``."""
        return f"decisions before {self.period} stay as in the baseline" + ("" if self.deliveries else ", except deliveries")

    def edit(self, edit: Edit) -> Dataset:
        """``fix`` directives from the tables of the baseline's plan; ids that the dataset does not have are left out."""
        if edit.baseline is None:
            problem = "needs the plan of a baseline, and there is none"
            edit.refuse("", problem, "no_baseline", None, "this change only where a baseline is given")
        dataset = edit.dataset
        end = dataset.calendar.index(self.period)
        if end == 0:
            return dataset
        frozen = _Frozen(dataset, edit.baseline, end)
        parts = [frozen.racks(), frozen.signatures(), frozen.openings(), frozen.blocks(), frozen.retrofits()]
        parts += [frozen.deliveries()] if self.deliveries else []
        directives = [directive for part in parts for directive in part]
        return with_directives(dataset, directives, f"as in the baseline before {self.period}", stem="freeze")

    @classmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """The first quarter of the horizon, at least a period."""
        last = dataset.calendar.periods - 1
        return cls(period=dataset.calendar.label(rng.randint(1, max(1, last // 4)))) if last >= 1 else None


def _fix(kind: DecisionKind, value: float, ids: Ids, first: str | None = None, last: str | None = None) -> Directive:
    return Directive(row="-", rule=Rule.FIX, decision=kind, value=value, from_period=first, to_period=last, **ids)


def _spans(values: list[float], calendar: Calendar) -> Iterator[tuple[float, str, str]]:
    """Runs of equal values as (value, first period, last period)."""
    begin = 0
    for t in range(1, len(values) + 1):
        if t == len(values) or values[t] != values[begin]:
            yield values[begin], calendar.label(begin), calendar.label(t - 1)
            begin = t


class _Frozen:
    """What a plan decided before period ``end``, as directives."""

    def __init__(self, dataset: Dataset, plan: Plan, end: int) -> None:
        self.dataset, self.plan, self.end, self.calendar = dataset, plan, end, dataset.calendar
        self.sites = {row.site_id: row for row in dataset.rows(Site)}
        self.gens = {row.gen_id for row in dataset.rows(Generation)}
        self.contracts = {row.contract_id: row for row in dataset.rows(Contract)}

    def _early(self, table: str) -> pd.DataFrame:
        """Rows of a plan table before the end, with their period's index in ``t``."""
        frame = self.plan[table]
        index = {label: t for t, label in enumerate(self.calendar.labels)}
        found = frame.assign(t=[index.get(str(label), self.end) for label in frame["period"]])
        return found[found["t"] < self.end]

    def racks(self) -> Iterator[Directive]:
        """Racks in service and installed: each pair of site and generation that has any, and per site the sum installed."""
        held: dict[tuple[str, str], list[float]] = {}
        put: dict[tuple[str, str], list[float]] = {}
        total = {site: [0.0] * self.end for site in self.sites}
        for row in self.dataset.rows(Fleet):
            held.setdefault((row.site_id, row.gen_id), [0.0] * self.end)
        racks = self._early("racks")
        columns = (racks[name].tolist() for name in ("site_id", "gen_id", "t", "installed", "in_service"))
        for s, g, t, installed, in_service in zip(*columns, strict=True):
            if s not in self.sites or g not in self.gens:
                continue
            held.setdefault((s, g), [0.0] * self.end)[t] = float(in_service)
            put.setdefault((s, g), [0.0] * self.end)[t] = float(installed)
            total[s][t] += float(installed)
        for kind, found in ((DecisionKind.IN_SERVICE, held), (DecisionKind.INSTALLED, put)):
            for (s, g), values in found.items():
                for value, first, last in _spans(values, self.calendar):
                    if kind is DecisionKind.IN_SERVICE or value > 0:
                        yield _fix(kind, value, {"site_id": s, "gen_id": g}, first, last)
        for s, values in total.items():
            for value, first, last in _spans(values, self.calendar):
                yield _fix(DecisionKind.INSTALLED, value, {"site_id": s}, first, last)

    def deliveries(self) -> Iterator[Directive]:
        """Each delivery, and per contract the sum, so that nothing else is delivered."""
        each: dict[tuple[str, str, str], list[float]] = {}
        parts: dict[str, list[list[float]]] = defaultdict(lambda: [[] for _ in range(self.end)])
        rows = self._early("deliveries")
        columns = (rows[name].tolist() for name in ("contract_id", "site_id", "gen_id", "t", "gpus"))
        known = {str(c) for c in self.plan["contracts"]["contract_id"]} & self.contracts.keys()
        for c, s, g, t, gpus in zip(*columns, strict=True):
            if c in known and s in self.sites and g in self.gens and gpus > 0:
                each.setdefault((c, s, g), [0.0] * self.end)[t] = float(gpus)
                parts[c][t].append(float(gpus))
        for (c, s, g), values in each.items():
            for value, first, last in _spans(values, self.calendar):
                if value > 0:
                    yield _fix(DecisionKind.DELIVERIES, value, {"contract_id": c, "site_id": s, "gen_id": g}, first, last)
        for c in sorted(known):
            sums = [math.fsum(gpus) for gpus in parts[c]]
            for value, first, last in _spans(sums, self.calendar):
                yield _fix(DecisionKind.DELIVERIES, value, {"contract_id": c}, first, last)

    def _decisions(self, *kinds: str) -> dict[str, tuple[str, int, float]]:
        """Decisions of these kinds: by id, the kind, its period's index and its MW; outside the horizon they count as before it."""
        frame = self.plan["decisions"]
        index = {label: t for t, label in enumerate(self.calendar.labels)}
        columns = (frame[name].tolist() for name in ("kind", "id", "period", "mw"))
        return {str(i): (k, index.get(str(p), -1), float(mw)) for k, i, p, mw in zip(*columns, strict=True) if k in kinds}

    def signatures(self) -> Iterator[Directive]:
        """Prospects that start before the end: signed or declined; one that the baseline did not know stays free."""
        for own, (kind, _, _) in self._decisions("sign", "decline").items():
            contract = self.contracts.get(own)
            if contract is None or contract.status is ContractStatus.FIRM or self.calendar.index(contract.start) >= self.end:
                continue
            yield _fix(DecisionKind.SIGN, 1.0 if kind == "sign" else 0.0, {"contract_id": own})

    def openings(self) -> Iterator[Directive]:
        """Candidates: open from the plan's period on, closed until then."""
        opened = self._decisions("open")
        for own, site in self.sites.items():
            if site.status is SiteStatus.CANDIDATE:
                begin = min(opened[own][1], self.end) if own in opened else self.end
                yield from self._step(DecisionKind.OPEN, {"site_id": own}, begin, self.end, 1.0)

    def blocks(self) -> Iterator[Directive]:
        """Options ordered before the end are built when planned; the others not before they could be if ordered then."""
        built = self._decisions("build")
        for row in self.dataset.rows(PowerBlock):
            if row.status is not BlockStatus.OPTION:
                continue
            until = min(self.end + row.lead_periods, self.calendar.periods)
            begin = min(built[row.block_id][1], until) if row.block_id in built else until
            late = self.calendar.index(row.energized)
            if begin < min(until, late):  # ordered, and late by an earlier change: built as soon as it can be
                begin, until = min(late, self.calendar.periods), min(max(until, late + 1), self.calendar.periods)
            yield from self._step(DecisionKind.BUILD, {"block_id": row.block_id}, begin, until, 1.0)

    def retrofits(self) -> Iterator[Directive]:
        """MW ordered up to each period."""
        ordered = self._decisions("retrofit")
        for row in self.dataset.rows(Retrofit):
            begin, mw = (min(ordered[row.site_id][1], self.end), ordered[row.site_id][2]) if row.site_id in ordered else (self.end, 0.0)
            yield from self._step(DecisionKind.RETROFIT, {"site_id": row.site_id}, begin, self.end, mw)

    def _step(self, kind: DecisionKind, ids: Ids, begin: int, until: int, value: float) -> Iterable[Directive]:
        """0 before ``begin``, the value from then to the period before ``until``."""
        if begin > 0:
            yield _fix(kind, 0.0, ids, self.calendar.label(0), self.calendar.label(begin - 1))
        if begin < until:
            yield _fix(kind, value, ids, self.calendar.label(max(begin, 0)), self.calendar.label(until - 1))

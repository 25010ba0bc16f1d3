"""What a plan decides, as rows that can be counted over many plans; and by when each decision must be made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from models import tables as tb
from models.dataset import Dataset
from models.plan import Plan

INSTALL = "install"
MW_DIGITS = 1
"""Digits to which megawatts of two retrofits are compared."""
NO_LEAD = "none given"


class Decided(NamedTuple):
    """One decision of a plan.

    Attributes:
        kind: sign, decline, open, build, retrofit or install.
        id: contract, site, block, or ``site/generation``.
        period: the contract's start, or when opened, energized, ordered or installed.
        amount: MW of a block or retrofit, racks installed; 0 elsewhere.
    """

    kind: str
    id: str
    period: str
    amount: float


def decisions_of(plan: Plan) -> list[Decided]:
    """All decisions of a plan, those of yes and no first, then racks installed."""
    columns = (plan.decisions[name].tolist() for name in ("kind", "id", "period", "mw"))
    found = [Decided(str(kind), str(id_), str(period), float(mw)) for kind, id_, period, mw in zip(*columns, strict=True)]
    racks = plan.racks[plan.racks["installed"] > 0]
    columns = (racks[name].tolist() for name in ("site_id", "gen_id", "period", "installed"))
    return found + [Decided(INSTALL, f"{site}/{gen}", str(period), float(n)) for site, gen, period, n in zip(*columns, strict=True)]


class Question(NamedTuple):
    """What is decided one way or another: whether and when for contracts, sites, blocks and retrofits; how many racks in a period.

    Attributes:
        kind: sign, open, build, retrofit or install.
        id: contract, site, block, or ``site/generation``.
        period: of racks, when; empty elsewhere.
    """

    kind: str
    id: str
    period: str = ""


NOT = {"sign": "not offered", "open": "not opened", "build": "not built", "retrofit": "none", INSTALL: "0 racks"}
"""Answer of a plan that says nothing to a question."""


def answers(decided: list[Decided]) -> dict[Question, str]:
    """What a plan answers to each question that it says something to."""
    found: dict[Question, str] = {}
    for d in decided:
        if d.kind in ("sign", "decline"):
            found[Question("sign", d.id)] = "signed" if d.kind == "sign" else "declined"
        elif d.kind == INSTALL:
            found[Question(INSTALL, d.id, d.period)] = f"{d.amount:,.0f} racks" if d.amount != 1 else "1 rack"
        elif d.kind == "retrofit":
            found[Question(d.kind, d.id)] = f"{round(d.amount, MW_DIGITS):,.{MW_DIGITS}f} MW in {d.period}"
        else:
            found[Question(d.kind, d.id)] = d.period
    return found


@dataclass(frozen=True)
class Due:
    """By when a decision must be made.

    Attributes:
        period: the last period for the order or signature.
        lead: why then, in words; ``none given`` where the data have no lead time.
    """

    period: str
    lead: str = NO_LEAD


@dataclass(frozen=True)
class LeadTimes:
    """Lead times that a dataset gives: those of blocks and retrofits. It gives none for racks, sites and contracts."""

    dataset: Dataset

    @cached_property
    def blocks(self) -> Mapping[str, int]:
        """Periods from order to energization by block."""
        return {row.block_id: row.lead_periods for row in self.dataset.rows(tb.PowerBlock)}

    @cached_property
    def retrofits(self) -> Mapping[str, int]:
        """Periods from order to liquid cooling by site."""
        return {row.site_id: row.lead_periods for row in self.dataset.rows(tb.Retrofit)}

    def due(self, decided: Decided) -> Due:
        """By when a decision must be made: a block its lead time before it is energized, a retrofit when it is ordered, all else when it happens."""
        calendar = self.dataset.calendar
        if decided.kind == "build" and decided.id in self.blocks:
            lead = self.blocks[decided.id]
            return Due(calendar.label(calendar.index(decided.period) - lead), f"{lead} before {decided.period}" if lead else "0, as given")
        if decided.kind == "retrofit" and decided.id in self.retrofits:
            ready = calendar.label(calendar.index(decided.period) + self.retrofits[decided.id])
            return Due(decided.period, f"{self.retrofits[decided.id]}, cools from {ready}")
        return Due(decided.period)

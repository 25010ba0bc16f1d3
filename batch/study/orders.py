"""Racks to order by generation and period: what every plan of a study orders at least, and what some order at most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from batch.decided import INSTALL, decisions_of
from batch.study.asked import Asked
from batch.study.journal import Entry
from batch.study.results import DECIDED
from batch.study.spread import Spread, spread
from models import tables as tb


@dataclass(frozen=True)
class Order:
    """Racks of a generation installed in a period, at all sites together.

    Attributes:
        gen_id: generation.
        period: when they are installed; the data give no lead time for racks.
        base: in the base plan.
        over_runs: over the runs' plans, 0 where one has none.
    """

    gen_id: str
    period: str
    base: float
    over_runs: Spread


def orders(asked: Asked, entries: Mapping[int, Entry]) -> list[Order]:
    """In order of time, then of generations."""
    counted = [run for run in sorted(entries) if entries[run]["row"]["status"] in DECIDED and asked.scenarios[run].origin.counts]
    if not counted:
        return []
    racks: dict[tuple[str, str], dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for run, decided in [(-1, decisions_of(asked.plan)), *((run, entries[run]["decisions"]) for run in counted)]:
        for kind, id_, period, amount in decided:
            if kind == INSTALL:
                racks[period, id_.split("/")[1]][run] += amount
    at = {row.gen_id: n for n, row in enumerate(asked.dataset.rows(tb.Generation))}
    odds = [asked.scenarios[run].odds for run in counted]
    found = []
    for (period, gen), by_run in sorted(racks.items(), key=lambda item: (item[0][0], at.get(item[0][1], len(at)))):
        over = spread([by_run.get(run, 0.0) for run in counted], odds, worst_is_low=True)
        if over is not None:
            found.append(Order(gen, period, by_run.get(-1, 0.0), over))
    return found

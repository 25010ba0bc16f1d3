"""Ids, rows and calendar of a dataset, and its step tables."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from models import tables as tb
from models.dataset import Dataset

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Pair = tuple[str, str]

ROUND_UP = 1e-9
"""A rack that fits but for this share of a rack is held to fit (binary fractions of data)."""


def steps(rows: Iterable[tuple[int, float]], periods: int, before: float) -> Floats:
    """Values of a step table over the horizon: a row holds until the next; ``before`` the first row, ``before``."""
    values = np.full(periods, before)
    for start, value in sorted(rows):
        values[min(max(start, 0), periods) :] = value
    return values


class Base:
    """Ids, rows and the calendar of a dataset.

    Args:
        dataset: a checked dataset.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.settings = dataset.settings
        self.calendar = dataset.calendar
        self.T = dataset.settings.periods
        self.months = self.calendar.months
        self.hours = self.calendar.hours
        self.disc = self.calendar.discount(self.settings.discount_rate)
        self.disc_end = self.calendar.discount_end(self.settings.discount_rate)
        self.site_rows = {row.site_id: row for row in dataset.rows(tb.Site)}
        self.gen_rows = {row.gen_id: row for row in dataset.rows(tb.Generation)}
        self.contract_rows = {row.contract_id: row for row in dataset.rows(tb.Contract)}
        self.block_rows = {row.block_id: row for row in dataset.rows(tb.PowerBlock)}
        self.retrofit_rows = {row.site_id: row for row in dataset.rows(tb.Retrofit)}
        self.sites = list(self.site_rows)
        self.gens = list(self.gen_rows)
        self.contracts = list(self.contract_rows)
        self.candidates = [s for s, row in self.site_rows.items() if row.status is tb.SiteStatus.CANDIDATE]
        self.options = [b for b, row in self.block_rows.items() if row.status is tb.BlockStatus.OPTION]
        self.prospects = [c for c, row in self.contract_rows.items() if row.status is tb.ContractStatus.PROSPECT]
        self.site_at = {s: i for i, s in enumerate(self.sites)}
        self.gen_at = {g: i for i, g in enumerate(self.gens)}
        self.contract_at = {c: i for i, c in enumerate(self.contracts)}

    def index(self, label: str) -> int:
        """Index of a period label."""
        return self.calendar.index(label)

    def _stepped(self, rows: Iterable[tuple[str, str, float]], before: float) -> dict[str, Floats]:
        """Step tables by key: (key, from_period, value) rows -> values over the horizon."""
        grouped: dict[str, list[tuple[int, float]]] = {}
        for key, label, value in rows:
            grouped.setdefault(key, []).append((self.index(label), value))
        return {key: steps(found, self.T, before) for key, found in grouped.items()}

"""Periods of the planning horizon: labels, hours, seasons, calendar years and discount factors.

A period is a calendar quarter, month or year. Labels are ``2026-Q1``, ``2026-03`` and ``2026``;
inside the programs a period is its whole-number index, 0 being the first period of the horizon.
Indices before 0 or at and beyond ``periods`` are real periods too, only outside the horizon.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FIRST_YEAR, LAST_YEAR = 1900, 2200
"""Years in which a horizon may begin; other periods may be of any year."""


class PeriodKind(StrEnum):
    """Length of a planning period."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


PER_YEAR = {PeriodKind.MONTH: 12, PeriodKind.QUARTER: 4, PeriodKind.YEAR: 1}
EXAMPLE = {PeriodKind.MONTH: "2026-03", PeriodKind.QUARTER: "2026-Q1", PeriodKind.YEAR: "2026"}
_PATTERN = {
    PeriodKind.MONTH: re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])"),
    PeriodKind.QUARTER: re.compile(r"([0-9]{4})-Q([1-4])"),
    PeriodKind.YEAR: re.compile(r"([0-9]{4})"),
}


def ordinal(label: str, kind: PeriodKind) -> int:
    """Number of the period since year 0.

    Raises:
        ValueError: the label is not a period of this kind.
    """
    match = _PATTERN[kind].fullmatch(label)
    if match is None:
        raise ValueError(f"a {kind.value} written like {EXAMPLE[kind]}")
    part = 0 if kind is PeriodKind.YEAR else int(match[2]) - 1
    return int(match[1]) * PER_YEAR[kind] + part


@dataclass(frozen=True)
class Calendar:
    """The horizon: ``periods`` periods of one kind from ``start`` on.

    Raises:
        ValueError: ``start`` is not a period of this kind, or of a year out of ``FIRST_YEAR`` to ``LAST_YEAR``.
    """

    start: str
    periods: int
    kind: PeriodKind = PeriodKind.QUARTER

    def __post_init__(self) -> None:
        if not FIRST_YEAR <= ordinal(self.start, self.kind) // PER_YEAR[self.kind] <= LAST_YEAR:
            raise ValueError(f"a {self.kind.value} of the years {FIRST_YEAR} to {LAST_YEAR}, written like {EXAMPLE[self.kind]}")

    @cached_property
    def _origin(self) -> int:
        return ordinal(self.start, self.kind)

    def index(self, label: str) -> int:
        """Index of a period label; negative before the start.

        Raises:
            ValueError: the label is not a period of the dataset's kind.
        """
        return ordinal(label, self.kind) - self._origin

    def label(self, index: int) -> str:
        """Label of a period index, inside or outside the horizon."""
        per_year = PER_YEAR[self.kind]
        year, part = divmod(self._origin + int(index), per_year)
        if self.kind is PeriodKind.YEAR:
            return f"{year:04d}"
        return f"{year:04d}-Q{part + 1}" if self.kind is PeriodKind.QUARTER else f"{year:04d}-{part + 1:02d}"

    @cached_property
    def labels(self) -> list[str]:
        """Labels of the horizon's periods, in order."""
        return [self.label(t) for t in range(self.periods)]

    @property
    def months(self) -> int:
        """``M`` of model.md: months in a period."""
        return 12 // PER_YEAR[self.kind]

    def _first_day(self, index: int) -> date:
        per_year = PER_YEAR[self.kind]
        year, part = divmod(self._origin + index, per_year)
        return date(year, part * self.months + 1, 1)

    @cached_property
    def hours(self) -> NDArray[np.float64]:
        """``H[t]`` of model.md: calendar hours of each period, leap days included."""
        days = [(self._first_day(t + 1) - self._first_day(t)).days for t in range(self.periods)]
        return np.array(days, dtype=float) * 24.0

    @cached_property
    def years(self) -> list[int]:
        """Calendar year of each period."""
        return [(self._origin + t) // PER_YEAR[self.kind] for t in range(self.periods)]

    @cached_property
    def season_weights(self) -> NDArray[np.float64]:
        """Weight of seasons 1..4 (calendar quarters) in each period; shape (periods, 4), rows add to 1.

        A quarter or month lies in one season; a year takes each season by its hours.
        """
        weights = np.zeros((self.periods, 4))
        for t in range(self.periods):
            first = self._first_day(t)
            if self.kind is PeriodKind.YEAR:
                year = first.year
                starts = [date(year, m, 1) for m in (1, 4, 7, 10)] + [date(year + 1, 1, 1)]
                days = np.diff([d.toordinal() for d in starts])
                weights[t] = days / days.sum()
            else:
                weights[t, (first.month - 1) // 3] = 1.0
        return weights

    def discount(self, rate_per_year: float) -> NDArray[np.float64]:
        """``disc[t] = (1+r)^-((t+0.5)·M/12)`` of model.md: mid-period discount factors."""
        t = np.arange(self.periods)
        return np.asarray((1.0 + rate_per_year) ** (-(t + 0.5) * self.months / 12.0), dtype=np.float64)

    def discount_end(self, rate_per_year: float) -> float:
        """``disc_end = (1+r)^-(T·M/12)`` of model.md: the factor at the end of the horizon."""
        return float((1.0 + rate_per_year) ** (-self.periods * self.months / 12.0))

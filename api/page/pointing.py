"""A table of sites and periods to point at: how full each site is."""

from __future__ import annotations

from dataclasses import dataclass

from models.dataset import Dataset
from models.plan import Plan
from models.tables import Site

LEVELS = 5
"""Shades of how full a site is, beside none for an empty one."""
EMPTY = 1e-9


@dataclass(frozen=True)
class Cell:
    """A site in a period.

    Attributes:
        period: label.
        level: shade, from 0 for empty to ``LEVELS``.
        title: in words.
    """

    period: str
    level: int
    title: str


def cells(dataset: Dataset, plan: Plan | None) -> list[tuple[str, list[Cell]]]:
    """Sites with a cell for each period.

    Args:
        plan: says how much of its IT power a site uses; without, nothing is.
    """
    used: dict[tuple[str, str], tuple[float, float]] = {}
    if plan is not None:
        names = ("site_id", "period", "it_used_mw", "it_limit_mw")
        used = {(s, p): (u, most) for s, p, u, most in zip(*(plan.sites[name].tolist() for name in names), strict=True)}
    found = []
    for site in dataset.rows(Site):
        row = []
        for t in range(dataset.calendar.periods):
            label = dataset.calendar.label(t)
            mw, most = used.get((site.site_id, label), (0.0, 0.0))
            words = f"{mw:,.1f} of {most:,.1f} MW IT used" if most > EMPTY else "no IT power"
            row.append(Cell(label, _level(mw, most), f"{site.site_id}, {label}: {words}"))
        found.append((site.site_id, row))
    return found


def _level(mw: float, most: float) -> int:
    if mw <= EMPTY or most <= EMPTY:
        return 0
    return min(LEVELS, 1 + int(LEVELS * mw / most * (1 - EMPTY)))

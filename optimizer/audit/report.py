"""What an audit finds: violations, and the collector that the checks report to.

Tolerances. A row is violated when the excess over its limit is above ``TOLERANCE * scale``. The scale of
a constraint is ``max(1, |limit|)`` in the units of model.md (racks, GPUs, MW, m3, tonnes, 0-or-1); limits
of money count in million USD there, so theirs is ``max(1e6 USD, |limit|)``. Columns that follow from
others are compared with a scale of ``max(1, |expected|)`` in their own unit, sums that cancel with the
sum of the absolute values of what they add.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from models.plan import AuditSummary

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """Ids of rows of a table: those that all share, and a frame with one row of ids per element."""

    frame: pd.DataFrame
    fixed: Mapping[str, str] = field(default_factory=dict)


Places = Mapping[str, Sequence[str]] | Rows | pd.DataFrame
"""Ids of the rows checked: labels by dimension of the arrays, or one row of ids per element."""

TOLERANCE = 1e-6
"""Largest violation in units of the row's scale."""
SUM_TOLERANCE = 1e-9
"""Largest difference of two sums of the same terms, in units of the sum of their absolute values."""
MILLION = 1e6
"""Smallest scale of a limit of money, USD."""
MOST_LISTED = 200
"""Violations listed per constraint; all are counted."""


@dataclass(frozen=True)
class Violation:
    """A row of a constraint, or a cell of a table, that does not hold.

    Attributes:
        constraint: name of the constraint (model.md), or of the check of the tables.
        number: its number in model.md; 0 for consistency of tables and terms of NPV.
        ids: where: names of ids, periods, tables, columns or terms with their values.
        amount: by how much, in ``unit``; 1 for a text that differs.
        unit: unit of amount and limit.
        message: one sentence with constraint, ids, amount and limit.
        limit: the limit, or the value expected.
        scaled: amount as a share of the row's scale.
    """

    constraint: str
    number: int
    ids: dict[str, str]
    amount: float
    unit: str
    message: str
    limit: float = 0.0
    scaled: float = 0.0


@dataclass(frozen=True)
class AuditReport:
    """Result of an audit.

    Attributes:
        passed: whether nothing is violated.
        violations: largest (by ``scaled``) first; at most ``MOST_LISTED`` per constraint.
        worst_violation: largest excess over any limit as a share of the row's scale, also where it is within tolerance.
        npv_recomputed_usd: NPV from data and plan tables alone.
        npv_terms: its terms, discounted, USD; names as in ``models.plan.NPV_TERMS``.
        checked: rows checked, by constraint.
        violated: rows violated, by constraint; only those with any.
    """

    passed: bool
    violations: list[Violation]
    worst_violation: float
    npv_recomputed_usd: float
    npv_terms: dict[str, float]
    checked: dict[str, int]
    violated: dict[str, int] = field(default_factory=dict)

    def summary(self) -> AuditSummary:
        """What summary.json tells of the audit."""
        return AuditSummary(passed=self.passed, worst_violation=self.worst_violation, npv_recomputed_usd=self.npv_recomputed_usd)

    def __str__(self) -> str:
        if self.passed:
            return f"audit passed: {sum(self.checked.values())} rows of {len(self.checked)} constraints hold"
        return "\n".join([f"audit failed: {sum(self.violated.values())} rows violated", *(v.message for v in self.violations)])


def number_text(value: float) -> str:
    """A number for a message: nine digits, no needless zeros."""
    return f"{value:.9g}"


def quantity_text(value: float, unit: str) -> str:
    """A number with its unit for a message."""
    return f"{number_text(value)} {unit}".rstrip()


class Findings:
    """Collects what the checks find."""

    def __init__(self) -> None:
        self.checked: dict[str, int] = {}
        self.violated: dict[str, int] = {}
        self.worst = 0.0
        self._found: list[Violation] = []

    def at_most(self, name: str, number: int, what: str, used: ArrayLike, limit: ArrayLike, places: Places, unit: str,
                least_scale: float = 1.0, exists: ArrayLike = True) -> None:  # fmt: skip
        """Check ``used <= limit``; rows with an infinite limit, or where ``exists`` is false, do not exist.

        Args:
            name, number: constraint.
            what: what is used, in words.
            used, limit, exists: arrays that broadcast to one shape.
            places: ids of the rows.
            unit: unit of both sides.
            least_scale: smallest scale of a row.
        """
        use, top, here = _together(used, limit, exists)
        self._rows(name, number, what, use, top, use - top, places, unit, least_scale, here, "above the limit of")

    def at_least(self, name: str, number: int, what: str, used: ArrayLike, limit: ArrayLike, places: Places, unit: str,
                 least_scale: float = 1.0, exists: ArrayLike = True) -> None:  # fmt: skip
        """Check ``used >= limit``; see ``at_most``."""
        use, low, here = _together(used, limit, exists)
        self._rows(name, number, what, use, low, low - use, places, unit, least_scale, here, "below the least of")

    def equal(self, name: str, number: int, what: str, found: ArrayLike, expected: ArrayLike, places: Places, unit: str,
              least_scale: ArrayLike = 1.0, exists: ArrayLike = True, tolerance: float = TOLERANCE) -> None:  # fmt: skip
        """Check ``found == expected``; see ``at_most``."""
        got, want, here = _together(found, expected, exists)
        self._rows(name, number, what, got, want, np.abs(got - want), places, unit, least_scale, here, "off the due value of", tolerance)

    def _rows(self, name: str, number: int, what: str, found: Floats, limit: Floats, excess: Floats, places: Places, unit: str,
              least_scale: ArrayLike, exists: Bools, words: str, tolerance: float = TOLERANCE) -> None:  # fmt: skip
        """Compare excesses with tolerances, and note the rows checked and violated."""
        exists = exists & np.isfinite(limit)
        self.checked[name] = self.checked.get(name, 0) + int(exists.sum())
        if not exists.any():
            return
        scale = np.maximum(np.abs(np.where(exists, limit, 0.0)), np.broadcast_to(np.asarray(least_scale, float), limit.shape))
        # NaN counts as an unlimited violation: it must never pass a comparison.
        excess = np.where(np.isnan(excess), np.inf, excess)
        scaled = np.where(exists, excess / scale, 0.0) * (TOLERANCE / tolerance)
        self.worst = max(self.worst, float(scaled.max()))
        wrong = np.flatnonzero(scaled.ravel() > TOLERANCE)
        if not wrong.size:
            return
        self.violated[name] = self.violated.get(name, 0) + int(wrong.size)
        largest = wrong[np.argsort(-scaled.ravel()[wrong], kind="stable")][:MOST_LISTED]
        for flat in largest:
            at = np.unravel_index(int(flat), limit.shape)
            ids = _ids(places, at)
            amount, due = float(excess[at]), float(limit[at])
            where = ", ".join(f"{key} {value}" for key, value in ids.items())
            message = (
                f"{name}: {what}{' at ' + where if where else ''} is {quantity_text(float(found[at]), unit)}, "
                f"{quantity_text(amount, unit)} {words} {quantity_text(due, unit)}."
            )
            self._found.append(Violation(name, number, ids, amount, unit, message, due, float(scaled[at])))

    def wrong(self, name: str, number: int, ids: Mapping[str, str], message: str, amount: float = 1.0, unit: str = "") -> None:
        """Note a violation that is no comparison of numbers, such as an unknown id."""
        self.violated[name] = self.violated.get(name, 0) + 1
        self.worst = max(self.worst, amount)
        self._found.append(Violation(name, number, dict(ids), amount, unit, f"{name}: {message}", 0.0, amount))

    def count(self, name: str, rows: int) -> None:
        """Note rows checked by ``wrong``."""
        self.checked[name] = self.checked.get(name, 0) + rows

    def report(self, npv_terms: Mapping[str, float]) -> AuditReport:
        """The report, largest violations first."""
        listed: dict[str, int] = {}
        found = []
        for violation in sorted(self._found, key=lambda v: -v.scaled):
            listed[violation.constraint] = listed.get(violation.constraint, 0) + 1
            if listed[violation.constraint] <= MOST_LISTED:
                found.append(violation)
        npv = float(sum(npv_terms.values()))
        return AuditReport(not self._found, found, self.worst, npv, dict(npv_terms), dict(self.checked), dict(self.violated))


def _together(first: ArrayLike, second: ArrayLike, exists: ArrayLike) -> tuple[Floats, Floats, Bools]:
    """Two sides of a row and whether it exists, in one shape."""
    a, b, here = np.broadcast_arrays(np.asarray(first, float), np.asarray(second, float), np.asarray(exists, bool))
    return a, b, here


def _ids(places: Places, at: tuple[np.intp, ...]) -> dict[str, str]:
    """Ids of one element."""
    if isinstance(places, pd.DataFrame):
        places = Rows(places)
    if isinstance(places, Rows):
        row = places.frame.iloc[int(at[0])]
        return {**places.fixed, **{str(key): str(value) for key, value in row.items()}}
    return {key: str(labels[int(i)]) for (key, labels), i in zip(places.items(), at, strict=True)}

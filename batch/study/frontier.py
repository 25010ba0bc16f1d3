"""What less of something costs: NPV against a measure, with what is proven beside what is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from batch.study.asked import Asked
from batch.study.journal import Entry
from batch.study.results import PLANNED, TOTALS
from models.study import Origin
from models.targets import MEASURES, Measure, measured


@dataclass(frozen=True)
class Point:
    """A limit on a measure.

    Attributes:
        share: of the base plan's total.
        most: the limit, in the measure's unit.
        status: of the run; empty for the base plan.
        amount: what the best plan known within the limit has; NaN without one.
        npv_usd: its NPV, USD; a plan found for a stricter limit counts here too. NaN without one.
        bound_usd: what no plan within the limit can exceed, USD; a bound of a looser limit counts too. Infinite where nothing is proven.
        proven_usd: least that the limit costs against the base plan, USD: its NPV less the bound; 0 where nothing is proven.
        cost_usd: what it costs with the plan known, USD: the base plan's NPV less its own.
        usd_per_unit: the same per unit less than the point before; NaN where that is not less.
    """

    share: float
    most: float
    status: str
    amount: float
    npv_usd: float
    bound_usd: float
    proven_usd: float
    cost_usd: float
    usd_per_unit: float


@dataclass(frozen=True)
class Front:
    """Points of a measure, the loosest first; the base plan is the first."""

    measure: Measure
    points: list[Point]

    @property
    def unit(self) -> str:
        """Of the measure."""
        return MEASURES[self.measure][1]


def fronts(asked: Asked, entries: Mapping[int, Entry]) -> list[Front]:
    """Every frontier of a study, as far as its runs have ended."""
    totals = measured(asked.plan.tables)
    found = []
    for measure in Measure:
        runs = [
            run for run in sorted(entries)
            if asked.scenarios[run].origin is Origin.FRONTIER and measure.value in asked.scenarios[run].most
        ]  # fmt: skip
        if runs:
            rows = [(asked.scenarios[run].most[measure.value], entries[run]["row"]) for run in runs]
            found.append(Front(measure, _points(asked, totals[measure], measure, rows)))
    return found


def _points(asked: Asked, total: float, measure: Measure, rows: list[tuple[float, Mapping[str, object]]]) -> list[Point]:
    base = asked.base_npv_usd
    bound = asked.plan.summary.bound_usd
    made: list[tuple[float, str, float, float, float]] = [(total, "", total, base, math.inf if bound is None else bound)]
    for most, row in sorted(rows, key=lambda item: -item[0]):
        status = str(row["status"])
        has = status in PLANNED and row.get("npv_usd") is not None
        proven = -math.inf if status == "infeasible" else row.get("bound_usd")
        made.append(
            (
                most, status, _number(row.get(TOTALS[measure])) if has else math.nan, _number(row.get("npv_usd")) if has else math.nan,
                math.inf if proven is None else _number(proven),
            )
        )  # fmt: skip
    points: list[Point] = []
    bound_so_far = math.inf
    for n, (most, status, _, _, own_bound) in enumerate(made):
        bound_so_far = min(bound_so_far, own_bound)
        amount, npv = max(
            ((a, v) for _, _, a, v, _ in made[n:] if not math.isnan(v)), key=lambda known: known[1], default=(math.nan, math.nan)
        )
        per_unit = math.nan
        if points and amount < points[-1].amount:
            per_unit = (points[-1].npv_usd - npv) / (points[-1].amount - amount)
        proven_usd = max(0.0, base - bound_so_far)
        points.append(Point(most / total, most, status, amount, npv, bound_so_far, proven_usd, base - npv, per_unit))
    return points


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan

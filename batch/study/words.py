"""A study in the terminal."""

from __future__ import annotations

import math

from batch.decided import INSTALL
from batch.study.findings import Findings
from batch.study.robust import ROBUST, Robust
from batch.study.spread import Spread
from batch.units import figure, unit

MOST = 12
"""Decisions, axes and plans that are told."""


def text_of(found: Findings) -> str:
    """The findings for a person: robust decisions first."""
    lines = [f"{found.asked.name}: {found.ended} runs", ""]
    lines += _robust(found)
    lines += _spreads(found)
    lines += _moved(found)
    lines += _regrets(found)
    lines += _fronts(found)
    statuses = ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in found.statuses.items())
    return "\n".join([*lines, f"Runs: {statuses}"])


def _robust(found: Findings) -> list[str]:
    rows = [row for row in found.robust if row.question.kind != INSTALL]
    if not rows:
        return []
    sure = [row for row in rows if row.robust]
    lines = [f"Robust decisions, {len(sure)} of {len(rows)} the same in {ROBUST:.0%} of the odds; first those to be made first"]
    lines += [found.uncounted] if found.uncounted else []
    lines += [_line(row) for row in sure[:MOST]] + _more(len(sure))
    rest = [row for row in rows if not row.robust]
    if rest:
        lines += ["", "Depends on what comes"]
        lines += [_line(row) + (f"; least so at {row.depends_on}" if row.depends_on else "") for row in rest[:MOST]] + _more(len(rest))
    firm = [order for order in found.orders if order.over_runs.lowest > 0]
    if firm:
        lines += ["", "Racks that every run installs (base plan)"]
        lines += [f"  {o.period:<8}  {o.gen_id:<16} {o.over_runs.lowest:>8,.0f} ({o.base:,.0f})" for o in firm[:MOST]] + _more(len(firm))
    return [*lines, ""]


def _line(row: Robust) -> str:
    due = f"by {row.due.period}" if row.due is not None else "no date"
    same = f"{row.same_as_common} of {row.runs} runs"
    base = "" if row.base == row.common else f"; the base plan: {row.base}"
    return f"  {due:<11}  {row.question.kind:<8} {row.question.id:<24} {row.common:<22} {same}{base}"


def _more(number: int) -> list[str]:
    return [f"  and {number - MOST} more"] if number > MOST else []


def _spreads(found: Findings) -> list[str]:
    lines = [f"{'':<22}{'mean':>12}{'lowest':>12}{'5 %':>12}{'median':>12}{'95 %':>12}{'highest':>12}{'CVaR 95 %':>12}"]
    for name, title, size in (
        ("npv_usd", "NPV, M USD", 1e6),
        ("short_gpu_periods", "GPU-periods late", 1.0),
        ("damages_usd", "damages, M USD", 1e6),
    ):
        if name in found.spreads:
            lines.append(
                f"{title:<22}"
                + "".join(f"{figure(value / size) if size > 1 else format(value, ',.0f'):>12}" for value in _figures(found.spreads[name]))
            )
    return [*lines, f"{'base plan NPV':<22}{figure(found.asked.base_npv_usd / 1e6):>12}", ""] if len(lines) > 1 else []


def _figures(spread: Spread) -> tuple[float, ...]:
    q = spread.quantiles
    return spread.mean, spread.lowest, q[0.05], q[0.5], q[0.95], spread.highest, spread.cvar


def _moved(found: Findings) -> list[str]:
    if not found.tornado:
        return []
    lines = ["What moves NPV most, M USD: span, and effect of its levels on mean NPV"]
    for bar in found.tornado[:MOST]:
        low, high = (f"{level} " if level else "" for level in (bar.low_level, bar.high_level))
        both = (
            f"{low}{figure(bar.low / 1e6, True)} to {high}{figure(bar.high / 1e6, True)}"
            if bar.low != bar.high
            else figure(bar.low / 1e6, True)
        )
        lines.append(f"  {bar.axis:<28} {figure(bar.span_usd / 1e6):>10}   {both}")
    return [*lines, *_more(len(found.tornado)), ""]


def _fronts(found: Findings) -> list[str]:
    lines = []
    for front in found.fronts:
        size, name = unit([point.most for point in front.points], front.unit)
        lines.append(f"{front.measure.value}, {name}: limit, of the base plan's, NPV and its cost, M USD (proven at least)")
        for p in front.points:
            known = (
                f"{figure(p.npv_usd / 1e6):>12} {figure(p.cost_usd / 1e6):>12} ({figure(p.proven_usd / 1e6)})"
                if not math.isnan(p.npv_usd)
                else f"{'no plan':>12}"
            )
            lines.append(f"  {figure(p.most / size):>12} {p.share:>8.4g} {known}")
        lines.append("")
    return lines


def _regrets(found: Findings) -> list[str]:
    if found.regrets is None:
        return []
    rows = found.regrets.plan_rows()
    lines = [f"Plans tried under {len(found.regrets.scenarios)} scenarios: where they hold, mean and largest regret there, M USD"]
    for plan, holds, mean, most in zip(rows["plan"], rows["holds"], rows["mean_regret_usd"], rows["max_regret_usd"], strict=True):
        lines.append(
            f"  {plan[:44]:<44} {holds:>5} {figure(mean / 1e6):>12} {figure(most / 1e6):>12}" if holds else f"  {plan[:44]:<44} {holds:>5}"
        )
    return [*lines, ""]

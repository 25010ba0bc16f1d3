"""One plan for many futures, as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from batch.progress import money, percent

if TYPE_CHECKING:
    from optimizer.futures import FuturesPlan
    from optimizer.futures.result import Range

WORST = 5
"""Futures that are told, the worst first."""
MOST_DECISIONS = 40
"""First-stage decisions that are told."""


def futures_lines(found: FuturesPlan) -> list[str]:
    """What it is worth, what to decide now, and how the worst futures end."""
    s = found.summary
    worst = percent(round(1 - s.alpha, 6))
    lines = [
        f"{s.scenarios} scenarios; decided in common: what comes before {s.decide_before}"
        + (", sites of racks too" if s.placement else ""),
        "",
        f"expected NPV             {money(s.expected_npv_usd)}",
        f"mean of the worst {worst:<6} {money(s.cvar_npv_usd)}",
        f"value (weight {s.weight:g} on the worst)  {money(s.value_usd)}, bound {money(s.bound_usd)}, gap {percent(s.gap)}",
        f"late, on average         {s.late_gpu_periods:,.0f} GPU-periods",
        "",
        f"planning for all scenarios instead of the dataset as it is  {_range(s.value_of_stochastic_solution_usd)}"
        + ("" if s.expected_plan_value_usd is not None else " (its first stage can't be held in every scenario)"),
        f"knowing beforehand which scenario comes                     {_range(s.value_of_perfect_information_usd)}",
        "",
        "decide now:",
    ]
    rows = found.first_stage.to_dict("records")
    for row in rows[:MOST_DECISIONS]:
        what = " ".join(str(row[name]) for name in ("contract_id", "block_id", "gen_id", "site_id") if row[name])
        lines.append(
            f"  {row['decision']:<18} {what:<34} {row['period']:<8} {row['value']:,.6g} {row['unit'] if row['unit'] != '0 or 1' else ''}".rstrip()
        )
    if len(rows) > MOST_DECISIONS:
        lines.append(f"  and {len(rows) - MOST_DECISIONS} more in first_stage.csv")
    lines += ["", "worst scenarios:"]
    table: pd.DataFrame = found.scenarios.sort_values("npv_usd").head(WORST)
    for row in table.to_dict("records"):
        lines.append(
            f"  {money(row['npv_usd']):>18}  {percent(row['probability']):>7}  {row['scenario']}: {row['happened'] or 'as planned'}"
        )
    return lines


def _range(figure: Range) -> str:
    """A figure that proofs leave open."""
    if figure.low is None or figure.high is None:
        return "not known"
    if figure.high - figure.low <= 5e4:
        return money(figure.low)
    return f"{money(figure.low)} to {money(figure.high)}"

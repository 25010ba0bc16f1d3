"""Energy, emissions, and what both cost."""

from __future__ import annotations

import altair as alt
import pandas as pd

from batch.report.draw import BLUE, WIDTH, Picture, period_axis, quantity_axis, typed
from batch.units import unit
from models.dataset import Dataset
from models.plan import Plan

COSTS = {"energy_usd": ("energy", "#e8c547"), "demand_usd": ("demand charges", "#a98f1d"), "carbon_usd": ("carbon", "#4a5568")}
"""Columns of the sites table, their names and colours."""


def energy(plan: Plan, dataset: Dataset) -> Picture:
    """Energy, emissions and cost by period; None without sites in use."""
    if plan.sites.empty:
        return None
    labels = dataset.calendar.labels
    sums = plan.sites.groupby("period", as_index=False, sort=False)[["energy_mwh", "tco2", *COSTS]].sum()
    mwh = _bars(sums, "energy_mwh", "energy, MWh", labels, BLUE)
    tco2 = _bars(sums, "tco2", "emissions, t CO2", labels, "#718096")
    size, usd = unit(sums[list(COSTS)].sum(axis=1), "USD")
    long = sums.melt("period", list(COSTS), "what", "usd")
    long = long.assign(usd=long["usd"] / size, what=[COSTS[str(name)][0] for name in long["what"]])
    cost = (
        alt.Chart(typed(long))
        .mark_bar()
        .encode(
            x=period_axis(labels),
            y=alt.Y("usd:Q", axis=quantity_axis(f"cost, {usd}")),
            color=alt.Color(
                "what:N",
                scale=alt.Scale(domain=[name for name, _ in COSTS.values()], range=[colour for _, colour in COSTS.values()]),
                legend=alt.Legend(title=None, orient="top"),
            ),
            tooltip=[alt.Tooltip("what:N", title="cost of"), alt.Tooltip("period:O"), alt.Tooltip("usd:Q", format=",.3f", title=usd)],
        )
        .properties(width=_width(), height=180)
    )
    return alt.hconcat(mwh, tco2, cost, spacing=20)


def _width() -> float:
    return (WIDTH - 240) / 3


def _bars(sums: pd.DataFrame, column: str, title: str, labels: list[str], colour: str) -> Picture:
    name, measure = title.split(", ")
    size, in_unit = unit(sums[column], measure)
    frame = sums[["period"]].assign(amount=sums[column] / size)
    return (
        alt.Chart(typed(frame))
        .mark_bar(color=colour)
        .encode(
            x=period_axis(labels),
            y=alt.Y("amount:Q", axis=quantity_axis(f"{name}, {in_unit}")),
            tooltip=[alt.Tooltip("period:O"), alt.Tooltip("amount:Q", format=",.3f", title=in_unit)],
        )
        .properties(width=_width(), height=180)
    )

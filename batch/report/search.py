"""How the search found the plan and its bound."""

from __future__ import annotations

import altair as alt

from batch.report.draw import BLUE, FIT, RED, WIDTH, Picture, quantity_axis, typed
from batch.units import unit
from models.plan import Plan

NAMES = {"bound_usd": "bound", "npv_usd": "NPV of the best plan known"}


def search(plan: Plan) -> Picture:
    """NPV and bound against time; None without a log."""
    if plan.events.empty:
        return None
    long = plan.events.melt(["seconds", "phase"], list(NAMES), "what", "usd").dropna(subset=["usd"])
    if long.empty:
        return None
    size, usd = unit(long["usd"].astype(float), "USD")
    long = long.assign(amount=long["usd"].astype(float) / size, what=long["what"].map(NAMES)).drop(columns="usd")
    base = alt.Chart(typed(long)).encode(
        x=alt.X(
            "seconds:Q", scale=alt.Scale(nice=False, zero=True), axis=alt.Axis(title="wall-clock time, seconds", grid=False, tickCount=10)
        ),
        y=alt.Y("amount:Q", axis=quantity_axis(usd), scale=alt.Scale(zero=False, padding=8)),
        color=alt.Color(
            "what:N", scale=alt.Scale(domain=list(NAMES.values()), range=[RED, BLUE]), legend=alt.Legend(title=None, orient="top")
        ),
        tooltip=[
            alt.Tooltip("what:N", title="this is"),
            alt.Tooltip("seconds:Q", format=",.1f"),
            alt.Tooltip("phase:N", title="after"),
            alt.Tooltip("amount:Q", format=",.4f", title=usd),
        ],
    )
    return alt.layer(base.mark_line(interpolate="step-after", strokeWidth=2), base.mark_circle(size=26)).properties(
        width=WIDTH, height=190, autosize=FIT
    )

"""Money: cash by period, NPV by term, uplift over a baseline."""

from __future__ import annotations

import altair as alt
import pandas as pd

from batch.report.draw import BLUE, FIT, GREEN, INK, ORANGE, WIDTH, Picture, period_axis, quantity_axis, typed
from batch.units import unit
from models.dataset import Dataset
from models.plan import NPV_TERMS, Plan

TERM_COLOURS = {
    "contract_revenue": "#2b6cb0", "market_revenue": "#7fb3e0", "residual_value": "#5fc0bb", "gpu_capital": "#3a8f5c",
    "activation": "#14532d", "block_capex": "#7cc49a", "retrofits": "#b5dfc5", "lease": "#dd8a2e", "opex": "#8a6bbf",
    "energy": "#e8c547", "demand_charges": "#a98f1d", "carbon": "#4a5568", "damages": "#c0392b", "moves": "#e08a7f",
    "serving_costs": "#c9a7a0",
}  # fmt: skip
"""One colour per term; terms of one kind have kindred colours."""
BAR = 19
"""Height of a bar of a bridge, pixels."""


def _words(term: str) -> str:
    return term.replace("_", " ")


def cash(plan: Plan, dataset: Dataset) -> Picture:
    """Cash per period by term, and below it the discounted sum so far; None if no money moves."""
    labels = dataset.calendar.labels
    long = plan.cash.melt("period", list(NPV_TERMS), "term", "usd")
    long = long[long["usd"] != 0]
    if long.empty:
        return None
    size, usd = unit(long.groupby(["period", long["usd"] > 0])["usd"].sum(), "USD")
    long = long.assign(usd=long["usd"] / size, term=long["term"].map(_words))
    so_far = plan.cash["discounted_total"].cumsum()
    total_size, total_usd = unit(so_far, "USD")
    total = plan.cash[["period"]].assign(usd=so_far / total_size)
    known = set(long["term"])
    terms = {_words(term): colour for term, colour in TERM_COLOURS.items() if _words(term) in known}
    width = WIDTH - 70
    bars = (
        alt.Chart(typed(long))
        .mark_bar()
        .encode(
            x=period_axis(labels),
            y=alt.Y("usd:Q", axis=quantity_axis(f"cash of the period, {usd}")),
            color=alt.Color(
                "term:N",
                scale=alt.Scale(domain=list(terms), range=list(terms.values())),
                legend=alt.Legend(title=None, orient="top", columns=8),
            ),
            tooltip=[alt.Tooltip("term:N"), alt.Tooltip("period:O"), alt.Tooltip("usd:Q", format=",.3f", title=usd)],
        )
        .properties(width=width, height=240)
    )
    base = alt.Chart(typed(total)).encode(
        x=period_axis(labels),
        y=alt.Y("usd:Q", axis=quantity_axis(f"NPV so far, {total_usd}")),
        tooltip=[alt.Tooltip("period:O"), alt.Tooltip("usd:Q", format=",.3f", title=f"NPV so far, {total_usd}")],
    )
    line = alt.layer(base.mark_bar(color=BLUE, opacity=0.25), base.mark_tick(color=BLUE, thickness=2.5, size=width / len(labels) * 0.94))
    return alt.vconcat(bars, line.properties(width=width, height=130), spacing=14)


def bridge(plan: Plan) -> Picture:
    """NPV term by term as a waterfall: gains from the largest down, then costs, then what is left."""
    steps, at = [], 0.0
    for name, usd in sorted(plan.summary.npv_terms.items(), key=lambda item: -item[1]):
        if usd:
            steps.append((_words(name), at, at + usd, usd, "gain" if usd > 0 else "cost"))
            at += usd
    steps.append(("NPV", 0.0, at, at, "total"))
    size, usd_unit = unit([value for step in steps for value in step[1:3]], "USD")
    rows = [(name, a / size, b / size, change / size, kind, f"{change / size:+,.2f}") for name, a, b, change, kind in steps]
    frame = pd.DataFrame(rows, columns=["term", "from", "to", "change", "kind", "label"])
    frame["right"] = frame[["from", "to"]].max(axis=1)
    order = frame["term"].tolist()
    low, high = min(0.0, float(frame[["from", "to"]].min().min())), max(0.0, float(frame["right"].max()))
    reach = (high - low or 1.0) * 0.08
    x = alt.Scale(domain=[low, high + reach], nice=False)
    y = alt.Y("term:N", scale=alt.Scale(domain=order, paddingInner=0.15), title=None, axis=alt.Axis(minExtent=105, labelLimit=140))
    base = alt.Chart(typed(frame)).encode(y=y)
    bars = base.mark_bar().encode(
        x=alt.X("from:Q", scale=x, axis=alt.Axis(title=f"{usd_unit}, discounted", tickCount=6)),
        x2="to:Q",
        color=alt.Color("kind:N", scale=alt.Scale(domain=["gain", "cost", "total"], range=[GREEN, ORANGE, BLUE]), legend=None),
        tooltip=[alt.Tooltip("term:N"), alt.Tooltip("change:Q", format="+,.4f", title=usd_unit)],
    )
    figures = base.mark_text(align="left", dx=4, fontSize=10.5, color=INK).encode(x="right:Q", text="label:N")
    return alt.layer(bars, figures).properties(width=WIDTH, height=BAR * len(frame), autosize=FIT)

"""Pictures of a study: distributions, tornado, regrets, racks to order."""

from __future__ import annotations

import math

import altair as alt
import numpy as np
import pandas as pd

from batch.report.draw import BLUE, FIT, GREEN, GREY, INK, ORANGE, RED, WIDTH, Picture, period_axis, quantity_axis, small_width, typed
from batch.study.findings import Findings
from batch.study.frames import planned
from batch.study.frontier import Front
from batch.study.orders import Order
from batch.study.regret_table import RegretTable
from batch.study.robust import Robust
from batch.study.spread import Spread
from batch.study.tornado import Bar
from batch.units import unit

BAR = 22
"""Height of a bar, pixels."""
MOST_BARS = 25
"""Most bars of the tornado."""
MOST_COLUMNS = 60
"""Most scenarios of the picture of regrets, those with the largest regrets."""
BINS = 30


def distribution(found: Findings, column: str, title: str, name: str) -> Picture:
    """How often a figure has which value, by odds, with its mean, its 5 % and 95 % quantiles and CVaR; None without runs."""
    spread = found.spreads.get(column)
    runs = planned(found.runs)
    runs = runs[runs[column].notna()]
    if spread is None or runs.empty:
        return None
    size, unit_name = unit([spread.lowest, spread.highest], name)
    marks = _marks(spread, size, found.asked.base_npv_usd if column == "npv_usd" else None)
    if spread.highest - spread.lowest <= 1e-9 * max(1.0, abs(spread.highest)):
        return None
    values, odds = runs[column].to_numpy(float) / size, runs["odds"].to_numpy(float)
    share, edges = np.histogram(values, bins=BINS, weights=odds / odds.sum())
    number, _ = np.histogram(values, bins=edges)
    frame = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "share": share, "zero": 0.0, "runs": number})
    bars = (
        alt.Chart(frame)
        .mark_bar(color=BLUE, opacity=0.55)
        .encode(
            x=alt.X("from:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title=f"{title}, {unit_name}", format=",~r")),
            x2="to:Q",
            y=alt.Y("share:Q", axis=quantity_axis("share of the odds", format="%")),
            y2="zero:Q",
            tooltip=[
                alt.Tooltip("from:Q", format=",.4~r"), alt.Tooltip("to:Q", format=",.4~r"), alt.Tooltip("share:Q", format=".1%"),
                alt.Tooltip("runs:Q"),
            ],
        )
    )  # fmt: skip
    colours = alt.Scale(domain=list(marks["mark"]), range=list(marks["colour"]))
    rules = (
        alt.Chart(typed(marks))
        .mark_rule(strokeWidth=2)
        .encode(
            x="value:Q",
            color=alt.Color(
                "mark:N", scale=colours, legend=alt.Legend(title=None, orient="top", columns=5, labelLimit=300, symbolStrokeWidth=2)
            ),
            tooltip=[alt.Tooltip("mark:N"), alt.Tooltip("value:Q", format=",.4~r", title=unit_name)],
        )
    )
    return alt.layer(bars, rules).properties(width=WIDTH, height=220, autosize=FIT)


def _marks(spread: Spread, size: float, base: float | None) -> pd.DataFrame:
    """Lines in a distribution; the base plan's figure where it is known."""
    low, high = spread.quantiles[0.05], spread.quantiles[0.95]
    rows = [
        ("mean", spread.mean, INK),
        ("5 % are below", low, ORANGE),
        ("95 % are below", high, GREEN),
        ("CVaR 95 %: mean of the worst 5 %", spread.cvar, RED),
    ]
    rows += [("base plan", base, GREY)] if base is not None else []
    return pd.DataFrame([(name, value / size, colour) for name, value, colour in rows], columns=["mark", "value", "colour"])


def tornado_chart(bars: list[Bar]) -> Picture:
    """Axes by their span; None without any."""
    bars = [bar for bar in bars if bar.span_usd > 0][:MOST_BARS]
    if not bars:
        return None
    size, usd = unit([value for bar in bars for value in (bar.low, bar.high)], "USD")
    rows = []
    for bar in bars:
        single = bar.low == bar.high
        ends = (min(bar.low, 0.0), max(bar.high, 0.0)) if single else (bar.low, bar.high)
        words = [
            f"{level}: {value / size:+,.2f}" if level else f"{value / size:+,.2f}"
            for level, value in ((bar.low_level, bar.low), (bar.high_level, bar.high))
        ]
        left, right = (("", words[1]) if bar.low >= 0 else (words[0], "")) if single else words
        kind = "one scenario" if single else "levels of an axis"
        rows.append((bar.axis, ends[0] / size, ends[1] / size, left, right, kind, bar.span_usd / size))
    frame = pd.DataFrame(rows, columns=["axis", "from", "to", "left", "right", "kind", "span"])
    low, high = min(0.0, frame["from"].min()), max(0.0, frame["to"].max())
    reach = (high - low) * 0.22 or 1.0
    scale = alt.Scale(domain=[low - reach, high + reach], nice=False)
    y = alt.Y(
        "axis:N",
        sort=None,
        scale=alt.Scale(domain=[bar.axis for bar in bars], paddingInner=0.25),
        title=None,
        axis=alt.Axis(labelLimit=260),
    )
    base = alt.Chart(typed(frame)).encode(y=y)
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=["levels of an axis", "one scenario"], range=[BLUE, GREY]),
        legend=alt.Legend(title=None, orient="top"),
    )
    drawn = base.mark_bar().encode(
        x=alt.X("from:Q", scale=scale, axis=alt.Axis(title=f"effect on mean NPV, {usd}", format="+,~r")),
        x2="to:Q",
        color=colour,
        tooltip=[
            alt.Tooltip("axis:N"),
            alt.Tooltip("left:N"),
            alt.Tooltip("right:N"),
            alt.Tooltip("span:Q", format=",.4~r", title=f"span, {usd}"),
        ],
    )
    zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=INK).encode(x=alt.X("zero:Q", scale=scale))
    left = base.mark_text(align="right", dx=-4, fontSize=10.5, color=INK).encode(x=alt.X("from:Q", scale=scale), text="left:N")
    right = base.mark_text(align="left", dx=4, fontSize=10.5, color=INK).encode(x=alt.X("to:Q", scale=scale), text="right:N")
    return alt.layer(drawn, zero, left, right).properties(width=WIDTH, height=BAR * len(bars) + 10, autosize=FIT)


def regret_chart(table: RegretTable) -> Picture:
    """Each plan under each scenario: the darker, the larger the regret; grey where it breaks a limit."""
    frame = table.long()
    order = table.plan_rows()["plan"].tolist()
    worst = frame.groupby("scenario", sort=False)["regret_usd"].max().fillna(-1.0).sort_values(ascending=False, kind="stable").index
    shown = set(worst[:MOST_COLUMNS])
    columns = [scenario for scenario in table.scenarios if scenario in shown]
    frame = frame[frame["scenario"].isin(shown)]
    size, usd = unit(frame["regret_usd"].dropna(), "USD")
    frame = frame.assign(regret=frame["regret_usd"] / size, npv=frame["npv_usd"] / size)
    x = alt.X(
        "scenario:N",
        sort=None,
        scale=alt.Scale(domain=columns),
        axis=alt.Axis(title=None, labelAngle=-60, labelLimit=260, labelOverlap=True),
    )
    y = alt.Y("plan:N", sort=None, scale=alt.Scale(domain=order), axis=alt.Axis(title=None, labelLimit=260))
    holds = frame[frame["broken"] == 0]
    broken = frame[frame["broken"] > 0]
    layers = []
    if len(broken):
        layers.append(
            alt.Chart(typed(broken[["plan", "scenario", "broken", "first"]]))
            .mark_rect(color="#dfe4ea")
            .encode(x=x, y=y, tooltip=[alt.Tooltip("plan:N"), alt.Tooltip("scenario:N", title="under"), alt.Tooltip("broken:Q", title="limits broken"), alt.Tooltip("first:N", title="first")])
        )  # fmt: skip
    if len(holds):
        layers.append(
            alt.Chart(typed(holds[["plan", "scenario", "regret", "npv"]]))
            .mark_rect()
            .encode(
                x=x, y=y,
                color=alt.Color("regret:Q", scale=alt.Scale(scheme="oranges"), legend=alt.Legend(title=f"regret, {usd}", orient="top", gradientLength=220)),
                tooltip=[alt.Tooltip("plan:N"), alt.Tooltip("scenario:N", title="under"), alt.Tooltip("regret:Q", format=",.4~r", title=f"regret, {usd}"), alt.Tooltip("npv:Q", format=",.4~r", title=f"NPV, {usd}")],
            )
        )  # fmt: skip
    return alt.layer(*layers).properties(width=WIDTH, height=BAR * len(order) + 20, autosize=FIT)


def robust_chart(rows: list[Robust]) -> Picture:
    """How many decisions of each kind how many runs share; None without any."""
    if not rows:
        return None
    edges = [("all runs", 1.0), ("95 % or more", 0.95), ("75 % or more", 0.75), ("50 % or more", 0.5), ("less", 0.0)]
    names = {
        "sign": "contracts",
        "open": "sites",
        "build": "blocks",
        "retrofit": "retrofits",
        "install": "racks by site, generation and period",
    }
    counted: dict[tuple[str, str], int] = {}
    for row in rows:
        share = 1.0 if row.same_as_common == row.runs else min(row.share_common, 0.999999)
        edge = next(name for name, least in edges if share >= least)
        counted[names[row.question.kind], edge] = counted.get((names[row.question.kind], edge), 0) + 1
    total = {kind: sum(n for (k, _), n in counted.items() if k == kind) for kind in names.values()}
    order = {name: n for n, (name, _) in enumerate(edges)}
    data = [(kind, edge, n / total[kind], n, order[edge]) for (kind, edge), n in counted.items()]
    frame = pd.DataFrame(data, columns=["kind", "edge", "share", "number", "order"])
    kinds = [kind for kind in names.values() if total[kind]]
    colours = alt.Scale(domain=list(order), range=["#2f7a4d", "#7cc49a", "#e8c547", "#dd8a2e", "#c0392b"])
    return (
        alt.Chart(typed(frame))
        .mark_bar()
        .encode(
            y=alt.Y("kind:N", sort=None, scale=alt.Scale(domain=kinds, paddingInner=0.25), axis=alt.Axis(title=None, labelLimit=260)),
            x=alt.X("share:Q", axis=alt.Axis(title="share of the decisions", format="%")),
            color=alt.Color("edge:N", scale=colours, legend=alt.Legend(title="decided the same in", orient="top")),
            order=alt.Order("order:Q"),
            tooltip=[alt.Tooltip("kind:N"), alt.Tooltip("edge:N", title="the same in"), alt.Tooltip("number:Q", title="decisions")],
        )
        .properties(width=WIDTH, height=BAR * len(kinds) + 10, autosize=FIT)
    )


def orders_chart(orders: list[Order], labels: list[str]) -> Picture:
    """Racks by generation and period: what all runs order, what some order, and the base plan; None without any."""
    if not orders:
        return None
    frame = pd.DataFrame(
        [(o.gen_id, o.period, o.over_runs.lowest, o.over_runs.quantiles[0.5], o.over_runs.highest, o.base) for o in orders],
        columns=["gen", "period", "low", "median", "high", "base"],
    )
    gens = list(dict.fromkeys(frame["gen"]))
    columns = 2
    width = small_width(columns)
    charts = []
    for gen in gens:
        own = typed(frame[frame["gen"] == gen])
        base = alt.Chart(own).encode(
            x=period_axis(labels, every=max(1, math.ceil(len(labels) / 16))),
            tooltip=["period:O", alt.Tooltip("low:Q", title="fewest"), alt.Tooltip("median:Q"), alt.Tooltip("high:Q", title="most"), alt.Tooltip("base:Q", title="base plan")],
        )  # fmt: skip
        some = base.mark_bar(color="#bcd4ea").encode(y=alt.Y("high:Q", axis=alt.Axis(title=None, tickCount=4)))
        sure = base.mark_bar(color=BLUE).encode(y="low:Q")
        plan = base.mark_tick(color=ORANGE, thickness=2.5, size=max(3.0, 0.8 * width / len(labels))).encode(y="base:Q")
        charts.append(alt.layer(some, sure, plan).properties(width=width, height=90, title=gen))
    return alt.concat(*charts, columns=columns, spacing=26)


def front_chart(front: Front) -> Picture:
    """NPV of the best plan known and the proven bound against the limit; None where there is nothing but the base plan."""
    known = [("best plan known", p, p.npv_usd) for p in front.points if not math.isnan(p.npv_usd)]
    proven = [("proven bound", p, p.bound_usd) for p in front.points if math.isfinite(p.bound_usd)]
    if len(known) + len(proven) < 3:
        return None
    size, usd = unit([usd for _, _, usd in (*known, *proven)], "USD")
    scale, name = unit([point.most for point in front.points], front.unit)
    rows = [(p.most / scale, npv / size, kind, p.share) for kind, p, npv in (*known, *proven)]
    frame = pd.DataFrame(rows, columns=["limit", "npv", "kind", "share"])
    base = alt.Chart(typed(frame)).encode(
        x=alt.X("limit:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title=f"at most, {name}", format=",~r")),
        y=alt.Y("npv:Q", scale=alt.Scale(zero=False), axis=quantity_axis(f"NPV, {usd}", format=",~r")),
        color=alt.Color(
            "kind:N", scale=alt.Scale(domain=["best plan known", "proven bound"], range=[ORANGE, GREY]), legend=alt.Legend(title=None, orient="top")
        ),
        tooltip=[
            alt.Tooltip("kind:N"), alt.Tooltip("limit:Q", format=",.5~r", title=name), alt.Tooltip("share:Q", format=".4~r", title="of the base plan's"),
            alt.Tooltip("npv:Q", format=",.5~r", title=usd),
        ],
    )  # fmt: skip
    bound, plan = (base.transform_filter(alt.datum.kind == kind) for kind in ("proven bound", "best plan known"))
    beneath = bound.mark_line(strokeWidth=6, opacity=0.5), bound.mark_point(size=120, filled=True, opacity=0.5)  # seen where both are one
    above = plan.mark_line(strokeWidth=2), plan.mark_point(size=50, filled=True, opacity=1)
    return alt.layer(*beneath, *above).properties(width=WIDTH, height=240, autosize=FIT)

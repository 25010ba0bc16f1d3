"""Pictures of the report: gaps against time, times side by side, growth, answers to changes, building."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from benchmarks.figures import GAPS, Searched, median
from benchmarks.measures import gap_of
from benchmarks.parts import Ablated, Built, Several, Size, Whatif, exponent

WIDTH = 760
COLOURS = {"wattplan": "#2b6cb0", "highs": "#dd8a2e", "highs_start": "#8a6d3b", "scip": "#3a8f5c", "spreadsheet": "#718096"}
BLUE, ORANGE, GREY = COLOURS["wattplan"], COLOURS["highs"], "#a0aec0"
TITLES = {
    "wattplan": "Wattplan",
    "highs": "HiGHS alone",
    "highs_start": "HiGHS from a first plan",
    "scip": "SCIP, one thread",
    "spreadsheet": "spreadsheet rule",
}
SMALLEST_GAP, LARGEST_GAP = 1e-4, 10.0
"""Gaps outside are drawn at these."""
FIRST_SECOND = 1.0
"""Where axes of time begin."""


def peer_scale(peers: Sequence[str]) -> alt.Scale:
    """Colours of the searches shown."""
    return alt.Scale(domain=[TITLES[p] for p in peers], range=[COLOURS[p] for p in peers])


def log_axis(title: str, least: float, most: float) -> dict[str, Any]:
    """A logarithmic axis with a tick at 1, 3, 10, 30, ..."""
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(most))
    ticks = [v for p in range(low, high + 1) for v in (10.0**p, 3 * 10.0**p) if least * 0.999 <= v <= most * 1.001]
    return {
        "title": title,
        "scale": alt.Scale(type="log", domain=[least, most], clamp=True, nice=False),
        "axis": alt.Axis(values=ticks, format="~g", tickCount=len(ticks)),
    }


def finish(chart: Any) -> Any:
    """The look all pictures share."""
    return (
        chart.configure(font="sans-serif", background="white")
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=12, titleFontSize=12, titleFontWeight="normal", gridColor="#edf2f7", labelColor="#2d3748")
        .configure_legend(labelFontSize=12, titleFontSize=12, orient="top", title=None, symbolStrokeWidth=3, labelLimit=400)
        .configure_title(fontSize=13, fontWeight="normal", anchor="start")
    )


def progress(peers: Mapping[str, Searched]) -> Any:
    """Gap against time of one instance, first seed: what each search proves, and how far its plan is from the best bound."""
    rows: list[dict[str, Any]] = []
    shown = [peer for peer in peers if any(npv is not None for _, npv, _ in peers[peer].results[0].trajectory)]
    if not shown:
        return None
    budget = max(s.budget for s in peers.values())
    for peer in shown:
        s = peers[peer]
        for panel, bound in (("proven", None), ("plan", s.known.bound)):
            gaps = [(t, gap_of(npv, own if panel == "proven" else bound)) for t, npv, own in s.results[0].trajectory]
            there = [(max(t, FIRST_SECOND), min(max(gap, SMALLEST_GAP), LARGEST_GAP)) for t, gap in gaps if math.isfinite(gap)]
            if there:
                there.append((max(s.budget, there[-1][0]), there[-1][1]))
            rows += [{"panel": panel, "peer": TITLES[peer], "seconds": min(t, budget), "gap": gap * 100} for t, gap in there]
    frame = pd.DataFrame(rows)
    said = {"proven": "gap that the search proves itself", "plan": "gap of its plan to the best bound known"}
    panels = []
    for panel, title in said.items():
        part = frame[frame["panel"] == panel] if len(frame) else frame
        y = log_axis("gap, %", SMALLEST_GAP * 100, LARGEST_GAP * 100)
        lines = (
            alt.Chart(part)
            .mark_line(interpolate="step-after", strokeWidth=2.5)
            .encode(
                x=alt.X("seconds:Q", **log_axis("seconds", FIRST_SECOND, max(budget, 2 * FIRST_SECOND))),
                y=alt.Y("gap:Q", **y),
                color=alt.Color("peer:N", scale=peer_scale(shown)),
            )
        )
        goals = (
            alt.Chart(pd.DataFrame({"gap": [gap * 100 for gap in GAPS]}))
            .mark_rule(strokeDash=[4, 3], color=GREY)
            .encode(y=alt.Y("gap:Q", **y))
        )
        panels.append((goals + lines).properties(width=WIDTH // 2 - 40, height=300, title=title))
    return finish(alt.hconcat(*panels))


def generated(found: Mapping[str, Several]) -> Any:
    """Time to 1 % on each generated instance, by search; hollow where it was not reached in the time given."""
    rows: list[dict[str, Any]] = [
        {
            "instance": name, "peer": TITLES[peer], "seconds": max(min(t, several.budgets[name]), FIRST_SECOND),
            "reached": "reached" if math.isfinite(t) else "not reached in this time",
        }
        for peer, several in found.items() for name, t in several.times.items()
    ]  # fmt: skip
    if not rows:
        return None
    order = list(dict.fromkeys(row["instance"] for row in rows))
    most = max(row["seconds"] for row in rows)
    chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_point(size=110, strokeWidth=2.5, opacity=0.9)
        .encode(
            x=alt.X("seconds:Q", **log_axis("seconds to 1 %", FIRST_SECOND, most * 1.15)),
            y=alt.Y("instance:N", sort=order, title=None),
            yOffset=alt.YOffset("peer:N", sort=[TITLES[p] for p in found]),
            color=alt.Color("peer:N", scale=peer_scale(list(found))),
            shape=alt.Shape(
                "reached:N", scale=alt.Scale(domain=["reached", "not reached in this time"], range=["circle", "triangle-right"])
            ),
        )
    )
    return finish(chart.properties(width=WIDTH - 120, height=max(120, 34 * len(order))))


def ablation(lines: Sequence[Ablated]) -> Any:
    """Geometric mean of the time to 1 % without each ingredient."""
    if not lines:
        return None
    rows: list[dict[str, Any]] = [
        {
            "what": f"without {line.without}" if line.without else "all of it", "seconds": line.mean.value, "whole": not line.without,
            "text": f"{'' if line.mean.exact else '≥ '}{line.mean.value:.3g} s, reached on {line.reached} of {line.count}",
        }
        for line in lines
    ]  # fmt: skip
    order = [row["what"] for row in rows]
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("seconds:Q", title="seconds to 1 %, geometric mean; runs that do not reach it count with their budget"),
        y=alt.Y("what:N", sort=order, title=None, axis=alt.Axis(labelLimit=300)),
    )
    bars = base.mark_bar().encode(color=alt.condition("datum.whole", alt.value(BLUE), alt.value(GREY)))
    chart = bars + base.mark_text(align="left", dx=4).encode(text="text:N")
    return finish(chart.properties(width=WIDTH - 240, height=28 * len(rows)))


def growing(sizes: Sequence[Size]) -> Any:
    """Time to 1 % and peak memory against the number of sites, with the fitted power law."""
    if len(sizes) < 2:
        return None
    rows = [
        {
            "sites": s.sites, "seconds": max(min(t, s.budget), FIRST_SECOND),
            "reached": "reached" if math.isfinite(t) else "not reached in this time", "gib": r.peak_mib / 1024,
        }
        for s in sizes for r, t in zip(s.results, s.times, strict=True)
    ]  # fmt: skip
    frame, ticks = pd.DataFrame(rows), [s.sites for s in sizes]
    x = alt.X(
        "sites:Q", title="sites", axis=alt.Axis(values=ticks),
        scale=alt.Scale(type="log", domain=[ticks[0] / 1.3, ticks[-1] * 1.3], nice=False),
    )  # fmt: skip
    y = log_axis("seconds to 1 %", FIRST_SECOND, frame["seconds"].max() * 1.5)
    shape = alt.Shape("reached:N", scale=alt.Scale(domain=["reached", "not reached in this time"], range=["circle", "triangle-up"]))
    time = alt.Chart(frame).mark_point(size=90, strokeWidth=2.5, color=BLUE).encode(x=x, y=alt.Y("seconds:Q", **y), shape=shape)
    title, fitted = "time", exponent(sizes)
    if fitted is not None:
        line = pd.DataFrame({"sites": ticks, "seconds": [fitted.factor * n**fitted.exponent for n in ticks]})
        time = alt.Chart(line).mark_line(color=ORANGE, clip=True).encode(x=x, y=alt.Y("seconds:Q", **y)) + time
        title = f"time: grows with n^{fitted.exponent:.2f}"
    memory = (
        alt.Chart(frame).mark_point(size=90, strokeWidth=2.5, color=BLUE)
        .encode(x=x, y=alt.Y("gib:Q", title="peak memory, GiB", scale=alt.Scale(domainMin=0)))
    )  # fmt: skip
    half = WIDTH // 2 - 40
    return finish(
        alt.hconcat(
            time.properties(width=half, height=260, title=title),
            memory.properties(width=half, height=260, title="memory of all processes together"),
        )
    )


def whatif(changes: Sequence[Whatif]) -> Any:
    """Share of changes answered within so many seconds, and planned anew."""
    if not changes:
        return None
    ways = {"answer to the change": [c.seconds for c in changes], "planned anew": [c.anew for c in changes]}
    least, most = 0.1, max(c.budget for c in changes)
    rows: list[dict[str, Any]] = []
    for way, times in ways.items():
        there = sorted(max(t, least) for t in times if math.isfinite(t))
        steps = [(least, 0.0), *((t, (i + 1) / len(times)) for i, t in enumerate(there)), (most, len(there) / len(times))]
        rows += [{"way": way, "seconds": t, "share": share} for t, share in steps]
    chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_line(interpolate="step-after", strokeWidth=2.5)
        .encode(
            x=alt.X("seconds:Q", **log_axis("seconds", least, most)),
            y=alt.Y("share:Q", title="share of changes with a proven gap ≤ 1 %", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("way:N", scale=alt.Scale(domain=list(ways), range=[BLUE, ORANGE])),
        )
    )
    return finish(chart.properties(width=WIDTH - 80, height=280))


def building(ways: Mapping[str, Built]) -> Any:
    """CPU seconds to build the model and to hand it over, by way."""
    if not ways:
        return None
    steps = {"build": BLUE, "from the model to the solver": ORANGE}
    rows = [
        {"way": way, "step": step, "seconds": median(values), "place": i}
        for way, b in ways.items() for i, (step, values) in enumerate(zip(steps, (b.build, b.after), strict=True))
    ]  # fmt: skip
    chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_bar()
        .encode(
            x=alt.X("seconds:Q", title="CPU seconds, median", stack="zero"),
            y=alt.Y("way:N", sort=list(ways), title=None, axis=alt.Axis(labelLimit=320)),
            color=alt.Color("step:N", scale=alt.Scale(domain=list(steps), range=list(steps.values()))),
            order=alt.Order("place:Q"),
        )
    )
    return finish(chart.properties(width=WIDTH - 300, height=30 * len(ways)))

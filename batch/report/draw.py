"""What all charts share: measures, colours, units of axes, the axis of periods."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

alt.data_transformers.disable_max_rows()  # the page holds every row that it draws, and large plans have more than Altair's 5,000

Picture = Any
"""An Altair chart, of whichever class its parts make it; None where there is nothing to draw."""
WIDTH = 1170
"""Width of every chart with its axes, pixels: what a screen of 1366 pixels leaves."""
AXIS = 44
"""Width kept free for the labels of a vertical axis, so that charts above each other line up."""
BLUE, ORANGE, GREY, GREEN, RED = "#2b6cb0", "#dd8a2e", "#a0aec0", "#3a8f5c", "#c0392b"
INK = "#2d3748"
FIT = alt.AutoSizeParams(type="fit-x", contains="padding")
"""Makes a single chart as wide as ``WIDTH``, axes included."""


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with plain text columns, which Altair can type."""
    return frame.astype({name: object for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])})


def year_ticks(labels: list[str]) -> list[str]:
    """The first label of each year, but for a first year cut so short that its tick would crowd the next."""
    seen: dict[str, str] = {}
    for label in labels:
        seen.setdefault(label[:4], label)
    ticks = list(seen.values())
    crowded = len(ticks) > 2 and labels.index(ticks[1]) * 2 < labels.index(ticks[2]) - labels.index(ticks[1])
    return ticks[1:] if crowded else ticks


def period_axis(labels: list[str], *, title: str | None = None, every: int = 1) -> alt.X:
    """Horizontal axis of periods, ticks where years begin (every so many years)."""
    axis = alt.Axis(
        values=year_ticks(labels)[::every], labelAngle=0, labelExpr="slice(datum.label, 0, 4)", title=title, grid=False, labelOverlap=True
    )
    return alt.X("period:O", scale=alt.Scale(domain=labels, paddingInner=0.06, paddingOuter=0.0), axis=axis)


def quantity_axis(title: str | None, **more: Any) -> alt.Axis:
    """Vertical axis of a quantity, its title with the unit."""
    return alt.Axis(title=title, minExtent=AXIS, tickCount=5, **more)


def small_axis() -> alt.Axis:
    """Vertical axis of a small picture: labels stay within the picture's height."""
    return alt.Axis(title=None, tickCount=3, labelFlush=True, format=",~r", labelPadding=3)


def small_multiples(chart: Picture, by: str, order: list[str], *, width: float, height: int, columns: int, gap: int = 42) -> Picture:
    """One small picture for each value of ``by``, on an even grid, each with a scale of its own upwards."""
    return (
        chart.properties(width=width, height=height)
        .facet(
            facet=alt.Facet(f"{by}:N", title=None, sort=order, header=alt.Header(labelFontSize=11, labelAnchor="start", labelPadding=3)),
            columns=columns,
            bounds="flush",
            spacing=alt.RowColnumber(row=26, column=gap),
        )
        .resolve_scale(y="independent")
    )


def small_width(columns: int, gap: int = 42) -> float:
    """Width of one of so many small pictures in a row."""
    return (WIDTH - AXIS - gap * (columns - 1)) / columns

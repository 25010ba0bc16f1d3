"""Map of the sites: planned power and the limit that binds most."""

from __future__ import annotations

import math

import altair as alt
import pandas as pd

from batch.geo import GAP, HEIGHT, Bubble, Projection, halves, land, latitude, placed_labels
from batch.report.draw import WIDTH, Picture, typed
from models import tables as tb
from models.dataset import Dataset
from models.plan import Plan
from models.plan_views import binding_limits

SMALLEST, LARGEST = 20.0, 1300.0
"""Areas of bubbles, square pixels."""
LIMIT_COLOURS = {
    "IT power": "#c0392b",
    "liquid": "#2b6cb0",
    "air": "#7fb3e0",
    "grid": "#8e44ad",
    "install rate": "#dd8a2e",
    "water": "#16a085",
    "none": "#a0aec0",
}


def limit_name(name: str) -> str:
    """A name of ``BINDING_NAMES`` in words."""
    return "IT power" if name == "it_power" else name.replace("_", " ")


def site_use(plan: Plan, dataset: Dataset) -> pd.DataFrame:
    """Per site: name, place, largest planned IT MW, period of it, and the limit that binds in most periods."""
    binds = binding_limits(plan)
    tightest = binds.drop_duplicates("site_id").set_index("site_id")["limit"].to_dict()
    rows = []
    for site in dataset.rows(tb.Site):
        own = plan.sites[plan.sites["site_id"] == site.site_id].nlargest(1, "it_used_mw")
        most, when = next(zip(own["it_used_mw"].tolist(), own["period"].tolist(), strict=True), (0.0, ""))
        rows.append((site.site_id, site.name, site.lat, site.lon, most, when, limit_name(str(tightest.get(site.site_id, "none")))))
    return pd.DataFrame(rows, columns=["site_id", "name", "lat", "lon", "mw", "period", "limit"])


def site_map(plan: Plan, dataset: Dataset) -> Picture:
    """Sites by planned IT power and the limit that binds most: a panel for the Americas, one for the rest."""
    use = site_use(plan, dataset)
    parts = halves(use, WIDTH)
    if not parts:
        return None
    panels = [_panel(part.title, part.rows, max(float(use["mw"].max()), 1.0), part.width) for part in parts]
    return alt.hconcat(*panels, spacing=GAP)


def _panel(title: str, part: pd.DataFrame, largest: float, width: float) -> Picture:
    view = Projection.around(part, width)
    outline = alt.Chart(alt.InlineData(values=land(), format={"type": "topojson", "feature": "land"})).mark_geoshape(
        fill="#edf0f3", stroke="#cbd5e0", clip=True
    )
    part = part.sort_values("mw", ascending=False)
    points = (
        alt.Chart(typed(part))
        .mark_circle(opacity=0.85, stroke="white", strokeWidth=0.8)
        .encode(
            longitude="lon:Q",
            latitude="lat:Q",
            size=alt.Size(
                "mw:Q",
                scale=alt.Scale(domain=[0, largest], range=[SMALLEST, LARGEST]),
                legend=alt.Legend(
                    title="peak IT load, MW", orient="bottom", direction="horizontal", tickCount=4, symbolFillColor="#718096"
                ),
            ),
            color=alt.Color(
                "limit:N",
                scale=alt.Scale(domain=list(LIMIT_COLOURS), range=list(LIMIT_COLOURS.values())),
                legend=alt.Legend(title="limit that binds in most periods", orient="bottom", direction="horizontal", symbolSize=90),
            ),
            tooltip=[
                alt.Tooltip("name:N", title="site"),
                alt.Tooltip("mw:Q", format=",.1f", title="peak IT load, MW"),
                alt.Tooltip("period:N", title="in"),
                alt.Tooltip("limit:N", title="binds most"),
            ],
        )
    )
    labels = alt.Chart(typed(_labels(part, view, largest)))
    leaders = labels.mark_rule(color="#718096", strokeWidth=0.7).encode(
        longitude="from_lon:Q", latitude="from_lat:Q", longitude2="to_lon:Q", latitude2="to_lat:Q"
    )
    names = labels.mark_text(fontSize=10, color="#2d3748").encode(longitude="lon:Q", latitude="lat:Q", text="label:N")
    projection = {"type": "mercator", "scale": view.scale, "translate": [width / 2, HEIGHT / 2]}
    projection["center"] = [view.lon, latitude(view.north)]
    layers = [layer.project(**projection) for layer in (outline, points, leaders, names)]
    return alt.layer(*layers).properties(title=title, width=width, height=HEIGHT)


def _labels(part: pd.DataFrame, view: Projection, largest: float) -> pd.DataFrame:
    """Ids of sites beside their bubbles, largest first.

    Returns:
        Columns label, lat, lon (middle of the text), and ends of the leader: from_lat, from_lon, to_lat, to_lon.
    """
    bubbles = []
    for lat, lon, mw in zip(part["lat"], part["lon"], part["mw"], strict=True):
        x, y = view.place(lat, lon)
        bubbles.append(Bubble(x, y, math.sqrt((SMALLEST + (LARGEST - SMALLEST) * mw / largest) / math.pi)))
    rows = []
    for found in placed_labels(list(part["site_id"]), bubbles, view):
        own = bubbles[found.at]
        end = (found.end_x, found.end_y) if found.off else (own.x, own.y)
        rows.append((found.text, *view.degrees(found.x, found.y), *view.degrees(own.x, own.y), *view.degrees(*end)))
    return pd.DataFrame(rows, columns=["label", "lat", "lon", "from_lat", "from_lon", "to_lat", "to_lon"])

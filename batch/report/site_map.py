"""Map of the sites: planned power and the limit that binds most."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd

from batch.report.draw import WIDTH, Picture, typed
from models import tables as tb
from models.dataset import Dataset
from models.plan import Plan
from models.plan_views import binding_limits

LAND = Path(__file__).resolve().parents[2] / "data" / "geo" / "land-110m.json"
HEIGHT = 430
LEAST_LON, LEAST_LAT = 30.0, 14.0
"""Smallest range of a panel, degrees: the outline is too coarse for less."""
GAP = 16
SHARES = {1: (1.0,), 2: (0.6, 0.4)}
"""Width of the panels."""
SMALLEST, LARGEST = 20.0, 1300.0
"""Areas of bubbles, square pixels."""
LETTER, LINE = 5.9, 12.0
"""Width of a letter and height of a line of a label, pixels."""
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


@cache
def _land() -> dict[str, Any]:
    return dict(json.loads(LAND.read_text(encoding="utf-8")))


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
    west = use["lon"] < -30
    parts = [(title, part) for title, part in (("Americas", use[west]), ("Europe and elsewhere", use[~west])) if len(part)]
    if not parts:
        return None
    room = WIDTH - GAP * (len(parts) - 1)
    panels = [
        _panel(title if len(parts) > 1 else "", part, max(float(use["mw"].max()), 1.0), room * share)
        for (title, part), share in zip(parts, SHARES[len(parts)], strict=True)
    ]
    return alt.hconcat(*panels, spacing=GAP)


@dataclass(frozen=True)
class Projection:
    """Mercator's projection of a box of degrees onto a panel.

    Attributes:
        width: of the panel, pixels.
        scale: pixels per radian.
        lon: longitude of the panel's middle, degrees.
        north: northing of the panel's middle, radians.
    """

    width: float
    scale: float
    lon: float
    north: float

    @staticmethod
    def around(part: pd.DataFrame, width: float) -> Projection:
        """The largest scale at which all sites stand in the panel, with a margin."""
        west, east = _widened(float(part["lon"].min()), float(part["lon"].max()), 5.0, LEAST_LON)
        south, north = _widened(float(part["lat"].min()), float(part["lat"].max()), 3.0, LEAST_LAT)
        low, high = _northing(south), _northing(north)
        scale = min(width / math.radians(east - west), HEIGHT / (high - low))
        return Projection(width, scale, (west + east) / 2, (low + high) / 2)

    def place(self, lat: float, lon: float) -> tuple[float, float]:
        """Pixels from the panel's left and top."""
        return (
            self.width / 2 + self.scale * math.radians(lon - self.lon),
            HEIGHT / 2 - self.scale * (_northing(lat) - self.north),
        )

    def degrees(self, x: float, y: float) -> tuple[float, float]:
        """Latitude and longitude of a pixel."""
        return _latitude(self.north - (y - HEIGHT / 2) / self.scale), self.lon + math.degrees((x - self.width / 2) / self.scale)


def _panel(title: str, part: pd.DataFrame, largest: float, width: float) -> Picture:
    view = Projection.around(part, width)
    land = alt.Chart(alt.InlineData(values=_land(), format={"type": "topojson", "feature": "land"})).mark_geoshape(
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
    projection["center"] = [view.lon, _latitude(view.north)]
    layers = [layer.project(**projection) for layer in (land, points, leaders, names)]
    return alt.layer(*layers).properties(title=title, width=width, height=HEIGHT)


def _labels(part: pd.DataFrame, view: Projection, largest: float) -> pd.DataFrame:
    """Ids of sites beside their bubbles, largest first, where they cover no bubble and no other label.

    Where there is no room beside a bubble the id stands further off, with a leader; where there is none there either it is left out.

    Returns:
        Columns label, lat, lon (middle of the text), and ends of the leader: from_lat, from_lon, to_lat, to_lon.
    """
    bubbles = []
    for lat, lon, mw in zip(part["lat"], part["lon"], part["mw"], strict=True):
        x, y = view.place(lat, lon)
        bubbles.append((x, y, math.sqrt((SMALLEST + (LARGEST - SMALLEST) * mw / largest) / math.pi)))
    taken: list[tuple[float, float, float, float]] = [(x - r, y - r, x + r, y + r) for x, y, r in bubbles]
    rows = []
    for site, (x, y, radius) in zip(part["site_id"], bubbles, strict=True):
        half = LETTER * len(site) / 2
        for dx, dy, off in _offsets(radius, half):
            box = (x + dx - half, y + dy - LINE / 2, x + dx + half, y + dy + LINE / 2)
            inside = box[0] >= 0 and box[2] <= view.width and box[1] >= 0 and box[3] <= HEIGHT
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                end = (min(max(x, box[0]), box[2]), min(max(y, box[1]), box[3])) if off else (x, y)
                rows.append((site, *view.degrees(x + dx, y + dy), *view.degrees(x, y), *view.degrees(*end)))
                break
    return pd.DataFrame(rows, columns=["label", "lat", "lon", "from_lat", "from_lon", "to_lat", "to_lon"])


def _offsets(radius: float, half: float) -> Iterator[tuple[float, float, bool]]:
    """Places to try for the middle of a label around a bubble, nearest first, and whether they need a leader, pixels."""
    for off in (0.0, 12.0, 24.0, 36.0):
        up, side = radius + LINE / 2 + 1 + off, radius + half + 3 + off
        yield from ((0.0, -up, off > 0), (0.0, up, off > 0), (side, 0.0, off > 0), (-side, 0.0, off > 0))
        for slant in (LINE / 2 + off, -LINE / 2 - off):
            yield from ((side, slant, off > 0), (-side, slant, off > 0))


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _widened(low: float, high: float, margin: float, least: float) -> tuple[float, float]:
    """The range with a margin on both sides, and not below the least width."""
    more = max(margin, (least - (high - low)) / 2)
    return low - more, high + more


def _northing(latitude: float) -> float:
    """Northing of a latitude in Mercator's projection, radians."""
    clamped = max(-85.0, min(85.0, latitude))
    return math.log(math.tan(math.pi / 4 + math.radians(clamped) / 2))


def _latitude(northing: float) -> float:
    return math.degrees(2 * math.atan(math.exp(northing)) - math.pi / 2)

"""A map of the sites without tiles: land, a projection, two halves of the world, and labels that cover nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

LAND = Path(__file__).resolve().parents[1] / "data" / "geo" / "land-110m.json"
HEIGHT = 430
"""Height of a panel, pixels."""
LEAST_LON, LEAST_LAT = 30.0, 14.0
"""Smallest range of a panel, degrees: the outline is too coarse for less."""
GAP = 16
SHARES = {1: (1.0,), 2: (0.6, 0.4)}
"""Width of the panels."""
WEST = -30.0
"""Longitude that parts the Americas from the rest, degrees."""
LETTER, LINE = 5.9, 12.0
"""Width of a letter and height of a line of a label, pixels."""


@cache
def land() -> dict[str, Any]:
    """The outline of the land: TopoJSON, feature ``land`` (Natural Earth, public domain)."""
    return dict(json.loads(LAND.read_text(encoding="utf-8")))


@cache
def coasts() -> list[list[tuple[float, float]]]:
    """The same as closed lines of (latitude, longitude), degrees."""
    found = land()
    (kx, ky), (x0, y0) = found["transform"]["scale"], found["transform"]["translate"]
    arcs = []
    for arc in found["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((y * ky + y0, x * kx + x0))
        arcs.append(points)
    rings = [ring for shape in found["objects"]["land"]["geometries"] for polygon in shape["arcs"] for ring in polygon]
    return [[point for i in ring for point in (arcs[i] if i >= 0 else arcs[~i][::-1])] for ring in rings]


class Half(NamedTuple):
    """A panel of the map: its title (empty if it is the only one), its sites and its width, pixels."""

    title: str
    rows: pd.DataFrame
    width: float


def halves(sites: pd.DataFrame, width: float) -> list[Half]:
    """A panel for the Americas, one for the rest, as far as there are sites.

    Args:
        sites: with columns lat and lon.
        width: of both with the gap, pixels.
    """
    west = sites["lon"] < WEST
    parts = [(title, part) for title, part in (("Americas", sites[west]), ("Europe and elsewhere", sites[~west])) if len(part)]
    room = width - GAP * (len(parts) - 1)
    return [
        Half(title if len(parts) > 1 else "", part, room * share)
        for (title, part), share in zip(parts, SHARES.get(len(parts), ()), strict=True)
    ]


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
        low, high = northing(south), northing(north)
        scale = min(width / math.radians(east - west), HEIGHT / (high - low))
        return Projection(width, scale, (west + east) / 2, (low + high) / 2)

    def place(self, lat: float, lon: float) -> tuple[float, float]:
        """Pixels from the panel's left and top."""
        return (
            self.width / 2 + self.scale * math.radians(lon - self.lon),
            HEIGHT / 2 - self.scale * (northing(lat) - self.north),
        )

    def degrees(self, x: float, y: float) -> tuple[float, float]:
        """Latitude and longitude of a pixel."""
        return latitude(self.north - (y - HEIGHT / 2) / self.scale), self.lon + math.degrees((x - self.width / 2) / self.scale)


class Bubble(NamedTuple):
    """A circle on a panel, pixels."""

    x: float
    y: float
    radius: float


class Label(NamedTuple):
    """A text on a panel: the number of its bubble, its middle, whether it needs a leader, and where that ends, pixels."""

    text: str
    at: int
    x: float
    y: float
    off: bool
    end_x: float
    end_y: float


def placed_labels(texts: Sequence[str], bubbles: Sequence[Bubble], view: Projection) -> list[Label]:
    """Texts beside their bubbles, in order, where they cover no bubble and no other text.

    Where there is no room beside a bubble its text stands further off, with a leader; where there is none there either it is left out.
    """
    taken = [(x - r, y - r, x + r, y + r) for x, y, r in bubbles]
    found = []
    for at, (text, (x, y, radius)) in enumerate(zip(texts, bubbles, strict=True)):
        half = LETTER * len(text) / 2
        for dx, dy, off in _offsets(radius, half):
            box = (x + dx - half, y + dy - LINE / 2, x + dx + half, y + dy + LINE / 2)
            inside = box[0] >= 0 and box[2] <= view.width and box[1] >= 0 and box[3] <= HEIGHT
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                found.append(Label(text, at, x + dx, y + dy, off, min(max(x, box[0]), box[2]), min(max(y, box[1]), box[3])))
                break
    return found


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


def northing(latitude: float) -> float:
    """Northing of a latitude in Mercator's projection, radians."""
    clamped = max(-85.0, min(85.0, latitude))
    return math.log(math.tan(math.pi / 4 + math.radians(clamped) / 2))


def latitude(north: float) -> float:
    """Latitude of a northing, degrees."""
    return math.degrees(2 * math.atan(math.exp(north)) - math.pi / 2)

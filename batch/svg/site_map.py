"""Map of the sites in one period: what they may use, what they use, and what holds them back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from batch.geo import GAP, HEIGHT, Bubble, Half, Projection, coasts, halves, placed_labels
from batch.svg.element import Svg, element, group, picture

LARGEST = 26.0
"""Radius of the largest bubble, pixels."""
SMALLEST = 2.5
WIDTH = 1160.0


@dataclass(frozen=True)
class Spot:
    """A site on the map.

    Attributes:
        id: of the site, shown beside it.
        lat, lon: degrees.
        used, limit: megawatts: area of the disc, and of the ring around it.
        look: class of the disc.
        words: what a pointer shows.
        link: where the disc leads.
    """

    id: str
    lat: float
    lon: float
    used: float
    limit: float
    look: str
    words: str
    link: str


def site_map(spots: Sequence[Spot], title: str) -> Svg | None:
    """The map: a panel for the Americas, one for the rest; None without sites."""
    table = pd.DataFrame({"lat": [s.lat for s in spots], "lon": [s.lon for s in spots]}, dtype=float)
    most = max((max(s.used, s.limit) for s in spots), default=0.0)
    parts, left = list[Svg](), 0.0
    for half in halves(table, WIDTH):
        own = sorted((spots[at] for at in half.rows.index.tolist()), key=lambda s: -max(s.used, s.limit))
        parts.append(_panel(half, own, most, left))
        left += half.width + GAP
    return picture(*parts, width=WIDTH, height=float(HEIGHT), title=title) if parts else None


def _panel(half: Half, spots: Sequence[Spot], most: float, left: float) -> Svg:
    view = Projection.around(half.rows, half.width)

    def radius(mw: float) -> float:
        return max(SMALLEST, LARGEST * math.sqrt(mw / most)) if most > 0 else SMALLEST

    places = [view.place(s.lat, s.lon) for s in spots]
    bubbles = [Bubble(x, y, radius(max(s.used, s.limit))) for s, (x, y) in zip(spots, places, strict=True)]
    discs = []
    for spot, bubble in zip(spots, bubbles, strict=True):
        ring = element("circle", cx=bubble.x, cy=bubble.y, r=bubble.radius, class_="ring")
        disc = element("circle", cx=bubble.x, cy=bubble.y, r=radius(spot.used), class_=f"bubble {spot.look}") if spot.used > 0 else ""
        discs.append(element("a", element("title", text=spot.words), ring, disc, href=spot.link))
    labels = []
    for label in placed_labels([s.id for s in spots], bubbles, view):
        own = bubbles[label.at]
        if label.off:
            labels.append(element("line", x1=own.x, y1=own.y, x2=label.end_x, y2=label.end_y, class_="leader"))
        labels.append(element("text", text=label.text, x=label.x, y=label.y + 3.5, text_anchor="middle", class_="label"))
    heading = element("text", text=half.title, x=8.0, y=16.0, class_="label") if half.title else ""
    land = element("path", d=_land(view), class_="land")
    return element("svg", land, group(*discs), group(*labels), heading, x=left, y=0, width=half.width, height=HEIGHT)


def _land(view: Projection) -> str:
    """The coasts that reach into the panel, as a path."""
    found = []
    for ring in coasts():
        points = [view.place(lat, lon) for lat, lon in ring]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        if max(xs) >= 0 and min(xs) <= view.width and max(ys) >= 0 and min(ys) <= HEIGHT:
            found.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z")
    return "".join(found)

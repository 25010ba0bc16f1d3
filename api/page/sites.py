"""Sites: what each has left of power, cooling, grid and water, where power is stranded, and a page for each site."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

import pandas as pd
from fastapi import APIRouter, Query, Request, Response

from api.page import words
from api.page.frame import PageRoute, csv, render
from api.page.shown import Shown, TheShown, known, not_yet
from api.problems import ProblemError
from api.security import Viewer
from batch.svg import Bars, Line, Spot, bars, site_map
from models import tables as tb
from models.headroom import RESOURCES, headroom
from models.place_views import contracts_at, decisions_at, racks_at

router = APIRouter(route_class=PageRoute)
UNITS = {"it_power": "MW", "liquid": "MW", "air": "MW", "grid": "MW", "water": "m3"}
"""Units of resources."""
Period = Annotated[str | None, Query(description="period; the first one of the horizon, if not given")]


def period_of(shown: Shown, period: str | None) -> str:
    """The period that an address names.

    Raises:
        ProblemError: 404, it is not in the horizon.
    """
    labels = shown.dataset.calendar.labels
    if period and period not in labels:
        raise ProblemError(404, "unknown_period", f"there is no period {period}; the horizon goes from {labels[0]} to {labels[-1]}")
    return period or labels[0]


@router.get("/sites")
def sites(request: Request, caller: Viewer, shown: TheShown, period: Period = None) -> Response:
    """Map and table of the sites in a period."""
    return not_yet(request, shown) or _sites(request, shown, period_of(shown, period))


def _sites(request: Request, shown: Shown, period: str) -> Response:
    labels = shown.dataset.calendar.labels
    at = labels.index(period)
    steps = {"before": labels[at - 1] if at > 0 else None, "after": labels[at + 1] if at + 1 < len(labels) else None}
    rows = in_period(shown, period)
    return render(
        request, "sites.html", shown=shown, period=period, labels=labels, rows=rows, chart=_map(shown, rows, period), resources=RESOURCES,
        units=UNITS, before=steps["before"], after=steps["after"],
    )  # fmt: skip


@router.get("/sites.csv")
def sites_csv(caller: Viewer, shown: TheShown, period: Period = None) -> Response:
    """Headroom of all sites in a period, or in all periods."""
    frame = shown.view(headroom)
    if period:
        frame = frame[frame["period"] == period_of(shown, period)]
    return csv(frame, f"sites-{shown.line_name or 'plan'}{f'-{period}' if period else ''}")


def in_period(shown: Shown, period: str) -> list[dict[str, Any]]:
    """Sites of the dataset, in its order, with what they have left in a period; one that is not open is left out."""
    frame = shown.view(headroom)
    found = {row["site_id"]: row for row in frame[frame["period"] == period].to_dict("records")}
    rows = []
    for site in shown.dataset.rows(tb.Site):
        if site.site_id in found:
            row: dict[str, Any] = {str(name): value for name, value in found[site.site_id].items()}
            tight = [name for name in str(row["binding"]).split(";") if name]
            rows.append({**row, "name": site.name, "country": site.country, "lat": site.lat, "lon": site.lon, "tight": tight})
    return rows


def _map(shown: Shown, rows: Sequence[dict[str, Any]], period: str) -> str | None:
    spots = []
    for row in rows:
        tight = row["tight"] or ([row["missing"]] if row["missing"] in RESOURCES else [])
        lines = [
            f"{row['name']}, {period}",
            f"{words.number(row['it_power_used'], 1)} of {words.number(row['it_power_limit'], 1)} MW of IT power used",
        ]
        if row["stranded_mw"] >= 0.05:
            lines.append(f"{words.number(row['stranded_mw'], 1)} MW stranded: {_want(row['missing'])}")
        if row["tight"]:
            lines.append("binds: " + ", ".join(words.words(name) for name in row["tight"]))
        look = f"of-{tight[0] if tight else 'none'}"
        link = shown.to(f"/sites/{row['site_id']}")
        figures = float(row["it_power_used"]), float(row["it_power_limit"])
        spots.append(Spot(row["site_id"], row["lat"], row["lon"], *figures, look, "\n".join(lines), link))
    return site_map(spots, f"Map of the sites in {period}: IT power used and what may be used")


def _want(missing: str) -> str:
    return "no rack that fits can be had" if missing == "rack" else f"no {words.words(missing)} left"


@router.get("/sites/{site}")
def site(request: Request, caller: Viewer, shown: TheShown, site: str) -> Response:
    """A site with its quarters."""
    return not_yet(request, shown) or _site(request, shown, known(shown.dataset.rows(tb.Site), "site", site))


@router.get("/sites/{site}/headroom.csv")
def site_csv(caller: Viewer, shown: TheShown, site: str) -> Response:
    """Headroom of a site in all periods."""
    known(shown.dataset.rows(tb.Site), "site", site)
    frame = shown.view(headroom)
    return csv(frame[frame["site_id"] == site], f"{site}-{shown.line_name or 'plan'}")


def _site(request: Request, shown: Shown, site: tb.Site) -> Response:
    frame = shown.view(headroom)
    own = frame[frame["site_id"] == site.site_id]
    before = shown.base_view(headroom)
    base = None if before is None else before[before["site_id"] == site.site_id]
    dataset, plan = shown.dataset, shown.plan
    racks, served = racks_at(plan, dataset, site.site_id), contracts_at(plan, dataset, site.site_id)
    blocks = [row for row in dataset.rows(tb.PowerBlock) if row.site_id == site.site_id]
    return render(
        request, "site.html", shown=shown, site=site, rows=own.to_dict("records"), charts=_charts(shown, own, base),
        labels=dataset.calendar.labels, racks=racks.T.to_dict(), served=served.T.to_dict(), blocks=blocks,
        decisions=decisions_at(plan, dataset, site.site_id).to_dict("records"), resources=RESOURCES, units=UNITS,
    )  # fmt: skip


def _charts(shown: Shown, own: pd.DataFrame, base: pd.DataFrame | None) -> list[tuple[str, str]]:
    """A picture per resource that the site has: use against its limit; resource and picture."""
    labels = shown.dataset.calendar.labels
    ours = own.set_index("period").reindex(labels)
    theirs = None if base is None else base.set_index("period").reindex(labels)
    found = []
    for name in RESOURCES:
        limit = ours[f"{name}_limit"].fillna(0.0)
        used = ours[f"{name}_used"].fillna(0.0)
        if not (used > 0).any() and not ((limit > 0) & (limit < math.inf)).any():
            continue
        layers = [Bars("used", "used", used.tolist())]
        if name == "it_power":
            layers.append(Bars("stranded", "stranded", ours["stranded_mw"].fillna(0.0).tolist()))
        lines = [Line("limit", "limit", limit.tolist())]
        if theirs is not None:
            lines.append(Line("used in the baseline", "base", theirs[f"{name}_used"].fillna(0.0).tolist()))
        wide = 1160.0 if name == "it_power" else 570.0
        title = f"{words.words(name)} by period: used, and its limit"
        found.append((name, bars(labels, layers, lines, title=title, unit=UNITS[name], width=wide, height=200.0 if wide > 1000 else 170.0)))
    return found

"""Charts of a plan, each declared once with Altair."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd

from models import tables as tb
from models.dataset import Dataset
from models.plan import NPV_TERMS, Plan
from models.plan_views import Comparison, binding_limits, fleet

LAND = Path(__file__).resolve().parents[2] / "data" / "geo" / "land-110m.json"
BLUE, ORANGE, GREY, GREEN, RED = "#2b6cb0", "#dd8a2e", "#a0aec0", "#3a8f5c", "#c0392b"
Picture = Any
"""An Altair chart, of whichever class its parts make it; None where there is nothing to draw."""
WIDTH = 1120
MAP_HEIGHT = 400
MAP_SHARES = {1: (1.0,), 2: (0.58, 0.42)}
"""Width of the panels of the map."""
BILLION, MILLION = 1e9, 1e6
LIMIT_COLOURS = {
    "it_power": "#c0392b",
    "liquid": "#2b6cb0",
    "air": "#7fb3e0",
    "grid": "#8e44ad",
    "install_rate": "#dd8a2e",
    "water": "#16a085",
    "none": "#a0aec0",
}
"""One colour per limit, the same on map and heatmap."""


@cache
def _land() -> dict[str, Any]:
    return dict(json.loads(LAND.read_text(encoding="utf-8")))


def _text(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with plain text columns, which Altair can type."""
    return frame.astype({name: object for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])})


def _years(labels: list[str]) -> list[str]:
    """The first label of each year, but for a first year cut so short that its tick would crowd the next."""
    seen: dict[str, str] = {}
    for label in labels:
        seen.setdefault(label[:4], label)
    ticks = list(seen.values())
    crowded = len(ticks) > 2 and labels.index(ticks[1]) * 2 < labels.index(ticks[2]) - labels.index(ticks[1])
    return ticks[1:] if crowded else ticks


def _period_axis(labels: list[str], title: str | None = None) -> Picture:
    axis = alt.Axis(values=_years(labels), labelAngle=0, labelExpr="slice(datum.label, 0, 4)", title=title, grid=False, labelOverlap=True)
    return alt.X("period:O", sort=labels, axis=axis)


def site_use(plan: Plan, dataset: Dataset) -> pd.DataFrame:
    """Per site: name, place, largest planned IT MW, period of it, and the limit that binds in most periods."""
    binds = binding_limits(plan)
    tightest = binds.sort_values("count", ascending=False).drop_duplicates("site_id").set_index("site_id")["limit"].to_dict()
    rows = []
    for site in dataset.rows(tb.Site):
        own = plan.sites[plan.sites["site_id"] == site.site_id]
        most = float(own["it_used_mw"].max()) if len(own) else 0.0
        when = str(own.loc[own["it_used_mw"].idxmax(), "period"]) if len(own) and most > 0 else ""
        rows.append((site.site_id, site.name, site.lat, site.lon, most, when, tightest.get(site.site_id, "none")))
    return pd.DataFrame(rows, columns=["site_id", "name", "lat", "lon", "mw", "period", "limit"])


def site_map(plan: Plan, dataset: Dataset) -> Picture:
    """Sites by planned IT power and the limit that binds most: one panel per continent with sites."""
    use = site_use(plan, dataset)
    panels = []
    west = use["lon"] < -30
    parts = [(title, part) for title, part in (("Americas", use[west]), ("Europe and elsewhere", use[~west])) if len(part)]
    for (title, part), share in zip(parts, MAP_SHARES[len(parts)], strict=True):
        panels.append(_panel(title, part, float(use["mw"].max()), (WIDTH - 130) * share))
    return alt.hconcat(*panels)


def _panel(title: str, part: pd.DataFrame, largest: float, width: float) -> Picture:
    """Land and sites in Mercator's projection, cut to the sites with a margin."""
    west, east = part["lon"].min() - 5, part["lon"].max() + 5
    south, north = part["lat"].min() - 3, part["lat"].max() + 3
    low, high = _mercator(south), _mercator(north)
    scale = min(width / math.radians(east - west), MAP_HEIGHT / (high - low))
    middle = math.degrees(2 * math.atan(math.exp((low + high) / 2)) - math.pi / 2)
    land = alt.Chart(alt.InlineData(values=_land(), format={"type": "topojson", "feature": "land"})).mark_geoshape(
        fill="#eef1f4", stroke="#cbd5e0", clip=True
    )
    domain = list(LIMIT_COLOURS)
    points = (
        alt.Chart(_text(part))
        .mark_circle(opacity=0.82, stroke="white", strokeWidth=0.8)
        .encode(
            longitude="lon:Q",
            latitude="lat:Q",
            size=alt.Size("mw:Q", title="most IT MW", scale=alt.Scale(domain=[0, max(largest, 1.0)], range=[20, 1200])),
            color=alt.Color("limit:N", title="binds most", scale=alt.Scale(domain=domain, range=list(LIMIT_COLOURS.values()))),
            tooltip=[
                alt.Tooltip("name:N"),
                alt.Tooltip("mw:Q", format=",.1f", title="most IT MW"),
                alt.Tooltip("period:N", title="in"),
                alt.Tooltip("limit:N", title="binds most"),
            ],
        )
    )
    names = (
        alt.Chart(_text(_named(part, (east - west) / width)))
        .mark_text(dy=-17, fontSize=10, color="#2d3748")
        .encode(longitude="lon:Q", latitude="lat:Q", text="name:N")
    )
    middle_lon = (west + east) / 2
    layers = [
        layer.project(type="mercator", scale=scale, center=[middle_lon, middle], translate=[width / 2, MAP_HEIGHT / 2])
        for layer in (land, points, names)
    ]
    return alt.layer(*layers).properties(title=title, width=width, height=MAP_HEIGHT)


def _named(part: pd.DataFrame, degrees_per_pixel: float) -> pd.DataFrame:
    """The largest sites whose names do not run into one another."""
    kept: list[int] = []
    for i, row in part[part["mw"] > 0].sort_values("mw", ascending=False).iterrows():
        near = part.loc[kept]
        reach = 3.1 * (near["name"].str.len() + len(row["name"])) * degrees_per_pixel
        beside = (near["lon"] - row["lon"]).abs() < reach
        if not (beside & ((near["lat"] - row["lat"]).abs() < 16 * degrees_per_pixel)).any():
            kept.append(int(str(i)))
    return part.loc[kept]


def _mercator(latitude: float) -> float:
    """Northing of a latitude, radians."""
    clamped = max(-85.0, min(85.0, latitude))
    return math.log(math.tan(math.pi / 4 + math.radians(clamped) / 2))


def heatmap(plan: Plan, dataset: Dataset, used: str, limit: str) -> Picture:
    """Use of a limit as a share of it, by site and period."""
    labels = dataset.calendar.labels
    frame = plan.sites.loc[plan.sites[limit] > 0, ["site_id", "period", used, limit]].copy()
    frame["share"] = frame[used] / frame[limit]
    sites = [row.site_id for row in dataset.rows(tb.Site) if row.site_id in set(frame["site_id"])]
    return (
        alt.Chart(_text(frame))
        .mark_rect(stroke="white", strokeWidth=0.5)
        .encode(
            x=_period_axis(labels),
            y=alt.Y("site_id:N", sort=sites, title=None, axis=alt.Axis(labelLimit=160)),
            color=alt.Color(
                "share:Q", title="use", scale=alt.Scale(scheme="yelloworangered", domain=[0, 1]), legend=alt.Legend(format=".0%")
            ),
            tooltip=[
                alt.Tooltip("site_id:N", title="site"),
                alt.Tooltip("period:O"),
                alt.Tooltip(f"{used}:Q", format=",.1f", title="used MW"),
                alt.Tooltip(f"{limit}:Q", format=",.1f", title="limit MW"),
                alt.Tooltip("share:Q", format=".1%", title="use"),
            ],
        )
        .properties(width=WIDTH - 260, height=alt.Step(15))
    )


def power_of_all(plan: Plan, dataset: Dataset) -> Picture:
    """IT power of all sites against what may be used."""
    labels = dataset.calendar.labels
    frame = plan.sites.groupby("period", as_index=False)[["it_used_mw", "it_limit_mw"]].sum()
    base = alt.Chart(_text(frame))
    x = _period_axis(labels)
    area = base.mark_area(color=BLUE, opacity=0.75, interpolate="step-after").encode(
        x=x,
        y=alt.Y("it_used_mw:Q", title="critical IT load, MW"),
        tooltip=[alt.Tooltip("period:O"), alt.Tooltip("it_used_mw:Q", format=",.0f")],
    )
    line = base.mark_line(color=RED, interpolate="step-after", strokeWidth=2).encode(
        x=x, y="it_limit_mw:Q", tooltip=[alt.Tooltip("period:O"), alt.Tooltip("it_limit_mw:Q", format=",.0f")]
    )
    return alt.layer(area, line).properties(width=WIDTH - 100, height=220)


def deliveries(plan: Plan, dataset: Dataset) -> Picture:
    """Contract GPUs delivered against owed, a small picture per contract in force; None without contracts."""
    if plan.contracts.empty:
        return None
    labels = dataset.calendar.labels
    frame = plan.contracts[["contract_id", "period", "owed_gpus", "delivered_gpus"]].copy()
    frame[["owed_gpus", "delivered_gpus"]] /= 1000.0
    base = alt.Chart(_text(frame))
    x = _period_axis(labels)
    tip = [
        alt.Tooltip("period:O"),
        alt.Tooltip("delivered_gpus:Q", format=",.1f", title="delivered, thousand"),
        alt.Tooltip("owed_gpus:Q", format=",.1f", title="owed, thousand"),
    ]
    delivered = base.mark_bar(color=BLUE, opacity=0.8).encode(x=x, y=alt.Y("delivered_gpus:Q", title=None), tooltip=tip)
    owed = base.mark_tick(color=RED, thickness=1.5).encode(x=x, y="owed_gpus:Q", tooltip=tip)
    order = [row.contract_id for row in dataset.rows(tb.Contract)]
    return (
        alt.layer(delivered, owed)
        .properties(width=(WIDTH - 220) / 4, height=92)
        .facet(facet=alt.Facet("contract_id:N", title=None, sort=order, header=alt.Header(labelFontWeight="bold")), columns=4)
        .resolve_scale(y="independent")
    )


def generations(plan: Plan, dataset: Dataset) -> Picture:
    """Racks in service by generation over time, in MW and in thousand GPUs."""
    labels = dataset.calendar.labels
    frame = fleet(plan, dataset)
    frame = frame.assign(thousand=frame["gpus"] / 1000.0)
    names = [row.gen_id for row in dataset.rows(tb.Generation)]

    def stack(column: str, title: str) -> Picture:
        return (
            alt.Chart(_text(frame))
            .mark_bar(width=alt.RelativeBandSize(0.98))
            .encode(
                x=_period_axis(labels),
                y=alt.Y(f"{column}:Q", title=title),
                color=alt.Color("gen_id:N", title="generation", sort=names, scale=alt.Scale(scheme="tableau10")),
                order=alt.Order("gen_id:N"),
                tooltip=[
                    alt.Tooltip("gen_id:N"),
                    alt.Tooltip("period:O"),
                    alt.Tooltip("racks:Q"),
                    alt.Tooltip(f"{column}:Q", format=",.1f"),
                ],
            )
            .properties(width=(WIDTH - 300) / 2, height=240)
        )

    return alt.hconcat(stack("it_mw", "provisioned IT power, MW"), stack("thousand", "thousand GPUs"))


def cash(plan: Plan, dataset: Dataset) -> Picture:
    """Cash per period by term, and its discounted sum so far."""
    labels = dataset.calendar.labels
    long = plan.cash.melt("period", list(NPV_TERMS), "term", "usd")
    long = long[long["usd"] != 0].assign(billion=lambda f: f["usd"] / BILLION)
    total = plan.cash.assign(billion=plan.cash["discounted_total"].cumsum() / BILLION)[["period", "billion"]]
    bars = (
        alt.Chart(_text(long))
        .mark_bar()
        .encode(
            x=_period_axis(labels),
            y=alt.Y("billion:Q", title="billion USD a period; line: discounted sum"),
            color=alt.Color("term:N", scale=alt.Scale(scheme="tableau20"), sort=list(NPV_TERMS)),
            tooltip=[alt.Tooltip("term:N"), alt.Tooltip("period:O"), alt.Tooltip("billion:Q", format=",.3f", title="billion USD")],
        )
    )
    line = alt.Chart(_text(total)).mark_line(color="black", strokeWidth=1.8).encode(x=_period_axis(labels), y="billion:Q")
    return alt.layer(bars, line).properties(width=WIDTH - 260, height=280)


def bridge(plan: Plan, comparison: Comparison | None) -> Picture:
    """NPV term by term as a waterfall, and beside it the uplift over the baseline, if there is one."""
    charts = [_waterfall({n: plan.summary.npv_terms.get(n, 0.0) for n in NPV_TERMS}, "NPV by term", "NPV")]
    if comparison is not None:
        uplift = dict(zip(comparison.terms["term"], comparison.terms["uplift_usd"], strict=True))
        charts.append(_waterfall(uplift, "Uplift over the baseline by term", "uplift"))
    return alt.hconcat(*charts)


def _waterfall(terms: dict[str, float], title: str, total: str) -> Picture:
    rows, at = [], 0.0
    for name, usd in sorted(terms.items(), key=lambda item: -item[1]):
        if usd:
            rows.append((name.replace("_", " "), at / BILLION, (at + usd) / BILLION, usd / BILLION, "gain" if usd > 0 else "cost"))
            at += usd
    rows.append((total, 0.0, at / BILLION, at / BILLION, "total"))
    frame = pd.DataFrame(rows, columns=["term", "from", "to", "billion", "kind"])
    colour = alt.Scale(domain=["gain", "cost", "total"], range=[GREEN, ORANGE, BLUE])
    base = alt.Chart(_text(frame)).encode(y=alt.Y("term:N", sort=list(frame["term"]), title=None))
    bars = base.mark_bar().encode(
        x=alt.X("from:Q", title="billion USD, discounted"),
        x2="to:Q",
        color=alt.Color("kind:N", scale=colour, legend=None),
        tooltip=[alt.Tooltip("term:N"), alt.Tooltip("billion:Q", format="+,.3f", title="billion USD")],
    )
    frame["label"] = [f"{v:+,.2f}" for v in frame["billion"]]
    labels = alt.Chart(_text(frame)).mark_text(align="left", dx=4, fontSize=10).encode(
        y=alt.Y("term:N", sort=list(frame["term"])), x=alt.X("right:Q"), text="label:N"
    ).transform_calculate(right="max(datum.from, datum.to)")  # fmt: skip
    return alt.layer(bars, labels).properties(width=(WIDTH - 330) / 2, height=alt.Step(19), title=title)


def energy(plan: Plan, dataset: Dataset) -> Picture:
    """Energy, emissions and what both cost."""
    labels = dataset.calendar.labels
    frame = plan.sites.groupby("period", as_index=False)[["energy_mwh", "tco2", "energy_usd", "demand_usd", "carbon_usd"]].sum()
    frame["usd"] = (frame["energy_usd"] + frame["demand_usd"] + frame["carbon_usd"]) / MILLION
    frame["gwh"], frame["kt"] = frame["energy_mwh"] / 1e3, frame["tco2"] / 1e3

    def bars(column: str, title: str, colour: str) -> Picture:
        return (
            alt.Chart(_text(frame))
            .mark_bar(color=colour)
            .encode(
                x=_period_axis(labels),
                y=alt.Y(f"{column}:Q", title=title),
                tooltip=[alt.Tooltip("period:O"), alt.Tooltip(f"{column}:Q", format=",.1f")],
            )
            .properties(width=(WIDTH - 240) / 3, height=170)
        )

    return alt.hconcat(
        bars("gwh", "energy, GWh a period", BLUE),
        bars("kt", "emissions, thousand t CO2", GREY),
        bars("usd", "cost, million USD a period", ORANGE),
    )


def search(plan: Plan) -> Picture:
    """NPV and bound against time; None without a log."""
    events = plan.events
    if events.empty:
        return None
    long = events.melt(["seconds", "phase"], ["npv_usd", "bound_usd"], "what", "usd").dropna(subset=["usd"])
    if long.empty:
        return None
    long = long.assign(
        billion=long["usd"].astype(float) / BILLION, what=long["what"].map({"npv_usd": "NPV of the best plan", "bound_usd": "bound"})
    )
    base = alt.Chart(_text(long)).encode(
        x=alt.X("seconds:Q", title="seconds"),
        y=alt.Y("billion:Q", title="billion USD", scale=alt.Scale(zero=False)),
        color=alt.Color("what:N", title=None, scale=alt.Scale(domain=["bound", "NPV of the best plan"], range=[RED, BLUE])),
        tooltip=[alt.Tooltip("seconds:Q", format=".1f"), alt.Tooltip("phase:N"), alt.Tooltip("billion:Q", format=",.3f")],
    )
    return alt.layer(base.mark_line(interpolate="step-after"), base.mark_point(size=12)).properties(width=WIDTH - 260, height=170)

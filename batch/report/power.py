"""Power and cooling against their limits: all sites, site by site, grid nodes."""

from __future__ import annotations

import math
from typing import Final

import altair as alt
import pandas as pd

from batch.report.draw import FIT, INK, RED, WIDTH, Picture, period_axis, quantity_axis, small_axis, small_multiples, small_width, typed
from batch.report.racks import GEN_SCHEME, generation_order
from models import tables as tb
from models.dataset import Dataset
from models.plan import Plan
from optimizer.instance.base import steps

HEAT: Final = "yelloworangered"
COLUMNS = 5
"""Small pictures in a row."""


def power_of_all(plan: Plan, dataset: Dataset) -> Picture:
    """IT power of all sites against what may be used; None without power anywhere."""
    if plan.sites.empty:
        return None
    labels = dataset.calendar.labels
    frame = plan.sites.groupby("period", as_index=False, sort=False)[["it_used_mw", "it_limit_mw"]].sum()
    top = 1.04 * max(1.0, float(frame["it_used_mw"].max()), float(frame["it_limit_mw"].max()))
    base = alt.Chart(typed(frame)).encode(
        x=period_axis(labels),
        tooltip=[
            alt.Tooltip("period:O"),
            alt.Tooltip("it_used_mw:Q", format=",.1f", title="provisioned, MW"),
            alt.Tooltip("it_limit_mw:Q", format=",.1f", title="may be used, MW"),
        ],
    )
    bars = base.mark_bar(color="#6b9bd1").encode(
        y=alt.Y("it_used_mw:Q", axis=quantity_axis("critical IT load, MW"), scale=alt.Scale(domainMax=top))
    )
    ticks = base.mark_tick(color=RED, thickness=2, size=(WIDTH - 80) / len(labels)).encode(y="it_limit_mw:Q")
    return alt.layer(bars, ticks).properties(width=WIDTH, height=220, autosize=FIT)


def site_heatmap(plan: Plan, dataset: Dataset, resource: str, binding: str) -> Picture:
    """Use of a limit as a share of it, by site and period; a dot where it binds.

    Args:
        plan: the plan.
        dataset: its dataset.
        resource: ``it``, ``liquid`` or ``air``: the columns ``<resource>_used_mw`` and ``<resource>_limit_mw`` of the sites table.
        binding: name of the limit in ``BINDING_NAMES``.
    """
    used, limit = f"{resource}_used_mw", f"{resource}_limit_mw"
    frame = plan.sites.loc[plan.sites[limit] > 0, ["site_id", "period", used, limit, "binding"]]
    frame = frame.set_axis(["row", "period", "used", "limit", "binding"], axis=1)
    frame["tight"] = [binding in str(names).split(";") for names in frame.pop("binding")]
    return _heatmap(frame, [row.site_id for row in dataset.rows(tb.Site)], dataset, "site")


def grid_heatmap(plan: Plan, dataset: Dataset) -> Picture:
    """Planned peak draw below each grid node as a share of the node's limit; None without limits."""
    draw = grid_draw(plan, dataset)
    return _heatmap(draw, [row.node_id for row in dataset.rows(tb.GridNode)], dataset, "grid node")


def grid_draw(plan: Plan, dataset: Dataset) -> pd.DataFrame:
    """Facility peak of all sites below a node against the node's limit (constraint 7 of the model), MW.

    A node is tight where the plan says that the grid binds a site below it and no node above that site has less left.

    Returns:
        Columns row (grid node), period, used, limit, tight; nodes with a limit above 0 and sites below them only.
    """
    calendar = dataset.calendar
    parents = {row.node_id: row.parent_id for row in dataset.rows(tb.GridNode)}
    given: dict[str, list[tuple[int, float]]] = {}
    for row in dataset.rows(tb.GridLimit):
        given.setdefault(row.node_id, []).append((calendar.index(row.from_period), row.limit_mw))
    limits = {
        node: dict(zip(calendar.labels, steps(found, calendar.periods, math.inf).tolist(), strict=True)) for node, found in given.items()
    }
    above: dict[str, list[str]] = {}
    for site in dataset.rows(tb.Site):
        nodes, node = above.setdefault(site.site_id, []), site.grid_node
        while node is not None:
            if node in limits:
                nodes.append(node)
            node = parents.get(node)
    used: dict[tuple[str, str], float] = {(node, label): 0.0 for nodes in above.values() for node in nodes for label in calendar.labels}
    columns = [plan.sites[name].tolist() for name in ("site_id", "period", "facility_peak_mw", "binding")]
    for name, label, mw, _ in zip(*columns, strict=True):
        for node in above[name]:
            used[node, label] += mw
    tight = set()
    for name, label, _, names in zip(*columns, strict=True):
        if "grid" in str(names).split(";") and above[name]:
            left = {node: limits[node][label] - used[node, label] for node in above[name]}
            tight.add((min(left, key=left.__getitem__), label))
    rows = [
        (node, label, mw, limits[node][label], (node, label) in tight)
        for (node, label), mw in used.items()
        if 0 < limits[node][label] < math.inf
    ]
    return pd.DataFrame(rows, columns=["row", "period", "used", "limit", "tight"])


def _heatmap(frame: pd.DataFrame, order: list[str], dataset: Dataset, what: str) -> Picture:
    if frame.empty:
        return None
    frame = frame.assign(share=frame["used"] / frame["limit"], tight=frame["tight"].astype(int))
    found = set(frame["row"])
    rows = [name for name in order if name in found]
    labels = dataset.calendar.labels
    base = alt.Chart(typed(frame)).encode(
        x=period_axis(labels), y=alt.Y("row:N", scale=alt.Scale(domain=rows, paddingInner=0.06), title=None, axis=alt.Axis(labelLimit=170))
    )
    cells = base.mark_rect().encode(
        color=alt.Color(
            "share:Q",
            scale=alt.Scale(scheme=HEAT, domain=[0, 1], clamp=True),
            legend=alt.Legend(
                title="used of the limit (dot: the limit binds; blank: no capacity)",
                format=".0%", orient="top", gradientLength=260, gradientThickness=10, titleLimit=600,
            ),
        ),
        tooltip=[
            alt.Tooltip("row:N", title=what),
            alt.Tooltip("period:O"),
            alt.Tooltip("used:Q", format=",.2f", title="used, MW"),
            alt.Tooltip("limit:Q", format=",.2f", title="limit, MW"),
            alt.Tooltip("share:Q", format=".1%", title="used of the limit"),
        ],
    )  # fmt: skip
    dots = base.mark_circle(color="white", size=9, opacity=0.9).transform_filter("datum.tight == 1")
    return alt.layer(cells, dots).properties(width=WIDTH, height=15 * len(rows), autosize=FIT)


def power_by_site(plan: Plan, dataset: Dataset) -> Picture:
    """A small picture per site: IT power of its racks by generation against what may be used; None without power anywhere."""
    kw = {row.gen_id: row.rack_kw for row in dataset.rows(tb.Generation)}
    racks = plan.racks[plan.racks["in_service"] > 0]
    mw = racks["in_service"] * racks["gen_id"].map(kw).astype(float) / 1000.0
    used = racks[["site_id", "period", "gen_id"]].assign(mw=mw)
    limits = plan.sites.loc[plan.sites["it_limit_mw"] > 0, ["site_id", "period", "it_limit_mw"]]
    frame = pd.concat([used, limits.rename(columns={"it_limit_mw": "limit"})], ignore_index=True)
    if frame.empty:
        return None
    labels = dataset.calendar.labels
    gens = generation_order(dataset, used["gen_id"]) or ["no racks"]
    frame = frame.fillna({"mw": 0.0, "gen_id": gens[0]})
    frame["order"] = [gens.index(str(gen)) for gen in frame["gen_id"]]
    found = set(frame["site_id"])
    width = small_width(COLUMNS)
    base = alt.Chart(typed(frame)).encode(x=period_axis(labels, every=2))
    bars = (
        base.mark_bar()
        .encode(
            y=alt.Y("mw:Q", axis=small_axis()),
            order=alt.Order("order:Q"),
            color=alt.Color(
                "gen_id:N",
                scale=alt.Scale(domain=gens, scheme=GEN_SCHEME),
                legend=alt.Legend(title="IT power of racks in service, MW, by generation (line: what may be used)", orient="top", titleLimit=600, columns=0),
            ),
            tooltip=[alt.Tooltip("site_id:N", title="site"), alt.Tooltip("period:O"), alt.Tooltip("gen_id:N", title="generation"), alt.Tooltip("mw:Q", format=",.2f", title="MW")],
        )
    )  # fmt: skip
    line = (
        base.mark_tick(color=INK, thickness=1.2, size=width / len(labels))
        .transform_filter("isValid(datum.limit)")
        .encode(y="limit:Q", tooltip=[alt.Tooltip("site_id:N", title="site"), alt.Tooltip("period:O"), alt.Tooltip("limit:Q", format=",.2f", title="may be used, MW")])
    )  # fmt: skip
    order = [row.site_id for row in dataset.rows(tb.Site) if row.site_id in found]
    return small_multiples(alt.layer(bars, line), "site_id", order, width=width, height=72, columns=COLUMNS)

"""The report of alternatives: how far each plan is from the others, where its racks stand, and what it decides otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import altair as alt
import numpy as np
import pandas as pd

from batch.decided import INSTALL, NOT, answers, decisions_of
from batch.report.draw import BLUE, FIT, INK, WIDTH, Picture, quantity_axis, typed
from batch.report.page import Part, Section, cards_html, money, page_html
from batch.report.tables import ACTIONS, Col, key, number, table
from batch.units import figure, unit
from models import tables as tb
from models.dataset import Dataset
from models.plan import Plan

if TYPE_CHECKING:
    from optimizer.tradeoffs.alternatives import Alternative

GIVEN = "plan given"
ROW = 20
"""Height of a row of the heat map, pixels."""


def alternatives_html(plan: Plan, dataset: Dataset, loss: float, found: Sequence[Alternative]) -> str:
    """The report as HTML that loads nothing.

    Args:
        plan: the plan that alternatives were looked for to.
        dataset: of all of them.
        loss: share of NPV that an alternative may lose.
        found: the alternatives.
    """
    plans = {GIVEN: plan, **{one.name: one.plan for one in found}}
    npv = plan.summary.npv_usd or 0.0
    cards = [("NPV of the plan given", money(npv), f"a loss of {loss:.2%} is {money(loss * abs(npv))}")]
    cards += [(one.name, f"{one.apart:.0%} apart", f"NPV {money(one.plan.summary.npv_usd)}, {money(one.loss_usd)} less") for one in found]
    sections = [
        Section(
            "apart", "How far apart",
            "Racks beyond the starting fleet, by site, generation and period, weighed by power: the share of an earlier plan's that an alternative has elsewhere "
            "or at other times; the least over all earlier plans is its distance. Proven: so far apart, or farther, costs more than the loss.",
            [Part("", apart_chart(found)), Part("", html=apart_table(found))],
        ),
        Section(
            "places", "Where the racks stand", "IT power of racks in service in the last period, MW; sites that differ most first.",
            [Part("", places_chart(plans, dataset)), Part("", html=places_table(plans, dataset))],
        ),
        Section(
            "decided", "Decided otherwise", "Contracts, sites, blocks and retrofits that not all of the plans decide the same way.",
            [Part("", html=decided_table(plans))],
        ),
    ]  # fmt: skip
    return page_html(f"Alternatives to a plan of {dataset.name}", cards_html(cards), sections)


def apart_chart(found: Sequence[Alternative]) -> Picture:
    """What each alternative loses, and how far apart it is; None without any."""
    if not found:
        return None
    size, usd = unit([one.loss_usd for one in found], "USD")
    frame = pd.DataFrame(
        [("plan given", 0.0, 0.0), *((one.name, one.apart, one.loss_usd / size) for one in found)], columns=["plan", "apart", "loss"]
    )
    base = alt.Chart(typed(frame)).encode(
        x=alt.X("apart:Q", scale=alt.Scale(domain=[0, max(0.1, min(1.0, 1.2 * frame["apart"].max()))]), axis=alt.Axis(title="racks elsewhere or at other times", format="%", tickCount=10)),
        y=alt.Y("loss:Q", axis=quantity_axis(f"loss of NPV, {usd}", format=",~r")),
        tooltip=[alt.Tooltip("plan:N"), alt.Tooltip("apart:Q", format=".1%"), alt.Tooltip("loss:Q", format=",.4~r", title=f"loss, {usd}")],
    )  # fmt: skip
    points = base.mark_point(filled=True, size=90, color=BLUE, opacity=1)
    names = base.mark_text(align="left", dx=8, dy=-6, color=INK).encode(text="plan:N")
    return alt.layer(points, names).properties(width=WIDTH, height=200, autosize=FIT)


def apart_table(found: Sequence[Alternative]) -> str:
    """Distance, loss and what is proven of each alternative."""
    rows = [
        (one.name, one.apart, (one.plan.summary.npv_usd or 0.0) / 1e6, one.loss_usd / 1e6, one.found.ceiling, len(one.found.tried), sum(t.seconds for t in one.found.tried))
        for one in found
    ]  # fmt: skip
    columns = {
        "plan": key("plan"), "apart": number("apart", lambda v: f"{v:.1%}"), "npv": number("NPV, million USD", figure),
        "loss": number("less than the plan given", figure),
        "ceiling": number("proven too far", lambda v: "" if v is None or np.isnan(v) else f"{v:.1%}"), "tried": number("tried", str),
        "seconds": number("s", lambda v: f"{v:,.0f}"),
    }  # fmt: skip
    return table(pd.DataFrame(rows, columns=list(columns)), columns)


def _megawatts(plans: dict[str, Plan], dataset: Dataset) -> pd.DataFrame:
    """IT power in service in the last period by site and plan, MW; sites that differ most first, those alike left out."""
    rack_mw = {row.gen_id: row.rack_kw / 1000.0 for row in dataset.rows(tb.Generation)}
    last = dataset.calendar.labels[-1]
    columns = {}
    for name, made in plans.items():
        racks = made.racks[made.racks["period"] == last]
        columns[name] = (racks["in_service"] * racks["gen_id"].map(rack_mw)).groupby(racks["site_id"]).sum()
    frame = pd.DataFrame(columns).fillna(0.0)
    spread = frame.max(axis=1) - frame.min(axis=1)
    return frame.loc[spread[spread > 1e-6].sort_values(ascending=False, kind="stable").index]


def places_chart(plans: dict[str, Plan], dataset: Dataset) -> Picture:
    """MW by site and plan; None where all are alike."""
    frame = _megawatts(plans, dataset)
    if frame.empty:
        return None
    long = frame.rename_axis("site").reset_index().melt("site", var_name="plan", value_name="mw")
    base = alt.Chart(typed(long)).encode(
        x=alt.X("plan:N", sort=None, scale=alt.Scale(domain=list(plans)), axis=alt.Axis(title=None, labelAngle=0, orient="top")),
        y=alt.Y("site:N", sort=None, scale=alt.Scale(domain=list(frame.index)), axis=alt.Axis(title=None, labelLimit=220)),
        tooltip=[alt.Tooltip("site:N"), alt.Tooltip("plan:N"), alt.Tooltip("mw:Q", format=",.1f", title="MW")],
    )
    cells = base.mark_rect().encode(color=alt.Color("mw:Q", scale=alt.Scale(scheme="blues"), legend=alt.Legend(title="MW", orient="right")))
    dark = 0.55 * float(long["mw"].max())
    words = base.mark_text(fontSize=10.5).encode(
        text=alt.Text("mw:Q", format=",.0f" if long["mw"].max() >= 10 else ",.2~r"),
        color=alt.condition(f"datum.mw > {dark:.6g}", alt.value("white"), alt.value(INK)),
    )
    return alt.layer(cells, words).properties(width=WIDTH, height=ROW * len(frame) + 24, autosize=FIT)


def places_table(plans: dict[str, Plan], dataset: Dataset) -> str:
    """The same as a table."""
    frame = _megawatts(plans, dataset).rename_axis("site").reset_index()
    return table(frame, {"site": key("site"), **{name: number(f"{name}, MW", lambda v: f"{v:,.1f}") for name in plans}})


def decided_table(plans: dict[str, Plan]) -> str:
    """Yes-or-no decisions that not all plans decide the same way."""
    told = {name: answers(decisions_of(made)) for name, made in plans.items()}
    questions = dict.fromkeys(question for found in told.values() for question in found if question.kind != INSTALL)
    rows = []
    for question in questions:
        own = [found.get(question, NOT[question.kind]) for found in told.values()]
        if len(set(own)) > 1:
            rows.append((ACTIONS[question.kind], question.id, *own))
    columns = {"what": Col("decision"), "id": key("which"), **{name: key(name) for name in plans}}
    return table(pd.DataFrame(rows, columns=list(columns)), columns)

"""What changed from a baseline: the NPV bridge, key figures, moves, limits that became tight or slack."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from html import escape
from typing import Any

import altair as alt
import pandas as pd

from batch.baseline import Baseline
from batch.report.draw import BLUE, FIT, GREEN, GREY, INK, ORANGE, WIDTH, Picture, typed
from batch.report.site_map import limit_name
from batch.report.tables import ACTIONS, Col, key, note, number, table
from batch.units import unit
from optimizer.explain.difference import Delta
from optimizer.explain.moves import Spot
from optimizer.kpis import KPIS

MOST = 15
"""Rows of a list of moves; the workbook has all of them."""
MOST_SENTENCES = 24
WITHIN = "within solver tolerance"
ROUNDING = 1e-6
"""Share of the largest difference of a term below which one is no step of the bridge."""
BAR = 21
"""Height of a bar, pixels."""


def mark(delta: Delta) -> str:
    """Whether two better plans might not show a difference."""
    return WITHIN if delta.within_tolerance and delta.difference else ""


def words(term: str) -> str:
    """A term of NPV as people write it."""
    return term.replace("_", " ")


def summary(baseline: Baseline, money: Any) -> str:
    """In a sentence: by how much NPV differs, and what is proven of it.

    Args:
        baseline: the plan compared with.
        money: dollars to text.
    """
    npv, d = baseline.npv, baseline.difference
    text = f"From the baseline, an NPV of {money(npv.before)}, to this plan, {money(npv.after)}: a difference of {money(npv.difference)}."
    if d is None:
        return text + " The dataset of the baseline is not known, so inputs, moves and limits are not compared."
    if d.tolerance_usd is not None and d.best_least_usd is not None and d.best_most_usd is not None:
        text += f" The two gaps leave {money(d.tolerance_usd)} open"
        text += f", proven: the best plans of the two datasets differ by {money(d.best_least_usd)} to {money(d.best_most_usd)}."
        text += f' What is no larger is marked "{WITHIN}": two better plans might not show it.'
    return text


def inputs(baseline: Baseline) -> str:
    """What changed of the inputs, in words; empty without the baseline's dataset."""
    if baseline.difference is None:
        return ""
    found = baseline.difference.sentences
    if not found:
        return note("None: both plans are of the same dataset.")
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in found[:MOST_SENTENCES])
    more = note(f"and {len(found) - MOST_SENTENCES} more") if len(found) > MOST_SENTENCES else ""
    return f'<ul class="list">{items}</ul>{more}'


def bridge(baseline: Baseline) -> Picture:
    """NPV of the baseline, what each term adds or takes, NPV of the plan; None where no term differs.

    Both ends are marks and not bars, since the axis need not begin at 0.
    """
    least = ROUNDING * max((abs(t.difference) for t in baseline.terms), default=0.0)
    steps = sorted((t for t in baseline.terms if abs(t.difference) > least), key=lambda t: -t.difference)
    if not steps:
        return None
    rows, at = [("baseline", baseline.npv.before, baseline.npv.before, baseline.npv.before, "NPV", "")], baseline.npv.before
    for t in steps:
        rows.append((words(t.name), at, at + t.difference, t.difference, "gain" if t.difference > 0 else "loss", mark(t)))
        at += t.difference
    rows.append(("plan", baseline.npv.after, baseline.npv.after, baseline.npv.after, "NPV", ""))
    size, usd = unit([value for row in rows for value in row[1:3]], "USD")
    small, small_usd = unit([row[3] for row in rows[1:-1]], "USD")
    frame = pd.DataFrame(rows, columns=["term", "from", "to", "change", "kind", "mark"])
    frame["label"] = [
        f"{change / size:,.3f} {usd}" if kind == "NPV" else f"{change / small:+,.2f} {small_usd}{'*' if within else ''}"
        for change, kind, within in zip(frame["change"], frame["kind"], frame["mark"], strict=True)
    ]
    frame[["from", "to"]] /= size
    frame["right"] = frame[["from", "to"]].max(axis=1)
    frame["sure"] = [0.45 if within else 1.0 for within in frame["mark"]]
    low, high = float(frame[["from", "to"]].min().min()), float(frame["right"].max())
    room = (high - low) or abs(high) or 1.0
    x = alt.Scale(domain=[low - 0.03 * room, high + 0.2 * room], nice=False, zero=False)
    y = alt.Y("term:N", scale=alt.Scale(domain=frame["term"].tolist(), paddingInner=0.2), title=None, axis=alt.Axis(labelLimit=170))
    base = alt.Chart(typed(frame)).encode(y=y)
    colour = alt.Color("kind:N", scale=alt.Scale(domain=["gain", "loss", "NPV"], range=[GREEN, ORANGE, BLUE]), legend=None)
    tooltip = [alt.Tooltip("term:N"), alt.Tooltip("label:N", title="adds"), alt.Tooltip("mark:N", title=" ")]
    bars = (
        base.mark_bar()
        .transform_filter("datum.kind != 'NPV'")
        .encode(
            x=alt.X("from:Q", scale=x, axis=alt.Axis(title=f"NPV, {usd}, discounted", tickCount=8)),
            x2="to:Q", color=colour, opacity=alt.Opacity("sure:Q", scale=None, legend=None), tooltip=tooltip,
        )
    )  # fmt: skip
    ends = (
        base.mark_tick(thickness=4, size=BAR, opacity=1)
        .transform_filter("datum.kind == 'NPV'")
        .encode(x=alt.X("from:Q", scale=x), color=colour, tooltip=tooltip)
    )
    figures = base.mark_text(align="left", dx=6, fontSize=10.5, color=INK).encode(x=alt.X("right:Q", scale=x), text="label:N")
    return alt.layer(bars, ends, figures).properties(width=WIDTH, height=BAR * len(frame), autosize=FIT)


def terms_table(baseline: Baseline) -> str:
    """The bridge as a table."""
    deltas = [*(t for t in baseline.terms if t.before or t.after), baseline.npv]
    size, usd = unit([value for d in deltas for value in (d.before, d.after)], "USD")
    rows = [("NPV" if d.name == "npv_usd" else words(d.name), *_cells(d, size, "USD")) for d in deltas]
    return _compared(rows, f"term, {usd}")


def figures_table(baseline: Baseline) -> str:
    """Key figures of both plans; empty without the baseline's dataset."""
    if baseline.difference is None:
        return ""
    rows = []
    for d in baseline.difference.kpis:
        meaning, of = KPIS.get(d.name, (words(d.name), "number"))
        size, shown = unit([d.before, d.after], of) if of == "USD" else (1.0, of)
        name = meaning if of in ("number", "share", "racks", "GPUs") else f"{meaning}, {shown}"
        rows.append((name, *_cells(d, size, of)))
    return _compared(rows, "figure")


def _compared(rows: Sequence[Sequence[str]], title: str) -> str:
    frame = pd.DataFrame(rows, columns=["name", "before", "after", "difference", "mark"])
    columns = {"before": "baseline", "after": "plan", "difference": "difference"}
    return table(frame, {"name": Col(title), **{name: number(head, str) for name, head in columns.items()}, "mark": Col("")})


def _cells(d: Delta, size: float, of: str) -> tuple[str, str, str, str]:
    """Both figures, their difference in the same digits, and the mark; a difference that rounds to nothing is 0 and has none."""
    if of == "share":
        shown = f"{d.before:.2%}", f"{d.after:.2%}", f"{d.difference:+.2%}"
    else:
        whole = size == 1.0 and all(abs(v) >= 1000 or float(v).is_integer() for v in (d.before, d.after))
        digits = 0 if whole else 2
        shown = f"{d.before / size:,.{digits}f}", f"{d.after / size:,.{digits}f}", f"{d.difference / size:+,.{digits}f}"
    return (*shown, mark(d)) if re.search("[1-9]", shown[2]) else (*shown[:2], "0", "")


def load_by_site(baseline: Baseline) -> Picture:
    """Mean critical IT load served to contracts at each site, plan less baseline; None where nothing moves."""
    d = baseline.difference
    if d is None or not d.contracts:
        return None
    sums: dict[str, float] = defaultdict(float)
    for move in d.contracts:
        sums[move.site_id] += move.mw_difference
    rows = sorted(((site, mw, "more" if mw > 0 else "less") for site, mw in sums.items() if abs(mw) > 1e-6), key=lambda row: -row[1])
    if not rows:
        return None
    frame = pd.DataFrame(rows, columns=["site", "mw", "kind"])
    frame["label"] = [f"{mw:+,.2f}" for mw in frame["mw"]]
    low, high = min(0.0, float(frame["mw"].min())), max(0.0, float(frame["mw"].max()))
    x = alt.Scale(domain=[low - 0.08 * (high - low), high + 0.08 * (high - low)], nice=False)
    base = alt.Chart(typed(frame)).encode(
        y=alt.Y("site:N", scale=alt.Scale(domain=frame["site"].tolist(), paddingInner=0.2), title=None, axis=alt.Axis(labelLimit=170))
    )
    bars = base.mark_bar().encode(
        x=alt.X("mw:Q", scale=x, axis=alt.Axis(title="critical IT load of GPUs delivered, mean over the horizon, MW, plan less baseline", tickCount=8)),
        color=alt.Color("kind:N", scale=alt.Scale(domain=["more", "less"], range=[BLUE, GREY]), legend=None),
        tooltip=[alt.Tooltip("site:N"), alt.Tooltip("mw:Q", format="+,.2f", title="MW")],
    )  # fmt: skip
    right = base.mark_text(align="left", dx=4, fontSize=10.5, color=INK).transform_filter("datum.mw > 0").encode(x="mw:Q", text="label:N")
    left = base.mark_text(align="right", dx=-4, fontSize=10.5, color=INK).transform_filter("datum.mw < 0").encode(x="mw:Q", text="label:N")
    return alt.layer(bars, right, left).properties(width=WIDTH, height=BAR * len(frame), autosize=FIT)


def _most(rows: Sequence[Sequence[Any]], columns: dict[str, Col]) -> str:
    """The first rows as a table, and how many there are."""
    shown = table(pd.DataFrame(list(rows[:MOST]), columns=list(columns)), columns)
    return shown + (
        note(f"The largest {MOST} of {len(rows)}; wattplan diff --json and wattplan export have all.") if len(rows) > MOST else ""
    )


def _megawatts(value: float) -> str:
    return f"{value:+,.1f}" if abs(value) >= 0.05 else ""


def _millions(value: float) -> str:
    return f"{value / 1e6:+,.2f}" if abs(value) >= 5e3 else ""


_NPV = number("NPV directly, million USD", _millions)
_DIFFERENCE = number("difference, MW", _megawatts)


def decisions_table(baseline: Baseline) -> str:
    """Decisions that differ, those with the most money first; empty without the baseline's dataset."""
    if baseline.difference is None:
        return ""
    rows = [
        (ACTIONS.get(m.what, m.what), m.id, m.kind.value, m.before or "", m.after or "", m.mw_difference, m.npv_usd)
        for m in baseline.difference.decisions
    ]
    return _most(rows, {"what": Col("decision"), "id": key("which"), "kind": Col("change"), "before": key("baseline"), "after": key("plan"), "mw": _DIFFERENCE, "npv": _NPV})  # fmt: skip


def racks_table(baseline: Baseline) -> str:
    """Racks that move, the largest first; empty without the baseline's dataset."""
    if baseline.difference is None:
        return ""
    rows = [(m.what, m.gen_id, m.kind.value, _spot(m.before), _spot(m.after), m.racks, m.mw, m.npv_usd) for m in baseline.difference.racks]
    columns = {
        "what": Col("racks"), "gen": key("generation"), "kind": Col("change"), "before": key("baseline"), "after": key("plan"),
        "racks": number("racks", lambda n: f"{n:,}"), "mw": number("MW", lambda mw: f"{mw:,.1f}"), "npv": _NPV,
    }  # fmt: skip
    return _most(rows, columns)


def _spot(spot: Spot | None) -> str:
    return "" if spot is None else f"{spot.site_id} {spot.period}"


def serving_table(baseline: Baseline) -> str:
    """Contracts that get more or less from a site, the largest first; empty without the baseline's dataset."""
    if baseline.difference is None:
        return ""
    rows = [
        (m.contract_id, m.site_id, m.kind.value, m.before_mw, m.after_mw, m.mw_difference, m.npv_usd) for m in baseline.difference.contracts
    ]
    mean = number("baseline, mean MW", lambda mw: f"{mw:,.1f}")
    columns = {
        "contract": key("contract"), "site": key("site"), "kind": Col("change"), "before": mean,
        "after": mean._replace(title="plan, mean MW"), "mw": _DIFFERENCE, "npv": _NPV,
    }  # fmt: skip
    return _most(rows, columns)


def limits_table(baseline: Baseline) -> str:
    """Limits that became tight or slack, those that changed in most periods first; empty without the baseline's dataset."""
    if baseline.difference is None:
        return ""
    rows = [(limit_name(m.limit), m.place, m.became_tight, m.became_slack, m.difference) for m in baseline.difference.limits]
    columns = {
        "limit": Col("limit"), "place": key("place"), "tight": key("became tight"), "slack": key("became slack"),
        "periods": number("periods", lambda n: f"{n:+d}" if n else "0"),
    }  # fmt: skip
    return _most(rows, columns)

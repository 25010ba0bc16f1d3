"""What one unit more of a limit is worth: the prices that ``wattplan prices --json`` writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import pandas as pd

from batch.report.draw import BLUE, FIT, GREY, INK, WIDTH, Picture, typed
from batch.report.site_map import limit_name
from batch.report.tables import Col, key, note, number, table
from batch.units import unit
from optimizer.explain.prices import Confirmation, Prices

MOST = 20
"""Rows of a list; the JSON file has all of them."""
BAR = 19
POWER: Final = "MW"
"""Unit of the limits that the picture compares."""
AGAIN, PRICE = "gained when solved again with it", "price only: it gains at most this"


def megawatts(prices: Prices) -> Picture:
    """What a megawatt more in every period brings, the highest first; None where none has a price.

    Where the model was solved again with that megawatt the bar is what it gained; elsewhere it is the price, which is never too low.
    """
    rows = []
    for t in prices.throughout:
        again = t.confirmation.resolved_usd if t.confirmation is not None else None
        if t.unit == POWER:
            rows.append(
                (f"{limit_name(t.name)}, {t.place or 'all'}", t.npv_usd if again is None else again, PRICE if again is None else AGAIN)
            )
    rows = sorted(rows, key=lambda row: (-row[1], row[0]))[:MOST]
    if not rows:
        return None
    size, usd = unit([row[1] for row in rows], "USD")
    frame = pd.DataFrame(rows, columns=["name", "usd", "kind"])
    frame["usd"] /= size
    frame["label"] = [f"{value:,.2f}" for value in frame["usd"]]
    base = alt.Chart(typed(frame)).encode(
        y=alt.Y("name:N", scale=alt.Scale(domain=frame["name"].tolist(), paddingInner=0.2), title=None, axis=alt.Axis(labelLimit=260)),
        x=alt.X("usd:Q", axis=alt.Axis(title=f"NPV of one MW more in every period, {usd}", tickCount=8)),
    )
    bars = base.mark_bar().encode(
        color=alt.Color(
            "kind:N",
            scale=alt.Scale(domain=[AGAIN, PRICE], range=[BLUE, GREY]),
            legend=alt.Legend(title=None, orient="top", labelLimit=400),
        ),
        tooltip=[
            alt.Tooltip("name:N", title="limit"),
            alt.Tooltip("usd:Q", format=",.3f", title=usd),
            alt.Tooltip("kind:N", title="this is"),
        ],
    )
    figures = base.mark_text(align="left", dx=4, fontSize=10.5, color=INK).encode(text="label:N")
    return alt.layer(bars, figures).properties(width=WIDTH, height=BAR * len(frame), autosize=FIT)


def _usd(amount: float | None) -> str:
    """USD with the digits that matter: small units have small prices."""
    if amount is None:
        return ""
    return f"{amount:,.0f}" if abs(amount) >= 10 or not amount else f"{amount:,.4f}"


_WORTH = number("worth, USD of NPV", _usd)
_CONFIRMED = {"again": number("solved again", str), "whole": number("with whole racks", str), "verdict": Col("")}


def _confirmed(c: Confirmation | None) -> tuple[Any, ...]:
    return ("", "", "") if c is None else (_usd(c.resolved_usd), _usd(c.whole_usd), c.verdict.value)


def _most(rows: Sequence[Sequence[Any]], columns: dict[str, Col]) -> str:
    shown = table(pd.DataFrame(list(rows[:MOST]), columns=list(columns)), columns)
    return shown + (note(f"The first {MOST} of {len(rows)}; the file of prices has all.") if len(rows) > MOST else "")


def throughout_table(prices: Prices) -> str:
    """One unit more in every period."""
    rows = [(limit_name(t.name), t.place or "all", t.unit, t.periods, t.npv_usd, *_confirmed(t.confirmation)) for t in prices.throughout]
    columns = {
        "limit": Col("limit"),
        "place": key("place"),
        "unit": Col("one more"),
        "periods": number("periods with a price", str),
        "usd": _WORTH,
        **_CONFIRMED,
    }
    return _most(rows, columns)


def once_table(prices: Prices) -> str:
    """One unit more in one period, the most valuable first; those that were solved again before all others."""
    found = sorted(prices.prices, key=lambda p: p.confirmation is None)
    rows = [(p.limit.words, p.limit.unit, p.npv_usd, p.period_usd, *_confirmed(p.confirmation), p.limit.table) for p in found]
    columns = {
        "limit": Col("limit"), "unit": Col("one more"), "usd": _WORTH, "then": number("in money of the period, USD", _usd), **_CONFIRMED,
        "table": Col("stands in"),
    }  # fmt: skip
    return _most(rows, columns)


def signing_table(prices: Prices) -> str:
    """At which price declined prospects would be signed; empty where none was asked for."""
    if not prices.signing:
        return ""

    def price(value: float | None) -> str:
        return "" if value is None or pd.isna(value) else f"{value:,.4f}"

    rows = [(s.contract_id, s.customer, s.offered_usd, s.estimate_usd, s.not_below_usd, s.enough_usd) for s in prices.signing]
    columns = {
        "contract": key("contract"), "customer": Col("customer"), "offered": number("offers, USD per GPU-hour", price),
        "estimate": number("signed from about", price), "lower": number("proven: declined below", price),
        "enough": number("proven: signed at", price),
    }  # fmt: skip
    return _most(rows, columns)

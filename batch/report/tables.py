"""Tables of the report as HTML; every text is escaped here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from html import escape
from typing import Any, NamedTuple

import pandas as pd

from batch.report.site_map import limit_name
from batch.units import unit
from models import tables as tb
from models.binding import BINDING_NAMES
from models.dataset import Dataset
from models.plan import Plan
from models.plan_views import binding_limits, contract_lateness, npv_by_term, racks_by_year


class Col(NamedTuple):
    """A column: its title, how its values are written, and how they stand.

    Attributes:
        title: head of the column.
        write: value to text.
        look: ``text`` may wrap anywhere; ``key`` wraps after commas only; ``number`` stands to the right.
    """

    title: str
    write: Callable[[Any], str] = str
    look: str = "text"


def key(title: str) -> Col:
    """Ids and periods, which are not broken."""
    return Col(title, str, "key")


def number(title: str, write: Callable[[Any], str]) -> Col:
    """Figures, which stand to the right."""
    return Col(title, write, "number")


ACTIONS = {
    "sign": "sign the contract",
    "decline": "decline the contract",
    "open": "open the site",
    "build": "energize the block",
    "retrofit": "order the retrofit",
}


def note(text: str) -> str:
    """A line of small print."""
    return f'<p class="note">{escape(text)}</p>'


def table(frame: pd.DataFrame, columns: Mapping[str, Col]) -> str:
    """A table of the frame's columns that are named."""
    if frame.empty:
        return note("None.")
    head = "".join(f"<th{' class=n' if col.look == 'number' else ''}>{escape(col.title)}</th>" for col in columns.values())
    body = "".join(
        "<tr>" + "".join(_cell(col, value) for col, value in zip(columns.values(), row, strict=True)) + "</tr>"
        for row in frame[list(columns)].itertuples(index=False)
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(col: Col, value: Any) -> str:
    text = col.write(value)
    if col.look == "key":
        return "<td>" + ", ".join(f"<span class=k>{escape(part)}</span>" for part in text.split(", ")) + "</td>"
    return f"<td{' class=n' if col.look == 'number' else ''}>{escape(text)}</td>"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _some(value: float) -> str:
    """A whole number; nothing for 0, so that what there is stands out."""
    return f"{value:,.0f}" if value > 0 else ""


def _megawatts(value: float) -> str:
    return f"{value:,.1f}" if value > 0 else ""


def _money(values: pd.Series, title: str) -> Col:
    """A column of money in the unit that suits its largest; nothing for what rounds to 0."""
    size, usd = unit(values, "USD")
    return number(f"{title}, {usd}", lambda value: f"{value / size:,.2f}" if value / size >= 0.005 else "")


def percent(value: float) -> str:
    """A share in per cent; what is not all of it never reads 100. Nothing for NaN."""
    text = "" if math.isnan(value) else f"{value:.1%}"
    return "99.9%" if text == "100.0%" and value < 1 else text


def binding_table(plan: Plan, dataset: Dataset) -> str:
    """Sites by how often their limits bind, a column per limit that binds somewhere: when it does."""
    found = binding_limits(plan)
    if found.empty:
        return note("No limit of a site binds.")
    sites = [row.site_id for row in dataset.rows(tb.Site)]
    limits = [name for name in BINDING_NAMES if (found["limit"] == name).any()]
    total = found.groupby("site_id")["count"].sum()
    order = sorted(total.index, key=lambda site: (-int(total[site]), sites.index(site)))
    when = {(site, limit): periods for site, limit, periods in zip(found["site_id"], found["limit"], found["periods"], strict=True)}
    rows = [(site, *(when.get((site, limit), "") for limit in limits)) for site in order]
    frame = pd.DataFrame(rows, columns=["site", *limits])
    return table(frame, {"site": key("site"), **{limit: key(limit_name(limit)) for limit in limits}})


def terms_table(plan: Plan) -> str:
    """NPV term by term, discounted and not; terms that are 0 in both left out."""
    frame = npv_by_term(plan)
    frame = frame[(frame["npv_usd"] != 0) | (frame["cash_usd"] != 0)]
    sizes = unit([*frame["npv_usd"], *frame["cash_usd"]], "USD")
    frame = pd.concat(
        [frame, pd.DataFrame([("NPV", "sum of the terms", frame["npv_usd"].sum(), frame["cash_usd"].sum())], columns=frame.columns)]
    )
    return table(
        frame.assign(term=[name.replace("_", " ") for name in frame["term"]]),
        {
            "term": Col("term"), "meaning": Col("what it is"),
            "npv_usd": number(f"discounted, {sizes[1]}", lambda value: f"{value / sizes[0]:,.3f}"),
            "cash_usd": number(f"undiscounted, {sizes[1]}", lambda value: f"{value / sizes[0]:,.3f}"),
        },
    )  # fmt: skip


def contracts_table(plan: Plan, dataset: Dataset) -> str:
    """Every contract: what it is owed and gets, how late, what it brings."""
    frame = contract_lateness(plan, dataset)
    full = zip(frame["first_full"], frame["first_owed"], strict=True)
    frame["first_full"] = [done or ("never" if owed else "") for done, owed in full]
    frame["share_delivered"] = frame["share_delivered"].where(frame["first_owed"] != "")
    return table(
        frame,
        {
            "contract_id": key("contract"), "customer": Col("customer"), "status": key("status"),
            "most_owed_gpus": number("most owed, GPUs", _some), "first_owed": key("owed from"), "first_full": key("in full"),
            "periods_late": number("periods late", _some), "worst_short_gpus": number("most short, GPUs", _some), "worst_period": key("in"),
            "share_delivered": number("GPU-hours delivered", percent), "revenue_usd": _money(frame["revenue_usd"], "revenue"),
            "damages_usd": _money(frame["damages_usd"], "damages"),
        },
    )  # fmt: skip


def decisions_table(plan: Plan, dataset: Dataset) -> str:
    """Contracts signed or declined, sites opened, blocks energized, retrofits ordered, in order of time."""
    blocks = {row.block_id: row.site_id for row in dataset.rows(tb.PowerBlock)}
    sites = {row.site_id: row.name for row in dataset.rows(tb.Site)}
    customers = {row.contract_id: row.customer for row in dataset.rows(tb.Contract)}
    frame = plan.decisions.sort_values(["period", "kind", "id"], kind="stable")
    of_contract = frame["kind"].isin(["sign", "decline"])
    who = [
        customers.get(i, "") if contract else sites.get(blocks.get(i, i), "") for i, contract in zip(frame["id"], of_contract, strict=True)
    ]
    frame = frame.assign(who=who, action=frame["kind"].map(ACTIONS))
    return table(
        frame,
        {
            "period": key("period"), "action": Col("decision"), "id": key("which"), "who": Col("customer or site"),
            "mw": number("MW", _megawatts),
        },
    )  # fmt: skip


def racks_table(plan: Plan, dataset: Dataset) -> str:
    """Racks installed by generation, a column per year, with their GPUs and IT power."""
    built = racks_by_year(plan, dataset)
    years = sorted(built["year"].unique())
    rows: list[dict[str, Any]] = []
    for gen, own in built.groupby("gen_id", sort=False):
        by_year = dict(zip(own["year"].astype(str), own["racks"], strict=True))
        rows.append({"gen": gen, **by_year, "racks": own["racks"].sum(), "gpus": own["gpus"].sum(), "mw": own["it_mw"].sum()})
    order = {row.gen_id: at for at, row in enumerate(dataset.rows(tb.Generation))}
    rows.sort(key=lambda row: order[row["gen"]])
    return _by_year(
        rows,
        {"gen": key("generation")},
        years,
        {"racks": number("racks", _whole), "gpus": number("GPUs", _whole), "mw": number("IT MW", _megawatts)},
    )


def sites_table(plan: Plan, dataset: Dataset) -> str:
    """Racks installed by site, a column per year."""
    installed = plan.racks[plan.racks["installed"] > 0]
    installed = installed.assign(year=[str(label)[:4] for label in installed["period"]])
    kw = {row.gen_id: row.rack_kw for row in dataset.rows(tb.Generation)}
    years = sorted(installed["year"].unique())
    rows: list[dict[str, Any]] = []
    for site in dataset.rows(tb.Site):
        own = installed[installed["site_id"] == site.site_id]
        if len(own):
            mw = sum(racks * kw[gen] / 1000.0 for gen, racks in zip(own["gen_id"], own["installed"], strict=True))
            by_year = {str(year): int(racks) for year, racks in own.groupby("year")["installed"].sum().items()}
            rows.append({"site": site.site_id, "name": site.name, **by_year, "racks": own["installed"].sum(), "mw": mw})
    return _by_year(
        rows, {"site": key("site"), "name": Col("name")}, years, {"racks": number("racks", _whole), "mw": number("IT MW", _megawatts)}
    )


def _by_year(rows: list[dict[str, Any]], names: Mapping[str, Col], years: list[Any], totals: Mapping[str, Col]) -> str:
    """A row per record, a column per year, totals at the end and at the foot."""
    labels = [str(year) for year in years]
    if rows:
        rows = [
            *rows,
            {
                **dict.fromkeys(names, ""),
                next(iter(names)): "all",
                **{label: sum(row.get(label, 0) for row in rows) for label in (*labels, *totals)},
            },
        ]
    frame = pd.DataFrame(rows)
    for label in labels:
        frame[label] = frame[label].fillna(0)
    return table(frame, {**names, **{label: number(label, _some) for label in labels}, **totals})

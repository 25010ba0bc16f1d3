"""The report's page: headline, pictures and tables in one file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import vl_convert

from batch.report import charts
from batch.report.style import STYLE
from models.dataset import Dataset
from models.files.atomic import write_bytes
from models.plan import Plan
from models.plan_views import (
    Comparison,
    binding_limits,
    compare,
    contract_lateness,
    decisions_by_year,
    headline,
    racks_by_year,
)

TABLES = ("binding", "contracts", "build")
"""Sections without a picture."""
Format = Callable[[Any], str]


def write_report(plan: Plan, dataset: Dataset, path: Path, *, baseline: Plan | None = None) -> None:
    """Write the report of a plan.

    Args:
        plan: the plan.
        dataset: the dataset that it was made for.
        path: file to write; replaced once the report is complete.
        baseline: a plan to compare with.

    Raises:
        StorageError: the file can't be written.
    """
    write_bytes(path, report_html(plan, dataset, baseline).encode("utf-8"))


def report_html(plan: Plan, dataset: Dataset, baseline: Plan | None = None) -> str:
    """The report as HTML that loads nothing from elsewhere."""
    comparison = compare(plan, baseline) if baseline is not None else None
    sections = _sections(plan, dataset, comparison)
    specs = {key: chart.to_dict() for key, _, chart, _ in sections if chart is not None}
    body = "\n".join(_section(key, title, chart is not None, text) for key, title, chart, text in sections)
    name = escape(dataset.name)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Plan of {name}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style>\n<script>{_bundle()}</script>\n</head>\n<body>\n<main>\n"
        f"<h1>Plan of {name}</h1>\n{_head(plan, dataset, comparison)}\n{_contents(sections)}\n{body}\n</main>\n"
        f"<script>const charts = {_data(specs)};\n{_EMBED}</script>\n</body>\n</html>\n"
    )


_EMBED = """
const options = {actions: false, renderer: "svg", tooltip: {theme: "light"}};
for (const [key, spec] of Object.entries(charts)) {
  vegaEmbed("#" + key, spec, options).then(
    () => document.getElementById(key).classList.add("drawn"),
    (error) => { document.getElementById(key).textContent = "This picture can't be drawn: " + error; console.error(error); });
}
"""


def _bundle() -> str:
    """Vega, Vega-Lite and their embedding as one script that does not end its own element."""
    bundle: Any = vl_convert.javascript_bundle
    return str(bundle()).replace("</script", "<\\/script")


def _data(value: Any) -> str:
    """JSON in which no name of the dataset can open or end an element."""
    return json.dumps(value).replace("<", "\\u003c")


def _sections(plan: Plan, dataset: Dataset, comparison: Comparison | None) -> list[tuple[str, str, Any, str]]:
    """(key, title, chart or None, text) of each section."""
    return [
        (
            "map",
            "Sites",
            charts.site_map(plan, dataset),
            _note("Bubble: most planned IT power; colour: the limit that binds in most periods."),
        ),
        ("power", "Power against its limit", charts.power_of_all(plan, dataset), _note("Blue: provisioned racks; red: what may be used.")),
        ("it", "IT power by site", charts.heatmap(plan, dataset, "it_used_mw", "it_limit_mw"), ""),
        ("liquid", "Liquid cooling by site", charts.heatmap(plan, dataset, "liquid_used_mw", "liquid_limit_mw"), ""),
        ("air", "Air cooling by site", charts.heatmap(plan, dataset, "air_used_mw", "air_limit_mw"), ""),
        ("binding", "What binds", None, _binding(plan)),
        (
            "deliveries",
            "Delivered against owed",
            charts.deliveries(plan, dataset),
            _note("Bars: delivered; red: owed; thousand contract GPUs."),
        ),
        ("contracts", "Contracts", None, _contracts(plan, dataset)),
        ("generations", "Racks by generation", charts.generations(plan, dataset), ""),
        ("build", "What is built, year by year", None, _build(plan, dataset)),
        ("bridge", "NPV bridge", charts.bridge(plan, comparison), ""),
        (
            "cash",
            "Cash",
            charts.cash(plan, dataset),
            _note("Bars: cash of the period, undiscounted; the residual value stands in the last."),
        ),
        ("energy", "Energy and carbon", charts.energy(plan, dataset), ""),
        ("search", "The search", charts.search(plan), _note("The plan is the best one known; no plan can be above the bound.")),
    ]


def _section(key: str, title: str, drawn: bool, text: str) -> str:
    pictured = key not in TABLES
    chart = f'<div class="chart" id="{key}"></div>' if drawn else ""
    text = text if drawn or not pictured else _note("Nothing to show.")
    return f'<section id="section-{key}"><h2>{escape(title)}</h2>{chart}{text}</section>'


def _contents(sections: Sequence[tuple[str, str, Any, str]]) -> str:
    return "<nav>" + " · ".join(f'<a href="#section-{key}">{escape(title)}</a>' for key, title, _, _ in sections) + "</nav>"


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def money(usd: float | None) -> str:
    """Dollars in the unit that suits their size."""
    if usd is None:
        return "unknown"
    for size, unit in ((1e9, "billion"), (1e6, "million")):
        if abs(usd) >= size:
            return f"{usd / size:,.2f} {unit} USD"
    return f"{usd:,.0f} USD"


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2%}"


def _head(plan: Plan, dataset: Dataset, comparison: Comparison | None) -> str:
    """Key figures as cards."""
    h, summary = headline(plan, dataset), plan.summary
    audit = "not audited" if h.audit_passed is None else ("passed" if h.audit_passed else "failed")
    cards = [
        ("NPV", money(h.npv_usd), f"bound {money(h.bound_usd)}"),
        ("proven gap", _share(h.gap), f"asked {h.gap_requested:.2%}; certified from duals {_share(h.gap_certified)}"),
        ("status", h.status.value.replace("_", " "), f"ended by {h.stop_reason.value.replace('_', ' ')} after {h.seconds:.0f} s"),
        ("audit", audit, f"largest scaled violation {h.worst_violation:.1e}" if h.worst_violation is not None else ""),
        ("contracts", f"{h.contracts_in_force} in force", f"{h.contracts_late} late in some period; {h.prospects_signed} prospects signed, {h.prospects_declined} declined"),
        ("firm GPU-hours", f"{h.firm_share_delivered:.1%}", f"delivered of those owed; damages {money(h.damages_usd)}"),
        ("racks installed", f"{h.racks_installed:,}", f"capital {money(h.capital_usd)}, undiscounted"),
    ]  # fmt: skip
    if comparison is not None:
        cards.append(("uplift", money(comparison.uplift_usd), f"over the baseline of {money(comparison.baseline_npv_usd)}"))
    shown = "".join(f"<div class='card'><span>{escape(a)}</span><b>{escape(b)}</b><small>{escape(c)}</small></div>" for a, b, c in cards)
    origin = f"{summary.solver.name} {summary.solver.version}; content hash of the dataset {summary.dataset.sha256[:12]}"
    horizon = f"{dataset.settings.periods} periods from {dataset.settings.start}"
    return f"<div class='cards'>{shown}</div>{_note(f'{horizon}; {origin}.')}"


def _table(frame: pd.DataFrame, columns: Mapping[str, tuple[str, Format | None]]) -> str:
    """A table; columns with a format are numbers and stand to the right."""
    if frame.empty:
        return _note("None.")
    head = "".join(f"<th{'' if form is None else ' class=n'}>{escape(title)}</th>" for title, form in columns.values())
    rows = []
    for record in frame.to_dict("records"):
        cells = []
        for name, (_, form) in columns.items():
            value = record[name]
            cells.append(f"<td>{escape(str(value))}</td>" if form is None else f"<td class=n>{escape(form(value))}</td>")
        rows.append("<tr>" + "".join(cells) + "</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _whole(value: Any) -> str:
    return "" if isinstance(value, float) and math.isnan(value) else f"{value:,.0f}"


def _tenth(value: Any) -> str:
    return "" if isinstance(value, float) and math.isnan(value) else f"{value:,.1f}"


def _millions(value: Any) -> str:
    return f"{value / 1e6:,.1f}"


def _percent(value: Any) -> str:
    return f"{value:.1%}"


def _binding(plan: Plan) -> str:
    frame = binding_limits(plan)
    frame = frame.assign(limit=frame["limit"].str.replace("_", " "))
    return _table(
        frame.head(40), {"limit": ("limit", None), "site_id": ("site", None), "count": ("periods", _whole), "periods": ("when", None)}
    )


def _contracts(plan: Plan, dataset: Dataset) -> str:
    frame = contract_lateness(plan, dataset)
    return _table(
        frame,
        {
            "contract_id": ("contract", None), "customer": ("customer", None), "status": ("status", None),
            "first_owed": ("owed from", None), "first_full": ("in full", None), "periods_late": ("late, periods", _whole),
            "worst_short_gpus": ("most short, GPUs", _whole), "worst_period": ("in", None), "share_delivered": ("delivered", _percent),
            "revenue_usd": ("revenue, M USD", _millions), "damages_usd": ("damages, M USD", _millions),
        },
    )  # fmt: skip


def _build(plan: Plan, dataset: Dataset) -> str:
    racks = _table(
        racks_by_year(plan, dataset),
        {
            "year": ("year", str),
            "gen_id": ("generation", None),
            "racks": ("racks", _whole),
            "gpus": ("GPUs", _whole),
            "it_mw": ("IT MW", _tenth),
        },
    )
    decisions = _table(
        decisions_by_year(plan),
        {
            "year": ("year", str), "blocks": ("blocks", _whole), "block_mw": ("MW", _tenth), "retrofits": ("retrofits", _whole),
            "retrofit_mw": ("MW", _tenth), "sites_opened": ("sites opened", _whole), "contracts_signed": ("contracts signed", _whole), "ids": ("which", None),
        },
    )  # fmt: skip
    return f"<div class='two'><div>{racks}</div><div>{decisions}</div></div>"

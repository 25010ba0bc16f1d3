"""The report's page: headline, pictures and tables in one file."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import vl_convert

from batch.baseline import Baseline, compared
from batch.report import changed, tables, worth
from batch.report.cash import bridge, cash
from batch.report.delivered import deliveries
from batch.report.draw import Picture
from batch.report.energy import energy
from batch.report.power import grid_heatmap, power_by_site, power_of_all, site_heatmap
from batch.report.racks import generations
from batch.report.search import search
from batch.report.site_map import site_map
from batch.report.style import CHARTS, STYLE
from batch.report.tables import note, percent
from models.dataset import Dataset
from models.files.atomic import write_bytes
from models.plan import Plan
from models.plan_views import Headline, check_names, headline
from optimizer.explain.prices import Prices

DIGITS = 8
"""Significant digits of the figures behind the charts."""
EMBED = """
const options = {actions: false, renderer: "svg", tooltip: {theme: "light"}, config: page.config};
for (const [key, spec] of Object.entries(page.charts)) {
  const place = document.getElementById(key);
  vegaEmbed(place, spec, options).then(
    () => place.classList.add("drawn"),
    (error) => { place.textContent = "This picture can't be drawn: " + error; console.error(error); });
}
"""


def write_report(
    plan: Plan, dataset: Dataset, path: Path, *, baseline: Plan | None = None, baseline_dataset: Dataset | None = None,
    prices: Prices | None = None,
) -> None:  # fmt: skip
    """Write the report of a plan.

    Args:
        plan: the plan.
        dataset: the dataset that it was made for.
        path: file to write; replaced once the report is complete.
        baseline: a plan to compare with.
        baseline_dataset: the dataset of that plan; may be left out where it is the same. If it is another and left out, moves, limits and
            inputs are not compared.
        prices: what limits are worth at the plan.

    Raises:
        PlanError: a plan names sites, generations, contracts or periods that its dataset does not have.
        StorageError: the file can't be written.
    """
    page = report_html(plan, dataset, baseline, baseline_dataset=baseline_dataset, prices=prices)
    write_bytes(path, page.encode("utf-8"))


@dataclass(frozen=True)
class Part:
    """A chart or a table within a section.

    Attributes:
        title: shown above it; empty for none.
        chart: what Altair draws; None where there is nothing to draw, or for a table.
        html: the table.
    """

    title: str = ""
    chart: Picture = None
    html: str = ""


@dataclass(frozen=True)
class Section:
    """A section: its parts follow one another, or stand behind tabs (``tabbed``; on paper they follow one another)."""

    key: str
    title: str
    intro: str
    parts: Sequence[Part]
    tabbed: Sequence[Part] = ()

    def charts(self) -> dict[str, Picture]:
        """Charts by the id of their place in the page."""
        parts = (*self.parts, *self.tabbed)
        return {f"{self.key}-{n}": part.chart for n, part in enumerate(parts) if part.chart is not None}

    def html(self) -> str:
        """The section, with empty places for its charts."""
        body = [self._part(n, part) for n, part in enumerate(self.parts)]
        tabs = [(len(self.parts) + n, part) for n, part in enumerate(self.tabbed) if part.chart is not None]
        if tabs:
            body.append('<div class="tabs">')
            for n, part in tabs:
                checked = " checked" if n == tabs[0][0] else ""
                body.append(
                    f'<input type="radio" name="{self.key}" id="tab-{n}"{checked}><label for="tab-{n}">{escape(part.title)}</label>'
                )
            body += [f'<div class="panel">{self._part(n, part)}</div>' for n, part in tabs]
            body.append("</div>")
        text = "\n".join(filter(None, body)) or note("Nothing to show.")
        intro = note(self.intro) if self.intro else ""
        return f'<section id="section-{self.key}"><h2>{escape(self.title)}</h2>{intro}{text}</section>'

    def _part(self, n: int, part: Part) -> str:
        if part.chart is None and not part.html:
            return ""
        title = f"<h3>{escape(part.title)}</h3>" if part.title else ""
        return title + (part.html if part.chart is None else f'<div class="chart" id="{self.key}-{n}"></div>')


def report_html(
    plan: Plan, dataset: Dataset, baseline: Plan | None = None, *, baseline_dataset: Dataset | None = None, prices: Prices | None = None
) -> str:
    """The report as HTML that loads nothing.

    Arguments are those of :func:`write_report`.

    Raises:
        PlanError: a plan names sites, generations, contracts or periods that its dataset does not have.
    """
    check_names(plan, dataset)
    comparison = compared(plan, dataset, baseline, baseline_dataset)
    facts = headline(plan, dataset)
    sections = _sections(plan, dataset, facts)
    if comparison is not None:
        sections.insert(0, changed_section(comparison))
    if prices is not None:
        sections.insert(next(n for n, section in enumerate(sections) if section.key == "binding") + 1, worth_section(prices))
    return page_html(f"Plan of {dataset.name}", _head(plan, dataset, comparison, facts), sections)


def page_html(title: str, head: str, sections: Sequence[Section]) -> str:
    """A page of sections that loads nothing: its content policy names the hashes of its own two scripts and forbids the rest.

    Args:
        title: of the page, as text.
        head: what stands above the sections, as HTML.
        sections: with their charts.
    """
    specs = {key: chart.to_dict() for section in sections for key, chart in section.charts().items()}
    scripts = [_bundle(), f"const page = {_data({'config': CHARTS, 'charts': specs})};\n{EMBED}"]
    allowed = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {allowed} 'unsafe-eval'"
    name = escape(title)
    body = "\n".join(section.html() for section in sections)
    contents = " · ".join(f'<a href="#section-{section.key}">{escape(section.title)}</a>' for section in sections)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<title>{name}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style>\n<script>{scripts[0]}</script>\n</head>\n<body>\n<main>\n"
        f"<h1>{name}</h1>\n{head}\n<nav>{contents}</nav>\n{body}\n</main>\n"
        f"<script>{scripts[1]}</script>\n</body>\n</html>\n"
    )


@cache
def _bundle() -> str:
    """Vega, Vega-Lite and their embedding as one script that does not end its own element."""
    bundle: Any = vl_convert.javascript_bundle
    return str(bundle()).replace("\r\n", "\n").replace("\r", "\n").replace("</script", "<\\/script")


def _data(value: Any) -> str:
    """JSON in which no name of the dataset can open or end an element."""
    return json.dumps(_rounded(value), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value


def changed_section(baseline: Baseline) -> Section:
    """What changed from the baseline, if its dataset is known with inputs, moves and limits."""
    parts = [
        Part("Inputs", html=changed.inputs(baseline)),
        Part("NPV bridge (an axis that need not begin at 0; *, pale: within solver tolerance)", changed.bridge(baseline)),
        Part(html=changed.terms_table(baseline)),
        Part("Key figures", html=changed.figures_table(baseline)),
    ]
    if baseline.difference is not None:
        load = changed.load_by_site(baseline)
        parts += [
            Part("Decisions that differ", html=changed.decisions_table(baseline)),
            Part("Racks installed or retired elsewhere or at another time", html=changed.racks_table(baseline)),
            Part("Where contracts are served", load),
            Part("" if load is not None else "Where contracts are served", html=changed.serving_table(baseline)),
            Part("Limits that became tight or slack", html=changed.limits_table(baseline)),
        ]
    return Section("changed", "What changed", changed.summary(baseline, money), parts)


def worth_section(prices: Prices) -> Section:
    """What one unit more of each limit is worth."""
    parts = [
        Part("One MW more in every period", worth.megawatts(prices)),
        Part("One unit more in every period", html=worth.throughout_table(prices)),
        Part("One unit more once", html=worth.once_table(prices)),
        Part("Prices at which declined prospects would be signed, USD per GPU-hour", html=worth.signing_table(prices)),
    ]
    return Section("worth", "What a unit more is worth", prices.statement, parts)


def _sections(plan: Plan, dataset: Dataset, facts: Headline) -> list[Section]:
    heat = [
        Part("IT power", site_heatmap(plan, dataset, "it", "it_power")),
        Part("liquid cooling", site_heatmap(plan, dataset, "liquid", "liquid")),
        Part("air cooling", site_heatmap(plan, dataset, "air", "air")),
        Part("grid", grid_heatmap(plan, dataset)),
    ]
    build = (
        Part("Decisions", html=tables.decisions_table(plan, dataset)),
        Part("Racks installed, by generation and year", html=tables.racks_table(plan, dataset)),
        Part("Racks installed, by site and year", html=tables.sites_table(plan, dataset)),
    )
    return [
        Section("map", "Sites", "Each site at its largest planned IT load, in the colour of the limit that binds in most periods.", [Part(chart=site_map(plan, dataset))]),
        Section("power", "Power and cooling against their limits", "All sites together: critical IT load of racks provisioned (bars) and what may be used (red).", [Part(chart=power_of_all(plan, dataset))], heat),
        Section("sites", "IT power site by site", "", [Part(chart=power_by_site(plan, dataset))]),
        Section("binding", "What binds", "Periods in which less is left of a limit than one more rack would need.", [Part(html=tables.binding_table(plan, dataset))]),
        Section("deliveries", "Delivered against owed", "Average of each period; the scale of each contract is its own.", [Part(chart=deliveries(plan, dataset))]),
        Section("contracts", "Contracts", "Money is undiscounted; a contract is late in a period in which it gets less than it is owed.", [Part(html=tables.contracts_table(plan, dataset))]),
        Section("generations", "Racks by generation", "", [Part(chart=generations(plan, dataset))]),
        Section("build", "What is built", "", build),
        Section("bridge", "NPV bridge", "", [Part(chart=bridge(plan)), Part(html=tables.terms_table(plan))]),
        Section("cash", "Cash", "Above: cash of each period, undiscounted, the residual value in the last. Below: its discounted sum.", [Part(chart=cash(plan, dataset))]),
        Section("energy", "Energy and carbon", _energy_in_words(facts, plan), [Part(chart=energy(plan, dataset))]),
        Section("search", "The search", "No plan can be above the bound; the plan reported is the best one known at the end.", [Part(chart=search(plan))]),
    ]  # fmt: skip


def _energy_in_words(facts: Headline, plan: Plan) -> str:
    if facts.energy_mwh <= 0:
        return ""
    usd = float(plan.sites[["energy_usd", "demand_usd", "carbon_usd"]].to_numpy(float).sum())
    return (
        f"Over the horizon {facts.energy_mwh / 1e3:,.0f} GWh at {usd / facts.energy_mwh:,.2f} USD per MWh, demand charges and carbon included; "
        f"{facts.tco2:,.0f} t CO2 ({facts.tco2 / facts.energy_mwh * 1e3:,.0f} g per kWh); {facts.water_m3:,.0f} m3 of water."
    )


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


def cards_html(cards: Sequence[tuple[str, str, str]]) -> str:
    """Key figures: each with its name above it and a remark below."""
    shown = "".join(f"<div class='card'><span>{escape(a)}</span><b>{escape(b)}</b><small>{escape(c)}</small></div>" for a, b, c in cards)
    return f"<div class='cards'>{shown}</div>"


def _head(plan: Plan, dataset: Dataset, comparison: Baseline | None, h: Headline) -> str:
    """Key figures as cards."""
    summary = plan.summary
    audit = "not audited" if h.audit_passed is None else ("passed" if h.audit_passed else "failed")
    recomputed = f"; NPV recomputed {money(summary.audit.npv_recomputed_usd)}" if summary.audit is not None else ""
    cards = [
        ("NPV", money(h.npv_usd), f"no plan can be above {money(h.bound_usd)}"),
        ("proven gap", _share(h.gap), f"asked {h.gap_requested:.2%}; certified by dual values {_share(h.gap_certified)}"),
        ("status", h.status.value.replace("_", " "), f"ended by {h.stop_reason.value.replace('_', ' ')} after {h.seconds:,.0f} s"),
        ("audit", audit, f"largest violation {h.worst_violation:.1e}{recomputed}" if h.worst_violation is not None else ""),
        ("contracts", f"{h.contracts_in_force} in force", f"{h.contracts_late} late in some period; {h.prospects_signed} prospects signed, {h.prospects_declined} declined"),
        ("firm GPU-hours", percent(h.firm_share_delivered), f"delivered of those owed; damages on all contracts {money(h.damages_usd)}"),
        ("racks installed", f"{h.racks_installed:,}", f"capital {money(h.capital_usd)}, undiscounted"),
    ]  # fmt: skip
    if comparison is not None:
        cards.append(("uplift", money(comparison.npv.difference), f"over the baseline of {money(comparison.npv.before)}"))
    horizon = f"{dataset.calendar.labels[0]} to {dataset.calendar.labels[-1]}, {dataset.settings.periods} period{'s' if dataset.settings.periods > 1 else ''}"
    origin = f"{summary.solver.name} {summary.solver.version}; dataset {summary.dataset.name}, SHA-256 {summary.dataset.sha256}"
    return f"{cards_html(cards)}{note(f'{horizon}; {origin}.')}"

"""The report of a study: one HTML file that needs nothing beside it, robust decisions first."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from batch.decided import INSTALL
from batch.report.page import Part, Section, cards_html, money, page_html
from batch.report.tables import Col, key, note, number, table
from batch.study import pictures
from batch.study.findings import Findings
from batch.study.frames import axis_column
from batch.study.frontier import Front
from batch.study.results import PLANNED, RunStatus
from batch.study.robust import ROBUST, Robust
from batch.units import figure, unit
from models.study import Origin
from models.targets import MEASURES

MOST_RUNS = 500
"""Most rows of the table of runs; study.parquet has all."""
MOST_AXES = 8
"""Most axes that the table of runs has columns for."""
MOST_RACKS = 60
"""Most rows of the table of racks; robust.parquet has all."""
FRONTIER = (
    "The base plan's total is cut step by step and NPV maximised within it; nothing else changes. Orange: NPV of the best plan known. "
    "Grey: what no plan can exceed, which is proven. A limit costs at least what is proven and at most what the plan known costs."
)
ACTIONS = {
    "sign": "sign the contract", "open": "open the site", "build": "energize the block", "retrofit": "convert to liquid",
    INSTALL: "install racks",
}  # fmt: skip


def report_html(found: Findings) -> str:
    """The report as HTML."""
    return page_html(f"Study {found.asked.name}", _head(found), sections(found))


def sections(found: Findings) -> list[Section]:
    """Sections in the order of the report."""
    yes_no = [row for row in found.robust if row.question.kind != INSTALL]
    sure = [row for row in yes_no if row.robust]
    open_ = sorted((row for row in yes_no if not row.robust), key=lambda row: (row.due is None, row.due.period if row.due else ""))
    racks = [row for row in found.robust if row.question.kind == INSTALL]
    robust = Section(
        "robust", "Robust decisions", _robust_words(found, sure, yes_no),
        [
            Part("", pictures.robust_chart(found.robust)),
            Part("Decided the same way whatever comes, by when it must be", html=decisions_table(sure)),
            Part("Depends on what comes: decide late, or hedge", html=decisions_table(open_, depends=True)),
            Part("Racks to order, all sites together (blue: in every run; pale: in some; orange: the base plan)", pictures.orders_chart(found.orders, found.asked.dataset.calendar.labels)),
            Part("Racks by site, those in most runs first", html=racks_table(racks)),
        ],
    )  # fmt: skip
    spread = Section(
        "spread", "What NPV and lateness may be", _left_out(found),
        [
            Part("NPV", pictures.distribution(found, "npv_usd", "NPV", "USD")),
            Part("Contract GPUs short", pictures.distribution(found, "short_gpu_periods", "GPU-periods owed and not delivered", "GPU-periods")),
            Part("", html=spreads_table(found)),
        ],
    )  # fmt: skip
    moved = Section(
        "tornado", "What moves NPV most", "Each axis by itself: mean NPV of the runs at each of its levels, less the mean of all its runs. A scenario by name: its NPV less the base plan's.",
        [Part("", pictures.tornado_chart(found.tornado)), Part("Every level", html=effects_table(found))],
    )  # fmt: skip
    uncertain = any(scenario.origin.counts for scenario in found.asked.scenarios)
    found_sections = [robust, spread, moved] if uncertain else []
    if found.regrets is not None:
        found_sections.append(
            Section(
                "regrets", "Regrets", "Decisions of one run's plan under the scenarios of the others, as they are: regret is the best NPV known of a scenario less what these decisions earn there. "
                "Grey: they would break a limit there. Plans that differ most were tried.",
                [Part("", pictures.regret_chart(found.regrets)), Part("Plans, those that hold most often first", html=regrets_table(found))],
            )
        )  # fmt: skip
    if found.fronts:
        parts = [part for front in found.fronts for part in front_parts(front)]
        found_sections.append(Section("frontier", "What less of it costs", FRONTIER, parts))
    return [*found_sections, Section("runs", "Runs", "", [Part("", html=runs_table(found))])]


def _head(found: Findings) -> str:
    """Key figures as cards."""
    npv, short, damages = (found.spreads.get(name) for name in ("npv_usd", "short_gpu_periods", "damages_usd"))
    base, yes_no = found.asked.base_npv_usd, [row for row in found.robust if row.question.kind != INSTALL]
    statuses = ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in found.statuses.items())
    base_too = " (the base not counted)" if any(s.origin is Origin.BASE for s in found.asked.scenarios) else ""
    cards = [("runs", f"{found.ended:,} of {len(found.asked.scenarios):,}", statuses + base_too)]
    if npv is not None:
        cards.append(("mean NPV", money(npv.mean), f"{money(npv.mean - base)} against the base plan's {money(base)}"))
        cards.append(("NPV, worst 5 %", money(npv.cvar), f"CVaR 95 %; the lowest is {money(npv.lowest)}, the highest {money(npv.highest)}"))
    if short is not None:
        of = f"; damages {money(damages.mean)} in the mean" if damages is not None else ""
        cards.append(("GPU-periods late", f"{short.mean:,.0f}", f"in the mean; worst 5 % {short.cvar:,.0f}{of}"))
    if yes_no:
        robust = sum(row.robust for row in yes_no)
        cards.append(
            (
                "robust decisions",
                f"{robust} of {len(yes_no)}",
                f"contracts, sites, blocks and retrofits decided the same in {ROBUST:.0%} of the odds",
            )
        )
    if found.tornado:
        cards.append(("moves NPV most", found.tornado[0].axis, f"{money(found.tornado[0].span_usd)} between its levels"))
    a = found.asked
    horizon = f"{a.dataset.calendar.labels[0]} to {a.dataset.calendar.labels[-1]}"
    return cards_html(cards) + note(
        f"{horizon}; each run by {a.mode}, gap asked {a.gap:.2%}, at most {a.time_limit:g} s; dataset {a.dataset.name}, SHA-256 {a.dataset.sha256}."
    )


def _robust_words(found: Findings, sure: Sequence[Robust], yes_no: Sequence[Robust]) -> str:
    if not found.robust:
        return "No run made a plan of its own, so there is nothing to compare."
    return (
        f"{len(sure)} of {len(yes_no)} decisions about contracts, sites, blocks and retrofits are the same in at least {ROBUST:.0%} of the odds. "
        "Order by: a block its lead time before it is energized, a retrofit when it is ordered; the data give no lead time for racks, sites and contracts. "
        + found.uncounted
    )


def _left_out(found: Findings) -> str:
    left = {status: n for status, n in found.statuses.items() if status not in PLANNED}
    if not left:
        return "All runs count by their odds; the run without changes does not."
    words = ", ".join(f"{n} {RunStatus(status).value.replace('_', ' ')}" for status, n in left.items())
    return f"Runs count by their odds. Left out, because no NPV can be had: {words}."


def decisions_table(rows: Sequence[Robust], depends: bool = False) -> str:
    """Decisions with how often they are the same, and by when they must be made."""
    data = [
        (row.due.period if row.due else "", row.due.lead if row.due else "", ACTIONS[row.question.kind], row.question.id, row.base, row.common,
         f"{row.same_as_common} of {row.runs}", row.share_common, f"{row.same_as_base} of {row.runs}", row.depends_on)
        for row in rows
    ]  # fmt: skip
    columns = {
        "due": key("order by"), "lead": Col("lead time"), "what": Col("decision"), "id": key("which"), "base": key("base plan"), "common": key("most runs"),
        "same": number("runs alike", str), "share": number("by odds", lambda value: f"{value:.0%}"), "as_base": number("as the base", str),
        "depends": Col("least so at"),
    }  # fmt: skip
    frame = pd.DataFrame(data, columns=list(columns))
    return table(frame, columns if depends else {name: col for name, col in columns.items() if name != "depends"})


def racks_table(rows: Sequence[Robust]) -> str:
    """Racks by site, generation and period."""
    rows = sorted(rows, key=lambda row: (-row.at_least, row.question.period, row.question.id))
    data = [
        (row.question.period, *row.question.id.split("/"), row.base, row.common, f"{row.same_as_common} of {row.runs}", row.at_least, row.at_most, row.depends_on)
        for row in rows[:MOST_RACKS]
    ]  # fmt: skip
    columns = {
        "period": key("installed in"), "site": key("site"), "gen": key("generation"), "base": key("base plan"), "common": key("most runs"),
        "same": number("runs alike", str), "least": number("fewest", _count), "most": number("most", _count), "depends": Col("least so at"),
    }  # fmt: skip
    shown = table(pd.DataFrame(data, columns=list(columns)), columns)
    return shown + (note(f"The first {MOST_RACKS} of {len(rows)}; robust.parquet has all.") if len(rows) > MOST_RACKS else "")


def heading(front: Front) -> str:
    """What the frontier cuts."""
    words = MEASURES[front.measure][0]
    return f"{words[:1].upper()}{words[1:]}, {front.unit}"


def front_parts(front: Front) -> list[Part]:
    """A frontier's picture, where there is one, and its table."""
    chart = pictures.front_chart(front)
    figures = front_table(front)
    return [Part(heading(front), html=figures)] if chart is None else [Part(heading(front), chart), Part("", html=figures)]


def front_table(front: Front) -> str:
    """Points of a frontier, the base plan first."""
    size, name = unit([point.most for point in front.points], front.unit)
    columns = {
        "share": number("limit, of the base plan's", lambda value: f"{value:.4g}"), "most": number(f"limit, {name}", figure),
        "amount": number(f"of the plan, {name}", _figure), "npv": number("NPV, million USD", _figure),
        "cost": number("costs, million USD", _figure), "proven": number("at least, proven", _figure),
        "unit": number(f"per {front.unit.removesuffix('s')} less than before, USD", _figure), "status": Col("status"),
    }  # fmt: skip
    rows = [
        (p.share, p.most / size, p.amount / size, p.npv_usd / 1e6, p.cost_usd / 1e6, p.proven_usd / 1e6, p.usd_per_unit, p.status.replace("_", " ") or "base plan")
        for p in front.points
    ]  # fmt: skip
    return table(pd.DataFrame(rows, columns=list(columns)), columns)


def _count(value: float) -> str:
    return f"{value:,.0f}"


def spreads_table(found: Findings) -> str:
    """Mean, quantiles and CVaR of each figure."""
    titles = {
        "npv_usd": "NPV, million USD", "delta_usd": "NPV less the base plan's, million USD", "short_gpu_periods": "GPU-periods late",
        "damages_usd": "damages, undiscounted million USD",
    }  # fmt: skip
    data = []
    for name, spread in found.spreads.items():
        size = 1e6 if name.endswith("_usd") else 1.0
        figures = (spread.mean, spread.deviation, spread.lowest, *spread.quantiles.values(), spread.highest, spread.cvar)
        data.append((titles[name], *(value / size for value in figures)))
    names = ["mean", "deviation", "lowest", *(f"{q:.0%}" for q in (0.05, 0.25, 0.5, 0.75, 0.95)), "highest", "CVaR 95 %"]
    columns = {"figure": Col("figure"), **{name: number(name, figure) for name in names}}
    return table(pd.DataFrame(data, columns=list(columns)), columns)


def effects_table(found: Findings) -> str:
    """Every level with its runs and mean NPV."""
    data = [(e.axis, e.level, e.runs, e.without, e.mean_npv_usd / 1e6, e.effect_usd / 1e6) for e in found.effects]
    columns = {
        "axis": Col("axis or scenario"), "level": Col("level"), "runs": number("runs", str), "without": number("without NPV", lambda n: str(n) if n else ""),
        "npv": number("mean NPV, million USD", _figure), "effect": number("effect", _signed),
    }  # fmt: skip
    return table(pd.DataFrame(data[:MOST_RUNS], columns=list(columns)), columns)


def _figure(value: float) -> str:
    return "" if math.isnan(value) else figure(value)


def _signed(value: float) -> str:
    return "" if math.isnan(value) else figure(value, signed=True)


def regrets_table(found: Findings) -> str:
    """Plans with their regrets."""
    if found.regrets is None:
        return ""
    frame = found.regrets.plan_rows()
    frame = frame.assign(mean=frame["mean_regret_usd"] / 1e6, most=frame["max_regret_usd"] / 1e6)
    columns = {
        "plan": Col("plan of"), "holds": number("scenarios where it holds", str), "broken": number("where it breaks a limit", str),
        "mean": number("mean regret, million USD", _figure), "most": number("largest", _figure),
    }  # fmt: skip
    return table(frame, columns)


def runs_table(found: Findings) -> str:
    """Runs, the lowest NPV first."""
    runs = found.runs.sort_values(["npv_usd"], kind="stable", na_position="first").head(MOST_RUNS)
    axes = {axis_column(axis): Col(axis, lambda value: "" if pd.isna(value) else str(value)) for axis in found.asked.axes}
    axes = axes if len(axes) <= MOST_AXES else {}
    gridded = (runs["origin"] == Origin.GRID) & bool(axes)
    frame = runs.assign(
        name=runs["scenario"].where(~gridded, "grid"), npv=runs["npv_usd"] / 1e6, delta=runs["delta_usd"] / 1e6,
        gap_=runs["gap"], damages=runs["damages_usd"] / 1e6, capex=runs["capex_usd"] / 1e6,
    )  # fmt: skip
    columns = {
        "run": number("run", str), "name": Col("scenario"), **axes, "status": Col("status", lambda value: str(value).replace("_", " ")),
        "npv": number("NPV, million USD", _figure), "delta": number("less the base plan's", _signed),
        "gap_": number("gap", lambda value: "" if math.isnan(value) else f"{value:.2%}"), "short_gpu_periods": number("GPU-periods late", _count_or_none),
        "damages": number("damages", _figure), "gpus_installed": number("GPUs", _count_or_none), "capex": number("capital", _figure),
        "seconds": number("s", _figure), "detail": Col("why no plan", lambda value: "" if pd.isna(value) else str(value)[:200]),
    }  # fmt: skip
    if not (runs["detail"].fillna("") != "").any():
        del columns["detail"]
    shown = table(frame, columns)
    return shown + (
        note(f"The {MOST_RUNS} with the lowest NPV of {len(found.runs)}; study.parquet has all.") if len(found.runs) > MOST_RUNS else ""
    )


def _count_or_none(value: float) -> str:
    return "" if math.isnan(value) else f"{value:,.0f}"

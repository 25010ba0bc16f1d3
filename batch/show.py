"""A plan in the terminal: what it is worth, how good it is proven to be, who is served late, what binds, what is built."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.box import Box
from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from batch.progress import percent
from models.binding import BINDING_NAMES
from models.dataset import Dataset
from models.plan import Plan
from models.plan_views import (
    Headline,
    binding_limits,
    contract_lateness,
    decisions_by_year,
    headline,
    limits_that_bind_most,
    npv_by_term,
    racks_by_year,
    sites,
)

LEAST_WIDTH, MOST_WIDTH = 80, 140
MOST_LATE = 5
"""Late contracts that the headline names."""
_RULE = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
"""A rule below the heads and nothing else, the same on every terminal and in files."""
_GAP = 2
_SMALLEST_CELL = 8


def render_plan(plan: Plan, dataset: Dataset | None = None, console: Console | None = None) -> str:
    """A plan as text for a person; with colours if the console is a terminal, without any escape if not.

    Args:
        plan: the plan.
        dataset: of the plan, for names of sites, GPUs and megawatts.
        console: where it will be shown, for width and colours; by default standard output.

    Returns:
        Lines of at most the console's width, which counts as 80 to 140 columns. All but names of the dataset is ASCII.

    Raises:
        PlanError: the plan has a generation that the dataset does not have.
    """
    console = console if console is not None else Console()
    width = min(max(console.width, LEAST_WIDTH), MOST_WIDTH)
    page = _page(plan, dataset, width)
    with console.capture() as captured:
        console.print(page, width=width, highlight=False, markup=False, emoji=False)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    return "\n".join(lines).strip("\n").encode(console.encoding, "replace").decode(console.encoding)


def headline_lines(plan: Plan, dataset: Dataset | None = None) -> list[str]:
    """NPV, bound, gap, late contracts and the five limits that bind most, in lines of at most 80 columns.

    Args:
        plan: the plan.
        dataset: of the plan.

    Raises:
        PlanError: the plan has a generation that the dataset does not have.
    """
    h, contracts = headline(plan, dataset), contract_lateness(plan, dataset)
    facts = [*_proof(h, _money(plan)), ("contracts", _contracts_in_words(h))]
    lines = [line for name, text in facts for line in _fact(name, text)]
    late = _worst_first(contracts[contracts["periods_late"] > 0])
    lines += [f"  {line}" for row in late.head(MOST_LATE).to_dict("records") for line in _wrapped(_late_in_words(row), LEAST_WIDTH - 2)]
    if len(late) > MOST_LATE:
        lines.append(f"  and {len(late) - MOST_LATE} more")
    most = limits_that_bind_most(plan)
    lines += _fact("limits", "that bind most, in site-periods:" if len(most) else "none binds")
    for row in most.to_dict("records"):
        text = f"{_named(row['limit'])} at {_clean(row['site_id'])}: {row['count']} ({row['periods']})"
        lines += [f"  {line}" for line in _wrapped(text, LEAST_WIDTH - 2)]
    return lines


# figures in words ------------------------------------------------------------------------------

Money = Callable[[float | None], str]


def _money(plan: Plan) -> Money:
    """USD in millions; three decimals if all of the plan's figures are below 100 million."""
    figures = [plan.summary.npv_usd or 0.0, *plan.summary.npv_terms.values()]
    decimals = 1 if max(map(abs, figures)) >= 1e8 else 3

    def money(usd: float | None) -> str:
        return "not known" if usd is None else f"{usd / 1e6 + 0.0:,.{decimals}f}"

    return money


def _proof(h: Headline, money: Money) -> list[tuple[str, str]]:
    """NPV, what is proven of it, and how the search ended."""
    facts = [("NPV", f"{money(h.npv_usd)} million USD"), ("bound", _bound(h.bound_usd, h.gap, money, "of branch and bound"))]
    facts.append(("certified", _bound(h.bound_certified_usd, h.gap_certified, money, "confirmed from duals alone")))
    asked = f"gap asked {percent(h.gap_requested)}"
    facts.append(("status", f"{_named(h.status.value)} ({asked}); ended by {_named(h.stop_reason.value)} after {h.seconds:,.1f} s"))
    return [*facts, ("audit", _audit(h))]


def _bound(bound: float | None, gap: float | None, money: Money, how: str) -> str:
    if bound is None:
        return "not known"
    return f"{money(bound)} million USD, gap {percent(gap)}, {how}"


def _audit(h: Headline) -> str:
    if h.audit_passed is None:
        return "none"
    worst = f", largest violation {h.worst_violation:.1e}" if h.worst_violation is not None else ""
    return ("passed" if h.audit_passed else "FAILED") + worst


def _contracts_in_words(h: Headline) -> str:
    text = f"{h.contracts_in_force} in force, {h.contracts_late} late in some period; firm GPU-hours delivered {_share(h.firm_share_delivered)}"
    if h.prospects_signed or h.prospects_declined:
        text += f"; prospects: {h.prospects_signed} signed, {h.prospects_declined} declined"
    return text


def _late_in_words(row: Mapping[Hashable, Any]) -> str:
    full = f"in full from {row['first_full']}" if row["first_full"] else "never in full"
    worst = f"at worst {row['worst_short_gpus']:,.0f} GPUs short in {row['worst_period']}"
    return f"{_clean(str(row['contract_id']))}: owed from {row['first_owed']}, {full}, {worst}, late in {row['periods_late']} periods"


def _worst_first(contracts: pd.DataFrame) -> pd.DataFrame:
    """By damages, then by GPUs short; declined prospects last."""
    by = contracts.assign(served=contracts["status"] != "declined")
    return by.sort_values(["served", "damages_usd", "short_gpu_periods"], ascending=False, kind="stable").drop(columns="served")


def _share(share: float) -> str:
    """A share in per cent; what is not all of it never reads 100."""
    text = f"{100 * share:.1f} %"
    return text if share >= 1 or text != "100.0 %" else "99.9 %"


def _number(value: float, decimals: int = 0) -> str:
    return "-" if math.isnan(value) else f"{value:,.{decimals}f}"


def _named(name: str) -> str:
    return _clean(name).replace("_", " ")


def _clean(text: str) -> str:
    """Text without characters that a terminal would obey."""
    return "".join(mark if mark.isprintable() else "?" for mark in text)


def _fact(name: str, text: str, width: int = LEAST_WIDTH) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=f"{name:<11}", subsequent_indent=" " * 11)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent="  ")


# page ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Head:
    """A column of a table: its head, where its cells stand, and whether long cells are cut to make it narrower."""

    name: str
    right: bool = True
    narrow: bool = False
    wrap: bool = False


def _page(plan: Plan, dataset: Dataset | None, width: int) -> Group:
    h, money = headline(plan, dataset), _money(plan)
    parts: list[RenderableType] = [Text(f"Plan of {_cut(_clean(h.name), width - 8)}", style="bold"), Text()]
    facts = [*_proof(h, money), ("contracts", _contracts_in_words(h)), ("build", _build_in_words(h, money))]
    styles = {"NPV": "bold", "audit": "bold red" if h.audit_passed is False else ""}
    for name, text in facts:
        parts += [Text(line, style=styles.get(name, "")) for line in _fact(name, text, width)]
    sections = [
        ("NPV by term, million USD discounted", _npv_table(plan, money, width)),
        ("Contracts, most damages first", _contract_table(plan, dataset, money, width)),
        ("Limits that bind most", _limit_table(plan, width)),
        ("Sites, megawatts of IT power", _site_table(plan, dataset, width)),
        ("Build by year", _build_table(plan, dataset, width)),
        ("Decisions by year", _decision_table(plan, dataset, width)),
    ]
    for title, table in sections:
        parts += [Text(), Text(title, style="bold"), table if table is not None else Text("  none")]
    return Group(*parts)


def _build_in_words(h: Headline, money: Money) -> str:
    gpus = f", {h.gpus_end:,.0f} GPUs in service at the end" if h.gpus_end is not None else ""
    power = f"{h.it_used_mw_end:,.1f} MW of IT power"
    return f"{h.racks_installed:,} racks installed{gpus} at {power}; capital {money(h.capital_usd)} million USD undiscounted"


def _npv_table(plan: Plan, money: Money, width: int) -> RenderableType | None:
    terms = npv_by_term(plan)
    terms = terms[terms["npv_usd"] != 0]
    rows = [[_named(t), money(usd), meaning] for t, usd, meaning in zip(terms["term"], terms["npv_usd"], terms["meaning"], strict=True)]
    rows.append(["NPV", money(plan.summary.npv_usd), "net present value"])
    heads = [_Head("term", right=False), _Head("million USD"), _Head("what it is", right=False, narrow=True)]
    return _table(heads, rows, width, ["" for _ in rows[:-1]] + ["bold"])


def _contract_table(plan: Plan, dataset: Dataset | None, money: Money, width: int) -> RenderableType | None:
    contracts = _worst_first(contract_lateness(plan, dataset))
    wide = width >= 110
    heads = [_Head("contract", right=False, narrow=True), *([_Head("customer", right=False, narrow=True)] if wide else [])]
    heads += [_Head("status", right=False), _Head("owed from", right=False), _Head("in full", right=False)]
    heads += [_Head("late"), _Head("short"), *([_Head("GPU-periods")] if wide else []), _Head("share"), _Head("damages")]
    rows, styles = [], []
    for row in contracts.to_dict("records"):
        declined, late = row["status"] == "declined", row["periods_late"] > 0
        names = [row["contract_id"], *([row["customer"]] if wide else []), row["status"]]
        if declined or not row["first_owed"]:
            rows.append([*names, *["-"] * (len(heads) - len(names))])
        else:
            figures = [str(row["periods_late"]), _number(row["worst_short_gpus"])]
            figures += [_number(row["short_gpu_periods"])] if wide else []
            figures += [_share(row["share_delivered"]), money(row["damages_usd"])]
            rows.append([*names, row["first_owed"], row["first_full"] or "never", *figures])
        styles.append("dim" if declined else "yellow" if late else "")
    note = "late: periods short; short: most GPUs short in a period; share: of GPU-hours owed; damages: million USD"
    return _table(heads, rows, width, styles, note)


def _limit_table(plan: Plan, width: int) -> RenderableType | None:
    heads = [_Head("limit", right=False), _Head("site", right=False, narrow=True), _Head("periods")]
    heads.append(_Head("when", right=False, narrow=True, wrap=True))
    rows = [[_named(r["limit"]), r["site_id"], str(r["count"]), r["periods"]] for r in limits_that_bind_most(plan).to_dict("records")]
    return _table(heads, rows, width)


def _site_table(plan: Plan, dataset: Dataset | None, width: int) -> RenderableType | None:
    heads = [_Head("site", right=False, narrow=True), *([_Head("name", right=False, narrow=True)] if width >= 110 else [])]
    heads += [_Head("opened", right=False), _Head("limit"), _Head("used"), _Head("mean use")]
    heads.append(_Head("binds in periods", right=False, narrow=True, wrap=True))
    extra = sorted(set(binding_limits(plan)["limit"]) - set(BINDING_NAMES))
    rows = []
    for row in sites(plan, dataset).to_dict("records"):
        bound = ", ".join(f"{_named(name)} {row[name]}" for name in (*BINDING_NAMES, *extra) if row.get(name))
        figures = [_number(row["it_limit_mw"], 1), _number(row["it_used_mw"], 1), _share(row["it_used_share"])]
        names = [row["site_id"], *([row["name"]] if width >= 110 else []), row["opened"] or "-"]
        rows.append([*names, *figures, bound or "-"])
    return _table(heads, rows, width, note="limit, used: in the last period; mean use: of the limit, over all periods")


def _build_table(plan: Plan, dataset: Dataset | None, width: int) -> RenderableType | None:
    racks, decided = racks_by_year(plan, dataset), decisions_by_year(plan).set_index("year")
    heads = [_Head(name) for name in ("year", "racks", "GPUs", "rack MW", "blocks", "block MW", "retrofit MW", "sites", "signed")]
    rows = []
    for year in sorted({*racks["year"], *decided.index}):
        of = racks[racks["year"] == year]
        row = [str(year), _number(of["racks"].sum()), _number(of["gpus"].sum(skipna=False)), _number(of["it_mw"].sum(skipna=False), 1)]
        if year in decided.index:
            made = decided.loc[year]
            row += [str(made["blocks"]), _number(float(made["block_mw"]), 1), _number(float(made["retrofit_mw"]), 1)]
            row += [str(made["sites_opened"]), str(made["contracts_signed"])]
        else:
            row += ["0", "0.0", "0.0", "0", "0"]
        rows.append(row)
    return _table(heads, rows, width)


def _decision_table(plan: Plan, dataset: Dataset | None, width: int) -> RenderableType | None:
    """What is bought, built, opened and signed, by name."""
    racks, made = racks_by_year(plan, dataset), decisions_by_year(plan).set_index("year")
    rows = []
    for year in sorted({*racks["year"], *made.index}):
        of = racks[racks["year"] == year]
        sums = zip(of["gen_id"], of["racks"], of["it_mw"], strict=True)
        bought = ", ".join(f"{count:,} {gen}" + ("" if math.isnan(mw) else f" ({mw:,.1f} MW)") for gen, count, mw in sums)
        named = str(made.loc[year, "ids"]).split("; ") if year in made.index else []
        lines = [*([f"install {bought}"] if bought else []), *named]
        rows += [[str(year) if at == 0 else "", *line.split(" ", 1)] for at, line in enumerate(lines)]
    heads = [_Head("year"), _Head("what", right=False), _Head("which", right=False, narrow=True, wrap=True)]
    return _table(heads, rows, width)


def _table(
    heads: Sequence[_Head], rows: Sequence[Sequence[str]], width: int, styles: Iterable[str] = (), note: str = ""
) -> RenderableType | None:
    """A table that fits the width: its narrow columns give up what is too much, the widest first. None without rows."""
    if not rows:
        return None
    cells = [[_clean(cell) for cell in row] for row in rows]
    widths = [max(cell_len(head.name), *(cell_len(row[at]) for row in cells)) for at, head in enumerate(heads)]
    narrow = [at for at, head in enumerate(heads) if head.narrow]
    while sum(widths) + _GAP * len(heads) > width and narrow:
        widest = max(narrow, key=lambda at: widths[at])
        if widths[widest] <= _SMALLEST_CELL:
            break
        widths[widest] -= 1
    table = Table(box=_RULE, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0), header_style="")
    for head, wide in zip(heads, widths, strict=True):
        table.add_column(_cut(head.name, wide), justify="right" if head.right else "left", no_wrap=not head.wrap, width=wide)
    given = [*styles, *[""] * len(cells)]
    for row, style in zip(cells, given, strict=False):
        texts = [Text(cell if head.wrap else _cut(cell, wide)) for cell, head, wide in zip(row, heads, widths, strict=True)]
        table.add_row(*texts, style=style)
    return Group(table, *(Text(line, style="dim") for line in textwrap.wrap(note, width))) if note else table


def _cut(text: str, width: int) -> str:
    """Text of at most this many columns."""
    return text if cell_len(text) <= width else set_cell_size(text, max(width - 3, 0)).rstrip() + "..."

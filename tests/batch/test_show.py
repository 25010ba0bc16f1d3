"""A plan in the terminal: its words, figures by hand, and lines that fit."""

from __future__ import annotations

import io
import re

import pandas as pd
import pytest
from rich.cells import cell_len
from rich.console import Console

import optimizer
from batch.show import headline_lines, render_plan
from models.plan import PLAN_COLUMNS, Plan, StopReason, empty_table
from tests.factories import small_dataset
from tests.generator import random_dataset
from tests.models.hand_plan import hand_dataset, hand_plan, summary


def file_console(width: int) -> Console:
    """What standard output is when it goes to a file."""
    return Console(file=io.StringIO(), width=width)


def shown(plan: Plan, width: int = 80, *, known: bool = True) -> str:
    return render_plan(plan, hand_dataset() if known else None, file_console(width))


def section(text: str, title: str) -> list[str]:
    """Lines of a section of the page, below its title."""
    parts = [part.splitlines() for part in text.split("\n\n")]
    return next(lines[1:] for lines in parts if lines[0].startswith(title))


def words(line: str) -> list[str]:
    """Cells of a line of a table."""
    return re.split(r"\s{2,}", line.strip())


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("width", [80, 100, 120])
def test_lines_fit_and_are_ascii(width: int, known: bool) -> None:
    plan = hand_plan()
    text = shown(hand_plan(contracts=plan.contracts.replace({"customer": {"True": "plain"}})), width, known=known)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert "\x1b" not in text
    marks = text.replace("ü", "u").replace("ö", "o")
    assert marks.isascii()
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_worth_and_proof() -> None:
    text = shown(hand_plan())
    for line in (
        "Plan of by hand",
        "NPV        0.001 million USD",
        "bound      0.001 million USD, gap 1.00 %, of branch and bound",
        "certified  0.001 million USD, gap 5.00 %, confirmed from duals alone",
        "status     within gap (gap asked 2.00 %); ended by gap reached after 0.3 s",
        "audit      passed, largest violation 1.0e-300",
    ):
        assert line in text.splitlines()
    large = summary(
        npv_usd=1.2345678e9, bound_usd=None, gap=None, audit={"passed": False, "worst_violation": 0.5, "npv_recomputed_usd": 1.0}
    )
    text = shown(hand_plan(summary=large))
    assert "NPV        1,234.6 million USD" in text
    assert "bound      not known" in text
    assert "audit      FAILED, largest violation 5.0e-01" in text
    assert "audit      none" in shown(hand_plan(summary=summary(audit=None, stop_reason=StopReason.USER_STOP)))
    assert "ended by user stop" in shown(hand_plan(summary=summary(stop_reason=StopReason.USER_STOP)))


def test_npv_by_term_leaves_out_what_is_nothing() -> None:
    terms = {"contract_revenue": 5e6, "damages": -1.25e6, "lease": -2.75e6}
    lines = section(shown(hand_plan(summary=summary(npv_usd=1e6, npv_terms=terms))), "NPV by term")
    cells = [words(line)[:2] for line in lines[2:]]
    assert cells == [["contract revenue", "5.000"], ["damages", "-1.250"], ["lease", "-2.750"], ["NPV", "1.000"]]


def test_contracts() -> None:
    """Late first, declined last; the share delivered is that of the views' test."""
    plan = hand_plan()
    rows = plan.contracts.assign(damages_usd=plan.contracts["damages_usd"] * 1e4)
    lines = [words(line) for line in section(shown(hand_plan(contracts=rows)), "Contracts")]
    share = 100 * (1 - (40 * 2160 + 10 * 2184 + 5 * 2208) / 876000)
    assert lines[2] == ["firm", "firm", "2026-Q1", "2026-Q3", "3", "40", f"{share:.1f} %", "5.500"]
    assert lines[3] == ["new", "signed", "2026-Q2", "2026-Q2", "0", "0", "100.0 %", "0.000"]
    assert lines[4] == ["no", "declined", *["-"] * 6]


def test_contract_that_is_never_delivered_in_full_and_a_share_that_is_not_all() -> None:
    plan = hand_plan()
    rows = plan.contracts.assign(short_gpus=0.001)
    lines = [words(line) for line in section(shown(hand_plan(contracts=rows)), "Contracts")]
    assert lines[2][3:7] == ["never", "4", "0", "99.9 %"]
    assert "firm: owed from 2026-Q1, never in full, at worst 0 GPUs short in 2026-Q1" in "\n".join(
        headline_lines(hand_plan(contracts=rows))
    )


def test_limits_sites_and_build() -> None:
    text = shown(hand_plan())
    assert [words(line) for line in section(text, "Limits that bind most")][2:] == [
        ["it power", "a", "3", "2026-Q1 to 2026-Q2, 2026-Q4"],
        ["grid", "a", "2", "2026-Q2, 2026-Q4"],
        ["water", "b", "1", "2026-Q3"],
    ]
    assert [words(line) for line in section(text, "Sites")][2:4] == [
        ["a", "-", "4.0", "2.0", "43.8 %", "it power 3, grid 2"],
        ["b", "2026-Q3", "1.0", "0.5", "50.0 %", "water 1"],
    ]
    assert [words(line) for line in section(text, "Build by year")][2:] == [["2026", "13", "112", "1.1", "1", "10.0", "0.0", "1", "1"]]
    assert [words(line) for line in section(text, "Decisions by year")][2:] == [
        ["2026", "install", "10 nan (1.0 MW), 3 1e5 (0.1 MW)"], ["build", "b-1"], ["open", "b"], ["sign", "new"],
    ]  # fmt: skip
    assert "13 racks installed, 72 GPUs in service at the end at 2.5 MW" in text


def test_without_the_dataset_what_it_would_say_is_missing() -> None:
    text = shown(hand_plan(), known=False)
    assert words(section(text, "Build by year")[2])[:4] == ["2026", "13", "-", "-"]
    assert "10 nan, 3 1e5" in text
    assert "nan (" not in text


def test_names_on_a_wide_page() -> None:
    text = shown(hand_plan(), 120)
    assert "Alpha" in text
    assert "Alpha" not in shown(hand_plan(), 80)
    assert "GPU-periods" in text


def test_text_of_the_dataset_commands_nothing() -> None:
    """Neither markup nor escapes of a name reach the terminal."""
    plan = hand_plan()
    rows = plan.contracts.assign(customer="[red]x[/red] :smile: \x1b[31m\x07", contract_id="c\x1b[2J")
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None, legacy_windows=False)
    text = render_plan(hand_plan(contracts=rows), hand_dataset(), console)
    assert "\x1b[2J" not in text
    assert "\x1b[31m" not in text
    assert "\x07" not in text
    assert "[red]x[/red] :smile:" in text
    assert "\x1b[2J" not in "\n".join(headline_lines(hand_plan(contracts=rows)))


def test_colours_on_a_terminal_only() -> None:
    terminal = Console(file=io.StringIO(), width=100, force_terminal=True, color_system="standard", legacy_windows=False)
    text = render_plan(hand_plan(), hand_dataset(), terminal)
    assert "\x1b[33m" in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert [line.rstrip() for line in plain.splitlines()] == shown(hand_plan(), 100).splitlines()


def test_a_terminal_without_unicode() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    text = render_plan(hand_plan(), hand_dataset(), Console(file=stream, width=120))
    assert text.isascii()
    assert "M?ller" in text


def test_long_names_are_cut_and_many_periods_folded() -> None:
    plan = hand_plan()
    name = "a_site_with_a_name_of_more_than_forty_letters_in_all"
    periods = [f"{year}-Q{quarter}" for year in range(2026, 2036) for quarter in (1, 3)]
    sites = pd.concat([plan.sites.iloc[[1]].assign(site_id=name, period=period) for period in periods])
    contracts = plan.contracts.assign(contract_id=name)
    changed = hand_plan(sites=sites, contracts=contracts.iloc[:4])
    for width in (80, 120):
        text = shown(changed, width)
        assert max(map(cell_len, text.splitlines())) <= width
        assert "..." in text
        assert all(period in text for period in periods)
    lines = headline_lines(changed, hand_dataset())
    assert max(map(cell_len, lines)) <= 80
    assert all(period in "\n".join(lines) for period in periods)


@pytest.mark.parametrize("width", [1, 20, 500])
def test_odd_widths(width: int) -> None:
    text = shown(hand_plan(), width)
    assert max(map(cell_len, text.splitlines())) <= min(max(width, 80), 140)


def test_headline_lines() -> None:
    lines = headline_lines(hand_plan(), hand_dataset())
    assert max(map(cell_len, lines)) <= 80
    text = "\n".join(lines)
    assert lines[0] == "NPV        0.001 million USD"
    assert "gap 1.00 %" in lines[1]
    assert "gap 5.00 %" in lines[2]
    assert "2 in force, 1 late in some period; firm GPU-hours delivered 86.4 %" in text
    assert "firm: owed from 2026-Q1, in full from 2026-Q3, at worst 40 GPUs short in" in text
    assert lines[-4:] == [
        "limits     that bind most, in site-periods:",
        "  it power at a: 3 (2026-Q1 to 2026-Q2, 2026-Q4)",
        "  grid at a: 2 (2026-Q2, 2026-Q4)",
        "  water at b: 1 (2026-Q3)",
    ]


def test_headline_names_five_late_contracts_and_counts_the_rest() -> None:
    plan = hand_plan()
    late = plan.contracts.iloc[:4]
    many = pd.concat([late.assign(contract_id=f"c{i}", damages_usd=float(i)) for i in range(8)])
    lines = headline_lines(hand_plan(contracts=many))
    named = [line.split(":")[0].strip() for line in lines if ": owed from" in line]
    assert named == ["c7", "c6", "c5", "c4", "c3"]
    assert "  and 3 more" in lines


def test_an_empty_plan() -> None:
    plan = Plan(summary(npv_terms={}, npv_usd=0.0, kpis={}), {name: empty_table(name) for name in PLAN_COLUMNS})
    text = render_plan(plan, small_dataset(), file_console(80))
    for title in ("Contracts", "Limits that bind most", "Sites", "Build by year", "Decisions by year"):
        assert section(text, title) == ["  none"]
    assert "limits     none binds" in headline_lines(plan)


@pytest.mark.parametrize("seed", [98, 101])
def test_plans_of_the_optimizer(seed: int) -> None:
    dataset = random_dataset(seed)
    plan = optimizer.plan(dataset, gap=0.1, time_limit=30, threads=1)
    for width in (80, 120):
        text = render_plan(plan, dataset, file_console(width))
        assert max(map(cell_len, text.splitlines())) <= width
        assert f"NPV        {(plan.summary.npv_usd or 0) / 1e6:,.3f} million USD" in text
        assert "nan" not in text
    assert max(map(cell_len, headline_lines(plan, dataset))) <= 80

"""What runs say together, on a study that is made up: every figure by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from batch.decided import Decided, Due, LeadTimes
from batch.study import regrets
from batch.study.asked import Asked
from batch.study.findings import Findings, findings_of
from batch.study.journal import Entry
from batch.study.regret_table import RegretTable, table_of
from batch.study.report import report_html
from batch.study.robust import Robust
from batch.study.spread import spread
from batch.study.words import text_of
from tests.batch.study.made_up import made_up

Made = tuple[Asked, dict[int, Entry]]


@pytest.fixture(scope="module")
def made() -> Made:
    return made_up()


@pytest.fixture(scope="module")
def table(made: Made) -> RegretTable:
    """The base plan and those of runs 1 and 4 under the scenarios of runs 1, 3 and 4."""
    asked, entries = made
    tried = {
        1: {"npv_usd": [9e6, 10e6, 4e6], "broken": [0, 0, 0], "first": ["", "", ""]},
        3: {"npv_usd": [-5e6, 50e6, -1e6], "broken": [0, 2, 0], "first": ["", "a: too much", ""]},
        4: {"npv_usd": [0.0, 1e6, 8e6], "broken": [1, 1, 0], "first": ["x", "y", ""]},
    }
    return table_of(asked, [regrets.BASE_PLAN, 1, 4], tried, entries)


@pytest.fixture(scope="module")
def found(made: Made, table: RegretTable) -> Findings:
    return findings_of(*made, table)


def row_of(found: Findings, kind: str, id_: str) -> Robust:
    return next(row for row in found.robust if (row.question.kind, row.question.id) == (kind, id_))


def test_a_distribution_by_odds() -> None:
    """Odds 1, 2, 3, 4 on 10, 20, 30, 40: mean 30, deviation 10; half of the odds are at 30 or below."""
    got = spread([40, 10, 30, 20, math.nan], [4, 1, 3, 2, 9], worst_is_low=True)
    assert got is not None
    assert (got.runs, got.mean, got.deviation, got.lowest, got.highest) == (4, pytest.approx(30), pytest.approx(10), 10, 40)
    assert got.quantiles == {0.05: 10, 0.25: 20, 0.5: 30, 0.75: 40, 0.95: 40}
    assert got.cvar == 10, "the worst 5 % of the odds are all at 10"


def test_the_mean_of_the_tail_takes_part_of_a_run() -> None:
    """0 with odds of 2 %, 10 with 98 %: the worst 5 % are 0 for 2 and 10 for 3: 6. Of the high ones all are 10."""
    low, high = (spread([0, 10], [2, 98], worst_is_low=worst) for worst in (True, False))
    assert low is not None
    assert high is not None
    assert low.cvar == pytest.approx(6.0)
    assert high.cvar == 10
    assert spread([math.nan], [1], worst_is_low=True) is None


def test_the_base_and_runs_without_a_plan_do_not_count(found: Findings) -> None:
    """(3 * 10 + 3 * 20 - 2 + 8) / 8 = 12 million USD; (400 + 200) / 8 = 75 GPU-periods late."""
    assert found.spreads["npv_usd"].runs == 4
    assert found.spreads["npv_usd"].mean == pytest.approx(12e6)
    assert found.spreads["npv_usd"].cvar == pytest.approx(-2e6)
    assert found.spreads["short_gpu_periods"].mean == pytest.approx(75)
    assert found.spreads["short_gpu_periods"].cvar == pytest.approx(400)
    assert found.statuses == {"optimal": 4, "infeasible": 1}


def test_the_tornado_spans_mean_npv_by_level(found: Findings) -> None:
    """hall: on time (10 + 20) / 2 = 15, late (-2 + 8) / 2 = 3, span 12. x: low (3 * 10 - 2) / 4 = 7, high (60 + 8) / 4 = 17, span 10."""
    assert [(bar.axis, bar.span_usd) for bar in found.tornado] == [("hall", pytest.approx(12e6)), ("x", pytest.approx(10e6))]
    hall = found.tornado[0]
    assert (hall.low_level, hall.low, hall.high_level, hall.high) == ("late", pytest.approx(-9e6), "on time", pytest.approx(3e6))
    by_level = {(e.axis, e.level): e for e in found.effects}
    assert by_level["x", "high"].mean_npv_usd == pytest.approx(17e6)
    assert (by_level["no way", ""].runs, by_level["no way", ""].without) == (0, 1)


def test_which_decisions_hold_and_by_when(found: Findings) -> None:
    """Block a-2 in 2026-Q4 in runs 1 and 2, 6 of 8 by odds: order by 2026-Q2, two quarters before; in run 3 already by 2026-Q1."""
    block = row_of(found, "build", "a-2")
    assert (block.base, block.common) == ("not built", "2026-Q4")
    assert (block.same_as_common, block.runs, block.share_common, block.same_as_base, block.share_base) == (2, 4, 0.75, 1, 0.125)
    assert block.due == Due("2026-Q2", "2 before 2026-Q4")
    assert block.earliest == "2026-Q1"
    assert block.depends_on == "hall: late"
    assert not block.robust
    retrofit = row_of(found, "retrofit", "a")
    assert (retrofit.common, retrofit.same_as_common, retrofit.share_common) == ("none", 3, 0.875)
    assert retrofit.due == Due("2026-Q2", "1, cools from 2026-Q3"), "by then it must be known whether this is one of the odd runs"
    racks = row_of(found, "install", "a/h100")
    assert (racks.base, racks.common, racks.same_as_base, racks.at_least, racks.at_most) == ("10 racks", "10 racks", 2, 6, 12)
    assert [row.due.period for row in found.robust if row.due] == sorted(row.due.period for row in found.robust if row.due)


def test_order_by_dates(made: Made) -> None:
    """A block its lead before it is energized, also before the start; a retrofit when it is ordered; else when it happens."""
    leads = LeadTimes(made[0].dataset)
    assert leads.due(Decided("build", "a-2", "2026-Q2", 10)) == Due("2025-Q4", "2 before 2026-Q2")
    assert leads.due(Decided("build", "a-1", "2026-Q2", 10)) == Due("2026-Q2", "0, as given")
    assert leads.due(Decided("retrofit", "a", "2026-Q4", 1)) == Due("2026-Q4", "1, cools from 2027-Q1")
    for kind, id_ in (("install", "a/h100"), ("open", "b"), ("sign", "c")):
        assert leads.due(Decided(kind, id_, "2026-Q3", 1)) == Due("2026-Q3", "none given")


def test_racks_to_order_whatever_comes(found: Findings) -> None:
    """6 in every run; (3 * 10 + 3 * 10 + 12 + 6) / 8 = 9.75 in the mean."""
    (order,) = found.orders
    assert (order.gen_id, order.period, order.base) == ("h100", "2026-Q1", 10)
    assert (order.over_runs.lowest, order.over_runs.highest, order.over_runs.mean) == (6, 12, pytest.approx(9.75))


def test_a_plan_that_decides_nothing_counts_and_one_that_was_only_scored_does_not(made: Made) -> None:
    """Run 4, 1 of 8 by odds, installs nothing: it needs no racks and no retrofit. As an evaluation of the base plan it says nothing."""
    asked, entries = made
    nothing = {**entries, 4: {**entries[4], "decisions": []}}
    found = findings_of(asked, nothing, None)
    racks = row_of(found, "install", "a/h100")
    assert (racks.runs, racks.at_least, racks.at_most) == (4, 0, 12)
    assert found.orders[0].over_runs.lowest == 0
    assert found.orders[0].over_runs.mean == pytest.approx((3 * 10 + 3 * 10 + 12) / 8)
    scored = {**nothing, 4: {**nothing[4], "row": {**nothing[4]["row"], "status": "holds"}}}
    assert row_of(findings_of(asked, scored, None), "install", "a/h100").runs == 3


def test_regret_is_the_best_known_less_what_the_plan_earns(table: RegretTable) -> None:
    """Best: 10, -1 (run 4's plan, better than run 3's own -2; the 50 break limits), and 8."""
    assert table.best_usd.tolist() == [10e6, -1e6, 8e6]
    wanted = [[1e6, 4e6, np.nan], [0.0, np.nan, np.nan], [6e6, 0.0, 0.0]]
    np.testing.assert_array_equal(table.regret_usd, wanted)
    rows = table.plan_rows()
    assert rows["plan"].tolist() == ["hall=late, x=high", "base plan", "hall=on time, x=low"]
    assert rows["holds"].tolist() == [3, 2, 1]
    assert rows["mean_regret_usd"].tolist() == pytest.approx([(3 * 6e6) / 5, (3 * 1e6 + 4e6) / 4, 0.0])
    assert rows["max_regret_usd"].tolist() == [6e6, 4e6, 0.0]


def test_plans_that_differ_most_come_first_and_equal_ones_once() -> None:
    def plan(*decisions: str) -> frozenset[tuple[object, ...]]:
        return frozenset((decision,) for decision in decisions)

    plans = {-1: plan("a", "b"), 0: plan("a", "b"), 1: plan("a", "c"), 2: plan("d"), 3: plan("d", "e")}
    assert regrets.distance(plans[-1], plans[1]) == pytest.approx(2 / 3)
    assert regrets.most_different(plans, 3) == [-1, 2, 1]
    assert regrets.most_different(plans, 9) == [-1, 2, 1, 3], "run 0 decides as the base plan does"
    assert regrets.evenly(list(range(10)), 4) == [0, 2, 5, 7]
    assert regrets.evenly([3, 4], 4) == [3, 4]


def test_the_report_tells_robust_decisions_first(found: Findings) -> None:
    page = report_html(found)
    places = [page.index(f'id="section-{key}"') for key in ("robust", "spread", "tornado", "regrets", "runs")]
    assert places == sorted(places)
    for words in (
        "2026-Q2",
        "2 before 2026-Q4",
        "hall: late",
        "the data give no lead time for racks",
        "12.00 million USD",
        "-2.00 million USD",
        "1 infeasible",
        "a conflict",
        "base plan",
    ):
        assert words in page, words
    for chart in ("robust-0", "robust-3", "spread-0", "spread-1", "tornado-0", "regrets-0"):
        assert f'id="{chart}"' in page
    assert "http://" not in page.split("<script>")[0]


def test_a_study_without_any_plan_has_a_report_too(made: Made) -> None:
    asked, entries = made
    found = findings_of(asked, {5: entries[5]}, None)
    assert not found.robust
    assert found.spreads == {}
    assert "there is nothing to compare" in report_html(found)
    assert "1 infeasible" in text_of(found)


def test_the_terminal_and_the_document_tell_the_same(found: Findings) -> None:
    text, document = text_of(found), found.document()
    assert "by 2026-Q2" in text
    for told in (text, report_html(found)):
        assert "1 of 5 runs have no plan and do not count here." in told
    assert "hall" in text
    block = next(row for row in document["decisions"] if row["id"] == "a-2")
    assert (block["order_by"], block["lead"], block["same_as_most_common"]) == ("2026-Q2", "2 before 2026-Q4", 2)
    assert document["distributions"]["npv_usd"]["cvar_95"] == pytest.approx(-2e6)
    assert document["regrets"][0]["plan"] == "hall=late, x=high"
    assert isinstance(found.runs, pd.DataFrame)
    assert found.runs["axis: hall"].tolist()[1:5] == ["on time", "on time", "late", "late"]


def test_a_range_tells_answers_apart_by_its_halves(made: Made) -> None:
    """All with the block lie below the middle of 0 and 8."""
    asked, entries = made
    sizes = {1: 0.0, 2: 3.0, 3: 5.0, 4: 8.0}
    scenarios = [replace(s, levels={"size": "x"}, values={"size": sizes[n]}) if n in sizes else s for n, s in enumerate(asked.scenarios)]
    found = findings_of(replace(asked, scenarios=scenarios), entries, None)
    assert row_of(found, "build", "a-2").depends_on == "size: above 4"
    parts = {e.level: e for e in found.effects if e.axis == "size"}
    assert [(level, e.runs) for level, e in parts.items()] == [("0 to 2", 1), ("2 to 4", 1), ("4 to 6", 1), ("6 to 8", 1)]
    assert parts["6 to 8"].mean_npv_usd == pytest.approx(8e6)

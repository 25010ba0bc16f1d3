"""Views of a plan written by hand, with figures by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
import pytest

import optimizer
from models import plan_views as views
from models.faults import PlanError
from models.plan import NPV_TERMS, PLAN_COLUMNS, Plan, SolutionStatus, empty_table
from models.plan_views import VIEW_COLUMNS, Comparison
from tests.factories import small_dataset
from tests.generator import random_dataset
from tests.models.hand_plan import CUSTOMER, hand_dataset, hand_plan, summary

HOURS = [2160, 2184, 2208, 2208]


def records(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    return list(frame.itertuples(index=False, name=None))


def test_npv_by_term() -> None:
    found = views.npv_by_term(hand_plan()).set_index("term")
    assert list(found.index) == list(NPV_TERMS)
    assert found.loc["damages", ["npv_usd", "cash_usd"]].tolist() == [-550.0, -550.0]
    assert found.loc["lease", "npv_usd"] == 0
    assert found["npv_usd"].sum() == pytest.approx(1050.0)


def test_contract_lateness() -> None:
    """100 owed over 8760 hours; 40 short for 2160 hours, 10 for 2184, 5 for 2208."""
    no, new, firm = records(views.contract_lateness(hand_plan(), hand_dataset()))
    short = 40 * HOURS[0] + 10 * HOURS[1] + 5 * HOURS[3]
    assert firm[:10] == ("firm", CUSTOMER, "firm", "2026-Q1", "2026-Q3", 3, 100.0, 40.0, "2026-Q1", 55.0)
    assert firm[10:] == (pytest.approx(1 - short / (100 * 8760)), 4000.0, 550.0)
    assert new == ("new", "True", "signed", "2026-Q2", "2026-Q2", 0, 20.0, 0.0, "", 0.0, 1.0, 600.0, 0.0)
    assert no == ("no", "nobody", "declined", "", "", 0, 0.0, 0.0, "", 0.0, 1.0, 0.0, 0.0)


def test_contract_lateness_without_the_dataset() -> None:
    found = views.contract_lateness(hand_plan())
    assert found["contract_id"].tolist() == ["firm", "new", "no"]
    assert found["status"].tolist() == ["firm", "signed", "declined"]
    assert found["customer"].tolist() == [CUSTOMER, "True", ""]


def test_rows_in_another_order_say_the_same() -> None:
    plan = hand_plan()
    turned = hand_plan(contracts=plan.contracts.iloc[::-1], sites=plan.sites.iloc[::-1], racks=plan.racks.iloc[::-1])
    dataset = hand_dataset()
    pd.testing.assert_frame_equal(views.contract_lateness(turned, dataset), views.contract_lateness(plan, dataset))
    pd.testing.assert_frame_equal(views.fleet(turned, dataset), views.fleet(plan, dataset))
    pd.testing.assert_frame_equal(views.binding_limits(turned), views.binding_limits(plan))


@pytest.mark.parametrize(("short", "late"), [(1e-4 * 0.99, 0), (1e-4 * 1.01, 1)])
def test_what_is_within_tolerance_is_not_late(short: float, late: int) -> None:
    """The tolerance for 100 owed is 1e-4."""
    plan = hand_plan()
    rows = plan.contracts[plan.contracts["period"] == "2026-Q1"].assign(short_gpus=short)
    found = views.contract_lateness(hand_plan(contracts=rows)).iloc[0]
    assert found["periods_late"] == late
    assert found["first_full"] == ("" if late else "2026-Q1")
    assert found["worst_short_gpus"] == (short if late else 0.0)


def test_limits_that_bind() -> None:
    expected = [
        ("it_power", "a", 3, "2026-Q1 to 2026-Q2, 2026-Q4"),
        ("grid", "a", 2, "2026-Q2, 2026-Q4"),
        ("water", "b", 1, "2026-Q3"),
    ]
    assert records(views.binding_limits(hand_plan())) == expected
    assert records(views.limits_that_bind_most(hand_plan(), 2)) == expected[:2]


def test_at_most_five_limits_in_the_order_of_their_names() -> None:
    rows = hand_plan().sites.iloc[[0]].assign(binding="water;install_rate;grid;air;liquid;it_power")
    assert views.limits_that_bind_most(hand_plan(sites=rows))["limit"].tolist() == ["it_power", "liquid", "air", "grid", "install_rate"]


def test_sites() -> None:
    a, b = records(views.sites(hand_plan(), hand_dataset()))
    assert a == ("a", "Alpha", "", 4, 4.0, 2.0, 7 / 16, 3, 0, 0, 2, 0, 0)
    assert b == ("b", "Beta", "2026-Q3", 2, 1.0, 0.5, 0.5, 0, 0, 0, 0, 0, 1)
    assert views.sites(hand_plan())["name"].tolist() == ["a", "b"]


def test_racks_by_year() -> None:
    assert records(views.racks_by_year(hand_plan(), hand_dataset())) == [
        (2026, "nan", 10, 100.0, 1.0),
        (2026, "1e5", 3, 12.0, pytest.approx(0.15)),
    ]
    without = views.racks_by_year(hand_plan())
    assert without["racks"].tolist() == [10, 3]
    assert without["it_mw"].isna().all()


def test_fleet() -> None:
    expected = [(10, 100.0, 1.0), (10, 100.0, 1.0), (6, 60.0, 0.6), (6, 60.0, 0.6), (3, 12.0, 0.15), (3, 12.0, 0.15)]
    found = views.fleet(hand_plan(), hand_dataset())
    assert [row[2:] for row in records(found)] == [pytest.approx(row) for row in expected]
    assert found["gen_id"].tolist() == ["nan"] * 4 + ["1e5"] * 2
    assert found["period"].tolist() == ["2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4", "2026-Q3", "2026-Q4"]


def test_decisions_by_year() -> None:
    """What is declined is not built; its year does not appear."""
    assert records(views.decisions_by_year(hand_plan())) == [(2026, 1, 10.0, 0, 0.0, 1, 1, "build b-1; open b; sign new")]


def test_unknown_generation_is_named() -> None:
    plan = hand_plan()
    with pytest.raises(PlanError) as raised:
        views.fleet(hand_plan(racks=plan.racks.replace({"gen_id": {"nan": "nann"}})), hand_dataset())
    (fault,) = raised.value.faults
    assert (fault.value, fault.suggestion) == ("nann", "nan")


def test_compare() -> None:
    base = summary(npv_usd=-2000.0, npv_terms={"contract_revenue": 4000.1, "lease": -6000.1})
    found = views.compare(hand_plan(), hand_plan(summary=base))
    assert isinstance(found, Comparison)
    assert (found.npv_usd, found.baseline_npv_usd, found.uplift_usd, found.uplift_share) == (1050.0, -2000.0, 3050.0, 1.525)
    uplift = dict(zip(found.terms["term"], found.terms["uplift_usd"], strict=True))
    by_hand = {"contract_revenue": 600.0, "damages": -550.0, "gpu_capital": -3000.0, "lease": 6000.1, "energy": -0.1}
    assert uplift == pytest.approx(by_hand)
    assert views.compare(hand_plan(), hand_plan(summary=summary(npv_usd=None))).uplift_share is None


def test_headline() -> None:
    h = views.headline(hand_plan(), hand_dataset())
    assert (h.name, h.status, h.npv_usd, h.bound_usd, h.gap) == ("by hand", SolutionStatus.WITHIN_GAP, 1050.0, 1060.5, 0.01)
    assert (h.bound_certified_usd, h.gap_certified, h.audit_passed, h.worst_violation) == (1102.5, 0.05, True, 1e-300)
    assert (h.contracts_in_force, h.contracts_late, h.prospects_signed, h.prospects_declined) == (2, 1, 1, 1)
    assert h.firm_share_delivered == pytest.approx(1 - (40 * 2160 + 10 * 2184 + 5 * 2208) / 876000)
    assert (h.short_gpu_periods, h.damages_usd, h.racks_installed) == (55.0, 550.0, 13)
    assert (h.gpus_end, h.it_used_mw_end) == (72.0, 2.5)
    assert (h.revenue_usd, h.capital_usd) == (pytest.approx(4600.1), 3000.0)
    assert (h.energy_mwh, h.tco2, h.water_m3) == (600.0, 6.0, 12.0)
    assert views.headline(hand_plan()).gpus_end is None
    assert views.headline(hand_plan(summary=summary(audit=None))).audit_passed is None


@pytest.mark.parametrize("seed", [97, 99, 103])
def test_views_agree_with_the_key_figures_of_the_optimizer(seed: int) -> None:
    dataset = random_dataset(seed)
    plan = optimizer.plan(dataset, gap=0.05, time_limit=30, threads=1)
    h, kpis = views.headline(plan, dataset), plan.summary.kpis
    pairs = {
        "firm_gpu_share_delivered": h.firm_share_delivered, "contracts_late": h.contracts_late, "prospects_signed": h.prospects_signed,
        "prospects_declined": h.prospects_declined, "racks_installed": h.racks_installed, "gpus_end": h.gpus_end,
        "capital_usd": h.capital_usd, "revenue_usd": h.revenue_usd, "energy_mwh": h.energy_mwh, "tco2": h.tco2, "water_m3": h.water_m3,
    }  # fmt: skip
    assert pairs == {name: pytest.approx(kpis[name], rel=1e-9, abs=1e-9) for name in pairs}
    assert views.contract_lateness(plan, dataset)["damages_usd"].sum() == pytest.approx(-plan.cash["damages"].sum())
    assert views.racks_by_year(plan, dataset)["racks"].sum() == plan.racks["installed"].sum()


FRAMES: dict[str, Callable[[Plan], pd.DataFrame]] = {
    "npv_terms": views.npv_by_term,
    "contracts": lambda plan: views.contract_lateness(plan, hand_dataset()),
    "sites": lambda plan: views.sites(plan, hand_dataset()),
    "binding": views.binding_limits,
    "racks_by_year": lambda plan: views.racks_by_year(plan, hand_dataset()),
    "decisions_by_year": views.decisions_by_year,
    "fleet": lambda plan: views.fleet(plan, hand_dataset()),
    "comparison": lambda plan: views.compare(plan, plan).terms,
}


@pytest.mark.parametrize("name", VIEW_COLUMNS)
def test_columns_are_those_documented_also_of_an_empty_plan(name: str) -> None:
    empty = Plan(summary(npv_terms={}), {table: empty_table(table) for table in PLAN_COLUMNS})
    for plan in (hand_plan(), empty):
        assert list(FRAMES[name](plan).columns) == list(VIEW_COLUMNS[name])
    assert len(FRAMES[name](hand_plan()))
    assert len(FRAMES[name](empty)) == (len(NPV_TERMS) if name == "npv_terms" else 0)


def test_headline_of_an_empty_plan() -> None:
    h = views.headline(Plan(summary(), {table: empty_table(table) for table in PLAN_COLUMNS}), hand_dataset())
    assert (h.contracts_in_force, h.racks_installed, h.gpus_end, h.firm_share_delivered) == (0, 0, 0.0, 1.0)
    assert math.copysign(1.0, h.capital_usd) == 1.0


@pytest.mark.parametrize(("kind", "start", "text"), [("month", "2026-11", "2026-11 to 2027-01"), ("year", "2026", "2026 to 2028")])
def test_other_lengths_of_a_period(kind: str, start: str, text: str) -> None:
    """Ten racks of 100 kW fill a hall of 1 MW in every period."""
    blocks = [{"block_id": "a-1", "site_id": "a", "it_mw": 1.0, "energized": start}]
    dataset = small_dataset(period=kind, start=start, periods=3, sites=[{"site_id": "a"}], power_blocks=blocks,
                            supply=[{"gen_id": "h100", "period": start, "racks": 10}])  # fmt: skip
    plan = optimizer.plan(dataset, gap=0, time_limit=30, threads=1)
    assert records(views.binding_limits(plan))[0] == ("it_power", "a", 3, text)
    assert views.contract_lateness(plan, dataset)["first_full"].tolist() == [start]

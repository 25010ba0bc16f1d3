"""A plan that names what its dataset does not have is refused with the place, the name and what is there."""

from __future__ import annotations

import pytest

import optimizer
from models.faults import PlanError
from models.plan import PLAN_COLUMNS, Plan, empty_table
from models.plan_views import check_names
from tests.generator import random_dataset
from tests.models.hand_plan import hand_dataset, hand_plan, summary


def renamed(table: str, column: str, value: str) -> Plan:
    """The plan by hand with another name in the first row of a table."""
    frame = hand_plan()[table].copy()
    frame.loc[0, column] = value
    return hand_plan(**{table: frame})


def test_a_plan_of_its_dataset_passes() -> None:
    check_names(hand_plan(), hand_dataset())
    check_names(Plan(summary(), {name: empty_table(name) for name in PLAN_COLUMNS}), hand_dataset())
    dataset = random_dataset(99)
    check_names(optimizer.plan(dataset, gap=0.05, time_limit=30, threads=1), dataset)


@pytest.mark.parametrize(
    ("table", "column", "value", "problem", "allowed", "near"),
    [
        ("racks", "site_id", "zz", "unknown site", "a, b", ""),
        ("racks", "gen_id", "1e6", "unknown generation", "", "1e5"),
        ("deliveries", "contract_id", "firms", "unknown contract", "", "firm"),
        ("contracts", "contract_id", "zz", "unknown contract", "no, new, firm", ""),
        ("sites", "site_id", "zz", "unknown site", "a, b", ""),
        ("market", "gen_id", "zz", "unknown generation", "nan, 1e5", ""),
        ("sites", "period", "2027-Q1", "is outside the horizon", "2026-Q1 to 2026-Q4", ""),
        ("racks", "period", "2025-Q4", "is outside the horizon", "2026-Q1 to 2026-Q4", ""),
        ("cash", "period", "2050-Q1", "is outside the horizon", "2026-Q1 to 2026-Q4", ""),
    ],
)
def test_unknown_names(table: str, column: str, value: str, problem: str, allowed: str, near: str) -> None:
    with pytest.raises(PlanError) as raised:
        check_names(renamed(table, column, value), hand_dataset())
    (fault,) = raised.value.faults
    assert (fault.table, fault.column, fault.value, fault.problem, fault.allowed, fault.suggestion) == (
        table, column, value, problem, allowed, near,
    )  # fmt: skip


def test_a_declined_prospect_may_start_after_the_horizon() -> None:
    assert "2027-Q1" in set(hand_plan().decisions["period"])
    check_names(hand_plan(), hand_dataset())


def test_all_names_at_once_and_each_once() -> None:
    plan = hand_plan()
    with pytest.raises(PlanError) as raised:
        check_names(hand_plan(racks=plan.racks.assign(site_id="zz"), sites=plan.sites.assign(period="2050-Q1")), hand_dataset())
    assert [(f.table, f.column, f.value) for f in raised.value.faults] == [("racks", "site_id", "zz"), ("sites", "period", "2050-Q1")]

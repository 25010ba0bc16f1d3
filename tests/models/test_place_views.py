"""What stands where: a plan by hand beside itself, beside another, and under directives."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from models.place_views import PLACE_COLUMNS, contracts_at, decisions_at, places, racks_at, sites_of
from models.plan import PLAN_COLUMNS
from tests.factories import small_dataset
from tests.models.hand_plan import PERIODS, hand_dataset, hand_plan


def cell(frame: pd.DataFrame, site: str, period: str) -> dict[str, Any]:
    (row,) = frame[(frame["site_id"] == site) & (frame["period"] == period)].to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_every_site_and_period_has_a_row() -> None:
    found = places(hand_plan(), hand_dataset())
    assert list(found.columns) == list(PLACE_COLUMNS)
    assert list(zip(found["site_id"], found["period"], strict=True)) == [(s, p) for s in "ab" for p in PERIODS]
    row = cell(found, "a", "2026-Q3")
    assert (row["racks"], row["it_mw"], row["gpus"], row["retired"], row["gen_id"]) == (6, pytest.approx(0.6), 60.0, 4, "nan")
    row = cell(found, "b", "2026-Q3")
    assert (row["racks"], row["it_mw"], row["gpus"], row["installed"], row["gen_id"]) == (3, pytest.approx(0.15), 12.0, 3, "1e5")
    assert cell(found, "a", "2026-Q1")["contract_id"] == "firm"
    assert cell(found, "b", "2026-Q1")["gen_id"] == ""
    assert not found["moved"].any()
    assert not found["frozen"].any()


def test_what_differs_from_another_plan_has_moved() -> None:
    """The other plan has its 6 racks at site b from 2026-Q3 on: both sites have moved then, not before."""
    racks = pd.DataFrame(
        [("a", "nan", "2026-Q1", 10, 0, 10), ("a", "nan", "2026-Q2", 0, 0, 10), *(("b", "nan", p, 0, 0, 6) for p in PERIODS[2:])],
        columns=[c.name for c in PLAN_COLUMNS["racks"]],
    )
    found = places(hand_plan(), hand_dataset(), hand_plan(racks=racks))
    assert found["moved"].tolist() == [False, False, True, True] * 2
    row = cell(found, "b", "2026-Q4")
    assert (row["racks"], row["base_racks"], row["gen_id"], row["base_gen_id"]) == (3, 6, "1e5", "nan")


def test_a_directive_freezes_its_site_and_periods() -> None:
    directives = [
        {"decision": "in_service", "site_id": "a", "gen_id": "h100", "to_period": "2026-Q2", "value": 1},
        {"decision": "installed", "from_period": "2026-Q4"},  # at all sites
        {"decision": "sign", "contract_id": "c", "value": 1},  # freezes no racks
        {"decision": "installed", "site_id": "b", "rule": "max", "from_period": "2026-Q2", "to_period": "2026-Q2"},  # nor does a bound
    ]
    dataset = small_dataset(directives=directives, contracts=[{"contract_id": "c", "status": "prospect"}])
    found = places(hand_plan(racks=hand_plan().racks.head(0), deliveries=hand_plan().deliveries.head(0)), dataset)
    assert found["frozen"].tolist() == [True, True, False, True, False, False, False, True]


def test_tables_of_a_site_and_of_a_contract() -> None:
    plan, dataset = hand_plan(), hand_dataset()
    assert racks_at(plan, dataset, "a").to_dict("index") == {"nan": dict(zip(PERIODS, [10, 10, 6, 6], strict=True))}
    assert racks_at(plan, dataset, "b").columns.tolist() == PERIODS
    served = {"2026-Q1": 0.1 + 0.2, "2026-Q2": 1 / 3, "2026-Q3": 0.0, "2026-Q4": 0.0}
    assert contracts_at(plan, dataset, "a").to_dict("index") == {"firm": served}
    assert sites_of(plan, dataset, "firm").to_dict("index") == {"a": served}
    assert sites_of(plan, dataset, "new").empty
    made = decisions_at(plan, dataset, "b")
    assert list(zip(made["kind"], made["id"], strict=True)) == [("open", "b"), ("build", "b-1")]
    assert decisions_at(plan, dataset, "a").empty

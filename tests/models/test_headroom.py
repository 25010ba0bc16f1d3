"""What sites have left and what stands idle, on plans whose figures follow by hand."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from models.dataset import Dataset
from models.exceptions import ExceptionKind, exceptions
from models.headroom import HEADROOM_COLUMNS, fleet_power, headroom
from models.plan import PLAN_COLUMNS, Plan, empty_table
from tests.factories import small_dataset
from tests.models.hand_plan import hand_dataset, hand_plan, summary


def plan_of(racks: list[tuple[str, str, str, int]], sites: list[dict[str, Any]]) -> Plan:
    """A plan with these racks in service, and these rows of sites: MW of the use, 10 MW of each limit unless given."""
    defaults = {
        "it_limit_mw": 10.0, "it_used_mw": 0.0, "liquid_limit_mw": 10.0, "liquid_used_mw": 0.0, "air_limit_mw": 10.0, "air_used_mw": 0.0,
        "facility_peak_mw": 0.0, "water_m3": 0.0, "binding": "",
    }  # fmt: skip
    names = [c.name for c in PLAN_COLUMNS["sites"]]
    rows = pd.DataFrame([{**dict.fromkeys(names, 0.0), **defaults, **row} for row in sites])[names]
    standing = pd.DataFrame([(s, g, t, 0, 0, n) for s, g, t, n in racks], columns=[c.name for c in PLAN_COLUMNS["racks"]])
    return Plan(summary(), {**{name: empty_table(name) for name in PLAN_COLUMNS}, "sites": rows, "racks": standing})


def one(dataset: Dataset, racks: list[tuple[str, str, str, int]], **row: Any) -> dict[str, Any]:
    """Headroom of site ``a`` in the first quarter."""
    found = headroom(plan_of(racks, [{"site_id": "a", "period": "2026-Q1", **row}]), dataset)
    assert list(found.columns) == list(HEADROOM_COLUMNS)
    return {str(name): value for name, value in found.to_dict("records")[0].items()}


def test_power_that_racks_fit_into_is_not_stranded() -> None:
    """6 of 10 MW used by air-cooled racks, 4 MW of air left: all of it is usable."""
    row = one(small_dataset(), [("a", "h100", "2026-Q1", 60)], it_used_mw=6.0, air_used_mw=6.0)
    assert (row["usable_mw"], row["stranded_mw"], row["missing"]) == (pytest.approx(4.0), 0.0, "")


def test_what_ends_first_is_missing() -> None:
    """4 MW are left, but only 1.55 MW of air: 15 racks of 0.1 MW fit, 2.5 MW stand idle."""
    row = one(small_dataset(), [("a", "h100", "2026-Q1", 60)], it_used_mw=6.0, air_used_mw=6.0, air_limit_mw=7.55)
    assert (row["usable_mw"], row["missing"]) == (pytest.approx(1.5), "air")
    assert row["stranded_mw"] == pytest.approx(2.5)


def test_the_generation_that_uses_most_counts() -> None:
    """No air is left, but liquid: the liquid-cooled generation can use all of the power."""
    gens = [{"gen_id": "h100"}, {"gen_id": "gb200", "liquid_share": 1.0, "rack_kw": 130.0}]
    row = one(small_dataset(generations=gens), [("a", "h100", "2026-Q1", 60)], it_used_mw=6.0, air_used_mw=6.0, air_limit_mw=6.0)
    assert row["usable_mw"] == pytest.approx(30 * 0.13)  # 4 MW hold 30 racks
    assert row["missing"] == ""
    assert row["stranded_mw"] == 0.0  # less than a rack is left over


def test_a_grid_node_is_shared_by_its_sites() -> None:
    """Below a node of 12 MW one site draws 6, the other 5: 1 MW is left for either, 3 of 4 MW stand idle."""
    dataset = small_dataset(
        sites=[{"site_id": "a", "grid_node": "low"}, {"site_id": "b", "grid_node": "low"}],
        grid_nodes=[{"node_id": "top"}, {"node_id": "low", "parent_id": "top"}],
        grid_limits=[{"node_id": "low", "from_period": "2026-Q1", "limit_mw": 12.0}, {"node_id": "top", "from_period": "2026-Q1", "limit_mw": 99.0}],
    )  # fmt: skip
    plan = plan_of(
        [("a", "h100", "2026-Q1", 60), ("b", "h100", "2026-Q1", 50)],
        [
            {"site_id": "a", "period": "2026-Q1", "it_used_mw": 6.0, "air_used_mw": 6.0, "facility_peak_mw": 6.0},
            {"site_id": "b", "period": "2026-Q1", "it_used_mw": 5.0, "air_used_mw": 5.0, "facility_peak_mw": 5.0},
        ],
    )
    a, b = headroom(plan, dataset).to_dict("records")
    assert (a["grid_node"], a["grid_limit"], a["grid_used"]) == ("low", 12.0, 11.0)
    assert (a["usable_mw"], a["stranded_mw"], a["missing"]) == (pytest.approx(1.0), pytest.approx(3.0), "grid")
    assert b["stranded_mw"] == pytest.approx(4.0)


def test_water_counts_at_the_use_that_the_plan_has() -> None:
    """6 MW use 600 of 700 m3: 1 MW more has water, 3 MW have not."""
    dataset = small_dataset(sites=[{"site_id": "a", "water_limit_m3_per_period": 700.0, "wue_l_per_kwh": 1.0}])
    row = one(dataset, [("a", "h100", "2026-Q1", 60)], it_used_mw=6.0, air_used_mw=6.0, water_m3=600.0)
    assert (row["usable_mw"], row["missing"]) == (pytest.approx(1.0), "water")


def test_no_rack_that_fits() -> None:
    """Halls that take 50 kW, racks of 100 kW: all power stands idle for want of a rack, and its lease is lost."""
    dataset = small_dataset(
        sites=[{"site_id": "a", "max_rack_kw": 50.0}], power_blocks=[{"block_id": "a-1", "site_id": "a", "lease_usd_per_kw_month": 100.0}]
    )
    row = one(dataset, [])
    assert (row["usable_mw"], row["stranded_mw"], row["missing"]) == (0.0, 10.0, "rack")
    assert row["lease_usd"] == pytest.approx(10 * 1000 * 100 * 3)


def test_without_limits_nothing_is_missing() -> None:
    row = one(small_dataset(), [("a", "h100", "2026-Q1", 100)], it_used_mw=10.0, air_used_mw=10.0, facility_peak_mw=10.0)
    assert (row["grid_limit"], row["water_limit"], row["grid_node"]) == (math.inf, math.inf, "")
    assert (row["stranded_mw"], row["missing"]) == (0.0, "")


def test_all_sites_by_period() -> None:
    sites = [
        {"site_id": s, "period": t, "it_used_mw": 6.0, "air_used_mw": 6.0, "air_limit_mw": 6.0}
        for s in "ab"
        for t in ("2026-Q1", "2026-Q3")
    ]
    dataset = small_dataset()
    found = fleet_power(headroom(plan_of([], sites), dataset), dataset)
    assert found["period"].tolist() == dataset.calendar.labels
    assert found["it_used_mw"].tolist() == [12.0, 0.0, 12.0, 0.0]
    assert found["it_limit_mw"].tolist() == [20.0, 0.0, 20.0, 0.0]
    assert found["stranded_mw"].tolist() == pytest.approx([8.0, 0.0, 8.0, 0.0])


def test_exceptions_are_ordered_by_money() -> None:
    """The plan by hand: one late contract with 550 USD of damages; site b has power for no rack at all (its air is 1 MW, of which
    half is used), site a has 2 MW and no liquid or air for it; then limits, the one that binds most often first."""
    found = exceptions(hand_plan(), hand_dataset())
    late = found[found["kind"] == ExceptionKind.LATE].to_dict("records")
    assert [(row["id"], row["usd"], row["most"], row["periods"], row["when"]) for row in late] == [
        ("firm", 550.0, 40.0, 3, "2026-Q1 to 2026-Q2, 2026-Q4")
    ]
    tight = found[found["kind"] == ExceptionKind.TIGHT]
    assert list(zip(tight["what"], tight["id"], tight["periods"], strict=True)) == [
        ("it_power", "a", 3),
        ("grid", "a", 2),
        ("water", "b", 1),
    ]
    assert tight["usd"].isna().all()
    money = found["usd"].dropna().tolist()
    assert money == sorted(money, reverse=True)
    assert found["usd"].isna().tolist() == sorted(found["usd"].isna())
    assert set(found.loc[found["kind"] == ExceptionKind.STRANDED, "id"]) == {"a"}


def test_a_plan_without_trouble_has_no_exceptions() -> None:
    plan = plan_of([("a", "h100", "2026-Q1", 60)], [{"site_id": "a", "period": "2026-Q1", "it_used_mw": 6.0, "air_used_mw": 6.0}])
    assert exceptions(plan, small_dataset()).empty

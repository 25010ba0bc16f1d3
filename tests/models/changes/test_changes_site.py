"""Changes of sites: the rows they write, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from optimizer.instance import Instance
from tests.factories import small_dataset
from tests.models.changes.changes_kit import applied, codes, differences, faults, reference

DERATE = {"type": "site.derate", "site_id": "a"}
LATE = {"type": "site.energization_delay", "site_id": "a"}


def test_derate_by_share_takes_it_off_the_firm_power() -> None:
    """10 MW less 20 % is 8 MW in Q2 and Q3; in Q4 no limit holds again."""
    change = DERATE | {"derate_share": 0.2, "from_period": "2026-Q2", "to_period": "2026-Q3"}
    assert differences(small_dataset(), change) == [
        ("site_limits", "a", "2026-Q2", "added", {"it_mw": 8.0}),
        ("site_limits", "a", "2026-Q4", "added", {}),
    ]


def test_derate_follows_blocks_that_come_in_its_time() -> None:
    """10 MW, then 30 MW: half of each."""
    blocks = [{"block_id": "a-1", "site_id": "a"}, {"block_id": "a-2", "site_id": "a", "it_mw": 20, "energized": "2026-Q3"}]
    data = small_dataset(power_blocks=blocks)
    assert differences(data, DERATE | {"derate_share": 0.5}) == [
        ("site_limits", "a", "2026-Q1", "added", {"it_mw": 5.0}),
        ("site_limits", "a", "2026-Q3", "added", {"it_mw": 15.0}),
    ]


def test_derate_keeps_lower_limits_and_other_columns() -> None:
    """A limit of 4 MW in Q2 is below 6 MW and stays; 9 MW in Q3 becomes 6, and the air limit beside it stays."""
    limits = [
        {"site_id": "a", "from_period": "2026-Q2", "it_mw": 4, "air_mw": 3},
        {"site_id": "a", "from_period": "2026-Q3", "it_mw": 9, "air_mw": 3},
    ]
    assert differences(small_dataset(site_limits=limits), DERATE | {"it_mw": 6, "from_period": "2026-Q2"}) == [
        ("site_limits", "a", "2026-Q3", "changed", {"it_mw": 6.0}),
    ]


def test_derate_by_share_of_what_a_limit_leaves() -> None:
    """Half of the 4 MW that a limit leaves of 10."""
    data = small_dataset(site_limits=[{"site_id": "a", "from_period": "2026-Q1", "it_mw": 4}])
    assert differences(data, DERATE | {"derate_share": 0.5}) == [("site_limits", "a", "2026-Q1", "changed", {"it_mw": 2.0})]


def test_derate_of_cooling() -> None:
    """A quarter less air and a limit of 2 MW on liquid are two changes of one row, of different cells."""
    result = applied(small_dataset(), DERATE | {"derate_share": 0.25, "resource": "air"}, DERATE | {"liquid_mw": 2})
    assert result.dataset["site_limits"].to_dict("records")[0] | {"it_mw": 0} == {
        "site_id": "a", "from_period": "2026-Q1", "it_mw": 0, "liquid_mw": 2.0, "air_mw": 7.5,
    }  # fmt: skip
    assert codes(result) == []


def test_derate_above_capacity_alters_nothing() -> None:
    """12 MW is more than the site has."""
    assert codes(applied(small_dataset(), DERATE | {"it_mw": 12})) == ["no_effect"]


def test_derate_with_options_warns() -> None:
    """Whether options are built is not known: half of 10 MW, then of 30 MW, and the warning says so."""
    blocks = [
        {"block_id": "a-1", "site_id": "a"},
        {"block_id": "a-2", "site_id": "a", "it_mw": 20, "energized": "2026-Q3", "status": "option"},
    ]
    result = applied(small_dataset(power_blocks=blocks), DERATE | {"derate_share": 0.5})
    assert codes(result) == ["options_counted"]
    assert "20 MW at a count as built from 2026-Q3 on" in str(result.warnings[0])
    assert result.dataset["site_limits"]["it_mw"].tolist() == [5.0, 15.0]


def test_outage_of_one_period() -> None:
    """0 MW in Q2; an outage to the end needs no row after it."""
    change = {"type": "site.outage", "site_id": "b", "from_period": "2026-Q2"}
    assert differences(small_dataset(), change) == [
        ("site_limits", "b", "2026-Q2", "added", {"it_mw": 0.0}),
        ("site_limits", "b", "2026-Q3", "added", {}),
    ]
    assert differences(small_dataset(), change | {"outage_periods": 9}) == [("site_limits", "b", "2026-Q2", "added", {"it_mw": 0.0})]


def test_close_overrules_later_rows() -> None:
    """A limit that would be lifted in Q4 stays 0."""
    limits = [{"site_id": "a", "from_period": "2026-Q1", "it_mw": 5}, {"site_id": "a", "from_period": "2026-Q4"}]
    change = {"type": "site.close", "site_id": "a", "from_period": "2026-Q3"}
    assert differences(small_dataset(site_limits=limits), change) == [
        ("site_limits", "a", "2026-Q4", "removed", {}),
        ("site_limits", "a", "2026-Q3", "added", {"it_mw": 0.0}),
    ]


def test_late_power_moves_blocks_from_a_period_on() -> None:
    """The block of Q3 moves to 2027-Q1, the one of Q1 and that of the other site stay; an option's earliest moves too."""
    blocks: list[dict[str, Any]] = [
        {"block_id": "a-1", "site_id": "a"},
        {"block_id": "a-2", "site_id": "a", "energized": "2026-Q3"},
        {"block_id": "a-3", "site_id": "a", "energized": "2026-Q4", "status": "option"},
        {"block_id": "b-1", "site_id": "b", "energized": "2026-Q3"},
    ]
    data = small_dataset(power_blocks=blocks)
    assert differences(data, LATE | {"delay_periods": 2, "from_period": "2026-Q3"}) == [
        ("power_blocks", "a-2", "changed", {"energized": "2027-Q1"}),
        ("power_blocks", "a-3", "changed", {"energized": "2027-Q2"}),
    ]
    assert differences(data, LATE | {"delay_periods": 1, "block_id": "a-3"}) == [
        ("power_blocks", "a-3", "changed", {"energized": "2027-Q1"})
    ]
    (fault,) = faults(data, LATE | {"delay_periods": 1, "block_id": "b-1"})
    assert (fault.code, fault.pointer, fault.allowed) == ("wrong_site", "/0/block_id", "a-1, a-2, a-3")


@pytest.mark.parametrize(
    ("limits", "late"),
    [
        ([4, 6, 8, None], [4, 4, 6, 8]),  # a ramp comes a period later
        ([4, None, 1, None], [4, 4, 1, None]),  # the rise is late, the derate and its end are when they were
        ([None, 3, 3, None], [None, 3, 3, None]),  # a derate of what is there is no late power
    ],
)
def test_late_power_delays_rising_limits(limits: list[float | None], late: list[float | None]) -> None:
    """min(L[t], max of L from before the delay to t - 1), by hand."""
    labels = ["2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"]
    rows = [{"site_id": "a", "from_period": q, "it_mw": mw} for q, mw in zip(labels, limits, strict=True)]
    data = applied(small_dataset(site_limits=rows), LATE | {"delay_periods": 1, "from_period": "2026-Q2"}).dataset
    inst = Instance(data)
    held = inst.site_limits["it"][inst.site_at["a"]]
    assert held.tolist() == [np.inf if mw is None else mw for mw in late]


def test_late_power_of_denton_as_in_the_reference() -> None:
    """The site stays at 150 MW until 2026-Q4; its third block comes in 2027-Q1, the fourth in 2027-Q3."""
    change = {"type": "site.energization_delay", "site_id": "denton-tx", "delay_periods": 2, "from_period": "2026-Q3"}
    result = applied(reference(), change)
    assert result.sentences == ("denton-tx: power energized 2 quarters later from 2026-Q3",)
    limits = result.dataset["site_limits"]
    assert limits["from_period"].tolist() == ["2025-Q4", "2026-Q1", "2026-Q2", "2027-Q1"]
    assert limits["it_mw"].tolist()[:3] == [60.0, 100.0, 150.0]
    assert np.isnan(limits["it_mw"].iloc[3])
    blocks = result.dataset["power_blocks"]
    assert blocks[blocks["site_id"] == "denton-tx"]["energized"].tolist() == ["2025-Q4", "2026-Q1", "2027-Q1", "2027-Q3"]


def test_new_block() -> None:
    """At an open site it is contracted, at a candidate an option; its id must be new."""
    data = small_dataset(sites=[{"site_id": "a"}, {"site_id": "new", "status": "candidate"}])
    block = {"type": "site.add_block", "block_id": "x", "it_mw": 5, "air_mw": 4, "liquid_mw": 3, "energized": "2026-Q3"}
    for site, status in (("a", "firm"), ("new", "option")):
        row = applied(data, block | {"site_id": site}).dataset["power_blocks"].iloc[-1]
        assert (row.block_id, row.site_id, row.it_mw, row.air_mw, row.liquid_mw, row.status) == ("x", site, 5, 4, 3, status)
    (fault,) = faults(data, block | {"site_id": "a", "block_id": "a-1"})
    assert (fault.code, fault.pointer, fault.value) == ("duplicate_id", "/0/block_id", "a-1")
    (fault,) = faults(data, block | {"site_id": "a", "capex_usd": 7})
    assert (fault.code, fault.pointer) == ("capex_of_firm_block", "/0")


def test_density() -> None:
    """A figure of sites; None lets any rack in."""
    change = {"type": "site.density", "site_id": "a", "max_rack_kw": 40}
    assert differences(small_dataset(), change) == [("sites", "a", "changed", {"max_rack_kw": 40.0})]
    assert codes(applied(small_dataset(), change | {"max_rack_kw": None})) == ["no_effect"]


def test_limits_reach_the_optimizer() -> None:
    """The instance reads what late power, a derate and an outage write: 10 MW, a second 10 MW in Q3, 20 % less in Q4, none in Q1."""
    blocks = [{"block_id": "a-1", "site_id": "a"}, {"block_id": "a-2", "site_id": "a", "energized": "2026-Q2"}]
    changes = [
        LATE | {"delay_periods": 1},
        DERATE | {"derate_share": 0.2, "from_period": "2026-Q4"},
        {"type": "site.outage", "site_id": "a", "from_period": "2026-Q1"},
    ]
    inst = Instance(applied(small_dataset(power_blocks=blocks), *changes).dataset)
    assert np.allclose(inst.it_most[inst.site_at["a"]], [0, 10, 20, 16])

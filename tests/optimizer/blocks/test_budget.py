"""Capex budget: what is spent up to a period comes out of the budget up to then."""

from __future__ import annotations

import pytest

from tests.optimizer.blocks.hand import best, npv, one, racks
from tests.optimizer.cover import covers


@covers("capex_budget")
def test_capex_budget() -> None:
    """35,000 USD buy 3 racks: NPV(3) = -216,000 + 3*54,800 = -51,600."""
    assert npv(**one(), capex_budget=[{"period": "2026-Q1", "usd": 35_000}]) == pytest.approx(-51_600)
    assert npv(**one()) == pytest.approx(racks(10))


@covers("capex_budget")
def test_what_is_not_spent_stays() -> None:
    """35,000 in each of two quarters: 3 racks in the first, 7 in all by the second (2184 hours).

    -100*4344 + 3*30*2160 + 7*30*2184 - 70,000 = 148,640.
    """
    budget = [{"period": p, "usd": 35_000} for p in ("2026-Q1", "2026-Q2")]
    found = best(periods=2, sites=[{"site_id": "a"}], capex_budget=budget)
    assert found.summary.npv_usd == pytest.approx(148_640)
    assert found.racks.set_index("period")["installed"].to_dict() == {"2026-Q1": 3, "2026-Q2": 4}


@covers("capex_budget")
def test_activation_and_blocks_are_capital_too() -> None:
    """A candidate for 20,000 with a block for 30,000 leaves 25,000 of 75,000, 2 racks: NPV(2) - 50,000 = -156,400; declined it is -216,000."""
    site = {"periods": 1, "sites": [{"site_id": "a", "status": "candidate", "activation_usd": 20_000}]}
    block = [{"block_id": "x", "site_id": "a", "energized": "2026-Q1", "capex_usd": 30_000}]
    assert npv(**site, power_blocks=block, capex_budget=[{"period": "2026-Q1", "usd": 75_000}]) == pytest.approx(-156_400)

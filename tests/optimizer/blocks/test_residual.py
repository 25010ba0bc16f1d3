"""Residual value: half of the price of 10,000 USD a rack, falling over a life of 8 quarters."""

from __future__ import annotations

import pytest

from tests.optimizer.blocks.hand import best, npv
from tests.optimizer.cover import covers

GENS = [{"gen_id": "h100", "residual_factor": 0.5, "life_periods": 8}]
SITE = {"sites": [{"site_id": "a"}], "generations": GENS}


@covers("residual_value")
def test_racks_are_worth_something_at_the_end() -> None:
    """4 of 8 quarters old: 10 * 0.5*10,000*(1 - 4/8) = 25,000; discounted at 10 % over a year when asked."""
    assert npv(**SITE) == pytest.approx(1_677_000)
    assert best(**SITE, discount_rate=0.1).summary.npv_terms["residual_value"] == pytest.approx(25_000 / 1.1)


@covers("kept_of_cohort")
def test_each_cohort_has_its_own_age() -> None:
    """5 racks in Q1 (2,500 each at the end), 5 in Q3 (5,000*(1 - 2/8) = 3,750 each) = 31,250.

    2*50*4344 - 50*4344 + 2*100*4416 - 100,000 + 31,250 = 1,031,650; all kept as young ones would be 37,500.
    """
    supply = [{"gen_id": "h100", "period": p, "racks": 5} for p in ("2026-Q1", "2026-Q3")]
    found = best(**SITE, supply=supply)
    assert found.summary.npv_usd == pytest.approx(1_031_650)
    assert found.summary.npv_terms["residual_value"] == pytest.approx(31_250)


@covers("residual")
def test_only_racks_still_there_count() -> None:
    """A derate to 5 racks in the last quarter: 2*100*6552 + 2*50*2208 - 50*2208 - 100,000 + 5*2,500 = 1,333,300."""
    limits = [{"site_id": "a", "from_period": "2026-Q4", "it_mw": 0.5}]
    found = best(**SITE, site_limits=limits)
    assert found.summary.npv_usd == pytest.approx(1_310_400 + 110_400 - 100_000 + 12_500)

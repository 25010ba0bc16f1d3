"""Residual value: half of the price of 10,000 USD a rack, falling over a life of 8 quarters."""

from __future__ import annotations

from typing import Any

import pytest

from tests.optimizer.blocks.hand import best, npv
from tests.optimizer.blocks.test_supply import allocated, without
from tests.optimizer.cover import covers

GENS = [{"gen_id": "h100", "residual_factor": 0.5, "life_periods": 8}]
SITE: dict[str, Any] = {"sites": [{"site_id": "a"}], "generations": GENS}


@covers("residual_value")
def test_racks_are_worth_something_at_the_end() -> None:
    """4 of 8 quarters old: 10 * 0.5*10,000*(1 - 4/8) = 25,000, 1,652,000 + 25,000 = 1,677,000; discounted at 10 % over a year when asked.

    The price is that of the last period: 400 USD a GPU from Q3 on leave 10 * 0.5*4,000*(1 - 4/8) = 10,000, 1,662,000.
    """
    assert npv(**SITE) == pytest.approx(1_677_000, rel=1e-9)
    assert npv(sites=SITE["sites"]) == pytest.approx(1_652_000, rel=1e-9)
    assert best(**SITE, discount_rate=0.1).summary.npv_terms["residual_value"] == pytest.approx(25_000 / 1.1, rel=1e-9)
    falling = [{"gen_id": "h100", "from_period": p, "usd_per_gpu": usd} for p, usd in (("2026-Q1", 1000), ("2026-Q3", 400))]
    assert npv(**SITE, gpu_prices=falling) == pytest.approx(1_662_000, rel=1e-9)


@covers("residual_value", "residual")
def test_so_is_the_fleet() -> None:
    """In service since 2025-Q4, 5 of 8 quarters old: 10 * 5,000*(1 - 5/8) = 18,750, 1,752,000 + 18,750 = 1,770,750.

    A derate to 5 racks in the last quarter leaves 5 of them: 2*100*6552 + 2*50*2208 - 50*2208 + 9,375 = 1,430,175;
    without the row all 10 count, 1,439,550.
    """
    tables: dict[str, Any] = {
        **SITE,
        "supply": [],
        "fleet": [{"site_id": "a", "gen_id": "h100", "in_service_since": "2025-Q4", "racks": 10}],
    }
    assert npv(**tables) == pytest.approx(1_770_750, rel=1e-9)
    limits = [{"site_id": "a", "from_period": "2026-Q4", "it_mw": 0.5}]
    assert npv(**tables, site_limits=limits) == pytest.approx(1_430_175, rel=1e-9)
    assert without("residual", **tables, site_limits=limits) == pytest.approx(1_439_550)


@covers("kept_of_cohort")
def test_each_cohort_has_its_own_age() -> None:
    """5 racks in Q1 (2,500 each at the end), 5 in Q3 (5,000*(1 - 2/8) = 3,750 each) = 31,250.

    2*50*4344 - 50*4344 + 2*100*4416 - 100,000 + 31,250 = 1,031,650. Without the row all 10 are kept as if installed in Q4,
    5,000*(1 - 1/8) = 4,375 each: 1,031,650 + 12,500 = 1,044,150. All of them from Q1: 1,652,000 + 25,000 = 1,677,000.
    """
    supply = allocated(("2026-Q1", 5), ("2026-Q3", 5))
    found = best(**SITE, supply=supply)
    assert found.summary.npv_usd == pytest.approx(1_031_650, rel=1e-9)
    assert found.summary.npv_terms["residual_value"] == pytest.approx(31_250, rel=1e-9)
    assert without("kept_of_cohort", **SITE, supply=supply) == pytest.approx(1_044_150)
    assert npv(**SITE) == pytest.approx(1_677_000, rel=1e-9)


@covers("residual")
def test_only_racks_still_there_count() -> None:
    """A derate to 5 racks in the last quarter: 2*100*6552 + 2*50*2208 - 50*2208 - 100,000 + 5*2,500 = 1,333,300.

    Without the row the 5 retired count as well, 1,345,800; without the derate 1,677,000.
    """
    limits = [{"site_id": "a", "from_period": "2026-Q4", "it_mw": 0.5}]
    found = best(**SITE, site_limits=limits)
    assert found.summary.npv_usd == pytest.approx(1_333_300, rel=1e-9)
    assert found.racks["in_service"].tolist() == [10, 10, 10, 5]
    assert without("residual", **SITE, site_limits=limits) == pytest.approx(1_345_800)
    assert npv(**SITE) == pytest.approx(1_677_000, rel=1e-9)

"""Fleet: racks over time, their end of life, the rate of installation, capital and running cost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.optimizer.blocks.hand import YEAR, best, npv, one, racks
from tests.optimizer.cover import covers

OLD: dict[str, Any] = {
    "sites": [{"site_id": "a"}],
    "supply": [],
    "fleet": [{"site_id": "a", "gen_id": "h100", "in_service_since": "2025-Q4", "racks": 10}],
}


@covers("fleet")
def test_the_fleet_serves_on() -> None:
    """10 racks from before the start deliver all year without capital: 2*100*8760 = 1,752,000; without them, damages = -876,000."""
    assert npv(**OLD) == pytest.approx(1_752_000)
    assert npv(**{**OLD, "fleet": []}) == pytest.approx(-876_000)


@covers("end_of_life")
def test_end_of_life() -> None:
    """A life of 2 quarters from 2025-Q4 ends with 2026-Q1: 2*100*2160 - 100*6600 = -228,000."""
    found = best(**OLD, generations=[{"gen_id": "h100", "life_periods": 2}])
    assert found.summary.npv_usd == pytest.approx(-228_000)
    assert list(found.racks["retired"]) == [0, 10]
    assert npv(**OLD, generations=[{"gen_id": "h100", "life_periods": 5}]) == pytest.approx(1_752_000)


@covers("install_rate")
def test_install_rate() -> None:
    """2 racks a quarter: NPV(2) = -216,000 + 2*54,800 = -106,400."""
    assert npv(**one(install_racks_per_period=2)) == pytest.approx(-106_400)
    assert npv(**one()) == pytest.approx(racks(10))


@covers("rack_size")
def test_halls_take_racks_up_to_their_size() -> None:
    """A rack of 100 kW does not fit a hall for 90 kW: NPV(0) = -216,000; at 100 kW it does."""
    assert npv(**one(max_rack_kw=90)) == pytest.approx(-216_000)
    assert npv(**one(max_rack_kw=100)) == pytest.approx(racks(10))


@covers("install_window")
def test_install_window() -> None:
    """Installable in 2026-Q2 only: damages of Q1 = -216,000, then 10 racks for 6,600 hours: 2*100*6600 - 100,000 = 1,220,000."""
    window = [{"gen_id": "h100", "first_install": "2026-Q2", "last_install": "2026-Q2"}]
    late = [{"gen_id": "h100", "period": "2026-Q1", "racks": 10}]
    assert npv(sites=[{"site_id": "a"}], generations=window, supply=late) == pytest.approx(1_004_000)
    too_late = [{"gen_id": "h100", "period": "2026-Q3", "racks": 10}]
    assert npv(sites=[{"site_id": "a"}], generations=window, supply=too_late) == pytest.approx(racks(0, YEAR))


@covers("gpu_capital", "opex")
def test_capital_and_running_cost() -> None:
    """10 racks at 10*1,000 + 500 USD = 105,000 in the first quarter, discounted half a quarter; 1,200 USD a rack and year in four parts.

    disc[t] = 1.1**-((t+0.5)/4); opex = 10*300*(disc[0]+disc[1]+disc[2]+disc[3]).
    """
    disc = [1.1 ** -((t + 0.5) / 4) for t in range(4)]
    gens = [{"gen_id": "h100", "install_usd_per_rack": 500, "opex_usd_per_rack_year": 1_200}]
    found = best(sites=[{"site_id": "a"}], generations=gens, discount_rate=0.1)
    assert found.summary.npv_terms["gpu_capital"] == pytest.approx(-105_000 * disc[0])
    assert found.summary.npv_terms["opex"] == pytest.approx(-3_000 * sum(disc))

"""Cooling: heat to liquid and air, and retrofits of air-cooled halls."""

from __future__ import annotations

from typing import Any

import pytest

from tests.optimizer.blocks.hand import best, block, npv, one, racks
from tests.optimizer.cover import covers

LIQUID = [{"gen_id": "h100", "liquid_share": 1.0}]


def retrofit(**values: Any) -> dict[str, Any]:
    """Site ``a`` with air only, racks that need liquid, and a retrofit of 5,000 USD + 10 USD per kW (1,000 USD a rack)."""
    row = {"site_id": "a", "min_mw": 0, "max_mw": 10, "fixed_usd": 5_000, "usd_per_kw": 10, "lead_periods": 0, **values}
    return {"generations": LIQUID, "power_blocks": block(liquid_mw=0), "retrofits": [row]}


@covers("liquid")
def test_liquid() -> None:
    """0.35 MW of liquid cool 3 racks whose heat it takes: NPV(3) = -216,000 + 3*54,800 = -51,600."""
    assert npv(**one(), generations=LIQUID, power_blocks=block(liquid_mw=0.35)) == pytest.approx(-51_600)
    assert npv(**one(), generations=LIQUID) == pytest.approx(racks(10))


@covers("air")
def test_air() -> None:
    """0.25 MW of air cool 2 racks: NPV(2) = -216,000 + 2*54,800 = -106,400."""
    assert npv(**one(), power_blocks=block(air_mw=0.25)) == pytest.approx(-106_400)
    assert npv(**one(), power_blocks=block(air_mw=10)) == pytest.approx(racks(10))


@covers("liquid_limit")
def test_liquid_limit() -> None:
    """A derate of liquid to 0.35 MW leaves 3 racks: NPV(3) = -51,600."""
    limit = [{"site_id": "a", "from_period": "2026-Q1", "liquid_mw": 0.35}]
    assert npv(**one(), generations=LIQUID, site_limits=limit) == pytest.approx(-51_600)
    assert npv(**one(), generations=LIQUID) == pytest.approx(racks(10))


@covers("air_limit")
def test_air_limit() -> None:
    """A derate of air to 0.25 MW leaves 2 racks: NPV(2) = -106,400."""
    limit = [{"site_id": "a", "from_period": "2026-Q1", "air_mw": 0.25}]
    assert npv(**one(), site_limits=limit) == pytest.approx(-106_400)


@covers("retrofit_most", "retrofits")
def test_the_largest_order() -> None:
    """0.3 MW of liquid at most, 3 racks: -51,600 - 5,000 - 3*1,000 = -59,600; at 1 MW, 10 racks: 332,000 - 15,000 = 317,000."""
    small = best(**one(), **retrofit(max_mw=0.3))
    assert small.summary.npv_usd == pytest.approx(-59_600)
    assert small.summary.npv_terms["retrofits"] == pytest.approx(-8_000)
    assert npv(**one(), **retrofit(max_mw=1)) == pytest.approx(317_000)


@covers("retrofit_least")
def test_the_smallest_order() -> None:
    """4 racks need 0.4 MW, but 2 MW must be ordered: NPV(4) = 3,200, less 5,000 + 2,000*10 = 25,000, is -21,800; else -5,800."""
    supply = [{"gen_id": "h100", "period": "2026-Q1", "racks": 4}]
    assert npv(**one(), **retrofit(min_mw=2), supply=supply) == pytest.approx(-21_800)
    assert npv(**one(), **retrofit(min_mw=0.4), supply=supply) == pytest.approx(-5_800)


@covers("retrofit_once")
def test_one_order_per_site() -> None:
    """Two quarters, 4344 hours: 0.3 MW once are 3 racks, -434,400 + 3*120,320 - 5,000 - 3*1,000 = -81,440; two orders would hold 6."""
    two = {"periods": 2, "sites": [{"site_id": "a"}]}
    found = best(**two, **retrofit(max_mw=0.3))
    assert found.summary.npv_usd == pytest.approx(-81_440)
    assert list(found.decisions["kind"]) == ["retrofit"]
    assert npv(**two, **retrofit(max_mw=0.6)) == pytest.approx(-434_400 + 6 * 120_320 - 5_000 - 6_000)


@covers("retrofit_air")
def test_only_halls_that_stand_are_converted() -> None:
    """0.3 MW of air is all there is to convert, 3 racks: -51,600 - 8,000 = -59,600."""
    tables = {**retrofit(), "power_blocks": block(liquid_mw=0, air_mw=0.3)}
    assert npv(**one(), **tables) == pytest.approx(-59_600)


@covers("retrofit_total")
def test_liquid_comes_after_the_lead() -> None:
    """Ordered in the first quarter, cooling from the second, 2184 hours: -216,000 - 218,400 + 10*55,520 - 5,000 - 10,000 = 105,800."""
    found = best(periods=2, sites=[{"site_id": "a"}], **retrofit(lead_periods=1, downtime_periods=0))
    assert found.summary.npv_usd == pytest.approx(105_800)
    assert list(found.decisions["period"]) == ["2026-Q1"]
    assert list(found.racks["period"]) == ["2026-Q2"]


@covers("air")
def test_air_goes_when_the_work_starts() -> None:
    """Fleet of 10 air-cooled racks, a retrofit forced in the first quarter: it takes all 1 MW of air with it, so the fleet goes.

    Two quarters of damages = -100*4344 = -434,400, and the order 5,000 + 10,000: -449,400.
    """
    fleet = [{"site_id": "a", "gen_id": "h100", "in_service_since": "2025-Q4", "racks": 10}]
    order = [{"row": "1", "rule": "min", "decision": "retrofit", "site_id": "a", "from_period": "2026-Q1", "value": 1.0}]
    row = {"site_id": "a", "min_mw": 0, "max_mw": 1, "fixed_usd": 5_000, "usd_per_kw": 10, "lead_periods": 2}
    tables = {"periods": 2, "sites": [{"site_id": "a"}], "fleet": fleet, "supply": [], "power_blocks": block(air_mw=1, liquid_mw=0)}
    assert npv(**tables, retrofits=[row], directives=order) == pytest.approx(-449_400)
    assert npv(**tables, retrofits=[row]) == pytest.approx(2 * 100 * 4344)


@covers("open_retrofit")
def test_candidates_are_converted_once_open() -> None:
    """The candidate must be opened for 7,000 USD: 317,000 - 7,000 = 310,000."""
    site = {"periods": 1, "sites": [{"site_id": "a", "status": "candidate", "activation_usd": 7_000}]}
    tables = retrofit(max_mw=1)
    found = best(**site, **{**tables, "power_blocks": block(liquid_mw=0, status="option")})
    assert found.summary.npv_usd == pytest.approx(310_000)
    assert sorted(found.decisions["kind"]) == ["build", "open", "retrofit"]

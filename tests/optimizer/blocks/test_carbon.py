"""Carbon: emissions of the energy, their price, and the cap of a year."""

from __future__ import annotations

from typing import Any

import pytest

from tests.optimizer.blocks.hand import best, npv, one, racks
from tests.optimizer.cover import covers

COAL = [{"price_zone": "P", "from_period": "2026-Q1", "slice": "all", "hours_share": 1.0, "usd_per_mwh": 0, "gco2_per_kwh": 500}]


@covers("carbon_cap")
def test_carbon_cap() -> None:
    """0.01 MW * 2160 h * 0.5 t/MWh = 10.8 t a GPU: 250 t are 23.148 GPUs in 3 racks: -216,000 + 250/10.8*3*2160 - 30,000 = -96,000."""
    tables: dict[str, Any] = {**one(), "energy": COAL}
    assert npv(**tables, carbon_cap=[{"year": 2026, "tonnes": 250}]) == pytest.approx(-96_000)
    assert npv(**tables, carbon_cap=[{"year": 2027, "tonnes": 250}]) == pytest.approx(racks(10))


@covers("carbon")
def test_carbon_price() -> None:
    """1 MW for 2160 hours emits 1,080 t; at 50 USD = 54,000."""
    price = [{"price_zone": "P", "from_period": "2026-Q1", "usd_per_t": 50}]
    found = best(**one(), energy=COAL, carbon_prices=price)
    assert found.summary.npv_terms["carbon"] == pytest.approx(-54_000)
    assert found.summary.npv_usd == pytest.approx(racks(10) - 54_000)


@pytest.mark.parametrize("idle", [0.0, 0.3])
def test_a_cap_where_nothing_can_emit_limits_nothing(idle: float) -> None:
    """No carbon in the grid; or nothing that draws power in the year of the cap, but the overhead, which it has room for."""
    gens = [{"gen_id": "h100", "idle_share": idle}]
    cap = [{"year": 2026, "tonnes": 6_000}, {"year": 2027, "tonnes": 9_000}]
    assert npv(**one(), generations=gens, carbon_cap=cap) == pytest.approx(racks(10))
    late = best(
        periods=8, sites=[{"site_id": "a", "overhead_mw": 1}], generations=gens, energy=COAL, carbon_cap=cap, contracts=[{"contract_id": "c", "start": "2027-Q1"}],
        supply=[{"gen_id": "h100", "period": "2027-Q1"}],
    )  # fmt: skip
    assert late.summary.kpis["tco2"] == pytest.approx(0.5 * (8760 * 2 + 8760))

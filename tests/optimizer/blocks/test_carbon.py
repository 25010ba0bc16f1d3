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

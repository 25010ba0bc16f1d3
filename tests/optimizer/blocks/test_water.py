"""Water: what cooling the IT load of a site uses in a period."""

from __future__ import annotations

import pytest

from tests.optimizer.blocks.hand import npv, one, racks
from tests.optimizer.cover import covers


@covers("water")
def test_water() -> None:
    """1 m3/MWh * 0.01 MW * 2160 h = 21.6 m3 a GPU: 500 m3 are 23.148 GPUs in 3 racks: -216,000 + 500/21.6*3*2160 - 30,000 = -96,000."""
    assert npv(**one(wue_l_per_kwh=1, water_limit_m3_per_period=500, overhead_mw=1)) == pytest.approx(-96_000)
    assert npv(**one(wue_l_per_kwh=1)) == pytest.approx(racks(10))


def test_a_limit_where_racks_stand_idle_limits_nothing() -> None:
    """Racks that draw nothing while they are idle, installed half a year before the contract begins: no water, no row."""
    dry = {"site_id": "a", "wue_l_per_kwh": 1, "water_limit_m3_per_period": 500}
    found = npv(sites=[dry], contracts=[{"contract_id": "c", "start": "2026-Q3"}])
    assert found == pytest.approx(-100 * 4416 + 3 * 4416 * 500 / (0.01 * 2208) - 30_000)

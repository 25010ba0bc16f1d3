"""Energy: average draw by load, PUE and slices of the hours."""

from __future__ import annotations

import pytest

from tests.optimizer.blocks.hand import best, one
from tests.optimizer.cover import covers


@covers("energy")
def test_energy() -> None:
    """3 racks for 25 GPUs: idle 40 %, load 80 %, PUE 1.25, overhead 0.1 MW.

    IT = 0.01*(0.4*30 + (0.8-0.4)*25) = 0.22 MW for 3 racks; facility = 0.1 + 1.25*0.22 = 0.375 MW.
    Mean price = 0.25*100 + 0.75*20 = 40 USD/MWh; cost = 2160*0.375*40 = 32,400.
    """
    slices = [
        {"price_zone": "P", "from_period": "2026-Q1", "slice": "peak", "hours_share": 0.25, "usd_per_mwh": 100},
        {"price_zone": "P", "from_period": "2026-Q1", "slice": "off", "hours_share": 0.75, "usd_per_mwh": 20},
    ]
    found = best(
        **one(overhead_mw=0.1, pue_air=1.25, pue_air_peak=1.25),
        generations=[{"gen_id": "h100", "idle_share": 0.4}],
        contracts=[{"contract_id": "c", "load_share": 0.8}],
        contract_ramp=[{"contract_id": "c", "from_period": "2026-Q1", "gpus": 25}],
        energy=slices,
    )
    assert int(found.racks["installed"].sum()) == 3
    assert found.summary.npv_terms["energy"] == pytest.approx(-32_400)

"""Delivery: sellable GPUs, what is owed, delivered and short."""

from __future__ import annotations

import pytest

from tests.optimizer.blocks.hand import best, npv, one, racks
from tests.optimizer.cover import covers


@covers("sellable")
def test_spares_are_held_beside_what_is_delivered() -> None:
    """One spare per GPU: 100 GPUs in 10 racks deliver 50: 2*50*2160 - 50*2160 - 100,000 = 8,000; without spares 332,000."""
    assert npv(**one(), contracts=[{"contract_id": "c", "spare_share": 1.0}]) == pytest.approx(8_000)
    assert npv(**one()) == pytest.approx(racks(10)) == pytest.approx(332_000)


@covers("sellable")
def test_a_new_rack_bills_for_a_share_of_its_first_period() -> None:
    """Half of the first quarter, all of the second (2184 hours): 2*(50*2160 + 100*2184) - 50*2160 - 100,000 = 444,800."""
    assert npv(periods=2, sites=[{"site_id": "a"}], commissioning_share=0.5) == pytest.approx(444_800)


@covers("delivery", "contract_revenue")
def test_no_more_is_delivered_than_owed() -> None:
    """20 racks are to be had, 100 GPUs owed: 2*100*2160 = 432,000 of revenue, 332,000 after capital; 150 owed: 648,000 - 150,000."""
    supply = [{"gen_id": "h100", "period": "2026-Q1", "racks": 20}]
    found = best(**one(), supply=supply)
    assert found.summary.npv_usd == pytest.approx(332_000)
    assert found.summary.npv_terms["contract_revenue"] == pytest.approx(432_000)
    more = [{"contract_id": "c", "from_period": "2026-Q1", "gpus": 150}]
    assert npv(**one(), supply=supply, contract_ramp=more) == pytest.approx(498_000)


@covers("damages")
def test_damages() -> None:
    """4 racks leave 60 GPUs short at 1 USD: 60*2160 = 129,600, half a quarter discounted at 10 %."""
    supply = [{"gen_id": "h100", "period": "2026-Q1", "racks": 4}]
    found = best(**one(), supply=supply, discount_rate=0.1)
    assert found.summary.npv_terms["damages"] == pytest.approx(-129_600 * 1.1**-0.125)


@covers("short_limit")
def test_a_hard_duty_is_served_at_a_loss() -> None:
    """A price of 0.001 USD and no damages, but at most 20 % short: 8 racks, 80*0.001*2160 - 80,000 = -79,827.2; else nothing, 0."""
    cheap = {"contract_prices": [{"contract_id": "c", "from_period": "2026-Q1", "usd_per_gpu_hour": 0.001}]}
    hard = {"contract_id": "c", "ld_usd_per_gpu_hour": 0.0, "max_short_share": 0.2}
    assert npv(**one(), **cheap, contracts=[hard]) == pytest.approx(-79_827.2)
    assert npv(**one(), **cheap, contracts=[{**hard, "max_short_share": 1}]) == pytest.approx(0, abs=1e-6)
    assert npv(**one(), **cheap, contracts=[{**hard, "grace_periods": 1}]) == pytest.approx(0, abs=1e-6)

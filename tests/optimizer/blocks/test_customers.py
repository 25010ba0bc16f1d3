"""Customers: the largest share of one in the revenue of a period."""

from __future__ import annotations

import pytest

from tests.optimizer.blocks.hand import best, npv, one
from tests.optimizer.cover import covers

MARKET = [{"gen_id": "h100", "tier": "spot", "from_period": "2026-Q1", "usd_per_gpu_hour": 1.0, "max_gpus": 20}]


@covers("customer_share", "customer_revenue", "revenue_sum")
def test_half_of_the_revenue_at_most() -> None:
    """The market takes 20 GPUs, 43,200 USD, so the customer may bring 43,200: 10 GPUs at 2 USD; 3 racks.

    43,200 + 43,200 - 90*2160 - 30,000 = -138,000; without the limit 100 GPUs go to the contract, 332,000.
    """
    found = best(**one(), market=MARKET, customer_revenue_share=0.5)
    assert found.summary.npv_usd == pytest.approx(-138_000)
    assert found.contracts["delivered_gpus"].sum() == pytest.approx(10)
    assert npv(**one(), market=MARKET) == pytest.approx(332_000)


@covers("customer_share")
def test_from_the_period_named_on() -> None:
    """From 2026-Q2 on: the one quarter of the horizon before it is free: 332,000 = 432,000 - 100,000."""
    assert npv(**one(), market=MARKET, customer_revenue_share=0.5, customer_revenue_share_from="2026-Q2") == pytest.approx(332_000)

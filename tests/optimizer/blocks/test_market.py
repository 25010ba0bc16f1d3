"""Market: unsold GPUs in tiers of limited depth."""

from __future__ import annotations

import pytest

from tests.optimizer.blocks.hand import best, npv, one
from tests.optimizer.cover import covers

NO_CONTRACTS = {"contracts": []}


def tier(name: str, usd: float, depth: float) -> dict[str, object]:
    return {"gen_id": "h100", "tier": name, "from_period": "2026-Q1", "usd_per_gpu_hour": usd, "max_gpus": depth}


@covers("market_depth", "market_revenue")
def test_a_tier_takes_so_many() -> None:
    """25 GPUs at 1 USD, 3 racks: 25*2160 - 30,000 = 24,000 (2 racks: 23,200); 30 GPUs: 34,800."""
    found = best(**one(), **NO_CONTRACTS, market=[tier("spot", 1.0, 25)])
    assert found.summary.npv_usd == pytest.approx(24_000)
    assert found.summary.npv_terms["market_revenue"] == pytest.approx(54_000)
    assert npv(**one(), **NO_CONTRACTS, market=[tier("spot", 1.0, 30)]) == pytest.approx(34_800)


@covers("market_balance")
def test_sites_sell_what_the_tiers_take() -> None:
    """10 GPUs at 2 USD and 20 at 1 USD from sites of one rack each: 20 GPUs, the dear tier first.

    2*10*2160 + 1*10*2160 - 20,000 = 44,800; with a rack at one site only 2*10*2160 - 10,000 = 33,200.
    """
    sites = {"periods": 1, "sites": [{"site_id": "a"}, {"site_id": "b"}]}
    blocks = [{"block_id": s, "site_id": s, "it_mw": 0.1, "energized": "2026-Q1"} for s in ("a", "b")]
    market = [tier("reserved", 2.0, 10), tier("spot", 1.0, 20)]
    found = best(**sites, **NO_CONTRACTS, power_blocks=blocks, market=market)
    assert found.summary.npv_usd == pytest.approx(44_800)
    assert found["market"].set_index("tier")["gpus"].to_dict() == pytest.approx({"reserved": 10, "spot": 10})
    assert npv(**sites, **NO_CONTRACTS, power_blocks=blocks[:1], market=market) == pytest.approx(33_200)

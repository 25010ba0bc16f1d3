"""Market: unsold GPUs in tiers of limited depth."""

from __future__ import annotations

from typing import Any

import pytest

from tests.optimizer.blocks.hand import best, npv, one
from tests.optimizer.blocks.test_supply import without
from tests.optimizer.cover import covers

NO_CONTRACTS: dict[str, Any] = {"contracts": []}


def tier(name: str, usd: float, depth: float) -> dict[str, object]:
    return {"gen_id": "h100", "tier": name, "from_period": "2026-Q1", "usd_per_gpu_hour": usd, "max_gpus": depth}


@covers("market_revenue")
def test_a_tier_takes_so_many() -> None:
    """25 GPUs at 1 USD, 3 racks: 25*2160 - 30,000 = 24,000 (2 racks: 23,200); 30 GPUs: 34,800.

    At 10 % a year the 54,000 come half a quarter later: 54,000 * 1.1^-0.125.
    """
    tables: dict[str, Any] = {**one(), **NO_CONTRACTS}
    found = best(**tables, market=[tier("spot", 1.0, 25)])
    assert found.summary.npv_usd == pytest.approx(24_000, rel=1e-9)
    assert found.summary.npv_terms["market_revenue"] == pytest.approx(54_000, rel=1e-9)
    assert found.racks["installed"].tolist() == [3]
    assert npv(**tables, market=[tier("spot", 1.0, 30)]) == pytest.approx(34_800, rel=1e-9)
    later = best(**tables, market=[tier("spot", 1.0, 25)], discount_rate=0.1)
    assert later.summary.npv_terms["market_revenue"] == pytest.approx(54_000 * 1.1**-0.125, rel=1e-9)


@covers("market_depth")
def test_the_dear_tier_is_full_before_the_cheap_one() -> None:
    """10 GPUs at 2 USD, the rest of 100 at 1 USD: 2*10*2160 + 90*2160 - 100,000 = 137,600.

    A dear tier of 40: 2*40*2160 + 60*2160 - 100,000 = 202,400.
    """
    for dear, expected in ((10, 137_600), (40, 202_400)):
        found = best(**one(), **NO_CONTRACTS, market=[tier("reserved", 2.0, dear), tier("spot", 1.0, 500)])
        assert found.summary.npv_usd == pytest.approx(expected, rel=1e-9)
        assert found["market"].set_index("tier")["gpus"].to_dict() == pytest.approx({"reserved": dear, "spot": 100 - dear})


@covers("market_balance")
def test_sites_sell_what_the_tiers_take() -> None:
    """10 GPUs at 2 USD and 20 at 1 USD from sites of one rack each: 20 GPUs, the dear tier first.

    2*10*2160 + 1*10*2160 - 20,000 = 44,800; with a rack at one site only 2*10*2160 - 10,000 = 33,200.
    Tiers that take what no site sells: 2*10*2160 + 1*20*2160 = 86,400, and no rack.
    """
    sites: dict[str, Any] = {"periods": 1, "sites": [{"site_id": "a"}, {"site_id": "b"}], **NO_CONTRACTS}
    blocks = [{"block_id": s, "site_id": s, "it_mw": 0.1, "energized": "2026-Q1"} for s in ("a", "b")]
    market = [tier("reserved", 2.0, 10), tier("spot", 1.0, 20)]
    found = best(**sites, power_blocks=blocks, market=market)
    assert found.summary.npv_usd == pytest.approx(44_800, rel=1e-9)
    assert found["market"].set_index("tier")["gpus"].to_dict() == pytest.approx({"reserved": 10, "spot": 10})
    assert found["market_sites"].set_index("site_id")["gpus"].to_dict() == pytest.approx({"a": 10, "b": 10})
    assert without("market_balance", **sites, power_blocks=blocks, market=market) == pytest.approx(86_400)
    assert npv(**sites, power_blocks=blocks[:1], market=market) == pytest.approx(33_200, rel=1e-9)

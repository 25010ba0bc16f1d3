"""Power: critical IT load against blocks and limits."""

from __future__ import annotations

import pytest

from tests.optimizer.blocks.hand import block, npv, one, racks
from tests.optimizer.cover import covers


@covers("it_power")
def test_it_power() -> None:
    """0.45 MW hold 4 racks of 0.1 MW: NPV(4) = -216,000 + 4*54,800 = 3,200; a block of 10 MW holds all 10."""
    assert npv(**one(), power_blocks=block(it_mw=0.45)) == pytest.approx(3_200)
    assert npv(**one(), power_blocks=block(it_mw=10)) == pytest.approx(racks(10))


@covers("it_power")
def test_only_the_usable_share_of_a_block_counts() -> None:
    """1 MW usable to 30 % is 0.3 MW, 3 racks: NPV(3) = -216,000 + 3*54,800 = -51,600."""
    assert npv(**one(), power_blocks=block(it_mw=1, usable_share=0.3)) == pytest.approx(-51_600)


@covers("it_limit")
def test_it_limit() -> None:
    """A derate to 0.35 MW holds 3 racks: NPV(3) = -51,600."""
    limit = [{"site_id": "a", "from_period": "2026-Q1", "it_mw": 0.35}]
    assert npv(**one(), site_limits=limit) == pytest.approx(-51_600)
    assert npv(**one()) == pytest.approx(racks(10))

"""Supply: allocation of racks carries forward."""

from __future__ import annotations

import pytest

from tests.optimizer.blocks.hand import best, npv, one, racks
from tests.optimizer.cover import covers


@covers("supply")
def test_supply() -> None:
    """4 racks allocated: NPV(4) = -216,000 + 4*54,800 = 3,200."""
    assert npv(**one(), supply=[{"gen_id": "h100", "period": "2026-Q1", "racks": 4}]) == pytest.approx(3_200)
    assert npv(**one(), supply=[{"gen_id": "h100", "period": "2026-Q1", "racks": 20}]) == pytest.approx(racks(10))


@covers("supply")
def test_unused_allocation_carries_forward() -> None:
    """The contract starts in 2026-Q2 (6,600 hours): the 10 racks of Q1 are installed then: 2*100*6600 - 100,000 = 1,220,000."""
    found = best(sites=[{"site_id": "a"}], contracts=[{"contract_id": "c", "start": "2026-Q2"}])
    assert found.summary.npv_usd == pytest.approx(1_220_000)
    assert int(found.racks["installed"].sum()) == 10

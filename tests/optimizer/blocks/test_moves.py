"""Moves: GPUs withdrawn from a site while the contract runs on have a price, 7 USD each here."""

from __future__ import annotations

from typing import Any

import pytest

from tests.optimizer.blocks.hand import best, npv
from tests.optimizer.cover import covers

CONTRACT = [{"contract_id": "c", "move_usd_per_gpu": 7}]
LATER = [{"gen_id": "h100", "period": "2026-Q2", "racks": 10}]


def fleet(site: str) -> list[dict[str, Any]]:
    return [{"site_id": site, "gen_id": "h100", "in_service_since": "2025-Q4", "racks": 10}]


@covers("moves")
def test_a_site_that_ends_moves_its_contract() -> None:
    """a ends with the first quarter; 10 racks, to be had from then on, are bought for b: 1,752,000 - 100,000 - 100*7 = 1,651,300; free moves: 1,652,000."""
    tables: dict[str, Any] = {"fleet": fleet("a"), "supply": LATER, "site_limits": [{"site_id": "a", "from_period": "2026-Q2", "it_mw": 0}]}
    found = best(**tables, contracts=CONTRACT)
    assert found.summary.npv_usd == pytest.approx(1_651_300)
    assert found.summary.npv_terms["moves"] == pytest.approx(-700)
    assert npv(**tables) == pytest.approx(1_652_000)


@covers("first_moves", "moves")
def test_so_does_a_move_from_where_it_was_before_the_start() -> None:
    """Delivered from a before, but the racks are at b: 1,752,000 - 100*7 = 1,751,300."""
    current = [{"contract_id": "c", "site_id": "a", "gpus": 100}]
    tables: dict[str, Any] = {"fleet": fleet("b"), "supply": [], "contracts": CONTRACT}
    assert npv(**tables, current_deliveries=current) == pytest.approx(1_751_300)
    assert npv(**tables) == pytest.approx(1_752_000)


@covers("paid")
def test_what_the_ramp_takes_away_is_free() -> None:
    """From 100 to 60 GPUs in the second quarter, a down to 3 racks: 70 leave a, 40 of them with the ramp, 30 are paid and stand at b.

    2*(100*2160 + 60*6600) - 3*10,000 - 30*7 = 1,193,790.
    """
    found = best(
        fleet=fleet("a"),
        supply=LATER,
        site_limits=[{"site_id": "a", "from_period": "2026-Q2", "it_mw": 0.3}],
        contracts=CONTRACT,
        contract_ramp=[
            {"contract_id": "c", "from_period": "2026-Q1", "gpus": 100},
            {"contract_id": "c", "from_period": "2026-Q2", "gpus": 60},
        ],
    )
    assert found.summary.npv_usd == pytest.approx(1_193_790)
    second = found.contracts.set_index("period").loc["2026-Q2"]
    assert (second["moved_gpus"], second["paid_moves_gpus"]) == (pytest.approx(70), pytest.approx(30))

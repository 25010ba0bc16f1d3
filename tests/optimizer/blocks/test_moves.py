"""Moves: GPUs withdrawn from a site while the contract runs on have a price, 7 USD each here."""

from __future__ import annotations

from typing import Any

import pytest

from tests.optimizer.blocks.hand import best, npv
from tests.optimizer.blocks.test_supply import allocated, without
from tests.optimizer.cover import covers

CONTRACT = [{"contract_id": "c", "move_usd_per_gpu": 7}]
LATER = allocated(("2026-Q2", 10))


def fleet(site: str) -> list[dict[str, Any]]:
    return [{"site_id": site, "gen_id": "h100", "in_service_since": "2025-Q4", "racks": 10}]


def derated(mw: float) -> list[dict[str, Any]]:
    """Power of a from the second quarter on."""
    return [{"site_id": "a", "from_period": "2026-Q2", "it_mw": mw}]


@covers("moves")
def test_a_site_that_ends_moves_its_contract() -> None:
    """a ends with the first quarter; 10 racks, to be had from then on, are bought for b.

    1,752,000 - 100,000 - 100*7 = 1,651,300; free moves, or GPUs withdrawn that do not count as moved: 1,652,000.
    At 10 % a year the 700 are due in the middle of the second quarter: 700 * 1.1^-0.375.
    """
    tables: dict[str, Any] = {"fleet": fleet("a"), "supply": LATER, "site_limits": derated(0)}
    found = best(**tables, contracts=CONTRACT)
    assert found.summary.npv_usd == pytest.approx(1_651_300, rel=1e-9)
    assert found.summary.npv_terms["moves"] == pytest.approx(-700, rel=1e-9)
    assert found.contracts["moved_gpus"].tolist() == pytest.approx([0, 100, 0, 0])
    assert without(**tables, contracts=CONTRACT) == pytest.approx(1_651_300, rel=1e-9)
    assert without("moves", **tables, contracts=CONTRACT) == pytest.approx(1_652_000)
    assert npv(**tables) == pytest.approx(1_652_000, rel=1e-9)
    later = best(**tables, contracts=CONTRACT, discount_rate=0.1)
    assert without(**tables, contracts=CONTRACT, discount_rate=0.1) == pytest.approx(later.summary.npv_usd, rel=1e-9)
    assert later.summary.npv_terms["moves"] == pytest.approx(-700 * 1.1**-0.375, rel=1e-9)


@covers("first_moves")
def test_so_does_a_move_from_where_it_was_before_the_start() -> None:
    """Delivered from a before, but the racks are at b: 1,752,000 - 100*7 = 1,751,300; where nothing was before, 1,752,000."""
    current = [{"contract_id": "c", "site_id": "a", "gpus": 100}]
    tables: dict[str, Any] = {"fleet": fleet("b"), "supply": [], "contracts": CONTRACT}
    found = best(**tables, current_deliveries=current)
    assert found.summary.npv_usd == pytest.approx(1_751_300, rel=1e-9)
    assert found.contracts["paid_moves_gpus"].tolist() == pytest.approx([100, 0, 0, 0])
    assert without("first_moves", **tables, current_deliveries=current) == pytest.approx(1_752_000)
    assert npv(**tables) == pytest.approx(1_752_000, rel=1e-9)


@covers("paid")
def test_what_the_ramp_takes_away_is_free() -> None:
    """From 100 to 60 GPUs in the second quarter, a down to 3 racks: 70 leave a, 40 of them with the ramp, 30 are paid and stand at b.

    2*(100*2160 + 60*6600) - 3*10,000 - 30*7 = 1,193,790; none paid without the row, 1,194,000.
    With a down to 6 racks the ramp takes all that leaves, and nothing is bought: 2*(100*2160 + 60*6600) = 1,224,000.
    """
    tables: dict[str, Any] = {
        "fleet": fleet("a"),
        "supply": LATER,
        "contracts": CONTRACT,
        "contract_ramp": [
            {"contract_id": "c", "from_period": "2026-Q1", "gpus": 100},
            {"contract_id": "c", "from_period": "2026-Q2", "gpus": 60},
        ],
    }
    found = best(**tables, site_limits=derated(0.3))
    assert found.summary.npv_usd == pytest.approx(1_193_790, rel=1e-9)
    second = found.contracts.set_index("period").loc["2026-Q2"]
    assert (second["moved_gpus"], second["paid_moves_gpus"]) == (pytest.approx(70), pytest.approx(30))
    assert without("paid", **tables, site_limits=derated(0.3)) == pytest.approx(1_194_000)
    free = best(**tables, site_limits=derated(0.6))
    assert free.summary.npv_usd == pytest.approx(1_224_000, rel=1e-9)
    assert free.contracts["moved_gpus"].tolist() == pytest.approx([0, 40, 0, 0])
    assert free.contracts["paid_moves_gpus"].sum() == pytest.approx(0)

"""Delivery: sellable GPUs, what is owed, delivered and short."""

from __future__ import annotations

from typing import Any

import pytest

from optimizer import InfeasibleError
from tests.optimizer.blocks.hand import best, npv, one
from tests.optimizer.blocks.test_supply import allocated, without
from tests.optimizer.cover import covers


@covers("sellable")
def test_spares_are_held_beside_what_is_delivered() -> None:
    """One spare per GPU: 100 GPUs in 10 racks deliver 50: 2*50*2160 - 50*2160 - 100,000 = 8,000; without spares 332,000.

    Without the row no rack is bought: 2*100*2160 = 432,000; the plan of no spares buys 10, 432,000 - 100,000 = 332,000.
    """
    tables: dict[str, Any] = {**one(), "supply": allocated(("2026-Q1", 10))}
    spares = [{"contract_id": "c", "spare_share": 1.0}]
    found = best(**tables, contracts=spares)
    assert found.summary.npv_usd == pytest.approx(8_000, rel=1e-9)
    assert found.deliveries["gpus"].tolist() == pytest.approx([50])
    assert npv(**tables) == pytest.approx(332_000, rel=1e-9)
    assert without("sellable", **tables) == pytest.approx(432_000)


@covers("sellable")
def test_a_new_rack_bills_for_a_share_of_its_first_period() -> None:
    """Half of the first quarter, all of the second (2184 hours): 2*(50*2160 + 100*2184) - 50*2160 - 100,000 = 444,800.

    If it bills from the first hour, 2*100*4344 - 100,000 = 768,800.
    """
    tables: dict[str, Any] = {"periods": 2, "sites": [{"site_id": "a"}]}
    found = best(**tables, commissioning_share=0.5)
    assert found.summary.npv_usd == pytest.approx(444_800, rel=1e-9)
    assert found.deliveries["gpus"].tolist() == pytest.approx([50, 100])
    assert npv(**tables) == pytest.approx(768_800, rel=1e-9)


@covers("delivery", "contract_revenue")
def test_no_more_is_delivered_than_owed() -> None:
    """20 racks are to be had, 100 GPUs owed: 2*100*2160 = 432,000 of revenue, 332,000 after capital; 150 owed: 648,000 - 150,000.

    Without the row each of the two sites would deliver the 100: 864,000 - 200,000 = 664,000.
    """
    tables: dict[str, Any] = {"periods": 1, "supply": allocated(("2026-Q1", 20))}
    found = best(**tables)
    assert found.summary.npv_usd == pytest.approx(332_000, rel=1e-9)
    assert found.summary.npv_terms["contract_revenue"] == pytest.approx(432_000, rel=1e-9)
    assert found.deliveries["gpus"].sum() == pytest.approx(100)
    assert without("delivery", **tables) == pytest.approx(664_000)
    more = [{"contract_id": "c", "from_period": "2026-Q1", "gpus": 150}]
    assert npv(**tables, contract_ramp=more) == pytest.approx(498_000, rel=1e-9)


@covers("delivery", "damages")
def test_what_is_not_delivered_is_short() -> None:
    """4 racks leave 60 GPUs short at 1 USD, 60*2160 = 129,600: 2*40*2160 - 40,000 - 129,600 = 3,200; free without the row, 132,800.

    At 10 % a year all of it is half a quarter away: 3,200 * 1.1^-0.125.
    """
    tables: dict[str, Any] = {**one(), "supply": allocated(("2026-Q1", 4))}
    found = best(**tables, discount_rate=0.1)
    assert found.summary.npv_terms["damages"] == pytest.approx(-129_600 * 1.1**-0.125, rel=1e-9)
    assert found.summary.npv_usd == pytest.approx(3_200 * 1.1**-0.125, rel=1e-9)
    assert found.contracts["short_gpus"].tolist() == pytest.approx([60])
    assert npv(**tables) == pytest.approx(3_200, rel=1e-9)
    assert without(**tables) == pytest.approx(3_200)
    assert without("delivery", **tables) == pytest.approx(132_800)


@covers("short_limit")
def test_a_hard_duty_is_served_at_a_loss() -> None:
    """A price of 0.001 USD and no damages, but at most 20 % short: 8 racks, 80*0.001*2160 - 80,000 = -79,827.2; else nothing, 0."""
    cheap: dict[str, Any] = {**one(), "contract_prices": [{"contract_id": "c", "from_period": "2026-Q1", "usd_per_gpu_hour": 0.001}]}
    hard = {"contract_id": "c", "ld_usd_per_gpu_hour": 0.0, "max_short_share": 0.2}
    found = best(**cheap, contracts=[hard])
    assert found.summary.npv_usd == pytest.approx(-79_827.2, rel=1e-9)
    assert found.contracts["short_gpus"].tolist() == pytest.approx([20])
    assert without("short_limit", **cheap, contracts=[hard]) == pytest.approx(0, abs=1e-3)
    assert npv(**cheap, contracts=[{**hard, "max_short_share": 1}]) == pytest.approx(0, abs=1e-6)


@covers("short_limit")
def test_a_hard_duty_begins_after_its_grace() -> None:
    """As above, but the racks come in Q2: with a grace of one quarter 80*0.001*2184 - 80,000 = -79,825.28, of two 0, of none no plan."""
    later: dict[str, Any] = {
        "periods": 2,
        "sites": [{"site_id": "a"}],
        "supply": allocated(("2026-Q2", 10)),
        "contract_prices": [{"contract_id": "c", "from_period": "2026-Q1", "usd_per_gpu_hour": 0.001}],
    }
    hard = {"contract_id": "c", "ld_usd_per_gpu_hour": 0.0, "max_short_share": 0.2}
    found = best(**later, contracts=[{**hard, "grace_periods": 1}])
    assert found.summary.npv_usd == pytest.approx(-79_825.28, rel=1e-9)
    assert npv(**later, contracts=[{**hard, "grace_periods": 2}]) == pytest.approx(0, abs=1e-6)
    with pytest.raises(InfeasibleError):
        best(**later, contracts=[hard])

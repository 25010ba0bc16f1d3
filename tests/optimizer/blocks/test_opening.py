"""Opening and building: candidates and options, once on they stay on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.optimizer.blocks.hand import best, block, npv
from tests.optimizer.cover import covers

HALF_YEAR = {"contracts": [{"contract_id": "c", "start": "2026-Q1", "end": "2026-Q2"}]}
ENERGY = [{"price_zone": "P", "from_period": "2026-Q1", "slice": "all", "hours_share": 1.0, "usd_per_mwh": 10}]


def candidate(**site: Any) -> dict[str, Any]:
    """The only site is a candidate."""
    return {"sites": [{"site_id": "a", "status": "candidate", **site}]}


@covers("open_racks", "open_blocks", "open_delivery", "activation")
def test_nothing_stands_at_a_closed_site() -> None:
    """Opened in the first quarter for 50,000: 1,752,000 - 100,000 - 50,000 = 1,602,000; for 2,600,000 it stays closed: -876,000."""
    found = best(**candidate(activation_usd=50_000))
    assert found.summary.npv_usd == pytest.approx(1_602_000)
    assert found.summary.npv_terms["activation"] == pytest.approx(-50_000)
    assert sorted(zip(found.decisions["kind"], found.decisions["period"], strict=True)) == [("build", "2026-Q1"), ("open", "2026-Q1")]
    assert npv(**candidate(activation_usd=2_600_000)) == pytest.approx(-876_000)


@covers("open_monotone")
def test_a_site_once_open_stays_open() -> None:
    """Served for half a year, 4344 hours, but the overhead of 1 MW draws all 8760 at 10 USD/MWh.

    2*100*4344 - 100,000 - 10*4344 (racks) - 87,600 (overhead; 43,440 if it could close) = 637,760.
    """
    found = best(**candidate(overhead_mw=1), **HALF_YEAR, energy=ENERGY)
    assert found.summary.npv_usd == pytest.approx(868_800 - 100_000 - 43_440 - 87_600)


@covers("built_monotone", "lease")
def test_a_block_once_built_stays_built() -> None:
    """Leased at 1 USD a kW and month, 10,000 kW, for all 12 months though served for 6: 868,800 - 100,000 - 120,000 = 648,800."""
    found = best(sites=[{"site_id": "a"}], power_blocks=block(status="option", lease_usd_per_kw_month=1), **HALF_YEAR)
    assert found.summary.npv_usd == pytest.approx(648_800)
    assert found.summary.npv_terms["lease"] == pytest.approx(-120_000)


@covers("lease")
def test_firm_blocks_are_leased_from_energization() -> None:
    """A firm block from 2026-Q3 costs 10,000 * 6 months = 60,000, used or not; damages of the year are 876,000: -936,000."""
    firm = block(lease_usd_per_kw_month=1, energized="2026-Q3")
    assert npv(sites=[{"site_id": "a"}], power_blocks=firm, supply=[]) == pytest.approx(-936_000)


@covers("build_window")
def test_a_block_not_built_by_latest_stays_unbuilt() -> None:
    """Served in Q3 and Q4, 4416 hours, but to be built in Q2 at the latest: 883,200 - 100,000 - 9*10,000 = 693,200; else 6 months, 723,200."""
    later = {"sites": [{"site_id": "a"}], "contracts": [{"contract_id": "c", "start": "2026-Q3"}]}
    option = {"status": "option", "lease_usd_per_kw_month": 1, "energized": "2026-Q2"}
    assert npv(**later, power_blocks=block(**option, latest="2026-Q2")) == pytest.approx(693_200)
    assert npv(**later, power_blocks=block(**option)) == pytest.approx(723_200)


@covers("block_capex", "residual_value")
def test_capital_of_a_block_is_paid_before_and_partly_kept() -> None:
    """200,000 USD paid one quarter before energization in 2026-Q2, 40 % left at the end: 1,220,000 - 216,000 - 200,000 + 80,000 = 884,000."""
    option = block(status="option", capex_usd=200_000, residual_share=0.4, lead_periods=1)
    found = best(sites=[{"site_id": "a"}], power_blocks=option)
    assert found.summary.npv_usd == pytest.approx(884_000)
    assert found.cash.set_index("period")["block_capex"].to_dict()["2026-Q1"] == pytest.approx(-200_000)
    assert found.summary.npv_terms["residual_value"] == pytest.approx(80_000)


@covers("open_serving")
def test_only_sites_that_open_serve() -> None:
    """One site may serve: the open one holds 5 racks, the candidate all 10 for 50,000.

    At the candidate 1,752,000 - 100,000 - 50,000 = 1,602,000; with an activation of 1,300,000 it is the open one:
    NPV(5) = -876,000 + 5*252,800 = 388,000.
    """
    blocks = [
        {"block_id": "a-1", "site_id": "a", "it_mw": 0.5, "energized": "2026-Q1"},
        {"block_id": "b-1", "site_id": "b", "it_mw": 10, "energized": "2026-Q1", "status": "option"},
    ]
    for usd, expected in ((50_000, 1_602_000), (1_300_000, 388_000)):
        sites = [{"site_id": "a"}, {"site_id": "b", "status": "candidate", "activation_usd": usd}]
        assert npv(sites=sites, power_blocks=blocks, contracts=[{"contract_id": "c", "max_sites": 1}]) == pytest.approx(expected)

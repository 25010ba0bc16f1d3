"""Opening and building: candidates and options, once on they stay on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.optimizer.blocks.hand import best, block, npv
from tests.optimizer.blocks.test_supply import allocated, without
from tests.optimizer.cover import covers

HALF_YEAR = {"contracts": [{"contract_id": "c", "start": "2026-Q1", "end": "2026-Q2"}]}
ENERGY = [{"price_zone": "P", "from_period": "2026-Q1", "slice": "all", "hours_share": 1.0, "usd_per_mwh": 10}]
DISCOUNT = 1.1**-0.25
"""From one quarter to the next at 10 % a year; the first counts from its middle, ``DISCOUNT**0.5``."""


def candidate(**site: Any) -> dict[str, Any]:
    """The only site is a candidate."""
    return {"sites": [{"site_id": "a", "status": "candidate", **site}]}


def directed(decision: str, **ids: str) -> dict[str, Any]:
    """A decision fixed to 1."""
    return {"directives": [{"rule": "fix", "decision": decision, "value": 1, **ids}]}


@covers("activation")
def test_nothing_stands_at_a_closed_site() -> None:
    """Opened in the first quarter for 50,000: 1,752,000 - 100,000 - 50,000 = 1,602,000; for 2,600,000 it stays closed: -876,000.

    At 10 % a year the 50,000 are paid in the middle of the first quarter: 50,000 * 1.1^-0.125.
    """
    found = best(**candidate(activation_usd=50_000))
    assert found.summary.npv_usd == pytest.approx(1_602_000, rel=1e-9)
    assert found.summary.npv_terms["activation"] == pytest.approx(-50_000, rel=1e-9)
    assert sorted(zip(found.decisions["kind"], found.decisions["period"], strict=True)) == [("build", "2026-Q1"), ("open", "2026-Q1")]
    closed = best(**candidate(activation_usd=2_600_000))
    assert closed.summary.npv_usd == pytest.approx(-876_000, rel=1e-9)
    assert closed.decisions.empty
    assert closed.racks.empty
    later = best(**candidate(activation_usd=50_000), discount_rate=0.1)
    assert without(**candidate(activation_usd=50_000), discount_rate=0.1) == pytest.approx(later.summary.npv_usd, rel=1e-9)
    assert later.summary.npv_terms["activation"] == pytest.approx(-50_000 * DISCOUNT**0.5, rel=1e-9)


@covers("open_racks")
def test_the_relaxation_opens_for_racks_and_not_for_their_power() -> None:
    """10 racks sell 100 GPUs at 1 USD: 216,000 - 100,000 - 50,000 = 66,000, also as a relaxation.

    A rack is a tenth of the racks to be had, but a hundredth of the block: without the row a tenth of the block is
    built, and so of the site opened, 216,000 - 100,000 - 5,000 = 111,000. (In whole numbers the block implies the row.)
    """
    market = [{"gen_id": "h100", "tier": "spot", "from_period": "2026-Q1", "usd_per_gpu_hour": 1.0, "max_gpus": 100}]
    tables = {"periods": 1, **candidate(activation_usd=50_000), "contracts": [], "market": market}
    assert npv(**tables) == pytest.approx(66_000, rel=1e-9)
    assert without(relax=True, **tables) == pytest.approx(66_000)
    assert without("open_racks", relax=True, **tables) == pytest.approx(111_000)


@covers("open_delivery")
def test_the_relaxation_opens_for_deliveries_and_not_for_their_racks() -> None:
    """10 of 20 racks to be had: 432,000 - 100,000 - 50,000 = 282,000, also as a relaxation.

    Without the strong form half of the racks ask for half of the site: 432,000 - 100,000 - 25,000 = 307,000.
    """
    tables = {"periods": 1, **candidate(activation_usd=50_000), "supply": allocated(("2026-Q1", 20))}
    assert npv(**tables) == pytest.approx(282_000, rel=1e-9)
    assert without(relax=True, **tables) == pytest.approx(282_000)
    assert without("open_delivery", relax=True, **tables) == pytest.approx(307_000)


@covers("open_blocks")
def test_a_block_opens_its_site() -> None:
    """Directed to be built, with no racks to be had: -876,000 - 50,000 = -926,000; a block without its site costs nothing, -876,000."""
    tables = {**candidate(activation_usd=50_000), "supply": []}
    found = best(**tables, **directed("build", block_id="a-1"))
    assert found.summary.npv_usd == pytest.approx(-926_000, rel=1e-9)
    assert sorted(found.decisions["kind"]) == ["build", "open"]
    assert without("open_blocks", **tables, **directed("build", block_id="a-1")) == pytest.approx(-876_000)
    assert npv(**tables) == pytest.approx(-876_000, rel=1e-9)


@covers("open_monotone")
def test_a_site_once_open_stays_open() -> None:
    """Directed to be open in Q1, with no racks to be had: 1 MW of overhead draws at 10 USD/MWh all year, -876,000 - 87,600 = -963,600.

    Closed again after 2160 hours it would be -876,000 - 21,600 = -897,600; not directed, -876,000.
    """
    tables = {**candidate(overhead_mw=1), "supply": [], "energy": ENERGY}
    ordered = directed("open", site_id="a", from_period="2026-Q1", to_period="2026-Q1")
    assert npv(**tables, **ordered) == pytest.approx(-963_600, rel=1e-9)
    assert without("open_monotone", **tables, **ordered) == pytest.approx(-897_600)
    assert npv(**tables) == pytest.approx(-876_000, rel=1e-9)


@covers("open_monotone")
def test_the_relaxation_does_not_close_a_site_by_parts() -> None:
    """Served for half a year, 4344 hours, but the overhead of 1 MW draws all 8760 at 10 USD/MWh.

    868,800 - 100,000 - 43,440 (racks) - 87,600 (overhead) = 637,760. In whole numbers the block, once built, holds the
    site open too; as a fraction a tenth of it is enough for 1 MW of racks, so that without the row nine tenths of the
    site close for 4416 hours: 637,760 + 0.9*44,160 = 677,504.
    """
    tables = {**candidate(overhead_mw=1), **HALF_YEAR, "energy": ENERGY}
    assert npv(**tables) == pytest.approx(637_760, rel=1e-9)
    assert without(relax=True, **tables) == pytest.approx(637_760)
    assert without("open_monotone", relax=True, **tables) == pytest.approx(677_504)


@covers("built_monotone", "lease")
def test_a_block_once_built_stays_built() -> None:
    """Leased at 1 USD a kW and month, 10,000 kW, for all 12 months though served for 6: 868,800 - 100,000 - 120,000 = 648,800.

    Given back after 6 months: 868,800 - 100,000 - 60,000 = 708,800. Discounted, 30,000 a quarter: 30,000*(d^0.5 + d^1.5 + d^2.5 + d^3.5).
    """
    tables: dict[str, Any] = {"sites": [{"site_id": "a"}], "power_blocks": block(status="option", lease_usd_per_kw_month=1), **HALF_YEAR}
    found = best(**tables)
    assert found.summary.npv_usd == pytest.approx(648_800, rel=1e-9)
    assert found.summary.npv_terms["lease"] == pytest.approx(-120_000, rel=1e-9)
    assert without("built_monotone", **tables) == pytest.approx(708_800)
    later = best(**tables, discount_rate=0.1)
    assert without(**tables, discount_rate=0.1) == pytest.approx(later.summary.npv_usd, rel=1e-9)
    assert later.summary.npv_terms["lease"] == pytest.approx(-30_000 * sum(DISCOUNT ** (t + 0.5) for t in range(4)), rel=1e-9)


@covers("lease")
def test_firm_blocks_are_leased_from_energization() -> None:
    """A firm block from 2026-Q3 costs 10,000 * 6 months = 60,000, used or not; damages of the year are 876,000: -936,000.

    From the start it is 120,000: -996,000.
    """
    tables: dict[str, Any] = {"sites": [{"site_id": "a"}], "supply": []}
    found = best(**tables, power_blocks=block(lease_usd_per_kw_month=1, energized="2026-Q3"))
    assert found.summary.npv_usd == pytest.approx(-936_000, rel=1e-9)
    assert found.summary.npv_terms["lease"] == pytest.approx(-60_000, rel=1e-9)
    assert without(**tables, power_blocks=block(lease_usd_per_kw_month=1, energized="2026-Q3")) == pytest.approx(-936_000, rel=1e-9)
    assert npv(**tables, power_blocks=block(lease_usd_per_kw_month=1)) == pytest.approx(-996_000, rel=1e-9)


@covers("build_window")
def test_a_block_not_built_by_latest_stays_unbuilt() -> None:
    """Served in Q3 and Q4, 4416 hours, but to be built in Q2 at the latest: 883,200 - 100,000 - 9*10,000 = 693,200.

    Built in Q3 it is leased for 6 months only, 723,200.
    """
    later = {"sites": [{"site_id": "a"}], "contracts": [{"contract_id": "c", "start": "2026-Q3"}]}
    option = {"status": "option", "lease_usd_per_kw_month": 1, "energized": "2026-Q2"}
    found = best(**later, power_blocks=block(**option, latest="2026-Q2"))
    assert found.summary.npv_usd == pytest.approx(693_200, rel=1e-9)
    assert found.decisions[["kind", "period"]].to_numpy().tolist() == [["build", "2026-Q2"]]
    assert without("build_window", **later, power_blocks=block(**option, latest="2026-Q2")) == pytest.approx(723_200)
    free = best(**later, power_blocks=block(**option))
    assert free.summary.npv_usd == pytest.approx(723_200, rel=1e-9)
    assert free.decisions[["kind", "period"]].to_numpy().tolist() == [["build", "2026-Q3"]]


@covers("block_capex", "residual_value")
def test_capital_of_a_block_is_paid_before_and_partly_kept() -> None:
    """200,000 USD paid one quarter before energization in 2026-Q2, 40 % left at the end.

    1,220,000 - 216,000 - 200,000 + 80,000 = 884,000.

    At 10 % a year: 200,000 * 1.1^-0.125 (in Q1, not in Q2) and 80,000 / 1.1.
    """
    tables: dict[str, Any] = {
        "sites": [{"site_id": "a"}],
        "power_blocks": block(status="option", capex_usd=200_000, residual_share=0.4, lead_periods=1),
    }
    found = best(**tables)
    assert found.summary.npv_usd == pytest.approx(884_000, rel=1e-9)
    assert found.decisions[["kind", "period"]].to_numpy().tolist() == [["build", "2026-Q2"]]
    assert found.cash.set_index("period")["block_capex"].to_dict()["2026-Q1"] == pytest.approx(-200_000, rel=1e-9)
    assert found.summary.npv_terms["residual_value"] == pytest.approx(80_000, rel=1e-9)
    assert without(**tables) == pytest.approx(884_000, rel=1e-9)
    discounted = best(**tables, discount_rate=0.1).summary
    assert without(**tables, discount_rate=0.1) == pytest.approx(discounted.npv_usd, rel=1e-9)
    later = discounted.npv_terms
    assert later["block_capex"] == pytest.approx(-200_000 * DISCOUNT**0.5, rel=1e-9)
    assert later["residual_value"] == pytest.approx(80_000 / 1.1, rel=1e-9)


@covers("open_serving")
def test_a_serving_site_is_open() -> None:
    """b, a candidate, is directed to serve though a can do it all: 432,000 - 100,000 - 50,000 = 282,000.

    Without the row b could serve and stay closed: 332,000, the same as without the directive.
    """
    sites = [{"site_id": "a"}, {"site_id": "b", "status": "candidate", "activation_usd": 50_000}]
    tables = {"periods": 1, "sites": sites, "contracts": [{"contract_id": "c", "max_sites": 2}]}
    ordered = directed("serve", contract_id="c", site_id="b")
    found = best(**tables, **ordered)
    assert found.summary.npv_usd == pytest.approx(282_000, rel=1e-9)
    assert "open" in set(found.decisions["kind"])
    assert without("open_serving", **tables, **ordered) == pytest.approx(332_000)
    assert npv(**tables) == pytest.approx(332_000, rel=1e-9)


@pytest.mark.parametrize(("usd", "expected"), [(50_000, 1_602_000), (1_300_000, 388_000)])
def test_the_only_serving_site_is_a_candidate_or_not(usd: float, expected: float) -> None:
    """The open site holds 5 racks, the candidate all 10: 1,752,000 - 100,000 - 50,000 = 1,602,000.

    With an activation of 1,300,000 that would be 352,000, less than NPV(5) = -876,000 + 5*252,800 = 388,000 at the open one.
    """
    blocks = [
        {"block_id": "a-1", "site_id": "a", "it_mw": 0.5, "energized": "2026-Q1"},
        {"block_id": "b-1", "site_id": "b", "it_mw": 10, "energized": "2026-Q1", "status": "option"},
    ]
    sites = [{"site_id": "a"}, {"site_id": "b", "status": "candidate", "activation_usd": usd}]
    found = best(sites=sites, power_blocks=blocks, contracts=[{"contract_id": "c", "max_sites": 1}])
    assert found.summary.npv_usd == pytest.approx(expected, rel=1e-9)
    assert set(found.deliveries["site_id"]) == {"b" if expected > 388_000 else "a"}

"""Serving sites: which, how many, how large, how far apart; two sites of 5 racks unless said.

Over the year k racks are worth NPV(k) = -876,000 + k*(30*8760 - 10,000) = -876,000 + k*252,800.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.optimizer.blocks.hand import YEAR, best, npv, racks
from tests.optimizer.blocks.test_supply import allocated, without
from tests.optimizer.cover import covers


def halves(a: float = 0.5, b: float = 0.5) -> list[dict[str, Any]]:
    """Blocks of so many MW at the sites a and b."""
    return [{"block_id": s, "site_id": s, "it_mw": mw, "energized": "2026-Q1"} for s, mw in (("a", a), ("b", b))]


def contract(**values: Any) -> list[dict[str, Any]]:
    return [{"contract_id": "c", **values}]


@covers("max_sites", "serving_size")
def test_the_number_of_sites() -> None:
    """One site of 5 racks: NPV(5) = -876,000 + 5*252,800 = 388,000; two, or a site that delivers without serving: NPV(10) = 1,652,000."""
    one_site: dict[str, Any] = {"power_blocks": halves(), "contracts": contract(max_sites=1)}
    found = best(**one_site)
    assert found.summary.npv_usd == pytest.approx(388_000, rel=1e-9)
    assert found.deliveries["site_id"].nunique() == 1
    assert without("max_sites", **one_site) == pytest.approx(1_652_000)
    assert without("serving_size", **one_site) == pytest.approx(1_652_000)
    assert npv(power_blocks=halves(), contracts=contract(max_sites=2)) == pytest.approx(1_652_000, rel=1e-9)


@covers("min_cluster")
def test_the_smallest_cluster() -> None:
    """8 racks for two sites of 6: clusters of 50 GPUs would take 10, so that one site serves, NPV(6) = -876,000 + 6*252,800 = 640,800.

    Clusters of 40 are 4 racks each, as is any split without the row: NPV(8) = 1,146,400.
    """
    tables: dict[str, Any] = {"power_blocks": halves(0.6, 0.6), "supply": allocated(("2026-Q1", 8))}
    found = best(**tables, contracts=contract(min_cluster_gpus=50))
    assert found.summary.npv_usd == pytest.approx(640_800, rel=1e-9)
    assert found.deliveries["gpus"].tolist() == pytest.approx([60] * 4)
    assert without("min_cluster", **tables, contracts=contract(min_cluster_gpus=50)) == pytest.approx(1_146_400)
    both = best(**tables, contracts=contract(min_cluster_gpus=40))
    assert both.summary.npv_usd == pytest.approx(1_146_400, rel=1e-9)
    assert both.deliveries["gpus"].tolist() == pytest.approx([40] * 8)


@covers("min_cluster")
def test_the_cluster_has_its_grace() -> None:
    """2 racks more come in Q2: with a grace of one quarter, 8 racks at two sites and then 10.

    NPV(8) + 2*(30*6600 - 10,000) = 1,146,400 + 376,000 = 1,522,400; without grace one site serves, NPV(6) = 640,800.
    """
    tables: dict[str, Any] = {"power_blocks": halves(0.6, 0.6), "supply": allocated(("2026-Q1", 8), ("2026-Q2", 2))}
    graced = contract(min_cluster_gpus=50, cluster_grace=1)
    assert npv(**tables, contracts=graced) == pytest.approx(1_522_400, rel=1e-9)
    assert npv(**tables, contracts=contract(min_cluster_gpus=50, cluster_grace=0)) == pytest.approx(640_800, rel=1e-9)


def test_a_site_that_cannot_hold_its_cluster_serves_nothing() -> None:
    """b holds 4 racks, or none in the last quarter: where a cluster of 50 GPUs can't stand a serves alone, NPV(6) = 640,800.

    Clusters of 40 can stand at b: NPV(10) = 1,652,000; none at all while it has power: 640,800 + 4*(30*6552 - 10,000) = 1,387,040.
    """
    sizes = {"power_blocks": halves(0.6, 0.4)}
    ends = [{"site_id": "b", "from_period": "2026-Q4", "it_mw": 0}]
    assert npv(**sizes, contracts=contract(min_cluster_gpus=50)) == pytest.approx(640_800, rel=1e-9)
    assert npv(**sizes, contracts=contract(min_cluster_gpus=40)) == pytest.approx(1_652_000, rel=1e-9)
    assert npv(**sizes, site_limits=ends, contracts=contract(min_cluster_gpus=40)) == pytest.approx(640_800, rel=1e-9)
    assert npv(**sizes, site_limits=ends) == pytest.approx(1_387_040, rel=1e-9)


@covers("distance")
@pytest.mark.parametrize("links", [[], [("a", "b", 11.0)], [("a", "m", 6.0), ("m", "b", 5.0)]])
def test_sites_too_far_apart_do_not_serve_together(links: list[tuple[str, str, float]]) -> None:
    """No path is infinitely far, 11 ms and 6 + 5 = 11 ms are over 10: NPV(5) = -876,000 + 5*252,800 = 388,000.

    Without the row NPV(10) = 1,652,000.
    """
    sites = [{"site_id": s} for s in ("a", "b", "m")]
    network = [{"site_a": one, "site_b": other, "rtt_ms": rtt} for one, other, rtt in links]
    near = contract(max_rtt_ms=10, sites=["a", "b"])
    tables: dict[str, Any] = {"sites": sites, "power_blocks": halves(), "contracts": near, "network_links": network}
    found = best(**tables)
    assert found.summary.npv_usd == pytest.approx(388_000, rel=1e-9)
    assert found.deliveries["site_id"].nunique() == 1
    assert without("distance", **tables) == pytest.approx(1_652_000)


@pytest.mark.parametrize(
    "links", [[("a", "b", 10.0)], [("m", "a", 5.0), ("b", "m", 5.0)], [("a", "b", 99.0), ("a", "m", 4.0), ("m", "b", 6.0)]]
)
def test_sites_near_enough_serve_together(links: list[tuple[str, str, float]]) -> None:
    """10 ms, on the shortest path and either way, are near enough: NPV(10) = -876,000 + 10*252,800 = 1,652,000."""
    sites = [{"site_id": s} for s in ("a", "b", "m")]
    network = [{"site_a": one, "site_b": other, "rtt_ms": rtt} for one, other, rtt in links]
    near = contract(max_rtt_ms=10, sites=["a", "b"])
    assert npv(sites=sites, power_blocks=halves(), contracts=near, network_links=network) == pytest.approx(1_652_000, rel=1e-9)


@covers("serving_allowed")
@pytest.mark.parametrize("rule", [{"zones": ["Z"]}, {"sites": ["a"]}, {"excluded_sites": ["b"]}])
def test_zones_sites_and_exclusions(rule: dict[str, Any]) -> None:
    """Only a may serve, 5 racks: NPV(5) = 388,000; without the rule NPV(10) = 1,652,000."""
    sites = [{"site_id": "a"}, {"site_id": "b", "zone": "Y"}]
    found = best(sites=sites, power_blocks=halves(), contracts=contract(**rule))
    assert found.summary.npv_usd == pytest.approx(388_000, rel=1e-9)
    assert set(found.deliveries["site_id"]) == {"a"}
    assert npv(sites=sites, power_blocks=halves()) == pytest.approx(1_652_000, rel=1e-9)


@covers("serving_allowed")
def test_zones_sites_and_exclusions_all_apply() -> None:
    """a by its zone and b by exclusion may not serve, so that nobody does: NPV(0) = -876,000; either rule alone leaves 388,000."""
    sites = [{"site_id": "a"}, {"site_id": "b", "zone": "Y"}]
    for rules, expected in (({"zones": ["Y"], "excluded_sites": ["b"]}, -876_000), ({"zones": ["Y"]}, 388_000)):
        assert npv(sites=sites, power_blocks=halves(), contracts=contract(**rules)) == pytest.approx(expected, rel=1e-9)


@covers("serving_eligible")
def test_gpus_count_by_their_equivalent() -> None:
    """Each GPU counts half: 2*50*8760 - 50*8760 - 100,000 = 338,000; one for one NPV(10) = 1,652,000."""
    half = [{"contract_id": "c", "gen_id": "h100", "gpu_equivalent": 0.5}]
    found = best(contract_generations=half)
    assert found.summary.npv_usd == pytest.approx(338_000, rel=1e-9)
    assert found.contracts["delivered_gpus"].tolist() == pytest.approx([50] * 4)
    assert npv() == pytest.approx(racks(10, YEAR), rel=1e-9) == pytest.approx(1_652_000)


@covers("serving_eligible")
def test_only_eligible_generations_serve() -> None:
    """The contract takes racks that no site can hold, 20 MW each: NPV(0) = -876,000; the other generation too: NPV(10) = 1,652,000."""
    gens = [{"gen_id": "h100"}, {"gen_id": "next", "rack_kw": 20_000}]
    taken = [{"contract_id": "c", "gen_id": "next"}]
    assert npv(generations=gens, contract_generations=taken) == pytest.approx(-876_000, rel=1e-9)
    assert npv(generations=gens) == pytest.approx(1_652_000, rel=1e-9)


@covers("serving_signed")
def test_a_site_that_serves_has_a_signed_contract() -> None:
    """A prospect at 0.1 USD does not pay its racks, 0.1*100*8760 - 100,000 = -12,400, and is declined, NPV = 0.

    Directed to be served from a it is signed, -12,400; without the row a could serve what is not signed, 0.
    (Without a directive deliveries, which are 0 for what is not signed, imply the row.)
    """
    prices = [{"contract_id": "c", "from_period": "2026-Q1", "usd_per_gpu_hour": 0.1}]
    tables: dict[str, Any] = {"contracts": contract(status="prospect", max_sites=2), "contract_prices": prices}
    ordered = {"directives": [{"rule": "fix", "decision": "serve", "contract_id": "c", "site_id": "a", "value": 1}]}
    found = best(**tables, **ordered)
    assert found.summary.npv_usd == pytest.approx(-12_400, rel=1e-9)
    assert list(found.decisions["kind"]) == ["sign"]
    assert without("serving_signed", **tables, **ordered) == pytest.approx(0, abs=1e-3)
    declined = best(**tables)
    assert declined.summary.npv_usd == pytest.approx(0, abs=1e-6)
    assert list(declined.decisions["kind"]) == ["decline"]


@covers("serving_costs")
def test_serving_costs() -> None:
    """0.1 USD for each of 100 GPUs and 8760 hours = 87,600: 1,652,000 - 87,600 = 1,564,400; a site without the cost serves at 1,652,000.

    Each contract GPU costs, so that with an equivalent of 0.5 the 50 cost 43,800: 338,000 - 43,800 = 294,200.
    At 10 % a year 100*0.1*(2160*d^0.5 + 2184*d^1.5 + 2208*d^2.5 + 2208*d^3.5), d = 1.1^-0.25.
    """
    costs = [{"contract_id": "c", "site_id": "a", "usd_per_gpu_hour": 0.1}]
    tables: dict[str, Any] = {"sites": [{"site_id": "a"}], "serving_costs": costs}
    found = best(**tables)
    assert found.summary.npv_terms["serving_costs"] == pytest.approx(-87_600, rel=1e-9)
    assert found.summary.npv_usd == pytest.approx(1_564_400, rel=1e-9)
    half = [{"contract_id": "c", "gen_id": "h100", "gpu_equivalent": 0.5}]
    assert npv(**tables, contract_generations=half) == pytest.approx(294_200, rel=1e-9)
    other = best(serving_costs=costs)
    assert other.summary.npv_usd == pytest.approx(1_652_000, rel=1e-9)
    assert set(other.deliveries["site_id"]) == {"b"}
    later = sum(10 * hours * 1.1 ** (-0.25 * (t + 0.5)) for t, hours in enumerate((2160, 2184, 2208, 2208)))
    assert best(**tables, discount_rate=0.1).summary.npv_terms["serving_costs"] == pytest.approx(-later, rel=1e-9)


@pytest.mark.parametrize(("links", "limit"), [((1.1, 2.2), 3.3), ((0.3, 0.2, 0.1), 0.6), ((0.1, 0.2, 0.3), 0.6)])
def test_a_distance_that_equals_the_limit_is_near_enough(links: tuple[float, ...], limit: float) -> None:
    """Sums of floating point numbers, which differ by direction and miss the limit by a hair: the ends of the chain serve together."""
    names = "abcd"[: len(links) + 1]
    network = [{"site_a": one, "site_b": other, "rtt_ms": ms} for one, other, ms in zip(names[:-1], names[1:], links, strict=True)]
    blocks = [{"block_id": s, "site_id": s, "it_mw": 0.5, "energized": "2026-Q1"} for s in (names[0], names[-1])]
    tables: dict[str, Any] = {"periods": 1, "sites": [{"site_id": s} for s in names], "power_blocks": blocks, "network_links": network}
    assert npv(**tables, contracts=contract(max_rtt_ms=limit)) == pytest.approx(racks(10))
    assert npv(**tables, contracts=contract(max_rtt_ms=limit - 0.01)) == pytest.approx(racks(5))

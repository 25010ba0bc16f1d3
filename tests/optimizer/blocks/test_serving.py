"""Serving sites: which, how many, how large, how far apart; two sites of 5 racks unless said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from optimizer.formulation import formulate
from optimizer.instance import Instance
from optimizer.matrix import compile_matrix
from tests.factories import small_dataset
from tests.optimizer.blocks.hand import YEAR, best, npv, racks
from tests.optimizer.cover import covers


def halves(a: float = 0.5, b: float = 0.5) -> list[dict[str, Any]]:
    """Blocks of so many MW at the sites a and b."""
    return [{"block_id": s, "site_id": s, "it_mw": mw, "energized": "2026-Q1"} for s, mw in (("a", a), ("b", b))]


def contract(**values: Any) -> list[dict[str, Any]]:
    return [{"contract_id": "c", **values}]


@covers("max_sites", "serving_size")
def test_the_number_of_sites() -> None:
    """One site of 5 racks: NPV(5) = -876,000 + 5*252,800 = 388,000; two: NPV(10) = 1,652,000."""
    assert npv(power_blocks=halves(), contracts=contract(max_sites=1)) == pytest.approx(388_000)
    assert npv(power_blocks=halves(), contracts=contract(max_sites=2)) == pytest.approx(1_652_000)


@covers("min_cluster")
def test_the_smallest_cluster() -> None:
    """50 GPUs at a serving site of 4 racks can't be: the site of 6 serves alone, NPV(6) = -876,000 + 6*252,800 = 640,800; else NPV(10)."""
    assert npv(power_blocks=halves(0.6, 0.4), contracts=contract(min_cluster_gpus=50)) == pytest.approx(640_800)
    assert npv(power_blocks=halves(0.6, 0.4), contracts=contract(min_cluster_gpus=40)) == pytest.approx(1_652_000)


@covers("min_cluster")
def test_a_cluster_must_stand_in_each_of_its_periods() -> None:
    """b loses its power in the last quarter, so that a cluster of 40 can't stand there: a serves alone, NPV(6) = 640,800.

    Without clusters b's 4 racks serve 6,552 hours: 640,800 + 4*(30*6552 - 10,000) = 1,387,040.
    """
    ends = [{"site_id": "b", "from_period": "2026-Q4", "it_mw": 0}]
    assert npv(power_blocks=halves(0.6, 0.4), site_limits=ends, contracts=contract(min_cluster_gpus=40)) == pytest.approx(640_800)
    assert npv(power_blocks=halves(0.6, 0.4), site_limits=ends) == pytest.approx(1_387_040)


@covers("distance")
def test_sites_too_far_apart_do_not_serve_together() -> None:
    """No path is infinitely far, 5 racks: NPV(5) = 388,000; 10 ms is near enough, 11 is not: NPV(10) = 1,652,000."""
    for links, expected in (([], 388_000), ([11.0], 388_000), ([10.0], 1_652_000)):
        network = [{"site_a": "a", "site_b": "b", "rtt_ms": rtt} for rtt in links]
        found = npv(power_blocks=halves(), contracts=contract(max_rtt_ms=10), network_links=network)
        assert found == pytest.approx(expected)


@covers("serving_allowed")
@pytest.mark.parametrize("rule", [{"zones": ["Z"]}, {"sites": ["a"]}, {"excluded_sites": ["b"]}])
def test_zones_sites_and_exclusions(rule: dict[str, Any]) -> None:
    """Only a may serve, 5 racks: NPV(5) = 388,000; without the rule NPV(10) = 1,652,000."""
    sites = [{"site_id": "a"}, {"site_id": "b", "zone": "Y"}]
    assert npv(sites=sites, power_blocks=halves(), contracts=contract(**rule)) == pytest.approx(388_000)
    assert npv(sites=sites, power_blocks=halves()) == pytest.approx(1_652_000)


@covers("serving_eligible")
def test_only_eligible_generations_and_by_their_equivalent() -> None:
    """Each GPU counts half: 2*50*8760 - 50*8760 - 100,000 = 338,000; a contract for another generation gets nothing: -876,000."""
    half = [{"contract_id": "c", "gen_id": "h100", "gpu_equivalent": 0.5}]
    assert npv(contract_generations=half) == pytest.approx(338_000)
    gens = [{"gen_id": "h100"}, {"gen_id": "next", "rack_kw": 20_000}]
    assert npv(generations=gens, contract_generations=[{"contract_id": "c", "gen_id": "next"}]) == pytest.approx(racks(0, YEAR))


@covers("serving_signed")
def test_a_declined_contract_is_not_served() -> None:
    """A prospect at 0.1 USD does not pay its racks (10 racks: 0.1*100*8760 - 100,000 = -12,400): declined, NPV = 0, its rows hold serve at 0."""
    tables = {
        "contracts": contract(status="prospect", max_sites=2),
        "contract_prices": [{"contract_id": "c", "from_period": "2026-Q1", "usd_per_gpu_hour": 0.1}],
    }
    found = best(**tables)
    assert found.summary.npv_usd == pytest.approx(0, abs=1e-6)
    assert list(found.decisions["kind"]) == ["decline"]
    m = compile_matrix(formulate(Instance(small_dataset(**tables))))
    rows, index = m.rows["serving_signed"]
    assert list(index) == [("c", "a"), ("c", "b")]
    row = m.a[[int(rows[0])], :].toarray()[0]
    names = m.column_names()
    assert {names[j]: row[j] for j in np.flatnonzero(row)} == {"serve[c,a]": 1.0, "sign[c]": -1.0}


@covers("serving_costs")
def test_serving_costs() -> None:
    """0.1 USD for each of 100 GPUs and 8760 hours = 87,600."""
    found = best(sites=[{"site_id": "a"}], serving_costs=[{"contract_id": "c", "site_id": "a", "usd_per_gpu_hour": 0.1}])
    assert found.summary.npv_terms["serving_costs"] == pytest.approx(-87_600)
    assert found.summary.npv_usd == pytest.approx(1_652_000 - 87_600)

"""Why: what a GPU-hour costs here and elsewhere, the next best place, and what the plan is worth without; figures by hand."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from models.dataset import Dataset
from models.plan import Plan
from optimizer import plan
from optimizer.explain import as_json
from optimizer.explain.ground import Ground
from optimizer.explain.placement import PlacementError, PlacementKind, read_placement, site_facts
from optimizer.explain.why import Why, site_costs, why
from optimizer.highs import Control
from optimizer.instance import Instance
from tests.factories import small_dataset

YEAR = 8760.0
Case = tuple[Dataset, Plan]


def solved(**case: Any) -> Case:
    dataset = small_dataset(**case)
    return dataset, plan(dataset, gap=0, threads=1)


def asked(case: Case, placement: str, **more: Any) -> Why:
    return why(*case, placement, **more)


@pytest.fixture(scope="module")
def two_sites() -> Case:
    """10 racks at a, where energy is free; at b it costs 10 USD/MWh: 0.1 USD per GPU of 10 kW and hour."""
    return solved(
        sites=[{"site_id": "a"}, {"site_id": "b", "price_zone": "Q"}],
        energy=[{"price_zone": "P"}, {"price_zone": "Q", "usd_per_mwh": 10}],
    )


def test_a_contract_served_from_a_site(two_sites: Case) -> None:
    """Without a all 100 GPUs are at b: 100 * 0.1 USD * 8760 h."""
    found = asked(two_sites, "c@a")
    assert [(c.site_id, c.chosen, c.total_usd) for c in found.costs] == [
        ("a", True, pytest.approx(0, abs=1e-9)),
        ("b", False, pytest.approx(0.1)),
    ]
    assert [(f.site_id, f.possible) for f in found.sites] == [("a", True), ("b", True)]
    without = found.without
    assert without is not None
    assert without.extra_usd == pytest.approx(10 * YEAR)
    assert without.extra_least_usd == pytest.approx(10 * YEAR, rel=1e-5)
    assert {t.name: t.difference for t in without.terms} == {"energy": pytest.approx(-10 * YEAR)}
    assert [(m.site_id, m.mw_difference) for m in without.instead] == [("a", pytest.approx(-1)), ("b", pytest.approx(1))]
    assert found.drivers == (
        "2 of 2 sites can serve c by the data: a, b",
        "a GPU-hour costs 0 USD there, the lowest of 2 sites: energy 0, demand charge 0, serving 0, scarce power, cooling and grid 0",
        "the cheapest site not used is b with 0.1 USD, 0 of it for scarce limits",
        "without it energy is 87,600 USD worse",
        "the next best place: b (+1 MW)",
    )
    assert found.statement == (
        "the plan found without it is worth 87,600 USD less; every plan without it is worth at least 87,600 USD less (proven)"
    )
    assert as_json(found)["without"]["instead_racks"] == ["10 h100 installed: a 2026-Q1 -> b 2026-Q1"]


def test_racks_at_a_site(two_sites: Case) -> None:
    found = asked(two_sites, "h100@a")
    assert found.costs == ()
    assert found.without is not None
    assert found.without.extra_usd == pytest.approx(10 * YEAR)
    assert found.drivers[-1] == "the next best place: 10 h100 installed: a 2026-Q1 -> b 2026-Q1"


def test_no_other_place() -> None:
    """Only a may serve c: without it 100 GPUs are short, 3 USD an hour each, and no rack is bought for 100,000 USD."""
    case = solved(contracts=[{"contract_id": "c", "sites": ["a"]}])
    found = asked(case, "c@a")
    assert [(f.site_id, f.possible, f.reason) for f in found.sites] == [
        ("a", True, ""),
        ("b", False, "is not in the contract's list of sites"),
    ]
    assert found.without is not None
    assert found.without.extra_usd == pytest.approx(300 * YEAR - 100_000)
    assert found.drivers[-1] == "the next best place: none; what it delivers there falls away"


def test_a_hard_duty_can_not_do_without() -> None:
    hard = {"contract_id": "c", "sites": ["a"], "max_short_share": 0.5, "grace_periods": 0}
    found = asked(solved(periods=1, contracts=[hard]), "c@a")
    assert found.without is None
    assert found.statement.startswith("no plan can do without it: contract c in 2026-Q1: max_short_share 0.5 can't hold")


def test_scarce_power_is_part_of_what_a_gpu_hour_costs() -> None:
    """1 MW holds 100 of 1000 GPUs owed: it is worth 300 * 8760 h - 100,000 USD, over 100 * 8760 GPU-hours."""
    dataset, made = solved(
        sites=[{"site_id": "a"}], power_blocks=[{"block_id": "a-1", "site_id": "a", "it_mw": 1}], supply=[{"gen_id": "h100", "racks": 50}],
        contract_ramp=[{"contract_id": "c", "gpus": 1000}],
    )  # fmt: skip
    (cost,) = site_costs(Ground(dataset, made), "c")
    assert cost.scarcity_usd == pytest.approx(3 - 100_000 / (100 * YEAR))
    assert cost.total_usd == pytest.approx(cost.scarcity_usd)


def test_every_part_of_what_a_gpu_hour_costs() -> None:
    """A GPU is 10 kW: 50 USD/MWh are 0.5 USD; 0.4 t/MWh at 20 USD are 0.08; 7.3 USD/kW-month are 0.1 over 730 hours; serving 0.02."""
    dataset, made = solved(
        sites=[{"site_id": "a"}],
        energy=[{"price_zone": "P", "usd_per_mwh": 50, "gco2_per_kwh": 400}],
        carbon_prices=[{"price_zone": "P", "from_period": "2026-Q1", "usd_per_t": 20}],
        demand_charges=[{"price_zone": "P", "from_period": "2026-Q1", "usd_per_kw_month": 7.3}],
        serving_costs=[{"contract_id": "c", "site_id": "a", "usd_per_gpu_hour": 0.02}],
    )
    (cost,) = site_costs(Ground(dataset, made), "c")
    assert cost.energy_usd == pytest.approx(0.58)
    assert cost.demand_usd == pytest.approx(7.3 * 12 / YEAR * 10)
    assert cost.serving_usd == pytest.approx(0.02)
    assert cost.total_usd == pytest.approx(cost.energy_usd + cost.demand_usd + cost.serving_usd)


def test_a_signed_prospect() -> None:
    """Declined, its revenue and its racks go: 200 * 8760 less 100,000 USD."""
    found = asked(solved(contracts=[{"contract_id": "c", "status": "prospect"}]), "c")
    assert found.placement.kind is PlacementKind.SIGN
    assert found.without is not None
    assert found.without.extra_usd == pytest.approx(200 * YEAR - 100_000)


def test_an_optional_block() -> None:
    """Only the option has power at all: 100 GPUs at 3 USD, 100,000 USD of racks, 50,000 of the block."""
    blocks = [{"block_id": "a-1", "site_id": "a", "it_mw": 1, "capex_usd": 50_000, "energized": "2026-Q1"}]
    case = solved(sites=[{"site_id": "a"}], power_blocks=blocks)
    found = asked(case, "a-1")
    assert found.placement.kind is PlacementKind.BUILD
    assert found.without is not None
    assert found.without.extra_usd == pytest.approx(300 * YEAR - 150_000)


def test_racks_where_a_fleet_stands() -> None:
    """5 racks stand at a, 5 are installed: without the new ones 50 GPUs are short. Where none is installed, it is the fleet."""
    fleet = [{"site_id": "a", "gen_id": "h100", "racks": 5, "in_service_since": "2025-Q4"}]
    case = solved(sites=[{"site_id": "a"}], fleet=fleet)
    found = asked(case, "h100@a")
    assert found.without is not None
    assert found.without.extra_usd == pytest.approx(150 * YEAR - 50_000)
    old = asked(solved(sites=[{"site_id": "a"}], fleet=fleet, supply=[]), "h100@a")
    assert old.without is not None
    assert old.without.extra_usd == pytest.approx(150 * YEAR)
    assert old.drivers[-1] == "the next best place: 5 h100 retired: - -> a 2026-Q1"


def test_time_over(two_sites: Case) -> None:
    stop = threading.Event()
    stop.set()
    found = asked(two_sites, "c@a", control=Control(np.inf, stop))
    assert (found.costs, found.without) == ((), None)
    assert found.statement.startswith("no plan without it was found in time")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("c@b", "c served from b: the plan does not do this; ask why-not"),
        ("h100@b", "h100 racks at b: the plan does not do this; ask why-not"),
        ("c@aa", "aa: there is no such site; did you mean 'a'?"),
        ("h10@a", "h10: there is no such contract or generation; did you mean 'h100'?"),
        ("c", "c: a firm contract is no decision; ask c@SITE for where it is served"),
        ("a-1", "a-1: a firm block is no decision; allowed: an optional block"),
        ("a", "a: an open site without a retrofit is no decision; ask CONTRACT@a or GENERATION@a"),
        ("zzz", "zzz: there is no such contract, block or site; allowed: a, a-1, b, b-1, c"),
    ],
)
def test_a_placement_that_is_none(text: str, said: str, two_sites: Case) -> None:
    with pytest.raises(PlacementError) as raised:
        asked(two_sites, text)
    assert str(raised.value) == said


PLACEMENTS = {
    "p": PlacementKind.SIGN, "n": PlacementKind.OPEN, "n-1": PlacementKind.BUILD, "a": PlacementKind.RETROFIT, "p@a": PlacementKind.SERVE,
    " h100@a ": PlacementKind.RACKS,
}  # fmt: skip


def test_each_kind_of_placement() -> None:
    inst = Instance(small_dataset(
        sites=[{"site_id": "a"}, {"site_id": "n", "status": "candidate"}], contracts=[{"contract_id": "p", "status": "prospect"}],
        retrofits=[{"site_id": "a"}],
    ))  # fmt: skip
    assert {text: read_placement(text, inst).kind for text in PLACEMENTS} == PLACEMENTS
    assert len({read_placement(text, inst).words for text in PLACEMENTS}) == len(PLACEMENTS)


FACTS: dict[str, tuple[dict[str, Any], str]] = {
    "zone": ({"contracts": [{"contract_id": "c", "zones": ["Y"]}], "sites": [{"site_id": "a", "zone": "Z"}, {"site_id": "b", "zone": "Y"}]}, "zone Z is not among Y"),
    "excluded": ({"contracts": [{"contract_id": "c", "excluded_sites": ["a"]}]}, "is excluded by the contract"),
    "hall": ({"sites": [{"site_id": "a", "max_rack_kw": 50}, {"site_id": "b"}]}, "its halls take no rack of an eligible generation"),
    "power": ({"power_blocks": [{"block_id": "b-1", "site_id": "b"}]}, "no rack of an eligible generation can be had and powered there while GPUs are owed"),
    "cluster": (
        {"contracts": [{"contract_id": "c", "min_cluster_gpus": 80}], "power_blocks": [{"block_id": "a-1", "site_id": "a", "it_mw": 0.5}, {"block_id": "b-1", "site_id": "b"}]},
        "its smallest cluster of 80 GPUs does not fit: at most 50",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FACTS)
def test_why_a_site_can_not_serve_a_contract(name: str) -> None:
    case, reason = FACTS[name]
    facts = {f.site_id: f for f in site_facts(Instance(small_dataset(**case)), "c")}
    assert (facts["a"].possible, facts["a"].reason) == (False, reason)
    assert facts["b"].possible

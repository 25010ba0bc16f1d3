"""Why not: whether it can be, what it costs, what stands in the way and how much more would do; figures by hand."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import pytest

from models.dataset import Dataset
from models.plan import Plan
from models.tables import Directive, PowerBlock
from optimizer import plan
from optimizer.explain import as_json
from optimizer.explain import why_not as module
from optimizer.explain.ground import Edit, Ground
from optimizer.explain.obstacles import Wish, obstacles
from optimizer.explain.placement import PlacementError, read_placement
from optimizer.explain.why_not import Possible, WhyNot, forcing, why_not
from optimizer.highs import Control, SolverError
from optimizer.instance import Instance
from tests.factories import small_dataset

YEAR = 8760.0
Q1, Q2, Q3, Q4 = "2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"
Case = tuple[Dataset, Plan]


def solved(**case: Any) -> Case:
    dataset = small_dataset(**case)
    return dataset, plan(dataset, gap=0, threads=1)


def asked(case: Case, wish: Wish | str, **more: Any) -> WhyNot:
    read = read_placement(wish, Instance(case[0])) if isinstance(wish, str) else wish
    return why_not(*case, read, **more)


def full_cost(case: Case, wish: Wish | str) -> float:
    """What the wish costs when its directive is put into the data and everything is planned anew."""
    dataset, made = case
    read = read_placement(wish, Instance(dataset)) if isinstance(wish, str) else wish
    forced = dataset
    for change in forcing(read, Instance(dataset))[0].changes:
        from models.changes import apply

        forced = apply(forced, [change]).dataset
    anew = plan(forced, gap=0, threads=1)
    assert made.summary.npv_usd is not None
    assert anew.summary.npv_usd is not None
    return made.summary.npv_usd - anew.summary.npv_usd


@pytest.fixture(scope="module")
def two_sites() -> Case:
    """10 racks at a, where energy is free; at b it costs 10 USD/MWh: 0.1 USD per GPU and hour."""
    return solved(
        sites=[{"site_id": "a"}, {"site_id": "b", "price_zone": "Q"}],
        energy=[{"price_zone": "P"}, {"price_zone": "Q", "usd_per_mwh": 10}],
    )


@pytest.fixture(scope="module")
def full_hall() -> Case:
    """1 MW holds 10 racks: 100 GPUs for c at 2 USD with damages of 1; d would pay 0.5 with damages of 0.1."""
    return solved(
        sites=[{"site_id": "a"}],
        power_blocks=[{"block_id": "a-1", "site_id": "a", "it_mw": 1}],
        supply=[{"gen_id": "h100", "racks": 50}],
        contracts=[{"contract_id": "c"}, {"contract_id": "d", "ld_usd_per_gpu_hour": 0.1}],
        contract_prices=[{"contract_id": "c"}, {"contract_id": "d", "usd_per_gpu_hour": 0.5}],
    )


# what can be -----------------------------------------------------------------------------------


def test_money_alone_stands_in_the_way(two_sites: Case) -> None:
    """50 GPUs at b: 50 * 0.1 USD * 8760 h. Supply is short, but it is with and without the wish."""
    found = asked(two_sites, Wish(50, "h100", "b", "c"))
    assert (found.possible, found.already) == (Possible.YES, False)
    assert found.cost_usd == pytest.approx(5 * YEAR)
    assert found.cost_least_usd == pytest.approx(5 * YEAR, rel=1e-5)
    assert {t.name: t.difference for t in found.terms} == {"energy": pytest.approx(-5 * YEAR)}
    assert (found.limits, found.relaxation) == ((), None)
    assert found.statement.startswith(
        "it can be done, for 43,800 USD of NPV; every plan that does it is worth at least 43,800 USD less (proven)"
    )
    assert found.statement.endswith("no limit alone stands in the way, it is energy that gets worse, by 43,800 USD")


def test_periods_asked_about_decide_the_cost(two_sites: Case) -> None:
    """Racks stand at b all the year or not at all, so a quarter there costs a year of energy of those 5 racks."""
    found = asked(two_sites, Wish(50, "h100", "b", "c", Q3, Q3), control=Control())
    assert found.cost_usd == pytest.approx(5 * YEAR)
    assert found.wish == "50 GPUs of h100 for c at b from 2026-Q3 to 2026-Q3"


def test_the_limit_in_the_way_and_how_much_more_makes_it_free(full_hall: Case) -> None:
    """50 GPUs for d take the place of 50 for c: (3 - 0.6) USD * 50 * 8760 h. With 0.5 MW more both are served."""
    found = asked(full_hall, Wish(50, None, "a", "d"))
    assert found.cost_usd == pytest.approx(2.4 * 50 * YEAR)
    power = found.limits[0]
    assert (power.limit.name, power.limit.place) == ("it_power", "a")
    assert power.npv_usd == pytest.approx(2.4 * 100 * YEAR)
    assert (power.amount, power.share, power.cost_usd) == (pytest.approx(0.5), pytest.approx(0.5), 0.0)
    assert power.words == f"IT power of a from {Q1} to {Q4}: 0.5 MW more (power_blocks.csv), and it would cost nothing"
    assert found.relaxation == power.words
    assert found.statement.endswith(f"in the way stands above all {power.words}")
    assert full_cost(full_hall, Wish(50, None, "a", "d")) == pytest.approx(found.cost_usd)


def test_the_relaxation_told_does_what_it_says(full_hall: Case) -> None:
    """With half a megawatt more in the data the best plan does it by itself."""
    roomy = full_hall[0].replace(None, power_blocks=[b.model_copy(update={"it_mw": 1.5}) for b in full_hall[0].rows(PowerBlock)])
    assert asked((roomy, plan(roomy, gap=0, threads=1)), Wish(50, None, "a", "d")).already


def test_only_limits_of_the_periods_asked_about_get_more(full_hall: Case) -> None:
    """In Q4 alone: 50 GPUs for 2208 hours, and 0.5 MW in Q4; the 5 racks for it are paid by either plan."""
    found = asked(full_hall, Wish(50, None, "a", "d", Q4))
    assert found.cost_usd == pytest.approx(2.4 * 50 * 2208)
    power = next(r for r in found.limits if r.limit.name == "it_power")
    assert power.words.startswith(f"IT power of a in {Q4}: ")
    assert power.cost_usd < found.cost_usd


def test_two_limits_in_the_way_are_both_told() -> None:
    """Power and supply end together at 10 racks: 1 MW more has no racks, 5 racks more have no power; neither alone makes it cheaper."""
    case = solved(
        sites=[{"site_id": "a"}], power_blocks=[{"block_id": "a-1", "site_id": "a", "it_mw": 1}], supply=[{"gen_id": "h100", "racks": 10}],
        contracts=[{"contract_id": "c"}, {"contract_id": "d", "ld_usd_per_gpu_hour": 0.1}],
        contract_prices=[{"contract_id": "c"}, {"contract_id": "d", "usd_per_gpu_hour": 0.5}],
    )  # fmt: skip
    found = asked(case, Wish(50, None, "a", "d"))
    assert found.cost_usd == pytest.approx(2.4 * 50 * YEAR)
    assert found.limits == ()
    assert "no limit alone stands in the way" in found.statement


def test_a_declined_prospect() -> None:
    """Signed at 0.1 USD: 10 racks cost 100,000 USD and earn 100 * 0.1 * 8760."""
    prospect = {"contract_id": "c", "status": "prospect"}
    case = solved(contracts=[prospect], contract_prices=[{"contract_id": "c", "usd_per_gpu_hour": 0.1}])
    found = asked(case, "c")
    assert found.cost_usd == pytest.approx(100_000 - 10 * YEAR)
    assert full_cost(case, "c") == pytest.approx(found.cost_usd)


def test_what_the_plan_does_already(two_sites: Case) -> None:
    for wish in (Wish(100, None, None, "c"), Wish(40, "h100", "a", None, Q2, Q3), "c@a", "h100@a"):
        found = asked(two_sites, wish)
        assert (found.possible, found.already, found.cost_usd) == (Possible.YES, True, 0.0)
        assert found.statement == "the plan does this already"


def test_as_plain_values(full_hall: Case) -> None:
    found = as_json(asked(full_hall, Wish(50, None, "a", "d")))
    assert found["possible"] == "yes"
    assert found["limits"][0]["limit"]["table"] == "power_blocks.csv"


# what can't ------------------------------------------------------------------------------------


def test_more_racks_than_supply(two_sites: Case) -> None:
    """50 racks of 10 that there are."""
    found = asked(two_sites, Wish(500, "h100", "b"))
    assert found.possible is Possible.NO
    (supply,) = found.obstacles
    assert (supply.limit, supply.wanted, supply.possible) == ("supply", pytest.approx(50), pytest.approx(10))
    assert found.relaxation == f"supply of h100 up to {Q1}: 40 racks more (supply.csv)"
    assert "40 racks of it are too many" in found.statement
    assert found.statement.endswith(f"the cheapest relaxation that makes it possible: {found.relaxation}")


def test_a_wish_that_other_rules_do_not_leave_room_for() -> None:
    """8 of 10 racks must be at a; 40 GPUs for c at b need 4: 2 too many, or the rule gives 2 back, or there are 2 more."""
    case = solved(directives=[{"row": "keep", "rule": "min", "decision": "in_service", "site_id": "a", "value": 8}])
    found = asked(case, Wish(40, None, "b", "c"))
    assert found.possible is Possible.NO
    assert found.obstacles == ()
    assert found.conflict is not None
    assert found.conflict.named == {"keep", "change-1"}
    assert "it can't hold together with directive keep (min in_service of a 8)" in found.statement
    assert "20 GPUs of it are too many" in found.statement
    assert found.relaxation == f"supply of h100 up to {Q1}: 2 racks more (supply.csv)"


def test_a_wish_that_whole_racks_alone_rule_out() -> None:
    """There is one rack of 10 GPUs, and a gets 5: half a rack at b would do, but there are no half racks."""
    half = {"row": "half", "rule": "min", "decision": "deliveries", "site_id": "a", "value": 5}
    found = asked(solved(supply=[{"gen_id": "h100", "racks": 1}], directives=[half]), Wish(5, None, "b", "c"))
    assert found.possible is Possible.NO
    assert found.conflict is not None
    assert found.conflict.in_whole_numbers
    assert found.relaxation == f"supply of h100 up to {Q1}: 1 rack more (supply.csv)"


def test_what_the_terms_of_a_contract_rule_out() -> None:
    case = solved(contracts=[{"contract_id": "c", "excluded_sites": ["b"]}])
    found = asked(case, Wish(10, None, "b", "c"))
    assert (found.possible, found.conflict) == (Possible.NO, None)
    assert found.statement == "no plan can: b may not serve c: it is excluded (contracts.csv)"
    more = asked(case, Wish(150, None, "a", "c", Q2))
    assert more.statement.startswith("no plan can: c is owed 100 contract GPUs in 2026-Q2: no more than 100 GPUs are delivered")

    served = asked(case, "c@b")
    assert (served.possible, served.statement) == (Possible.NO, "no plan can: b can't serve c: is excluded by the contract")


def test_racks_that_can_be_there_in_some_periods_only() -> None:
    """Racks live two quarters and can be installed in Q1 only: none in Q4, but in Q2 there can be one, for 10,000 USD and nothing to earn at b."""
    gens = [{"gen_id": "h100", "life_periods": 2, "last_install": Q1}]
    case = solved(generations=gens, contracts=[{"contract_id": "c", "sites": ["a"], "ld_usd_per_gpu_hour": 0}],
                  contract_prices=[{"contract_id": "c", "usd_per_gpu_hour": 0.001}])  # fmt: skip
    found = asked(case, "h100@b")
    assert found.possible is Possible.YES
    assert found.wish == "h100 racks at b (1 rack in 2026-Q2)"
    assert found.cost_usd == pytest.approx(10_000)


def test_a_directive_that_leaves_only_an_early_period_is_not_called_impossible() -> None:
    """No rack at b from Q2 on: it can still be there in Q1, and that is found after later periods are shown not to do."""
    case = solved(
        periods=2, directives=[{"row": "out", "rule": "max", "decision": "in_service", "site_id": "b", "value": 0, "from_period": Q2}]
    )
    found = asked(case, "h100@b")
    assert found.possible is Possible.YES
    assert found.wish == "h100 racks at b (1 rack in 2026-Q1)"
    assert found.cost_usd == pytest.approx(10 * 3 * 2184)


def test_racks_of_different_sizes_need_a_generation() -> None:
    gens = [{"gen_id": "h100"}, {"gen_id": "big", "gpus_per_rack": 72}]
    case = solved(generations=gens)
    with pytest.raises(PlacementError, match=r"a generation is needed.*h100 10, big 72"):
        asked(case, Wish(72, None, "a", None))
    assert asked(case, Wish(72, "big", "a")).possible is Possible.YES


# time and mistakes -----------------------------------------------------------------------------


def stopped() -> Control:
    event = threading.Event()
    event.set()
    return Control(np.inf, event)


def test_time_over(two_sites: Case) -> None:
    found = asked(two_sites, Wish(50, "h100", "b", "c"), control=stopped())
    assert found.possible is Possible.UNKNOWN
    assert found.statement.endswith("that none exists is not proven")


def test_limits_in_the_way_are_left_out_when_time_is_over(full_hall: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RELIEF_SECONDS", 0.0)
    found = asked(full_hall, Wish(50, None, "a", "d"))
    assert found.cost_usd == pytest.approx(2.4 * 50 * YEAR)
    assert found.limits == ()
    assert "which limits stand in the way was not found in time" in found.statement


def test_the_model_near_the_plan_is_solved_within_the_time_given(full_hall: Case) -> None:
    with pytest.raises(SolverError, match="not solved"):
        Ground(*full_hall).resolved(Edit(), stopped())


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(1, gen_id="h10"), "h10: there is no such generation; did you mean 'h100'?"),
        (Wish(1, site_id="aa"), "aa: there is no such site"),
        (Wish(1, contract_id="x", site_id="a"), "x: there is no such contract"),
        (Wish(0, site_id="a"), "0 GPUs: allowed is 1 or more"),
        (Wish(math.inf, site_id="a"), "inf GPUs: allowed is 1 or more"),
        (Wish(5), "a wish needs a contract, a site or a generation"),
        (Wish(5, site_id="a", from_period="2030-Q1"), "2030-Q1 is outside the horizon; allowed: 2026-Q1 to 2026-Q4"),
        (Wish(5, site_id="a", from_period="Q1"), "Q1 is not a period of this dataset"),
        (Wish(5, site_id="a", from_period=Q3, to_period=Q2), "2026-Q2 is before 2026-Q3"),
    ],
)
def test_a_wish_for_what_there_is_not(two_sites: Case, wish: Wish, said: str) -> None:
    with pytest.raises(PlacementError) as raised:
        asked(two_sites, wish)
    assert said in str(raised.value)


# what the data say -----------------------------------------------------------------------------

FAULTS: dict[str, tuple[dict[str, Any], Wish, str, float, float]] = {
    "power": ({"power_blocks": [{"block_id": "a-1", "site_id": "a", "it_mw": 0.5}]}, Wish(80, "h100", "a"), "it_power", 0.8, 0.5),
    "air": ({"power_blocks": [{"block_id": "a-1", "site_id": "a", "air_mw": 0.5}]}, Wish(80, "h100", "a"), "air", 0.8, 0.5),
    "liquid": (
        {"power_blocks": [{"block_id": "a-1", "site_id": "a", "liquid_mw": 0.2}], "generations": [{"gen_id": "h100", "liquid_share": 0.5}]},
        Wish(80, "h100", "a"), "liquid", 0.4, 0.2,
    ),
    "installation": ({"sites": [{"site_id": "a", "install_racks_per_period": 3}]}, Wish(80, "h100", "a", None, Q2), "install_rate", 8, 6),
    "spare": ({"contracts": [{"contract_id": "c", "spare_share": 0.25}]}, Wish(100, "h100", None, "c"), "supply", 12.5, 10),
    "hall": ({"sites": [{"site_id": "a", "max_rack_kw": 50}]}, Wish(10, "h100", "a"), "hall", 100, 50),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_each_limit_of_the_data(name: str) -> None:
    case, wish, limit, wanted, possible = FAULTS[name]
    (found,) = obstacles(wish, Instance(small_dataset(**case)))
    assert (found.limit, found.wanted, found.possible) == (limit, pytest.approx(wanted), pytest.approx(possible))


def test_a_fulfilled_wish_meets_no_obstacle(two_sites: Case) -> None:
    """Whatever the plan does is no fault of the data."""
    dataset, made = two_sites
    inst = Instance(dataset)
    for row in made.deliveries[made.deliveries["gpus"] > 0].itertuples():
        assert obstacles(Wish(row.gpus, row.gen_id, row.site_id, row.contract_id, row.period, row.period), inst) == ()
    assert dataset.rows(Directive) == ()

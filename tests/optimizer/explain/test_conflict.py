"""Conflicts: the rules named, the limits they run into, and what would resolve them; every figure follows by hand."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csc_array

from optimizer.conflicts import activity
from optimizer.explain import conflict as module
from optimizer.explain.checks import checked
from optimizer.explain.conflict import Conflict, Filter, explain_conflict
from optimizer.formulation import formulate
from optimizer.highs import Control
from optimizer.instance import Instance
from optimizer.matrix import Matrix, compile_matrix
from tests.factories import small_dataset

Q1, Q2, Q3, Q4 = "2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"
Case = dict[str, Any]
IN_Q3 = {"from_period": Q3, "to_period": Q3}
INNOCENT = [
    {"row": "innocent-1", "rule": "min", "decision": "in_service", "site_id": "a", "value": 1, **IN_Q3},
    {"row": "innocent-2", "rule": "max", "decision": "in_service", "site_id": "b", "value": 9, "from_period": Q4},
]


def least(decision: str, value: float, **more: Any) -> Case:
    return {"rule": "min", "decision": decision, "value": value, **more}


def most(decision: str, value: float, **more: Any) -> Case:
    return {"rule": "max", "decision": decision, "value": value, **more}


def explained(*directives: Case, **case: Any) -> Conflict:
    """The conflict of a small dataset whose directives are d1, d2 ..."""
    rows = [{"row": f"d{i}", **row} for i, row in enumerate(directives, 1)]
    rows += case.pop("beside", [])
    found = explain_conflict(small_dataset(**case, directives=rows) if rows else small_dataset(**case))
    assert found is not None
    return found


def amounts(found: Conflict) -> dict[str, list[tuple[str, str, float]]]:
    """By repair: limits with their periods, and by how much they give way."""
    return {r.what.split(" (")[0]: [(w.limit.name, w.limit.period, pytest.approx(w.amount)) for w in r.ways] for r in found.repairs}


def test_more_racks_than_supply() -> None:
    """8 racks at each of two sites, 10 in all: one asks for 6 less, or there are 6 more; of 10 that is the smallest share."""
    found = explained(least("in_service", 8, site_id="a", **IN_Q3), least("in_service", 8, site_id="b", **IN_Q3))
    assert found.named == {"d1", "d2"}
    assert found.irreducible
    assert not found.in_whole_numbers
    assert {(limit.name, limit.place) for limit in found.capacity} == {("supply", "h100")}
    assert [(r.what.split(" (")[0], round(r.price, 6)) for r in found.repairs] == [
        ("capacity", 0.6),
        ("directive d1", 0.75),
        ("directive d2", 0.75),
    ]
    assert amounts(found)["directive d1"] == [("directive_least", Q3, 6)]
    assert [(w.limit.name, w.amount) for w in found.repairs[0].ways] == [("supply", pytest.approx(6))]
    assert found.words == [
        f"these can't hold together: directive d1 (min in_service of a 8 in {Q3}); directive d2 (min in_service of b 8 in {Q3})",
        f"they run into: supply of h100 up to {Q1} (and 2 more periods)",
        f"repair: {found.repairs[0].words}",
        f"repair: directive d1 (min in_service of a 8 in {Q3}) to ask for 6 less, 2 instead of 8",
        f"repair: directive d2 (min in_service of b 8 in {Q3}) to ask for 6 less, 2 instead of 8",
    ]
    assert found.repairs[0].words.endswith("6 racks more (supply.csv)")


def test_two_directives_that_contradict_one_another() -> None:
    """At least 5 and at most 3: seen without a solve; 2 less, or 2 more."""
    found = explained(least("in_service", 5, site_id="a", **IN_Q3), most("in_service", 3, site_id="a", **IN_Q3))
    (finding,) = found.findings
    assert (finding.rule, finding.others) == ("d1", ("d2",))
    assert finding.words.endswith("leaves it at most 3")
    assert found.named == {"d1", "d2"}
    assert amounts(found) == {"directive d1": [("directive_least", Q3, 2)], "directive d2": [("directive_most", Q3, 2)]}
    assert found.words[-1] == f"repair: directive d2 (max in_service of a 3 in {Q3}) to allow 2 more, 5 instead of 3"


def test_contained_directives_contradict_one_another_too() -> None:
    """6 racks at a and at most 4 at all sites; and 12 at all sites where at most 3 are at a and 5 at b (10 in supply)."""
    found = explained(least("in_service", 6, site_id="a", **IN_Q3), most("in_service", 4, **IN_Q3))
    assert [(f.rule, f.others) for f in found.findings] == [("d1", ("d2",))]
    assert found.named == {"d1", "d2"}


def test_a_conflict_of_whole_racks_alone() -> None:
    """A rack is 10 GPUs: 5 at each site need two racks, and there is one; a rack more, or one site gets none."""
    asked = [least("deliveries", 5, site_id=s, **IN_Q3) for s in "ab"]
    found = explained(*asked, supply=[{"gen_id": "h100", "racks": 1}])
    assert found.in_whole_numbers
    assert found.named == {"d1", "d2"}
    assert amounts(found)["directive d1"] == [("directive_least", Q3, 5)]
    assert sum(w.amount for r in found.repairs if r.what == "capacity" for w in r.ways) == pytest.approx(1)
    assert all(r.whole for r in found.repairs)
    assert any("it is whole racks and yes-or-no decisions" in line for line in found.words)


def test_a_hard_duty_without_power() -> None:
    """1 MW is 100 of 300 GPUs, at most 150 may be short: 50 more short (a sixth of what is owed), or 0.5 MW more (half of 1 MW)."""
    found = explained(
        power_blocks=[{"block_id": "a-1", "site_id": "a", "it_mw": 1.0}], sites=[{"site_id": "a"}], supply=[{"gen_id": "h100", "racks": 30}],
        contracts=[{"contract_id": "c", "max_short_share": 0.5, "grace_periods": 3}], contract_ramp=[{"contract_id": "c", "gpus": 300}],
    )  # fmt: skip
    assert found.named == {"short_limit c"}
    assert [limit.words for limit in found.capacity] == [f"IT power of a in {Q4}"]
    assert [(r.what.split(" (")[0], r.price) for r in found.repairs] == [
        ("hard duty of contract c", pytest.approx(1 / 6)),
        ("capacity", pytest.approx(0.5)),
    ]
    assert [r.words for r in found.repairs] == [
        f"hard duty of contract c in {Q4}: 50 contract GPUs more short (contracts.csv, max_short_share)",
        f"IT power of a in {Q4}: 0.5 MW more (power_blocks.csv)",
    ]


def test_a_hard_duty_without_racks_is_seen_in_the_data() -> None:
    """90 of 100 GPUs must be delivered: 9 racks, and there are none."""
    found = explained(contracts=[{"contract_id": "c", "max_short_share": 0.1, "grace_periods": 3}], supply=[])
    (finding,) = found.findings
    assert finding.rule == "short_limit c"
    assert "90 contract GPUs too many are short" in finding.words
    assert "9 racks wanted in 2026-Q4, 0 possible" in finding.words
    assert found.named == {"short_limit c"}


def test_a_budget() -> None:
    """8 racks at 10,000 USD, 50,000 USD: 3 racks less (3/8), or 30,000 USD more (3/5)."""
    found = explained(least("installed", 8, from_period=Q1, to_period=Q1), capex_budget=[{"usd": 50_000}], beside=INNOCENT)
    assert found.named == {"d1", "capex_budget"}
    assert [r.price for r in found.repairs] == [pytest.approx(0.375), pytest.approx(0.6)]
    assert found.repairs[1].words == f"capex budget up to {Q1}: 30,000 USD more (capex_budget.csv)"


def test_a_carbon_cap() -> None:
    """50 GPUs draw 0.5 MW: 1752 t in 8760 hours at 400 g/kWh; 1652 t more than 100 are 16.52 caps."""
    found = explained(
        least("deliveries", 50, contract_id="c"),
        carbon_cap=[{"year": 2026, "tonnes": 100}],
        energy=[{"gco2_per_kwh": 400}],
        beside=INNOCENT,
    )
    assert found.named == {"d1", "carbon_cap 2026"}
    (cap,) = (r for r in found.repairs if r.what.startswith("carbon"))
    assert (cap.price, cap.words) == (pytest.approx(16.52), "carbon cap of 2026: 1,652 tonnes more (carbon_cap.csv)")


def test_a_water_limit() -> None:
    """50 GPUs draw 0.5 MW: 1080 m3 at 1 L/kWh in 2160 hours; 100 m3 are 4.6296 GPUs."""
    sites = [{"site_id": "a", "wue_l_per_kwh": 1, "water_limit_m3_per_period": 100}, {"site_id": "b"}]
    asked = least("deliveries", 50, contract_id="c", site_id="a", from_period=Q1, to_period=Q1)
    found = explained(asked, sites=sites, beside=INNOCENT)
    assert found.named == {"d1", "water a"}
    assert amounts(found)["water limit of site a"] == [("water", Q1, 980)]
    assert amounts(found)["directive d1"] == [("directive_least", Q1, 50 - 100 / 21.6)]


def test_a_customers_share() -> None:
    """50 GPUs for 2208 hours at 2 USD are all the revenue, half of it may be one customer's: 110,400 USD of 441,600 if all were served."""
    found = explained(
        least("deliveries", 50, contract_id="c", from_period=Q4),
        customer_revenue_share=0.5,
        customer_revenue_share_from=Q4,
        beside=INNOCENT,
    )
    assert found.named == {"d1", "customer_share u"}
    assert amounts(found)["share of customer u in the revenue"] == [("customer_share", Q4, 110_400)]
    assert found.repairs[0].price == pytest.approx(0.25)


def test_a_grid_limit() -> None:
    """20 racks draw 2 MW behind a node of 1.5 MW: 5 racks less (1/4), or 0.5 MW more (1/3)."""
    found = explained(
        least("in_service", 20, site_id="a", **IN_Q3), sites=[{"site_id": "a", "grid_node": "n"}],
        grid_nodes=[{"node_id": "n", "name": "n"}], grid_limits=[{"node_id": "n", "from_period": Q1, "limit_mw": 1.5}],
        supply=[{"gen_id": "h100", "racks": 30}],
    )  # fmt: skip
    assert found.named == {"d1"}
    assert "grid limit of node n: 2 MW wanted in 2026-Q3, 1.5 possible, 0.5 more needed (grid_limits.csv)" in found.words[0]
    assert [(r.price, r.words) for r in found.repairs] == [
        (pytest.approx(0.25), f"directive d1 (min in_service of a 20 in {Q3}) to ask for 5 less, 15 instead of 20"),
        (pytest.approx(1 / 3), f"grid limit of node n in {Q3}: 0.5 MW more (grid_limits.csv)"),
    ]


def test_what_is_no_decision_is_told_with_its_reason_and_the_rest_is_asked_without_it() -> None:
    """No supply before Q3, so no rack in Q2; beside it d2 and d3 contradict one another."""
    found = explained(
        least("in_service", 2, site_id="a", from_period=Q2, to_period=Q2), least("in_service", 5, **IN_Q3), most("in_service", 3, **IN_Q3),
        supply=[{"gen_id": "h100", "period": Q3, "racks": 10}],
    )  # fmt: skip
    assert found.named == {"d1", "d2", "d3"}
    assert [m.limit.place for m in found.members] == ["d1"]
    assert "2 racks wanted in 2026-Q2, 0 possible, 2 more needed (supply.csv); enough from 2026-Q3 on" in found.words[0]
    assert "repair: directive d1 (min in_service of a 2 in 2026-Q2) to be taken back" in found.words
    assert [m.limit.place for m in found.beside[0].members] == ["d2", "d3"]
    assert {w.limit.place: w.amount for w in found.gives_way} == {"d1": 0.0, "d2": pytest.approx(2)}
    assert found.words[-1].startswith("all of this is resolved, for the least in all, by: directive d1 ")


def test_two_conflicts_at_once() -> None:
    """At a in Q3 at least 5 and at most 3; at b in Q4 at least 4 and at most 1: each is told with its repairs, and the least in all."""
    found = explained(
        least("in_service", 5, site_id="a", **IN_Q3), most("in_service", 3, site_id="a", **IN_Q3),
        least("in_service", 4, site_id="b", from_period=Q4), most("in_service", 1, site_id="b", from_period=Q4), beside=INNOCENT[:1],
    )  # fmt: skip
    pairs = [sorted(m.limit.place for m in one.members) for one in (found, *found.beside)]
    assert sorted(pairs) == [["d1", "d2"], ["d3", "d4"]]
    assert found.named == {"d1", "d2", "d3", "d4"}
    for one in (found, *found.beside):
        assert len(one.repairs) == 2
        assert one.irreducible
    assert {w.limit.place: w.amount for w in found.gives_way} == {"d1": pytest.approx(2), "d3": pytest.approx(3)}
    assert found.words[-1].startswith("all of this is resolved, for the least in all, by: ")
    assert found.complete


def test_a_repair_that_only_several_rules_together_make_cheap() -> None:
    """Of 10 racks 4 sites ask for 5 each: no rule alone can give 10 back where each must stay at 0 or more; two can."""
    sites = [{"site_id": s} for s in "abde"]
    found = explained(*(least("in_service", 5, site_id=s, **IN_Q3) for s in "abde"), sites=sites)
    assert found.irreducible
    assert len(found.members) == 3  # 15 of 10
    assert {r.what for r in found.repairs} >= {"together", "capacity"}
    assert not any(r.what.startswith("directive") for r in found.repairs)
    (joint,) = (r for r in found.repairs if r.what == "together")
    assert sum(w.amount for w in joint.ways) == pytest.approx(10)


def test_no_conflict() -> None:
    assert explain_conflict(small_dataset(directives=INNOCENT)) is None


def test_a_slack_is_as_large_as_the_data_can_need() -> None:
    """3 million racks wanted where 0 are allowed: 3 million more, a million times what a slack of the limit's size was once allowed."""
    count = 3e6
    found = explained(
        least("in_service", count, site_id="a", from_period=Q4), most("in_service", 0, site_id="a", from_period=Q4),
        sites=[{"site_id": "a"}], supply=[{"gen_id": "h100", "racks": int(count)}],
        power_blocks=[{"block_id": "a-1", "site_id": "a", "it_mw": count / 10, "air_mw": count / 10}],
    )  # fmt: skip
    assert amounts(found) == {"directive d1": [("directive_least", Q4, count)], "directive d2": [("directive_most", Q4, count)]}


def test_time_over_leaves_what_the_data_say() -> None:
    dataset = small_dataset(directives=[{"row": "d1", **least("in_service", 50, site_id="a", **IN_Q3)}])
    stop = threading.Event()
    stop.set()
    found = explain_conflict(dataset, control=Control(np.inf, stop))
    assert found is not None
    assert not found.complete
    assert not found.irreducible
    (line,) = found.words
    assert "the data allow at most 10" in line
    assert "50 racks wanted in 2026-Q3, 10 possible, 40 more needed (supply.csv)" in line
    nothing = explain_conflict(small_dataset(directives=INNOCENT), control=Control(np.inf, stop))
    assert nothing is not None
    assert nothing.words == [module.NOT_FOUND]
    assert (found.proven, nothing.proven) == (True, False)


def test_what_is_not_narrowed_down_is_not_called_irreducible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROUNDS", 1)
    rows = [least("in_service", 8, site_id=s, **IN_Q3) for s in "ab"]
    dataset = small_dataset(directives=[{"row": f"d{i}", **row} for i, row in enumerate(rows, 1)])
    inst = Instance(dataset)
    found = Filter(inst, compile_matrix(formulate(inst)), Control()).run()
    assert found is not None
    assert not found.irreducible
    assert not found.complete


def test_activity_with_stored_zeros_and_infinite_bounds() -> None:
    """0 * inf is nothing: x + 0*y with x in 1..2 and y free is 1 to 2; -x + y is open on both sides."""
    a = csc_array((np.array([1.0, -1.0, 0.0, 1.0]), np.array([0, 1, 0, 1]), np.array([0, 2, 4])), shape=(2, 2))
    assert a.nnz == 4
    no = np.zeros(2)
    matrix = Matrix(a, no, 0.0, no, no, np.array([1.0, -np.inf]), np.array([2.0, np.inf]), no.astype(bool), {}, {})
    low, high = activity(matrix)
    assert low.tolist() == [1.0, -np.inf]
    assert high.tolist() == [2.0, np.inf]


def test_checks_name_each_rule_once_with_its_worst_period() -> None:
    """12 racks asked for in Q1 and Q2, 10 there in both: told once; 11 in Q3."""
    asked = [least("in_service", 12, from_period=Q1, to_period=Q2), least("in_service", 11, **IN_Q3)]
    inst = Instance(small_dataset(directives=[{"row": f"d{i}", **row} for i, row in enumerate(asked, 1)]))
    found = checked(inst, compile_matrix(formulate(inst)))
    assert [f.rule for f in found] == ["d1", "d2"]
    assert all("the data allow at most 10" in f.words for f in found)

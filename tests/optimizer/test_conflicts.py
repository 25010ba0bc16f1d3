"""What can't hold together is named, with how much is missing; every figure follows by hand (see ``tests.factories``)."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.dataset import Dataset
from models.plan import SolutionStatus, StopReason
from optimizer import InfeasibleError, plan
from optimizer.conflicts import HARD, conflicts, elastic
from optimizer.formulation import all_constraints, formulate
from optimizer.highs import Control, Outcome, Program
from optimizer.instance import Instance
from optimizer.matrix import compile_matrix
from tests.factories import small_dataset
from tests.generator import random_tables
from tests.optimizer.solved import SEEDS, compiled

Q1, Q2, Q3, Q4 = "2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"
Case = dict[str, Any]


def directives(*rows: Case) -> list[Case]:
    return [{"row": f"d{i}", **row} for i, row in enumerate(rows, 1)]


def least(decision: str, value: float, **more: Any) -> Case:
    return {"rule": "min", "decision": decision, "value": value, **more}


def most(decision: str, value: float, **more: Any) -> Case:
    return {"rule": "max", "decision": decision, "value": value, **more}


def infeasible(dataset: Dataset) -> InfeasibleError:
    with pytest.raises(InfeasibleError) as raised:
        plan(dataset, gap=0, threads=1, time_limit=60)
    error = raised.value
    assert error.summary.status is SolutionStatus.INFEASIBLE
    assert error.summary.stop_reason is StopReason.PROVED_INFEASIBLE
    assert (error.summary.npv_usd, error.summary.audit) == (None, None)
    assert error.summary.dataset.sha256 == dataset.sha256
    assert error.conflicts
    assert all(text in str(error) for text in error.conflicts)
    return error


MANY = 3e6
THREE = {"from_period": Q3, "to_period": Q3}
CASES: dict[str, tuple[Case, list[str]]] = {
    "more racks than supply: 8 at each of two sites, 10 in all": (
        {"directives": directives(least("in_service", 8, site_id="a", **THREE), least("in_service", 8, site_id="b", **THREE))},
        ["can't hold with the rest: it misses by 6"],
    ),
    "at least 5 and at most 3": (
        {"directives": directives(least("in_service", 5, site_id="a", **THREE), most("in_service", 3, site_id="a", **THREE))},
        [f"in_service of a 5 in {Q3}) can't hold with the rest: it misses by 2"],
    ),
    "a rack is 10 GPUs: 5 at each site need two racks, though half racks would do": (
        {
            "supply": [{"gen_id": "h100", "period": Q1, "racks": 1}],
            "directives": directives(least("deliveries", 5, site_id="a", **THREE), least("deliveries", 5, site_id="b", **THREE)),
        },
        ["it misses by 5"],
    ),
    "a signed contract can't be declined": (
        {"directives": directives({"rule": "fix", "decision": "sign", "contract_id": "c", "value": 0})},
        ["directive d1 (fix sign of c 0) can't hold with the rest: it misses by 1"],
    ),
    "a hard duty without power: 1 MW is 100 of 300 GPUs": (
        {
            "power_blocks": [{"block_id": "a-1", "site_id": "a", "it_mw": 1.0}],
            "sites": [{"site_id": "a"}],
            "supply": [{"gen_id": "h100", "period": Q1, "racks": 30}],
            "contracts": [{"contract_id": "c", "max_short_share": 0.5, "grace_periods": 3}],
            "contract_ramp": [{"contract_id": "c", "gpus": 300}],
        },
        [f"contract c in {Q4}: max_short_share 0.5 can't hold with the rest: 50 contract GPUs more would be short"],
    ),
    "a hard duty without racks": (
        {"contracts": [{"contract_id": "c", "max_short_share": 0.1, "grace_periods": 3}], "supply": []},
        [f"contract c in {Q4}: max_short_share 0.1 can't hold with the rest: 90 contract GPUs more would be short"],
    ),
    "8 racks at 10,000 USD, 50,000 USD in the budget": (
        {"capex_budget": [{"period": Q1, "usd": 50_000}], "directives": directives(least("installed", 8, from_period=Q1, to_period=Q1))},
        [f"capex budget up to {Q1} can't hold with the rest: 30000 USD too much"],
    ),
    "50 GPUs draw 0.5 MW: 1752 tonnes in 8760 hours at 400 g per kWh": (
        {
            "carbon_cap": [{"year": 2026, "tonnes": 100}],
            "energy": [{"gco2_per_kwh": 400}],
            "directives": directives(least("deliveries", 50, contract_id="c")),
        },
        ["carbon cap of 2026 can't hold with the rest: 1652 tonnes too much"],
    ),
    "50 GPUs for 2208 hours at 2 USD are all the revenue; half of it may be one customer's": (
        {
            "customer_revenue_share": 0.5,
            "customer_revenue_share_from": Q4,
            "directives": directives(least("deliveries", 50, contract_id="c", from_period=Q4)),
        },
        [f"customer share of u in {Q4} can't hold with the rest: 110400 USD of revenue too much"],
    ),
    "3 million contract GPUs too many are short, more than any round bound": (
        {
            "contracts": [{"contract_id": "c", "max_short_share": 0.0, "grace_periods": 3}],
            "contract_ramp": [{"contract_id": "c", "gpus": MANY}],
        },
        [f"contract c in {Q4}: max_short_share 0 can't hold with the rest: 2.9999e+06 contract GPUs more would be short"],
    ),
    "100 m3 at 1 L per kWh are 4.6296 GPUs over 2160 hours": (
        {
            "sites": [{"site_id": "a", "wue_l_per_kwh": 1, "water_limit_m3_per_period": 100}, {"site_id": "b"}],
            "directives": directives(least("deliveries", 50, contract_id="c", site_id="a", from_period=Q1, to_period=Q1)),
        },
        [f"directive d1 (min deliveries of c, a 50 in {Q1}) can't hold with the rest: it misses by 45.3704"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_rule_that_must_give_way_is_named(name: str) -> None:
    case, wanted = CASES[name]
    found = infeasible(small_dataset(**case)).conflicts
    assert len(found) == len(wanted)
    assert all(text in line for text, line in zip(wanted, found, strict=True)), found


@pytest.mark.parametrize("name", CASES)
def test_without_the_directives_or_duties_a_plan_exists(name: str) -> None:
    case = {key: value for key, value in CASES[name][0].items() if key not in ("directives", "contracts")}
    assert plan(small_dataset(**case), gap=0, threads=1).summary.npv_usd is not None


NOTHING = {
    "a retrofit where none is offered": (least("retrofit", 1, site_id="a"), "directive d1: min retrofit of a to 1 in 2026-Q1, where it can only be 0"),
    "an open site closed": ({"rule": "fix", "decision": "open", "site_id": "a", "value": 0}, "directive d1: fix open of a to 0 in 2026-Q1, where it can only be 1"),
    "a firm block unbuilt": ({"rule": "max", "decision": "build", "block_id": "a-1", "value": 0}, "directive d1: max build of a-1 to 0 in 2026-Q1, where it can only be 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOTHING)
def test_a_directive_that_matches_no_decision_is_refused_before_any_solve(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row, message = NOTHING[name]
    monkeypatch.delattr(Program, "solve")
    assert infeasible(small_dataset(directives=directives(row))).conflicts == [message]


@pytest.mark.parametrize(
    "row",
    [
        most("retrofit", 1, site_id="a"),
        least("retrofit", 0, site_id="a"),
        least("open", 1, site_id="a"),
        {"rule": "fix", "decision": "build", "block_id": "a-1", "value": 1},
        least("in_service", 99, site_id="a", from_period="2030-Q1"),
        most("in_service", 0, site_id="a", to_period="2025-Q4"),
    ],
)
def test_a_directive_that_holds_anyway_changes_nothing(row: Case) -> None:
    with_it = plan(small_dataset(directives=directives(row)), gap=0, threads=1).summary.npv_usd
    assert with_it == pytest.approx(plan(small_dataset(), gap=0, threads=1).summary.npv_usd)


def test_every_rule_that_can_conflict_is_a_constraint_of_the_model() -> None:
    assert set(HARD) <= set(all_constraints())


def test_the_elastic_model_of_a_feasible_dataset_needs_no_slack() -> None:
    m = compiled(small_dataset(capex_budget=[{"period": Q1, "usd": 50_000}], directives=directives(least("in_service", 2))))
    model, slacks = elastic(m)
    assert len(slacks) == model.shape[1] - m.shape[1] > 0
    found = Program(model, integer=True, threads=1).solve(Control())
    assert found.outcome is Outcome.OPTIMAL
    assert found.objective == pytest.approx(0.0, abs=1e-9)


def test_one_wrong_directive_in_a_dataset_with_every_feature_is_found() -> None:
    """The only conflict planted is the only one named."""
    settings, tables = random_tables(SEEDS.start)
    planted = {
        "row": "planted",
        "rule": "min",
        "decision": "installed",
        "gen_id": "liq",
        "value": 500,
        "from_period": "2026-Q4",
        "to_period": "2026-Q4",
    }
    tables["directives"].append(planted)
    found = infeasible(Dataset.build(settings, **tables)).conflicts
    assert len(found) == 1
    assert found[0].startswith("directive planted (min installed of liq 500 in 2026-Q4) can't hold with the rest: it misses by ")


def test_time_over_is_said() -> None:
    dataset = small_dataset(directives=directives(least("in_service", 99, site_id="a")))
    instance = Instance(dataset)
    stop = threading.Event()
    stop.set()
    found = conflicts(instance, compile_matrix(formulate(instance)), Control(np.inf, stop), threads=1)
    assert found == ["no plan holds all directives, hard duties and limits; which of them conflict was not found in time"]


def test_nothing_is_written_when_nothing_is_feasible(tmp_path: Path) -> None:
    dataset = small_dataset(directives=directives(least("in_service", 99, site_id="a")))
    with pytest.raises(InfeasibleError):
        plan(dataset, threads=1, write_mps=tmp_path / "m.mps")
    assert list(tmp_path.iterdir()) == []

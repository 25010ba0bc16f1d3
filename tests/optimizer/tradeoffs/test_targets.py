"""Targets: totals and likeness as rows of the model, worked out by hand, and against a plan's own tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.faults import InputError
from models.targets import SCALE, Likeness, Measure, Targets, measured, read_most
from optimizer import InfeasibleError, plan
from optimizer.decisions import decisions_of
from optimizer.extract import Extract
from optimizer.formulation import formulate
from optimizer.highs import Control, Program, SolverError
from optimizer.horizon import merge_groups, merge_periods
from optimizer.instance import Instance
from optimizer.matrix import compile_matrix
from optimizer.tradeoffs.targets import COMMON, TOTAL, in_common, matrix_of, missed, with_targets
from optimizer.whatif import Planner
from tests.factories import small_dataset
from tests.generator import random_dataset
from tests.optimizer.blocks.hand import QUARTER, one, racks
from tests.optimizer.tradeoffs.hand import BEST, DEARER, all_at_b, racks_at, two_sites


def best(targets: Targets, **tables: Any) -> Any:
    return plan(small_dataset(**tables), gap=0, threads=1, targets=targets)


def test_capital_by_hand() -> None:
    """A rack costs 10,000 USD: 35,000 are three."""
    found = best(Targets({Measure.CAPITAL: 35_000}), **one())
    assert found.summary.npv_usd == pytest.approx(racks(3))
    assert measured(found.tables)[Measure.CAPITAL] == pytest.approx(30_000)


def test_carbon_by_hand() -> None:
    """A rack at ``a`` emits 0.1 MW x 2160 h x 0.5 t/MWh = 108 t; 330 t are three racks there and seven at ``b``, which emits nothing."""
    found = plan(two_sites(), gap=0, threads=1, targets=Targets({Measure.CARBON: 330}))
    assert racks_at(found) == {"a": 3, "b": 7}
    assert found.summary.npv_usd == pytest.approx(BEST - 7 * DEARER)
    assert measured(found.tables)[Measure.CARBON] == pytest.approx(324)


def test_lateness_by_hand() -> None:
    """Racks that cost more than they bring are not bought; at most 40 of 100 GPUs late ask for six of them all the same."""
    tables = {**one(), "gpu_prices": [{"gen_id": "h100", "usd_per_gpu": 10_000}]}
    assert measured(best(Targets(), **tables).tables)[Measure.LATE] == pytest.approx(100)
    found = best(Targets({Measure.LATE: 40}), **tables)
    assert found.summary.npv_usd == pytest.approx(-100 * QUARTER + 6 * (30 * QUARTER - 100_000))
    assert measured(found.tables)[Measure.LATE] == pytest.approx(40)


def test_capital_counts_blocks_sites_and_retrofits() -> None:
    """As the plan's own tables do, on datasets with every feature; so for each measure."""
    seen: set[str] = set()
    for seed in (0, 3, 9, 13, 17, 25):
        inst = Instance(random_dataset(seed))
        f = formulate(inst)
        targets = Targets(dict.fromkeys(Measure, 1e12))
        matrix = with_targets(compile_matrix(f), f, targets)
        # A solution that does much: everything that can be is opened, built and converted where that is allowed.
        eager = replace(matrix, cost=matrix.cost.copy())
        for family in ("open", "built", "retrofit_ordered", "retrofit_order_mw", "installed", "short"):
            eager.cost[matrix.of(family)] -= 10.0
        program = Program(eager, integer=True, threads=1)
        program.option("mip_rel_gap", 0.5)
        found = program.solve(Control())
        assert found.x is not None
        x = np.where(matrix.integer, np.round(found.x), found.x)
        tables = Extract(inst, decisions_of(inst, matrix, x)).tables()
        totals, (rows, index) = measured(tables), matrix.rows[TOTAL]
        for row, (name,) in zip(rows.tolist(), index, strict=True):
            constant = 1e12 / SCALE[Measure(name)] - matrix.row_upper[row]
            total = (float((matrix.a @ x)[row]) + constant) * SCALE[Measure(name)]
            assert total == pytest.approx(totals[Measure(name)], rel=1e-6, abs=1e-3 * SCALE[Measure(name)])
        seen |= {name for name in ("gpu_capital", "block_capex", "activation", "retrofits") if tables["cash"][name].abs().sum() > 0}
    assert seen == {"gpu_capital", "block_capex", "activation", "retrofits"}


def test_nothing_asked_changes_nothing() -> None:
    inst = Instance(random_dataset(3))
    f = formulate(inst)
    matrix = compile_matrix(f)
    assert with_targets(matrix, f, Targets()) is matrix


def test_at_most_so_much_in_common() -> None:
    """Four of the ten racks may stand where they stood: six go to ``b``."""
    dataset = two_sites()
    before = plan(dataset, gap=0, threads=1)
    assert racks_at(before) == {"a": 10}
    targets = Targets(likeness=(Likeness("before", before.racks, 0.45, least=False),))
    found = plan(dataset, gap=0, threads=1, targets=targets)
    assert racks_at(found) == {"a": 4, "b": 6}
    assert found.summary.npv_usd == pytest.approx(BEST - 6 * DEARER)
    assert in_common(Instance(dataset), before.racks, found.racks) == pytest.approx(0.4)


def test_at_least_so_much_in_common() -> None:
    """Five of the ten racks of an old plan stay at ``b``."""
    dataset, published = two_sites(), all_at_b()
    found = plan(dataset, gap=0, threads=1, targets=Targets(likeness=(Likeness("old", published.racks, 0.45, least=True),)))
    assert racks_at(found) == {"a": 5, "b": 5}
    assert in_common(Instance(dataset), published.racks, found.racks) == pytest.approx(0.5)


def test_the_starting_fleet_is_in_nobodys_count() -> None:
    """Ten racks of the fleet at ``b`` are neither like nor unlike: only what a plan adds counts."""
    energy = [{"price_zone": "P"}, {"price_zone": "Q", "usd_per_mwh": 40}]  # less than a new rack costs
    dataset = two_sites(
        energy=[{"from_period": "2026-Q1", **row} for row in energy],
        fleet=[{"site_id": "b", "gen_id": "h100", "racks": 10, "in_service_since": "2025-Q1"}],
        contract_ramp=[{"contract_id": "c", "from_period": "2026-Q1", "gpus": 150}]
    )  # fmt: skip
    before = plan(dataset, gap=0, threads=1)
    assert racks_at(before) == {"a": 5, "b": 10}
    found = plan(dataset, gap=0, threads=1, targets=Targets(likeness=(Likeness("before", before.racks, 0.0, least=False),)))
    assert racks_at(found) == {"b": 15}
    assert in_common(Instance(dataset), before.racks, found.racks) == 0.0


def test_a_fleet_that_is_retired_does_not_make_up_for_racks_in_common() -> None:
    """Three racks of the fleet are not worth their energy at ``a`` and are retired; of five new ones at ``b`` three may stay: 3 of 7."""
    dataset = two_sites(
        energy=[{"from_period": "2026-Q1", "price_zone": "P", "usd_per_mwh": 400}, {"from_period": "2026-Q1", "price_zone": "Q"}],
        generations=[{"gen_id": "h100", "idle_share": 1.0}],
        fleet=[{"site_id": "a", "gen_id": "h100", "racks": 3, "in_service_since": "2025-Q1"}],
    )  # fmt: skip
    assert racks_at(plan(dataset, gap=0, threads=1)) == {"b": 10}
    row = {"gen_id": "h100", "period": "2026-Q1", "in_service": 5}
    other = pd.DataFrame([{"site_id": "a", **row}, {"site_id": "b", **row}])
    found = plan(dataset, gap=0, threads=1, targets=Targets(likeness=(Likeness("other", other, 0.5, least=False),)))
    assert racks_at(found) == {"b": 3}
    assert in_common(Instance(dataset), other, found.racks) == pytest.approx(3 / 7)


def test_a_plan_that_misses_a_target_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a target's row left out of the model, its plan would be refused."""
    monkeypatch.setattr("optimizer.planner.matrix_of", lambda inst, _targets: matrix_of(inst))
    with pytest.raises(SolverError, match=r"target carbon: 1080 is above 330"):
        plan(two_sites(), gap=0, threads=1, targets=Targets({Measure.CARBON: 330}))


def test_what_a_plan_misses_is_told_from_its_tables() -> None:
    dataset = two_sites()
    made = plan(dataset, gap=0, threads=1)
    inst = Instance(dataset)
    targets = Targets(
        {Measure.CARBON: 1079.0, Measure.CAPITAL: 100_000.0, Measure.LATE: 0.0},
        (Likeness("itself", made.racks, 0.99, least=False), Likeness("old", all_at_b().racks, 0.01, least=True)),
    )
    assert missed(inst, targets, made.tables) == [
        "target carbon: 1080 is above 1079", "target likeness to itself: 1 is above 0.99", "target likeness to old: 0 is below 0.01",
    ]  # fmt: skip


def test_two_plans_that_are_not_alike_either() -> None:
    """Racks at ``a`` are ruled out by one plan, those at ``b`` by the other: only racks that neither has are left, none at all."""
    dataset = two_sites()
    before = plan(dataset, gap=0, threads=1)
    apart = (Likeness("one", before.racks, 0.0, least=False), Likeness("two", all_at_b().racks, 0.0, least=False))
    found = plan(dataset, gap=0, threads=1, targets=Targets(likeness=apart))
    assert racks_at(found) == {}
    matrix = matrix_of(Instance(dataset), Targets(likeness=apart))
    assert matrix.rows[COMMON][1] == [("one",), ("two",)]


def test_a_warm_planner_holds_targets_too() -> None:
    dataset = two_sites()
    planner = Planner(dataset, plan(dataset, gap=0, threads=1), threads=1)
    for mode in ("repair", "reoptimize"):
        found = planner.change([], mode, gap=0, targets=Targets({Measure.CARBON: 330})).plan
        assert found is not None
        assert found.summary.npv_usd == pytest.approx(BEST - 7 * DEARER)
    assert racks_at(planner.plan(gap=0)) == {"a": 10}, "the planner itself stays as it is"


@pytest.mark.parametrize("mode", ["repair", "reoptimize"])
def test_a_target_that_cannot_be_held_is_named(mode: str) -> None:
    """No racks can be had, so all 100 GPUs are late."""
    dataset = small_dataset(**one(), supply=[{"gen_id": "h100", "period": "2026-Q1", "racks": 0}])
    planner = Planner(dataset, plan(dataset, gap=0, threads=1), threads=1)
    with pytest.raises(InfeasibleError) as error:
        planner.change([], mode, targets=Targets({Measure.LATE: 40}))
    assert error.value.conflicts == ["target late can't hold with the rest: 60 GPU-periods too much"]


def test_targets_on_merged_periods() -> None:
    """The search for sites works on merged periods: rows of targets come along, shared racks are tied like racks in service."""
    dataset = random_dataset(3)
    inst = Instance(dataset)
    made = plan(dataset, gap=0.05, threads=1)
    targets = Targets(
        {Measure.CAPITAL: 1e9}, (Likeness("made", made.racks, 0.5, least=True), Likeness("other", made.racks, 0.9, least=False))
    )
    matrix = matrix_of(inst, targets)
    merged = merge_periods(matrix, merge_groups(inst, max(1, inst.T // 2))).matrix
    for name in (TOTAL, COMMON):
        assert merged.rows[name][1] == matrix.rows[name][1]
    assert 0 < len(merged.columns["shared"][1]) < len(matrix.columns["shared"][1])


def test_amounts_that_are_none() -> None:
    assert read_most({"carbon": 10, "late": 0.0}) == {Measure.CARBON: 10.0, Measure.LATE: 0.0}
    with pytest.raises(InputError) as error:
        read_most({"carbn": 1, "late": -1, "capital": float("nan"), "carbon": True})
    assert [(fault.pointer, fault.code, fault.suggestion) for fault in error.value.faults] == [
        ("/carbn", "unknown_key", "carbon"), ("/late", "not_a_number", ""), ("/capital", "not_a_number", ""), ("/carbon", "not_a_number", ""),
    ]  # fmt: skip


def test_likeness_of_empty_plans() -> None:
    inst = Instance(two_sites())
    nothing = pd.DataFrame({"site_id": [], "gen_id": [], "period": [], "in_service": []})
    assert in_common(inst, nothing, all_at_b().racks) == 1.0
    assert in_common(inst, all_at_b().racks, nothing) == 0.0

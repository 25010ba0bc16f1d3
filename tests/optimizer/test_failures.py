"""What the solver or a worker does wrong costs no plan that is there already, and is not believed against it."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import numpy as np
import pytest

from models.plan import Plan
from optimizer import exact as exact_module
from optimizer import plan, planner, search
from optimizer.exact import exact
from optimizer.formulation import formulate
from optimizer.highs import AUDITED, Control, Outcome, Program, Solution, SolverError
from optimizer.instance import Instance
from optimizer.matrix import compile_matrix
from optimizer.record import Record
from optimizer.rounds import Job, Rounds
from optimizer.station import Choice, Station
from optimizer.workers import Pool
from tests.factories import small_dataset
from tests.generator import random_dataset
from tests.optimizer.solved import SEEDS, random_solution

SEED = SEEDS[0]


@pytest.fixture(scope="module")
def small() -> tuple[Instance, Any]:
    instance = Instance(random_dataset(SEED))
    return instance, compile_matrix(formulate(instance))


@pytest.fixture(scope="module")
def best() -> Plan:
    return plan(random_dataset(SEED), gap=0.0, threads=1)


def test_better_bounds_are_told_while_whole_numbers_are_searched() -> None:
    matrix = compile_matrix(formulate(Instance(random_dataset(5, sites=6, periods=8, contracts=5))))
    told: list[float] = []
    found = Program(matrix, integer=True, threads=1).solve(Control(time.monotonic() + 20.0), on_bound=told.append)
    assert told
    assert told == sorted(told)
    assert np.isfinite(told).all()
    assert told[-1] <= found.bound + 1e-6 * abs(found.bound)


def test_a_worker_that_dies_while_it_has_nothing_to_do_is_replaced(small: tuple[Instance, Any]) -> None:
    instance, matrix = small
    began = time.monotonic()
    with Pool(instance, matrix, 2, 0, Control(began + 120.0)) as pool:
        pool.give(0, "relax")
        assert [answer.kind for answer in pool.run()] == ["done"]
        os.kill(pool.workers[1].process.pid, signal.SIGKILL)
        pool.workers[1].process.wait()
        pool.give(0, "relax")
        job = pool.give(1, "relax")
        kinds = {answer.job: answer.kind for answer in pool.run()}
        assert kinds[job] == "done"
        assert pool.replaced == 1
    assert time.monotonic() - began < 60.0


def test_a_relaxation_that_fails_is_solved_again_once(small: tuple[Instance, Any], best: Plan) -> None:
    instance, matrix = small
    with Pool(instance, matrix, 1, 0, Control()) as pool:
        rounds = Rounds(Record(instance, matrix, 0.0, Control(), 1, 0), pool)
        assert rounds._next()[0][0] == Job("relax")
        assert Job("relax") not in rounds._next()[0]


def test_any_first_plan_is_looked_for_once_then_the_whole_model_is_searched(small: tuple[Instance, Any]) -> None:
    """One worker, no plan, no sites to go on from."""
    instance, matrix = small
    with Pool(instance, matrix, 1, 0, Control()) as pool:
        rounds = Rounds(Record(instance, matrix, 0.0, Control(), 1, 0), pool, branches=1)
        rounds.relaxations = 0
        names = [[job.name for job in jobs[0]] if (jobs := rounds._next()) else [] for _ in range(3)]
        assert names == [["first"], ["branch"], []]
        rounds.choices = [Choice({}, 0.0, matrix.lower, matrix.upper)]
        assert rounds._next()[0][0].name == "better_sites"


def test_the_relaxation_is_solved_by_another_method_where_one_fails(small: tuple[Instance, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    solve = Program.solve

    def failing(self: Program, control: Control, *, method: str = "choose", **more: Any) -> Solution:
        if method == "ipm":
            raise SolverError("made to fail")
        return solve(self, control, method=method, **more)

    wanted = Program(small[1], threads=1).solve(Control()).objective
    monkeypatch.setattr(Program, "solve", failing)
    found, _ = Station(*small).relax()
    assert found.objective == pytest.approx(wanted, rel=1e-7)


def test_whole_numbers_are_made_exact_by_the_wider_tolerance_where_the_other_fails(
    small: tuple[Instance, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    x = random_solution(SEED).x
    assert x is not None
    solved, tries = exact_module._solved, []

    def failing(program: Program, control: Control) -> Solution:
        tries.append(program)
        if len(tries) == 1:
            raise SolverError("made to fail")
        return solved(program, control)

    monkeypatch.setattr(exact_module, "_solved", failing)
    found = exact(small[1], x)
    assert found is not None
    assert small[1].violation(found) <= 2 * AUDITED
    assert len(tries) == 2


def test_a_solver_that_fails_leaves_the_plan_that_is_there(best: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(record: Record) -> None:
        raise SolverError("made to fail")

    monkeypatch.setattr(search, "_branch", failing)
    made = plan(random_dataset(SEED), gap=0.0, threads=1, start=best)
    assert made.summary.npv_usd == pytest.approx(best.summary.npv_usd)
    assert made.events["phase"].str.contains("ended early: made to fail").any()
    monkeypatch.setattr(planner, "greedy", lambda instance: pytest.fail("not asked"))
    monkeypatch.setattr(planner.Planning, "_starts", lambda self, instance, start: [])
    with pytest.raises(SolverError, match="made to fail"):
        plan(random_dataset(SEED), gap=0.0, threads=1)


def test_what_a_plan_refutes_is_not_believed(best: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relaxation called infeasible although a plan holds."""
    solve = Program.solve

    def lying(self: Program, control: Control, **more: Any) -> Solution:
        return Solution(Outcome.INFEASIBLE) if more.get("method") == "simplex" and not self.integer else solve(self, control, **more)

    monkeypatch.setattr(Program, "solve", lying)
    made = plan(random_dataset(SEED), gap=0.0, threads=1, start=best)
    assert made.summary.npv_usd == pytest.approx(best.summary.npv_usd, rel=1e-6)


def test_what_is_found_at_the_deadline_is_still_made_exact(small: tuple[Instance, Any]) -> None:
    x = random_solution(SEED).x
    assert x is not None
    told: list[Any] = []
    station = Station(*small, tell=lambda kind, value: told.append((kind, value)))
    station.control = Control(time.monotonic() - 1.0)
    station._improved(x)
    assert [kind for kind, _ in told] == ["solution"]
    station.control.stop.set()
    station._improved(x)
    assert len(told) == 2


def test_a_new_rack_bills_late_also_where_nobody_takes_its_gpus() -> None:
    """5 racks must be installed where there is neither contract nor market: half of them at least are in service, as the audit asks."""
    made = plan(
        small_dataset(
            periods=1, sites=[{"site_id": "a"}], contracts=[], commissioning_share=0.5,
            directives=[{"row": "1", "rule": "min", "decision": "installed", "value": 5}],
            generations=[{"gen_id": "h100", "opex_usd_per_rack_year": 1000.0}],
        ),
        gap=0.0, threads=1,
    )  # fmt: skip
    assert made.summary.audit is not None
    assert made.summary.audit.passed
    assert made.racks["installed"].sum() == 5
    assert made.racks["in_service"].sum() == pytest.approx(3)

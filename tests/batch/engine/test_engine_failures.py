"""Outcomes of what can't be provoked through an engine: solved here, with a solver that fails as told."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest

from batch.engine import Failure, Job, Outcome
from batch.engine.solving import outcome_of
from models.plan import Plan, StopReason, Summary
from models.plan_files import plan_to_bytes
from optimizer import NoPlanError, SolverError, plan
from optimizer.blocks.directives import DirectiveConflictError
from optimizer.formulation import formulate
from optimizer.highs import CAREFUL, Program
from optimizer.instance import Instance
from optimizer.matrix import compile_matrix
from tests.batch.engine.bench import job
from tests.factories import small_dataset


@pytest.fixture(scope="module")
def baseline() -> Plan:
    return plan(small_dataset(), gap=0.0, threads=1)


def solved(asked: Job, stopped: bool = False) -> Outcome:
    stop = threading.Event()
    if stopped:
        stop.set()
    return outcome_of(asked, stop, lambda progress: None, lambda plan: None)


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*given: Any, **options: Any) -> Plan:
        raise error

    monkeypatch.setattr("batch.engine.solving.plan", fail)


def without_plan(summary: Summary) -> NoPlanError:
    nothing = {"npv_usd": None, "gap": None, "stop_reason": StopReason.TIME_LIMIT}
    return NoPlanError(summary.model_copy(update=nothing))


ERRORS: dict[Failure, BaseException] = {
    Failure.SOLVER_ERROR: SolverError("HiGHS refused the model"),
    Failure.OUT_OF_MEMORY: MemoryError(),
    Failure.INTERNAL_ERROR: ZeroDivisionError("division by zero"),
}


@pytest.mark.parametrize("kind", list(ERRORS))
def test_a_failure_has_its_name(monkeypatch: pytest.MonkeyPatch, kind: Failure) -> None:
    failing(monkeypatch, ERRORS[kind])
    outcome = solved(job("run"))
    assert outcome["plan"] is None
    assert outcome["failure"]["kind"] == kind.value
    assert outcome["failure"]["detail"]


def test_what_ends_without_a_summary_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = solved(job("run"), stopped=True)
    assert (stopped["failure"]["kind"], stopped["stop_reason"]) == ("no_plan", "user_stop")
    failing(monkeypatch, DirectiveConflictError(["1"], "a row asks for more than another allows"))
    ruled_out = solved(job("run"))
    assert (ruled_out["failure"]["kind"], ruled_out["stop_reason"]) == ("infeasible", "proved_infeasible")


def test_no_plan_in_time_has_the_bound_and_no_status(monkeypatch: pytest.MonkeyPatch, baseline: Plan) -> None:
    failing(monkeypatch, without_plan(baseline.summary))
    outcome = solved(job("run"))
    assert outcome["failure"]["kind"] == "no_plan"
    assert outcome["summary"]["status"] == "none"
    assert outcome["summary"]["bound_usd"] == baseline.summary.bound_usd


def test_the_plan_of_an_earlier_attempt_answers_where_none_is_found(monkeypatch: pytest.MonkeyPatch, baseline: Plan) -> None:
    failing(monkeypatch, without_plan(baseline.summary))
    kept = plan_to_bytes(baseline)
    outcome = solved(job("run", attempt=2, start=kept))
    assert outcome["plan"] == kept
    assert outcome["summary"]["stop_reason"] == "time_limit"
    assert outcome["summary"]["npv_usd"] == baseline.summary.npv_usd


def test_a_run_that_was_stopped_before_it_began_ends_at_once(monkeypatch: pytest.MonkeyPatch, baseline: Plan) -> None:
    failing(monkeypatch, AssertionError("nothing may be solved"))
    kept = plan_to_bytes(baseline)
    found, nothing = solved(job("run", start=kept), stopped=True), solved(job("run"), stopped=True)
    assert found["plan"] == kept
    assert found["summary"]["stop_reason"] == "user_stop"
    assert nothing["failure"]["kind"] == "no_plan"


@pytest.mark.parametrize(("attempt", "jumps"), [(1, True), (2, False)])
def test_a_second_attempt_leaves_out_feasibility_jump(monkeypatch: pytest.MonkeyPatch, attempt: int, jumps: bool) -> None:
    found = []

    def look(*given: Any, **options: Any) -> Plan:
        program = Program(compile_matrix(formulate(Instance(small_dataset()))), integer=True, threads=1)
        found.append(program._h.getOptionValue("mip_heuristic_run_feasibility_jump")[1])
        return plan(*given, **options)

    monkeypatch.setattr("batch.engine.solving.plan", look)
    assert "failure" not in solved(job("run", attempt=attempt))
    assert found == [jumps]
    assert not os.environ.get(CAREFUL)

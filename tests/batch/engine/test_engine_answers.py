"""Answers of the engine: those of the optimizer, told on the way, with every failure named."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from batch.engine.idle import idle
from batch.engine.job import Job, Outcome
from batch.engine.kept import forget
from batch.engine.solving import outcome_of
from models.changes import read_changes
from models.files import dataset_to_bytes
from models.plan import Plan
from models.plan_files import plan_from_bytes, plan_to_bytes
from optimizer import NoPlanError, plan
from optimizer.highs import Control
from optimizer.whatif import Planner
from tests.batch.engine.bench import DEARER, PATIENCE, Bench, job, same_plan
from tests.factories import small_dataset


@pytest.fixture(scope="module")
def baseline() -> Plan:
    return plan(small_dataset(), gap=0.0, threads=1)


@pytest.fixture(scope="module")
def kept(baseline: Plan) -> bytes:
    return plan_to_bytes(baseline)


def test_a_plan_is_that_of_the_optimizer(runner: asyncio.Runner, bench: Bench, baseline: Plan) -> None:
    outcome = runner.run(bench.answer(job("plan")))
    same_plan(outcome["plan"], baseline)
    assert outcome["summary"]["status"] == "optimal"
    assert outcome["dataset_sha256"] == small_dataset().sha256


def test_progress_and_plans_are_told_on_the_way(runner: asyncio.Runner, bench: Bench) -> None:
    outcome = runner.run(bench.answer(job("told")))
    told = [(kind, payload) for run, _, kind, payload in bench.events if run == "told"]
    assert {kind for kind, _ in told} == {"progress", "incumbent"}
    assert set(next(payload for kind, payload in told if kind == "progress")) == {"seconds", "phase", "npv_usd", "bound_usd", "gap"}
    last = [payload for kind, payload in told if kind == "incumbent"][-1]
    assert plan_from_bytes(last["plan"]).summary.npv_usd == last["npv_usd"] == outcome["summary"]["npv_usd"]


@pytest.mark.parametrize("mode", ["evaluate", "repair", "reoptimize"])
def test_a_change_is_answered_as_by_the_planner(runner: asyncio.Runner, bench: Bench, baseline: Plan, kept: bytes, mode: str) -> None:
    planner = Planner(small_dataset(), baseline, threads=1)
    planner.warm()
    wanted = planner.change(read_changes([DEARER]), mode, gap=0.0)
    outcome = runner.run(bench.answer(job(f"change-{mode}", mode=mode, baseline=kept, changes=[DEARER])))
    assert outcome["sentences"] == list(wanted.sentences)
    assert outcome["dataset_sha256"] == wanted.dataset.sha256
    assert outcome["difference_usd"] == pytest.approx(wanted.difference_usd)
    assert wanted.evaluation is not None
    assert outcome["evaluation"]["npv_usd"] == pytest.approx(wanted.evaluation.npv_usd)
    if wanted.plan is None:
        assert outcome["plan"] is None
    else:
        same_plan(outcome["plan"], wanted.plan)


def test_an_evaluation_does_not_wait_for_a_solve(runner: asyncio.Runner, bench: Bench, kept: bytes) -> None:
    async def check() -> None:
        await bench.engine.submit(job("slow while another evaluates"))
        await bench.told("slow while another evaluates", "incumbent")
        assert bench.engine.free == 0
        assert bench.engine.desk_free
        outcome = await bench.answer(job("beside", mode="evaluate", baseline=kept, changes=[DEARER]))
        assert outcome["evaluation"] is not None
        assert bench.end_of("slow while another evaluates") is None
        await bench.engine.stop("slow while another evaluates")
        await bench.ended("slow while another evaluates")

    runner.run(check())


def test_the_second_question_finds_its_model_warm(runner: asyncio.Runner, bench: Bench) -> None:
    other = plan_to_bytes(plan(small_dataset(name="other"), gap=0.0, threads=1))
    data = dataset_to_bytes(small_dataset(name="other"))
    found = [runner.run(bench.answer(job(f"warm-{n}", dataset=data, mode="repair", baseline=other, changes=[DEARER]))) for n in (1, 2)]
    assert [outcome["warm"] for outcome in found] == [False, True]
    assert found[0]["summary"]["npv_usd"] == found[1]["summary"]["npv_usd"]


@pytest.mark.parametrize(("warming", "readied", "searched"), [(0.0, 1.0, 1.5), (50.0, 50.0, 2.0)])
def test_getting_ready_counts_for_the_time_limit_or_comes_before_it(
    baseline: Plan, kept: bytes, monkeypatch: pytest.MonkeyPatch, warming: float, readied: float, searched: float
) -> None:
    """Half a second to get ready, of a limit of 2 s that may be used by half; or of 50 s of its own."""
    now, given = [1000.0], list[float]()
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def warm(self: Planner, control: Control) -> None:
        given.append(control.deadline - now[0])
        now[0] += 0.5

    def change(self: Planner, *_: Any, time_limit: float, **__: Any) -> Any:
        given.append(time_limit)
        raise NoPlanError(baseline.summary)

    monkeypatch.setattr(Planner, "warm", warm)
    monkeypatch.setattr(Planner, "change", change)
    monkeypatch.setattr(idle, "warm", lambda planner: None)
    forget()
    question = job("ready", mode="repair", baseline=kept, changes=[DEARER], time_limit=2.0, warming=warming)
    assert outcome_of(question, threading.Event(), lambda _: None, lambda _: None)["failure"]["kind"] == "no_plan"
    assert given == pytest.approx([readied, searched])


def ask(question: Job) -> Outcome:
    return outcome_of(question, threading.Event(), lambda _: None, lambda _: None)


def test_warming_for_which_an_answer_had_no_time_goes_on_after_it(kept: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else every question with a short time limit would begin it anew, and none would find its planner warm."""
    monkeypatch.setattr("batch.engine.solving.WARMING", 0.0)
    forget()
    question = job("cold", mode="repair", baseline=kept, changes=[DEARER])
    first = ask(question)
    assert first["plan"] is not None
    deadline = time.monotonic() + PATIENCE
    while idle.busy:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    again = ask(question)
    assert (first["warm"], again["warm"]) == (False, True)
    same_plan(again["plan"], plan_from_bytes(first["plan"]))


def test_a_question_waits_for_its_planner_and_any_other_takes_the_process(kept: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    under_way: list[tuple[str, bool]] = []
    changed = Planner.change

    def warm(self: Planner, control: Control | None = None) -> None:
        """Takes as long as it is given, or half a second."""
        assert control is not None
        control.stop.wait(min(0.5, control.remaining))
        under_way.append(("ended early" if control.stop.is_set() else "ended", idle.busy))

    def change(self: Planner, *given: Any, **more: Any) -> Any:
        under_way.append(("search", idle.busy))
        return changed(self, *given, **more)

    monkeypatch.setattr(Planner, "warm", warm)
    monkeypatch.setattr(Planner, "change", change)
    forget()
    question = job("waits", mode="repair", baseline=kept, changes=[DEARER], time_limit=20.0)
    ask(question)  # leaves its planner to be warmed
    ask(question)
    assert under_way == [("ended", False), ("search", False), ("ended", True), ("ended", False), ("search", False)]
    del under_way[:]
    assert idle.busy
    ask(job("other"))
    assert under_way == [("ended early", True)]
    assert not idle.busy


def test_an_evaluation_names_the_limits_that_are_broken(runner: asyncio.Runner, bench: Bench, kept: bytes) -> None:
    cut = {"type": "supply.cut", "gen_id": "h100", "cut_share": 0.5, "from_period": "2026-Q1", "to_period": "2026-Q4"}
    outcome = runner.run(bench.answer(job("limits", mode="evaluate", baseline=kept, changes=[cut])))
    first = outcome["evaluation"]["violations"][0]
    assert set(first) == {"message", "family", "by"}
    assert first["by"] > 0


NO_SUCH = {"type": "supply.price", "gen_id": "h10", "factor": 2}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a type that is none": ({"mode": "repair", "changes": [{"type": "supply.prize"}]}, "change_error"),
    "a generation that is none": ({"mode": "repair", "changes": [NO_SUCH]}, "change_error"),
    "a generation that is none, planned": ({"changes": [NO_SUCH]}, "change_error"),
    "bytes that are no dataset": ({"dataset": b"nothing"}, "dataset_error"),
    "bytes that are no plan": ({"mode": "repair", "baseline": b"nothing"}, "plan_error"),
    "no plan to start from": ({"mode": "repair", "baseline": None}, "plan_error"),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_a_fault_is_named_with_its_place(runner: asyncio.Runner, bench: Bench, kept: bytes, name: str) -> None:
    settings, kind = WRONG[name]
    outcome = runner.run(bench.answer(job(name, **{"baseline": kept, **settings})))
    assert outcome["plan"] is None
    assert outcome["failure"]["kind"] == kind
    assert outcome["failure"]["faults"]
    assert all(fault["message"] for fault in outcome["failure"]["faults"])
    if settings.get("changes") == [NO_SUCH]:
        assert outcome["failure"]["faults"][0]["pointer"] == "/changes/0/gen_id"
        assert "did you mean 'h100'" in outcome["failure"]["detail"]


INFEASIBLE = [{"row": "more", "decision": "in_service", "site_id": "a", "gen_id": "h100", "rule": "min", "value": 1000.0}]


def test_what_is_infeasible_says_which_rules_conflict(runner: asyncio.Runner, bench: Bench) -> None:
    data = dataset_to_bytes(small_dataset(directives=INFEASIBLE))
    outcome = runner.run(bench.answer(job("infeasible", dataset=data)))
    assert outcome["failure"]["kind"] == "infeasible"
    assert outcome["summary"]["status"] == "infeasible"
    assert outcome["conflicts"]


def test_an_error_that_nobody_thought_of_ends_the_run_only(runner: asyncio.Runner, bench: Bench, kept: bytes) -> None:
    outcome = runner.run(bench.answer(job("broken", mode="repair", baseline=kept)))
    assert outcome["failure"]["kind"] == "internal_error"
    assert "failure" not in runner.run(bench.answer(job("after broken", mode="repair", baseline=kept)))


def test_the_same_run_is_not_taken_twice(runner: asyncio.Runner, bench: Bench) -> None:
    async def twice() -> None:
        await bench.engine.submit(job("once"))
        with pytest.raises(ValueError, match="under way"):
            await bench.engine.submit(job("once"))
        await bench.ended("once")

    runner.run(twice())

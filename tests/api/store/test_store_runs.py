"""Runs: taken once, ended once, and nothing from an attempt that is over."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, StatementError

from api.store import NotFoundError, RunMode, RunState, Store, question_of
from api.store.tables import Dataset, Run
from models.plan import StopReason
from tests.api.store.support import Clock, NewRun, Place, at_once
from tests.factories import small_dataset

PLAN = "ab" * 32
OTHER = "cd" * 32


def kinds(store: Store, run: Run) -> list[tuple[int, str]]:
    """Numbers and kinds of a run's events."""
    return [(event.number, event.kind) for event in store.runs.events(run.id)]


def succeed(store: Store, run: Run, **found: Any) -> Run:
    """Take up a run and end it with a plan."""
    taken = store.runs.take(run.id)
    assert taken is not None
    assert store.runs.finish(run.id, taken.attempt, RunState.SUCCEEDED, **{"plan_blob": PLAN, "gap": 0.01, **found})
    return store.runs.get(run.id)


def answer_of(store: Store, question: str, gap: float) -> str | None:
    """Id of the run that answers a question."""
    run = store.runs.answered(question, gap)
    return None if run is None else run.id


def test_new_run_is_queued_and_reads_back_what_was_asked(store: Store, new_run: NewRun, dataset: Dataset) -> None:
    changes = [{"type": "b", "z": 1.5, "a": ["é", None, True]}, {"type": "a"}]
    run = store.runs.get(new_run(changes=changes, options={"z": 1, "a": 2}, scenario_id="s", revision=3, answer={"sentences": ["x"]}).id)
    assert (run.state, run.mode, run.attempt, run.base_dataset_id) == (RunState.QUEUED, RunMode.REPAIR, 0, dataset.id)
    assert run.changes == changes
    assert list(run.changes[0]) == ["type", "z", "a"], "the order of keys is kept"
    assert list(run.options) == ["z", "a"]
    assert (run.scenario_id, run.revision, run.answer, run.problem) == ("s", 3, {"sentences": ["x"]}, None)
    assert run.created_at.utcoffset() is not None
    assert run.created_at == run.updated_at
    assert run.started_at is run.stop_asked_at is run.finished_at is None


def test_run_of_nothing_known_is_refused(store: Store, new_run: NewRun) -> None:
    with pytest.raises(NotFoundError, match="no dataset 'nope'"):
        new_run(base_dataset_id="nope")
    with pytest.raises(NotFoundError, match="no run 'nope'"):
        new_run(baseline_run_id="nope")
    for ask in (store.runs.get, store.runs.ask_stop, store.runs.cancel):
        with pytest.raises(NotFoundError, match="no run 'nope'"):
            ask("nope")
    assert store.runs.take("nope") is store.runs.requeue("nope") is None
    assert not store.runs.list().items


def test_number_that_is_none_is_refused_by_every_database(store: Store, new_run: NewRun) -> None:
    with pytest.raises((StatementError, ValueError), match="JSON compliant"):
        new_run(options={"gap": float("nan")})
    assert not store.runs.list().items


def test_database_refuses_states_that_do_not_exist(store: Store, new_run: NewRun) -> None:
    run = new_run()
    store.runs.take(run.id)
    with pytest.raises(IntegrityError):
        store.runs.finish(run.id, 1, RunState.SUCCEEDED, solution_status="great")
    found = store.runs.get(run.id)
    assert (found.state, found.last_event) == (RunState.RUNNING, 0), "nothing of it was stored"


def test_only_one_of_many_takes_a_run(store: Store, new_run: NewRun) -> None:
    run = new_run()
    taken = [found for found in at_once(6, lambda _: store.runs.take(run.id)) if found is not None]
    assert len(taken) == 1
    assert (taken[0].state, taken[0].attempt, taken[0].started_at) == (RunState.RUNNING, 1, taken[0].updated_at)


def test_only_one_of_many_ends_a_run(store: Store, new_run: NewRun) -> None:
    run = new_run()
    store.runs.take(run.id)
    numbers = at_once(6, lambda n: store.runs.finish(run.id, 1, RunState.FAILED, problem={"number": n}))
    winner = [n for n, number in enumerate(numbers) if number is not None]
    assert len(winner) == 1
    assert store.runs.get(run.id).problem == {"number": winner[0]}
    assert kinds(store, run) == [(1, "end")]


def test_events_of_many_threads_are_numbered_without_gaps(store: Store, new_run: NewRun) -> None:
    run = new_run()
    assert store.runs.note_event(run.id, 0, "state", {"state": "queued"}) == 1
    store.runs.take(run.id)
    numbers = at_once(4, lambda n: [store.runs.note_event(run.id, 1, "progress", {"thread": n}) for _ in range(5)])
    assert sorted(number for some in numbers for number in some) == list(range(2, 22))
    assert [event.number for event in store.runs.events(run.id)] == list(range(1, 22))
    assert [event.number for event in store.runs.events(run.id, after=7, limit=3)] == [8, 9, 10]
    assert store.runs.events(run.id, after=21) == store.runs.events("nope") == []
    assert store.runs.get(run.id).last_event == 21


def test_event_keeps_its_time_and_payload(store: Store, new_run: NewRun, clock: Clock) -> None:
    run = new_run()
    at = clock()
    clock.forward(minutes=3)
    store.runs.note_event(run.id, 0, "progress", {"npv_usd": 0.1 + 0.2}, at)
    (event,) = store.runs.events(run.id)
    assert (event.at, event.payload) == (at, {"npv_usd": 0.1 + 0.2})


def test_reports_of_an_earlier_attempt_change_nothing(store: Store, new_run: NewRun) -> None:
    run = new_run()
    store.runs.take(run.id)
    assert store.runs.checkpoint(run.id, 1, PLAN, 5.0, 10.0, 1.0)
    assert store.runs.requeue(run.id, attempt=1)
    second = store.runs.take(run.id)
    assert second is not None
    assert (second.attempt, second.plan_blob, second.npv_usd, second.bound_usd, second.gap) == (2, PLAN, 5.0, 10.0, 1.0)
    assert store.runs.note_event(run.id, 1, "progress", {}) is None
    assert not store.runs.checkpoint(run.id, 1, OTHER, 6.0, 10.0, 0.1)
    assert store.runs.finish(run.id, 1, RunState.SUCCEEDED, plan_blob=OTHER) is None
    assert store.runs.requeue(run.id, attempt=1) is None
    found = store.runs.get(run.id)
    assert (found.state, found.plan_blob, found.last_event) == (RunState.RUNNING, PLAN, 0)


def test_reports_after_the_end_change_nothing(store: Store, new_run: NewRun) -> None:
    run = succeed(store, new_run(), npv_usd=7.0)
    assert store.runs.note_event(run.id, 1, "progress", {}) is None
    assert not store.runs.checkpoint(run.id, 1, OTHER, 8.0, None, None)
    assert store.runs.finish(run.id, 1, RunState.FAILED) is None
    assert store.runs.take(run.id) is store.runs.requeue(run.id) is None
    for ask in (store.runs.ask_stop, store.runs.cancel):
        assert (ask(run.id).state, ask(run.id).updated_at) == (RunState.SUCCEEDED, run.updated_at)
    assert kinds(store, run) == [(1, "end")]


def test_plan_that_comes_late_counts_until_the_next_attempt(store: Store, new_run: NewRun) -> None:
    run = new_run()
    store.runs.take(run.id)
    assert store.runs.requeue(run.id)
    assert store.runs.finish(run.id, 1, RunState.SUCCEEDED, plan_blob=PLAN, gap=0.0) == 1
    assert store.runs.take(run.id) is None


def test_checkpoint_is_never_replaced_by_a_worse_plan(store: Store, new_run: NewRun) -> None:
    run = new_run()
    store.runs.take(run.id)
    assert store.runs.checkpoint(run.id, 1, PLAN, -5.0, 10.0, 3.0)
    assert not store.runs.checkpoint(run.id, 1, OTHER, -6.0, 9.0, 2.5)
    assert store.runs.checkpoint(run.id, 1, PLAN, -5.0, 9.0, 2.8), "a better bound of the same plan is stored"
    found = store.runs.get(run.id)
    assert (found.plan_blob, found.npv_usd, found.bound_usd, found.gap) == (PLAN, -5.0, 9.0, 2.8)


def test_success_has_the_plan_given_and_no_other(store: Store, new_run: NewRun) -> None:
    run = new_run(answer={"sentences": ["a"]})
    store.runs.take(run.id)
    store.runs.checkpoint(run.id, 1, PLAN, 5.0, 10.0, 1.0)
    number = store.runs.finish(
        run.id,
        1,
        RunState.SUCCEEDED,
        solution_status="infeasible",
        stop_reason=StopReason.PROVED_INFEASIBLE,
        dataset_id=OTHER,
        event={"x": 1},
    )
    found = store.runs.get(run.id)
    assert number == found.last_event == 1
    assert (found.plan_blob, found.npv_usd, found.gap, found.dataset_id) == (None, None, None, OTHER)
    assert (found.solution_status, found.stop_reason) == ("infeasible", StopReason.PROVED_INFEASIBLE)
    assert found.answer == {"sentences": ["a"]}, "what was said already stays"
    (event,) = store.runs.events(run.id)
    assert (event.kind, event.payload, event.at) == ("end", {"state": "succeeded", "x": 1}, found.finished_at)


def test_end_with_a_worse_plan_keeps_the_one_that_is_stored(store: Store, new_run: NewRun) -> None:
    """A later attempt may find less than an earlier one; what is worth as much but for rounding is taken."""
    for npv, wanted in ((4.0, (PLAN, 5.0, 10.0, 1.0)), (5.0 - 1e-9, (OTHER, 5.0 - 1e-9, 6.0, 0.2)), (6.0, (OTHER, 6.0, 6.0, 0.2))):
        run = new_run()
        store.runs.take(run.id)
        store.runs.checkpoint(run.id, 1, PLAN, 5.0, 10.0, 1.0)
        assert store.runs.finish(run.id, 1, RunState.SUCCEEDED, plan_blob=OTHER, npv_usd=npv, bound_usd=6.0, gap=0.2)
        found = store.runs.get(run.id)
        assert (found.plan_blob, found.npv_usd, found.bound_usd, found.gap) == wanted


def test_failure_keeps_the_incumbent(store: Store, new_run: NewRun) -> None:
    run = new_run()
    store.runs.take(run.id)
    store.runs.checkpoint(run.id, 1, PLAN, 5.0, 10.0, 1.0)
    assert store.runs.finish(run.id, 1, RunState.FAILED, problem={"code": "worker_died"})
    found = store.runs.get(run.id)
    assert (found.plan_blob, found.npv_usd, found.problem) == (PLAN, 5.0, {"code": "worker_died"})


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING, RunState.STOPPING])
def test_run_can_only_end_in_a_final_state(store: Store, new_run: NewRun, state: RunState) -> None:
    run = new_run()
    with pytest.raises(ValueError, match=f"can't end as {state}; allowed: cancelled, failed, succeeded"):
        store.runs.finish(run.id, 0, state)


def test_stop_of_a_running_run_lets_it_end(store: Store, new_run: NewRun) -> None:
    run = new_run()
    store.runs.take(run.id)
    stopping = store.runs.ask_stop(run.id)
    assert (stopping.state, stopping.stop_asked_at) == (RunState.STOPPING, stopping.updated_at)
    assert store.runs.ask_stop(run.id).stop_asked_at == stopping.stop_asked_at, "asking again changes nothing"
    assert store.runs.note_event(run.id, 1, "incumbent", {}) == 1
    again = store.runs.requeue(run.id)
    assert again is not None
    assert (again.state, again.stop_asked_at) == (RunState.QUEUED, stopping.stop_asked_at), "the wish outlives the process"
    store.runs.take(run.id)
    assert store.runs.finish(run.id, 2, RunState.SUCCEEDED, stop_reason=StopReason.USER_STOP) == 2


def test_stop_of_a_run_that_waits_again_with_a_plan_is_noted_for_whoever_takes_it(store: Store, new_run: NewRun) -> None:
    run = new_run()
    store.runs.take(run.id)
    store.runs.checkpoint(run.id, 1, PLAN, 5.0, 10.0, 1.0)
    store.runs.requeue(run.id)
    asked = store.runs.ask_stop(run.id)
    assert (asked.state, asked.stop_asked_at) == (RunState.QUEUED, asked.updated_at)
    assert store.runs.ask_stop(run.id).updated_at == asked.updated_at, "asking again changes nothing"
    taken = store.runs.take(run.id)
    assert taken is not None
    assert taken.stop_asked_at == asked.stop_asked_at


def test_crashes_are_counted_apart_from_attempts(store: Store, new_run: NewRun) -> None:
    run = new_run()
    for crashed in (False, True, True):
        store.runs.take(run.id)
        store.runs.requeue(run.id, crashed=crashed)
    assert (store.runs.get(run.id).attempt, store.runs.get(run.id).crashes) == (3, 2)


def test_stop_of_a_queued_run_cancels_it(store: Store, new_run: NewRun) -> None:
    run = store.runs.ask_stop(new_run().id)
    assert (run.state, run.finished_at, run.last_event) == (RunState.CANCELLED, run.updated_at, 1)
    assert store.runs.events(run.id)[0].payload == {"state": "cancelled"}
    assert store.runs.take(run.id) is None


@pytest.mark.parametrize("steps", [[], ["take"], ["take", "ask_stop"]])
def test_cancel_ends_a_run_at_once(store: Store, new_run: NewRun, steps: list[str]) -> None:
    run = new_run()
    for step in steps:
        getattr(store.runs, step)(run.id)
    assert store.runs.cancel(run.id).state is RunState.CANCELLED
    assert store.runs.finish(run.id, len(steps[:1]), RunState.SUCCEEDED) is None
    assert kinds(store, run) == [(1, "end")]


def test_after_a_restart_unfinished_runs_are_known_oldest_first(place: Place, store: Store, new_run: NewRun, clock: Clock) -> None:
    queued, running, stopping, done, cancelled = (new_run() for _ in range(5))
    for run in (running, stopping, done):
        store.runs.take(run.id)
    store.runs.ask_stop(stopping.id)
    store.runs.checkpoint(running.id, 1, PLAN, 5.0, 10.0, 1.0)
    store.runs.finish(done.id, 1, RunState.SUCCEEDED)
    store.runs.cancel(cancelled.id)
    other = Store.open(place.url, place.folder, clock)  # what a second process sees while nothing was closed
    try:
        assert [run.id for run in other.runs.unfinished()] == [queued.id, running.id, stopping.id]
        assert other.runs.requeue(queued.id) is None
        again = other.runs.requeue(running.id)
        assert again is not None
        assert (again.state, again.plan_blob) == (RunState.QUEUED, PLAN)
        assert other.runs.counts() == {
            RunState.QUEUED: 2, RunState.RUNNING: 0, RunState.STOPPING: 1, RunState.SUCCEEDED: 1, RunState.FAILED: 0, RunState.CANCELLED: 1,
        }  # fmt: skip
    finally:
        other.close()


def test_answer_is_found_if_its_gap_is_small_enough(store: Store, new_run: NewRun) -> None:
    question = new_run().question
    assert store.runs.answered(question, 1.0) is None, "a queued run is no answer"
    wide = succeed(store, new_run(), gap=0.02)
    assert answer_of(store, question, 0.02) == wide.id
    assert store.runs.answered(question, 0.019) is None
    narrow = succeed(store, new_run(), gap=0.001)
    assert answer_of(store, question, 0.02) == narrow.id
    assert store.runs.answered("another", 1.0) is None


def test_only_plans_proofs_and_evaluations_are_answers(store: Store, new_run: NewRun) -> None:
    def answer(mode: RunMode, **found: Any) -> str | None:
        run = succeed(store, new_run(mode=mode, changes=[{"case": repr(found)}]), **found)
        return answer_of(store, run.question, 0.0)

    assert answer(RunMode.PLAN, plan_blob=None, gap=None, solution_status="none") is None
    assert answer(RunMode.PLAN, plan_blob=PLAN, gap=None) is None
    assert answer(RunMode.PLAN, plan_blob=PLAN, gap=1e-6), "no search is asked for less than the smallest gap"
    assert answer(RunMode.REPAIR, plan_blob=None, gap=None, solution_status="infeasible")
    assert answer(RunMode.EVALUATE, plan_blob=None, gap=None)
    assert answer(RunMode.EVALUATE, plan_blob=None, gap=None, solution_status="none") is None, "it was cut short"
    assert answer(RunMode.REPAIR, plan_blob=None, gap=None, answer_blob=PLAN) is None, "what a study keeps of it is no explanation"
    assert answer(RunMode.EXPLAIN, answer_blob=PLAN)
    assert answer(RunMode.EXPLAIN, answer_blob=PLAN, stop_reason=StopReason.TIME_LIMIT) is None, "it was cut short"
    assert answer(RunMode.EXPLAIN) is None


def test_failed_run_with_an_incumbent_is_no_answer(store: Store, new_run: NewRun) -> None:
    run = new_run()
    store.runs.take(run.id)
    store.runs.checkpoint(run.id, 1, PLAN, 5.0, 5.0, 0.0)
    store.runs.finish(run.id, 1, RunState.FAILED)
    assert store.runs.answered(run.question, 1.0) is None


def test_question_differs_with_all_that_can_change_its_answer() -> None:
    asked: dict[str, Any] = {
        "mode": RunMode.PLAN,
        "base_dataset_id": "d",
        "changes": [{"a": 1, "b": 2}, {"c": 3}],
        "baseline_run_id": None,
        "seed": 0,
        "code_version": "1",
    }
    others: list[dict[str, Any]] = [
        {"mode": RunMode.REPAIR}, {"base_dataset_id": "e"}, {"changes": [{"c": 3}, {"a": 1, "b": 2}]}, {"baseline_run_id": "r"}, {"seed": 1},
        {"code_version": "2"},
    ]  # fmt: skip
    hashes = {question_of(**{**asked, **other}) for other in ({}, *others)}
    assert len(hashes) == 7
    assert question_of(**{**asked, "changes": [{"b": 2, "a": 1}, {"c": 3}]}) in hashes


def test_question_differs_with_what_its_answer_has_to_say(store: Store) -> None:
    asked: dict[str, Any] = {
        "mode": RunMode.PLAN,
        "base_dataset_id": "d",
        "changes": [],
        "baseline_run_id": None,
        "seed": 0,
        "code_version": "1",
    }
    assert question_of(**asked) == question_of(**asked, told=[]) != question_of(**asked, told=[{"code": "accepted_already"}])


def test_changes_in_a_plan_are_those_of_all_that_it_builds_on(store: Store, new_run: NewRun) -> None:
    first = new_run(changes=[])
    second = new_run(changes=[{"type": "a"}, {"type": "b"}], baseline_run_id=first.id)
    third = new_run(changes=[{"type": "c"}], baseline_run_id=second.id)
    assert [change["type"] for change in store.runs.changes_in(third.id)] == ["a", "b", "c"]
    assert not store.runs.changes_in(first.id)
    with pytest.raises(NotFoundError, match="no run 'nope'"):
        store.runs.changes_in("nope")


def test_runs_of_studies_are_counted_apart(store: Store, new_run: NewRun) -> None:
    new_run()
    new_run(study_id="study", study_number=0)
    assert store.runs.counts()[RunState.QUEUED] == 2
    assert store.runs.counts(of_studies=False)[RunState.QUEUED] == 1


def test_list_is_filtered(store: Store, new_run: NewRun, dataset: Dataset) -> None:
    other = store.datasets.put(small_dataset(name="other"), "anna")
    plain = new_run()
    of_line = new_run(line_id="line", scenario_id="scenario", dataset_id=other.id)
    of_other = new_run(base_dataset_id=other.id)
    store.runs.take(of_other.id)
    store.runs.cancel(of_line.id)

    def found(**filters: Any) -> list[str]:
        return [run.id for run in store.runs.list(**filters).items]

    assert found() == [of_other.id, of_line.id, plain.id]
    assert found(states=[RunState.QUEUED, RunState.RUNNING]) == [of_other.id, plain.id]
    assert found(dataset_id=dataset.id) == [of_line.id, plain.id]
    assert found(dataset_id=other.id) == [of_other.id, of_line.id], "before or after the changes"
    assert found(line_id="line") == found(scenario_id="scenario") == [of_line.id]
    assert found(line_id="line", states=[RunState.QUEUED]) == []


def test_paging_neither_loses_nor_repeats_while_rows_are_added(store: Store, new_run: NewRun) -> None:
    ids = [new_run().id for _ in range(5)]
    seen, cursor = [], None
    while True:
        page = store.runs.list(cursor, 2)
        seen += [run.id for run in page.items]
        new_run()
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ids[::-1]


def test_paging_of_runs_of_the_same_instant(store: Store, new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    now = store.database.now()
    monkeypatch.setattr(store.database, "now", lambda: now)
    ids = {new_run().id for _ in range(5)}
    first = store.runs.list(limit=3)
    second = store.runs.list(first.next_cursor, 3)
    assert (len(first.items), len(second.items), second.next_cursor) == (3, 2, None)
    assert {run.id for run in (*first.items, *second.items)} == ids


def test_last_page_that_is_full_has_no_cursor(store: Store, new_run: NewRun) -> None:
    new_run()
    new_run()
    assert store.runs.list(limit=2).next_cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "é", "bnVsbA", "WyJydW5zIiwiMjAyNi0wMS0wMSIsImEiXQ", "WyJydW5zIiwxLDJd", "e30"])
def test_bad_cursor_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor: must be the next_cursor"):
        store.runs.list(cursor)


def test_cursor_of_another_list_and_impossible_limits_are_refused(store: Store, new_run: NewRun) -> None:
    new_run()
    new_run()
    cursor = store.runs.list(limit=1).next_cursor
    with pytest.raises(ValueError, match="cursor"):
        store.datasets.list(cursor)
    for limit in (0, 501):
        with pytest.raises(ValueError, match=f"limit: must be 1 to 500 .found {limit}"):
            store.runs.list(limit=limit)

"""Studies in the store: made once, grown run by run, stopped, and collected with their last run."""

from __future__ import annotations

from typing import Any

import pytest

from api.store import ConflictError, NotFoundError, RunState, Store
from api.store.gc import collect
from api.store.tables import Run, Study
from tests.api.store.support import Clock, NewRun, at_once


@pytest.fixture
def study(store: Store, new_run: NewRun) -> Study:
    """A study of two runs."""
    return begun(store, new_run())


def begun(store: Store, base: Run, **more: Any) -> Study:
    given = {
        "document": {"name": "s"},
        "planned": 2,
        "options": {"gap": 0.01},
        "line_id": None,
        "code_version": "1",
        "created_by": "anna",
        **more,
    }
    return store.studies.create("s", base_dataset_id=base.base_dataset_id, baseline_run_id=base.id, **given)


def test_a_study_grows_until_all_of_its_runs_are_made(store: Store, study: Study) -> None:
    assert [one.id for one in store.studies.growing()] == [study.id]
    store.studies.made(study.id, 0)
    store.studies.made(study.id, 0)
    assert store.studies.get(study.id).made == 1
    store.studies.made(study.id, 1)
    assert store.studies.growing() == []
    assert [one.id for one in store.studies.list().items] == [study.id]
    with pytest.raises(NotFoundError):
        store.studies.get("study_none")
    with pytest.raises(NotFoundError):
        store.studies.ask_stop("study_none")


def test_a_study_that_is_asked_to_stop_does_not_grow(store: Store, study: Study) -> None:
    first = store.studies.ask_stop(study.id).stop_asked_at
    assert first is not None
    assert store.studies.ask_stop(study.id).stop_asked_at == first
    assert store.studies.growing() == []


def test_a_run_of_a_study_is_made_once(store: Store, study: Study, new_run: NewRun) -> None:
    """By however many at once, or again after a crash before the study knew of it."""
    made = at_once(4, lambda _: new_run(study_id=study.id, study_number=0))
    assert len({run.id for run in made}) == 1
    other = new_run(study_id=study.id, study_number=1)
    assert [run.id for run in store.runs.list(study_id=study.id).items] == [other.id, made[0].id]
    assert {run.study_id for run in store.runs.list(of_studies=False).items} == {None}
    assert store.studies.counts(study.id)[RunState.QUEUED] == 2
    assert set(store.studies.open_runs(study.id)) == {other.id, made[0].id}


def test_a_study_that_was_asked_to_stop_gets_no_run(store: Store, study: Study, new_run: NewRun) -> None:
    """Also one that was being made at that moment: whoever has asked finds every run that there is."""
    new_run(study_id=study.id, study_number=0)
    store.studies.ask_stop(study.id)
    with pytest.raises(ConflictError, match="was asked to stop"):
        new_run(study_id=study.id, study_number=1)
    assert len(store.studies.open_runs(study.id)) == 1


def test_what_is_asked_one_by_one_comes_first(store: Store, study: Study, new_run: NewRun) -> None:
    one = new_run(study_id=study.id, study_number=0)
    asked = new_run()
    waiting = [run.id for run in store.runs.unfinished()]
    assert waiting.index(asked.id) < waiting.index(one.id)


def test_entries_by_number(store: Store, study: Study, new_run: NewRun) -> None:
    for number in (1, 0):
        run = new_run(study_id=study.id, study_number=number)
        store.runs.take(run.id)
        assert store.runs.finish(run.id, 1, RunState.SUCCEEDED, answer_blob=f"blob {number}")
    assert store.studies.entries(study.id) == {0: "blob 0", 1: "blob 1"}


def test_a_repeated_request_finds_its_study(store: Store, new_run: NewRun, clock: Clock) -> None:
    base = new_run()
    first, again = (begun(store, base, idempotency_key="k", request_sha="r") for _ in range(2))
    assert first.id == again.id
    found = store.studies.with_key("anna", "k")
    assert found is not None
    assert found.id == first.id
    assert store.studies.with_key("berta", "k") is None
    clock.forward(days=2)
    assert store.studies.with_key("anna", "k") is None
    assert begun(store, base, idempotency_key="k", request_sha="r").id != first.id


def test_a_study_goes_with_its_last_run_and_keeps_its_base_till_then(store: Store, new_run: NewRun, clock: Clock) -> None:
    base = new_run()
    ended(store, base)
    study = begun(store, base, planned=1)
    clock.forward(days=30)
    assert collect(store, 10).runs == 0, "it grows, and its runs will begin with the base plan"
    run = new_run(study_id=study.id, study_number=0, baseline_run_id=base.id)
    store.studies.made(study.id, 0)
    ended(store, run)
    found = collect(store, 10)
    assert (found.runs, found.studies) == (0, 0)
    clock.forward(days=30)
    assert collect(store, 10, dry_run=True).studies == 1
    found = collect(store, 10)
    assert (found.runs, found.studies) == (2, 1)
    assert store.studies.list().items == []


def ended(store: Store, run: Run) -> None:
    store.runs.take(run.id)
    assert store.runs.finish(run.id, 1, RunState.SUCCEEDED) is not None

"""What nothing needs goes; what anything needs stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from api.store import Collected, NotFoundError, RunMode, RunState, Store, collect
from api.store.tables import Dataset, Run
from tests.api.store.support import Clock, NewRun
from tests.factories import small_dataset

NOTHING = Collected(runs=0, events=0, datasets=0, studies=0, answers=0, blobs=0, bytes=0)


def ended(store: Store, run: Run, plan: bytes = b"", state: RunState = RunState.SUCCEEDED) -> str:
    """End a run, with the content of a plan; its id."""
    store.runs.take(run.id)
    store.runs.note_event(run.id, 1, "progress", {})
    blob = store.blobs.put(plan) if plan else None
    assert store.runs.finish(run.id, 1, state, plan_blob=blob)
    return run.id


def age_blobs(store: Store) -> None:
    """Make all files look old."""
    for path in Path(store.blobs.folder).glob("??/*"):
        os.utime(path, (0, 0))


def left(store: Store) -> set[str]:
    """Ids of the runs that there are."""
    return {run.id for run in store.runs.list().items}


def test_old_run_goes_with_its_events_and_plan(store: Store, new_run: NewRun, clock: Clock, dataset: Dataset) -> None:
    old = ended(store, new_run(), b"old plan")
    clock.forward(days=30)
    young = ended(store, new_run(), b"young plan")
    age_blobs(store)
    expected = Collected(runs=1, events=2, datasets=0, studies=0, answers=0, blobs=1, bytes=8)
    assert collect(store, 30, dry_run=True) == expected
    assert left(store) == {old, young}
    assert len(list(store.blobs.all())) == 3, "a dry run deletes nothing"
    assert collect(store, 30) == expected
    assert left(store) == {young}
    assert store.runs.events(old) == []
    assert len(store.runs.events(young)) == 2
    plan = store.runs.get(young).plan_blob
    assert plan is not None
    assert store.blobs.get(plan) == b"young plan"
    assert store.datasets.load(dataset.id).name == "small"
    assert collect(store, 30) == NOTHING


@pytest.mark.parametrize("steps", [[], ["take"], ["take", "ask_stop"]])
def test_run_that_has_not_ended_stays(store: Store, new_run: NewRun, clock: Clock, steps: list[str]) -> None:
    run = new_run()
    for step in steps:
        getattr(store.runs, step)(run.id)
    clock.forward(days=1000)
    assert collect(store, 0) == NOTHING
    assert left(store) == {run.id}


def test_baselines_of_lines_and_of_runs_that_stay_stay(store: Store, new_run: NewRun, clock: Clock, dataset: Dataset) -> None:
    def after(run_id: str | None) -> str:
        return ended(store, new_run(baseline_run_id=run_id))

    root = after(None)
    child = after(root)
    of_line = after(child)
    store.lines.create("A", dataset.id, of_line)
    unused_root = after(None)
    unused = after(unused_root)
    base_of_young = after(None)
    clock.forward(days=10)
    young = after(base_of_young)
    assert collect(store, 5).runs == 2
    assert left(store) == {root, child, of_line, base_of_young, young}
    for run_id in (unused_root, unused):
        with pytest.raises(NotFoundError):
            store.runs.get(run_id)


def test_baseline_that_a_line_has_left_goes(store: Store, new_run: NewRun, clock: Clock, dataset: Dataset) -> None:
    first, second = ended(store, new_run()), ended(store, new_run())
    line = store.lines.create("A", dataset.id, first)
    store.lines.update(line.id, 1, run_id=second)
    clock.forward(days=1)
    assert collect(store, 0.5).runs == 1
    assert left(store) == {second}


def test_plan_that_two_runs_share_stays_with_either(store: Store, new_run: NewRun, clock: Clock) -> None:
    ended(store, new_run(), b"plan")
    clock.forward(days=10)
    young = ended(store, new_run(), b"plan")
    age_blobs(store)
    assert (collect(store, 5).runs, left(store)) == (1, {young})
    assert store.blobs.get(store.runs.get(young).plan_blob or "") == b"plan"


def test_answer_of_an_explanation_stays_with_it_and_its_plan(store: Store, new_run: NewRun, clock: Clock) -> None:
    plan = ended(store, new_run(), b"plan")
    run = new_run(mode=RunMode.EXPLAIN, ask={"kind": "prices"}, baseline_run_id=plan)
    clock.forward(days=30)
    store.runs.take(run.id)
    blob = store.blobs.put(b"answer")
    assert store.runs.finish(run.id, 1, RunState.SUCCEEDED, answer_blob=blob)
    age_blobs(store)
    assert collect(store, 20) == NOTHING
    clock.forward(days=30)
    assert collect(store, 20).blobs == 2


def test_content_without_owner_goes_once_it_is_an_hour_old(store: Store) -> None:
    store.blobs.put(b"orphan")
    assert collect(store, 0) == NOTHING, "its row may be about to be written"
    age_blobs(store)
    found = collect(store, 0)
    assert (found.blobs, found.bytes) == (1, 6)
    assert list(store.blobs.all()) == []


def test_file_of_a_killed_writer_goes(store: Store) -> None:
    sha = store.blobs.put(b"x")
    part = store.blobs.folder / sha[:2] / f".{sha}.abc.tmp"
    part.write_bytes(b"")
    age_blobs(store)
    os.utime(part, (0, 0))
    collect(store, 0, dry_run=True)
    assert part.exists()
    collect(store, 0)
    assert not part.exists()


def test_derived_dataset_goes_with_its_last_run(store: Store, new_run: NewRun, clock: Clock) -> None:
    names = ("before", "after", "line", "unused")
    made = {name: store.datasets.put(small_dataset(name=name), "anna", derived=True).id for name in names}
    ended(store, new_run(base_dataset_id=made["before"]))
    clock.forward(days=10)
    ended(store, new_run(dataset_id=made["after"]))
    store.lines.create("A", made["line"])
    age_blobs(store)
    found = collect(store, 5)
    assert (found.runs, found.datasets, found.blobs) == (1, 2, 2)
    for name in names:
        if name in ("after", "line"):
            assert store.datasets.load(made[name]).name == name
        else:
            with pytest.raises(NotFoundError):
                store.datasets.get(made[name])


def test_derived_dataset_that_was_just_put_again_stays(store: Store, clock: Clock) -> None:
    row = store.datasets.put(small_dataset(name="x"), "anna", derived=True)
    clock.forward(days=10)
    store.datasets.put(small_dataset(name="x"), "anna", derived=True)
    assert collect(store, 5) == NOTHING
    clock.forward(days=6)
    assert collect(store, 5).datasets == 1
    with pytest.raises(NotFoundError):
        store.datasets.get(row.id)


def test_answers_of_a_day_ago_go(store: Store, clock: Clock) -> None:
    store.idempotency.begin("0a", "key", "POST", "/", "ab" * 32)
    clock.forward(hours=25)
    assert collect(store, 30, dry_run=True).answers == collect(store, 30).answers == 1
    assert collect(store, 30).answers == 0


def test_more_runs_than_one_statement_takes(store: Store, new_run: NewRun, clock: Clock) -> None:
    first = ended(store, new_run())
    template = store.runs.get(first)
    given = {column.name: getattr(template, column.name) for column in Run.__table__.columns}
    with store.database.writing() as session:
        session.add_all(Run(**{**given, "id": f"run_{number:04}", "baseline_run_id": first}) for number in range(1200))
    clock.forward(days=1)
    assert collect(store, 0.5).runs == 1201
    assert left(store) == set()


def test_impossible_days_are_refused(store: Store) -> None:
    for days in (-1, float("nan")):
        with pytest.raises(ValueError, match="keep_days: must be at least 0"):
            collect(store, days)


def test_run_of_every_mode_can_be_collected(store: Store, new_run: NewRun, clock: Clock) -> None:
    for mode in RunMode:
        ended(store, new_run(mode=mode), state=RunState.FAILED)
    clock.forward(days=2)
    assert collect(store, 1).runs == len(RunMode)

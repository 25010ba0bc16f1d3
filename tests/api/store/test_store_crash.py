"""A process that is killed at any moment loses nothing that it has said is stored."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from api.store import RunState, Store
from tests.api.store.support import Place

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from api.store import RunMode, RunState, Store
from tests.factories import small_dataset

store = Store.open(*sys.argv[1:])
dataset = store.datasets.put(small_dataset(), "anna")
number = 0
while True:
    number += 1
    run = store.runs.create(
        mode=RunMode.PLAN, base_dataset_id=dataset.id, changes=[], options={}, question="q", code_version="1", created_by="anna"
    )
    print("queued", run.id, flush=True)
    store.runs.take(run.id)
    store.runs.note_event(run.id, 1, "progress", {})
    plan = store.blobs.put(f"plan {number}".encode())
    store.runs.checkpoint(run.id, 1, plan, float(number), None, None)
    print("checkpoint", run.id, flush=True)
    store.runs.finish(run.id, 1, RunState.SUCCEEDED, plan_blob=plan)
    print("finished", run.id, flush=True)
"""


def test_killed_process_loses_nothing_that_it_stored(place: Place) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, place.url, str(place.folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline().split() for _ in range(10)]  # the fourth run is queued by now
        process.send_signal(signal.SIGKILL)
        said += [line.split() for line in process.stdout if line.endswith("\n")]
    last = {id: word for word, id in said}
    assert len(last) >= 4
    store = Store.open(place.url, place.folder)
    try:
        for id, word in last.items():
            run = store.runs.get(id)
            events = [event.number for event in store.runs.events(id)]
            assert events == list(range(1, run.last_event + 1))
            if word == "finished":
                assert (run.state, events) == (RunState.SUCCEEDED, [1, 2])
            if word != "queued":
                assert run.plan_blob is not None
                assert store.blobs.get(run.plan_blob).startswith(b"plan")
        unfinished = {run.id for run in store.runs.unfinished()}
        assert unfinished >= {id for id, word in last.items() if store.runs.get(id).state is not RunState.SUCCEEDED}
    finally:
        store.close()

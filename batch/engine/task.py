"""What runs in a worker: one solve at a time, its stop, and the end of its process.

Importing this loads no solver, so that schedulers, nannies and services can do it at no cost.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from distributed import get_worker

from batch.engine.job import Job, Outcome

if TYPE_CHECKING:
    from distributed import Nanny, Worker

STOPS = 100
"""Stops that are remembered for runs that have not come yet."""
UNWANTED = ("cancelled", "resumed", "released", "forgotten")
"""States of a task that nobody waits for any more."""

loading: threading.Thread | None = None
"""Loads the solver since the worker was started."""
_solving = threading.Lock()  # HiGHS has one scheduler per process
_running: dict[str, threading.Event] = {}
_stopped: deque[str] = deque(maxlen=STOPS)
_stops_lock = threading.Lock()


def solve(job: Job, topic: str) -> Outcome:
    """Carry out a job; what happens on the way is told as events of a topic.

    Events are plain values: run_id, attempt, kind (``started``, ``progress`` or ``incumbent``), worker, and the payload.
    """
    worker = get_worker()
    key = worker.get_current_task()

    def send(kind: str, payload: dict[str, Any]) -> None:
        common = {"run_id": job.run_id, "attempt": job.attempt, "kind": kind, "worker": worker.address}
        worker.log_event(topic, {**common, "payload": payload})

    def abandoned() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state in UNWANTED

    with _solving:
        send("started", {"pid": os.getpid()})
        if loading is not None:
            loading.join()  # two threads that import the same packages at once can fail either of them
        from batch.engine.reporter import Reporter
        from batch.engine.solving import outcome_of

        with _stoppable(job.run_id) as flag, Reporter(send, abandoned, flag) as reporter:
            return outcome_of(job, flag, reporter.progress, reporter.keep)


def stop(run_id: str) -> None:
    """Ask a run to end with its best plan; one that has not come yet ends as soon as it does."""
    with _stops_lock:
        if run_id in _running:
            _running[run_id].set()
        else:
            _stopped.append(run_id)


def end_process(dask_worker: Nanny | Worker) -> None:
    """End the worker's process at once, whatever it does; run in its nanny, which starts another, or in the worker itself."""
    pid = getattr(dask_worker, "pid", os.getpid())
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


@contextmanager
def _stoppable(run_id: str) -> Iterator[threading.Event]:
    """A flag that :func:`stop` sets, or has set already."""
    flag = threading.Event()
    with _stops_lock:
        _running[run_id] = flag
        if run_id in _stopped:
            flag.set()
    try:
        yield flag
    finally:
        with _stops_lock:
            del _running[run_id]

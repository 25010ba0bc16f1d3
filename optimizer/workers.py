"""Worker processes of the search: each has its own solver, can be stopped, and can die without taking the search along.

A worker is this module's :func:`main` run as a program of its own (never a fork: after a solve, a forked child hangs), which reads
pickled messages from its standard input and writes pickled answers to its standard output.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any

from optimizer.highs import Control
from optimizer.instance import Instance
from optimizer.matrix import Matrix
from optimizer.station import Station

SEEDS = 1000
"""Distance of the seeds of two workers."""
LOOK = 0.1
"""Seconds after which workers are looked at again."""
GRACE = 10.0
"""Seconds after its deadline in which a worker must have answered; then its process is ended."""


@dataclass(frozen=True)
class Answer:
    """What a worker says of a job.

    Attributes:
        worker: its number.
        job: number of the job.
        kind: ``phase``, ``bound`` or ``solution`` on the way, ``done`` or ``failed`` at the end.
        value: the phase in words, a bound, a solution, the result, or the error in words.
    """

    worker: int
    job: int
    kind: str
    value: Any


class Worker:
    """One process, busy with at most one job; what it is told waits in a queue, so that nobody waits for it.

    Args:
        number: its number in the pool.
        answers: where its answers go.
    """

    def __init__(self, number: int, answers: queue.Queue[Answer]) -> None:
        self.number, self.answers = number, answers
        self.job: int | None = None
        self.deadline = float("inf")
        self.outbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        path = os.pathsep.join(dict.fromkeys(os.path.abspath(folder) for folder in sys.path))
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from optimizer.workers import main; main()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path}, start_new_session=True,
        )  # fmt: skip
        self.threads = [threading.Thread(target=task, daemon=True) for task in (self._write, self._listen)]
        for thread in self.threads:
            thread.start()

    def tell(self, message: bytes) -> None:
        """Send a pickled message, in turn."""
        self.outbox.put(message)

    def end(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.wait()
        self.tell(b"")
        for thread in self.threads:
            thread.join()

    def _write(self) -> None:
        assert self.process.stdin is not None
        with suppress(OSError), self.process.stdin as target:  # the process may end with part of a message still to be flushed
            while message := self.outbox.get():
                target.write(message)
                target.flush()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as source:
            for message in _messages(source):
                self.answers.put(Answer(self.number, *message))
        self.process.wait()
        self.answers.put(Answer(self.number, 0, "ended", "the worker has ended"))


@dataclass
class Pool:
    """Processes that work on one model.

    Args:
        instance, matrix: the model.
        count: number of processes.
        seed: of the first worker; each has its own.
        control: deadline and stop of the whole search.
        without: ingredients of the search to leave out.
    """

    instance: Instance
    matrix: Matrix
    count: int
    seed: int
    control: Control
    without: frozenset[str] = frozenset()
    workers: list[Worker] = field(default_factory=list)
    answers: queue.Queue[Answer] = field(default_factory=queue.Queue)
    jobs: int = 0
    replaced: int = 0

    def __enter__(self) -> Pool:
        self.model = pickle.dumps(("model", self.instance, self.matrix, self.without), protocol=pickle.HIGHEST_PROTOCOL)
        self.workers = [self._started(number) for number in range(self.count)]
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self.workers:
            worker.end()

    def give(self, number: int, name: str, *arguments: Any, seconds: float = float("inf")) -> int:
        """Start a job; the worker must be idle.

        Args:
            number: of the worker.
            name: method of :class:`Station`.
            seconds: most time it may take.

        Returns:
            Number of the job.
        """
        self.jobs += 1
        worker = self.workers[number]
        if worker.process.poll() is not None:  # it died while it had nothing to do
            self._replaced(worker, "")
            worker = self.workers[number]
        worker.job, worker.deadline = self.jobs, min(self.control.deadline, time.monotonic() + seconds)
        worker.tell(pickle.dumps(("job", self.jobs, name, arguments, worker.deadline)))
        return self.jobs

    def run(self) -> Iterator[Answer]:
        """Answers until every worker is idle; a worker that dies or does not answer in time is replaced, its job failed."""
        told, looked = False, time.monotonic()
        while any(worker.job is not None for worker in self.workers):
            if self.control.stop.is_set() and not told:
                told = True
                for worker in self.workers:
                    worker.tell(pickle.dumps(("stop",)))
                    worker.deadline = min(worker.deadline, time.monotonic())
            if time.monotonic() > looked + LOOK:  # also while others answer all the time
                looked = time.monotonic()
                yield from self._overdue()
            try:
                answer = self.answers.get(timeout=LOOK)
            except queue.Empty:
                continue
            worker = self.workers[answer.worker]
            if answer.kind == "ended" and worker.job is not None and worker.process.poll() is not None:
                yield self._replaced(worker, "the worker has ended")
            elif answer.job == worker.job:
                if answer.kind in ("done", "failed"):
                    worker.job = None
                yield answer

    def _overdue(self) -> Iterator[Answer]:
        """End workers that are past their deadline."""
        for worker in list(self.workers):
            if worker.job is not None and time.monotonic() > worker.deadline + GRACE:
                yield self._replaced(worker, "no answer in time")

    def _replaced(self, worker: Worker, why: str) -> Answer:
        """End a worker and start another in its place, with draws of its own; its job has failed."""
        worker.end()
        self.replaced += 1
        self.workers[worker.number] = self._started(worker.number)
        return Answer(worker.number, worker.job or 0, "failed", why)

    def _started(self, number: int) -> Worker:
        worker = Worker(number, self.answers)
        worker.tell(self.model)
        worker.tell(pickle.dumps(("seed", self.seed + SEEDS * (number + self.replaced * self.count))))
        return worker


def _messages(stream: IO[bytes]) -> Iterator[Any]:
    """Pickled messages until the other side ends."""
    while True:
        try:
            yield pickle.load(stream)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            return


class _Desk:
    """The worker's side: takes messages, does one job after the other."""

    def __init__(self, source: IO[bytes], target: IO[bytes]) -> None:
        self.source, self.target = source, target
        self.todo: queue.SimpleQueue[tuple[int, str, tuple[Any, ...], float]] = queue.SimpleQueue()
        self.stop = threading.Event()
        self.station: Station | None = None

    def read(self) -> None:
        """Take messages until the search ends, and the process with it."""
        for kind, *parts in _messages(self.source):
            if kind == "model":
                self.station = Station(*parts)
            elif kind == "seed" and self.station is not None:
                self.station.seed = parts[0]
            elif kind == "job":
                self.todo.put((parts[0], parts[1], parts[2], parts[3]))
            elif kind == "stop":
                self.stop.set()
        os._exit(0)

    def work(self) -> None:
        """Do jobs for ever."""
        while True:
            job, name, arguments, deadline = self.todo.get()
            station = self.station
            assert station is not None
            station.control = Control(deadline, self.stop)
            station.tell = partial(self.answer, job)
            try:
                self.answer(job, "done", getattr(station, name)(*arguments))
            except Exception as error:
                self.answer(job, "failed", f"{type(error).__name__}: {error}")

    def answer(self, job: int, kind: str, value: Any) -> None:
        """Send an answer."""
        pickle.dump((job, kind, value), self.target, protocol=pickle.HIGHEST_PROTOCOL)
        self.target.flush()


def main() -> None:
    """Work for the process at the other end of the standard streams."""
    target = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the answers
    desk = _Desk(sys.stdin.buffer, target)
    threading.Thread(target=desk.read, daemon=True).start()
    desk.work()


if __name__ == "__main__":
    main()

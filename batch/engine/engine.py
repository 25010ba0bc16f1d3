"""The engine: gives jobs to Dask workers, tells what happens to them, and stays usable whatever happens to a worker."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dask
from distributed import Client
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from batch.engine import task
from batch.engine.job import Ended, EngineError, EngineMode, Failure, Fate, Job, OnEnd, OnEvent, Outcome
from batch.engine.local import DESK, MEMORY, SOLVE, LocalCluster

CONNECT = 5.0
"""Seconds in which a scheduler must answer."""
ASK = 5.0
"""Seconds in which a worker or nanny must do what it is told."""
LOOK = 0.02
"""Seconds between two looks whether a worker has ended."""
WATCH = 1.0
"""Seconds between two looks at the cluster."""
CLOSE = 8.0
"""Seconds that closing may take."""
DESK_WAIT = 4
"""Evaluations given to the desk at a time."""
SETTLE = 0.2
"""Seconds in which a nanny elsewhere may still tell why a process has ended."""
REMEMBERED = 100
"""Workers that were ended because of their memory and are remembered."""

log = logging.getLogger(__name__)


@dataclass
class _Run:
    """A job under way.

    Attributes:
        worker: address of the worker that has it, once it has.
        stopping: whether it was asked to end with its best plan.
        ending: whether its process is being ended.
    """

    job: Job
    future: Any
    worker: str | None = None
    deadline: asyncio.TimerHandle | None = None
    stopping: bool = False
    ending: bool = False


class Engine:
    """Solves jobs in the worker processes of a Dask cluster; to be used within one event loop.

    Make one with :meth:`start`; end it with :meth:`close`.
    """

    def __init__(
        self, scheduler: str | None, slots: int, threads: int, memory_limit: str, grace: float, on_event: OnEvent, on_end: OnEnd,
        preload: Sequence[str] = (), desk: bool = True,
    ) -> None:  # fmt: skip
        self.desk = desk
        self.scheduler, self.slots, self.threads = scheduler, slots, threads
        self.memory_limit, self.grace, self.preload = memory_limit, grace, preload
        self._on_event, self._on_end = on_event, on_end
        self._topic = f"wattplan-{uuid.uuid4().hex}"
        self._cluster: LocalCluster | None = None
        self._client: Any = None  # a Client, whose methods are not typed
        self._runs: dict[str, _Run] = {}
        self._workers = 0
        self._closing = False
        self._too_big: deque[str] = deque(maxlen=REMEMBERED)
        self._background: set[asyncio.Task[None]] = set()

    @classmethod
    async def start(
        cls,
        scheduler: str | None = None,
        *,
        slots: int = 1,
        threads: int = 1,
        memory_limit: str = "6GiB",
        grace: float = 45.0,
        on_event: OnEvent,
        on_end: OnEnd,
        preload: Sequence[str] = (),
        desk: bool = True,
    ) -> Engine:
        """Start a cluster inside this process, or connect to one.

        Args:
            scheduler: address of a cluster's scheduler, such as ``tcp://host:8786``; a cluster of its own if not given.
            slots: workers, each for one solve at a time, of a cluster of its own.
            threads: most threads of a solve.
            memory_limit: of each worker's process in a cluster of its own; the process of a solve that needs more is ended.
            grace: seconds after a job's time limit after which its process is ended.
            on_event: told what happens on the way.
            on_end: told each attempt's end, once.
            preload: modules that each worker of a cluster of its own loads at its start.
            desk: whether a cluster of its own has a worker for evaluations alone; without one, they take turns with solves.

        Raises:
            EngineError: the cluster does not start or does not answer.
        """
        engine = cls(scheduler, slots, threads, memory_limit, grace, on_event, on_end, preload, desk)
        try:
            await engine._connect()
        except (OSError, RuntimeError, ValueError) as error:
            await engine._disconnect()
            where = f"no Dask scheduler answers at {scheduler}" if scheduler else "the local Dask cluster does not start"
            raise EngineError(f"{where}: {_words(error)}") from error
        engine._later(engine._watch())
        return engine

    @property
    def ready(self) -> bool:
        """Whether jobs can be solved."""
        return not self._closing and self._client is not None and self._client.status == "running" and self._workers > 0

    @property
    def workers(self) -> int:
        """Workers that solve; 0 while there is no cluster."""
        return self._workers if self.ready else 0

    @property
    def free(self) -> int:
        """Jobs that would be started at once."""
        return max(0, self._workers - sum(not self._at_desk(run.job) for run in self._runs.values())) if self.ready else 0

    @property
    def desk_free(self) -> bool:
        """Whether an evaluation would be started at once, or as soon as another one is done; a cluster of others has no desk."""
        return (
            self.ready
            and self._cluster is not None
            and self.desk
            and sum(self._at_desk(run.job) for run in self._runs.values()) < DESK_WAIT
        )

    def _at_desk(self, job: Job) -> bool:
        return self._cluster is not None and self.desk and str(job.mode) == EngineMode.EVALUATE

    @property
    def active(self) -> tuple[str, ...]:
        """Runs under way."""
        return tuple(self._runs)

    async def submit(self, job: Job) -> None:
        """Give a job to the cluster. What comes of it, and be it that the cluster is gone, is told by ``on_end``.

        Raises:
            ValueError: an attempt of this run is under way.
            EngineError: the engine is closed.
        """
        if job.run_id in self._runs:
            raise ValueError(f"run {job.run_id} is under way")
        if self._closing:
            raise EngineError("the engine is closed")
        if self._client is None or self._client.status != "running":
            self._on_end(job.run_id, job.attempt, Ended(Fate.LOST, detail="there is no cluster"))
            return
        plain = replace(job, mode=str(job.mode), threads=min(job.threads, self.threads))
        key = f"wattplan-{job.run_id}-{job.attempt}-{uuid.uuid4().hex}"
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "4GiB"}):  # a job is meant to be whole
            use = None if self._cluster is None else {DESK if self._at_desk(job) else SOLVE: 1}
            future = self._client.submit(task.solve, plain, self._topic, key=key, pure=False, resources=use)
        run = self._runs[job.run_id] = _Run(job, future)
        self._later(self._follow(run))

    async def stop(self, run_id: str) -> None:
        """Ask a run to end with its best plan, which ``on_end`` tells."""
        run = self._runs.get(run_id)
        if run is not None and not run.stopping:
            run.stopping = True
            await self._ask(task.stop, run_id, workers=None if run.worker is None else [run.worker])

    async def kill(self, run_id: str) -> None:
        """End a run at once, with its process; another process takes that one's place."""
        run = self._runs.get(run_id)
        if run is not None:
            await self._end_process(run, Ended(Fate.KILLED))

    async def close(self, grace: float = 5.0) -> None:
        """End the engine within 10 s, with all processes that it has started; runs under way end as ``lost``.

        Args:
            grace: most seconds for an orderly end of the processes, before they are ended.
        """
        self._closing = True
        for run in list(self._runs.values()):
            self._conclude(run, Ended(Fate.LOST, detail="the engine was closed"))
        for background in list(self._background):
            background.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        if self._cluster is not None:
            self._cluster.end = min(grace, self._cluster.end)
        await self._disconnect()

    # the cluster -------------------------------------------------------------------------------

    async def _connect(self) -> None:
        if self.scheduler is None:
            self._cluster = LocalCluster(self.slots, self.memory_limit, self._too_big.append, self.preload, self.desk)
            await self._cluster.start()
        address = self._cluster.address if self._cluster is not None else self.scheduler
        client: Any = Client
        self._client = await client(address, asynchronous=True, set_as_default=False, timeout=CONNECT, name="wattplan")
        self._client.subscribe_topic(self._topic, self._told)
        if self._cluster is None:
            self._client.subscribe_topic(MEMORY, lambda event: self._too_big.append(event[1]["worker"]))
        await self._count()

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        cluster, self._cluster = self._cluster, None
        self._workers = 0
        for what in (client, cluster):
            if what is not None:
                try:
                    async with asyncio.timeout(CLOSE / 2):
                        await what.close()
                except Exception as error:
                    log.warning("the cluster did not close: %s", _words(error))

    async def _count(self) -> None:
        """See which workers there are; a scheduler of others gives a task whose worker has died to the next one, which it may end too."""
        if self._cluster is not None:
            self._workers = self.slots
            return
        async with asyncio.timeout(ASK):  # not wait_for: before Python 3.12 it may swallow the cancellation of its task
            found = await self._client.nthreads()
        self._workers = len(found)
        for run in list(self._runs.values()):
            if run.worker is not None and run.worker not in found and not run.ending:
                self._conclude(run, self._crashed(run.worker))

    async def _watch(self) -> None:
        """Keep the cluster usable."""
        while True:
            await asyncio.sleep(WATCH)
            try:
                if self._client is None or self._client.status != "running":
                    await self._renew()
                elif self._cluster is not None:
                    await self._cluster.mend()
                else:
                    await self._count()
            except Exception as error:
                log.warning("the cluster does not answer: %s", _words(error))
                self._workers = 0
                await self._forget()

    async def _renew(self) -> None:
        """Connect anew; runs of the cluster that is gone are lost."""
        await self._forget()
        await self._connect()
        log.warning("connected to a cluster again")

    async def _forget(self) -> None:
        for run in list(self._runs.values()):
            self._conclude(run, Ended(Fate.LOST, detail="the cluster was lost"))
        await self._disconnect()

    async def _ask(self, function: Callable[..., None], *arguments: Any, workers: list[str] | None, nanny: bool = False) -> bool:
        """Have workers or their nannies do something now; whether any did."""
        if self._client is None:
            return False
        asked = self._client.run(function, *arguments, workers=workers, nanny=nanny, on_error="ignore")
        try:
            async with asyncio.timeout(ASK):
                return bool(await asked)
        except (OSError, KeyError) as error:
            log.warning("no answer to %s: %s", function.__name__, _words(error))
            return False

    # runs --------------------------------------------------------------------------------------

    async def _follow(self, run: _Run) -> None:
        """Wait for a run's answer."""
        try:
            outcome: Outcome = await run.future
            ended = Ended(Fate.DONE, outcome)
        except KilledWorker as error:
            if self._cluster is None:
                await asyncio.sleep(SETTLE)
            ended = self._crashed(error.last_worker.address)
        except FutureCancelledError as error:
            ended = Ended(Fate.LOST, detail=f"the cluster was lost ({error.reason})")
        except Exception as error:
            ended = _failed(Failure.INTERNAL_ERROR, f"the worker could not run it: {type(error).__name__}: {error}")
        if not run.ending:
            self._conclude(run, ended)

    def _told(self, event: tuple[float, dict[str, Any]]) -> None:
        """Take an event of a worker."""
        said = event[1]
        run = self._runs.get(said["run_id"])
        if run is None or run.job.attempt != said["attempt"] or run.ending:
            return
        if said["kind"] != "started":
            self._on_event(run.job.run_id, run.job.attempt, said["kind"], said["payload"])
        elif run.worker is None:
            run.worker = said["worker"]
            seconds = run.job.warming + run.job.time_limit + self.grace
            run.deadline = asyncio.get_running_loop().call_later(seconds, self._overdue, run)
            if run.stopping:
                self._later(self._stop_again(run))

    async def _stop_again(self, run: _Run) -> None:
        await self._ask(task.stop, run.job.run_id, workers=[run.worker] if run.worker else None)

    def _overdue(self, run: _Run) -> None:
        detail = f"no answer {self.grace:g} s after the time limit"
        self._later(self._end_process(run, Ended(Fate.OVERDUE, detail=detail)))

    async def _end_process(self, run: _Run, ended: Ended) -> None:
        """End a run together with its worker's process."""
        if run.ending or self._runs.get(run.job.run_id) is not run:
            return
        run.ending = True
        try:
            async with asyncio.timeout(ASK):
                await run.future.cancel()  # else the scheduler would count a crash, or try again
            if run.worker is not None and not await self._ask(task.end_process, workers=[run.worker], nanny=True):
                await self._ask(task.end_process, workers=[run.worker])
            async with asyncio.timeout(ASK):
                await self._gone(run.worker)
        except OSError as error:
            log.warning("run %s could not be ended: %s", run.job.run_id, _words(error))
        finally:
            self._conclude(run, ended)

    async def _gone(self, worker: str | None) -> None:
        """Wait until the scheduler knows that a worker has ended, and gives it nothing more."""
        while worker is not None and self._client is not None and await self._client.nthreads(workers=[worker]):
            await asyncio.sleep(LOOK)

    def _conclude(self, run: _Run, ended: Ended) -> None:
        """Tell the end of a run, once; nobody waits for its task any more."""
        if self._runs.get(run.job.run_id) is not run:
            return
        del self._runs[run.job.run_id]
        if run.deadline is not None:
            run.deadline.cancel()
        run.future.release()
        self._on_end(run.job.run_id, run.job.attempt, ended)

    def _crashed(self, worker: str) -> Ended:
        """The end of a run whose worker has ended; another attempt would need as much memory, so that is a failure for good."""
        if worker in self._too_big:
            return _failed(Failure.OUT_OF_MEMORY, "the solve needs more memory than a worker is allowed")
        return Ended(Fate.CRASHED, detail="the process that solved it has ended")

    def _later(self, work: Any) -> asyncio.Task[None]:
        """Do something in the background, remembered so that it is neither lost nor left behind."""
        background: asyncio.Task[None] = asyncio.create_task(work)
        self._background.add(background)
        background.add_done_callback(self._background.discard)
        return background


def _failed(kind: Failure, detail: str) -> Ended:
    return Ended(Fate.DONE, {"plan": None, "failure": {"kind": kind.value, "detail": detail, "faults": []}})


def _words(error: BaseException) -> str:
    """What an error says, or at least what it is."""
    return str(error) or type(error).__name__

"""Carrying out a study: jobs for the engine, a few more in flight than there are workers, each result kept before the next is looked at."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from batch.engine import Ended, Engine, EngineError, Failure, Fate, Job, Outcome
from batch.study import regrets
from batch.study.asked import Asked
from batch.study.folder import Folder
from batch.study.progress import StudyProgress
from batch.study.results import RunStatus, entry_of

AHEAD = 2
"""Jobs in flight beyond one per worker, so that none waits for the next."""
ATTEMPTS = 2
"""Attempts at a run whose process or solver fails; the second leaves out what has crashed before."""
LOSSES = 5
"""Times that a run may be lost with its cluster."""
TICK = 0.1
"""Seconds between two looks whether to stop."""
PATIENCE = 60.0
"""Seconds without any worker after which a study gives up."""
SPARE_PLANS = 1000
"""Most runs whose plans are kept for the table of regrets."""


class StoppedError(Exception):
    """The study was asked to stop; what had ended is kept."""

    def __init__(self, done: int, of: int) -> None:
        self.done, self.of = done, of
        where = f"after {done} of {of} runs" if done < of else "when all runs had ended, before their plans were compared"
        super().__init__(f"stopped {where}")


@dataclass(frozen=True)
class Means:
    """What a study runs on.

    Attributes:
        workers: of a cluster of its own.
        threads: of the solver in each.
        scheduler: address of another cluster, in place of its own.
    """

    workers: int = 1
    threads: int = 1
    scheduler: str | None = None


@dataclass
class _Under:
    """A job under way, and how often it was lost."""

    job: Job
    losses: int = 0


Take = Callable[[Job, Outcome], None]


def carry_out(asked: Asked, folder: Folder, means: Means, progress: StudyProgress, stop: threading.Event, keep_plans: bool = False) -> None:
    """Do what is not done yet of a study, its table of regrets included.

    Args:
        asked: the study.
        folder: claimed for it; takes each result as it comes.
        means: workers.
        progress: told of each.
        stop: set it to end soon; runs under way are given up and done again by the next call.
        keep_plans: write each run's plan as a folder.

    Raises:
        StoppedError: it was asked to stop.
        EngineError: there is no cluster to work with.
        StorageError: a result could not be kept.
    """
    asyncio.run(_Work(asked, folder, means, progress, stop, keep_plans).all())


@dataclass
class _Work:
    """A study being carried out."""

    asked: Asked
    folder: Folder
    means: Means
    progress: StudyProgress
    stop: threading.Event
    keep_plans: bool
    ends: asyncio.Queue[tuple[str, int, Ended]] = field(default_factory=asyncio.Queue)

    async def all(self) -> None:
        """Runs, then regrets; no process is started if nothing is left to do."""
        done = self.folder.finished()
        left = [run for run in range(len(self.asked.scenarios)) if run not in done or done[run]["row"]["status"] == RunStatus.FAILED]
        self.progress.begin(len(self.asked.scenarios), [entry["row"]["status"] for run, entry in done.items() if run not in set(left)])
        engine: Engine | None = None
        try:
            if self.stop.is_set():
                raise StoppedError(self.progress.done, len(self.asked.scenarios))
            if left:
                engine = await self._engine()
                await self._through(engine, (self.asked.job(run, self.means.threads) for run in left), self._take_run)
            wanted = regrets.wanted(self.asked, self.folder)
            if wanted:
                self.progress.phase("regrets: plans under other scenarios", len(wanted))
                engine = engine or await self._engine()
                jobs = (regrets.job(self.asked, self.folder, wish) for wish in wanted)

                def take(job: Job, outcome: Outcome) -> None:
                    regrets.take(self.folder, wanted, job, outcome)
                    self.progress.step()

                await self._through(engine, jobs, take)
        finally:
            if engine is not None:
                self.progress.phase("ending the workers")
                await engine.close()
        regrets.tidy(self.asked, self.folder)

    async def _engine(self) -> Engine:
        logging.getLogger("distributed.nanny").setLevel(logging.ERROR)  # a worker that is ended while it works is no news
        self.progress.phase("starting the workers" if self.means.scheduler is None else f"connecting to {self.means.scheduler}")
        return await Engine.start(
            self.means.scheduler, slots=self.means.workers, threads=self.means.threads, desk=False,
            on_event=lambda *_: None, on_end=lambda run_id, attempt, ended: self.ends.put_nowait((run_id, attempt, ended)),
        )  # fmt: skip

    async def _through(self, engine: Engine, jobs: Iterator[Job], take: Take) -> None:
        """Carry out jobs; results are taken one after the other, away from the event loop."""
        under: dict[str, _Under] = {}
        again: deque[_Under] = deque()
        last_ready = time.monotonic()
        more = True
        while more or under or again:
            if self.stop.is_set():
                raise StoppedError(self.progress.done, len(self.asked.scenarios))
            if engine.ready:
                last_ready = time.monotonic()
            elif time.monotonic() - last_ready > PATIENCE:
                raise EngineError(f"no worker for {PATIENCE:g} s")
            while (again or more) and engine.ready and len(under) < engine.workers + AHEAD:
                entry = again.popleft() if again else _next(jobs)
                if entry is None:
                    more = False
                    break
                under[entry.job.run_id] = entry
                await engine.submit(entry.job)
            if not under:
                await asyncio.sleep(0 if not (more or again) or engine.ready else TICK)
                continue
            try:
                async with asyncio.timeout(TICK):
                    run_id, attempt, ended = await self.ends.get()
            except TimeoutError:
                continue
            known = under.get(run_id)
            if known is None or known.job.attempt != attempt:
                continue
            del under[run_id]
            outcome = _outcome(known, ended)
            if outcome is None:
                again.append(_once_more(known, ended))
            else:
                await asyncio.to_thread(take, known.job, outcome)

    def _take_run(self, job: Job, outcome: Outcome) -> None:
        """Keep a run's result: its plan first, so that a line in the journal means that all of it is there."""
        run = int(job.run_id.removeprefix("run-"))
        entry, plan = entry_of(self.asked, run, outcome, job.attempt)
        if plan is not None:
            if run in _spare(len(self.asked.scenarios)) and self.asked.regret.plans:
                self.folder.keep_plan(run, outcome["plan"])
            if self.keep_plans:
                self.folder.write_run_plan(self.asked, run, plan)
        self.folder.runs.append(entry)
        self.progress.ended(entry["scenario"], entry["row"]["status"], entry["row"].get("detail") or "")


def _next(jobs: Iterator[Job]) -> _Under | None:
    job = next(jobs, None)
    return None if job is None else _Under(job)


def _outcome(known: _Under, ended: Ended) -> Outcome | None:
    """What came of a job; None if it is to be tried again."""
    if ended.fate is Fate.DONE and ended.outcome is not None:
        failure = (ended.outcome.get("failure") or {}).get("kind")
        again = failure == Failure.SOLVER_ERROR and known.job.attempt < ATTEMPTS
        return None if again else ended.outcome
    if ended.fate is Fate.LOST and known.losses < LOSSES:
        return None
    if ended.fate is not Fate.LOST and known.job.attempt < ATTEMPTS:
        return None
    return {"plan": None, "failure": {"kind": ended.fate.value, "detail": ended.detail, "faults": []}}


def _once_more(known: _Under, ended: Ended) -> _Under:
    """The same job again: as the same attempt where only its cluster was lost."""
    if ended.fate is Fate.LOST:
        return _Under(known.job, known.losses + 1)
    return _Under(replace(known.job, attempt=known.job.attempt + 1), known.losses)


def _spare(runs: int) -> range | frozenset[int]:
    """Runs whose plans are kept for the regrets: all of them, or so many evenly spread."""
    return range(runs) if runs <= SPARE_PLANS else frozenset(n * runs // SPARE_PLANS for n in range(SPARE_PLANS))

"""An engine for tests: what it tells, kept; and questions, asked one at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psutil

from batch.engine import Ended, Engine, Job, Outcome
from models.files import dataset_to_bytes
from models.plan import Plan
from models.plan_files import plan_from_bytes
from tests.factories import small_dataset

PATIENCE = 40.0
"""Seconds after which something that does not happen fails a test."""
DATASET = dataset_to_bytes(small_dataset())
DEARER: dict[str, Any] = {"type": "supply.price", "gen_id": "h100", "factor": 2}


@dataclass
class Bench:
    """An engine, and all that it has told.

    Attributes:
        events: run, attempt, kind, payload.
        ends: run, attempt, end.
    """

    events: list[tuple[str, int, str, dict[str, Any]]] = field(default_factory=list)
    ends: list[tuple[str, int, Ended]] = field(default_factory=list)
    engine: Engine = field(init=False)

    async def start(self, scheduler: str | None = None, **options: Any) -> Bench:
        def on_event(*told: Any) -> None:
            self.events.append(told)

        def on_end(*told: Any) -> None:
            self.ends.append(told)

        self.engine = await Engine.start(scheduler, on_event=on_event, on_end=on_end, **options)
        return self

    def end_of(self, run_id: str) -> Ended | None:
        """How a run ended; None while it has not."""
        found = [ended for run, _, ended in self.ends if run == run_id]
        assert len(found) <= 1, found
        return found[0] if found else None

    def kinds(self, run_id: str) -> list[str]:
        """Kinds of what was told of a run, in turn."""
        return [kind for run, _, kind, _ in self.events if run == run_id]

    async def ended(self, run_id: str) -> Ended:
        """The end of a run, once it has come."""
        await until(lambda: self.end_of(run_id) is not None)
        ended = self.end_of(run_id)
        assert ended is not None
        return ended

    async def told(self, run_id: str, kind: str) -> None:
        """Wait until something was told of a run."""
        await until(lambda: kind in self.kinds(run_id) or self.end_of(run_id) is not None)
        assert kind in self.kinds(run_id), self.end_of(run_id)

    async def answer(self, job: Job) -> Outcome:
        """The outcome of a job."""
        await self.engine.submit(job)
        ended = await self.ended(job.run_id)
        assert ended.outcome is not None, ended
        return ended.outcome

    @property
    def worker(self) -> psutil.Process:
        """The first worker's process."""
        cluster = self.engine._cluster
        assert cluster is not None
        return psutil.Process(cluster.nannies[0].pid)


async def until(true: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Wait until something is true.

    Raises:
        AssertionError: it does not become true in time.
    """
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def job(run_id: str, **more: Any) -> Job:
    """A small job: a plan from nothing unless it says otherwise; times in seconds."""
    settings: dict[str, Any] = {"attempt": 1, "dataset": DATASET, "mode": "plan", "gap": 0.0, "time_limit": 30.0}
    return Job(run_id, **{**settings, **more})


def same_plan(found: bytes | None, wanted: Plan) -> None:
    """Fail unless two plans decide and earn the same."""
    assert found is not None
    plan = plan_from_bytes(found)
    assert plan.summary.npv_usd == wanted.summary.npv_usd
    assert plan.summary.status == wanted.summary.status
    for name, table in wanted.tables.items():
        assert plan[name].to_dict("list") == table.to_dict("list"), name


def alive(process: psutil.Process) -> bool:
    """Whether a process runs; one that has ended and waits to be counted does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

"""A Dask cluster inside this process: a scheduler on loopback, and worker processes with their nannies."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import dask
from distributed import Nanny, Scheduler, Status

HOST = "127.0.0.1"
PRELOAD = ("batch.engine.worker_setup",)
SCHEDULER_CONFIG: dict[str, Any] = {
    "distributed.scheduler.http.routes": [],
    "distributed.admin.low-level-log-length": 100,  # of each topic's events, among them plans
}
WORKER_CONFIG: dict[str, Any] = {
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    # Memory that a solve leaves behind must not keep a worker from the next one
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
}
END = 1.0
"""Seconds in which an idle worker ends by itself."""
PATIENCE = 5.0
"""Seconds in which a nanny must begin to start another worker."""


SOLVE, DESK = "solve", "desk"
"""What workers are there for, as resources: one solve each; and answers that take no search, which never wait for one that does."""


MEMORY = "worker-restart-memory"
"""Topic in which nannies tell that they have ended a process because of its memory."""


class WatchedNanny(Nanny):
    """A nanny that says at once, before it does so, that it ends its worker because of its memory.

    What it logs takes its way through the scheduler, and on a machine with much to do comes after the worker's end.

    Attributes:
        too_big: told the worker's address.
    """

    too_big: Callable[[str], None]

    def log_event(self, topic: Any, msg: Any) -> None:
        """Log an event."""
        if topic == MEMORY:
            self.too_big(msg["worker"])
        super().log_event(topic, msg)  # type: ignore[no-untyped-call]


class LocalCluster:
    """A scheduler and its workers, one solve each, and one that evaluates if there is a desk.

    Args:
        slots: workers for solves.
        memory_limit: of each worker's process, such as ``6GiB``.
        too_big: told the address of a worker whose process is about to be ended because of its memory.
        preload: modules that each worker loads besides the engine's own, such as one that sets up its logs.
        desk: whether there is a worker for evaluations alone.
    """

    def __init__(
        self, slots: int, memory_limit: str, too_big: Callable[[str], None], preload: Sequence[str] = (), desk: bool = True
    ) -> None:
        self.desk = desk
        self.slots, self.memory_limit, self.too_big, self.preload = slots, memory_limit, too_big, preload
        self.folder = tempfile.TemporaryDirectory(prefix="wattplan-")
        logging.getLogger("distributed").setLevel(logging.WARNING)
        with dask.config.set(SCHEDULER_CONFIG):
            self.scheduler = Scheduler(host=HOST, port=0, dashboard=False, dashboard_address=f"{HOST}:0", allowed_failures=0)
        self.nannies: list[Nanny] = []
        self.end = END
        self._down: dict[int, float] = {}

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return str(self.scheduler.address)

    async def start(self) -> None:
        """Start scheduler and workers.

        Raises:
            OSError, RuntimeError: they do not start.
        """
        await self.scheduler
        self.nannies = list(await asyncio.gather(*(self._started(number) for number in range(self.slots + self.desk))))

    async def mend(self) -> None:
        """Replace nannies that have given up, with their workers."""
        now = time.monotonic()
        for number, nanny in enumerate(self.nannies):
            up = nanny.process is not None and nanny.process.status in (Status.starting, Status.running)
            if nanny.status is Status.running and up:
                self._down.pop(number, None)
            elif now - self._down.setdefault(number, now) > PATIENCE:
                del self._down[number]
                await nanny.close(timeout=self.end)
                self.nannies[number] = await self._started(number)

    async def close(self) -> None:
        """End all processes, whatever they do."""
        await asyncio.gather(*(nanny.close(timeout=self.end) for nanny in self.nannies))
        await self.scheduler.close(reason="engine-closed")
        await asyncio.to_thread(self.folder.cleanup)

    async def _started(self, number: int) -> Nanny:
        use = SOLVE if number < self.slots else DESK
        nanny = WatchedNanny(
            self.scheduler.address, nthreads=1, host=HOST, name=f"{use}-{number}", memory_limit=self.memory_limit,
            local_directory=self.folder.name, silence_logs=logging.WARNING, config=WORKER_CONFIG, dashboard=False,
            preload=[*self.preload, *PRELOAD], resources={use: 1},
        )  # fmt: skip
        nanny.too_big = self.too_big
        await nanny
        return nanny

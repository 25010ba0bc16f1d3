"""What a solve tells on its way, no faster than anybody can use it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from models.plan import relative_gap
from models.plan_files import plan_to_bytes

if TYPE_CHECKING:
    from models.plan import Plan
    from optimizer.planner import Progress

TICK = 0.1
"""Seconds between two reports of progress."""
INCUMBENT_EVERY = 1.0
"""Seconds between two plans; of those between, only the last is sent."""
LOOK_EVERY = 1.0
"""Seconds between two looks whether anybody still waits for the answer."""


class Reporter:
    """Sends progress and plans from a thread of its own, so that the search never waits for it.

    Args:
        send: takes a kind and its payload.
        abandoned: whether nobody waits for the answer any more.
        stop: set when nobody does.
    """

    def __init__(self, send: Callable[[str, dict[str, Any]], None], abandoned: Callable[[], bool], stop: threading.Event) -> None:
        self._send, self._abandoned, self._stop = send, abandoned, stop
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._plan: Plan | None = None
        self._bound: float | None = None
        self._sent = self._looked = -float("inf")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def __enter__(self) -> Reporter:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Send what waits, and end."""
        self._ended.set()
        self._thread.join()

    def progress(self, progress: Progress) -> None:
        """Take news of the search."""
        with self._lock:
            self._progress = progress
            self._tighten(progress.bound_usd)

    def keep(self, plan: Plan) -> None:
        """Take a better plan."""
        with self._lock:
            self._plan = plan
            self._tighten(plan.summary.bound_usd)

    def _tighten(self, bound_usd: float | None) -> None:
        """Note a bound; a plan that was audited meanwhile comes with an older one."""
        if bound_usd is not None and (self._bound is None or bound_usd < self._bound):
            self._bound = bound_usd

    def _run(self) -> None:
        while not self._ended.wait(TICK):
            self._tell(time.monotonic())
        self._tell(float("inf"))

    def _tell(self, now: float) -> None:
        """Send what is due."""
        with self._lock:
            progress, self._progress = self._progress, None
            plan = None
            if now - self._sent >= INCUMBENT_EVERY:
                plan, self._plan = self._plan, None
            bound = self._bound
        if progress is not None:
            self._send("progress", dict(vars(progress)))
        if plan is not None:
            self._sent = now
            npv = plan.summary.npv_usd
            gap = None if npv is None or bound is None else relative_gap(bound, npv)
            figures = {"npv_usd": npv, "bound_usd": bound, "gap": gap}
            self._send("incumbent", {"plan": plan_to_bytes(plan), **figures})
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            if self._abandoned():
                self._stop.set()

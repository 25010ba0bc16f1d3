"""Events of runs as they come: kept in memory while a run goes on, read from the store afterwards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from api.metrics import STREAMS

HEARTBEAT = 15.0
"""Seconds after which a stream without events says that it is still there."""
CHECK = 5.0
"""Seconds after which whoever waits for a run's end looks into the store."""
REMEMBERED = 10_000
"""Runs of which the number of the last event is kept, so that a stream that is about to wait sees that it was told."""
FINAL = "end"
"""Kind of the last event of a run."""


@dataclass(frozen=True)
class Event:
    """An event of a run.

    Attributes:
        number: from 1, without gaps.
        kind: ``state``, ``progress``, ``incumbent`` or ``end``.
        at: UTC, ISO 8601.
        payload: plain values.
    """

    number: int
    kind: str
    at: str
    payload: dict[str, Any]

    @property
    def text(self) -> bytes:
        """As a server-sent event."""
        data = json.dumps({"at": self.at, **self.payload}, allow_nan=False, separators=(",", ":"))
        return f"id: {self.number}\nevent: {self.kind}\ndata: {data}\n\n".encode()


class Broadcast:
    """Tells every open stream of a run what happens; lives in the event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._live: dict[str, list[Event]] = {}
        self._last: dict[str, int] = {}
        self._closed = False

    def publish(self, run_id: str, event: Event) -> None:
        """Tell an event."""
        self._live.setdefault(run_id, []).append(event)
        self._last.pop(run_id, None)
        self._last[run_id] = event.number
        if len(self._last) > REMEMBERED:
            del self._last[next(iter(self._last))]
        if event.kind == FINAL:
            self._live.pop(run_id)
        self._wake(run_id)

    @property
    def closed(self) -> bool:
        """Whether nothing is told any more."""
        return self._closed

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        for run_id in list(self._waiting):
            self._wake(run_id)

    def live(self, run_id: str, after: int) -> list[Event] | None:
        """Events after a number, if memory has all of them."""
        known = self._live.get(run_id)
        if not known or known[0].number > after + 1:
            return None
        return known[after - known[0].number + 1 :] if after >= known[0].number else list(known)

    async def wait(self, run_id: str, seconds: float, ready: Callable[[], bool]) -> bool:
        """Wait until something happens to a run, or for some seconds; whether something did.

        Args:
            ready: asked once the wait is noted, so that nothing that happens meanwhile is missed.
        """
        bell = asyncio.Event()
        self._waiting.setdefault(run_id, set()).add(bell)
        try:
            if ready() or self._closed:
                return True
            async with asyncio.timeout(seconds):
                await bell.wait()
        except TimeoutError:
            return False
        finally:
            bells = self._waiting.get(run_id)
            if bells is not None:
                bells.discard(bell)
                if not bells:
                    del self._waiting[run_id]
        return True

    async def wait_end(self, run_id: str, seconds: float) -> None:
        """Wait until a run has ended, or for some seconds; may come back sooner."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not self._closed and (left := deadline - loop.time()) > 0:
            known = self._live.get(run_id)
            if known is None and run_id in self._last:
                return
            seen = self._last.get(run_id, 0)
            if not await self.wait(run_id, min(left, CHECK), partial(self._since, run_id, seen)):
                return

    async def stream(
        self, run_id: str, after: int, stored: Callable[[int], Awaitable[list[Event]]], ended: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[bytes]:
        """Events of a run after a number, as they come, until its end.

        Args:
            stored: events after a number, from the store.
            ended: whether the run has ended, from the store; asked where nothing is left to send, at first and with each sign of life.
        """
        STREAMS.inc()
        try:
            yield b": wattplan\n\n"
            look = True
            while not self._closed:
                events = self.live(run_id, after)
                if events is None:
                    events = await stored(after)
                if not events and (look or self._since(run_id, after)) and await ended():
                    for event in await stored(after):  # told between the two looks
                        yield event.text
                    return
                for event in events:
                    after = event.number
                    yield event.text
                    if event.kind == FINAL:
                        return
                look = not events and not await self.wait(run_id, HEARTBEAT, partial(self._since, run_id, after))
                if look:
                    yield b": still there\n\n"
        finally:
            STREAMS.dec()

    def _since(self, run_id: str, number: int) -> bool:
        """Whether an event came after a number."""
        return self._last.get(run_id, 0) > number

    def _wake(self, run_id: str) -> None:
        for bell in self._waiting.get(run_id, ()):
            bell.set()

"""Event streams and waits end when there is nothing more to come: the run has ended, or the service does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from api import events as told
from api.events import FINAL, Broadcast, Event
from api.routes.runs import awaited, ended_within
from api.store import RunState

PATIENCE = 5.0
"""Seconds after which a stream that stays open fails a test."""


def event(number: int, kind: str = "state") -> Event:
    return Event(number, kind, "2026-01-01T00:00:00+00:00", {})


async def read(
    broadcast: Broadcast, after: int, stored: list[Event], ended: Callable[[], bool], kinds: list[bytes] | None = None
) -> list[bytes]:
    """All that a stream sends to its end."""

    async def events_after(number: int) -> list[Event]:
        return [one for one in stored if one.number > number]

    async def has_ended() -> bool:
        return ended()

    found = [] if kinds is None else kinds
    async with asyncio.timeout(PATIENCE):
        async for part in broadcast.stream("run", after, events_after, has_ended):
            found.append(part)
    return found


@pytest.mark.parametrize("after", [2, 99])
def test_a_stream_that_resumes_after_the_end_closes_at_once(after: int) -> None:
    found = asyncio.run(read(Broadcast(), after, [event(1), event(2, FINAL)], lambda: True))
    assert found == [b": wattplan\n\n"]


def test_an_end_that_comes_between_two_looks_is_sent() -> None:
    stored = [event(1)]

    def ended() -> bool:
        stored.append(event(2, FINAL))
        return True

    found = asyncio.run(read(Broadcast(), 1, stored, ended))
    assert [part.split(b"\n")[0] for part in found] == [b": wattplan", b"id: 2"]


def test_an_end_that_nobody_told_is_seen_with_the_next_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told, "HEARTBEAT", 0.02)
    broadcast, looks = Broadcast(), []
    broadcast.publish("run", event(1))

    def ended() -> bool:
        looks.append(len(looks))
        return len(looks) > 2

    found = asyncio.run(read(broadcast, 0, [event(1), event(2, FINAL)], ended))
    assert found[-1].startswith(b"id: 2\nevent: end")
    assert found.count(b": still there\n\n") == 3


def test_a_stream_of_a_run_that_goes_on_stays_open() -> None:
    async def check() -> None:
        broadcast, found, stored = Broadcast(), list[bytes](), [event(1)]
        reading = asyncio.create_task(read(broadcast, 0, stored, lambda: False, found))
        await asyncio.sleep(0.05)
        assert len(found) == 2
        assert not reading.done()
        stored.append(event(2, FINAL))
        broadcast.publish("run", stored[-1])
        assert (await reading)[-1].startswith(b"id: 2\nevent: end")

    asyncio.run(check())


class Waiting:
    """A service with a run that goes on; counts how often it is looked at."""

    def __init__(self) -> None:
        self.broadcast, self.looks = Broadcast(), 0
        self.settings = SimpleNamespace(wait_most=60.0)
        self.supervisor = SimpleNamespace(ring=lambda: None)

    def run(self, id: str) -> Any:
        self.looks += 1
        return SimpleNamespace(id=id, state=RunState.RUNNING)


async def at_the_end(service: Any, waits: Awaitable[Any]) -> Any:
    """What a wait gives when the service is told to end."""
    task = asyncio.ensure_future(waits)
    await asyncio.sleep(0.05)
    assert not task.done()
    service.broadcast.close()
    async with asyncio.timeout(PATIENCE):
        return await task


def test_a_wait_is_over_when_the_service_ends() -> None:
    service: Any = Waiting()
    found = asyncio.run(at_the_end(service, ended_within(service, service.run("run"), 60.0)))
    assert found.state is RunState.RUNNING
    assert service.looks <= 3, "it does not look again and again"


def test_a_request_that_waits_is_answered_when_the_service_ends() -> None:
    service: Any = Waiting()
    response: Any = SimpleNamespace(headers={}, status_code=0)
    asyncio.run(at_the_end(service, awaited(service, (service.run("run"), False), "wait=60", response, "runs")))
    assert (response.status_code, response.headers["Location"]) == (202, "/api/v1/runs/run")

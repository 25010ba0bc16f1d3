"""Event streams of a service, held open by a process of their own, so that following them delays no read that is measured.

Takes one JSON object on standard input: url, headers, runs, streams. Writes one line when all streams are open or have failed, and
one when all have ended, both what they have seen by then; ends with the last one.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import httpx

PATIENCE = 30.0
"""Seconds in which a stream must be open."""


@dataclass
class Seen:
    """What the streams have seen.

    Attributes:
        opened: streams that were accepted.
        events: events that came, over all streams.
        gaps: streams in which a number was left out.
        ended: streams whose body ended as HTTP says that it does.
        broken: those that were refused or cut off.
    """

    opened: int = 0
    events: int = 0
    gaps: int = 0
    ended: int = 0
    broken: int = 0

    @property
    def open(self) -> int:
        """Streams under way."""
        return self.opened - self.ended - self.broken

    def tell(self) -> None:
        """Write a line."""
        sys.stdout.write(json.dumps({**asdict(self), "open": self.open}) + "\n")
        sys.stdout.flush()


async def follow(http: httpx.AsyncClient, run: str, seen: Seen, accepted: asyncio.Event, streams: int) -> None:
    """Follow the events of a run to the end of the stream."""
    try:
        async with http.stream("GET", f"/api/v1/runs/{run}/events", timeout=httpx.Timeout(PATIENCE, read=None)) as response:
            response.raise_for_status()
            seen.opened += 1
            if seen.opened + seen.broken == streams:
                accepted.set()
            last, whole = None, True
            async for line in response.aiter_lines():
                if line.startswith("id: "):
                    number = int(line[4:])
                    whole = whole and (last is None or number == last + 1)
                    last, seen.events = number, seen.events + 1
            seen.ended += 1
            seen.gaps += not whole
    except httpx.HTTPError:
        seen.broken += 1
        if seen.opened + seen.broken >= streams:
            accepted.set()


async def hold(url: str, headers: Mapping[str, str], runs: Sequence[str], streams: int) -> Seen:
    """Open streams of some runs in turn, tell when they are open, and follow each to its end."""
    seen, accepted = Seen(), asyncio.Event()
    limits = httpx.Limits(max_connections=None)
    async with (
        httpx.AsyncClient(base_url=url, headers=dict(headers), timeout=PATIENCE, limits=limits) as http,
        asyncio.TaskGroup() as group,
    ):
        for number in range(streams):
            group.create_task(follow(http, runs[number % len(runs)], seen, accepted, streams))
        await accepted.wait()
        seen.tell()
    return seen


if __name__ == "__main__":
    asyncio.run(hold(**json.load(sys.stdin))).tell()

"""What the tests of the store share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

from api.store.tables import Run

NewRun = Callable[..., Run]


class Clock:
    """A clock that goes on by a second whenever it is read, and by more when told."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time

    def forward(self, **by: float) -> None:
        """Let time pass."""
        self.time += timedelta(**by)


@dataclass(frozen=True)
class Place:
    """Where a store is opened: the URL of an empty database, and a folder."""

    url: str
    folder: Path


def at_once(calls: int, call: Callable[[int], Any]) -> list[Any]:
    """What calls with the numbers from 0 answer that threads make at the same time."""
    with ThreadPoolExecutor(calls) as threads:
        return list(threads.map(partial(_waited, Barrier(calls), call), range(calls)))


def _waited(barrier: Barrier, call: Callable[[int], Any], number: int) -> Any:
    barrier.wait()
    return call(number)

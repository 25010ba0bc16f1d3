"""Plans as files: made one at a time, and kept until newer ones need their room."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from api.problems import ProblemError
from models.faults import StorageError
from models.files.atomic import write_bytes

ROOM = 256 * 2**20
"""Bytes that kept files may take together."""
WAITING = 8
"""Requests that may wait for their turn."""
log = structlog.get_logger("exports")


class Exports:
    """Files that take a while to make, by what they are made from; lives in the event loop.

    Args:
        folder: where they are kept; made with the first.
        room: bytes that they may take together.
    """

    def __init__(self, folder: Path, room: int = ROOM) -> None:
        self.folder, self.room = folder, room
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def get(self, key: str, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """A file; made, if it is not kept.

        Args:
            key: from :func:`key_of`.
            make: makes it.

        Raises:
            ProblemError: 429, too many wait for theirs.
            Any: that ``make`` raises.
        """
        kept = await asyncio.to_thread(self._read, key)
        if kept is not None:
            return kept
        if self._waiting >= WAITING:
            raise ProblemError(429, "exports_full", f"{WAITING} exports wait already", headers={"Retry-After": "5"})
        self._waiting += 1
        try:
            async with self._turn:
                kept = await asyncio.to_thread(self._read, key)  # somebody who had the turn before may have made it
                if kept is None:
                    kept = await make()
                    await asyncio.to_thread(self._keep, key, kept)
                return kept
        finally:
            self._waiting -= 1

    def _read(self, key: str) -> bytes | None:
        path = self.folder / key
        try:
            data = path.read_bytes()
            _asked_for(path)
        except OSError:  # it is not there, or not to be had: it can be made
            return None
        return data

    def _keep(self, key: str, data: bytes) -> None:
        """Keep a file, and drop those not asked for for longest; a full disk only loses time."""
        try:
            write_bytes(self.folder / key, data)
            _asked_for(self.folder / key)
            oldest = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in self.folder.iterdir() if path.name != key)
            left = self.room - len(data)
            for _, size, path in reversed(oldest):  # the newest first
                left -= size
                if left < 0:
                    path.unlink()
        except (StorageError, OSError):
            log.exception("an export can't be kept")


def _asked_for(path: Path) -> None:
    """Note that a file was asked for now; the file system's own clock is too coarse for two in a row."""
    now = time.time_ns()
    os.utime(path, ns=(now, now))


def key_of(*parts: str) -> str:
    """What names a file: a hash of all that it is made from."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()

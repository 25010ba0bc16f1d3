"""Content-addressed files ``<root>/blobs/ab/<sha256>``: written once, checked when read."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from api.store.errors import BlobError

SHA = re.compile(r"[0-9a-f]{64}")
_TEMPORARY = ".tmp"


@dataclass(frozen=True)
class Blob:
    """A stored file.

    Attributes:
        sha: of its content.
        size_bytes: of the file.
        age: seconds since it was last put.
    """

    sha: str
    size_bytes: int
    age: float


class Blobs:
    """Files by the hash of their content; safe for threads and processes of one machine.

    Args:
        root: folder that holds the folder ``blobs``; made if it is missing.

    Raises:
        OSError: the folder can't be made.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.folder = Path(root) / "blobs"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._turn = threading.Lock()

    def put(self, data: bytes) -> str:
        """Store content, flushed to the disk; content that is there is only marked as fresh. Its SHA-256.

        Raises:
            BlobError: disk full, no permission, or another failure of the file system; nothing half-written is left.
        """
        sha = hashlib.sha256(data).hexdigest()
        path = self._path(sha)
        try:
            with self._locked():
                if self._read(sha) == data:
                    os.utime(path)
                    return sha
            _write(path, data)
        except OSError as error:
            raise BlobError(sha, f"cannot be written: {(error.strerror or str(error)).lower()}", away=True) from error
        return sha

    def get(self, sha: str) -> bytes:
        """Stored content.

        Raises:
            BlobError: there is none of this hash, it can't be read, or it is damaged.
        """
        try:
            data = self._read(sha)
        except OSError as error:
            raise BlobError(sha, f"cannot be read: {(error.strerror or str(error)).lower()}", away=True) from error
        if data is None:
            raise BlobError(sha, "is missing")
        if hashlib.sha256(data).hexdigest() != sha:
            raise BlobError(sha, f"is damaged: its {len(data)} bytes have another hash")
        return data

    def all(self) -> Iterator[Blob]:
        """Every blob, in no order."""
        for path in self.folder.glob("??/*"):
            if SHA.fullmatch(path.name):
                with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                    found = path.stat()
                    yield Blob(path.name, found.st_size, time.time() - found.st_mtime)

    def delete(self, sha: str, *, unless_younger: float = 0.0) -> bool:
        """Delete a blob; whether it was there and old enough.

        Args:
            unless_younger: seconds since it was last put; a younger one stays.

        Raises:
            BlobError: it can't be deleted.
        """
        return self._delete(self._path(sha), sha, unless_younger)

    def delete_temporary(self, unless_younger: float) -> int:
        """Delete what writers left behind that were killed; how many files.

        Args:
            unless_younger: seconds; a younger file is still being written.

        Raises:
            BlobError: a file can't be deleted.
        """
        return sum(self._delete(path, path.name.strip(".")[:64], unless_younger) for path in self.folder.glob(f"??/.*{_TEMPORARY}"))

    def _path(self, sha: str) -> Path:
        if not SHA.fullmatch(sha):
            raise BlobError(sha, "is not the name of a blob: 64 hexadecimal digits")
        return self.folder / sha[:2] / sha

    def _read(self, sha: str) -> bytes | None:
        try:
            return self._path(sha).read_bytes()
        except FileNotFoundError:
            return None

    def _delete(self, path: Path, sha: str, unless_younger: float) -> bool:
        try:
            with self._locked():
                if time.time() - path.stat().st_mtime < unless_younger:
                    return False
                path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise BlobError(sha, f"cannot be deleted: {(error.strerror or str(error)).lower()}", away=True) from error
        return True

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Between looking at a blob's age and what follows from it nobody else deletes or freshens it."""
        with self._turn, open(self.folder / ".lock", "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _write(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, flush it, rename it, flush the folders: it outlives a loss of power."""
    path.parent.mkdir(exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_TEMPORARY, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    for folder in (path.parent, path.parent.parent):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

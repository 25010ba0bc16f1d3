"""Writing so that a file or folder is there complete or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from models.faults import StorageError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextlib.contextmanager
def storage(path: Path, verb: str) -> Iterator[None]:
    """Turns failures of the file system into a message.

    Raises:
        StorageError: any ``OSError`` inside the block.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot {verb} {error.filename or path}: {error.strerror or error}") from error


def is_special(path: Path) -> bool:
    """Whether a device, pipe or socket stands at ``path``: neither a file nor a folder."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file: under a temporary name beside it, flushed to the disk, then renamed.

    A device or pipe, such as /dev/null, is written into: a file renamed over it would take its place.

    Raises:
        StorageError: disk full, no permission, or another failure of the file system; the old file is untouched.
    """
    if is_special(path):
        with storage(path, "write"), open(path, "wb") as file:
            file.write(data)
        return
    path = Path(os.path.realpath(path))
    with storage(path, "write"):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "a folder stands in its place", str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            os.close(handle)
            _write(Path(name), data)
            os.chmod(name, _mode(path, 0o666))
            os.replace(name, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)


@contextlib.contextmanager
def staged_folder(path: Path) -> Iterator[Path]:
    """A new folder to fill, under a temporary name beside ``path``; exchanged for what was there once the block has ended.

    What the old folder held is deleted; the caller decides whether it may be. If the block raises, nothing changes.

    Raises:
        StorageError: disk full, no permission, or another failure of the file system; the old folder is untouched.
    """
    path = Path(os.path.realpath(path))
    with storage(path, "write"):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
        try:
            yield temporary
            os.chmod(temporary, _mode(path, 0o777))
            _put_in_place(temporary, path)
        except StorageError as error:
            raise StorageError(str(error).replace(str(temporary), str(path))) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder with these files: under a temporary name beside it, then exchanged for what was there.

    What the old folder held is deleted; the caller decides whether it may be.

    Raises:
        StorageError: disk full, no permission, or another failure of the file system; the old folder is untouched.
    """
    path = Path(os.path.realpath(path))
    with staged_folder(path) as temporary:
        for name, data in files.items():
            _write(temporary / name, data)
            os.chmod(temporary / name, _mode(path / name, 0o666))


def _write(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _mode(path: Path, otherwise: int) -> int:
    """Permissions of what is replaced, or those that a new file gets."""
    try:
        return path.stat().st_mode & 0o7777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return otherwise & ~mask


def _put_in_place(temporary: Path, path: Path) -> None:
    """Rename ``temporary`` to ``path``; a folder that is there takes the temporary name instead."""
    if not path.exists():
        os.rename(temporary, path)
        return
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "a file stands in its place", str(path))
    if not _exchange(temporary, path):  # no exchange on this file system: two renames, the old one back if the second fails
        old = temporary.with_suffix(".old")
        os.rename(path, old)
        try:
            os.rename(temporary, path)
        except OSError:
            os.rename(old, path)
            raise
        shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step (Linux); False where that is not possible."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)

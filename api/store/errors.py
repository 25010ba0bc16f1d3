"""What can go wrong in the store, apart from a database that can't be reached."""

from __future__ import annotations


class StoreError(Exception):
    """The store can't do what it was asked; the message says what and why."""


class NotFoundError(StoreError):
    """There is no such thing.

    Args:
        kind: what was looked for, such as ``run``.
        id: as it was given.
    """

    def __init__(self, kind: str, id: str) -> None:
        self.kind, self.id = kind, id
        super().__init__(f"there is no {kind} {id!r}")


class ConflictError(StoreError):
    """It does not go with what there is: a name is taken, or something else needs it."""


class StaleError(StoreError):
    """It was changed since it was read.

    Args:
        kind: what was to be changed.
        id: which.
        given: version that the caller knows.
        current: version that it has now.
    """

    def __init__(self, kind: str, id: str, given: int, current: int) -> None:
        self.kind, self.id, self.given, self.current = kind, id, given, current
        super().__init__(f"{kind} {id!r} was changed meanwhile: it has version {current}, not {given}")


class BlobError(StoreError):
    """Stored content is missing or damaged, or can't be written.

    Args:
        sha: of the content.
        problem: what is wrong with it.
        away: it is the file system that failed, so that it may be had later.
    """

    def __init__(self, sha: str, problem: str, *, away: bool = False) -> None:
        self.sha, self.away = sha, away
        super().__init__(f"blob {sha}: {problem}")

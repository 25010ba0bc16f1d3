"""The database: how it is opened, and its transactions."""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from api.store.errors import ConflictError, NotFoundError
from api.store.tables import Base

BUSY_SECONDS = 30.0
"""How long a writer waits for another one on SQLite."""
_WRITING = "wattplan_writing"
T = TypeVar("T", bound=Base)


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


def new_id(kind: str) -> str:
    """An id that nothing has, such as ``run_5f0c...`` (64 random bits)."""
    return f"{kind}_{secrets.token_hex(8)}"


def make_engine(url: str | URL, *, foreign_keys: bool = True, pooled: bool = True) -> Engine:
    """An engine for SQLite or PostgreSQL.

    SQLite runs in WAL mode, so that reads go on while somebody writes, with ``synchronous=FULL``: in WAL mode NORMAL
    leaves the last commits in memory of the operating system, and a request that was accepted would be lost with
    the power. One flush a commit costs milliseconds; the service commits a few times a second.

    Args:
        foreign_keys: whether SQLite checks them; off only while tables are rebuilt.
        pooled: whether connections are kept.

    Raises:
        ValueError: a database of another kind.
    """
    url = make_url(url)
    kind = url.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise ValueError(f"the database must be sqlite:///... or postgresql+psycopg://... (found {url.render_as_string()!r})")
    pool: dict[str, Any] = (
        {"pool_size": 10, "max_overflow": 30, "pool_pre_ping": kind == "postgresql"} if pooled else {"poolclass": NullPool}
    )
    # What JSON does not know, such as an infinite number, is refused here and not by some databases only.
    engine = create_engine(url, json_serializer=partial(json.dumps, ensure_ascii=False, allow_nan=False), **pool)
    if kind == "sqlite":
        event.listen(engine, "connect", partial(_open_sqlite, foreign_keys))
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _open_sqlite(foreign_keys: bool, connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where _begin_sqlite says, not where the driver guesses
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL mode; SQLite does not wait by itself for others that do the same."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once if another one wrote in between: writers take their turn at the start.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(_WRITING) else "BEGIN")


def writing_engine(engine: Engine) -> Engine:
    """The same engine for transactions that write."""
    return engine.execution_options(**{_WRITING: True})


class Database:
    """Transactions of an engine, for threads.

    Args:
        engine: from :func:`make_engine`.
        clock: what time it is.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = utc_now) -> None:
        self.engine, self.now = engine, clock
        # Rows are used after their transaction has ended.
        self._reading = sessionmaker(engine, expire_on_commit=False)
        self._writing = sessionmaker(writing_engine(engine), expire_on_commit=False)

    def reading(self) -> contextlib.AbstractContextManager[Session]:
        """A transaction that only reads."""
        return self._reading.begin()

    def writing(self) -> contextlib.AbstractContextManager[Session]:
        """A transaction that writes: all of it, or nothing if the block raises."""
        return self._writing.begin()


def required(session: Session, table: type[T], id: str, *, kind: str = "") -> T:
    """A row that must be there; it stays until the transaction ends.

    Raises:
        NotFoundError: it is not there.
    """
    row = session.get(table, id, with_for_update={"read": True})
    if row is None:
        raise NotFoundError(kind or table.__name__.lower(), id)
    return row


def added(session: Session, row: Base) -> bool:
    """Whether a row could be added; False, and nothing changed, if another one stands in its place."""
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


@contextlib.contextmanager
def refused_as(message: str) -> Iterator[None]:
    """Turns what a constraint refuses into a message.

    Raises:
        ConflictError: the constraint refused it.
    """
    try:
        yield
    except IntegrityError as error:
        raise ConflictError(message) from error

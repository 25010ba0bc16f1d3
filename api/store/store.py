"""The store as one object."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import OperationalError

from api.store.audit_log import AuditLog
from api.store.blobs import Blobs
from api.store.database import Database, make_engine, utc_now
from api.store.datasets import Datasets
from api.store.errors import ConflictError
from api.store.idempotency import Idempotency
from api.store.keys import Keys
from api.store.lines import Lines
from api.store.migrate import upgrade
from api.store.runs import Runs
from api.store.scenarios import Scenarios
from api.store.studies import Studies

_ALONE = 0x7761_7475
"""Any number that nothing else in the database locks."""
_LOCKED = "55P03"
"""What PostgreSQL says when a lock is not given in time."""


class Store:
    """All that the service keeps. Every method is one transaction and may be called from any thread.

    A blob is written before the row that names it: a process that ends in between leaves a blob without owner,
    which :func:`api.store.gc.collect` deletes, and never a row without its content.

    Args:
        engine: of a database whose schema is current.
        blobs: files.
        clock: what time it is.
    """

    def __init__(self, engine: Engine, blobs: Blobs, clock: Callable[[], datetime] = utc_now) -> None:
        self.engine, self.blobs = engine, blobs
        self.database = Database(engine, clock)
        self.keys = Keys(self.database)
        self.datasets = Datasets(self.database, blobs)
        self.lines = Lines(self.database)
        self.scenarios = Scenarios(self.database)
        self.runs = Runs(self.database)
        self.studies = Studies(self.database)
        self.idempotency = Idempotency(self.database)
        self.audit = AuditLog(self.database)
        self._alone: Connection | None = None

    @classmethod
    def open(cls, url: str, folder: str | os.PathLike[str], clock: Callable[[], datetime] = utc_now) -> Store:
        """Open a store, made or brought up to date as needed.

        Args:
            url: ``sqlite:///...`` or ``postgresql+psycopg://...``.
            folder: that holds the blobs; made if it is missing, as is the folder of an SQLite file.

        Raises:
            ValueError: a database of another kind.
            OSError: a folder can't be made.
            sqlalchemy.exc.SQLAlchemyError: the database can't be reached.
        """
        engine = make_engine(url)
        if engine.dialect.name == "sqlite" and engine.url.database:
            Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
        blobs = Blobs(folder)
        upgrade(engine)
        store = cls(engine, blobs, clock)
        store.datasets.fill()
        return store

    def check(self) -> None:
        """See that the database answers.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: it does not.
        """
        with self.engine.connect() as connection:
            connection.execute(select(1))

    def claim(self, seconds: float = 10.0) -> None:
        """Have the database for this process, as the one that answers runs, until the store is closed or the process ends.

        Only PostgreSQL needs it: a folder, and with it an SQLite file, has a lock of its own.

        Args:
            seconds: to wait for one that is just ending.

        Raises:
            ConflictError: another process has it.
            sqlalchemy.exc.SQLAlchemyError: the database can't be reached.
        """
        if self.engine.dialect.name != "postgresql" or self._alone is not None:
            return
        own = make_engine(self.engine.url, pooled=False).connect()
        try:
            own.execute(text("SELECT set_config('lock_timeout', :most, false)"), {"most": f"{round(seconds * 1000)}ms"})
            own.execute(text("SELECT pg_advisory_lock(:number, hashtext(current_schema()))"), {"number": _ALONE})
            own.commit()  # the lock stays with the connection
        except OperationalError as error:
            own.close()
            if getattr(error.orig, "sqlstate", None) != _LOCKED:
                raise
            raise ConflictError("the database is in use by another service") from error
        self._alone = own

    def close(self) -> None:
        """Close all connections."""
        if self._alone is not None:
            self._alone.close()
        self.engine.dispose()

"""Brings the schema of a database up to date; several processes may do so at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

from api.store.database import make_engine, writing_engine

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x7761_7474
"""Any number that nothing else in the database locks."""


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema to a later revision; all of it, or nothing if a step fails.

    Raises:
        ValueError: a later version of Wattplan has made the schema.
        sqlalchemy.exc.SQLAlchemyError: the database can't be reached, or refuses.
    """
    try:
        with _configured(engine) as config:
            command.upgrade(config, revision)
    except CommandError as error:
        raise ValueError(f"another version of Wattplan has made its schema: {error}; use that version, or restore a backup") from error


def downgrade(engine: Engine, revision: str = "base") -> None:
    """Bring the schema back to an earlier revision; data that it has no place for is lost.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database can't be reached, or refuses.
    """
    with _configured(engine) as config:
        command.downgrade(config, revision)


@contextlib.contextmanager
def _configured(engine: Engine) -> Iterator[Config]:
    # A connection of its own: SQLite rebuilds tables to alter them, which must not cascade to rows that refer to them.
    own = make_engine(engine.url, foreign_keys=False, pooled=False)
    try:
        with writing_engine(own).begin() as connection:  # on SQLite this locks the database
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
            yield _config(connection)
    finally:
        own.dispose()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config

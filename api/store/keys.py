"""API keys as they are stored."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select, update

from api.keys import Role
from api.store.database import Database, refused_as
from api.store.errors import NotFoundError
from api.store.paging import LIMIT, Page, page_of
from api.store.tables import ApiKey


class Keys:
    """API keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, id: str, name: str, role: Role, hash: str, expires_at: datetime | None = None) -> ApiKey:
        """Store a key that was made.

        Args:
            hash: of its secret.

        Raises:
            ConflictError: the id is taken.
        """
        row = ApiKey(id=id, name=name, role=role, hash=hash, created_at=self._database.now(), expires_at=expires_at)
        with refused_as(f"there is a key {id!r} already"), self._database.writing() as session:
            session.add(row)
        return row

    def get(self, id: str) -> ApiKey | None:
        """A key, also one that has expired or was revoked; None if there is none."""
        with self._database.reading() as session:
            return session.get(ApiKey, id)

    def list(self, cursor: str | None = None, limit: int = LIMIT) -> Page[ApiKey]:
        """All keys, newest first.

        Raises:
            ValueError: cursor or limit can't be.
        """
        with self._database.reading() as session:
            return page_of(session, select(ApiKey), ApiKey.created_at, ApiKey.id, cursor, limit)

    def revoke(self, id: str) -> ApiKey:
        """End a key for good; one that was revoked keeps its time.

        Raises:
            NotFoundError: there is none.
        """
        change = update(ApiKey).where(ApiKey.id == id).values(revoked_at=func.coalesce(ApiKey.revoked_at, self._database.now()))
        with self._database.writing() as session:
            row: ApiKey | None = session.scalar(change.returning(ApiKey))
        if row is None:
            raise NotFoundError("key", id)
        return row

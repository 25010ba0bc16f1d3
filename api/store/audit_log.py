"""The audit log: what was done, by whom; entries are only ever added."""

from __future__ import annotations

from sqlalchemy import select

from api.store.database import Database
from api.store.paging import LIMIT, Page, page_of
from api.store.tables import AuditEntry


class AuditLog:
    """The audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, *, key_id: str, action: str, method: str, path: str, status: int, request_id: str, client: str) -> AuditEntry:
        """Note what was done.

        Args:
            action: stable name, such as ``run.create``.
            client: address that the request came from.
        """
        row = AuditEntry(
            at=self._database.now(),
            key_id=key_id,
            action=action,
            method=method,
            path=path,
            status=status,
            request_id=request_id,
            client=client,
        )
        with self._database.writing() as session:
            session.add(row)
        return row

    def list(self, cursor: str | None = None, limit: int = LIMIT, *, key_id: str | None = None) -> Page[AuditEntry]:
        """Entries, newest first.

        Args:
            key_id: only of this key.

        Raises:
            ValueError: cursor or limit can't be.
        """
        rows = select(AuditEntry) if key_id is None else select(AuditEntry).where(AuditEntry.key_id == key_id)
        with self._database.reading() as session:
            return page_of(session, rows, AuditEntry.at, AuditEntry.id, cursor, limit)

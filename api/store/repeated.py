"""Rows that a request with an idempotency key makes once: one that comes again, at the same time or after a crash, finds the first one's row."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.orm import Session

from api.store.database import added
from api.store.idempotency import KEPT
from api.store.tables import Run, Study

T = TypeVar("T", Run, Study)


def entered(session: Session, row: T, now: datetime) -> T:
    """Add a row, or find the one that an earlier request of the same caller with the same key has made within the last 24 hours."""
    if row.idempotency_key is None:
        session.add(row)
        return row
    kind = type(row)
    mine = _of(kind, row.created_by, row.idempotency_key)
    old = update(kind).where(mine, kind.created_at < now - KEPT).values(idempotency_key=None)
    session.execute(old, execution_options={"synchronize_session": False})
    return row if added(session, row) else session.scalars(select(kind).where(mine)).one()


def with_key(session: Session, kind: type[T], created_by: str, key: str, now: datetime) -> T | None:
    """The row that a caller's request with an idempotency key made within the last 24 hours."""
    return session.scalars(select(kind).where(_of(kind, created_by, key), kind.created_at >= now - KEPT)).first()


def _of(kind: type[T], created_by: str, key: str) -> ColumnElement[bool]:
    return and_(kind.created_by == created_by, kind.idempotency_key == key)

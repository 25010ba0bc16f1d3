"""Requests with an idempotency key: the same key gives the same answer, and the work is done once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update

from api.store.database import Database, added
from api.store.states import IdempotencyState
from api.store.tables import Idempotency as Row

KEPT = timedelta(hours=24)
"""How long an answer is kept."""
CLAIM = timedelta(minutes=2)
"""After this long a claim without an answer counts as lost. Only requests that wait for a run take longer, and find that run again."""


@dataclass(frozen=True)
class Known:
    """What is known of a request.

    Attributes:
        state: see :class:`IdempotencyState`.
        status: HTTP status of a stored answer.
        headers: of a stored answer.
        response: body of a stored answer, plain JSON values.
    """

    state: IdempotencyState
    status: int = 0
    headers: dict[str, Any] = field(default_factory=dict)
    response: Any = None


class Idempotency:
    """Requests with an idempotency key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, key_id: str, key: str, method: str, path: str, body_sha: str) -> Known:
        """Claim a request, or learn what is known of it.

        Args:
            key_id: API key of the caller; every one has idempotency keys of its own.
            key: the idempotency key.
            body_sha: SHA-256 of the body.
        """
        asked = {"method": method, "path": path, "body_sha": body_sha}
        now = self._database.now()
        this = and_(Row.key_id == key_id, Row.key == key)
        with self._database.writing() as session:
            session.execute(delete(Row).where(this, Row.created_at < now - KEPT))
            if added(session, Row(key_id=key_id, key=key, **asked, created_at=now, claimed_at=now)):
                return Known(IdempotencyState.CLAIMED)
            row = session.scalars(select(Row).where(this)).one()
            if {name: getattr(row, name) for name in asked} != asked:
                return Known(IdempotencyState.MISMATCH)
            if row.status is None:
                lost = or_(Row.claimed_at.is_(None), Row.claimed_at < now - CLAIM)
                claim = update(Row).where(this, Row.status.is_(None), lost).values(claimed_at=now)
                taken = session.scalar(claim.returning(Row.id), execution_options={"synchronize_session": False})
                return Known(IdempotencyState.IN_PROGRESS if taken is None else IdempotencyState.CLAIMED)
            return Known(IdempotencyState.STORED, row.status, row.headers or {}, row.response)

    def finish(self, key_id: str, key: str, status: int, headers: dict[str, Any], response: Any) -> bool:
        """Store the answer of a claimed request; whether the claim still stood."""
        change = update(Row).where(Row.key_id == key_id, Row.key == key, Row.status.is_(None))
        with self._database.writing() as session:
            return session.scalar(change.values(status=status, headers=headers, response=response).returning(Row.id)) is not None

    def forget(self, key_id: str, key: str) -> None:
        """Give up a claim: the request was not answered and may come again."""
        with self._database.writing() as session:
            session.execute(delete(Row).where(Row.key_id == key_id, Row.key == key, Row.status.is_(None)))

    def release(self) -> int:
        """Give up all claims, whose requests may come again: for the start of the only process that answers requests; how many."""
        claims = update(Row).where(Row.status.is_(None), Row.claimed_at.is_not(None)).values(claimed_at=None)
        with self._database.writing() as session:
            return len(session.scalars(claims.returning(Row.id), execution_options={"synchronize_session": False}).all())

    def expire(self, *, dry_run: bool = False) -> int:
        """Drop answers that were kept for 24 hours; how many.

        Args:
            dry_run: only count them.
        """
        old = Row.created_at < self._database.now() - KEPT
        with self._database.writing() as session:
            count = session.scalar(select(func.count()).select_from(Row).where(old)) or 0
            if not dry_run:
                session.execute(delete(Row).where(old))
        return count

"""Lists in pages, newest first. A cursor names the last row seen, so that rows added meanwhile neither hide nor repeat any."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

T = TypeVar("T")
LIMIT = 50
"""Rows on a page, if not asked otherwise."""
LIMIT_MOST = 500


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some of a list.

    Attributes:
        items: newest first.
        next_cursor: to ask for the next ones; None at the end.
    """

    items: Sequence[T]
    next_cursor: str | None


def page_of(
    session: Session,
    rows: Select[T],
    time: InstrumentedAttribute[datetime],
    id: InstrumentedAttribute[Any],
    cursor: str | None,
    limit: int,
) -> Page[T]:
    """A page of what a query finds.

    Args:
        time, id: columns that order it; id is unique.

    Raises:
        ValueError: the cursor is none of this list, or the limit is not 1 to 500.
    """
    if not 1 <= limit <= LIMIT_MOST:
        raise ValueError(f"limit: must be 1 to {LIMIT_MOST} (found {limit})")
    if cursor is not None:
        rows = rows.where(tuple_(time, id) < tuple_(*_place(cursor, time, id)))
    found = session.scalars(rows.order_by(time.desc(), id.desc()).limit(limit + 1)).all()
    more = len(found) > limit
    last = found[limit - 1] if more else None
    return Page(found[:limit], _cursor(id, getattr(last, time.key), getattr(last, id.key)) if more else None)


def _cursor(id: InstrumentedAttribute[Any], *place: Any) -> str:
    text = json.dumps([id.class_.__tablename__, place[0].isoformat(), place[1]], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place(cursor: str, time: InstrumentedAttribute[datetime], id: InstrumentedAttribute[Any]) -> tuple[Any, Any]:
    try:
        table, written, last = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
        at = datetime.fromisoformat(written)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        at, table, last = None, None, None
    if at is None or at.tzinfo is None or table != id.class_.__tablename__ or type(last) is not id.type.python_type:
        raise ValueError(f"cursor: must be the next_cursor of a page of this list (found {cursor[:80]!r})")
    return literal(at, time.type), literal(last, id.type)

"""API keys and the audit log; for administrators."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from api.problems import ProblemError
from api.route import SecretRoute
from api.routes.common import Cursor, Limit, TheService, page, problems
from api.schemas.base import Page
from api.schemas.keys import AuditEntryView, KeyRequest, KeyView, NewKeyView
from api.security import Admin
from api.store import NotFoundError

router = APIRouter(route_class=SecretRoute, tags=["keys"], responses=problems())


def view_of(row: Any) -> KeyView:
    """A key as it is told."""
    return KeyView(
        id=row.id, name=row.name, role=row.role, created_at=row.created_at, expires_at=row.expires_at, revoked_at=row.revoked_at
    )  # fmt: skip


@router.post("/keys", status_code=201, responses=problems(400, 409, 413))
def create(caller: Admin, service: TheService, asked: KeyRequest) -> NewKeyView:
    """A new key; its text is in this answer and nowhere else, so the request takes no Idempotency-Key."""
    key, row = service.new_key(asked.name, asked.role, asked.days)
    return NewKeyView(key=key.text, **view_of(row).model_dump())


@router.get("/keys", responses=problems(422))
def list_keys(caller: Admin, service: TheService, limit: Limit = 50, cursor: Cursor = None) -> Page[KeyView]:
    """All keys, without their secrets."""
    found = page(service.store.keys.list, limit=limit, cursor=cursor)
    return Page(items=[view_of(row) for row in found.items], next_cursor=found.next_cursor)


@router.delete("/keys/{key}", status_code=204, responses=problems(404))
def revoke(caller: Admin, service: TheService, key: str) -> Response:
    """Revoke a key; it is refused from now on."""
    try:
        service.store.keys.revoke(key)
    except NotFoundError:
        raise ProblemError(404, "unknown_key", f"there is no key {key}") from None
    return Response(status_code=204)


@router.get("/audit-log", responses=problems(422))
def audit_log(caller: Admin, service: TheService, limit: Limit = 50, cursor: Cursor = None) -> Page[AuditEntryView]:
    """What was done with which key, newest first."""
    found = page(service.store.audit.list, limit=limit, cursor=cursor)
    return Page(items=[AuditEntryView.model_validate(row, from_attributes=True) for row in found.items], next_cursor=found.next_cursor)

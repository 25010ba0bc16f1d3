"""API keys and the audit log."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from api.keys import Role
from api.schemas.base import Asked, Name, Told


class KeyRequest(Asked):
    """A new key."""

    name: Name = Field(description="whose it is, or what for")
    role: Role
    days: int | None = Field(default=None, ge=1, le=3650, description="days until it expires; never, if not given")


class KeyView(Told):
    """A key, without its secret."""

    id: str
    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKeyView(KeyView):
    """A key just made: its text is shown this once."""

    key: str = Field(description="wp_<id>_<secret>; it can't be shown again")


class AuditEntryView(Told):
    """Something that was done."""

    id: int
    at: datetime
    key_id: str
    action: str
    method: str
    path: str
    status: int
    request_id: str

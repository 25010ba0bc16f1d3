"""Who asks: the key of a request, and the role that a route needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from api import keys
from api.keys import Role
from api.problems import ProblemError

BEARER = HTTPBearer(auto_error=False, scheme_name="key", description="an API key, wp_<id>_<secret>")
ANONYMOUS = "anonymous"
"""Whose the requests are where no keys are needed."""
CHALLENGE = {"WWW-Authenticate": "Bearer"}


@dataclass(frozen=True)
class Caller:
    """Whoever asks."""

    key_id: str
    role: Role


async def caller_of(request: Request, given: HTTPAuthorizationCredentials | None) -> Caller:
    """The holder of a request's key.

    Raises:
        ProblemError: 401, there is no key, or none that is valid.
    """
    service = request.app.state.service
    if not service.settings.keys:
        return Caller(ANONYMOUS, Role.ADMIN)
    if given is None:
        raise ProblemError(401, "no_key", "send a key: Authorization: Bearer wp_<id>_<secret>", headers=CHALLENGE)
    parts = keys.split(given.credentials)
    row = await run_in_threadpool(service.store.keys.get, parts[0]) if parts else None
    if parts is None or row is None or not keys.matches(parts[1], row.hash):
        raise ProblemError(401, "bad_key", "the key is not valid", headers=CHALLENGE)
    now = datetime.now(UTC)
    if row.revoked_at is not None:
        raise ProblemError(401, "revoked_key", "the key was revoked", headers=CHALLENGE)
    if row.expires_at is not None and row.expires_at <= now:
        raise ProblemError(401, "expired_key", "the key has expired", headers=CHALLENGE)
    return Caller(row.id, Role(row.role))


class Needs:
    """What a route asks of its caller: a role, or a higher one.

    Args:
        role: the least role.
    """

    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(self, request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]) -> Caller:
        """The caller, noted with the request.

        Raises:
            ProblemError: 401 without a valid key, 403 if its role is too low.
        """
        caller = await caller_of(request, given)
        request.state.key_id = caller.key_id
        if caller.role.rank < self.role.rank:
            raise ProblemError(403, "role_too_low", f"this needs the role {self.role}; the key has {caller.role}")
        return caller


Viewer = Annotated[Caller, Depends(Needs(Role.VIEWER))]
Planner = Annotated[Caller, Depends(Needs(Role.PLANNER))]
Admin = Annotated[Caller, Depends(Needs(Role.ADMIN))]


def role_needed(route: Any) -> Role | None:
    """The role that a route names; None for one that anybody may ask."""
    for part in route.dependant.dependencies:
        if isinstance(part.call, Needs):
            return part.call.role
    return None

"""Who asks: the key of a request or the session that stands for it, and the role that a route needs."""

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
from api.sessions import COOKIE, READS, from_elsewhere
from api.settings import is_loopback

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
    """The holder of a request's key, or of the key that its session stands for.

    Raises:
        ProblemError: 401, there is no key, or none that is valid; 403, a page of another origin made a browser send it, or a
            name that leads to loopback and is none of its own (without keys nothing else keeps such a page out).
    """
    service = request.app.state.service
    if given is None and request.method not in READS and from_elsewhere(request):
        raise ProblemError(403, "other_origin", "a page of another origin must not change anything here")
    if not service.settings.keys:
        if not is_loopback(request.url.hostname or ""):
            detail = "without keys the service answers to loopback names only, such as localhost; whoever gives another name may be misled"
            raise ProblemError(403, "other_host", detail)
        return Caller(ANONYMOUS, Role.ADMIN)
    if given is None:
        return caller_with(await run_in_threadpool(_in_session, service, request.cookies.get(COOKIE)))
    return caller_with(await run_in_threadpool(key_row, service, given.credentials))


def key_row(service: Any, text: str) -> Any:
    """The stored key that a text is.

    Raises:
        ProblemError: 401, it is none.
    """
    parts = keys.split(text)
    row = service.store.keys.get(parts[0]) if parts else None
    if parts is None or row is None or not keys.matches(parts[1], row.hash):
        raise ProblemError(401, "bad_key", "the key is not valid", headers=CHALLENGE)
    return row


def _in_session(service: Any, token: str | None) -> Any:
    """The stored key that a session stands for."""
    id = service.sessions.key_of(token) if token else None
    row = service.store.keys.get(id) if id is not None else None
    if row is None:
        raise ProblemError(401, "no_key", "send a key: Authorization: Bearer wp_<id>_<secret>", headers=CHALLENGE)
    return row


def caller_with(row: Any) -> Caller:
    """The holder of a stored key.

    Raises:
        ProblemError: 401, it was revoked or has expired.
    """
    if row.revoked_at is not None:
        raise ProblemError(401, "revoked_key", "the key was revoked", headers=CHALLENGE)
    if row.expires_at is not None and row.expires_at <= datetime.now(UTC):
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
        request.state.key_id, request.state.caller = caller.key_id, caller
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

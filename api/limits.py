"""What every request passes first: an id, a limit on its size, a line in the log and a measured time."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.logs import scrubbed
from api.metrics import REQUEST_SECONDS, REQUESTS
from api.problems import ProblemError, response_of

READS = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing, and are not in the audit log."""
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What a client may give as the id of its request."""
log = structlog.get_logger("api")


class TooLargeError(HTTPException):
    """More bytes came than are allowed; of a kind that the framework lets through while it reads a body."""

    def __init__(self, most: int) -> None:
        super().__init__(413, f"the body may have at most {most:,} bytes")


class Limits:
    """ASGI middleware: refuses bodies that are too large, before they are read and while they come.

    Args:
        most: bytes allowed for a path and content type.
    """

    def __init__(self, app: ASGIApp, most: Callable[[str, str], int]) -> None:
        self.app, self.most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, within its limit."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        most = self.most(scope["path"], headers.get("content-type", ""))
        said = headers.get("content-length", "")
        if said.isdigit() and int(said) > most:
            await self._refused(scope, receive, send, most)
            return
        came, begun = 0, False

        async def limited() -> Message:
            nonlocal came
            message = await receive()
            if message["type"] == "http.request":
                came += len(message.get("body", b""))
                if came > most:
                    raise TooLargeError(most)
            return message

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, limited, watched)
        except TooLargeError:
            if begun:
                raise
            await self._refused(scope, receive, send, most)

    async def _refused(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        problem = ProblemError(413, "too_large", f"the body may have at most {most:,} bytes")
        await response_of(Request(scope), problem)(scope, receive, send)


class Watched:
    """ASGI middleware: gives every request an id, logs it, and measures it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note how it ended."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", "unknown")
            REQUESTS.labels(scope["method"], route, str(status)).inc()
            REQUEST_SECONDS.labels(scope["method"], route).observe(seconds)
            key_id = scope["state"].get("key_id")
            if scope["method"] not in READS and key_id is not None and "app" in scope:
                path = scrubbed(scope["path"])[:500].replace("\0", "\ufffd")  # the log can't be altered, and PostgreSQL stores no NUL
                entry = {"key_id": key_id, "action": route, "method": scope["method"], "path": path, "status": status}
                client = scope["client"][0] if scope.get("client") else ""
                await asyncio.to_thread(scope["app"].state.service.store.audit.add, request_id=request_id, client=client, **entry)
            log.info("request", method=scope["method"], path=scope["path"], status=status, seconds=round(seconds, 4), key_id=key_id)

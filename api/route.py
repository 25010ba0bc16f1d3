"""How every route behaves: unknown query parameters are refused, and a POST with an ``Idempotency-Key`` is done once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from api.problems import UNSTORABLE, FaultItem, ProblemError, bad_character, unknown, unstorable
from api.security import BEARER, caller_of

KEY = re.compile(r"[\x21-\x7e]{1,128}")
"""What an idempotency key may be: printable characters without blanks."""
KEPT_HEADERS = ("location", "etag", "preference-applied", "content-type")
"""Headers that are kept with an answer."""
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Route(APIRoute):
    """A route that takes only what it knows.

    Attributes:
        keeps_answers: whether answers are kept for an ``Idempotency-Key``.
    """

    keeps_answers = True

    def get_route_handler(self) -> Handler:
        """The route's handler, with checks before it."""
        answer = super().get_route_handler()
        known = {field.alias for field in _query_fields(self.dependant)}

        async def checked(request: Request) -> Response:
            strange = [name for name in dict.fromkeys(request.query_params) if name not in known]
            if strange:
                items = [unknown(name, known, parameter=name) for name in strange]
                raise ProblemError(422, "unknown_parameter", items[0].message, items)
            await _refuse_unstorable(request, self.body_field is not None)
            key = request.headers.get("idempotency-key")
            if request.method != "POST" or key is None or not self.keeps_answers:
                return await answer(request)
            return await once(request, key, answer)

        return checked


class SecretRoute(Route):
    """A route whose answers hold a secret, and are never kept."""

    keeps_answers = False


async def _refuse_unstorable(request: Request, has_body: bool) -> None:
    """See that no text of a request has a character that can neither be stored nor told.

    Args:
        has_body: whether the route takes a body.

    Raises:
        ProblemError: 422, one has.
    """
    item: FaultItem | None = None
    for name, value in (*request.path_params.items(), *request.query_params.multi_items()):
        found = UNSTORABLE.search(str(value))
        item = item or (None if found is None else bad_character(found[0], parameter=name))
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if item is None and has_body and (kind == "application/json" or kind.endswith("+json")):
        with suppress(ValueError, RecursionError):  # what is no JSON is told by whoever reads it
            item = unstorable(await request.json())
    if item is not None:
        raise ProblemError(422, "bad_character", f"{item.parameter or item.pointer or 'the body'} {item.message}", [item])


def _query_fields(dependant: Any) -> list[Any]:
    """Query parameters of a route and of all that it depends on."""
    found = list(dependant.query_params)
    for part in dependant.dependencies:
        found += _query_fields(part)
    return found


async def once(request: Request, key: str, answer: Handler) -> Response:
    """The answer of the first request with this key; the work is not done again.

    Raises:
        ProblemError: the key is no key, was used for another request, or its first request is still being answered.
    """
    if not KEY.fullmatch(key):
        item = FaultItem(
            pointer="", parameter="Idempotency-Key", message="must be 1 to 128 printable characters", code="bad_idempotency_key"
        )
        raise ProblemError(422, "bad_idempotency_key", "Idempotency-Key must be 1 to 128 printable characters", [item])
    service = request.app.state.service
    holder = (await caller_of(request, await BEARER(request))).key_id
    body = hashlib.sha256(await request.body()).hexdigest()
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    kept = service.store.idempotency
    found = await run_in_threadpool(kept.begin, holder, key, request.method, path, body)
    if found.state == "mismatch":
        raise ProblemError(422, "idempotency_key_reused", f"Idempotency-Key {key} was used for another request")
    if found.state == "in_progress":
        raise ProblemError(
            409, "in_progress", f"the request with Idempotency-Key {key} is still being answered", headers={"Retry-After": "1"}
        )
    if found.state == "stored":
        headers = {**found.headers, "Idempotency-Replayed": "true"}
        content = b"" if found.response is None else json.dumps(found.response).encode()
        return Response(content, found.status, headers)
    try:
        response = await answer(request)
    except BaseException:
        await run_in_threadpool(kept.forget, holder, key)
        raise
    if response.status_code >= 500 or not isinstance(response.body, bytes):
        await run_in_threadpool(kept.forget, holder, key)
        return response
    headers = {name: value for name, value in response.headers.items() if name in KEPT_HEADERS}
    plain = json.loads(response.body) if response.body else None
    await run_in_threadpool(kept.finish, holder, key, response.status_code, headers, plain)
    return response

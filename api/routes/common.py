"""What routes share: the service, paging, ETags, and which problems they may answer with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Query, Request

from api.problems import MEDIA_TYPE, FaultItem, ProblemDocument, ProblemError
from api.service import Service

T = TypeVar("T")


def service_of(request: Request) -> Service:
    """The service that a request came to."""
    found = request.app.state.service
    assert isinstance(found, Service)
    return found


TheService = Annotated[Service, Depends(service_of)]
Cursor = Annotated[str | None, Query(description="where the page before ended", max_length=200)]
Limit = Annotated[int, Query(ge=1, le=200, description="how many at most")]
IfMatch = Annotated[str | None, Header(alias="If-Match", description="the ETag of what is to be changed")]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", description="the ETag of what is at hand")]
IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", description="a request with the same key and body is done once; its answer is kept for a day"),
]


def page(call: Callable[..., T], **asked: Any) -> T:
    """Some of a list.

    Raises:
        ProblemError: 422, the cursor is none of this list.
    """
    try:
        return call(**asked)
    except ValueError as error:
        item = FaultItem(pointer="", parameter="cursor", message=str(error), code="bad_cursor")
        raise ProblemError(422, "bad_cursor", str(error), [item]) from None


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for OpenAPI; those of every route are added."""
    every = sorted({401, 403, 422, *statuses})
    return {
        status: {
            "model": ProblemDocument,
            "description": "Problem",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        }
        for status in every
    }


def etag(version: int | str) -> str:
    """An ETag."""
    return f'"{version}"'


def version_of(if_match: str | None) -> int | None:
    """The version that a change is made to; None for whichever there is.

    Raises:
        ProblemError: 428 without If-Match, 412 where it is no version.
    """
    if if_match is None:
        item = FaultItem(pointer="", parameter="If-Match", message="send the ETag of what is to be changed", code="precondition_required")
        raise ProblemError(428, "precondition_required", "send If-Match with the ETag of what is to be changed", [item])
    if if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not text.isdecimal() or len(text) > 12:
        raise ProblemError(412, "stale", f"If-Match {if_match} is no version of it")
    return int(text)

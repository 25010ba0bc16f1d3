"""Errors as RFC 9457 problem documents: a stable code, words for a person, and a JSON pointer for each fault."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from models.faults import Fault, closest

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "The request can't be understood",
    401: "A key is needed",
    403: "The key's role does not allow this",
    404: "There is no such thing",
    405: "This method is not for this address",
    406: "No such representation",
    409: "This does not go with what there is",
    412: "It has changed meanwhile",
    413: "Too large",
    415: "No such kind of content",
    422: "The request has faults",
    428: "If-Match is needed",
    429: "Too many requests wait already",
    500: "The service failed",
    503: "The service is not ready",
}
"""What is said of each status."""
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""NUL, which PostgreSQL does not take, and halves of surrogate pairs, which UTF-8 does not have."""


class FaultItem(BaseModel):
    """One fault of a request."""

    pointer: str = Field(
        description="JSON pointer to the place in the request's body; empty for the whole of it", examples=["/changes/0/site_id"]
    )
    message: str = Field(description="what is wrong, in words")
    code: str = Field(description="stable name of the kind of fault", examples=["unknown_id"])
    parameter: str | None = Field(default=None, description="query parameter or header, where the fault is in one")
    value: str | None = Field(default=None, description="what was found")
    allowed: str | None = Field(default=None, description="what may stand there")
    suggestion: str | None = Field(default=None, description="a close spelling that exists")


class ProblemDocument(BaseModel):
    """Why a request was not answered (RFC 9457)."""

    type: str = Field(description="kind of problem", examples=["about:blank"])
    title: str = Field(description="the same for every problem of this status")
    status: int = Field(description="HTTP status")
    code: str = Field(description="stable name of the problem", examples=["unknown_field"])
    detail: str = Field(description="what happened this time")
    instance: str = Field(description="address of the request")
    request_id: str | None = Field(default=None, description="to find the request in the service's log")
    errors: list[FaultItem] = Field(default_factory=list, description="every fault found")


class ProblemError(Exception):
    """A request that can't be answered.

    Args:
        status: HTTP status.
        code: stable name.
        detail: what happened, in words.
        errors: faults of the request.
        headers: of the response.
    """

    def __init__(
        self, status: int, code: str, detail: str, errors: Sequence[FaultItem] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.headers = tuple(errors), dict(headers or {})


def faults_problem(status: int, code: str, detail: str, faults: Iterable[Fault], prefix: str = "") -> ProblemError:
    """A problem of faults of a dataset or of changes.

    Args:
        prefix: JSON pointer of the dataset or list in the request's body.
    """
    return ProblemError(status, code, detail, [fault_item(fault, prefix) for fault in faults])


def fault_item(fault: Fault, prefix: str = "") -> FaultItem:
    """A fault as the service tells it."""
    place = ", ".join(part for part in (fault.table, fault.row, fault.column) if part)
    return FaultItem(
        pointer=encodable(prefix + fault.pointer), message=encodable(f"{place}: {fault.problem}" if place else fault.problem),
        code=fault.code or "invalid", value=encodable(fault.value) or None, allowed=encodable(fault.allowed) or None,
        suggestion=encodable(fault.suggestion) or None,
    )  # fmt: skip


def encodable(text: str) -> str:
    """A text as an answer can hold it: halves of surrogate pairs become question marks."""
    return text.encode(errors="replace").decode()


def check_time_limit(asked: float, most: float) -> None:
    """See that the time limit of a request is not too long.

    Args:
        most: seconds allowed.

    Raises:
        ProblemError: 422, it is.
    """
    if asked > most:
        said = f"time_limit may be at most {most:g} s (found {asked:g})"
        item = FaultItem(pointer="/time_limit", message=said, code="too_long", value=f"{asked:g}", allowed=f"at most {most:g}")
        raise ProblemError(422, "time_limit_too_long", said, [item])


def unstorable(value: Any) -> FaultItem | None:
    """The first character in a JSON document that can't be stored, or be encoded in an answer; None where there is none."""
    left: list[tuple[str, Any]] = [("", value)]
    while left:
        pointer, one = left.pop()
        if isinstance(one, dict):
            left += [(f"{pointer}/{escaped(key)}", part) for key, part in reversed(one.items())]
            left += [(encodable(f"{pointer}/{escaped(key)}"), key) for key in one if UNSTORABLE.search(key)]
        elif isinstance(one, list):
            left += [(f"{pointer}/{number}", part) for number, part in reversed(list(enumerate(one)))]
        elif isinstance(one, str) and (found := UNSTORABLE.search(one)) is not None:
            return bad_character(found[0], pointer=pointer)
    return None


def bad_character(character: str, *, pointer: str = "", parameter: str | None = None) -> FaultItem:
    """A character that can't be stored."""
    message = f"has the character U+{ord(character):04X}, which is allowed nowhere"
    return FaultItem(pointer=pointer, parameter=parameter, message=message, code="bad_character")


def unknown(name: str, known: Iterable[str], *, pointer: str = "", parameter: str | None = None) -> FaultItem:
    """A key that nothing knows, with the nearest that there is."""
    names = sorted(known)
    allowed = f"one of {', '.join(names)}" if names else "nothing"
    return FaultItem(
        pointer=pointer, parameter=parameter, message=f"unknown {'parameter' if parameter else 'key'} {name!r}", code="unknown_field", value=name,
        allowed=allowed, suggestion=closest(name, names) or None,
    )  # fmt: skip


def response_of(request: Request, problem: ProblemError) -> JSONResponse:
    """The problem as a response."""
    document = ProblemDocument(
        type="about:blank", title=TITLES.get(problem.status, "The request was not answered"), status=problem.status, code=problem.code,
        detail=encodable(problem.detail), instance=encodable(request.url.path), request_id=getattr(request.state, "request_id", None), errors=list(problem.errors),
    )  # fmt: skip
    return JSONResponse(document.model_dump(mode="json", exclude_none=True), problem.status, problem.headers, media_type=MEDIA_TYPE)


async def on_problem(request: Request, error: Exception) -> JSONResponse:
    """Answers a :class:`ProblemError`."""
    assert isinstance(error, ProblemError)
    return response_of(request, error)


async def on_http(request: Request, error: Exception) -> JSONResponse:
    """Answers what the framework refuses: no such address, no such method."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}.get(error.status_code, "refused")
    return response_of(request, ProblemError(error.status_code, code, str(error.detail), headers=dict(error.headers or {})))


async def on_validation(request: Request, error: Exception) -> JSONResponse:
    """Answers a request whose parameters or body do not fit their schema."""
    assert isinstance(error, RequestValidationError)
    body = body_models(request)
    items = [_item(detail, body) for detail in error.errors()]
    first = items[0].message if items else "the request does not fit its schema"
    more = f" (and {len(items) - 1} more)" if len(items) > 1 else ""
    malformed = any(detail["type"] == "json_invalid" for detail in error.errors())
    problem = ProblemError(400 if malformed else 422, "malformed_json" if malformed else "invalid_request", f"{first}{more}", items)
    return response_of(request, problem)


async def on_failure(request: Request, error: Exception) -> JSONResponse:
    """Answers where the service itself failed; the log has the reason."""
    return response_of(request, ProblemError(500, "failure", "the service failed; its log says why"))


def body_models(request: Request) -> list[type[BaseModel]]:
    """The model of the body that the request's route takes; several, where a field of the body says which it is."""
    field = getattr(request.scope.get("route"), "body_field", None)
    return list(_models_in(getattr(getattr(field, "field_info", None), "annotation", None)))


def _item(detail: Mapping[str, Any], bodies: Sequence[type[BaseModel]]) -> FaultItem:
    where, *path = detail["loc"]
    if where == "body" and detail["type"].startswith("union_tag"):
        return _no_kind(detail, path, bodies)
    body = bodies[0] if bodies else None
    if where == "body" and len(bodies) > 1 and path and isinstance(path[0], str):  # the path begins with which one it is
        body = next((one for one in bodies if path[0] in _tags(one)), None)
        path = path[1:]
    if where != "body":
        name = str(path[0]) if path else str(where)
        return FaultItem(pointer="", parameter=name, message=f"{name}: {detail['msg']}", code=str(detail["type"]), value=_shown(detail))
    pointer = "".join(f"/{escaped(str(part))}" for part in path if not str(part).startswith(("function-", "list[", "dict[")))
    if detail["type"] == "json_invalid":
        return FaultItem(
            pointer="", message=f"the body is no JSON: {detail.get('ctx', {}).get('error', detail['msg'])}", code="malformed_json"
        )
    if detail["type"] == "extra_forbidden" and body is not None:
        owner = _model_at(body, path[:-1])
        known = [info.alias or name for name, info in owner.model_fields.items()] if owner else []
        return unknown(str(path[-1]), known, pointer=pointer)
    return FaultItem(
        pointer=pointer, message=f"{'.'.join(map(str, path)) or 'body'}: {detail['msg']}", code=str(detail["type"]), value=_shown(detail)
    )


def _no_kind(detail: Mapping[str, Any], path: Sequence[Any], bodies: Sequence[type[BaseModel]]) -> FaultItem:
    """A body that does not say which of several it is, or says something else."""
    name, found = detail["ctx"]["discriminator"].strip("'"), detail["ctx"].get("tag")
    tags = [tag for one in bodies for tag in _tags(one, name)]
    said = f"{name}: unknown {found!r}" if found is not None else f"{name}: is missing"
    return FaultItem(
        pointer="".join(f"/{escaped(str(part))}" for part in [*path, name]), message=said, code=str(detail["type"]), value=found,
        allowed=f"one of {', '.join(tags)}", suggestion=(closest(found, tags) or None) if found is not None else None,
    )  # fmt: skip


def _tags(model: type[BaseModel], name: str | None = None) -> list[str]:
    """What fields that have one value only say of a model."""
    fields = model.model_fields.items() if name is None else [(name, model.model_fields[name])]
    return [str(tag) for _, info in fields if get_origin(info.annotation) is Literal for tag in get_args(info.annotation)]


def _shown(detail: Mapping[str, Any]) -> str | None:
    """What was found, if it is short; a missing value has none."""
    found = detail.get("input")
    if detail["type"] == "missing" or isinstance(found, (dict, list, bytes)):
        return None
    text = encodable(str(found))
    return text if len(text) <= 80 else text[:77] + "..."


def escaped(part: str) -> str:
    """A key as a part of a JSON pointer."""
    return part.replace("~", "~0").replace("/", "~1")


def _model_at(model: type[BaseModel], path: Sequence[Any]) -> type[BaseModel] | None:
    """The model that a path into a body leads to."""
    found: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, int) or found is None:
            continue
        info = found.model_fields.get(str(part))
        found = None if info is None else next(_models_in(info.annotation), None)
    return found


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)

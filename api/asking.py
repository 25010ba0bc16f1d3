"""Who asks: the caller and its request, so that one that comes again finds what it made."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from api.problems import ProblemError


@dataclass(frozen=True)
class Asking:
    """Who asks.

    Attributes:
        key_id: API key of the caller.
        idempotency_key: of the request; one that comes again finds the run that it made, whatever happened to its answer.
        request: from :func:`sha_of`.
    """

    key_id: str
    idempotency_key: str | None
    request: str


def sha_of(asked: BaseModel) -> str:
    """What tells a request from others."""
    return hashlib.sha256(asked.model_dump_json().encode()).hexdigest()


def of_request(row: Any, request: str | None) -> Any:
    """A run or study that has the idempotency key of a request.

    Args:
        request: from :func:`sha_of`; None where the request has no key.

    Raises:
        ProblemError: 422, another request with the same key made it.
    """
    if row.request_sha != request:
        raise ProblemError(422, "idempotency_key_reused", f"Idempotency-Key {row.idempotency_key} was used for another request")
    return row

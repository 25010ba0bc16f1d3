"""What goes wrong, told as a page to a person and as a problem document to a program."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException
from starlette.status import HTTP_303_SEE_OTHER

from api import problems
from api.page.frame import HEADERS, address, render, wants_page

Answer = Callable[[Request, Exception], Coroutine[Any, Any, Response]]


def tell_faults(app: FastAPI, under: str) -> None:
    """Have every fault told in the form that its request asks for.

    Args:
        under: what addresses of the API begin with.
    """
    told: dict[type[Exception], Answer] = {
        problems.ProblemError: problems.on_problem, RequestValidationError: problems.on_validation, HTTPException: problems.on_http,
        Exception: problems.on_failure,
    }  # fmt: skip
    for kind, answer in told.items():
        app.add_exception_handler(kind, _readable(answer, under))


def _readable(answer: Answer, under: str) -> Answer:
    async def on(request: Request, error: Exception) -> Response:
        response = await answer(request, error)
        return as_page(request, response) if wants_page(request, under) else response

    return on


def as_page(request: Request, problem: Response) -> Response:
    """The page of a problem document; who needs a key is sent to sign in, and back afterwards."""
    if problem.status_code == 401:
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        where = address("/sign-in", next=asked if request.method == "GET" and asked != "/" else None)
        return RedirectResponse(where, HTTP_303_SEE_OTHER, HEADERS)
    document = problems.ProblemDocument.model_validate_json(bytes(problem.body))
    return render(request, "problem.html", status=problem.status_code, problem=document)

"""Signing in with a key, and out again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.page.frame import HEADERS, PageRoute, render
from api.problems import ProblemError
from api.routes.common import TheService
from api.security import Viewer, caller_with, key_row
from api.sessions import COOKIE, HOURS, from_elsewhere

router = APIRouter(route_class=PageRoute, tags=["page"])


@router.get("/sign-in")
def form(request: Request, service: TheService, next: str = "/") -> Response:
    """The form that takes a key."""
    if not service.settings.keys:
        return RedirectResponse(within(next), 303, HEADERS)
    return render(request, "sign_in.html", next=within(next), refusal="")


@router.post("/sign-in")
def begin(request: Request, service: TheService, key: Annotated[str, Form()] = "", next: Annotated[str, Form()] = "/") -> Response:
    """Begin a session of a key."""
    _from_here(request)
    if not service.settings.keys:
        return RedirectResponse(within(next), 303, HEADERS)
    try:
        caller = caller_with(key_row(service, key))
    except ProblemError as error:
        return render(request, "sign_in.html", status=error.status, next=within(next), refusal=error.detail)
    request.state.key_id = caller.key_id
    response = RedirectResponse(within(next), 303, HEADERS)
    response.set_cookie(
        COOKIE, service.sessions.begin(caller.key_id), max_age=HOURS * 3600, httponly=True, samesite="strict",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return response


@router.post("/sign-out")
def end(request: Request, service: TheService) -> Response:
    """End the session."""
    _from_here(request)
    token = request.cookies.get(COOKIE)
    if token:
        request.state.key_id = service.sessions.key_of(token)
        service.sessions.end(token)
    response = RedirectResponse("/sign-in", 303, {**HEADERS, "Clear-Site-Data": '"cache"'})
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return response


@router.get("/signed-in")
def state(caller: Viewer) -> Response:
    """Whether the session's cookie comes with a request."""
    return Response(status_code=204, headers=HEADERS)


def _from_here(request: Request) -> None:
    if from_elsewhere(request):
        raise ProblemError(403, "other_origin", "a page of another origin must not sign anybody in or out")


def within(next: str) -> str:
    """Where to go after signing in: an address of this page, whatever was given."""
    plain = next.startswith("/") and not next.startswith(("//", "/\\")) and next.isprintable()
    return next if plain and not next.startswith("/sign-") else "/"

"""What every view shares: its kind of route, its templates, and the headers that keep a page to itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pandas as pd
from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.staticfiles import StaticFiles

from api.page import words
from api.security import Caller
from api.version import VERSION
from batch.export.cells import text

FOLDER = Path(__file__).resolve().parent
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of all that belongs to the page: nothing is loaded from elsewhere, no script or style stands in the HTML, nobody frames it."""


class Tab(NamedTuple):
    """An entry of the navigation."""

    title: str
    path: str


NAVIGATION = (
    Tab("Home", "/"), Tab("Sites", "/sites"), Tab("Timeline", "/timeline"), Tab("Contracts", "/contracts"), Tab("What-if", "/whatif"),
    Tab("Runs", "/runs"), Tab("Compare", "/compare"), Tab("Explain", "/explain"),
)  # fmt: skip


class PageRoute(APIRoute):
    """A route that answers a person: what goes wrong is told as a page, and who is not signed in is sent to sign in."""


class Static(StaticFiles):
    """Style sheet, scripts and icon; a browser asks whether they have changed."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER / "static")

    def file_response(self, *args: Any, **more: Any) -> Response:
        """A file with the page's headers."""
        response = super().file_response(*args, **more)
        response.headers.update({**HEADERS, "Cache-Control": "no-cache"})
        return response


def address(path: str, **parameters: Any) -> str:
    """An address within the page; parameters that are None or empty are left out."""
    query = urlencode({name: value for name, value in parameters.items() if value not in (None, "")})
    return quote(path) + (f"?{query}" if query else "")


TEMPLATES = Environment(
    loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
TEMPLATES.filters.update(words.FILTERS)
TEMPLATES.globals.update(address=address, navigation=NAVIGATION, version=VERSION)


def render(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page.

    Args:
        template: its file in the folder ``templates``; those of views extend ``base.html``.
        context: what it shows. ``shown`` (:class:`api.page.shown.Shown`), if given, is kept by the links of the navigation.
    """
    caller: Caller | None = getattr(request.state, "caller", None)
    settings = request.app.state.service.settings
    given = {"shown": None, **context}
    page = TEMPLATES.get_template(template).render(path=request.url.path, caller=caller, signs_in=settings.keys, **given)
    return HTMLResponse(page, status, {**HEADERS, "Cache-Control": "no-store"})


def csv(frame: pd.DataFrame, name: str) -> Response:
    """A table as a CSV file to keep; what a spreadsheet program could take for a formula has an apostrophe before it.

    Args:
        name: of the file, without its ending.
    """
    headers = {**HEADERS, "Cache-Control": "no-store", "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}.csv"}
    harmless = frame.map(lambda cell: text(cell) if isinstance(cell, str) else cell).rename(columns=text)
    return Response(harmless.to_csv(index=False).encode(), media_type="text/csv", headers=headers)


def svg(picture: str) -> Response:
    """A picture."""
    return Response(picture.encode(), media_type="image/svg+xml", headers={**HEADERS, "Cache-Control": "no-store"})


def wants_page(request: Request, under: str) -> bool:
    """Whether an answer goes to a person: on an address of the page, or on none at all in a browser.

    Args:
        under: what addresses of the API begin with; they never answer with a page.
    """
    route = request.scope.get("route")
    if isinstance(route, PageRoute):
        return True
    known: Mapping[str, Any] = {} if route is None else {"path": route}
    return not known and not request.url.path.startswith(under) and "text/html" in request.headers.get("accept", "")

"""Home: is the plan sound, what does it earn, and where does it hurt."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.page.frame import PageRoute, render
from api.page.shown import TheShown, not_yet
from api.security import Viewer

router = APIRouter(route_class=PageRoute)


@router.get("/")
def home(request: Request, caller: Viewer, shown: TheShown) -> Response:
    """The plan at a glance."""
    return not_yet(request, shown) or render(request, "home.html", shown=shown)

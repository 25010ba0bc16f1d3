"""Timeline."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.page.frame import PageRoute, render
from api.page.shown import TheShown, not_yet
from api.security import Viewer

router = APIRouter(route_class=PageRoute)


@router.get("/timeline")
def timeline(request: Request, caller: Viewer, shown: TheShown) -> Response:
    """Timeline of the plan."""
    return not_yet(request, shown) or render(request, "timeline.html", shown=shown)

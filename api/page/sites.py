"""Sites."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.page.frame import PageRoute, render
from api.page.shown import TheShown, not_yet
from api.security import Viewer

router = APIRouter(route_class=PageRoute)


@router.get("/sites")
def sites(request: Request, caller: Viewer, shown: TheShown) -> Response:
    """Sites of the plan."""
    return not_yet(request, shown) or render(request, "sites.html", shown=shown)

"""The page a planner works on: one module per view, drawn by the server from templates, served at ``/``."""

from __future__ import annotations

from fastapi import APIRouter

from api.page import compare, contracts, explain, home, runs, sign_in, sites, timeline, whatif

VIEWS = (home, sites, timeline, contracts, whatif, runs, compare, explain)
"""Modules of the views; each has its routes in ``router``."""

router = APIRouter(include_in_schema=False)
for view in (sign_in, *VIEWS):
    router.include_router(view.router)

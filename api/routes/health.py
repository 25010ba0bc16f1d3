"""Whether the service lives and is ready, what it measures, and which version it is."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.metrics import REGISTRY
from api.route import Route
from api.routes.common import TheService
from api.schemas.base import Told
from api.version import VERSION
from optimizer.highs import VERSION as HIGHS

router = APIRouter(route_class=Route, tags=["health"])


class Alive(Told):
    """The service answers."""

    status: str = "ok"


class Check(Told):
    """One thing that the service needs."""

    name: str
    ok: bool
    detail: str = ""


class Ready(Told):
    """Whether runs can be taken."""

    ready: bool
    checks: list[Check]


class Version(Told):
    """What runs."""

    version: str
    solver: str
    api: str = "v1"


@router.get("/healthz")
async def healthz() -> Alive:
    """Whether the service answers at all."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Ready, "description": "Not ready"}})
async def readyz(service: TheService, response: Response) -> Ready:
    """Whether runs can be taken, each check by name."""
    checks = [await _store(service), Check(name="engine", ok=service.supervisor.ready)]
    ready = all(check.ok for check in checks)
    response.status_code = 200 if ready else 503
    return Ready(ready=ready, checks=checks)


async def _store(service: TheService) -> Check:
    try:
        await asyncio.to_thread(service.store.check)
    except Exception as error:
        return Check(name="store", ok=False, detail=type(error).__name__)
    return Check(name="store", ok=True)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
async def metrics() -> Response:
    """Figures in Prometheus's text form."""
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


@router.get("/version")
async def version() -> Version:
    """Version of the service and of its solver."""
    return Version(version=VERSION, solver=f"HiGHS {HIGHS}")

"""The service as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI

from api import page, uploads
from api.limits import Limits, Watched
from api.openapi import document
from api.page.faults import tell_faults
from api.page.frame import Static
from api.page.warm import warm
from api.routes import changes, datasets, demo, diffs, explanations, exports, health, keys, lines, runs, scenarios, studies
from api.service import Service
from api.settings import Settings
from api.store import Store
from api.version import VERSION

PREFIX = "/api/v1"
RESOURCES = (datasets, lines, scenarios, runs, exports, diffs, studies, explanations, changes, demo, keys)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The engine, from the start of the application to its end."""
    service: Service = app.state.service
    await service.supervisor.start()
    warming = asyncio.create_task(asyncio.to_thread(warm, service))
    try:
        yield
    finally:
        await warming
        service.broadcast.close()
        await service.supervisor.close()
        service.store.close()


def most_bytes(settings: Settings, path: str, content_type: str) -> int:
    """Bytes that a request's body may have."""
    large = path == f"{PREFIX}/datasets" and uploads.media_type(content_type) in uploads.FILES
    return settings.upload_most if large else settings.body_most


def create_app(settings: Settings) -> FastAPI:
    """The application, with its store open; its engine starts and ends with it.

    Args:
        settings: of the service.
    """
    app = application()
    app.state.service = Service(settings, Store.open(settings.database_url, settings.folder))
    app.add_middleware(Limits, most=partial(most_bytes, settings))
    app.add_middleware(Watched)
    return app


def application() -> FastAPI:
    """The application's routes, without a service behind them."""

    app = FastAPI(
        title="Wattplan", version=VERSION, description="What-if answers for datacenter capacity plans, proven and explained.",
        lifespan=lifespan, openapi_url=f"{PREFIX}/openapi.json", docs_url=None, redoc_url=None, redirect_slashes=False,
    )  # fmt: skip
    tell_faults(app, under=PREFIX)
    app.include_router(health.router)
    v1 = APIRouter(prefix=PREFIX)
    for resource in RESOURCES:
        v1.include_router(resource.router)
    app.include_router(v1)
    app.include_router(page.router)
    app.mount("/static", Static(), name="static")

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.__dict__["openapi"] = openapi
    return app

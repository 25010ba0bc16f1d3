"""The service as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api import problems, uploads
from api.limits import Limits, Watched
from api.openapi import document
from api.routes import changes, datasets, demo, diffs, health, keys, lines, runs, scenarios
from api.service import Service
from api.settings import Settings
from api.store import Store
from api.version import VERSION

PREFIX = "/api/v1"
RESOURCES = (datasets, lines, scenarios, runs, diffs, changes, demo, keys)


def create_app(settings: Settings) -> FastAPI:
    """The application; its engine starts and ends with it.

    Args:
        settings: of the service.
    """
    service = Service(settings, Store.open(settings.database_url, settings.folder))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await service.supervisor.start()
        try:
            yield
        finally:
            service.broadcast.close()
            await service.supervisor.close()
            service.store.close()

    app = FastAPI(
        title="Wattplan", version=VERSION, description="What-if answers for datacenter capacity plans, proven and explained.",
        lifespan=lifespan, openapi_url=f"{PREFIX}/openapi.json", docs_url=None, redoc_url=None, redirect_slashes=False,
    )  # fmt: skip
    app.state.service = service
    app.add_exception_handler(problems.Problem, problems.on_problem)
    app.add_exception_handler(RequestValidationError, problems.on_validation)
    app.add_exception_handler(HTTPException, problems.on_http)
    app.include_router(health.router)
    v1 = APIRouter(prefix=PREFIX)
    for resource in RESOURCES:
        v1.include_router(resource.router)
    app.include_router(v1)

    def most(path: str, content_type: str) -> int:
        large = path == f"{PREFIX}/datasets" and uploads.media_type(content_type) in uploads.FILES
        return settings.upload_most if large else settings.body_most

    app.add_middleware(Limits, most=most)
    app.add_middleware(Watched)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.__dict__["openapi"] = openapi
    return app

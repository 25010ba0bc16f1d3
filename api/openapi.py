"""The service's OpenAPI document: what is committed as docs/openapi.json."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.problems import MEDIA_TYPE

PROBLEM = {"$ref": "#/components/schemas/ProblemDocument"}


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the service; problems have a media type of their own."""
    found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags)
    for path in found["paths"].values():
        for operation in path.values():
            for status, response in operation.get("responses", {}).items():
                content = response.get("content", {})
                if any(part.get("schema") == PROBLEM for part in content.values()):
                    response["content"] = {MEDIA_TYPE: {"schema": PROBLEM}}
                    response["description"] = "Problem" if status != "422" else "Faults of the request"
    return found

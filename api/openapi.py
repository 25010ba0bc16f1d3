"""The service's OpenAPI document: what is committed as docs/openapi.json."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.problems import MEDIA_TYPE

ATTRIBUTE = re.compile(r"^ {4}(\w+(?:, \w+)*): (.*(?:\n {8}.*)*)", re.MULTILINE)
"""Names and words of an entry under ``Attributes``."""
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
    for schema in found["components"]["schemas"].values():
        _describe(schema)
    return found


def _describe(schema: dict[str, Any]) -> None:
    """Say of each property what the docstring of its class says of the attribute."""
    words, _, attributes = schema.get("description", "").partition("\n\nAttributes:\n")
    if not attributes:
        return
    schema["description"] = words
    for names, text in ATTRIBUTE.findall(attributes):
        for name in names.split(", "):
            if name in schema.get("properties", {}):
                schema["properties"][name].setdefault("description", " ".join(text.split()))

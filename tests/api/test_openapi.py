"""The OpenAPI document: committed as the code writes it, and the client asks for nothing that is not in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from api.client import OPERATIONS, PREFIX, Client
from api.docs import NAME, openapi_json

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCS / NAME).read_text(encoding="utf-8"))
    return found


def test_the_committed_document_is_the_generated_one() -> None:
    assert (DOCS / NAME).read_text(encoding="utf-8") == openapi_json(), "run: make docs"


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_the_client_asks_for_is_in_the_document(committed: dict[str, Any], name: str) -> None:
    method, path = OPERATIONS[name]
    assert hasattr(Client, name)
    assert method.lower() in committed["paths"][PREFIX + path]


def test_every_reference_leads_somewhere(committed: dict[str, Any]) -> None:
    schemas = committed["components"]["schemas"]
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(committed)))
    assert named
    assert named <= schemas.keys()


def test_every_operation_says_what_it_does_and_how_it_fails(committed: dict[str, Any]) -> None:
    for path, operations in committed["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            refusals = {status for status in operation["responses"] if status.startswith("4")}
            assert not path.startswith(PREFIX) or {"401", "403"} <= refusals, (method, path, refusals)


def test_what_a_docstring_says_of_an_attribute_is_said_of_its_property(committed: dict[str, Any]) -> None:
    schemas = committed["components"]["schemas"]
    assert not any("Attributes:" in schema.get("description", "") for schema in schemas.values())
    assert schemas["Delta"]["properties"]["before"]["description"] == "of the first and second plan."
    assert "a price is never too low" in schemas["Confirmation"]["properties"]["verdict"]["description"]

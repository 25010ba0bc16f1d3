"""The service's OpenAPI document as a file: ``python -m api.docs docs/``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from api.app import application
from models.files.atomic import write_bytes

NAME = "openapi.json"


def openapi_json() -> str:
    """The document as text; the same for the same code."""
    return json.dumps(application().openapi(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """Write the document into a folder."""
    write_bytes(Path(arguments[0]) / NAME, openapi_json().encode("utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["docs"]))

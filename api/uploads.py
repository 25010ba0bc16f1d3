"""Datasets as they are sent: JSON, a workbook, or a zip file."""

from __future__ import annotations

from models.dataset import Dataset
from models.files import from_bytes

JSON = "application/json"
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ZIP = "application/zip"
ENDINGS = {JSON: ".json", WORKBOOK: ".xlsx", ZIP: ".zip"}
"""Kinds of content that a dataset may come as."""
FILES = (WORKBOOK, ZIP)
"""Those that may be as large as an upload."""


def media_type(header: str) -> str:
    """The kind of content, without its parameters."""
    return header.partition(";")[0].strip().lower()


def read(content_type: str, data: bytes) -> Dataset:
    """The dataset of a request's body.

    Raises:
        DatasetError: it has faults; pointers are those of the body, if it is JSON.
        KeyError: no such kind of content.
    """
    return from_bytes("body", data, ENDINGS[media_type(content_type)])

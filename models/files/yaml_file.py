"""A YAML or JSON document from a file; a key that stands twice is a fault, where YAML itself would take the last in silence."""

from __future__ import annotations

import os
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from models.faults import Fault
from models.files.csv_folder import load_file


class _Loader(yaml.SafeLoader):
    """Plain values only, each key once."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping of a document."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} stands twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def load_yaml(path: Path, allowed: str) -> object | Fault:
    """The document of a file as plain values, or why there is none.

    Args:
        path: the file.
        allowed: what it should be, in words, for the fault of a file that is not there.
    """
    if not os.path.lexists(path):
        return Fault(str(path), "does not exist", code="missing_file", allowed=allowed)
    data = load_file(path, str(path))
    if isinstance(data, Fault):
        return data
    try:
        document: object = yaml.load(data.decode("utf-8-sig"), Loader=_Loader)  # a SafeLoader
        return document
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        text = " ".join(str(error).split())
        return Fault(str(path), f"is neither YAML nor JSON: {text}", code="bad_yaml")

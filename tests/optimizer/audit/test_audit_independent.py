"""The audit shares no code with the builder of the model."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import optimizer.audit

ALLOWED = {"models", "numpy", "pandas", "networkx"}


def test_imports_models_and_array_libraries_only() -> None:
    for file in Path(str(optimizer.audit.__file__)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                own = name == "optimizer.audit" or name.startswith("optimizer.audit.")
                assert own or name.split(".")[0] in ALLOWED | set(sys.stdlib_module_names), f"{file.name} imports {name}"

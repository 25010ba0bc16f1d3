"""Fixtures for every test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Ended:
    """How a run of the command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What stdout holds, which must be one JSON document and nothing else."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def errors(self) -> list[str]:
        """Lines of stderr that name an error; none may be a trace."""
        assert "Traceback" not in self.err
        return [line for line in self.err.splitlines() if line.startswith("error: ")]


Wattplan = Callable[..., Ended]


@pytest.fixture
def wattplan(capsys: pytest.CaptureFixture[str]) -> Wattplan:
    """Runs the command in this process."""
    from batch.cli import run

    def command(*arguments: object) -> Ended:
        capsys.readouterr()
        code = run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return command


def command_line(*arguments: object) -> list[str]:
    """The command as a process of its own."""
    return [sys.executable, "-W", "error", "-m", "batch.cli", *(str(a) for a in arguments)]


def process_environment() -> dict[str, str]:
    """Environment in which the command finds the project, from any folder."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


@pytest.fixture
def wattplan_process(tmp_path: Path) -> Wattplan:
    """Runs the command as a process of its own, in the test's folder; ``subprocess.run`` takes the keywords."""

    def command(*arguments: object, **more: Any) -> Ended:
        settings: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 240, "cwd": tmp_path, "env": process_environment()}
        done = subprocess.run(command_line(*arguments), check=False, **{**settings, **more})
        return Ended(done.returncode, done.stdout or "", done.stderr or "")

    return command


@pytest.fixture(scope="session")
def template_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset that ``wattplan new`` writes; only to be read."""
    from models.template import write_template

    folder = tmp_path_factory.mktemp("template") / "mine"
    write_template(folder)
    return folder

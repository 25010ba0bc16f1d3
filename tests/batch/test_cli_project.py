"""The project around the command: dependencies, lock, make targets."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib

import pytest

from tests.conftest import ROOT

LOCK = (ROOT / "requirements.lock").read_text()


def normal(name: str) -> str:
    """A package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    locked = dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", LOCK, re.MULTILINE))
    for requirement in wanted:
        found = re.fullmatch(r"([A-Za-z0-9_.-]+)(?:==(\S+))?.*", requirement)
        assert found is not None
        assert normal(found[1]) in locked, requirement
        if found[2]:
            assert locked[normal(found[1])] == found[2]


def test_the_lock_has_hashes_and_names_no_place() -> None:
    blocks = re.split(r"^(?=\S)", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) > 30
    for block in blocks:
        assert re.match(r"[a-z0-9-]+==\S+ ", block), block
        assert "--hash=sha256:" in block
    assert "://" not in LOCK
    assert "--index" not in LOCK
    assert "--find-links" not in LOCK


def test_make_lists_its_targets() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("plan", "test", "check", "lock", "docs", "clean"):
        assert f"make {target}" in shown


def test_continuous_integration_is_a_program() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.parametrize(("code", "makes"), [(0, 0), (1, 0), (2, 2), (3, 2), (4, 2), (5, 2)])
def test_make_plan_succeeds_whenever_there_is_a_plan(tmp_path_factory: pytest.TempPathFactory, code: int, makes: int) -> None:
    """A stand-in for the command in a folder with a space in its name ends with this code; make itself ends with 2 when it fails."""
    folder = tmp_path_factory.mktemp("with space")
    (folder / "Makefile").write_text((ROOT / "Makefile").read_text())
    for name in ("requirements.lock", "pyproject.toml"):
        (folder / name).touch()
    (folder / ".venv" / "bin").mkdir(parents=True)
    python = folder / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\necho "$@" >> called\n[ "$3" = plan ] && exit {code}\nexit 0\n')
    python.chmod(0o755)
    (folder / ".venv" / "installed.stamp").touch()
    done = subprocess.run(["make", "plan", "GAP=0.02"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == makes, done.stderr
    called = (folder / "called").read_text().splitlines()
    assert called[0].startswith("-m batch.cli plan data/reference-2025q4 -o plan --baseline spreadsheet --gap 0.02")
    assert len(called) == (2 if makes == 0 else 1)
    assert ("gap is larger than the 0.02 asked" in done.stdout) == (code == 1)

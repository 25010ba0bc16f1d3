"""What a figure was measured with: machine, versions, state of the code. No names of hosts or folders."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("highspy", "pyscipopt", "pyomo", "numpy")
CODE = ("models", "optimizer", "data", "benchmarks/*.py", "pyproject.toml", "requirements.lock")
"""What decides a figure; results and reports do not."""


def machine() -> dict[str, str | int | float]:
    """Processor, cores and GiB of memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"cpu": _cpu(), "cores": cores, "memory_gib": round(memory, 1), "system": f"{platform.system()} {platform.machine()}"}


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.split(":", 1)[1].split())
    return platform.processor() or platform.machine()


def versions(more: Sequence[str] = ()) -> dict[str, str]:
    """Versions of Python and of the packages that decide the figures, and of more; those that are not installed are left out."""
    found = {"python": platform.python_version()}
    for name in (*PACKAGES, *more):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def code(more: Sequence[str] = ()) -> dict[str, str | bool]:
    """Commit, and whether code or data, or more paths, differ from it; commit ``unknown`` outside a repository."""
    try:
        commit = _git("rev-parse", "HEAD").strip()
        dirty = bool(_git("status", "--porcelain", "--", *CODE, *more).strip())
    except (OSError, subprocess.CalledProcessError):
        return {"commit": "unknown", "dirty": True}
    return {"commit": commit, "dirty": dirty}


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout

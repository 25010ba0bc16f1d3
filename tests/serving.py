"""``wattplan serve`` as a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.conftest import ROOT

WAIT = 60.0


@contextmanager
def serving(folder: Path, *options: str, environment: dict[str, str] | None = None) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """A service as a process: the process, its address, and what it printed of a key."""
    command = [sys.executable, "-m", "batch.cli", "serve", "--folder", str(folder), "--port", "0", *options]
    with (folder.parent / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **(environment or {})}
        )  # fmt: skip
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            found = re.fullmatch(r"Wattplan serves (http://127\.0\.0\.1:\d+)\n", first)
            assert found, (first, (folder.parent / "log").read_text())
            key = "" if "--no-keys" in options else process.stdout.readline().strip()
            with httpx.Client(transport=httpx.HTTPTransport(retries=20), timeout=WAIT) as http:
                assert http.get(found[1] + "/healthz").status_code == 200
            yield process, found[1], key
        finally:
            process.kill()
            process.communicate()

"""Schemathesis against a running service, over the whole OpenAPI document: no server error, no status or body that it does not name.

    python -m benchmarks.soak_api [--seeds 1 2 3] [--examples 12]

Requests are made from examples, from the limits of each schema, at random, and as chains in which one answer gives the next
request its ids (stateful): by an admin with every seed, by a planner and a viewer with the first. Event streams, which don't end by
themselves, are left out. Writes ``SOAK-API.md``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from api.app import PREFIX, create_app
from api.client import Client
from api.keys import Role
from api.settings import Settings
from benchmarks.machine import ROOT, versions
from models.files import read_dataset

HERE = Path(__file__).parent
CHECKS = ("not_a_server_error", "status_code_conformance", "response_schema_conformance", "content_type_conformance")
PHASES = ("examples", "coverage", "fuzzing", "stateful")
START = 60.0
"""Seconds in which the service must be up."""


@contextmanager
def service(folder: Path) -> Iterator[tuple[str, dict[Role, str]]]:
    """A service with a small dataset, its plan and an explanation of it: address, and a key by role."""
    app = create_app(Settings(folder=folder, threads=1, wait_most=5.0))
    keys = {role: app.state.service.new_key(role.value, role)[0].text for role in Role}
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + START
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the service did not start")
        time.sleep(0.05)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        with Client(url, keys[Role.ADMIN]) as client:
            dataset = client.add_dataset(read_dataset(ROOT / "data" / "teaching" / "late-megawatt").to_plain())["id"]
            client.add_line("late-megawatt", dataset)
            client.ask(mode="plan", line="late-megawatt", gap=0, wait=60)
            client.explain("prices", line="late-megawatt", wait=60)
        yield url, keys
    finally:
        server.should_exit = True
        thread.join(30)


def schemathesis(url: str, key: str, seed: int, examples: int) -> tuple[int, str]:
    """One run of Schemathesis: its exit code, and what it printed."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}{PREFIX}/openapi.json", "--url", url, "-H", f"Authorization: Bearer {key}",
        "--checks", ",".join(CHECKS), "--phases", ",".join(PHASES), "--max-examples", str(examples), "--seed", str(seed),
        "--exclude-path-regex", "events", "--request-timeout", "30", "--continue-on-failure", "--no-color",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:  # where it keeps its own notes
        found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return found.returncode, found.stdout + found.stderr


def row(role: Role, seed: int, code: int, told: str, seconds: float) -> str:
    """A row of the report."""
    tested, cases = re.search(r"Tested: (\d+)", told), re.search(r"(\d+) generated", told)
    faults = re.search(r"(\d+) unique failures?", told)
    if tested is None or cases is None:
        raise RuntimeError(f"Schemathesis did not run: {told[-2000:]}")
    return f"| {role} | {seed} | {tested[1]} | {cases[1]} | {faults[1] if faults else '0' if code == 0 else '?'} | {seconds:.0f} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--examples", type=int, default=12, help="most random requests to each operation (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the report")
    given = parser.parse_args(arguments)
    rows, worst = [], 0
    with tempfile.TemporaryDirectory(prefix="wattplan-soak-") as folder, service(Path(folder)) as (url, keys):
        asked = [(Role.ADMIN, seed) for seed in given.seeds] + [(role, given.seeds[0]) for role in (Role.PLANNER, Role.VIEWER)]
        for role, seed in asked:
            key, began = keys[role], time.monotonic()
            code, told = schemathesis(url, key, seed, given.examples)
            worst = max(worst, code)
            rows.append(row(role, seed, code, told, time.monotonic() - began))
            with Client(url, key) as client:
                list(client.lines())  # a run that took back its own key would be refused everything from then on, and find nothing
            if code:
                sys.stderr.write(told.replace(key, "(key)"))
    tool = f"schemathesis {versions(('schemathesis',))['schemathesis']}"
    measured = f"Measured on {datetime.now(UTC):%Y-%m-%d} with {tool}; checks: {', '.join(CHECKS)}; phases: {', '.join(PHASES)}.\n"
    head = ["| key | seed | operations | requests | failures | seconds |", "| :--- | ---: | ---: | ---: | ---: | ---: |"]
    text = ["# The service under Schemathesis\n", (__doc__ or "").partition("\n")[0] + "\n", measured, *head, *rows]
    (given.out / "SOAK-API.md").write_text("\n".join(text) + "\n")
    return worst


if __name__ == "__main__":
    sys.exit(main())

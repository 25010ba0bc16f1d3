"""The service under load: reads at a fixed rate while every solve slot is busy and event streams are open; then its end.

    python -m benchmarks.service_load [--plan FOLDER] [--seconds 60] [--rate 20] [--streams 200]

All of it on loopback, for a time that is set before. A read is due when the rate says so, whether or not the ones before it are
answered, and its time counts from when it was due. At the end the service gets SIGTERM while all streams are open.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.machine import ROOT
from benchmarks.service_changes import DATASET
from benchmarks.service_changes import read as read_list
from benchmarks.service_process import Prepared, Served, plan_for, prepare, serving
from benchmarks.service_records import Record, append, read, setup
from benchmarks.service_whatif import FOLDER, question
from models.changes import Change
from models.files import read_dataset

RESULTS = Path(__file__).parent / "service_load.jsonl"
SECONDS, RATE, STREAMS = 60.0, 20.0, 200
"""How long, reads a second over all routes, and event streams open."""
SETTLE = 3.0
"""Seconds that the streams are open before the reads begin."""
SOLVE_LIMIT = 3600.0
"""Seconds of the solves that keep the slots busy: longer than all else."""
PATIENCE = 30.0
"""Seconds after which a read is lost, and in which streams must end."""
MOST_RATE, MOST_STREAMS, MOST_SECONDS = 500.0, 2000, 3600.0
"""Bounds of what may be asked of a service."""


def routes(prepared: Prepared, dataset: str, solving: str, waiting: str) -> dict[str, tuple[str, dict[str, str]]]:
    """The reads: address and headers by name. Those of the plan are of the baseline's, as screens of a planner ask for them."""
    v1, baseline, csv = "/api/v1", prepared.baseline, {"Accept": "text/csv"}
    parquet = {"Accept": "application/vnd.apache.parquet"}
    return {
        "healthz": ("/healthz", {}),
        "readyz": ("/readyz", {}),
        "version": ("/version", {}),
        "metrics": ("/metrics", {}),
        "lines": (f"{v1}/lines", {}),
        "line": (f"{v1}/lines/reference", {}),
        "datasets": (f"{v1}/datasets", {}),
        "dataset": (f"{v1}/datasets/{dataset}", {}),
        "dataset table": (f"{v1}/datasets/{dataset}/tables/contracts", {}),
        "scenarios": (f"{v1}/scenarios", {}),
        "runs": (f"{v1}/runs?limit=20", {}),
        "run": (f"{v1}/runs/{baseline}", {}),
        "run being solved": (f"{v1}/runs/{solving}", {}),
        "run that waits": (f"{v1}/runs/{waiting}", {}),
        "plan table, JSON": (f"{v1}/runs/{baseline}/plan/racks", {"Accept": "application/json"}),
        "plan table, CSV": (f"{v1}/runs/{baseline}/plan/deliveries", csv),
        "plan table, Parquet": (f"{v1}/runs/{baseline}/plan/sites", parquet),
        "change types": (f"{v1}/change-types", {}),
    }


async def reads(http: httpx.AsyncClient, asked: dict[str, tuple[str, dict[str, str]]], seconds: float, rate: float) -> list[Record]:
    """Reads, one route after the other, each when it is due."""
    names, loop = list(asked), asyncio.get_running_loop()
    begin, done = loop.time(), list[Record]()

    async def one(number: int, due: float) -> None:
        name = names[number % len(names)]
        address, headers = asked[name]
        try:
            response = await http.get(address, headers=headers)
            status, size = response.status_code, len(response.content)
        except httpx.HTTPError:
            status, size = 0, 0
        done.append({"part": "read", "worker": name, "number": number, "status": status, "bytes": size, "seconds": loop.time() - due})

    async with asyncio.TaskGroup() as group:
        for number in range(round(seconds * rate)):
            due = begin + number / rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            group.create_task(one(number, due))
    return done


async def load(served: Served, prepared: Prepared, changes: Sequence[Change], slots: int, given: argparse.Namespace) -> list[Record]:
    """Keep the slots busy, open the streams, read, and end the service; what was measured."""
    async with httpx.AsyncClient(base_url=served.url, headers=served.headers, timeout=PATIENCE) as http:
        runs = []
        for number in range(slots + 1):  # one more, which waits
            body = question(changes[number], prepared.baseline, mode="reoptimize", gap=0.0, time_limit=SOLVE_LIMIT, seed=number)
            runs.append((await http.post("/api/v1/runs", json=body)).json()["id"])
        await _solving(http, runs[:slots])
        with following(served, runs[:slots], given.streams) as streams:
            opened = await asyncio.to_thread(told, streams)
            await asyncio.sleep(SETTLE)
            asked = routes(prepared, prepared.plan.summary.dataset.sha256, runs[0], runs[-1])
            for address, headers in asked.values():
                (await http.get(address, headers=headers)).raise_for_status()  # what is in no memory yet is not what is measured
            sys.stderr.write(f"{opened['open']} streams open, {len(asked)} routes, {given.rate:g} reads a second for {given.seconds:g} s\n")
            found = await reads(http, asked, given.seconds, given.rate)
            busy = [(await http.get(f"/api/v1/runs/{run}")).json()["state"] == "running" for run in runs[:slots]]
            await asyncio.to_thread(served.end)
            seen = await asyncio.wait_for(asyncio.to_thread(told, streams), PATIENCE)
    end = {
        "part": "end", "number": 0, "seconds": served.seconds_to_exit, "exit_code": served.exit_code, "streams": given.streams, **seen,
        "open_at_end": opened["open"] if all(busy) else 0, "all_slots_busy": all(busy), "slots": slots,
    }  # fmt: skip
    return [*found, end]


@contextmanager
def following(served: Served, runs: Sequence[str], streams: int) -> Iterator[subprocess.Popen[str]]:
    """The process that holds the streams open; gone in the end."""
    command = [sys.executable, "-m", "benchmarks.service_streams"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdin is not None
        json.dump({"url": served.url, "headers": served.headers, "runs": list(runs), "streams": streams}, process.stdin)
        process.stdin.close()
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def told(streams: subprocess.Popen[str]) -> dict[str, int]:
    """The next line of the process that holds the streams.

    Raises:
        RuntimeError: it has ended.
    """
    line = streams.stdout.readline() if streams.stdout is not None else ""
    if not line:
        raise RuntimeError("the process that holds the streams has ended")
    return {str(name): int(value) for name, value in json.loads(line).items()}


async def _solving(http: httpx.AsyncClient, runs: Sequence[str]) -> None:
    """Wait until runs are being solved.

    Raises:
        RuntimeError: they are not, after some time.
    """
    deadline = time.monotonic() + PATIENCE
    for run in runs:
        while (state := (await http.get(f"/api/v1/runs/{run}")).json()["state"]) != "running":
            if time.monotonic() > deadline:
                raise RuntimeError(f"a run that is to keep a slot busy is {state}")
            await asyncio.sleep(0.1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service_load", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long")
    parser.add_argument("--rate", type=float, default=RATE, help="reads a second, over all routes")
    parser.add_argument("--streams", type=int, default=STREAMS, help="event streams open")
    parser.add_argument("--slots", type=int, default=1, help="solves at a time")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of each solve")
    parser.add_argument("--plan", type=Path, default=None, help="folder of the baseline's plan; one is made if not given")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the service")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file the results are added to")
    parser.add_argument("--fresh", action="store_true", help="measure again")
    given = parser.parse_args(arguments)
    if not (0 < given.rate <= MOST_RATE and 0 < given.streams <= MOST_STREAMS and 0 < given.seconds <= MOST_SECONDS and given.slots > 0):
        sys.exit(f"at most {MOST_RATE:g} reads a second, {MOST_STREAMS} streams and {MOST_SECONDS:g} s, each above 0")
    if not given.fresh and any(record["part"] == "end" for record in read(given.results)):
        sys.stderr.write("load: measured already; --fresh measures again\n")
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    dataset = read_dataset(DATASET)
    changes = read_list(dataset)
    prepared = prepare(given.folder, plan_for(given.folder, given.plan, given.threads), dataset)
    options = ["--threads", str(given.threads), "--slots", str(given.slots)]
    known: dict[str, Any] = {"seconds": given.seconds, "rate": given.rate, "streams": given.streams, "slots": given.slots}
    try:
        with serving(prepared, *options) as served:
            records = asyncio.run(load(served, prepared, changes, given.slots, given))
    except (RuntimeError, httpx.HTTPError) as error:
        sys.exit(f"load: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; nothing was kept")
    given.results.unlink(missing_ok=True)  # one measurement, whole
    append(given.results, [setup("load", **known, options=options), *records])
    sys.stderr.write(f"{len(records) - 1} reads; ended in {records[-1]['seconds']:.1f} s with exit code {records[-1]['exit_code']}\n")


if __name__ == "__main__":
    main()

"""A service whose solves run in a Dask cluster of others answers as one with a cluster of its own, to the last digit.

Scheduler and workers are processes of their own in folders of their own; the service gives them everything in the job.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from api.keys import Role
from api.service import Service
from api.settings import Settings
from models.dataset import Dataset
from models.files import read_dataset
from models.plan_files import plan_from_bytes
from tests.api.conftest import Live, started
from tests.conftest import ROOT, process_environment
from tests.factories import small_dataset

WORKERS = 2
PATIENCE = 60.0
DATASETS = {
    "small": lambda: small_dataset(
        supply=[{"gen_id": "h100", "racks": 15}], market=[{"gen_id": "h100"}], energy=[{"price_zone": "P", "usd_per_mwh": 50.0}]
    ),
    "late-megawatt": lambda: read_dataset(ROOT / "data" / "teaching" / "late-megawatt"),
}
"""Small datasets by the name of their plan line; energy costs something in each, so that the changes below do something."""
LESS = [{"type": "discount.rate", "discount_rate": 0.14}]
MORE = [{"type": "market.price", "factor": 1.2}, {"type": "energy.price", "factor": 0.9}]


@contextmanager
def dask(folder: Path, *arguments: str) -> Iterator[Path]:
    """A command of Dask's as a process, in an empty folder of its own; its log. Ended with all its processes."""
    folder.mkdir()
    command = [sys.executable, "-c", "from dask.cli import run_cli; run_cli()", *arguments]
    log = folder / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=folder, env=process_environment(), stdout=file, stderr=file)
    try:
        yield log
    finally:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.kill()
        process.wait()
        for child in family:
            if child.is_running():
                child.kill()


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a scheduler with two workers."""
    folder = tmp_path_factory.mktemp("cluster")
    with ExitStack() as cluster:
        at = folder / "scheduler.json"
        options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--dashboard-address", "127.0.0.1:0")
        log = cluster.enter_context(dask(folder / "scheduler", "scheduler", *options, "--scheduler-file", str(at)))
        address = _address(at, log)
        for number in range(WORKERS):
            own = folder / f"worker-{number}"
            options = ("--nthreads", "1", "--nanny", "--no-dashboard", "--preload", "batch.engine.worker_setup")
            options += ("--local-directory", str(own / "scratch"))
            cluster.enter_context(dask(own, "worker", address, *options))
        yield address


def _address(file: Path, log: Path) -> str:
    """Address in a file that the scheduler writes."""
    deadline = time.monotonic() + PATIENCE
    while not (file.exists() and file.read_text().strip()):
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return str(json.loads(file.read_text())["address"])


@contextmanager
def service(folder: Path, scheduler: str = "") -> Iterator[Live]:
    """A service with an engine of its own, or one on a scheduler."""
    found, server, thread = started(Settings(folder=folder, threads=1, wait_most=PATIENCE, scheduler=scheduler))
    try:
        yield found
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def both(scheduler: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Live, Live]]:
    """A service with its own cluster, and one on the scheduler."""
    with service(tmp_path_factory.mktemp("own")) as own, service(tmp_path_factory.mktemp("apart"), scheduler) as apart:
        yield own, apart


def answer(live: Live, **question: Any) -> dict[str, Any]:
    """A run that has ended well."""
    with live.client(Role.PLANNER) as client:
        run = client.ask(wait=PATIENCE, gap=0.0, time_limit=PATIENCE, **question)
    assert run["state"] == "succeeded", run
    return run


def decided(service: Service, run: dict[str, Any]) -> dict[str, bytes]:
    """The plan's tables, byte by byte."""
    row = service.store.runs.get(run["id"])
    assert row.plan_blob is not None
    plan = plan_from_bytes(service.store.blobs.get(row.plan_blob))
    return {name: table.to_csv(index=False).encode() for name, table in plan.tables.items()}


FIGURES = ("status", "stop_reason", "npv_usd", "bound_usd", "gap", "bound_certified_usd", "difference_usd", "audit_passed")


def same_answer(one: Live, other: Live, first: dict[str, Any], second: dict[str, Any]) -> None:
    """Fail unless two runs of two services have found the same."""
    assert {name: first["solution"][name] for name in FIGURES} == {name: second["solution"][name] for name in FIGURES}
    assert decided(one.service, first) == decided(other.service, second)
    assert first["sentences"] == second["sentences"]
    assert first["dataset"] == second["dataset"]


def read(live: Live, run: str) -> dict[str, Any]:
    """A run."""
    with live.client() as client:
        return client.run(run)


def added(live: Live, name: str, dataset: Dataset) -> str:
    """A dataset and its plan line; the id of the line's first plan."""
    with live.client(Role.PLANNER) as client:
        sha = client.add_dataset(dataset.to_plain())["id"]
        client.add_line(name, sha)
    return str(answer(live, mode="plan", line=name)["id"])


@pytest.mark.parametrize("name", DATASETS)
def test_answers_are_the_same_as_of_a_cluster_of_its_own(both: tuple[Live, Live], name: str) -> None:
    """A first plan, a repair, planning anew, an evaluation, and the difference of two plans."""
    own, apart = both
    plans = [added(live, name, DATASETS[name]()) for live in both]
    rows = [[read(live, run) for live, run in zip(both, plans, strict=True)]]
    for mode, changes in (("repair", LESS), ("reoptimize", MORE)):
        rows.append([answer(live, mode=mode, line=name, changes=changes) for live in both])
    for first, second in rows:
        same_answer(own, apart, first, second)
    scored = [answer(live, mode="evaluate", line=name, changes=MORE)["evaluation"] for live in both]
    assert scored[0] == scored[1]
    figures = [rows[0][0]["solution"]["npv_usd"], rows[1][0]["solution"]["npv_usd"], scored[0]["npv_usd"]]
    assert len(set(figures)) == len(figures)  # the changes do something, also to the plan that was there
    diffs = [diff(live, before, after) for live, before, after in zip(both, *rows[:2], strict=True)]
    assert diffs[0] == diffs[1]
    assert '"discount_rate"' in diffs[0]


def diff(live: Live, before: dict[str, Any], after: dict[str, Any]) -> str:
    """What one plan has that another had not, without the ids of the runs."""
    with live.client() as client:
        found = json.dumps(client.diff(before["id"], after["id"]))
    return found.replace(before["id"], "before").replace(after["id"], "after")


def test_the_cluster_apart_has_all_workers_and_the_service_none(both: tuple[Live, Live]) -> None:
    own, apart = (live.service.supervisor.engine for live in both)
    assert own is not None
    assert apart is not None
    assert own._cluster is not None
    assert apart._cluster is None
    assert apart.free == WORKERS

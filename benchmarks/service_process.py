"""A ``wattplan serve`` process with the reference dataset and a plan as its baseline, to be measured."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from api.keys import Role
from api.service import Service
from api.settings import Settings
from api.store import RunMode, RunState, Store, question_of
from api.version import VERSION
from benchmarks.machine import ROOT
from benchmarks.process import family
from benchmarks.service_changes import DATASET
from models.dataset import Dataset
from models.files import read_dataset
from models.plan import Plan
from models.plan_files import plan_to_bytes, read_plan, write_plan

LINE = "reference"
PLAN_GAP, PLAN_SECONDS = 0.009, 600.0
"""Of the baseline's plan: a little below the gap asked of answers, as a planner's plan would be."""
START, END = 60.0, 30.0
"""Seconds in which a service must be ready, and must have ended."""
LOOK = 0.05
BENCHMARK = "benchmark"
"""Who made what is in the store before the service starts."""


@dataclass(frozen=True)
class Prepared:
    """A folder that a service can be started on.

    Attributes:
        folder: of the service.
        key: API key of a planner.
        baseline: id of the run whose plan is the baseline.
        plan: the plan.
    """

    folder: Path
    key: str
    baseline: str
    plan: Plan


@dataclass
class Served:
    """A service under way.

    Attributes:
        process: of ``wattplan serve``.
        url: where it listens.
        key: API key of a planner.
        started: seconds from its start until it was ready.
        exit_code, seconds_to_exit: once it was told to end.
    """

    process: subprocess.Popen[str]
    url: str
    key: str
    started: float = 0.0
    exit_code: int | None = None
    seconds_to_exit: float | None = None

    def http(self, timeout: float = 60.0) -> httpx.Client:
        """A client that keeps its connection, as a planner's would."""
        return httpx.Client(base_url=self.url + "/api/v1", headers=self.headers, timeout=timeout)

    @property
    def headers(self) -> dict[str, str]:
        """What every request sends."""
        return {"Authorization": f"Bearer {self.key}"}

    def end(self) -> None:
        """Send SIGTERM and wait for the end; kill what is left."""
        if self.exit_code is not None:
            return
        began = time.monotonic()
        others = family(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.exit_code = self.process.wait(END)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.exit_code = self.process.wait()
        self.seconds_to_exit = time.monotonic() - began
        for other in others[1:]:
            with contextlib.suppress(ProcessLookupError):
                if Path(f"/proc/{other}").exists():
                    os.kill(other, signal.SIGKILL)


def plan_for(folder: Path, given: Path | None, threads: int) -> Plan:
    """The baseline's plan: that of a folder, or one that is made and kept beside the service.

    Args:
        folder: of the service; the plan is kept in ``plan`` in it.
        given: a plan's folder.
        threads: to plan with.

    Raises:
        models.faults.InputError: it is no plan.
        optimizer.NoPlanError: none was found.
    """
    kept = folder / "plan"
    if given is not None or kept.is_dir():
        return read_plan(given or kept)
    from optimizer.planner import plan

    sys.stderr.write(f"planning the reference dataset to a gap of {PLAN_GAP:.1%}, at most {PLAN_SECONDS:g} s\n")
    made = plan(read_dataset(DATASET), gap=PLAN_GAP, time_limit=PLAN_SECONDS, threads=threads)
    write_plan(made, kept)
    return made


def prepare(folder: Path, plan: Plan, dataset: Dataset | None = None) -> Prepared:
    """Put dataset, plan and a new key into a folder's store, while no service runs on it.

    A folder that has them goes on with them, and with the answers that it has; runs that had not ended are cancelled, since a
    service that took them up again would be measured solving them.

    Raises:
        ValueError: the plan is of another dataset, or the folder has another dataset.
    """
    found = read_dataset(DATASET) if dataset is None else dataset
    if plan.summary.dataset.sha256 != found.sha256:
        raise ValueError(f"the plan is of {plan.summary.dataset.name} {plan.summary.dataset.sha256[:12]}, not of {found.sha256[:12]}")
    settings = Settings(folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    store = Store.open(settings.database_url, folder)
    try:
        service = Service(settings, store)
        key, _ = service.new_key(BENCHMARK, Role.PLANNER)
        for run in store.runs.unfinished():
            store.runs.cancel(run.id)
        lines = [row for row in store.lines.list(limit=1).items if row.name == LINE]
        if lines:
            if lines[0].dataset_id != found.sha256 or lines[0].run_id is None:
                raise ValueError(f"{folder} is of another dataset; give another folder")
            return Prepared(folder, key.text, lines[0].run_id, service.plan_of(service.run(lines[0].run_id)))
        service.keep(found, BENCHMARK)
        run_id = _planned(store, found, plan)
        store.lines.create(LINE, found.sha256, run_id)
    finally:
        store.close()
    return Prepared(folder, key.text, run_id, plan)


def _planned(store: Store, dataset: Dataset, plan: Plan) -> str:
    """A run that has made the plan."""
    summary = plan.summary
    question = question_of(
        mode=RunMode.PLAN, base_dataset_id=dataset.sha256, changes=[], baseline_run_id=None, seed=summary.solver.seed, code_version=VERSION
    )
    options = {"gap": summary.gap_requested, "time_limit": PLAN_SECONDS, "seed": summary.solver.seed, "threads": summary.solver.threads}
    run = store.runs.create(
        mode=RunMode.PLAN, base_dataset_id=dataset.sha256, dataset_id=dataset.sha256, changes=[], options=options, question=question,
        code_version=VERSION, created_by=BENCHMARK,
    )  # fmt: skip
    store.runs.take(run.id)
    store.runs.finish(
        run.id, 1, RunState.SUCCEEDED, solution_status=summary.status.value, stop_reason=summary.stop_reason, npv_usd=summary.npv_usd,
        bound_usd=summary.bound_usd, gap=summary.gap, plan_blob=store.blobs.put(plan_to_bytes(plan)),
        answer={"summary": summary.model_dump(mode="json")}, event={},
    )  # fmt: skip
    return run.id


@contextmanager
def serving(prepared: Prepared, *options: str) -> Iterator[Served]:
    """A service as a process; told to end, and killed if it does not.

    Args:
        options: of ``wattplan serve``.

    Raises:
        RuntimeError: it does not start; its log is named.
    """
    command = [sys.executable, "-m", "batch.cli", "serve", "--folder", str(prepared.folder), "--port", "0", *options]
    log_file = prepared.folder / "service.log"
    began = time.monotonic()
    with log_file.open("a") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)
    served = Served(process, "", prepared.key)
    try:
        said = process.stdout.readline() if process.stdout is not None else ""
        found = re.search(r"http://\S+", said)
        if found is None:
            raise RuntimeError(f"the service does not start; see {log_file.name} in its folder")
        served.url = found[0]
        _ready(served)
        served.started = time.monotonic() - began
        yield served
    finally:
        served.end()
        if process.stdout is not None:
            process.stdout.close()


def _ready(served: Served) -> None:
    deadline = time.monotonic() + START
    with httpx.Client(base_url=served.url, timeout=START, transport=httpx.HTTPTransport(retries=3)) as http:
        while http.get("/readyz").status_code != 200:
            if time.monotonic() > deadline or served.process.poll() is not None:
                raise RuntimeError(f"the service is not ready after {START:g} s")
            time.sleep(LOOK)

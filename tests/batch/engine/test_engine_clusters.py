"""The engine with clusters: one of others, one that is lost, its own; and nothing is left when it is closed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from batch.engine import EngineError, Fate
from models.changes import read_changes
from models.plan import Plan
from models.plan_files import plan_to_bytes
from optimizer import plan
from optimizer.whatif import Planner
from tests.batch.engine.bench import DEARER, Bench, alive, job, same_plan, until
from tests.conftest import process_environment
from tests.factories import small_dataset

CLOSED = 10.0
"""Seconds that closing may take."""


@contextmanager
def dask(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command of Dask's as a process of its own, in a folder of its own; ended with all its processes."""
    folder.mkdir()
    command = [sys.executable, "-c", "from dask.cli import run_cli; run_cli()", *arguments]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=process_environment(), stdout=log, stderr=log)
    try:
        yield process
    finally:
        family = [process, *psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else [process]
        for member in family:
            if member.poll() is None if isinstance(member, subprocess.Popen) else alive(member):
                member.kill()
        process.wait()


@contextmanager
def scheduler(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    options = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--dashboard-address", "127.0.0.1:0")
    with dask(folder, "scheduler", *options) as process:
        yield process


@contextmanager
def worker(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    options = (
        "--nthreads",
        "1",
        "--nanny",
        "--no-dashboard",
        "--local-directory",
        str(folder),
        "--preload",
        "tests.batch.engine.slow_worker",
    )
    with dask(folder, "worker", f"tcp://127.0.0.1:{port}", *options) as process:
        yield process


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_cluster_of_others_is_used_as_it_is(tmp_path: Path) -> None:
    """Scheduler and worker share no folder with the engine; whatever ends a run there, even the cluster's end, the next one is solved."""
    port = free_port()

    async def check() -> None:
        with ExitStack() as first:
            process = first.enter_context(scheduler(tmp_path / "scheduler", port))
            first.enter_context(worker(tmp_path / "worker", port))
            bench = await connected(port)
            await until(lambda: bench.engine.free == 1)
            await answers(bench, plan(small_dataset(), gap=0.0, threads=1))
            await ends(bench)
            await bench.engine.submit(job("hung up"))
            await bench.told("hung up", "incumbent")
            process.kill()
            assert (await bench.ended("hung up")).fate is Fate.LOST
            assert not bench.engine.ready
            await bench.engine.submit(job("too early"))
            assert (await bench.ended("too early")).fate is Fate.LOST
        with scheduler(tmp_path / "another scheduler", port), worker(tmp_path / "another worker", port) as kept:
            await until(lambda: bench.engine.free == 1)
            assert "failure" not in await bench.answer(job("after all"))
            await bench.engine.close()
            assert kept.poll() is None

    asyncio.run(check())


async def connected(port: int) -> Bench:
    """An engine on a scheduler that may still be starting."""
    deadline = time.monotonic() + 20.0
    while True:
        try:
            return await Bench().start(f"tcp://127.0.0.1:{port}", grace=1.0)
        except EngineError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)


async def answers(bench: Bench, baseline: Plan) -> None:
    same_plan((await bench.answer(job("plan")))["plan"], baseline)
    planner = Planner(small_dataset(), baseline, threads=1)
    planner.warm()
    wanted = planner.change(read_changes([DEARER]), gap=0.0)
    assert wanted.plan is not None
    question = job("repair", mode="repair", baseline=plan_to_bytes(baseline), changes=[DEARER])
    same_plan((await bench.answer(question))["plan"], wanted.plan)


async def ends(bench: Bench) -> None:
    """Stopped, killed, and crashed where the scheduler would try again."""
    await bench.engine.submit(job("slow"))
    await bench.told("slow", "incumbent")
    await bench.engine.stop("slow")
    assert (await bench.ended("slow")).fate is Fate.DONE
    await bench.engine.submit(job("hung"))
    await bench.told("hung", "incumbent")
    await bench.engine.kill("hung")
    assert (await bench.ended("hung")).fate is Fate.KILLED
    await bench.answer(job("after kill"))
    await bench.engine.submit(job("suicide"))
    assert (await bench.ended("suicide")).fate is Fate.CRASHED
    await bench.answer(job("after crash"))
    assert bench.kinds("suicide") == []
    assert [run for run, _, _ in bench.ends].count("suicide") == 1


def test_a_scheduler_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.engine.engine.CONNECT", 0.5)
    with pytest.raises(EngineError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1: "):
        asyncio.run(Bench().start("tcp://127.0.0.1:1"))


def test_two_runs_at_a_time_and_then_the_end(slow_workers: None) -> None:
    """Killing one leaves the other as it is; closing ends both, with all processes, in time."""

    async def check() -> None:
        bench = await Bench().start(slots=2, memory_limit="1GiB")
        engine, cluster = bench.engine, bench.engine._cluster
        assert cluster is not None
        await engine.submit(job("hung"))
        await engine.submit(job("pool"))
        await bench.told("hung", "incumbent")
        assert engine.free == 0
        await engine.kill("hung")
        assert engine.active == ("pool",)
        await engine.submit(job("hung again"))
        await bench.told("hung again", "incumbent")
        workers = [psutil.Process(nanny.pid) for nanny in cluster.nannies]
        await until(lambda: any(worker.children() for worker in workers))
        family = workers + [child for worker in workers for child in worker.children()]
        since = time.monotonic()
        await engine.close(5.0)
        assert time.monotonic() - since < CLOSED
        assert [ended.fate for _, _, ended in bench.ends] == [Fate.KILLED, Fate.LOST, Fate.LOST]
        assert not engine.ready
        with pytest.raises(EngineError, match="closed"):
            await engine.submit(job("late"))
        await until(lambda: not any(alive(process) for process in family), CLOSED)

    asyncio.run(check())


SERVICE = """
import asyncio
from tests.batch.engine.bench import Bench, job
from tests.batch.engine.conftest import SLOW
from batch.engine import local

async def main():
    bench = await Bench().start()
    await bench.engine.submit(job("pool"))
    await asyncio.sleep(60)

if __name__ == "__main__":
    local.PRELOAD = SLOW
    asyncio.run(main())
"""


def test_a_service_that_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    program = tmp_path / "service.py"
    program.write_text(SERVICE)
    with subprocess.Popen([sys.executable, str(program)], cwd=tmp_path, env=process_environment()) as service:

        def family() -> list[psutil.Process]:
            return psutil.Process(service.pid).children(recursive=True)

        def solving() -> bool:
            return any("optimizer.workers" in " ".join(process.cmdline()) for process in family() if alive(process))

        async def check() -> None:
            await until(solving)
            processes = family()
            os.kill(service.pid, signal.SIGKILL)
            await until(lambda: not any(alive(process) for process in processes), CLOSED)

        asyncio.run(check())

"""Ends of runs: stopped, killed, crashed, overdue; after each of them the engine goes on."""

from __future__ import annotations

import asyncio
import time

import pytest
from distributed import Nanny

from batch.engine import Fate
from tests.batch.engine.bench import Bench, alive, job, until

SOON = 10.0
"""Seconds that a test's end may take at most."""


async def usable(bench: Bench, run_id: str) -> None:
    """Fail unless the engine solves the next run."""
    assert "failure" not in await bench.answer(job(run_id))
    assert bench.engine.free == 1


def test_a_run_that_is_stopped_tells_its_best_plan(runner: asyncio.Runner, bench: Bench) -> None:
    async def check() -> None:
        await bench.engine.submit(job("slow"))
        await bench.told("slow", "incumbent")
        assert bench.engine.free == 0
        since = time.monotonic()
        await bench.engine.stop("slow")
        ended = await bench.ended("slow")
        assert time.monotonic() - since < SOON
        assert ended.fate is Fate.DONE
        assert ended.outcome is not None
        assert ended.outcome["summary"]["npv_usd"] > 0
        assert ended.outcome["plan"]
        await usable(bench, "after stop")

    runner.run(check())


def test_a_stop_reaches_a_run_that_has_not_begun(runner: asyncio.Runner, bench: Bench) -> None:
    async def check() -> None:
        await bench.engine.submit(job("slow from the start"))
        await bench.engine.stop("slow from the start")
        ended = await bench.ended("slow from the start")
        assert ended.fate is Fate.DONE
        await usable(bench, "after early stop")

    runner.run(check())


def test_a_run_is_killed_with_its_process(runner: asyncio.Runner, bench: Bench) -> None:
    async def check() -> None:
        await bench.engine.submit(job("hung"))
        await bench.told("hung", "incumbent")
        worker = bench.worker
        await bench.engine.kill("hung")
        assert (await bench.ended("hung")).fate is Fate.KILLED
        await until(lambda: not worker.is_running(), SOON)
        await usable(bench, "after kill")

    runner.run(check())


def test_a_run_whose_process_dies_is_told_once(runner: asyncio.Runner, bench: Bench) -> None:
    async def check() -> None:
        await bench.engine.submit(job("hung and shot"))
        await bench.told("hung and shot", "incumbent")
        bench.worker.kill()
        ended = await bench.ended("hung and shot")
        assert ended.fate is Fate.CRASHED
        assert ended.detail
        await usable(bench, "after crash")
        assert bench.end_of("hung and shot") is ended

    runner.run(check())


def test_the_solvers_own_processes_end_with_their_worker(runner: asyncio.Runner, bench: Bench) -> None:
    async def check() -> None:
        await bench.engine.submit(job("pool"))
        await until(lambda: len(bench.worker.children()) > 0)
        children = bench.worker.children()
        await bench.engine.kill("pool")
        assert (await bench.ended("pool")).fate is Fate.KILLED
        await until(lambda: not any(alive(child) for child in children), SOON)
        await usable(bench, "after pool")

    runner.run(check())


def test_an_overdue_run_is_ended(runner: asyncio.Runner, bench: Bench) -> None:
    async def check() -> None:
        await usable(bench, "before overdue")  # a worker that has just started takes its time
        await bench.engine.submit(job("hung for long", time_limit=3.0))
        ended = await bench.ended("hung for long")
        assert ended.fate is Fate.OVERDUE
        assert "incumbent" in bench.kinds("hung for long")
        await usable(bench, "after overdue")

    runner.run(check())


def test_a_run_that_takes_too_much_memory_says_so(runner: asyncio.Runner, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its nanny's event comes long after the end, as on a machine with much to do."""

    async def late(nanny: Nanny, topic: str, msg: object) -> None:
        await asyncio.sleep(SOON)

    monkeypatch.setattr(Nanny, "_log_event", late)

    async def check() -> None:
        await bench.engine.submit(job("hog"))
        outcome = (await bench.ended("hog")).outcome
        assert outcome is not None
        assert outcome["failure"]["kind"] == "out_of_memory"
        await usable(bench, "after hog")

    runner.run(check())


def test_a_worker_that_does_not_come_back_is_replaced(runner: asyncio.Runner, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A nanny that has given up, as after a failed start, is closed, and another takes its place."""
    monkeypatch.setattr("batch.engine.local.PATIENCE", 0.5)

    async def check() -> None:
        cluster = bench.engine._cluster
        assert cluster is not None
        given_up = cluster.nannies[0]
        await given_up.close(timeout=1.0)
        await until(lambda: cluster.nannies[0] is not given_up)
        await usable(bench, "after all")

    runner.run(check())


def test_what_is_unknown_is_neither_stopped_nor_killed(runner: asyncio.Runner, bench: Bench) -> None:
    async def check() -> None:
        await bench.engine.stop("nobody")
        await bench.engine.kill("nobody")
        await usable(bench, "after nobody")

    runner.run(check())

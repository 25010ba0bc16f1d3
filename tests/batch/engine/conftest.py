"""One engine for most tests; its event loop runs while a test does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from batch.engine import local
from tests.batch.engine.bench import Bench

SLOW = (*local.PRELOAD, "tests.batch.engine.slow_worker")


@pytest.fixture(scope="session")
def slow_workers() -> Iterator[None]:
    """Workers in which runs last that are named for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "PRELOAD", SLOW)
        yield


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def bench(runner: asyncio.Runner, slow_workers: None) -> Iterator[Bench]:
    """An engine with one worker of 1 GiB."""
    bench = runner.run(Bench().start(memory_limit="1GiB", grace=1.0))
    yield bench
    runner.run(bench.engine.close())

"""What a worker leaves unsaid."""

from __future__ import annotations

import asyncio
import logging

import pytest
from distributed import Worker
from distributed.comm.core import CommClosedError

from batch.engine import worker_setup


@pytest.mark.parametrize(("error", "told"), [(CommClosedError("closing"), False), (OSError("no route"), True)])
def test_a_heartbeat_met_by_a_closing_scheduler_is_no_news(
    error: Exception, told: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Dask's own heartbeat is called, so that the message is the one that it writes."""

    async def fails(*_args: object, **_named: object) -> None:
        raise error

    async def beat() -> None:
        monkeypatch.setattr("distributed.worker.retry_operation", fails)
        worker = Worker.__new__(Worker)
        monkeypatch.setattr(Worker, "address", "tcp://127.0.0.1:1")
        monkeypatch.setattr(Worker, "contact_address", "tcp://127.0.0.1:1", raising=False)
        monkeypatch.setattr(Worker, "get_metrics", fails_not)
        monkeypatch.setattr(Worker, "active_keys", (), raising=False)
        worker.scheduler = type("Scheduler", (), {"heartbeat_worker": None})()
        worker.extensions = {}
        await worker.heartbeat()

    logger = logging.getLogger("distributed.worker")
    logger.addFilter(worker_setup.is_news)
    monkeypatch.setattr(logger, "propagate", True)
    try:
        asyncio.run(beat())
    finally:
        logger.removeFilter(worker_setup.is_news)
    assert bool([record for record in caplog.records if record.exc_info]) is told


async def fails_not(*_args: object) -> dict[str, object]:
    return {}

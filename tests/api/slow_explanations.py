"""Preloaded in the workers of the tests: makes explanations last whose seed says so, without work for the processor."""

from __future__ import annotations

import importlib
import time
from typing import Any

from batch.engine.job import Job, Outcome
from optimizer.highs import Control

HANGS, WAITS = 770_001, 770_002
"""Seeds: nothing but its process's end ends the first attempt; the answer comes once it is asked to stop."""
LONG = 60.0
"""Seconds for which such an explanation lasts."""
solving: Any = importlib.import_module("batch.engine.solving")
real = solving.explained


def explained(job: Job, control: Control) -> Outcome:
    """The real one, with a pause."""
    if job.seed == HANGS:
        time.sleep(LONG)
    if job.seed == WAITS:
        control.stop.wait(LONG)
    outcome: Outcome = real(job, control)
    return outcome


def dask_setup(worker: object) -> None:
    """Put it in place of the real one."""
    solving.explained = explained

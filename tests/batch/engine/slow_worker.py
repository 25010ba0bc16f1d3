"""Preloaded in the workers of the tests: makes runs last that are named for it, without work for the processor.

Names begin with ``slow`` (the search goes on once the run is stopped), ``hung`` (nothing ends it), ``pool`` (hung, with a
process of the solver's), ``hog`` (takes more memory than is allowed), ``suicide`` (ends its process) or ``broken`` (an
error that nobody thought of).
"""

from __future__ import annotations

import importlib
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from batch.engine.job import Job, Outcome
from models.files import dataset_from_bytes
from models.plan import Plan
from optimizer.formulation import formulate
from optimizer.highs import Control
from optimizer.instance import Instance
from optimizer.matrix import compile_matrix
from optimizer.workers import Pool

LONG = 60.0
"""Seconds for which such a run lasts."""
HOG = 3 << 29
"""Bytes that are more than is allowed."""
solving: Any = importlib.import_module("batch.engine.solving")
real = solving.outcome_of


def outcome_of(job: Job, stop: threading.Event, progress: Callable[..., None], keep: Callable[[Plan], None]) -> Outcome:
    """The real one, with pauses."""

    def pausing(plan: Plan) -> None:
        keep(plan)
        if job.run_id.startswith("slow"):
            stop.wait(LONG)
        elif job.run_id.startswith("hung"):
            time.sleep(LONG)

    if job.run_id.startswith("pool"):
        instance = Instance(dataset_from_bytes(job.dataset))
        with Pool(instance, compile_matrix(formulate(instance)), 1, 0, Control()):
            time.sleep(LONG)
    if job.run_id.startswith("hog"):
        held = bytearray(b"x") * HOG
        time.sleep(LONG)
        del held
    if job.run_id.startswith("suicide"):
        os.kill(os.getpid(), signal.SIGKILL)
    if job.run_id.startswith("broken"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(solving, "read_changes", None)
            return real(job, stop, progress, pausing)
    return real(job, stop, progress, pausing)


def dask_setup(worker: object) -> None:
    """Put it in place of the real one."""
    solving.outcome_of = outcome_of

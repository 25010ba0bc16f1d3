"""Preloaded by the engine's own workers, and by others if wished: ``dask worker tcp://host:port --preload batch.engine.worker_setup``.

Workers of a cluster need the package and nothing else::

    dask worker tcp://host:port --nthreads 1 --nanny

One thread, because a solve has the process for itself; a nanny, because a solve may end its process.
"""

from __future__ import annotations

import importlib
import signal
import threading
from typing import TYPE_CHECKING

from batch.engine import task

if TYPE_CHECKING:
    from distributed import Worker


def dask_setup(worker: Worker) -> None:
    """Load the solver while nothing is to be done, and leave Ctrl-C to whoever started the worker."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    task.loading = threading.Thread(target=importlib.import_module, args=("batch.engine.solving",), name="import", daemon=True)
    task.loading.start()

"""Preloaded by the engine's own workers, and by others if wished: ``dask worker tcp://host:port --preload batch.engine.worker_setup``.

Workers of a cluster need the package and nothing else::

    dask worker tcp://host:port --nthreads 1 --nanny

One thread, because a solve has the process for itself; a nanny, because a solve may end its process.
"""

from __future__ import annotations

import importlib
import logging
import signal
import threading
from typing import TYPE_CHECKING

from distributed.comm.core import CommClosedError

from batch.engine import task

if TYPE_CHECKING:
    from distributed import Worker


def dask_setup(worker: Worker) -> None:
    """Load the solver while nothing is to be done, and leave Ctrl-C to whoever started the worker."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("distributed.worker").addFilter(is_news)
    task.loading = threading.Thread(target=importlib.import_module, args=("batch.engine.solving",), name="import", daemon=True)
    task.loading.start()


def is_news(record: logging.LogRecord) -> bool:
    """Whether a worker's message is to be logged: not the trace of a heartbeat that met a scheduler just closing, which Dask tells otherwise too."""
    kind = record.exc_info[0] if record.exc_info else None
    return not (record.funcName == "heartbeat" and kind is not None and issubclass(kind, CommClosedError))

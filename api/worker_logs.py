"""Preloaded by the service's own workers: they log as the service does, one JSON object a line."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from api import logs

if TYPE_CHECKING:
    from distributed import Worker


def dask_setup(worker: Worker) -> None:
    """Log as JSON."""
    logs.set_up(logging.WARNING)

"""Structured logs: one JSON object a line on stderr, with the ids of request and run; never a secret."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

SECRET = re.compile(r"wp_([0-9a-f]{12})_[A-Za-z0-9_-]{20,}")
"""A key, wherever it got into a text."""

DASK = ("distributed", "distributed.client", "bokeh", "tornado", "tornado.application")
"""Loggers of Dask and of what it uses."""


def scrubbed(text: str) -> str:
    """A text with the secret part of any key left out."""
    return SECRET.sub(r"wp_\1_...", text)


def without_secrets(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What is logged, with the secret part of any key left out."""
    return {name: scrubbed(value) if isinstance(value, str) else value for name, value in event.items()}


def set_up(level: int = logging.INFO) -> None:
    """Log as JSON, our own lines and those of libraries."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        without_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, without_secrets, structlog.processors.JSONRenderer()],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn.access", *DASK):
        library = logging.getLogger(name)
        library.handlers[:], library.propagate = [], True  # Dask has set up its own, which are no JSON
        library.setLevel(max(library.level, logging.WARNING))

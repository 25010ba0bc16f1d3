"""wattplan serve: the whole service in one command."""

from __future__ import annotations

import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI

from api import logs
from api.app import create_app
from api.keys import Role
from api.schemas.runs import RunRequest
from api.service import Service
from api.settings import Settings
from api.store import ConflictError, RunMode
from models.files import read_dataset

REFERENCE = Path(__file__).resolve().parent.parent / "data" / "reference-2025q4"
LINE = "reference"
"""Name of the plan line of the reference dataset."""
PLAN_GAP, PLAN_SECONDS = 0.01, 300.0
"""Of its first plan."""
DRAIN = 5
"""Seconds that open requests have to end once the service is told to."""
log = structlog.get_logger("serve")


class Server(uvicorn.Server):
    """Ends event streams as soon as it is told to end, so that nobody waits for them."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal."""
        app: Any = self.config.app
        app.state.service.broadcast.close()
        super().handle_exit(sig, frame)


def first_steps(service: Service) -> str | None:
    """Load the reference dataset and ask for its plan, and make a key; each only if there is nothing of the kind.

    Returns:
        The text of the new key, if one was made.
    """
    lines = list(service.store.lines.list(limit=1).items)
    if not lines and REFERENCE.is_dir():
        dataset = read_dataset(REFERENCE)
        service.keep(dataset, "serve")
        lines = [service.store.lines.create(LINE, dataset.sha256)]
    line = lines[0] if lines else None
    # Also where the first start ended between the line and its run
    if line is not None and line.name == LINE and line.run_id is None and not service.store.runs.list(limit=1, line_id=line.id).items:
        asked = RunRequest(mode=RunMode.PLAN, line=line.id, gap=PLAN_GAP, time_limit=PLAN_SECONDS)
        run, _ = service.accept(asked, "serve")
        log.info("the reference dataset is being planned", line=LINE, run_id=run.id)
    if service.settings.keys and not service.store.keys.list(limit=1).items:
        return service.new_key("first key", Role.ADMIN)[0].text
    return None


class BusyError(Exception):
    """Another service has the folder, or something else the address."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Have a folder for oneself, for as long as the process lives: two services would take up each other's runs.

    Raises:
        BusyError: another service has it.
        OSError: the folder can't be written.
    """
    with (folder / "service.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise BusyError(f"{folder} is in use by another service (process {lock.read().strip() or 'unknown'})") from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def run(settings: Settings) -> int:
    """Serve until told to end; the exit code.

    Raises:
        BusyError: folder or address are in use.
        OSError: the folder can't be written.
        ValueError, sqlalchemy.exc.SQLAlchemyError: the database can't be used.
    """
    settings.folder.mkdir(parents=True, exist_ok=True)
    logs.set_up()
    with alone(settings.folder), _listening(settings) as listener:
        app: FastAPI = create_app(settings)
        try:
            app.state.service.store.claim()
        except ConflictError as error:
            raise BusyError(f"database {settings.database_url.rsplit('@', 1)[-1]}: {error}") from None
        key = first_steps(app.state.service)
        host, port = listener.getsockname()[:2]
        sys.stdout.write(f"Wattplan serves http://{f'[{host}]' if ':' in host else host}:{port}\n")
        if key is not None:
            sys.stdout.write(f"API key (shown this once): {key}\n")
        sys.stdout.flush()
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=DRAIN, server_header=False)
        server = Server(config)
        with suppress(KeyboardInterrupt):  # the signal that ended it comes once more when all is done
            server.run(sockets=[listener])
        return 0 if server.started else 1


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), backlog=512, family=family)
    except OSError as error:
        raise BusyError(f"can't listen on {settings.host} port {settings.port}: {(error.strerror or str(error)).lower()}") from None
    with listener:
        # Connections inherit it; asyncio sets it only on sockets whose protocol is named, and without it answers in two parts
        # wait 40 ms for the acknowledgement of the first
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener

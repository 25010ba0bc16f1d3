"""A service that runs: started once, on a free port of loopback, with an engine of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from api.app import create_app
from api.client import Client
from api.keys import Role
from api.service import Service
from api.settings import Settings
from batch.engine import local
from tests.factories import small_dataset

START = 60.0
"""Seconds in which a service must be up."""


@dataclass
class Live:
    """A running service.

    Attributes:
        url: where it listens.
        service: the object inside.
        keys: text of a key by role.
    """

    url: str
    service: Service
    keys: dict[Role, str]
    dataset: str = ""
    line: str = "small"

    def http(self, role: Role | None = Role.ADMIN) -> httpx.Client:
        """A client that shows raw answers."""
        headers = {} if role is None else {"Authorization": f"Bearer {self.keys[role]}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60.0)

    def client(self, role: Role = Role.PLANNER) -> Client:
        """The project's own client."""
        return Client(self.url, self.keys[role])


def started(settings: Settings) -> tuple[Live, uvicorn.Server, threading.Thread]:
    """Start a service in a thread."""
    app = create_app(settings)
    service = app.state.service
    keys = {role: service.new_key(role.value, role)[0].text for role in Role}
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False, timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + START
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    return Live(f"http://127.0.0.1:{port}", service, keys), server, thread


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The service, with a plan line that has a baseline."""
    folder: Path = tmp_path_factory.mktemp("service")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "PRELOAD", (*local.PRELOAD, "tests.api.slow_explanations"))
        found, server, thread = started(Settings(folder=folder, threads=1, wait_most=60.0))
    try:
        with found.client() as client:
            found.dataset = client.add_dataset(small_dataset().to_plain())["id"]
            client.add_line(found.line, found.dataset)
            run = client.ask(mode="plan", line=found.line, gap=0, wait=60)
            assert run["state"] == "succeeded", run
            assert client.line(found.line)["baseline"] == run["id"]
        yield found
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()

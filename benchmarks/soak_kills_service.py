"""The service as an operator runs it: started by its command, killed, and started again by the same command.

With a cluster of its own the service holds the scheduler; with ``dask scheduler`` and ``dask worker`` as processes
beside it, those are started again too when they have ended.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from benchmarks.machine import ROOT

READY = 90.0
"""Seconds in which a service that was started must be ready; more is a fault."""
LOOK = 0.1
"""Seconds between two looks."""
EXIT = 15.0
"""Seconds in which a service that is told to end must have ended."""
DASK = (sys.executable, "-c", "from dask.cli import run_cli; run_cli()")
BUSIEST = 0.75
"""How often a worker is killed because it has worked most, and not by lot."""


class NotReadyError(Exception):
    """The service did not become ready."""


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Operator:
    """Runs a service and what it needs.

    Attributes:
        folder: of the service.
        database: URL; empty for SQLite in the folder.
        cluster: whether scheduler and worker are processes of their own.
        port: where the service listens, always the same one.
        starts: of the service so far.
    """

    folder: Path
    database: str = ""
    cluster: bool = False
    port: int = field(default_factory=free_port)
    scheduler_port: int = field(default_factory=free_port)
    starts: int = 0
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _seen: dict[int, psutil.Process] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the service is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def targets(self) -> tuple[str, ...]:
        """What can be killed; the scheduler of a cluster of its own is in the service."""
        return ("worker", "service", "scheduler") if self.cluster else ("worker", "service")

    def mend(self) -> float:
        """Start whatever has ended, and wait until the service is ready; seconds that took.

        Raises:
            NotReadyError: it does not become ready.
        """
        since = time.monotonic()
        while time.monotonic() - since < READY:
            for name, command in self._commands().items():
                process = self._running.get(name)
                if process is None or process.poll() is not None:
                    self.starts += name == "service"
                    self._start(name, command)
            if self._ready():
                self._family()
                return time.monotonic() - since
            time.sleep(LOOK)
        raise NotReadyError(f"the service is not ready after {READY:g} s")

    def kill(self, target: str, by: random.Random) -> str | None:
        """Kill a process with SIGKILL; what was killed, or None if there is none of the kind."""
        self._family()
        found: Sequence[psutil.Process]
        if target == "worker":
            found = self._workers()
            if found and by.random() < BUSIEST:
                found = [max(found, key=_seconds)]
        else:
            process = self._running.get(target)
            found = [psutil.Process(process.pid)] if process is not None and process.poll() is None else []
        if not found:
            return None
        victim = by.choice(found)
        with suppress(psutil.NoSuchProcess):
            victim.kill()
        return target

    def change(self, *, cluster: bool) -> None:
        """End everything in good order, to go on with another cluster.

        Raises:
            NotReadyError: the service does not end when it is told to.
        """
        self.end()
        self.cluster = cluster

    def end(self) -> float:
        """Tell the service to end, and then the others; seconds that the service took.

        Raises:
            NotReadyError: it does not end.
        """
        self._family()
        since, taken = time.monotonic(), 0.0
        service = self._running.pop("service", None)
        try:
            if service is not None and service.poll() is None:
                service.send_signal(signal.SIGTERM)
                service.wait(EXIT)
                taken = time.monotonic() - since
        except subprocess.TimeoutExpired:
            raise NotReadyError(f"the service has not ended {EXIT:g} s after it was told to") from None
        finally:
            self._end_all([process for process in (service, *self._running.values()) if process is not None])
            self._running.clear()
        return taken

    def left(self, patience: float = 10.0) -> int:
        """Processes that are left of all that there were, once they had some seconds to end; they are killed."""
        until = time.monotonic() + patience
        while (alive := [process for process in self._seen.values() if _alive(process)]) and time.monotonic() < until:
            time.sleep(LOOK)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return len(alive)

    def _commands(self) -> dict[str, list[str]]:
        serve = [sys.executable, "-m", "batch.cli", "serve", "--folder", str(self.folder), "--port", str(self.port), "--threads", "1"]
        if not self.cluster:
            return {"service": serve}
        address = f"tcp://127.0.0.1:{self.scheduler_port}"
        quiet = ["--no-dashboard"]
        scheduler = [*DASK, "scheduler", "--host", "127.0.0.1", "--port", str(self.scheduler_port), *quiet]
        worker = [*DASK, "worker", address, "--nthreads", "1", "--nanny", "--preload", "batch.engine.worker_setup", *quiet]
        return {
            "scheduler": [*scheduler, "--dashboard-address", "127.0.0.1:0"],
            "worker": [*worker, "--local-directory", str(self.folder / "cluster")],
            "service": [*serve, "--scheduler", address],
        }

    def _start(self, name: str, command: list[str]) -> None:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        more = {"WATTPLAN_DATABASE": self.database} if self.database else {}  # its password is nobody's business
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, env={**os.environ, **more, "PYTHONPATH": path}
            )  # fmt: skip

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5.0).status_code == 200
        except httpx.TransportError:
            return False

    def _workers(self) -> list[psutil.Process]:
        """Processes that solve: children of the service, or of the worker's nanny."""
        process = self._running.get("worker" if self.cluster else "service")
        if process is None or process.poll() is not None:
            return []
        found = []
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children():
                with suppress(psutil.NoSuchProcess):
                    if "spawn_main" in " ".join(child.cmdline()):
                        found.append(child)
        return found

    def _family(self) -> None:
        """Remember all processes that there are."""
        for process in self._running.values():
            with suppress(psutil.NoSuchProcess):
                parent = psutil.Process(process.pid)
                for member in (parent, *parent.children(recursive=True)):
                    self._seen[member.pid] = member

    def _end_all(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _seconds(process: psutil.Process) -> float:
    """Processor seconds that a process and its children have used."""
    try:
        members = [process, *process.children(recursive=True)]
        return sum(member.cpu_times().user for member in members)
    except psutil.NoSuchProcess:
        return 0.0

"""Settings of the service: from the command line, or from environment variables ``WATTPLAN_...``."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from dask.utils import parse_bytes

PREFIX = "WATTPLAN_"
MIB = 2**20


class SettingsError(Exception):
    """A setting that can't be; the message names it, its value and what is allowed."""


@dataclass(frozen=True)
class Settings:
    """Everything that can be set.

    Attributes:
        folder: where database, plans and datasets are kept.
        database: SQLAlchemy URL; SQLite in the folder, if not given.
        host, port: where to listen; port 0 takes any free one.
        keys: whether a key is needed; without keys the service listens on loopback only.
        scheduler: address of a Dask scheduler; a cluster of its own, if not given.
        slots: solves at a time in a cluster of its own.
        threads: of each solve.
        memory_limit: of each solve's process in a cluster of its own, such as ``4GiB``; a solve that needs more is ended.
        grace: seconds that a solve may overrun its time limit before its process is ended.
        time_limit_most: longest time limit that a request may ask, seconds.
        wait_most: longest time that a request may wait for an answer, seconds.
        queue_most: runs that may wait; more are refused until some are done.
        body_most, upload_most: bytes of a JSON body and of a file.
        changes_most: changes in one request.
        study_most: runs of one study.
        keep_days: days that runs which nothing refers to are kept.
    """

    folder: Path = field(default_factory=lambda: Path("wattplan-service"))
    database: str = ""
    host: str = "127.0.0.1"
    port: int = 8000
    keys: bool = True
    scheduler: str = ""
    slots: int = 1
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    memory_limit: str = "6GiB"
    grace: float = 45.0
    time_limit_most: float = 86_400.0
    wait_most: float = 60.0
    queue_most: int = 100
    body_most: int = 5 * MIB
    upload_most: int = 100 * MIB
    changes_most: int = 500
    study_most: int = 2000
    keep_days: int = 90

    def __post_init__(self) -> None:
        """See that every setting can be.

        Raises:
            SettingsError: one can't.
        """
        least: dict[str, float] = {
            "slots": 1, "threads": 1, "grace": 1, "time_limit_most": 1, "wait_most": 0, "queue_most": 1, "body_most": 1024, "upload_most": 1024,
            "changes_most": 1, "study_most": 1, "keep_days": 1, "port": 0,
        }  # fmt: skip
        for name, low in least.items():
            if not getattr(self, name) >= low:
                raise SettingsError(f"{name}: must be at least {low:g} (found {getattr(self, name)!r})")
        try:
            parse_bytes(self.memory_limit)
        except ValueError:
            raise SettingsError(f"memory_limit: must be a size such as 4GiB (found {self.memory_limit!r})") from None
        if self.port > 65_535:
            raise SettingsError(f"port: must be at most 65535 (found {self.port!r})")
        if not self.keys and not is_loopback(self.host):
            raise SettingsError(f"host: without keys only a loopback address is allowed, such as 127.0.0.1 (found {self.host!r})")

    @property
    def database_url(self) -> str:
        """Where the database is."""
        return self.database or f"sqlite:///{(self.folder / 'wattplan.sqlite').as_posix()}"


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def from_environment(environment: Mapping[str, str], **given: Any) -> Settings:
    """Settings by what was given, then by environment variables, then by default.

    Args:
        given: settings from the command line; None counts as not given.

    Raises:
        SettingsError: a value can't be read, or can't be.
    """
    values: dict[str, Any] = {}
    kinds: dict[str, Callable[[str], Any]] = {
        "folder": Path,
        "port": int,
        "slots": int,
        "threads": int,
        "queue_most": int,
        "body_most": int,
        "upload_most": int,
    }
    kinds |= {
        "changes_most": int,
        "study_most": int,
        "keep_days": int,
        "grace": float,
        "time_limit_most": float,
        "wait_most": float,
        "keys": _yes,
    }
    for one in fields(Settings):
        name = PREFIX + one.name.upper()
        if given.get(one.name) is not None:
            values[one.name] = given[one.name]
        elif environment.get(name):
            try:
                values[one.name] = kinds.get(one.name, str)(environment[name])
            except ValueError:
                raise SettingsError(f"{name}: can't be read (found {environment[name]!r})") from None
    return Settings(**values)


def _yes(text: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.lower() not in known:
        raise ValueError(text)
    return known[text.lower()]

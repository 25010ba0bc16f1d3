"""Clients that insist: each repeats a request under its Idempotency-Key until it is answered, whatever happens to the service."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

PREFIX = "/api/v1"
OPEN_MOST = 2
"""Runs of a client that have not ended."""
PATIENCE = 180.0
"""Seconds after which a request that is not answered is a fault."""
HASTY, HASTE = 0.2, 0.05
"""Share of requests whose answer is not awaited, and the seconds after which they are repeated."""
REPEATED = 0.15
"""Share of rounds in which a request that was answered long ago comes once more."""
STOPPED, STOP_AFTER = 0.4, 3.0
"""Share of long runs that are stopped, and within how many seconds of being seen to run."""
FINAL = ("succeeded", "failed", "cancelled")
AGAIN = (409, 429, 500, 502, 503, 504)
"""Statuses after which a request is repeated; 409 only while the first one is being answered."""


class RefusedError(Exception):
    """The service refused what it should have taken, or did not answer."""


@dataclass
class Asked:
    """A request, and what became of it.

    Attributes:
        key: its Idempotency-Key.
        client: whose.
        body: of the request.
        runs: ids in all answers to it; more than one is a fault.
        stop_after: seconds after which it is stopped once it runs; None if it is not.
        running_since: when it was first seen to run, monotonic seconds.
        stopped: whether the service has accepted to stop it.
        ended: the run as it was first seen ended.
    """

    key: str
    client: str
    body: dict[str, Any]
    runs: set[str] = field(default_factory=set)
    stop_after: float | None = None
    running_since: float | None = None
    stopped: bool = False
    ended: dict[str, Any] | None = None


class Client(threading.Thread):
    """Asks, looks, stops, and repeats itself, until it is told to ask no more and all of its runs have ended.

    Args:
        name: of the client, from which its idempotency keys are made.
        url: of the service.
        key: API key.
        dataset: hash of one whose plan takes seconds.
        line: plan line whose what-ifs take less than one.
        seed: of what it does.
        seconds: time limits of long runs, from and to.
    """

    def __init__(
        self, name: str, url: str, key: str, *, dataset: str, line: str, seed: int, seconds: tuple[float, float] = (4.0, 8.0)
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.dataset, self.line, self.seconds = dataset, line, seconds
        self.by = random.Random(f"{name}-{seed}")
        self.asked: list[Asked] = []
        self.repeats = 0
        self.error: BaseException | None = None
        self.enough = threading.Event()
        self._http = httpx.Client(base_url=url + PREFIX, headers={"Authorization": f"Bearer {key}"}, timeout=30.0)

    def run(self) -> None:
        """Do so."""
        try:
            with self._http:
                while not self.enough.is_set() or self._open():
                    self._round()
        except BaseException as error:
            self.error = error

    def _open(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.ended is None]

    def _round(self) -> None:
        for asked in self._open():
            self._look(asked)
        if not self.enough.is_set() and len(self._open()) < OPEN_MOST:
            asked = self._question()
            self.asked.append(asked)
            self._ask(asked)
        if self.asked and self.by.random() < REPEATED:
            self._ask(self.by.choice(self.asked))
        time.sleep(self.by.uniform(0.1, 0.5))

    def _question(self) -> Asked:
        by, draw = self.by, self.by.random()
        body: dict[str, Any] = {"seed": by.randrange(2**31), "fresh": True}
        long = draw < 0.55
        if long:
            body |= {"mode": "plan", "dataset": self.dataset, "gap": 0.0, "time_limit": round(by.uniform(*self.seconds), 2)}
        else:
            cut = {"type": "supply.cut", "gen_id": "h100", "cut_share": round(by.uniform(0.1, 0.9), 2)}
            body |= {"mode": "repair" if draw < 0.8 else "evaluate", "line": self.line, "changes": [cut], "gap": 0.0}
        stop = by.uniform(0, STOP_AFTER) if long and by.random() < STOPPED else None
        return Asked(f"{self.name}-{len(self.asked)}", self.name, body, stop_after=stop)

    def _ask(self, asked: Asked) -> None:
        answered = bool(asked.runs)
        asked.runs.add(self._insist("POST", "/runs", asked.body, {"Idempotency-Key": asked.key})["id"])
        self.repeats += answered

    def _look(self, asked: Asked) -> None:
        address = f"/runs/{next(iter(asked.runs))}"
        found = self._insist("GET", address)
        if found["state"] in FINAL:
            asked.ended = found
        elif found["state"] == "running" and asked.stop_after is not None and not asked.stopped:
            now = time.monotonic()
            asked.running_since = asked.running_since or now
            if now - asked.running_since >= asked.stop_after:
                self._insist("POST", f"{address}/stop")
                asked.stopped = True

    def _insist(
        self, method: str, address: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Repeat a request until it is answered.

        Raises:
            RefusedError: it is refused, or not answered in time.
        """
        until = time.monotonic() + PATIENCE
        said = "no answer"
        while time.monotonic() < until:
            hasty = method == "POST" and self.by.random() < HASTY
            try:
                response = self._http.request(method, address, json=body, headers=headers, timeout=HASTE if hasty else 30.0)
            except httpx.TransportError as error:
                said = f"{type(error).__name__}: {error}"
            else:
                said = f"{response.status_code} {response.text[:300]}"
                if response.status_code < 300:
                    found = response.json()
                    assert isinstance(found, dict)
                    return found
                waits = response.status_code != 409 or response.json().get("code") == "in_progress"
                if response.status_code not in AGAIN or not waits:
                    break
            time.sleep(self.by.uniform(0.05, 0.3))
        raise RefusedError(f"{method} {address} {headers or ''}: {said}")

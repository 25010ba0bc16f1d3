"""The service under kills: clients ask and insist while worker, scheduler or service are killed at random moments.

    python -m benchmarks.soak_kills                       # 50 kills on SQLite; on PostgreSQL too, if there is one to try
    python -m benchmarks.soak_kills --kills 5 --databases sqlite --out folder

Half of the kills hit a service with a cluster of its own, which holds the scheduler; the other half one with
``dask scheduler`` and ``dask worker`` beside it. Whatever has ended is started again by the same command, as an
operator's supervisor does. In the end every accepted run must be there once, ended, with a plan that passes the audit.

Writes ``benchmarks/SOAK.json`` (every kill and every run) and ``benchmarks/SOAK.md``. Exit code 1 if anything was lost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text
from sqlalchemy.engine import make_url

from api import keys
from api.keys import Role
from api.store import Store
from api.store.database import make_engine
from benchmarks.machine import code, machine, versions
from benchmarks.soak_kills_check import FAULTS, figures_of, rows_of
from benchmarks.soak_kills_clients import PREFIX, Asked, Client
from benchmarks.soak_kills_report import report
from benchmarks.soak_kills_service import Operator
from models.dataset import Dataset
from tests.factories import small_dataset
from tests.generator import random_dataset

HERE = Path(__file__).parent
POSTGRES = "WATTPLAN_TEST_POSTGRES"
LINE = "small"
HARD = 11
"""Seed of the dataset whose plan takes longer than the runs' time limits."""
PAUSE = 6.0
"""Most seconds between a service that is ready again and the next kill; the least is none."""
ENDS = 300.0
"""Seconds in which all runs must have ended after the last kill."""
SERVICE_CODE = ("api", "batch")


class SoakError(Exception):
    """The soak could not be carried out."""


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        kills: how many.
        clients: how many ask at the same time.
        seed: of all draws; the moments themselves depend on the machine too.
        clusters: whether the scheduler is a process of its own, phase by phase.
        pause: most seconds before a kill.
        seconds: time limits of long runs, from and to.
    """

    kills: int = 50
    clients: int = 3
    seed: int = 0
    clusters: tuple[bool, ...] = (False, True)
    pause: float = PAUSE
    seconds: tuple[float, float] = (4.0, 8.0)


def hard_dataset() -> Dataset:
    """A small dataset whose plan is not proven for a while."""
    return random_dataset(HARD, sites=8, periods=10, contracts=8)


def soak(folder: Path, database: str, plan: Plan, say: Any = lambda words: None) -> dict[str, Any]:
    """Carry out a soak; its figures, kills and runs as plain values.

    Args:
        folder: of the service, empty.
        database: URL of an empty database; empty for SQLite in the folder.
        say: told how it goes on.

    Raises:
        SoakError: a client was refused, or runs did not end.
        NotReadyError: the service did not come back, or did not end.
    """
    store = Store.open(database or f"sqlite:///{(folder / 'wattplan.sqlite').as_posix()}", folder)
    hard = store.datasets.put(hard_dataset(), "soak").id
    store.lines.create(LINE, store.datasets.put(small_dataset(), "soak").id)
    operator = Operator(folder, database, cluster=plan.clusters[0])
    by, kills, began = random.Random(plan.seed), [], time.monotonic()
    try:
        operator.mend()
        callers = [_key(store, f"client {number}") for number in range(plan.clients)]
        _baseline(operator.url, callers[0])
        clients = [
            Client(f"c{number}", operator.url, key, dataset=hard, line=LINE, seed=plan.seed, seconds=plan.seconds)
            for number, key in enumerate(callers)
        ]
        for client in clients:
            client.start()
        for phase, cluster in enumerate(plan.clusters):
            if phase:
                operator.change(cluster=cluster)
                operator.mend()
            for _ in range(phase, plan.kills, len(plan.clusters)):
                kills.append(_kill(operator, by, plan.pause, began))
                say(f"{len(kills)} of {plan.kills}: {kills[-1]['target']}, ready again after {kills[-1]['ready_seconds']:.1f} s")
                _fail_with(clients)
        asked = _ended(clients)
        unread = _unread(operator.url, callers[0], asked)
        exit_seconds = operator.end()
    finally:
        operator.end()
        left = operator.left()
    rows = rows_of(store, asked)
    store.close()
    for row in rows:
        row["faults"] += ["plan lost"] if row["run"] in unread else []
    figures = figures_of(rows, kills, left)
    more = {"repeats": sum(client.repeats for client in clients), "starts": operator.starts, "exit_seconds": round(exit_seconds, 2)}
    return {"seed": plan.seed, "seconds": round(time.monotonic() - began, 1), **figures, **more, "each_kill": kills, "each_run": rows}


def _key(store: Store, name: str) -> str:
    made = keys.make()
    store.keys.create(made.id, name, Role.PLANNER, made.hash)
    return made.text


def _http(url: str, key: str) -> httpx.Client:
    return httpx.Client(base_url=url + PREFIX, headers={"Authorization": f"Bearer {key}"}, timeout=90.0)


def _baseline(url: str, key: str) -> None:
    """Plan the line that what-ifs are asked of."""
    with _http(url, key) as http:
        found = http.post("/runs", json={"mode": "plan", "line": LINE, "gap": 0}, headers={"Prefer": "wait=60"}).json()
    if found.get("state") != "succeeded":
        raise SoakError(f"the first plan failed: {found}")


def _kill(operator: Operator, by: random.Random, pause: float, began: float) -> dict[str, Any]:
    """Kill something after a while, and have it mended."""
    time.sleep(by.uniform(0, pause))
    target = by.choice(operator.targets)
    while operator.kill(target, by) is None:  # a worker may just be coming back
        operator.mend()
        time.sleep(0.2)
    at, since = datetime.now(UTC).isoformat(timespec="milliseconds"), time.monotonic() - began
    return {
        "target": target, "own_cluster": not operator.cluster, "at": at, "after_seconds": round(since, 2),
        "ready_seconds": round(operator.mend(), 2),
    }  # fmt: skip


def _fail_with(clients: list[Client]) -> None:
    for client in clients:
        if client.error is not None:
            raise SoakError(f"client {client.name}: {client.error}") from client.error


def _ended(clients: list[Client]) -> list[Asked]:
    """All requests, once their runs have ended."""
    until = time.monotonic() + ENDS
    for client in clients:
        client.enough.set()
    for client in clients:
        client.join(max(0.0, until - time.monotonic()))
    _fail_with(clients)
    return [asked for client in clients for asked in client.asked]


def _unread(url: str, key: str, asked: list[Asked]) -> set[str]:
    """Runs that have ended with a plan which the service does not give."""
    with _http(url, key) as http:
        planned = [run for one in asked if one.ended is not None and "plan" in one.ended["links"] for run in one.runs]
        return {run for run in planned if http.get(f"/runs/{run}/plan").status_code != 200}


@contextmanager
def emptied(url: str) -> Iterator[str]:
    """URL of a schema of its own in a PostgreSQL database; dropped afterwards."""
    name = f"soak_{secrets.token_hex(6)}"
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    try:
        yield make_url(url).update_query_dict({"options": f"-csearch_path={name}"}).render_as_string(hide_password=False)
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        engine.dispose()


def measured(database: str, plan: Plan, postgres: str) -> dict[str, Any]:
    """A soak on a database, with what it was measured with."""

    def say(words: str) -> None:
        sys.stderr.write(f"{database}, kill {words}\n")

    with tempfile.TemporaryDirectory(prefix="wattplan-soak-") as folder:
        if database == "sqlite":
            found = soak(Path(folder), "", plan, say)
        else:
            with emptied(postgres) as url:
                found = soak(Path(folder), url, plan, say)
    what = {"machine": machine(), "versions": versions(("distributed", "sqlalchemy", "psycopg")), "code": code(SERVICE_CODE)}
    return {"date": f"{datetime.now(UTC):%Y-%m-%d}", **what, **found}


def main() -> int:
    """Command line."""
    known = os.environ.get(POSTGRES, "")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=Plan.kills, help="how many (default: %(default)s)")
    parser.add_argument("--clients", type=int, default=Plan.clients, help="that ask at the same time (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all draws (default: %(default)s)")
    parser.add_argument("--databases", nargs="+", choices=("sqlite", "postgresql"), help="default: sqlite, and postgresql if there is one")
    parser.add_argument("--postgres", default=known, metavar="URL", help=f"a PostgreSQL database to try (default: {POSTGRES})")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the report")
    given = parser.parse_args()
    databases = given.databases or ["sqlite", *(["postgresql"] if given.postgres else [])]
    if "postgresql" in databases and not given.postgres:
        parser.error(f"--postgres: name a database, or set {POSTGRES}")
    raw = given.out / "SOAK.json"
    kept: dict[str, Any] = json.loads(raw.read_text()) if raw.exists() else {}
    for database in databases:
        kept[database] = measured(database, Plan(given.kills, given.clients, given.seed), given.postgres)
        raw.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
        (given.out / "SOAK.md").write_text(report(kept))
    return int(any(kept[database]["faults"][name] for database in databases for name in FAULTS))


if __name__ == "__main__":
    sys.exit(main())

"""The service asked what changes do: cold and warm, by many at once, stopped, and asked again.

    python -m benchmarks.service_whatif [--plan FOLDER] [--limit N] [--part warm cold crowd stop again]

Results are added to a file; what is in it already is left out, so that it goes on where it stopped. Nothing else of weight should
run on the machine meanwhile.

- ``warm``: each change asked by one ``POST /runs`` with ``Prefer: wait=20``, of a worker that has answered before.
- ``cold``: the same, each of a service that was just started; asked as soon as it says that it is ready.
- ``crowd``: twenty clients at once, with a short time limit.
- ``stop``: runs that would go on, stopped after various times.
- ``again``: questions that were answered, asked once more.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from benchmarks.machine import ROOT
from benchmarks.service_changes import DATASET
from benchmarks.service_changes import read as read_list
from benchmarks.service_plans import moved
from benchmarks.service_process import Prepared, Served, plan_for, prepare, serving
from benchmarks.service_records import Record, append, numbers_done, of, read, setup
from models.changes import Change
from models.files import read_dataset
from models.plan import Plan

HERE = Path(__file__).parent
RESULTS = HERE / "service_whatif.jsonl"
FOLDER = ROOT / "build" / "service-benchmark"
PARTS = ("warm", "cold", "crowd", "stop", "again")
WAIT = 20
"""Seconds that a request waits for its answer."""
GAP = 0.01
TIME_LIMIT = 18.0
"""Seconds of a run: what a planner asks who waits for ``WAIT``, so that the best answer by then comes with its proven gap."""
WARMING = 240.0
"""Seconds of the first run, which warms the worker."""
SPARE = 120.0
"""Seconds beyond its limits after which a request counts as lost."""
FINAL = ("succeeded", "failed", "cancelled")
CLIENTS, CROWD_LIMIT, CROWD_WAIT = 20, 5.0, 60
STOPS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
"""Seconds that runs have gone on for when they are stopped."""
STOPPED_LIMIT = 120.0
AGAIN = 3
"""Times that each question is asked again."""
Tell = Callable[[Record], None]


def plain_of(change: Change) -> dict[str, Any]:
    """A change as a request has it."""
    return {"type": change.type, **change.model_dump(mode="json", exclude_defaults=True)}


def question(change: Change, baseline: str, **more: Any) -> dict[str, Any]:
    """The body of a request that asks what a change does."""
    asked = {"mode": "repair", "baseline": baseline, "changes": [plain_of(change)], "gap": GAP, "time_limit": TIME_LIMIT, "fresh": True}
    return {**asked, **more}


def ask(http: httpx.Client, body: dict[str, Any], wait: int = WAIT) -> Record:
    """One question, and its answer however long it takes.

    Returns:
        ``status`` of the first answer and the seconds until it (``first_seconds``); ``answered``: whether it was the run's end;
        ``seconds`` until the run's end; and what the run came to.
    """
    began = time.perf_counter()
    response = http.post("/runs", json=body, headers={"Prefer": f"wait={wait}"}, timeout=wait + SPARE)
    first = time.perf_counter() - began
    if response.status_code >= 400:
        return {"status": response.status_code, "answered": False, "first_seconds": first, "problem": response.text[:500]}
    run = response.json()
    answered = run["state"] in FINAL
    while run["state"] not in FINAL and time.perf_counter() - began < body["time_limit"] + SPARE:
        run = http.get(f"/runs/{run['id']}", headers={"Prefer": f"wait={wait}"}, timeout=wait + SPARE).json()
    seconds = time.perf_counter() - began
    if run["state"] not in FINAL:
        http.post(f"/runs/{run['id']}/kill")  # else the next ones would wait for it
    return {"status": response.status_code, "answered": answered, "first_seconds": first, "seconds": seconds, **found(run)}


def found(run: dict[str, Any]) -> Record:
    """What a run came to."""
    solution = run["solution"] or {}
    problem = run["problem"] or {}
    return {
        "run": run["id"], "state": run["state"], "solution": solution.get("status"), "stop_reason": solution.get("stop_reason"),
        "gap": solution.get("gap"), "npv_usd": solution.get("npv_usd"), "difference_usd": solution.get("difference_usd"),
        "knew": run["warm"], "phases": run["seconds"], "problem": problem.get("detail", ""), "planned": "plan" in run["links"],
    }  # fmt: skip


def with_plan(http: httpx.Client, record: Record, baseline: Plan) -> Record:
    """The record with what the answer's plan decides otherwise than the baseline's; after the time is taken."""
    if not record.get("planned"):
        return record
    parts = ("racks", "deliveries", "decisions")
    answers = {name: http.get(f"/runs/{record['run']}/plan/{name}", headers={"Accept": "application/json"}) for name in parts}
    return {**record, **moved(baseline, {name: answer.json() for name, answer in answers.items()})}


def warm(prepared: Prepared, changes: Sequence[tuple[int, Change]], options: Sequence[str], tell: Tell) -> None:
    """Each change, of a worker that has answered before."""
    if not changes:
        return
    with serving(prepared, *options) as served, served.http() as http:
        ask(http, question(changes[0][1], prepared.baseline, time_limit=WARMING))
        for number, change in changes:
            tell(_asked(http, number, change, prepared, "warm"))


def cold(prepared: Prepared, changes: Sequence[tuple[int, Change]], options: Sequence[str], tell: Tell) -> None:
    """Each change, of a service that was just started."""
    for number, change in changes:
        with serving(prepared, *options) as served, served.http() as http:
            tell({**_asked(http, number, change, prepared, "cold"), "start_seconds": served.started})


def _asked(http: httpx.Client, number: int, change: Change, prepared: Prepared, worker: str) -> Record:
    record = with_plan(http, ask(http, question(change, prepared.baseline)), prepared.plan)
    return {"part": "change", "worker": worker, "number": number, "type": change.type, **record}


def crowd(served: Served, baseline: str, changes: Sequence[Change], clients: int) -> list[Record]:
    """So many clients at once, each with a question and a connection of its own."""
    gate = threading.Barrier(clients)

    def client(number: int) -> Record:
        with served.http() as http:
            http.get("/lines")  # the connection is there
            body = question(changes[number % len(changes)], baseline, time_limit=CROWD_LIMIT, seed=number)
            gate.wait()
            return {"part": "crowd", "number": number, "type": body["changes"][0]["type"], **_counted(ask, http, body, CROWD_WAIT)}

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(client, range(clients)))


def _counted(call: Callable[..., Record], *arguments: Any) -> Record:
    """A record, or that of a request which came to nothing."""
    try:
        return call(*arguments)
    except httpx.HTTPError as error:
        return {"status": 0, "answered": False, "problem": f"{type(error).__name__}: {error}"}


def stopped(http: httpx.Client, number: int, change: Change, baseline: str, after: float) -> Record:
    """Ask for what takes long, stop it some seconds after it has begun, and wait for its end.

    Repairs and plans anew in turn, since a repair may end before: it is content with the gap of the plan that it began with.
    """
    mode = ("repair", "reoptimize")[number % 2]
    body = question(change, baseline, mode=mode, gap=0.0, time_limit=STOPPED_LIMIT, seed=number)
    run = http.post("/runs", json=body).json()
    while run["state"] == "queued":
        run = http.get(f"/runs/{run['id']}").json()
    time.sleep(after)
    began = time.perf_counter()
    run = http.post(f"/runs/{run['id']}/stop").json()
    ended_before = run["stop_asked_at"] is None
    while run["state"] not in FINAL and time.perf_counter() - began < STOPPED_LIMIT + SPARE:
        run = http.get(f"/runs/{run['id']}", headers={"Prefer": f"wait={WAIT}"}, timeout=WAIT + SPARE).json()
    seconds = time.perf_counter() - began
    return {
        "part": "stop",
        "number": number,
        "type": change.type,
        "after": after,
        "ended_before": ended_before,
        "seconds": seconds,
        **found(run),
    }


def again(http: httpx.Client, number: int, change: Change, baseline: str) -> Record:
    """A question that was answered, asked again some times; seconds of each, and whether the store had the answer each time."""
    body = question(change, baseline, fresh=False)
    seconds, stored = [], []
    for _ in range(AGAIN):
        began = time.perf_counter()
        response = http.post("/runs", json=body)
        seconds.append(time.perf_counter() - began)
        stored.append(response.status_code == 200)
        if response.status_code == 202:  # the folder is not the one that the question was answered in
            http.post(f"/runs/{response.json()['id']}/kill")
    return {"part": "again", "number": number, "type": change.type, "each_seconds": seconds, "stored": all(stored)}


def answers_again(record: Record) -> bool:
    """Whether the store answers the question of this record: its plan is as good as asked, or there is none."""
    gap = record.get("gap")
    good = gap is not None and gap <= GAP and record.get("planned", False)
    return record.get("state") == "succeeded" and (good or record.get("solution") == "infeasible")


def line_of(record: Record) -> str:
    """A record in a few words."""
    name = " ".join(str(record[part]) for part in ("part", "worker", "number", "type") if record.get(part) is not None)
    if "each_seconds" in record:
        stored = "from the store" if record["stored"] else "not from the store"
        return f"{name}: {max(record['each_seconds']) * 1000:.0f} ms at most, {stored}"
    gap = "no gap" if record.get("gap") is None else f"gap {record['gap']:.2%}"
    took = f"{record['seconds']:.2f} s" if "seconds" in record else "no answer"
    return f"{name}: {took}, {record.get('state', record.get('status'))}, {record.get('solution')}, {gap}"


def measure(parts: Iterable[str], prepared: Prepared, changes: Sequence[Change], path: Path, options: Sequence[str], clients: int) -> None:
    """Do what is left of some parts, each result on disk before the next begins."""

    def tell(record: Record) -> None:
        append(path, [record])
        sys.stderr.write(line_of(record) + "\n")

    def left(part: str, worker: str | None = None) -> list[tuple[int, Change]]:
        done = numbers_done(read(path), part, worker)
        return [(number, change) for number, change in enumerate(changes) if number not in done]

    for part in parts:
        summary = prepared.plan.summary
        known = {"plan_gap": summary.gap, "npv_usd": summary.npv_usd, "gap": GAP, "time_limit": TIME_LIMIT, "options": list(options)}
        if part in ("warm", "cold"):
            todo = left("change", part)
        else:
            todo = left(part) if part == "again" else [(0, changes[0])] if not numbers_done(read(path), part) else []
        sys.stderr.write(f"{part}: {len(todo)} left\n")
        if not todo:
            continue
        append(path, [setup(part, **known)])
        if part == "warm":
            warm(prepared, todo, options, tell)
        elif part == "cold":
            cold(prepared, todo, options, tell)
        else:
            with serving(prepared, *options) as served, served.http() as http:
                _short_part(part, prepared, changes, todo, served, http, tell, read(path), clients)


def _short_part(
    part: str, prepared: Prepared, changes: Sequence[Change], todo: Sequence[tuple[int, Change]], served: Served, http: httpx.Client,
    tell: Tell, records: Sequence[Record], clients: int,
) -> None:  # fmt: skip
    if part == "again":
        there = {r["number"] for r in of(records, "change", "warm") if answers_again(r)}
        for number, change in todo:
            if number in there:
                tell(again(http, number, change, prepared.baseline))
        return
    ask(http, question(changes[0], prepared.baseline, time_limit=WARMING))  # the worker is warm
    if part == "crowd":
        for record in crowd(served, prepared.baseline, changes, clients):
            tell(record)
    else:
        for number, after in enumerate(STOPS):
            tell(stopped(http, number, changes[number % len(changes)], prepared.baseline, after))


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service_whatif", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--limit", type=int, default=None, help="only the first so many changes; the first 35 have one of each type")
    parser.add_argument("--plan", type=Path, default=None, help="folder of the baseline's plan; one is made if not given")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the service")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file the results are added to")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of each solve")
    parser.add_argument("--clients", type=int, default=CLIENTS, help="of the crowd")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    dataset = read_dataset(DATASET)
    try:
        changes = read_list(dataset)[: given.limit]
        prepared = prepare(given.folder, plan_for(given.folder, given.plan, given.threads), dataset)
        measure(given.part, prepared, changes, given.results, ["--threads", str(given.threads)], given.clients)
    except (ValueError, RuntimeError) as error:
        sys.exit(str(error))
    except httpx.HTTPError as error:
        sys.exit(f"the service does not answer any more ({type(error).__name__}: {error}); its log is in {given.folder.name}")
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on from here")


if __name__ == "__main__":
    main()

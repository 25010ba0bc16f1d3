"""What is true at the end of a soak: every accepted run once, ended, with its plan; read from the store itself."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from api.store import BlobError, RunMode, RunState, Store
from benchmarks.soak_kills_clients import Asked
from models.faults import InputError
from models.plan_files import plan_from_bytes
from optimizer.audit import audit

OVERRUN = 60.0
"""Seconds that no run may exceed its time limit by."""
Row = dict[str, Any]
FAULTS = (
    "lost", "doubled", "not ended", "plan lost", "audit failed", "end changed", "events with gaps", "failed without need", "time limit overrun",
    "processes left",
)  # fmt: skip
"""What must not be."""


def rows_of(store: Store, asked: Iterable[Asked]) -> list[Row]:
    """All runs of the clients as rows, with the faults of each; a run that no answer named is one more row."""
    by_run = {run: one for one in asked for run in one.runs}
    rows, cursor = [], None
    while True:
        page = store.runs.list(cursor, 200)
        rows += [row_of(store, run, by_run.get(run.id)) for run in page.items if run.idempotency_key is not None or run.id in by_run]
        cursor = page.next_cursor
        if cursor is None:
            break
    known = {row["run"] for row in rows}
    rows += [{"run": run, "key": one.key, "faults": ["lost"]} for run, one in by_run.items() if run not in known]
    for key, number in Counter(row["key"] for row in rows).items():
        if number > 1:
            for row in rows:
                row["faults"] += ["doubled"] if row["key"] == key else []
    return sorted(rows, key=lambda row: str(row.get("created_at", "")))


def row_of(store: Store, run: Any, asked: Asked | None) -> Row:
    """A run: what it was, how it ended, and what is wrong with it."""
    final = run.state.final
    overrun = seconds(run.started_at, run.finished_at) - run.options["time_limit"] if final and run.started_at is not None else None
    row: Row = {
        "run": run.id, "key": run.idempotency_key, "mode": run.mode.value, "state": run.state.value, "attempts": run.attempt,
        "crashes": run.crashes, "status": run.solution_status, "stop_reason": None if run.stop_reason is None else run.stop_reason.value,
        "problem": None if run.problem is None else run.problem["code"], "time_limit": run.options["time_limit"],
        "created_at": text(run.created_at), "started_at": text(run.started_at), "stop_asked_at": text(run.stop_asked_at),
        "finished_at": text(run.finished_at), "overrun_seconds": None if overrun is None else round(overrun, 3),
        "stop_seconds": None, "plan": run.plan_blob is not None, "faults": [],
    }  # fmt: skip
    faults = row["faults"]
    if run.stop_asked_at is not None and final and run.started_at is not None and run.started_at <= run.stop_asked_at:
        row["stop_seconds"] = round(seconds(run.stop_asked_at, run.finished_at), 3)
    if not final:
        faults.append("not ended")
    if run.state is RunState.FAILED and row["problem"] != "worker_crashed":
        faults.append("failed without need")
    if overrun is not None and overrun > OVERRUN:
        faults.append("time limit overrun")
    numbers = [event.number for event in store.runs.events(run.id, limit=100_000)]
    if numbers != list(range(1, run.last_event + 1)):
        faults.append("events with gaps")
    if run.state is RunState.SUCCEEDED and run.mode is not RunMode.EVALUATE and run.solution_status not in ("infeasible", "none"):
        faults += plan_faults(store, run)
    seen = None if asked is None else asked.ended
    if seen is not None and (seen["state"], (seen.get("solution") or {}).get("npv_usd")) != (run.state.value, run.npv_usd):
        faults.append("end changed")
    return row


def plan_faults(store: Store, run: Any) -> list[str]:
    """Whether a finished plan is there, and passes the audit on its own dataset."""
    if run.plan_blob is None:
        return ["plan lost"]
    try:
        plan = plan_from_bytes(store.blobs.get(run.plan_blob))
        dataset = store.datasets.load(run.dataset_id)
    except (BlobError, InputError):
        return ["plan lost"]
    return [] if audit(dataset, plan).passed else ["audit failed"]


def figures_of(rows: Sequence[Row], kills: Sequence[Row], left: int) -> Row:
    """Counts and times of a soak.

    Args:
        rows: of :func:`rows_of`.
        kills: when and what was killed.
        left: processes that outlived their service.
    """
    times = [str(kill["at"]) for kill in kills]
    stops = [row for row in rows if row.get("stop_seconds") is not None]
    calm = [row for row in stops if not any(row["stop_asked_at"] <= at <= row["finished_at"] for at in times)]
    overruns = [row["overrun_seconds"] for row in rows if row.get("overrun_seconds") is not None]
    faults = Counter(fault for row in rows for fault in row["faults"])
    faults["processes left"] += left
    again = [kill["ready_seconds"] for kill in kills if kill["target"] == "service"]
    return {
        "kills": dict(Counter(kill["target"] for kill in kills)), "runs": len(rows), "states": dict(Counter(row.get("state") for row in rows)),
        "plans": sum(bool(row.get("plan")) and row["state"] == "succeeded" for row in rows),
        "taken_up_again": sum(row.get("attempts", 0) > 1 for row in rows), "most_attempts": max((row.get("attempts", 0) for row in rows), default=0),
        "stops": summary_of([row["stop_seconds"] for row in calm]), "stops_with_a_kill": summary_of([row["stop_seconds"] for row in stops if row not in calm]),
        "overrun": summary_of(overruns), "restart": summary_of(again), "faults": {name: faults[name] for name in FAULTS},
    }  # fmt: skip


def summary_of(values: Sequence[float]) -> Row:
    """Number, median and largest, in seconds."""
    summary: Callable[[Sequence[float]], float] = statistics.median
    return {"count": len(values), "median": round(summary(values), 2), "worst": round(max(values), 2)} if values else {"count": 0}


def seconds(before: datetime, after: datetime) -> float:
    """Between two times."""
    return (after - before).total_seconds()


def text(at: datetime | None) -> str | None:
    """A time as text that sorts."""
    return None if at is None else at.isoformat(timespec="milliseconds")

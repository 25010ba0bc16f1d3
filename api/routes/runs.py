"""Runs: ask, wait, watch, stop; and what was found as tables and files."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pandas as pd
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.events import Event
from api.problems import FaultItem, ProblemError
from api.route import Route
from api.routes.common import Cursor, IdempotencyKey, Limit, TheService, page, problems
from api.routes.datasets import wanted
from api.routes.views import run_view
from api.schemas.base import Page
from api.schemas.runs import RunRequest, RunView
from api.security import Planner, Viewer
from api.service import Service
from api.store import FINAL_STATES, NotFoundError, RunMode, RunState
from models.plan import PLAN_COLUMNS, Plan

router = APIRouter(prefix="/runs", route_class=Route, tags=["runs"], responses=problems())
WAIT = re.compile(r"(?:^|,)\s*wait\s*=\s*(\d{1,6})\s*(?:,|;|$)")
CSV, PARQUET, JSON = "text/csv", "application/vnd.apache.parquet", "application/json"
Prefer = Annotated[
    str | None, Header(description="wait=N: answer at once if the run ends within N seconds (RFC 7240)", examples=["wait=20"])
]
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": RunView, "description": "Answered from the store"},
    202: {"model": RunView, "description": "Accepted; Location says where to look"},
    **problems(400, 404, 409, 413, 429),
}


@router.post("", status_code=201, responses=ANSWERS)
async def create(
    caller: Planner, service: TheService, asked: RunRequest, response: Response, prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
) -> RunView:  # fmt: skip
    """Ask what changes do: 201 with the answer if it is there within the time that ``Prefer: wait`` allows, else 202."""
    taken = await asyncio.to_thread(service.accept, asked, caller.key_id, idempotency_key)
    return run_view(await awaited(service, taken, prefer, response, "runs"))


async def awaited(service: Service, taken: tuple[Any, bool], prefer: str | None, response: Response, where: str) -> Any:
    """The run of a question, when it has ended or the time that ``Prefer: wait`` allows is over; the response says which, and where it is.

    Args:
        taken: the run, and whether the store had the answer.
        where: resource under which it is found.
    """
    run, stored = taken
    seconds = seconds_of(prefer, service)
    if not stored:
        service.supervisor.ring()
        if seconds:
            run = await ended_within(service, run, seconds)
    if seconds:
        response.headers["Preference-Applied"] = f"wait={seconds:g}"
    response.headers["Location"] = f"/api/v1/{where}/{run.id}"
    response.status_code = 200 if stored else 201 if run.state in FINAL_STATES else 202
    return run


def seconds_of(prefer: str | None, service: Service) -> float:
    """Seconds that a request is willing to wait; at most what the service allows."""
    found = WAIT.search(prefer or "")
    return min(float(found[1]), service.settings.wait_most) if found else 0.0


async def ended_within(service: Service, run: Any, seconds: float) -> Any:
    """The run when it has ended, or after some seconds; at once, if the service ends."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while run.state not in FINAL_STATES and (left := deadline - loop.time()) > 0 and not service.broadcast.closed:
        await service.broadcast.wait_end(run.id, left)
        run = await asyncio.to_thread(service.run, run.id)
    return run


@router.get("", responses=problems(404))
def list_runs(
    caller: Viewer, service: TheService, limit: Limit = 50, cursor: Cursor = None,
    state: Annotated[RunState | None, Query(description="only runs in this state")] = None,
    line: Annotated[str | None, Query(description="only of this plan line")] = None,
    scenario: Annotated[str | None, Query(description="only of this scenario")] = None,
    mode: Annotated[RunMode | None, Query(description="only of this mode; explanations are listed only with mode=explain")] = None,
    study: Annotated[str | None, Query(description="only of this study; runs of studies are listed only so")] = None,
) -> Page[RunView]:  # fmt: skip
    """Runs, newest first; explanations have a list of their own, and are here only if asked for, as are runs of a study."""
    line_id = None if line is None else service.line(line).id
    modes = tuple(one for one in RunMode if one is not RunMode.EXPLAIN) if mode is None else (mode,)
    found = page(
        service.store.runs.list, limit=limit, cursor=cursor, states=() if state is None else (state,), modes=modes, line_id=line_id,
        scenario_id=scenario, study_id=study, of_studies=False,
    )  # fmt: skip
    return Page(items=[run_view(row) for row in found.items], next_cursor=found.next_cursor)


@router.get("/{run}", responses=problems(404))
async def get(caller: Viewer, service: TheService, run: str, response: Response, prefer: Prefer = None) -> RunView:
    """A run, and its answer as far as there is one; with ``Prefer: wait=N`` as soon as it has ended."""
    row = await asyncio.to_thread(service.run, run)
    seconds = seconds_of(prefer, service)
    if seconds and row.state not in FINAL_STATES:
        row = await ended_within(service, row, seconds)
        response.headers["Preference-Applied"] = f"wait={seconds:g}"
    return run_view(row)


@router.post("/{run}/stop", status_code=202, responses=problems(404, 409))
async def stop(caller: Planner, service: TheService, run: str, idempotency_key: IdempotencyKey = None) -> RunView:
    """End a run with the best plan that it has; one that waits still is cancelled."""
    row = await asyncio.to_thread(service.run, run)
    if row.state not in FINAL_STATES:
        await service.supervisor.stop(run)
    return run_view(await asyncio.to_thread(service.run, run))


@router.post("/{run}/kill", status_code=202, responses=problems(404, 409))
async def kill(caller: Planner, service: TheService, run: str, idempotency_key: IdempotencyKey = None) -> RunView:
    """End a run at once, with its process, without an answer."""
    row = await asyncio.to_thread(service.run, run)
    if row.state not in FINAL_STATES:
        await service.supervisor.kill(run)
    return run_view(await asyncio.to_thread(service.run, run))


@router.get(
    "/{run}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}, **problems(404)},
)
async def events(
    caller: Viewer, service: TheService, request: Request, run: str,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", description="number of the last event that came")] = None,
    after: Annotated[int | None, Query(ge=0, le=10**12, description="the same, for clients that can't set headers")] = None,
) -> StreamingResponse:  # fmt: skip
    """What happens to a run, as server-sent events: state, progress, incumbent, end; resumes after the last that came."""
    await asyncio.to_thread(service.run, run)
    begin = after or 0
    if last_event_id is not None:
        if not last_event_id.isdecimal() or len(last_event_id) > 12:
            item = FaultItem(
                pointer="",
                parameter="Last-Event-ID",
                message="must be the number of an event",
                code="bad_event_id",
                value=last_event_id[:80],
            )
            raise ProblemError(422, "bad_event_id", "Last-Event-ID must be the number of an event", [item])
        begin = int(last_event_id)

    async def stored(number: int) -> list[Event]:
        rows = await asyncio.to_thread(service.store.runs.events, run, number)
        return [Event(row.number, row.kind, row.at.isoformat(), row.payload) for row in rows]

    async def ended() -> bool:
        try:
            return (await asyncio.to_thread(service.store.runs.get, run)).state in FINAL_STATES
        except NotFoundError:  # it was deleted meanwhile, as old runs are
            return True

    stream: AsyncIterator[bytes] = service.broadcast.stream(run, begin, stored, ended)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


@router.get("/{run}/plan", responses=problems(404, 409))
def plan(caller: Viewer, service: TheService, run: str) -> dict[str, Any]:
    """The plan: its summary and all of its tables."""
    return whole_plan(service.plan_of(service.run(run)))


def whole_plan(found: Plan) -> dict[str, Any]:
    """A plan's summary and all of its tables, as plain values."""
    return {"summary": found.summary.model_dump(mode="json"), "tables": {name: records(found[name]) for name in PLAN_COLUMNS}}


TABLE: dict[str, Any] = {kind: {} for kind in (JSON, CSV, PARQUET)}


@router.get("/{run}/plan/{table}", response_class=Response, responses={200: {"content": TABLE}, **problems(404, 406, 409)})
def plan_table(caller: Viewer, service: TheService, run: str, table: str, accept: Annotated[str, Header()] = JSON) -> Response:
    """A table of the plan as JSON, CSV or Parquet, by ``Accept``."""
    kind = wanted(accept, (JSON, CSV, PARQUET))
    found = service.plan_of(service.run(run))
    if table not in PLAN_COLUMNS:
        raise ProblemError(404, "unknown_table", f"there is no table {table}; there are {', '.join(PLAN_COLUMNS)}")
    return Response(table_bytes(found[table], kind), media_type=kind)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a frame as plain values; what is missing is null."""
    return [{str(k): None if _missing(v) else v for k, v in row.items()} for row in frame.to_dict("records")]


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and not -float("inf") < value < float("inf"))


def table_bytes(frame: pd.DataFrame, kind: str) -> bytes:
    """A frame as a file."""
    if kind == CSV:
        return frame.to_csv(index=False).encode()
    if kind == PARQUET:
        target = io.BytesIO()
        frame.to_parquet(target, index=False)
        return target.getvalue()
    return frame.to_json(orient="records").encode()

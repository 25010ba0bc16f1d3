"""Explanations of plans: what limits are worth, why something is done or not, and which rules can't hold together."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response

from api import explaining
from api.route import Route
from api.routes.common import Cursor, IdempotencyKey, Limit, TheService, page, problems
from api.routes.runs import Prefer, awaited, ended_within, seconds_of
from api.schemas.base import FaultView, Page
from api.schemas.explanations import ExplanationRequest, ExplanationView
from api.security import Planner, Viewer
from api.store import FINAL_STATES, RunMode, RunState
from optimizer.explain.question import Kind

router = APIRouter(prefix="/explanations", route_class=Route, tags=["explanations"], responses=problems())
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": ExplanationView, "description": "Answered from the store"},
    202: {"model": ExplanationView, "description": "Accepted; Location says where to look"},
    **problems(400, 404, 409, 413, 429),
}


def view_of(run: Any, answer: dict[str, Any] | None = None) -> ExplanationView:
    """An explanation as it is told."""
    known, address = run.answer or {}, f"/api/v1/runs/{run.id}"
    links = {"self": f"/api/v1/explanations/{run.id}", "run": address, "events": f"{address}/events"}
    if run.baseline_run_id is not None:
        links["plan"] = f"/api/v1/runs/{run.baseline_run_id}/plan"
    return ExplanationView.model_validate(
        {
            "id": run.id, "state": run.state, "question": run.ask, "answer": answer, "stop_reason": run.stop_reason,
            "run": run.baseline_run_id, "line": run.line_id, "scenario": run.scenario_id, "dataset": run.dataset_id, "changes": run.changes,
            "sentences": known.get("sentences", []), "warnings": [FaultView.model_validate(w) for w in known.get("warnings", [])],
            "time_limit": run.options["time_limit"], "seed": run.options["seed"], "attempt": run.attempt, "code_version": run.code_version,
            "seconds": known.get("seconds", {}), "warm": known.get("warm"), "problem": run.problem, "created_at": run.created_at,
            "started_at": run.started_at, "stop_asked_at": run.stop_asked_at, "updated_at": run.updated_at, "finished_at": run.finished_at,
            "links": links,
        }
    )  # fmt: skip


@router.post("", status_code=201, responses=ANSWERS)
async def create(
    caller: Planner, service: TheService, asked: Annotated[ExplanationRequest, Body(discriminator="kind")], response: Response,
    prefer: Prefer = None, idempotency_key: IdempotencyKey = None,
) -> ExplanationView:  # fmt: skip
    """Ask about a plan: 201 with the answer if it is there within the time that ``Prefer: wait`` allows, else 202."""
    taken = await asyncio.to_thread(explaining.accept, service, asked, caller.key_id, idempotency_key)
    run = await awaited(service, taken, prefer, response, "explanations")
    return view_of(run, await asyncio.to_thread(explaining.answer_of, service, run))


@router.get("", responses=problems(404))
def list_explanations(
    caller: Viewer, service: TheService, limit: Limit = 50, cursor: Cursor = None,
    run: Annotated[str | None, Query(description="only of the plan of this run")] = None,
    line: Annotated[str | None, Query(description="only of this plan line")] = None,
    kind: Annotated[Kind | None, Query(description="only of this kind")] = None,
    state: Annotated[RunState | None, Query(description="only in this state")] = None,
) -> Page[ExplanationView]:  # fmt: skip
    """Explanations, newest first, without their answers."""
    found = page(
        service.store.runs.list, limit=limit, cursor=cursor, modes=(RunMode.EXPLAIN,), states=() if state is None else (state,),
        line_id=None if line is None else service.line(line).id, baseline_run_id=run, kind=kind,
    )  # fmt: skip
    return Page(items=[view_of(row) for row in found.items], next_cursor=found.next_cursor)


@router.get("/{explanation}", responses=problems(404))
async def get(caller: Viewer, service: TheService, explanation: str, response: Response, prefer: Prefer = None) -> ExplanationView:
    """An explanation, and its answer as soon as there is one; with ``Prefer: wait=N`` as soon as it has ended."""
    row = await asyncio.to_thread(explaining.explanation, service, explanation)
    seconds = seconds_of(prefer, service)
    if seconds and row.state not in FINAL_STATES:
        row = await ended_within(service, row, seconds)
        response.headers["Preference-Applied"] = f"wait={seconds:g}"
    return view_of(row, await asyncio.to_thread(explaining.answer_of, service, row))

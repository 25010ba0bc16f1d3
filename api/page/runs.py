"""Runs: all of them, and one as it goes on and ends."""

from __future__ import annotations

from typing import Annotated, Any

import pandas as pd
from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.page.frame import HEADERS, PageRoute, address, csv, render
from api.page.search import history, picture
from api.page.shown import Shown, TheShown
from api.routes import lines as line_routes
from api.routes import runs as run_routes
from api.routes.common import Cursor, TheService, etag
from api.routes.common import page as page_of
from api.routes.views import run_view
from api.schemas.lines import LineUpdate
from api.schemas.runs import RunView
from api.security import Planner, Viewer
from api.service import Service
from api.store import FINAL_STATES, RunMode, RunState

router = APIRouter(route_class=PageRoute)
SHOWN = 40
"""Runs on a page of the list."""
ROWS_SHOWN = 200
"""Rows of the search's table that are shown; the file has all."""
REASONS = {"gap_reached": "the gap asked is proven", "time_limit": "its time was over", "user_stop": "it was stopped"}


def verdict(run: RunView) -> tuple[str, str]:
    """How good an answer is: a tone (good, warn, bad or none), and words."""
    found, evaluation = run.solution, run.evaluation
    if run.state is RunState.QUEUED:
        return "", "It waits for a solver to be free."
    if run.state in (RunState.RUNNING, RunState.STOPPING):
        return "", "It is being searched." if run.state is RunState.RUNNING else "It ends with the best plan that it has."
    if run.state is RunState.FAILED:
        return "bad", f"It failed: {(run.problem or {}).get('detail', 'the log of the service says why')}."
    if run.state is RunState.CANCELLED:
        return "warn", "It was ended without an answer."
    if run.mode is RunMode.EVALUATE and evaluation is not None:
        count = len(evaluation.violations)
        return ("good", "The plan as it is holds every limit.") if not count else (
            "bad", f"The plan as it is breaks {count} limit{'s' if count > 1 else ''}.")  # fmt: skip
    status = found.status if found is not None else "none"
    why = REASONS.get(found.stop_reason or "", "") if found is not None else ""
    return {
        "optimal": ("good", "Optimal: no plan can be worth more."),
        "within_gap": ("good", "Good enough: the gap asked is proven."),
        "feasible": ("warn", f"The best plan found; the search ended because {why}."),
        "infeasible": ("bad", "No plan can meet every limit; that is proven."),
    }.get(status, ("warn", f"No plan was found; the search ended because {why or 'its time was over'}."))


@router.get("/runs")
def show(
    request: Request, caller: Viewer, service: TheService, shown: TheShown, cursor: Cursor = None,
    state: Annotated[RunState | None, Query()] = None, every: Annotated[bool, Query(alias="all")] = False,
) -> Response:  # fmt: skip
    """Runs of the plan line, newest first."""
    found = _listed(service, shown, cursor, state, every)
    rows = [run_view(row) for row in found.items]
    names = {line.id: line.name for line in shown.lines}
    scenarios = {saved.scenario.id: saved.scenario.name for saved in service.store.scenarios.list(limit=200).items}
    return render(
        request, "runs.html", shown=shown, rows=[(row, *verdict(row)) for row in rows], next=found.next_cursor, state=state, every=every,
        states=list(RunState), names=names, scenarios=scenarios,
    )  # fmt: skip


def _listed(service: Service, shown: Shown, cursor: str | None, state: RunState | None, every: bool, limit: int = SHOWN) -> Any:
    line_id = None if every or shown.line is None else shown.line.id
    modes = tuple(mode for mode in RunMode if mode is not RunMode.EXPLAIN)
    states = () if state is None else (state,)
    return page_of(service.store.runs.list, limit=limit, cursor=cursor, states=states, modes=modes, line_id=line_id, of_studies=False)


@router.get("/runs.csv")
def listed(
    caller: Viewer, service: TheService, shown: TheShown, state: Annotated[RunState | None, Query()] = None,
    every: Annotated[bool, Query(alias="all")] = False,
) -> Response:  # fmt: skip
    """The newest runs as a file."""
    rows = []
    for row in _listed(service, shown, None, state, every, limit=200).items:
        run = run_view(row)
        found = run.solution
        rows.append(
            {"run": run.id, "created_at": run.created_at.isoformat(), "mode": run.mode.value, "changes": "; ".join(run.sentences),
             "state": run.state.value, "status": found and found.status, "npv_usd": found and found.npv_usd,
             "difference_usd": found and found.difference_usd, "bound_usd": found and found.bound_usd, "gap": found and found.gap}
        )  # fmt: skip
    return csv(pd.DataFrame(rows), "runs")


def nav_of(service: Service, line_id: str | None) -> Shown | None:
    """What the links of the navigation are about: the baseline of a run's plan line."""
    if line_id is None:
        return None
    line = service.line(line_id)
    return Shown(service, line, None if line.run_id is None else service.run(line.run_id), chosen=False)


@router.get("/runs/{run}")
def one(request: Request, caller: Viewer, service: TheService, run: str) -> Response:
    """A run: as it goes on, or its answer."""
    row = service.run(run)
    if row.mode is RunMode.EXPLAIN:
        return RedirectResponse(address(f"/explain/{row.id}"), 303, HEADERS)
    view, shown = run_view(row), nav_of(service, row.line_id)
    frame = history(service.store.runs, row.id)
    scenario = None if row.scenario_id is None else service.store.scenarios.list(limit=200).items
    name = next((saved.scenario.name for saved in scenario or () if saved.scenario.id == row.scenario_id), None)
    return render(
        request, "run.html", shown=shown, run=view, verdict=verdict(view), going=row.state not in FINAL_STATES, after=row.last_event,
        picture=picture(frame), search=frame.to_dict("records")[-ROWS_SHOWN:], line=shown.line if shown is not None else None, scenario=name,
        has_plan=row.plan_blob is not None, phase=_last(frame, "phase"), is_baseline=shown is not None and shown.line is not None and shown.line.run_id == row.id,
    )  # fmt: skip


def _last(frame: pd.DataFrame, column: str) -> Any:
    return None if frame.empty else frame[column].iloc[-1]


@router.get("/runs/{run}/search.csv")
def search(caller: Viewer, service: TheService, run: str) -> Response:
    """Both bounds against time as a file."""
    return csv(history(service.store.runs, service.run(run).id), f"search of {run}")


@router.post("/runs/{run}/stop")
async def stop(caller: Planner, service: TheService, run: str) -> Response:
    """End a run with the best plan that it has."""
    await run_routes.stop(caller, service, run)
    return RedirectResponse(address(f"/runs/{run}"), 303, HEADERS)


@router.post("/runs/{run}/kill")
async def kill(caller: Planner, service: TheService, run: str) -> Response:
    """End a run at once, without an answer."""
    await run_routes.kill(caller, service, run)
    return RedirectResponse(address(f"/runs/{run}"), 303, HEADERS)


@router.post("/runs/{run}/baseline")
def baseline(caller: Planner, service: TheService, run: str, version: Annotated[str, Form()]) -> Response:
    """Make a run's plan the baseline of its plan line."""
    row = service.run(run)
    line_routes.update(caller, service, row.line_id or "", LineUpdate(baseline=run), Response(), etag(version))
    return RedirectResponse(address(f"/runs/{run}"), 303, HEADERS)

"""Plan lines: a name with its current baseline."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from api.problems import ProblemError
from api.route import Route
from api.routes.common import Cursor, IdempotencyKey, IfMatch, Limit, TheService, etag, page, problems, version_of
from api.schemas.base import Page
from api.schemas.lines import LineRequest, LineUpdate, LineView
from api.security import Planner, Viewer
from api.service import Service
from api.store import ConflictError, StaleError

router = APIRouter(prefix="/lines", route_class=Route, tags=["plan lines"], responses=problems())


def view_of(row: Any) -> LineView:
    """A plan line as it is told."""
    return LineView(
        id=row.id, name=row.name, dataset=row.dataset_id, baseline=row.run_id, changes=row.changes, version=row.version,
        created_at=row.created_at, updated_at=row.updated_at,
    )  # fmt: skip


def planned(service: Service, id: str) -> Any:
    """A run whose plan can be a baseline.

    Raises:
        ProblemError: there is no such run, it has no plan, or may find a better one.
    """
    run = service.run(id, "/baseline")
    if run.plan_blob is None:
        raise ProblemError(409, "no_plan", f"run {id} has no plan that could be a baseline")
    return service.ended(run)


@router.post("", status_code=201, responses=problems(400, 404, 409, 413))
def create(
    caller: Planner, service: TheService, asked: LineRequest, response: Response, idempotency_key: IdempotencyKey = None
) -> LineView:
    """A new plan line."""
    service.dataset(asked.dataset, "/dataset")
    if asked.baseline is not None and planned(service, asked.baseline).dataset_id != asked.dataset:
        raise ProblemError(409, "other_dataset", f"the plan of run {asked.baseline} is of another dataset")
    contained = () if asked.baseline is None else service.store.runs.changes_in(asked.baseline)
    try:
        row = service.store.lines.create(asked.name, asked.dataset, asked.baseline, contained)
    except ConflictError as error:
        raise ProblemError(409, "name_taken", str(error)) from None
    response.headers["Location"], response.headers["ETag"] = f"/api/v1/lines/{row.id}", etag(row.version)
    return view_of(row)


@router.get("", responses=problems(422))
def list_lines(caller: Viewer, service: TheService, limit: Limit = 50, cursor: Cursor = None) -> Page[LineView]:
    """Plan lines, newest first."""
    found = page(service.store.lines.list, limit=limit, cursor=cursor)
    return Page(items=[view_of(row) for row in found.items], next_cursor=found.next_cursor)


@router.get("/{line}", responses=problems(404))
def get(caller: Viewer, service: TheService, line: str, response: Response) -> LineView:
    """A plan line, by its id or name."""
    row = service.line(line)
    response.headers["ETag"] = etag(row.version)
    return view_of(row)


@router.patch("/{line}", responses=problems(400, 404, 409, 412, 413, 428))
def update(caller: Planner, service: TheService, line: str, asked: LineUpdate, response: Response, if_match: IfMatch = None) -> LineView:
    """Give a plan line another name or baseline."""
    row = service.line(line)
    run = None if asked.baseline is None else planned(service, asked.baseline)
    changes: dict[str, Any] = {}
    if run is not None:
        changes = {"run_id": run.id, "dataset_id": run.dataset_id, "changes": service.store.runs.changes_in(run.id)}
    if asked.name is not None:
        changes["name"] = asked.name
    try:
        row = service.store.lines.update(row.id, version_of(if_match), **changes)
    except StaleError as error:
        raise ProblemError(412, "stale", str(error)) from None
    except ConflictError as error:
        raise ProblemError(409, "name_taken", str(error)) from None
    response.headers["ETag"] = etag(row.version)
    return view_of(row)

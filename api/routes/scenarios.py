"""Scenarios: ordered changes of a plan line or of another scenario; each save is a revision."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.problems import ProblemError
from api.route import Route
from api.routes.common import Cursor, IdempotencyKey, IfMatch, Limit, TheService, etag, page, problems, version_of
from api.schemas.base import Page
from api.schemas.lines import RevisionRequest, RevisionView, ScenarioRequest, ScenarioView
from api.security import Planner, Viewer
from api.store import ConflictError, Saved, StaleError

router = APIRouter(prefix="/scenarios", route_class=Route, tags=["scenarios"], responses=problems())


def view_of(saved: Saved) -> ScenarioView:
    """A scenario as it is told."""
    row, revision = saved.scenario, saved.revision
    return ScenarioView(
        id=row.id, name=row.name, line=row.parent_line_id, parent=row.parent_scenario_id, version=row.version, revision=revision.revision,
        changes=revision.changes, note=revision.note, created_at=row.created_at, updated_at=row.updated_at,
    )  # fmt: skip


@router.post("", status_code=201, responses=problems(400, 404, 409, 413))
def create(
    caller: Planner, service: TheService, asked: ScenarioRequest, response: Response, idempotency_key: IdempotencyKey = None
) -> ScenarioView:
    """A new scenario; its changes have to be possible."""
    base = service.of_line(asked.line, "/line") if asked.line is not None else service.of_scenario(asked.parent or "", "/parent")
    service.check_scenario(base, asked.changes, "/parent")
    try:
        row = service.store.scenarios.create(
            asked.name, line_id=base.line if asked.parent is None else None, scenario_id=asked.parent, changes=asked.changes, note=asked.note,
            created_by=caller.key_id,
        )  # fmt: skip
    except ConflictError as error:
        raise ProblemError(409, "name_taken", str(error)) from None
    response.headers["Location"], response.headers["ETag"] = f"/api/v1/scenarios/{row.scenario.id}", etag(row.scenario.version)
    return view_of(row)


@router.get("", responses=problems(422))
def list_scenarios(caller: Viewer, service: TheService, limit: Limit = 50, cursor: Cursor = None) -> Page[ScenarioView]:
    """Scenarios, newest first."""
    found = page(service.store.scenarios.list, limit=limit, cursor=cursor)
    return Page(items=[view_of(row) for row in found.items], next_cursor=found.next_cursor)


@router.get("/{scenario}", responses=problems(404))
def get(caller: Viewer, service: TheService, scenario: str, response: Response) -> ScenarioView:
    """A scenario with its current changes."""
    row = service.scenario(scenario)
    response.headers["ETag"] = etag(row.scenario.version)
    return view_of(row)


@router.get("/{scenario}/revisions", responses=problems(404))
def revisions(caller: Viewer, service: TheService, scenario: str, limit: Limit = 50, cursor: Cursor = None) -> Page[RevisionView]:
    """All that a scenario ever was, the latest first."""
    service.scenario(scenario)
    found = page(service.store.scenarios.revision_page, id=scenario, limit=limit, cursor=cursor)
    items = [
        RevisionView(revision=r.revision, changes=r.changes, note=r.note, created_at=r.created_at, created_by=r.created_by)
        for r in found.items
    ]
    return Page(items=items, next_cursor=found.next_cursor)


@router.post("/{scenario}/revisions", status_code=201, responses=problems(400, 404, 409, 412, 413, 428))
def revise(
    caller: Planner, service: TheService, scenario: str, asked: RevisionRequest, response: Response, if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> ScenarioView:  # fmt: skip
    """Give a scenario other changes; the ones before stay as a revision."""
    parent = service.scenario(scenario).scenario
    version = version_of(if_match)
    base = service.of_line(parent.parent_line_id) if parent.parent_line_id else service.of_scenario(parent.parent_scenario_id or "")
    service.check_scenario(base, asked.changes)
    try:
        row = service.store.scenarios.revise(scenario, version, changes=asked.changes, note=asked.note, created_by=caller.key_id)
    except StaleError as error:
        raise ProblemError(412, "stale", str(error)) from None
    response.headers["ETag"] = etag(row.scenario.version)
    return view_of(row)


@router.delete("/{scenario}", status_code=204, responses=problems(404, 409, 412, 428))
def delete(caller: Planner, service: TheService, scenario: str, if_match: IfMatch = None) -> Response:
    """Delete a scenario on which no other stands; its runs stay."""
    service.scenario(scenario)
    try:
        service.store.scenarios.delete(scenario, version_of(if_match))
    except StaleError as error:
        raise ProblemError(412, "stale", str(error)) from None
    except ConflictError as error:
        raise ProblemError(409, "in_use", str(error)) from None
    return Response(status_code=204)

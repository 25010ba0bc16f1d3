"""Studies: many what-ifs of one plan, carried out as runs, and what they say together."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from api.exports import key_of
from api.route import Route
from api.routes.common import Cursor, IdempotencyKey, Limit, TheService, page, problems
from api.routes.datasets import wanted
from api.routes.exports import HEADERS, HTML
from api.routes.runs import CSV, JSON, PARQUET, TABLE, table_bytes
from api.schemas.base import Page
from api.schemas.studies import StudyCounts, StudyRequest, StudyState, StudyView
from api.security import Planner, Viewer
from api.service import Service
from api.store import OPEN_STATES, RunState

router = APIRouter(prefix="/studies", route_class=Route, tags=["studies"], responses=problems())


def view_of(service: Service, row: Any) -> StudyView:
    """A study as it is told."""
    counts = service.store.studies.counts(row.id)
    under_way = sum(counts[state] for state in OPEN_STATES)
    ended = {state.value: counts[state] for state in (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)}
    address = f"/api/v1/studies/{row.id}"
    links = {
        "self": address,
        "runs": f"/api/v1/runs?study={row.id}",
        **{name: f"{address}/{name}" for name in ("findings", "report", "table")},
    }
    return StudyView(
        id=row.id, name=row.name, state=_state(row, under_way), mode=row.document["mode"], gap=row.options["gap"],
        runs=StudyCounts(planned=row.planned, made=sum(counts.values()), open=under_way, **ended),
        time_limit=row.options["time_limit"], seed=row.options["seed"], base_dataset=row.base_dataset_id, baseline=row.baseline_run_id,
        line=row.line_id, scenarios=row.document["scenarios"], code_version=row.code_version, created_at=row.created_at,
        stop_asked_at=row.stop_asked_at, links=links,
    )  # fmt: skip


def _state(row: Any, under_way: int) -> StudyState:
    """Where it stands; one whose runs had all been made before it was stopped is done."""
    if row.made >= row.planned and not under_way:
        return StudyState.DONE
    if row.stop_asked_at is not None:
        return StudyState.STOPPING if under_way else StudyState.STOPPED
    return StudyState.RUNNING


@router.post("", status_code=202, responses=problems(400, 404, 409, 413, 429))
async def create(
    caller: Planner, service: TheService, asked: StudyRequest, response: Response, idempotency_key: IdempotencyKey = None
) -> StudyView:
    """Begin a study; its runs are made as there is room for them, and what is asked one by one goes first."""
    row = await asyncio.to_thread(service.studies.accept, asked, caller.key_id, idempotency_key)
    service.supervisor.ring()
    response.headers["Location"] = f"/api/v1/studies/{row.id}"
    return await asyncio.to_thread(view_of, service, row)


@router.get("", responses=problems(404))
def list_studies(
    caller: Viewer, service: TheService, limit: Limit = 50, cursor: Cursor = None,
    line: Annotated[str | None, Query(description="only of this plan line")] = None,
) -> Page[StudyView]:  # fmt: skip
    """Studies, newest first."""
    found = page(service.store.studies.list, limit=limit, cursor=cursor, line_id=None if line is None else service.line(line).id)
    return Page(items=[view_of(service, row) for row in found.items], next_cursor=found.next_cursor)


@router.get("/{study}", responses=problems(404))
def get(caller: Viewer, service: TheService, study: str) -> StudyView:
    """A study and how far it is."""
    return view_of(service, service.studies.study(study))


@router.post("/{study}/stop", status_code=202, responses=problems(404, 409))
async def stop(caller: Planner, service: TheService, study: str, idempotency_key: IdempotencyKey = None) -> StudyView:
    """Make no more runs, and end those under way with the best plans that they have; what has ended counts."""
    await asyncio.to_thread(service.studies.study, study)
    await service.studies.stop(study)
    return await asyncio.to_thread(lambda: view_of(service, service.studies.study(study)))


@router.get("/{study}/findings", responses=problems(404, 409))
def findings(caller: Viewer, service: TheService, study: str) -> dict[str, Any]:
    """What the runs that have ended say together: summary.json of docs/studies.md."""
    found: dict[str, Any] = _finite(service.studies.findings(service.studies.study(study)).document())
    return found


@router.get(
    "/{study}/report",
    response_class=Response,
    responses={200: {"content": {HTML: {"schema": {"type": "string"}}}}, **problems(404, 409, 429)},
)
async def report(caller: Viewer, service: TheService, study: str) -> Response:
    """The report of the runs that have ended, as one HTML file that loads nothing."""
    row = await asyncio.to_thread(service.studies.study, study)
    found = await asyncio.to_thread(service.studies.findings, row)

    def drawn() -> bytes:
        from batch.study.report import report_html  # loads the pictures

        return report_html(found).encode()

    async def make() -> bytes:
        return await asyncio.to_thread(drawn)

    made = await service.exports.get(key_of("study", row.id, str(found.ended), row.code_version), make)
    headers = {"Content-Disposition": f'attachment; filename="study-{row.id}.html"', **HEADERS}
    return Response(made, media_type=HTML, headers=headers)


@router.get("/{study}/table", response_class=Response, responses={200: {"content": TABLE}, **problems(404, 406, 409)})
def table(caller: Viewer, service: TheService, study: str, accept: Annotated[str, Header()] = JSON) -> Response:
    """One row for each run that has ended (study.parquet of docs/studies.md) as JSON, CSV or Parquet, by ``Accept``."""
    kind = wanted(accept, (JSON, CSV, PARQUET))
    return Response(table_bytes(service.studies.findings(service.studies.study(study)).runs, kind), media_type=kind)


def _finite(value: Any) -> Any:
    """Plain values; numbers that JSON does not have become null."""
    if isinstance(value, float):
        return value if -float("inf") < value < float("inf") else None
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, (list, tuple)) else value

"""Datasets: immutable, addressed by the hash of their content."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from api import uploads
from api.problems import UNSTORABLE, FaultItem, ProblemError, bad_character, faults_problem, unstorable
from api.route import Route
from api.routes.common import Cursor, IdempotencyKey, IfNoneMatch, Limit, TheService, etag, page, problems
from api.routes.rows import plain, row_changes
from api.schemas.base import FaultView, Page
from api.schemas.datasets import DatasetDiff, DatasetView, TableView
from api.security import Planner, Viewer
from api.store.datasets import contents_of
from models.changes import touched
from models.dataset import COLUMNS, Dataset
from models.faults import DatasetError
from models.files.archive import archive_bytes
from models.files.json_file import json_bytes
from models.files.workbook import workbook_bytes

router = APIRouter(prefix="/datasets", route_class=Route, tags=["datasets"], responses=problems())
SUSPECT = re.compile(rb"\\u(0000|[dD][89a-fA-F])")
"""How JSON may write what can't be stored."""
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            uploads.JSON: {"schema": {"type": "object", "description": "settings under dataset, then a list of rows for each table"}},
            uploads.WORKBOOK: {"schema": {"type": "string", "format": "binary"}},
            uploads.ZIP: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.post(
    "",
    status_code=201,
    openapi_extra=BODY,
    responses={200: {"model": DatasetView, "description": "It was there already"}, **problems(400, 409, 413, 415)},
)
async def create(
    caller: Planner, service: TheService, request: Request, response: Response,
    content_type: Annotated[str, Header(include_in_schema=False)] = uploads.JSON, idempotency_key: IdempotencyKey = None,
) -> DatasetView:  # fmt: skip
    """Send a dataset as JSON, as a workbook, or as a zip file of its folder."""
    if uploads.media_type(content_type) not in uploads.ENDINGS:
        raise ProblemError(415, "unknown_content", f"a dataset comes as {', '.join(uploads.ENDINGS)} (found {content_type})")
    data = await request.body()
    try:
        dataset = await asyncio.to_thread(_readable, content_type, data)
    except DatasetError as error:
        many = len(error.faults)
        said = f"{many} faults; the first" if many > 1 else "a fault"
        raise faults_problem(422, "bad_dataset", f"the dataset has {said}: {error.faults[0]}", error.faults) from None
    known = await asyncio.to_thread(service.known, dataset.sha256)
    row = await asyncio.to_thread(service.keep, dataset, caller.key_id)
    response.status_code = 200 if known else 201
    response.headers["Location"] = f"/api/v1/datasets/{dataset.sha256}"
    response.headers["ETag"] = etag(dataset.sha256)
    return view_of(row, dataset)


def _readable(content_type: str, data: bytes) -> Dataset:
    """The dataset of a request's body, if all of its text can be stored.

    Raises:
        DatasetError: it has faults.
        ProblemError: 422, it has a character that can't be stored.
    """
    item: FaultItem | None = None
    if uploads.media_type(content_type) == uploads.JSON and SUSPECT.search(data) is not None:
        with suppress(ValueError, RecursionError):  # what is no JSON is told by whoever reads it
            item = unstorable(json.loads(data))
    dataset = None if item is not None else uploads.read(content_type, data)
    if dataset is not None and (found := UNSTORABLE.search(dataset.name)) is not None:
        item = bad_character(found[0], pointer="/dataset/name")
    if item is not None or dataset is None:
        raise ProblemError(422, "bad_character", "the dataset has a character that is allowed nowhere", [] if item is None else [item])
    return dataset


def view_of(row: Any, dataset: Dataset | None = None) -> DatasetView:
    """A dataset as it is told.

    Args:
        dataset: its content; what the store knows of it, if not given.
    """
    if dataset is not None:
        told = contents_of(dataset)
    elif row.tables is not None:
        told = {"tables": row.tables, "warnings": row.warnings or []}
    else:
        told = {"tables": {}, "warnings": [{"pointer": "", "message": "its content can't be read", "code": "unreadable"}]}
    return DatasetView(
        id=row.id, name=row.name, created_at=row.created_at, periods=row.periods, sites=row.sites, size_bytes=row.size_bytes,
        tables=told["tables"], warnings=[FaultView.model_validate(warning) for warning in told["warnings"]],
    )  # fmt: skip


@router.get("", responses=problems(422))
def list_datasets(caller: Viewer, service: TheService, limit: Limit = 50, cursor: Cursor = None) -> Page[DatasetView]:
    """Datasets, newest first; their content is not read for it."""
    found = page(service.store.datasets.list, limit=limit, cursor=cursor)
    return Page(items=[view_of(row) for row in found.items], next_cursor=found.next_cursor)


FORMATS = {
    uploads.JSON: json_bytes,
    uploads.WORKBOOK: workbook_bytes,
    uploads.ZIP: archive_bytes,
}


@router.get("/{dataset}", responses={304: {"description": "It is the same"}, **problems(404)})
def get(caller: Viewer, service: TheService, dataset: str, response: Response, if_none_match: IfNoneMatch = None) -> DatasetView:
    """A dataset: its name, size, tables and warnings."""
    found = service.dataset(dataset)
    response.headers["ETag"] = etag(dataset)
    if if_none_match == etag(dataset):
        response.status_code = 304
    return view_of(service.store.datasets.get(dataset), found)


@router.get(
    "/{dataset}/content", response_class=Response, responses={200: {"content": {kind: {} for kind in FORMATS}}, **problems(404, 406)}
)
def content(caller: Viewer, service: TheService, dataset: str, accept: Annotated[str, Header()] = uploads.JSON) -> Response:
    """All of a dataset, as JSON, workbook or zip file by ``Accept``."""
    kind = wanted(accept, tuple(FORMATS))
    return Response(FORMATS[kind](service.dataset(dataset)), media_type=kind, headers={"ETag": etag(dataset)})


@router.get("/{dataset}/tables/{table}", responses=problems(404))
def table(caller: Viewer, service: TheService, dataset: str, table: str) -> TableView:
    """Rows of a table."""
    found = service.dataset(dataset)
    if table not in COLUMNS:
        raise ProblemError(404, "unknown_table", f"there is no table {table}; there are {', '.join(COLUMNS)}")
    columns = COLUMNS[table]
    rows = [{c.name: plain(getattr(row, c.field)) for c in columns} for row in found.table_rows(table)]
    return TableView(dataset=dataset, table=table, columns=[c.name for c in columns], rows=rows)


@router.get("/{dataset}/diff/{other}", responses=problems(404))
def diff(caller: Viewer, service: TheService, dataset: str, other: str) -> DatasetDiff:
    """Rows in which another dataset differs."""
    return DatasetDiff(before=dataset, after=other, rows=row_changes(touched(service.dataset(dataset), service.dataset(other))))


def wanted(accept: str, offered: tuple[str, ...]) -> str:
    """The first kind of content of those offered that a client accepts, by its own order of preference.

    Raises:
        ProblemError: 406, it accepts none.
    """
    asked: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept.split(",")):
        kind, _, rest = part.strip().partition(";")
        quality = next((p.strip()[2:] for p in rest.split(";") if p.strip().startswith("q=")), "1")
        try:
            asked.append((-float(quality), place, kind.strip().lower()))
        except ValueError:
            continue
    for rank, _, kind in sorted(asked):
        for one in offered:
            if rank < 0 and (kind in (one, "*/*") or (kind.endswith("/*") and one.startswith(kind[:-1]))):
                return one
    raise ProblemError(406, "not_acceptable", f"there are {', '.join(offered)} (asked for {accept[:100]})")

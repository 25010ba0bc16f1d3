"""Plans as files to take away: the plan's folder, a workbook, a report, or JSON."""

from __future__ import annotations

import asyncio
import json
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from api import uploads
from api.exports import key_of
from api.problems import ProblemError
from api.route import Route
from api.routes.common import IfNoneMatch, TheService, etag, problems
from api.routes.datasets import wanted
from api.routes.runs import whole_plan
from api.security import Viewer
from api.service import Service
from api.version import VERSION
from batch.exporting import ExportError, ExportFormat, exported
from models.faults import StorageError

router = APIRouter(prefix="/runs", route_class=Route, tags=["exports"], responses=problems())
HTML = "text/html"


class Format(StrEnum):
    """Forms of a plan."""

    JSON = "json"
    ZIP = "zip"
    XLSX = "xlsx"
    HTML = "html"


KINDS = {Format.JSON: uploads.JSON, Format.ZIP: uploads.ZIP, Format.XLSX: uploads.WORKBOOK, Format.HTML: HTML}
BINARY = {"schema": {"type": "string", "format": "binary"}}
CONTENT: dict[str, Any] = {
    uploads.JSON: {"schema": {"type": "object"}},
    uploads.ZIP: BINARY,
    uploads.WORKBOOK: BINARY,
    HTML: {"schema": {"type": "string"}},
}
HEADERS = {"Content-Security-Policy": "sandbox allow-scripts", "X-Content-Type-Options": "nosniff"}
"""A report that a browser opens runs its scripts as a stranger to the service."""


@router.get(
    "/{run}/export",
    response_class=Response,
    responses={200: {"content": CONTENT}, 304: {"description": "It is the same"}, **problems(404, 406, 409, 429, 503)},
)
async def export(
    caller: Viewer, service: TheService, run: str,
    format: Annotated[
        Format | None,
        Query(
            description="json: summary and tables; zip: the plan's folder with its dataset and baseline, as every command takes it; xlsx: a "
            "workbook for people, with charts; html: the report with its pictures; by Accept, if not given"
        ),
    ] = None,
    baseline: Annotated[str | None, Query(description="id of a run whose plan it is compared with; the run's own baseline, if not given")] = None,
    accept: Annotated[str, Header()] = uploads.JSON, if_none_match: IfNoneMatch = None,
) -> Response:  # fmt: skip
    """The plan as a file. Workbook and report take seconds at first: they are made one at a time, in a process of their own, and kept."""
    kind = KINDS[format] if format is not None else wanted(accept, tuple(KINDS.values()))
    form = next(form for form, one in KINDS.items() if one == kind)
    row = await asyncio.to_thread(service.run, run)
    plan = await asyncio.to_thread(service.plan_of, row)
    other = await asyncio.to_thread(_baseline, service, row, baseline)
    compared = ("", "") if other is None else (other.plan_blob, other.dataset_id)
    key = key_of(form, row.plan_blob, row.dataset_id, *compared, VERSION)
    headers = {"ETag": etag(key), "Content-Disposition": f'attachment; filename="{row.id}.{form}"', **HEADERS}
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers={"ETag": headers["ETag"]})
    if form is Format.JSON:
        data = await asyncio.to_thread(lambda: json.dumps(whole_plan(plan), allow_nan=False).encode())
    else:
        data = await service.exports.get(key, partial(_made, service, ExportFormat(form), row, other))
    return Response(data, media_type=kind, headers=headers)


def _baseline(service: Service, run: Any, given: str | None) -> Any | None:
    """The run to compare with, if there is one.

    Raises:
        ProblemError: 404, there is none of this id; 409, it has no plan.
    """
    if given is not None:
        other = service.run(given)
        service.plan_of(other)
        return other
    other = None if run.baseline_run_id is None else service.run(run.baseline_run_id)
    return None if other is None or other.plan_blob is None else other


async def _made(service: Service, format: ExportFormat, run: Any, other: Any | None) -> bytes:
    """A file that is not kept.

    Raises:
        ProblemError: 409, the plan can't be written so; 503, it could not be made now.
    """

    def read() -> tuple[Any, ...]:
        own = service.plan_of(run), service.dataset(run.dataset_id)
        return own if other is None else (*own, service.plan_of(other), service.dataset(other.dataset_id))

    try:
        return await exported(format, *await asyncio.to_thread(read))
    except ExportError as error:
        if error.fault:
            raise ProblemError(409, "not_exportable", f"the plan can't be written as {format}: {error}") from None
        raise _failed(str(error)) from None
    except StorageError as error:  # a full disk
        raise _failed(str(error)) from None
    except OSError as error:  # not even room for a folder to make it in
        raise _failed((error.strerror or str(error)).lower()) from None


def _failed(why: str) -> ProblemError:
    """An export that was not made, and may be later."""
    return ProblemError(503, "export_failed", f"the export was not made: {why}", headers={"Retry-After": "10"})

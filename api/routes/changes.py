"""Types of changes, and changes looked at before they are saved."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.route import Route
from api.routes.common import TheService, problems
from api.routes.rows import row_changes
from api.schemas.base import FaultView
from api.schemas.lines import PreviewRequest, PreviewView
from api.security import Viewer
from api.service import Base
from models.changes import change_types, touched

router = APIRouter(route_class=Route, tags=["changes"], responses=problems())


@router.get("/change-types", responses=problems(404))
def list_types(
    caller: Viewer, service: TheService, dataset: Annotated[str | None, Query(description="for its words of periods")] = None
) -> list[dict[str, Any]]:
    """Every type of change: JSON schema, form hint, example and sentence."""
    return change_types(None if dataset is None else service.dataset(dataset))


@router.post("/changes/preview", responses=problems(400, 404, 409, 413))
def preview(caller: Viewer, service: TheService, asked: PreviewRequest) -> PreviewView:
    """What changes would do to the dataset: sentences, warnings and rows; nothing is saved or solved."""
    if asked.dataset is not None:
        service.dataset(asked.dataset, "/dataset")
        base = Base(asked.dataset)
    else:
        base = service.of_line(asked.line, "/line") if asked.line is not None else service.of_scenario(asked.parent or "", "/parent")
    told = [FaultView.model_validate(warning) for warning in service.warnings_of(base, "/parent")]
    applied = service.changed(base, asked.changes, "/parent")
    return PreviewView(
        base_dataset=base.dataset, dataset=applied.dataset.sha256, sentences=list(applied.sentences),
        warnings=[*told, *(FaultView(pointer=w.pointer, message=w.problem, code=w.code) for w in applied.warnings)],
        rows=row_changes(touched(service.dataset(base.dataset), applied.dataset)),
    )  # fmt: skip

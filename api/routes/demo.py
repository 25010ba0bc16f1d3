"""Ready request bodies to try the service with."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api.route import Route
from api.routes.common import TheService, problems
from api.schemas.base import Told
from api.security import Viewer
from api.store import RunMode
from models.changes import CHANGES, ChangeError, apply, read_changes

router = APIRouter(route_class=Route, tags=["demo"], responses=problems())


class Demo(Told):
    """A request that can be sent as it is."""

    title: str
    method: str
    path: str
    body: dict[str, Any]


@router.get("/demo-data")
def demo_data(caller: Viewer, service: TheService) -> list[Demo]:
    """For every type of change whose example fits the dataset of the newest plan line: a question that can be sent as it is."""
    lines = service.store.lines.list(limit=1).items
    if not lines:
        return []
    dataset, found = service.dataset(lines[0].dataset_id), []
    mode = RunMode.PLAN if lines[0].run_id is None else RunMode.REPAIR  # without a baseline there is nothing to repair
    for name, kind in CHANGES.items():
        try:
            changes = read_changes([kind.example])
            applied = apply(dataset, changes)
        except ChangeError:
            continue  # the example speaks of another dataset, or needs a plan
        body = {"line": lines[0].name, "mode": mode.value, "changes": [kind.example], "gap": 0.01, "time_limit": 60}
        found.append(Demo(title=applied.sentences[0] or name, method="POST", path="/api/v1/runs", body=body))
    return found

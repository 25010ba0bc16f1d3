"""What differs between two runs."""

from __future__ import annotations

from fastapi import APIRouter

from api.route import Route
from api.routes.common import TheService, problems
from api.routes.rows import row_changes
from api.schemas.diffs import RunDiff
from api.security import Viewer
from optimizer.explain.difference import difference

router = APIRouter(prefix="/diffs", route_class=Route, tags=["diffs"], responses=problems())


@router.get("/{before}/{after}", responses=problems(404, 409))
def get(caller: Viewer, service: TheService, before: str, after: str) -> RunDiff:
    """What the plan of one run has that the plan of another had not: inputs, NPV term by term, key figures, moves, limits."""
    one, two = service.run(before), service.run(after)
    plans = service.plan_of(one), service.plan_of(two)
    found = dict(vars(difference(*plans, service.dataset(one.dataset_id), service.dataset(two.dataset_id))))
    return RunDiff(before=one.id, after=two.id, dataset=row_changes(found.pop("rows")), **found)

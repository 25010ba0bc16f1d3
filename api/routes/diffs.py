"""What differs between two runs: NPV term by term, and the decisions."""

from __future__ import annotations

from fastapi import APIRouter

from api.route import Route
from api.routes.common import TheService, problems
from api.routes.rows import row_changes
from api.schemas.diffs import RunDiff, TermDiff
from api.security import Viewer
from models.changes import touched
from models.plan_views import compare

router = APIRouter(prefix="/diffs", route_class=Route, tags=["diffs"], responses=problems())


@router.get("/{before}/{after}", responses=problems(404, 409))
def get(caller: Viewer, service: TheService, before: str, after: str) -> RunDiff:
    """What the plan of one run has that the plan of another had not."""
    one, two = service.run(before), service.run(after)
    old, new = service.plan_of(one), service.plan_of(two)
    found = compare(new, old)
    return RunDiff(
        before=one.id, after=two.id, npv_before_usd=found.baseline_npv_usd, npv_after_usd=found.npv_usd, difference_usd=found.uplift_usd,
        terms=[
            TermDiff(term=row["term"], before_usd=row["baseline_npv_usd"], after_usd=row["npv_usd"], difference_usd=row["uplift_usd"])
            for row in found.terms.to_dict("records")
        ],
        dataset=row_changes(touched(service.dataset(one.dataset_id), service.dataset(two.dataset_id))),
    )  # fmt: skip

"""A run as it is told."""

from __future__ import annotations

from typing import Any

from api.schemas.base import FaultView
from api.schemas.runs import EvaluationView, RunView, SolutionView
from api.store import RunMode


def run_view(run: Any) -> RunView:
    """A run and its answer."""
    answer, address = run.answer or {}, f"/api/v1/runs/{run.id}"
    links = {"self": address, "events": f"{address}/events"}
    if run.plan_blob is not None:
        links["plan"] = f"{address}/plan"
    if run.baseline_run_id is not None:
        links["baseline"] = f"/api/v1/runs/{run.baseline_run_id}"
    if run.study_id is not None:
        links["study"] = f"/api/v1/studies/{run.study_id}"
    if run.mode is RunMode.EXPLAIN:
        links["explanation"] = f"/api/v1/explanations/{run.id}"
    evaluation = answer.get("evaluation")
    return RunView(
        id=run.id, state=run.state, mode=run.mode, solution=_solution(run, answer),
        evaluation=None if evaluation is None else EvaluationView.model_validate(evaluation),
        sentences=answer.get("sentences", []), warnings=[FaultView.model_validate(w) for w in answer.get("warnings", [])],
        base_dataset=run.base_dataset_id, dataset=run.dataset_id, baseline=run.baseline_run_id, line=run.line_id, scenario=run.scenario_id,
        revision=run.revision, study=run.study_id, changes=run.changes, most=run.options.get("most", {}), gap=run.options["gap"], time_limit=run.options["time_limit"], seed=run.options["seed"],
        attempt=run.attempt, code_version=run.code_version, summary=answer.get("summary"), seconds=answer.get("seconds", {}),
        warm=answer.get("warm"), problem=run.problem, created_at=run.created_at, started_at=run.started_at,
        stop_asked_at=run.stop_asked_at, updated_at=run.updated_at, finished_at=run.finished_at, links=links,
    )  # fmt: skip


def _solution(run: Any, answer: dict[str, Any]) -> SolutionView | None:
    """What was found; the best so far of a run that goes on."""
    if run.solution_status is None and run.npv_usd is None and run.bound_usd is None:
        return None
    summary = answer.get("summary") or {}
    audit = summary.get("audit") or {}
    return SolutionView(
        status=run.solution_status or ("feasible" if run.npv_usd is not None else "none"), stop_reason=run.stop_reason, npv_usd=run.npv_usd,
        bound_usd=run.bound_usd, gap=run.gap, bound_certified_usd=summary.get("bound_certified_usd"),
        difference_usd=answer.get("difference_usd"), audit_passed=audit.get("passed"), conflicts=answer.get("conflicts", []),
    )  # fmt: skip

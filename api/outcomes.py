"""What the engine has found, as the store keeps it of a run."""

from __future__ import annotations

from typing import Any

from api.store import NO_SOLUTION, RunMode, RunState
from batch.engine.job import Failure
from models.plan import SolutionStatus, Summary, relative_gap, status_of


def is_first_plan(run: Any) -> bool:
    """Whether the plan of a run can be the first baseline of a plan line: of the dataset as it is, and held to nothing else."""
    asked = run.mode is RunMode.PLAN and not run.changes and not run.options.get("most")
    return asked and run.state is RunState.SUCCEEDED and run.plan_blob is not None


def answer_of(run: Any, outcome: dict[str, Any]) -> dict[str, Any]:
    """What is stored of an answer: what was known when it was asked, and what was found; warnings of the service's own stay."""
    known = run.answer or {}
    found = {name: value for name, value in outcome.items() if name not in ("failure", "dataset")}
    if "warnings" in found:
        found["warnings"] = [*known.get("own_warnings", []), *found["warnings"]]
    return {**known, **found}


def figures_of(state: RunState, outcome: dict[str, Any]) -> dict[str, Any]:
    """Status, reason and figures of what was found, as the store has them."""
    nothing = {"solution_status": None, "stop_reason": None, "npv_usd": None, "bound_usd": None, "gap": None}
    if state is not RunState.SUCCEEDED:
        return nothing
    summary = outcome.get("summary")
    if summary is not None:
        names = ("stop_reason", "npv_usd", "bound_usd", "gap")
        return {"solution_status": summary["status"], **{name: summary[name] for name in names}}
    kind = (outcome.get("failure") or {}).get("kind")
    status = SolutionStatus.INFEASIBLE.value if kind == Failure.INFEASIBLE else None
    if kind == Failure.NO_PLAN or outcome.get("from_checkpoint"):
        status = NO_SOLUTION
    return {**nothing, "solution_status": status, "stop_reason": outcome.get("stop_reason")}


def with_kept(run: Any, kept: Summary, outcome: dict[str, Any]) -> dict[str, Any]:
    """What an attempt has found, with the better plan of an earlier one that the store has kept.

    Args:
        run: its row, with figures of that plan.
        kept: summary of that plan.
        outcome: of the engine, without the plan.
    """
    summary = outcome.get("summary") or {}
    # The attempts have asked the same, so that a bound of either holds for both.
    bounds = [bound for bound in (run.bound_usd, kept.bound_usd, summary.get("bound_usd")) if bound is not None]
    bound = max(min(bounds), run.npv_usd) if bounds else None
    gap = None if bound is None else relative_gap(bound, run.npv_usd)
    status = SolutionStatus.FEASIBLE if gap is None else status_of(gap, run.options["gap"] or 0.0)
    told = {
        **kept.model_dump(mode="json"), "npv_usd": run.npv_usd, "bound_usd": bound, "gap": gap, "status": status.value,
        "stop_reason": summary.get("stop_reason") or outcome.get("stop_reason"),
    }  # fmt: skip
    base = outcome.get("baseline_npv_usd")
    rest = {name: value for name, value in outcome.items() if name != "failure"}
    return {**rest, "summary": told, **({} if base is None else {"difference_usd": run.npv_usd - base}), "from_checkpoint": True}

"""From the outcome of a run to its row: figures of the plan, or why there is none."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

from batch.decided import decisions_of
from batch.engine import Failure, Outcome
from batch.study.asked import Asked
from batch.study.journal import Entry
from models import tables as tb
from models.plan import NPV_TERMS, Plan
from models.plan_files import plan_from_bytes
from models.plan_views import contract_lateness
from models.targets import Measure, measured


class RunStatus(StrEnum):
    """How a run ended: the statuses of a plan, of a base plan that was scored, or why there is none."""

    OPTIMAL = "optimal"
    WITHIN_GAP = "within_gap"
    FEASIBLE = "feasible"
    HOLDS = "holds"
    BROKEN = "broken"
    INFEASIBLE = "infeasible"
    NO_PLAN = "no_plan"
    INVALID = "invalid"
    FAILED = "failed"


PLANNED = frozenset({RunStatus.OPTIMAL, RunStatus.WITHIN_GAP, RunStatus.FEASIBLE, RunStatus.HOLDS})
"""Statuses of runs whose NPV can be had."""
DECIDED = PLANNED - {RunStatus.HOLDS}
"""Statuses of runs with a plan of their own, also one that decides nothing."""
PROVEN = frozenset({RunStatus.OPTIMAL, RunStatus.WITHIN_GAP})
"""Statuses of plans whose gap is no larger than asked."""

RUN_COLUMNS: dict[str, str] = {
    "run": "number of the run, from 0",
    "scenario": "name of the scenario",
    "origin": "base, list, grid, sample, uncertainty or frontier",
    "odds": "weight in averages",
    "status": "optimal, within_gap, feasible, holds (scored, no limit broken), broken, infeasible, no_plan, invalid or failed",
    "stop_reason": "why the search ended",
    "detail": "why there is no plan",
    "npv_usd": "NPV, USD",
    "bound_usd": "what no plan can exceed, USD",
    "gap": "proven gap, share of NPV",
    "delta_usd": "NPV less that of the base plan, USD",
    "unchanged_npv_usd": "NPV of the base plan's decisions under the scenario, USD",
    "unchanged_broken": "limits that they break",
    "short_gpu_periods": "contract GPUs owed and not delivered, summed over periods: late GPU-quarters where periods are quarters",
    "contracts_late": "contracts that are short in some period",
    "damages_usd": "liquidated damages, undiscounted USD",
    "racks_installed": "racks installed",
    "gpus_installed": "GPUs installed",
    "capex_usd": "GPUs, blocks, openings and retrofits, undiscounted USD",
    "energy_mwh": "energy, MWh",
    "tco2": "emissions, tonnes CO2",
    "seconds": "wall-clock seconds of the answer",
    "warm": "whether the worker knew the base plan's model",
    "attempts": "attempts, 1 if nothing went wrong",
    **{f"npv_{name}": f"{meaning}, discounted USD" for name, meaning in NPV_TERMS.items()},
}
"""Columns of study.parquet after which one ``axis: name`` for each axis follows, and ``value: name`` for each range."""
TOTALS: dict[Measure, str] = {Measure.CARBON: "tco2", Measure.CAPITAL: "capex_usd", Measure.LATE: "short_gpu_periods"}
"""Columns with each measure."""
_STATUS = {
    Failure.INFEASIBLE: RunStatus.INFEASIBLE, Failure.NO_PLAN: RunStatus.NO_PLAN, Failure.CHANGE_ERROR: RunStatus.INVALID,
    Failure.DATASET_ERROR: RunStatus.INVALID,
}  # fmt: skip


def entry_of(asked: Asked, run: int, outcome: Outcome, attempts: int) -> tuple[Entry, Plan | None]:
    """What is kept of a run, as plain values, and its plan.

    Args:
        asked: the study.
        run: number of the scenario.
        outcome: of the engine.
        attempts: that it took.
    """
    scenario = asked.scenarios[run]
    plan = plan_from_bytes(outcome["plan"]) if outcome.get("plan") else None
    row: dict[str, Any] = {"status": RunStatus.FAILED.value, "attempts": attempts, "warm": bool(outcome.get("warm", False))}
    summary, evaluation, failure = outcome.get("summary") or {}, outcome.get("evaluation"), outcome.get("failure")
    row["stop_reason"] = summary.get("stop_reason") or outcome.get("stop_reason")
    row["seconds"] = (outcome.get("seconds") or {}).get("total")
    if evaluation is not None:
        row |= {"unchanged_npv_usd": evaluation["npv_usd"], "unchanged_broken": len(evaluation["violations"])}
    if failure is not None:
        row["status"] = _STATUS.get(failure["kind"], RunStatus.FAILED).value
        row["detail"] = "; ".join(outcome.get("conflicts") or [failure["detail"]])
        row["bound_usd"] = summary.get("bound_usd")
    elif plan is not None:
        row |= {"status": summary["status"], **{key: summary[key] for key in ("npv_usd", "bound_usd", "gap")}, **_figures(asked, plan)}
        row |= {f"npv_{name}": value for name, value in plan.summary.npv_terms.items()}
    elif evaluation is not None:
        broken = [violation["message"] for violation in evaluation["violations"]]
        row |= {"status": (RunStatus.BROKEN if broken else RunStatus.HOLDS).value, "npv_usd": evaluation["npv_usd"]}
        row |= {f"npv_{name}": value for name, value in evaluation["npv_terms"].items()}
        row |= {TOTALS[Measure(name)]: value for name, value in evaluation.get("totals", {}).items()}
        row["detail"] = "; ".join(broken[:3]) + (f"; and {len(broken) - 3} more" if len(broken) > 3 else "")
    if row.get("npv_usd") is not None:
        row["delta_usd"] = row["npv_usd"] - asked.base_npv_usd
    decided = [list(decision) for decision in decisions_of(plan)] if plan is not None else []
    row = {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
    return {"run": run, "scenario": scenario.name, "row": row, "decisions": decided}, plan


def _figures(asked: Asked, plan: Plan) -> dict[str, Any]:
    """Figures of a plan that its summary does not have."""
    late = contract_lateness(plan, asked.dataset)
    late = late[late["status"] != "declined"]
    sizes = {row.gen_id: row.gpus_per_rack for row in asked.dataset.rows(tb.Generation)}
    totals = measured(plan.tables)
    installed = plan.racks["installed"]
    return {
        "short_gpu_periods": float(late["short_gpu_periods"].sum()),
        "contracts_late": int((late["periods_late"] > 0).sum()),
        "damages_usd": float(late["damages_usd"].sum()),
        "racks_installed": int(installed.sum()),
        "gpus_installed": float(sum(int(n) * sizes[gen] for gen, n in zip(plan.racks["gen_id"], installed, strict=True))),
        "capex_usd": totals[Measure.CAPITAL],
        "energy_mwh": float(plan.sites["energy_mwh"].sum()),
        "tco2": totals[Measure.CARBON],
    }

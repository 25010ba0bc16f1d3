"""What a search over futures has found, as plans that passed their audits, with what they are worth."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from models.plan import SMALLEST_GAP, DatasetRef, Plan, SolverInfo, StopReason, status_of
from optimizer.audit import audit
from optimizer.blocks.base import MILLION
from optimizer.futures.check import anticipations
from optimizer.futures.crew import Found
from optimizer.futures.recourse import Held, plan_of
from optimizer.futures.result import SCENARIO_COLUMNS, FuturesPlan, FuturesSummary, Range
from optimizer.futures.risk import cvar
from optimizer.futures.state import State
from optimizer.futures.sub import Sub
from optimizer.highs import VERSION, SolverError


def finished(state: State, subs: list[Sub], best: Held, known: list[Found], expected: Held | None, decide_before: str) -> FuturesPlan:
    """The plans of all futures, audited.

    Args:
        state: of the search.
        subs: the futures.
        best: the first stage, held in all.
        known: each future on its own.
        expected: the first stage of the plan for the dataset as it is, held in all; None if it can't be.
        decide_before: the period before which decisions are common.

    Raises:
        SolverError: a plan failed its audit, or they anticipate.
    """
    state.tell("writing and auditing the plans")
    plans = [_audited(state, sub, best, k) for k, sub in enumerate(subs)]
    futures = [(sub.scenario.name, sub.dataset, made) for sub, made in zip(subs, plans, strict=True)]
    faults = anticipations(state.dataset, futures, state.first.before, state.first.placement)
    if faults:
        raise SolverError("the plans decide differently before it is known which future comes: " + "; ".join(faults[:5]))
    state.clock("audit")
    size = len(state.first.keys)
    first = dict(zip(state.first.keys, (best.first[:size] + 0.0).tolist(), strict=True))
    table = pd.DataFrame(_rows(state, subs, best, known, expected, plans), columns=list(SCENARIO_COLUMNS))
    late = float(state.odds @ table["late_gpu_periods"].to_numpy(float))
    summary = _summary(state, best, known, expected, late, decide_before)
    events = pd.DataFrame(state.events, columns=["seconds", "phase", "npv_usd", "bound_usd"])
    told = list(zip(state.scenarios, plans, strict=True))
    return FuturesPlan(first, state.first.table(first), table, told, summary, state.first.directives(state.first.base, first), events)


def _audited(state: State, sub: Sub, best: Held, number: int) -> Plan:
    """The plan of a future, which passes its audit in the future's own dataset."""
    if best.plans:
        made = best.plans[number]
        faults = [violation.message for violation in audit(sub.dataset, made).violations]
    else:
        made, faults = plan_of(sub, best.solutions[number], float(best.limits[number]), state.gap, state.seed)
    if faults:
        raise SolverError(f"the plan of scenario {sub.scenario.name!r} failed its audit: " + "; ".join(faults[:5]))
    return made


def _rows(
    state: State, subs: list[Sub], best: Held, known: list[Found], expected: Held | None, plans: list[Plan]
) -> list[tuple[object, ...]]:  # fmt: skip
    """Rows of the table of scenarios."""
    rows: list[tuple[object, ...]] = []
    for k, (sub, made) in enumerate(zip(subs, plans, strict=True)):
        rows.append(
            (
                sub.scenario.name, float(state.odds[k]), made.summary.npv_usd, _usd(float(best.limits[k])), _usd(known[k].value),
                _usd(known[k].bound), None if expected is None else _usd(float(expected.losses[k])), late_gpu_periods(made),
                "; ".join(sub.scenario.happened),
            )
        )  # fmt: skip
    return rows


def _usd(loss: float) -> float | None:
    """NPV of a loss in million USD, USD; None where it is not known."""
    return -loss * MILLION if np.isfinite(loss) else None


def late_gpu_periods(plan: Plan) -> float:
    """Contract GPUs short, summed over periods."""
    return float(plan.tables["contracts"]["short_gpus"].sum())


def _summary(state: State, best: Held, known: list[Found], expected: Held | None, late: float, decide_before: str) -> FuturesSummary:
    gap, risk = state.reached, state.risk
    value, bound = -best.objective * MILLION, -min(state.bound, best.objective) * MILLION
    reached = gap <= max(state.gap, SMALLEST_GAP)
    reason = StopReason.GAP_REACHED if reached else StopReason.USER_STOP if state.control.stop.is_set() else StopReason.TIME_LIMIT
    highest, lowest = (risk.objective(np.array(each), state.odds) for each in zip(*((f.value, f.bound) for f in known), strict=True))
    solution = Range(low=None, high=None)
    if expected is not None:
        solution = _range(value + expected.limit * MILLION, bound + expected.objective * MILLION)
    return FuturesSummary(
        dataset=DatasetRef(name=state.dataset.name, sha256=state.dataset.sha256), decide_before=decide_before,
        placement=state.first.placement, scenarios=len(state.scenarios), weight=risk.weight, alpha=risk.alpha, method=state.method.value,
        status=status_of(gap, state.gap), stop_reason=reason, value_usd=value, bound_usd=bound, bound_certified_usd=_usd(state.certified),
        gap=gap, gap_requested=state.gap, expected_npv_usd=-float(state.odds @ best.losses) * MILLION,
        cvar_npv_usd=-cvar(best.losses, state.odds, risk.alpha) * MILLION,
        expected_plan_value_usd=None if expected is None else -expected.objective * MILLION,
        value_of_stochastic_solution_usd=solution,
        value_of_perfect_information_usd=_range(-highest * MILLION - bound, -lowest * MILLION - value), late_gpu_periods=late,
        solver=SolverInfo(name="HiGHS", version=VERSION, threads=state.workers, seed=state.seed),
        seconds=state.seconds | {"total": time.monotonic() - state.began}, audit_passed=True,
    )  # fmt: skip


def _range(low: float, high: float) -> Range:
    """A value of information, which is never negative."""
    return Range(low=max(0.0, low) if np.isfinite(low) else 0.0, high=max(0.0, high) if np.isfinite(high) else None)

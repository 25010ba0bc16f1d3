"""The summary of a plan against its dataset and its tables: terms of NPV, bounds, gaps, status, content hash."""

from __future__ import annotations

import numpy as np

from models.plan import NPV_TERMS, SolutionStatus, Summary, relative_gap, status_of
from optimizer.audit.money import Money
from optimizer.audit.report import SUM_TOLERANCE, Findings


def check(money: Money, summary: Summary, findings: Findings) -> None:
    """Check what summary.json says of the plan.

    Args:
        money: NPV recomputed.
        summary: the summary.
        findings: where violations are noted.
    """
    dataset = money.facts.dataset
    findings.count("dataset", 2)
    for key, said, real in (("name", summary.dataset.name, dataset.name), ("sha256", summary.dataset.sha256, dataset.sha256)):
        if said != real:
            findings.wrong("dataset", 0, {"key": key}, f"the summary is of a dataset with {key} {said}, the dataset has {real}.")
    _terms(money, summary, findings)
    if summary.npv_usd is None:
        findings.wrong("npv", 0, {}, f"a plan with tables has no npv_usd in its summary (status {summary.status.value}).")
        return
    _bounds(summary, summary.npv_usd, findings)


def _terms(money: Money, summary: Summary, findings: Findings) -> None:
    """Terms of NPV and their sum."""
    findings.count("npv_terms", len(NPV_TERMS))
    for name in [name for name in NPV_TERMS if name not in summary.npv_terms] + [n for n in summary.npv_terms if n not in NPV_TERMS]:
        known = "is missing from npv_terms" if name in NPV_TERMS else "of npv_terms is no term of NPV"
        findings.wrong("npv_terms", 0, {"term": name}, f"{name} {known}.")
    names = [name for name in NPV_TERMS if name in summary.npv_terms]
    gross = {name: float(np.abs(values).sum()) for name, values in money.discounted.items()}
    said, due = [summary.npv_terms[name] for name in names], [money.npv_terms[name] for name in names]
    # A sum of periods that cancel is known to the last digits of what it adds, no better.
    scale = [max(1.0, abs(money.npv_terms[name]), 1e-3 * gross[name]) for name in names]
    findings.equal("npv_terms", 0, "discounted term of the summary", said, due, {"term": names}, "USD", least_scale=scale)
    if summary.npv_usd is not None:
        scale_all = max(1.0, sum(gross.values()))
        findings.equal(
            "npv", 0, "npv_usd of the summary", [summary.npv_usd], [sum(money.npv_terms.values())], {"key": ["npv_usd"]}, "USD",
            least_scale=scale_all, tolerance=SUM_TOLERANCE,
        )  # fmt: skip


def _bounds(summary: Summary, npv: float, findings: Findings) -> None:
    """Bounds are not below NPV, the certified one not below the other, and gaps and status follow from them.

    A plan that claims no more than to be feasible may be without a bound: a rule has none, and time may end before one is known.
    """
    status = summary.status
    if status is SolutionStatus.INFEASIBLE:
        findings.wrong("status", 0, {"key": "status"}, "a plan with tables and NPV has the status infeasible.")
    for key, bound, gap in (
        ("bound_usd", summary.bound_usd, summary.gap),
        ("bound_certified_usd", summary.bound_certified_usd, summary.gap_certified),
    ):
        if bound is None or gap is None:
            missing = key if bound is None else key.replace("bound", "gap").replace("_usd", "")
            claimed = key == "bound_usd" and status is not SolutionStatus.FEASIBLE
            if claimed or (bound is None) != (gap is None):
                findings.wrong("bound", 0, {"key": missing}, f"the summary has no {missing}.")
            continue
        findings.at_least("bound", 0, f"{key} of the summary", [bound], [npv], {"key": [key]}, "USD")
        name = key.replace("bound", "gap").replace("_usd", "")
        findings.equal("gap", 0, f"{name} of the summary", [gap], [relative_gap(bound, npv)], {"key": [name]}, "share", least_scale=1e-3)
    if summary.bound_usd is not None and summary.bound_certified_usd is not None:
        findings.at_least(
            "bound", 0, "bound_certified_usd of the summary, beside bound_usd,", [summary.bound_certified_usd], [summary.bound_usd],
            {"key": ["bound_certified_usd"]}, "USD",
        )  # fmt: skip
    findings.count("status", 1)
    if summary.gap is not None and status is not SolutionStatus.INFEASIBLE:
        due = status_of(summary.gap, summary.gap_requested)
        if status is not due:
            message = f"the status is {status.value}; with a gap of {summary.gap:g} and {summary.gap_requested:g} asked it is {due.value}."
            findings.wrong("status", 0, {"key": "status"}, message)

"""The audit: a plan checked against every constraint of model.md, and its NPV recomputed, from tables alone.

It reads the dataset's tables and the plan's tables, imports only ``models``, and shares nothing with the
builder of the optimization model. Tolerances are those of ``optimizer.audit.report``.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from models.dataset import Dataset
from models.plan import Plan, Summary
from optimizer.audit import columns, contracts, directives, limits, market, opening, power, racks, serving
from optimizer.audit import summary as summaries
from optimizer.audit.facts import Facts
from optimizer.audit.money import Money
from optimizer.audit.placed import Placed
from optimizer.audit.report import TOLERANCE, AuditReport, Findings, Violation
from optimizer.audit.usage import Usage

__all__ = ["TOLERANCE", "AuditReport", "Violation", "audit"]


def audit(dataset: Dataset, tables: Mapping[str, pd.DataFrame] | Plan, summary: Summary | None = None) -> AuditReport:
    """Check a plan and recompute its NPV.

    Constraints 1 to 18 of model.md hold when no row exceeds its limit by more than ``1e-6*max(1, |limit|)``
    (limits of money: ``1e-6*max(1e6 USD, |limit|)``, since they count in million USD); derived columns agree
    within ``1e-6*max(1, |value|)``; discounted totals and NPV within 1e-9 of the sum of their terms' absolute values.

    Args:
        dataset: the planning problem.
        tables: the plan, or its tables by name (``models.plan.PLAN_COLUMNS``) with labels for periods; rows
            that are all zero may be left out.
        summary: what summary.json says; of a ``Plan`` its own unless given. None leaves it unchecked.

    Returns:
        The report. It never raises for a faulty plan: faults of the tables are violations too.
    """
    if isinstance(tables, Plan):
        summary = tables.summary if summary is None else summary
        tables = tables.tables
    facts, findings = Facts(dataset), Findings()
    plan = Placed(facts, tables, findings)
    use = Usage(facts, plan)
    money = Money(use)
    serves = use.serving | serving.forced(facts)
    racks.check(use, findings)
    power.check(use, findings)
    opening.check(use, findings, serves)
    market.check(use, findings)
    contracts.check(use, findings)
    serving.check(use, findings, serves)
    limits.check(money, findings)
    directives.check(use, findings, serves)
    columns.check(money, findings)
    if summary is not None:
        summaries.check(money, summary, findings)
    return findings.report(money.npv_terms)

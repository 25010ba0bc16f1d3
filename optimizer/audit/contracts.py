"""Contracts: what is owed, delivered, short and moved (12 and 15 of model.md)."""

from __future__ import annotations

import numpy as np

from optimizer.audit.report import Findings
from optimizer.audit.usage import Usage


def check(use: Usage, findings: Findings) -> None:
    """Check constraints 12 and 15."""
    facts, plan = use.facts, use.plan
    places = {"contract_id": facts.contract_ids, "period": facts.labels}
    unit = "contract GPUs"
    findings.equal("delivery", 12, "contract GPUs delivered and short", use.delivered + plan.short, use.owed, places, unit)

    share = facts.contract("max_short_share", 1.0)[:, None]
    begins = facts.start + facts.contract("grace_periods", 0.0).astype(np.intp)
    held_to = (share < 1.0) & (np.arange(facts.periods)[None, :] >= begins[:, None])
    findings.at_most("short_limit", 12, "contract GPUs short", plan.short, share * use.owed, places, unit, exists=held_to)

    _, owed_before, runs = use.before
    findings.equal("moves", 15, "contract GPUs moved", plan.moved, use.moved, places, unit)
    least = np.where(runs, use.moved - np.maximum(0.0, owed_before - use.owed), 0.0)
    findings.at_least("moves", 15, "moves paid", plan.paid, np.maximum(least, 0.0), places, unit, exists=runs)

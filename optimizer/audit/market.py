"""Sellable GPUs and the market (10 and 11 of model.md)."""

from __future__ import annotations

import numpy as np

from optimizer.audit.facts import positions
from optimizer.audit.report import Findings
from optimizer.audit.usage import Usage


def check(use: Usage, findings: Findings) -> None:
    """Check constraints 10 and 11."""
    facts, plan = use.facts, use.plan
    billed = plan.in_service - (1.0 - facts.settings.commissioning_share) * plan.installed
    sellable = facts.gen("gpus_per_rack")[None, :, None] * billed
    racks = {"site_id": facts.site_ids, "gen_id": facts.gen_ids, "period": facts.labels}
    findings.at_most("sellable", 10, "GPUs held for contracts and sold on the market", use.held + plan.sold, sellable, racks, "GPUs")

    tiers = np.zeros((len(facts.gen_ids), facts.periods))
    np.add.at(tiers, positions([gen for gen, _ in facts.tiers], facts.gen_ids), plan.tier_sold)
    by_generation = {"gen_id": facts.gen_ids, "period": facts.labels}
    findings.equal("market_balance", 11, "GPUs sold by site", plan.sold.sum(axis=0), tiers, by_generation, "GPUs")

    names = [f"{gen}/{tier}" for gen, tier in facts.tiers]
    findings.at_most("market_depth", 11, "GPUs sold", plan.tier_sold, facts.market[1], {"tier": names, "period": facts.labels}, "GPUs")

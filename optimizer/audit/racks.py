"""Racks: fleet balance, supply, sizes, install windows, ends of life, installation rates (1, 2, 3, 8 of model.md)."""

from __future__ import annotations

import numpy as np

from optimizer.audit.facts import Floats
from optimizer.audit.report import Findings
from optimizer.audit.usage import Usage


def due_by_age(use: Usage) -> Floats:
    """Racks past their life by each period, new and fleet: the right side of constraint 3; shape (S, G, T)."""
    facts, installed = use.facts, use.plan.installed
    due = np.zeros(installed.shape)
    total = installed.cumsum(axis=2)
    for g, life in enumerate(facts.life):
        if life < facts.periods:
            due[:, g, life:] = total[:, g, : facts.periods - life]
    for s, g, since, racks in facts.cohorts:
        due[s, g, max(since + int(facts.life[g]), 0) :] += racks
    return due


def check(use: Usage, findings: Findings) -> None:
    """Check constraints 1, 2, 3 and 8."""
    facts, plan = use.facts, use.plan
    everywhere = {"site_id": facts.site_ids, "gen_id": facts.gen_ids, "period": facts.labels}
    before = np.zeros(plan.in_service.shape)
    before[:, :, 1:] = plan.in_service[:, :, :-1]
    for s, g, _, racks in facts.cohorts:
        before[s, g, 0] += racks
    findings.equal("fleet", 1, "racks in service", plan.in_service, before + plan.installed - plan.retired, everywhere, "racks")

    by_generation = {"gen_id": facts.gen_ids, "period": facts.labels}
    total = plan.installed.sum(axis=0).cumsum(axis=1)
    findings.at_most("supply", 2, "racks installed up to the period", total, facts.supply, by_generation, "racks")

    kw = facts.gen("rack_kw")[None, :, None]
    too_large = kw > facts.site("max_rack_kw", np.inf)[:, None, None]
    findings.at_most(
        "rack_size", 2, "racks installed larger than the halls take", plan.installed, 0.0, everywhere, "racks", exists=too_large
    )

    t = np.arange(facts.periods)[None, :]
    first, last = facts.indices(facts.gens["first_install"])[:, None], facts.indices(facts.gens["last_install"])[:, None]
    outside = ((t < first) | (t > last))[None]
    findings.at_most("install_window", 2, "racks installed outside their window", plan.installed, 0.0, everywhere, "racks", exists=outside)
    findings.at_least("end_of_life", 3, "racks retired up to the period", plan.retired.cumsum(axis=2), due_by_age(use), everywhere, "racks")
    by_site = {"site_id": facts.site_ids, "period": facts.labels}
    rate = facts.site("install_racks_per_period", np.inf)[:, None]
    findings.at_most("install_rate", 8, "racks installed in the period", plan.installed.sum(axis=1), rate, by_site, "racks per period")

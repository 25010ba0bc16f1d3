"""Opening sites and building blocks (9 of model.md)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from optimizer.audit.facts import Bools
from optimizer.audit.placed import NEVER
from optimizer.audit.report import Findings
from optimizer.audit.usage import Usage


def check(use: Usage, findings: Findings, serving: Bools) -> None:
    """Check constraint 9.

    Args:
        use: the plan's quantities.
        findings: where violations are noted.
        serving: which sites serve a contract; shape (C, S).
    """
    facts, plan = use.facts, use.plan
    closed = ~use.open
    racks = {"site_id": facts.site_ids, "gen_id": facts.gen_ids, "period": facts.labels}
    findings.at_most(
        "open_racks", 9, "racks in service at a site not open", plan.in_service, 0.0, racks, "racks", exists=closed[:, None, :]
    )
    served = {"contract_id": facts.contract_ids, "site_id": facts.site_ids, "period": facts.labels}
    findings.at_most(
        "open_serving", 9, "contract GPUs delivered from a site not open", use.served, 0.0, served, "contract GPUs", exists=closed[None]
    )
    pairs = {"contract_id": facts.contract_ids, "site_id": facts.site_ids}
    findings.at_most(
        "open_serving", 9, "use of a site that never opens by a contract", serving, 0.0, pairs, "sites", exists=closed[None, :, -1]
    )
    orders = plan.orders
    places = pd.DataFrame({"site_id": [facts.site_ids[i] for i in orders.s], "period": [facts.labels[i] for i in orders.t]})
    findings.at_most(
        "open_retrofit", 9, "retrofits ordered at a site not open", closed[orders.s, orders.t].astype(float), 0.0, places, "orders"
    )

    options = np.flatnonzero(facts.option)
    blocks = [facts.block_ids[b] for b in options]
    early = np.clip(plan.opened[facts.block_site[options]] - plan.built[options], 0, None)
    early[plan.built[options] == NEVER] = 0
    early = np.minimum(early, facts.periods)
    findings.at_most(
        "open_blocks", 9, "periods for which the block is built before its site opens", early, 0.0, {"block_id": blocks}, "periods"
    )
    _once(use, findings, "open", "open_monotone", "openings of the site", "site_id", facts.site_ids)
    _once(use, findings, "build", "build_window", "energizations of the block", "block_id", facts.block_ids)

    built = plan.built[options]
    first = np.maximum(facts.indices(facts.blocks["energized"])[options], facts.block("lead_periods")[options])
    latest = np.array([np.inf if not label else facts.index(label) for label in facts.blocks["latest"]])[options]
    done = built < NEVER
    chosen = pd.DataFrame({"block_id": blocks, "period": [facts.labels[t] if t < NEVER else "" for t in built]})
    what = "period of energization, counted from the start,"
    findings.at_least("build_window", 9, what, built, first, chosen, "periods", exists=done)
    findings.at_most("build_window", 9, what, built, latest, chosen, "periods", exists=done)


def _once(use: Usage, findings: Findings, kind: str, name: str, what: str, key: str, known: list[str]) -> None:
    """A site opens, and a block is energized, once for good."""
    decisions = use.plan.tables["decisions"]
    ids = decisions["id"][decisions["kind"] == kind]
    counts = ids.value_counts().reindex(known, fill_value=0)
    findings.at_most(name, 9, what, counts.to_numpy(float), 1.0, {key: known}, "times")

"""Power, cooling, retrofits and grid (4 to 7 of model.md)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from optimizer.audit.report import Findings
from optimizer.audit.usage import Usage


def check(use: Usage, findings: Findings) -> None:
    """Check constraints 4 to 7."""
    facts = use.facts
    places = {"site_id": facts.site_ids, "period": facts.labels}
    findings.at_most("it_power", 4, "IT power of racks in service", use.it_used, use.it_capacity, places, "MW IT")
    findings.at_most("it_limit", 4, "IT power of racks in service", use.it_used, facts.site_limits["it_mw"], places, "MW IT")
    findings.at_most("liquid", 5, "heat to liquid", use.liquid_used, use.liquid_capacity, places, "MW")
    findings.at_most("liquid_limit", 5, "heat to liquid", use.liquid_used, facts.site_limits["liquid_mw"], places, "MW")
    findings.at_most("air", 5, "heat to air", use.air_used, use.air_capacity, places, "MW")
    findings.at_most("air_limit", 5, "heat to air", use.air_used, facts.site_limits["air_mw"], places, "MW")
    _retrofits(use, findings)
    nodes, limits, below = facts.grid
    drawn = below.astype(float) @ use.peak
    findings.at_most("grid", 7, "facility draw below the node", drawn, limits, {"node_id": nodes, "period": facts.labels}, "MW")


def _retrofits(use: Usage, findings: Findings) -> None:
    """Sizes of orders, one per site, and never more than the air there is (constraint 6)."""
    facts, orders = use.facts, use.plan.orders
    places = pd.DataFrame({"site_id": [facts.site_ids[i] for i in orders.s], "period": [facts.labels[i] for i in orders.t]})
    terms = facts.retrofits.set_index("site_id")
    for bound, check_bound in (("min_mw", findings.at_least), ("max_mw", findings.at_most)):
        limit = terms[bound].reindex(places["site_id"]).to_numpy(float)
        check_bound("retrofit_size", 6, "retrofit ordered", orders.mw, limit, places, "MW")
    sites = [i for i, site in enumerate(facts.site_ids) if site in terms.index]
    names = [facts.site_ids[i] for i in sites]
    findings.at_most(
        "retrofit_once",
        6,
        "retrofit orders",
        np.bincount(orders.s, minlength=len(facts.site_ids))[sites],
        1.0,
        {"site_id": names},
        "orders",
    )
    findings.at_most(
        "retrofit_air", 6, "retrofits ordered up to the period", use.retrofit_mw[sites], use.air_blocks[sites],
        {"site_id": names, "period": facts.labels}, "MW",
    )  # fmt: skip

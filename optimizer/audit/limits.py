"""Optional limits: capex budget, carbon cap, water, customer share (17 of model.md)."""

from __future__ import annotations

import numpy as np

from optimizer.audit.facts import floats
from optimizer.audit.money import Money
from optimizer.audit.report import MILLION, Findings


def check(money: Money, findings: Findings) -> None:
    """Check constraint 17, each limit where the data give it."""
    facts, use = money.facts, money.use
    budget = facts.dataset["capex_budget"]
    added = np.zeros(facts.periods)
    np.add.at(added, facts.indices(budget["period"]), floats(budget["usd"]))
    findings.at_most(
        "capex_budget", 17, "capital spent up to the period", money.capex.cumsum(), added.cumsum(), {"period": facts.labels}, "USD",
        least_scale=MILLION, exists=len(budget) > 0,
    )  # fmt: skip
    cap = facts.dataset["carbon_cap"]
    years = np.array(facts.calendar.years)
    emitted = np.array([use.tonnes[:, years == year].sum() for year in cap["year"]])
    within = np.isin(cap["year"].to_numpy(int), years)
    findings.at_most(
        "carbon_cap", 17, "emissions of the year", emitted, floats(cap["tonnes"]), {"year": [str(y) for y in cap["year"]]}, "tonnes CO2",
        exists=within,
    )  # fmt: skip
    sites = {"site_id": facts.site_ids, "period": facts.labels}
    findings.at_most("water", 17, "water used", use.water, facts.site("water_limit_m3_per_period", np.inf)[:, None], sites, "m3")
    _customer_share(money, findings)


def _customer_share(money: Money, findings: Findings) -> None:
    """No customer brings more than its share of the revenue of a period."""
    facts = money.facts
    share, since = facts.settings.customer_revenue_share, facts.settings.customer_revenue_share_from
    if share is None:
        findings.count("customer_share", 0)
        return
    customers = sorted(set(facts.contracts["customer"]))
    revenue = np.array([money.revenue[(facts.contracts["customer"] == name).to_numpy(bool)].sum(axis=0) for name in customers])
    revenue = revenue.reshape(len(customers), facts.periods)
    total = revenue.sum(axis=0) + money.tier_revenue.sum(axis=0)
    begins = 0 if since is None else facts.index(since)
    findings.at_most(
        "customer_share", 17, "revenue from the customer", revenue, share * total,
        {"customer": customers, "period": facts.labels}, "USD", least_scale=MILLION,
        exists=np.arange(facts.periods) >= begins,
    )  # fmt: skip

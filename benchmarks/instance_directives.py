"""Directives of an instance, and the limit of one customer's share."""

from __future__ import annotations

from typing import Any

from benchmarks.instance_contracts import Deal
from benchmarks.instance_draft import PERIODS, Draft

SHARE_FROM = 5
"""Period from which the customer share holds: 2027-Q1, once the first orders are delivered."""


def add_customer_share(d: Draft, deals: list[Deal]) -> dict[str, Any]:
    """A limit a little below the share that the largest customer would reach in its best period if all were signed."""
    price = {row["contract_id"]: row["usd_per_gpu_hour"] for row in reversed(d.tables["contract_prices"])}
    highest = 0.0
    for t in range(SHARE_FROM, PERIODS):
        revenue: dict[str, float] = {}
        for deal in deals:
            if deal.start <= t <= deal.end:
                revenue[deal.customer] = revenue.get(deal.customer, 0.0) + deal.gpus * price[deal.contract_id]
        total = sum(revenue.values())
        if total > 0 and t <= 20:
            highest = max(highest, max(revenue.values()) / total)
    share = round(min(max(highest * d.pick(0.8, 0.95), 0.12), 0.6), 3)
    return {"customer_revenue_share": share, "customer_revenue_share_from": d.label(SHARE_FROM)}


def add_directives(d: Draft, deals: list[Deal]) -> None:
    """A few decisions taken from outside; all can be kept together, for none asks for more than stands there already."""
    rows: list[dict[str, Any]] = []
    for hall in d.some([row["site_id"] for row in d.tables["retrofits"]], 1):
        rows.append({"rule": "max", "decision": "retrofit", "site_id": hall, "value": 0.0, "why": "no works beside running customers"})
    kept = [p for p in d.places if p.steady and p.fleet.get("h100", 0) >= 20] or [p for p in d.places if p.steady and p.fleet]
    for place in d.some(kept, max(1, d.cells)):
        gen_id = "h100" if "h100" in place.fleet else next(iter(place.fleet))
        rows.append(
            {
                "rule": "min",
                "decision": "in_service",
                "site_id": place.site_id,
                "gen_id": gen_id,
                "to_period": d.label(d.whole(2, 5)),
                "value": float(place.fleet[gen_id] // 2),
                "why": "promised to a customer of the site",
            }
        )
    busy = d.some([p for p in d.places if p.kind == "mega"], 1)[0]
    t = d.whole(6, 12)
    rows.append(
        {
            "rule": "max",
            "decision": "installed",
            "site_id": busy.site_id,
            "from_period": d.label(t),
            "to_period": d.label(t),
            "value": float(round(0.3 * busy.mw(PERIODS)[0])),
            "why": "other works at the site",
        }
    )
    options = [row for row in d.tables["power_blocks"] if row["status"] == "option"]
    block = d.some(options, 1)[0]
    rows.append(
        {
            "rule": "max",
            "decision": "build",
            "block_id": block["block_id"],
            "to_period": d.label(d.index(block["energized"]) + 1),
            "value": 0.0,
            "why": "permit not before then",
        }
    )
    for signed in [deal for deal in deals if deal.offer.kind == "inference"][:1]:
        rows.append({"rule": "fix", "decision": "sign", "contract_id": signed.contract_id, "value": 1.0, "why": "the board has agreed"})
    _not_there(d, deals, rows)
    for n, row in enumerate(rows):
        d.add("directives", row=f"d{n + 1}", **row)


def _not_there(d: Draft, deals: list[Deal], rows: list[dict[str, Any]]) -> None:
    """A contract that may not use one of its sites, of those with no delivery yet."""
    for deal in [deal for deal in deals if deal.offer.kind == "sovereign" and len(deal.places) > 1][:1]:
        site = d.some(deal.places, 1)[0]
        rows.append(
            {
                "rule": "max",
                "decision": "serve",
                "contract_id": deal.contract_id,
                "site_id": site.site_id,
                "value": 0.0,
                "why": "not certified",
            }
        )

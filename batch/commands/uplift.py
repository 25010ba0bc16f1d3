"""What a plan gains over a baseline, by term of NPV."""

from __future__ import annotations

from typing import Any

from models.plan import Plan
from models.plan_views import compare


def uplift(plan: Plan, baseline: Plan) -> dict[str, Any]:
    """NPV of both in USD and their difference, in all and by term.

    Returns:
        ``npv_usd``, ``baseline_npv_usd``, ``uplift_usd``, and under ``npv_terms`` the same three by term.
    """
    found = compare(plan, baseline)
    terms = {row.pop("term"): row for row in found.terms.to_dict("records")}
    return {
        "npv_usd": found.npv_usd,
        "baseline_npv_usd": found.baseline_npv_usd,
        "uplift_usd": found.uplift_usd,
        "npv_terms": terms,
    }


def uplift_lines(compared: dict[str, Any]) -> list[str]:
    """The comparison as an aligned table in million USD, largest difference first, the total last."""
    terms = sorted(compared["npv_terms"].items(), key=lambda item: -abs(item[1]["uplift_usd"]))
    lines = [f"{'million USD':<20}{'plan':>14}{'baseline':>14}{'uplift':>14}"]
    for name, three in [*terms, ("NPV", compared)]:
        cells = "".join(f"{three[key] / 1e6:>14,.1f}" for key in ("npv_usd", "baseline_npv_usd", "uplift_usd"))
        lines.append(f"{name.replace('_', ' '):<20}{cells}")
    return lines

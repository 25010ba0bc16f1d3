"""What a plan gains over a baseline, by term of NPV."""

from __future__ import annotations

from typing import Any

from models.plan import NPV_TERMS, Plan


def uplift(plan: Plan, baseline: Plan) -> dict[str, Any]:
    """NPV of both in USD and their difference, in all and by term.

    Returns:
        ``npv_usd``, ``baseline_npv_usd``, ``uplift_usd``, and under ``npv_terms`` the same three by term.
    """
    ours, theirs = plan.summary, baseline.summary
    terms = {
        name: _three(ours.npv_terms.get(name, 0.0), theirs.npv_terms.get(name, 0.0))
        for name in NPV_TERMS
        if ours.npv_terms.get(name) or theirs.npv_terms.get(name)
    }
    return {**_three(ours.npv_usd or 0.0, theirs.npv_usd or 0.0), "npv_terms": terms}


def _three(plan: float, baseline: float) -> dict[str, float]:
    return {"npv_usd": plan, "baseline_npv_usd": baseline, "uplift_usd": plan - baseline}


def uplift_lines(compared: dict[str, Any]) -> list[str]:
    """The comparison as an aligned table in million USD, largest difference first, the total last."""
    terms = sorted(compared["npv_terms"].items(), key=lambda item: -abs(item[1]["uplift_usd"]))
    lines = [f"{'million USD':<20}{'plan':>14}{'baseline':>14}{'uplift':>14}"]
    for name, three in [*terms, ("NPV", compared)]:
        cells = "".join(f"{three[key] / 1e6:>14,.1f}" for key in ("npv_usd", "baseline_npv_usd", "uplift_usd"))
        lines.append(f"{name.replace('_', ' '):<20}{cells}")
    return lines

"""Rules and how they give way, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optimizer.explain.answer import number
from optimizer.explain.limits import Limit, directive_words
from optimizer.instance import Instance

BALANCES = ("supply", "capex_budget")
"""Limits of what there is up to a period: what comes in one period stays, so that amounts of several add up."""


@dataclass(frozen=True)
class Way:
    """One limit that gives way.

    Attributes:
        limit: which.
        amount: by how much, in its unit.
        share: the same as a share of the limit.
        words: in words.
    """

    limit: Limit
    amount: float
    share: float
    words: str


def rule_words(inst: Instance, name: str, place: str) -> str:
    """A named rule that is no directive, with its value."""
    if name == "short_limit":
        return f"hard duty of contract {place} (max_short_share {inst.contract_rows[place].max_short_share:g})"
    if name == "water":
        return f"water limit of site {place} ({number(inst.site_rows[place].water_limit_m3_per_period or 0.0)} m3 per period)"
    if name == "carbon_cap":
        return f"carbon cap of {place} ({number(inst.capped_years[int(place)])} tonnes)"
    if name == "customer_share":
        return f"share of customer {place} in the revenue (at most {inst.settings.customer_revenue_share or 0.0:g})"
    return f"capex budget ({number(float(inst.budget.sum()))} USD in all)"


CHANGED: Mapping[str, str] = {
    "directive_least": "{words} to ask for {amount} less, {left} instead of {value}",
    "directive_most": "{words} to allow {amount} more, {more} instead of {value}",
    "short_limit": "{words}: {amount} contract GPUs more short ({table})",
    "carbon_cap": "{words}: {amount} tonnes more ({table})",
    "customer_share": "{words}: {amount} USD of revenue more ({table})",
}
"""How a rule gives way, in words."""


def way_words(inst: Instance, name: str, limit: Limit, amount: float, value: float) -> str:
    """One limit that gives way, in words."""
    words = limit.words
    if name.startswith("directive"):
        words = directive_words(inst, limit.place, f" in {limit.period}" if limit.period else "")
    text = CHANGED.get(name, "{words}: {amount} {unit} more ({table})")
    unit = f"{limit.unit}s" if limit.unit == "rack" and amount != 1 else limit.unit
    return text.format(
        words=words, amount=number(amount), unit=unit, table=limit.table, value=number(value),
        left=number(value - amount), more=number(value + amount),
    )  # fmt: skip


def joined(ways: Sequence[Way]) -> str:
    """Ways in one line; of one rule in many periods the largest stands for all, unless they add up."""
    by_rule: dict[tuple[str, str, str], list[Way]] = {}
    for way in ways:
        own_period = way.limit.period if way.limit.name in BALANCES else ""
        by_rule.setdefault((way.limit.name, way.limit.place, own_period), []).append(way)
    parts = []
    for own in by_rule.values():
        most = max(own, key=lambda way: way.amount)
        others = f" (and in {len(own) - 1} more period{'s' if len(own) > 2 else ''}, never more)" if len(own) > 1 else ""
        parts.append(most.words + others)
    return "; ".join(parts)

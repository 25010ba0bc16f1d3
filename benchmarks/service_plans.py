"""What one plan decides otherwise than another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.plan import Plan

DECIDED = {"racks": "in_service", "deliveries": "gpus"}
"""Tables of decisions that are counted, and the column that counts."""
NEGLIGIBLE = 1e-3
"""Racks or GPUs below which a difference is none."""
DECLINED = "decline"
Table = Sequence[Mapping[str, Any]]


def moved(before: Plan, after: Mapping[str, Table]) -> dict[str, Any]:
    """How far an answer's decisions are from those of the plan that it started from.

    Args:
        before: the baseline.
        after: rows of the answer's tables racks, deliveries and decisions.

    Returns:
        ``changed``: whether racks or yes-or-no decisions differ; ``moved_racks`` and ``moved_gpus``: shares of the baseline's
        rack-periods in service and GPU-periods delivered that are elsewhere or nowhere, half of what differs in all. Deliveries
        alone make no change: many ways to fill contracts are worth the same to the cent.
    """
    shares = {}
    for name, column in DECIDED.items():
        old, new = _counts(before[name].to_dict("records"), column), _counts(after[name], column)
        differs = sum(d for d in (abs(old.get(key, 0.0) - new.get(key, 0.0)) for key in old.keys() | new.keys()) if d > NEGLIGIBLE)
        shares[name] = differs / 2 / sum(old.values()) if old else float(differs > 0)
    taken = _taken(before["decisions"].to_dict("records")) != _taken(after["decisions"])
    return {"changed": taken or shares["racks"] > 0, "moved_racks": shares["racks"], "moved_gpus": shares["deliveries"]}


def _counts(rows: Sequence[Mapping[Any, Any]], column: str) -> dict[tuple[Any, ...], float]:
    names = ("contract_id", "site_id", "gen_id", "period")
    return {tuple(row.get(name) for name in names): float(row[column]) for row in rows}


def _taken(rows: Sequence[Mapping[Any, Any]]) -> set[tuple[Any, ...]]:
    """Decisions that do something; a prospect that is declined changes nothing."""
    return {(row["kind"], row["id"], row["period"], round(float(row["mw"] or 0.0), 6)) for row in rows if row["kind"] != DECLINED}

"""Sheets of what differs from the plan compared with: moves, limits, inputs."""

from __future__ import annotations

from typing import Any

from batch.baseline import Baseline
from batch.export.sheet import Col, Mark, Sheet
from batch.report.site_map import limit_name
from batch.report.tables import ACTIONS
from optimizer.explain.difference import Difference
from optimizer.explain.moves import Spot

_KIND = Col("change", "added, removed, or at another site, in another period, of another size")
_GAINED = (Mark(("npv_usd",), "good", "[npv_usd]>0"), Mark(("npv_usd",), "bad", "[npv_usd]<0"))


def change_sheets(baseline: Baseline | None) -> list[Sheet]:
    """What changed from the baseline to the plan; nothing without a baseline whose dataset is known."""
    if baseline is None or baseline.difference is None:
        return []
    d = baseline.difference
    return [_decisions(d), _racks(d), _serving(d), _limits(d), _inputs(d)]


def _decisions(d: Difference) -> Sheet:
    rows = [
        (ACTIONS.get(m.what, m.what), m.id, m.kind.value, m.before or "", m.after or "", m.mw_difference, m.npv_usd) for m in d.decisions
    ]
    columns = [
        Col("decision", "what is done"),
        Col("id", "contract, site or block"),
        _KIND,
        Col("before", "period in the baseline; empty where it is not done"),
        Col("after", "period in the plan; empty where it is not done"),
        Col("mw_difference", "megawatts of the block or retrofit, plan less baseline", "MW"),
        Col("npv_usd", "discounted money that hangs on it directly, plan less baseline", "USD"),
    ]
    return Sheet("Changed decisions", "decisions that only one plan takes, or at another time or size", columns, rows, _GAINED, 2)


def _racks(d: Difference) -> Sheet:
    rows = [(m.what, m.gen_id, m.kind.value, *_spot(m.before), *_spot(m.after), m.racks, m.mw, m.mw_difference, m.npv_usd) for m in d.racks]
    columns = [
        Col("racks_are", "installed or retired"),
        Col("gen_id", "generation"),
        _KIND,
        Col("before_site", "site in the baseline"),
        Col("before_period", "period in the baseline"),
        Col("after_site", "site in the plan"),
        Col("after_period", "period in the plan"),
        Col("racks", "how many", "racks"),
        Col("mw", "their critical IT load", "MW"),
        Col("mw_difference", "critical IT load, plan less baseline: 0 for what only moves", "MW"),
        Col("npv_usd", "discounted capital with installation, plan less baseline", "USD"),
    ]
    return Sheet("Changed racks", "racks that are installed or retired elsewhere or at another time", columns, rows, _GAINED, 2)


def _spot(spot: Spot | None) -> tuple[str, str]:
    return ("", "") if spot is None else (spot.site_id, spot.period)


def _serving(d: Difference) -> Sheet:
    rows = [(m.contract_id, m.site_id, m.kind.value, m.before_mw, m.after_mw, m.mw_difference, m.npv_usd) for m in d.contracts]
    columns = [
        Col("contract_id", "contract"),
        Col("site_id", "site that serves it"),
        _KIND,
        Col("before_mw", "critical IT load of the GPUs delivered in the baseline, mean over the horizon", "MW"),
        Col("after_mw", "the same in the plan", "MW"),
        Col("mw_difference", "plan less baseline", "MW"),
        Col("npv_usd", "discounted revenue less serving costs, plan less baseline", "USD"),
    ]
    return Sheet("Changed serving", "contracts that get more or less from a site", columns, rows, _GAINED, 2)


def _limits(d: Difference) -> Sheet:
    rows = [
        (limit_name(m.limit), m.place, m.became_tight, m.became_slack, m.before, m.after, m.difference)
        for m in d.limits
    ]  # fmt: skip
    columns = [
        Col("limit", "the limit"),
        Col("place", "site or generation; empty for what counts once"),
        Col("became_tight", "periods in which it binds in the plan only"),
        Col("became_slack", "periods in which it binds in the baseline only"),
        Col("before", "periods in which it binds in the baseline", "periods"),
        Col("after", "periods in which it binds in the plan", "periods"),
        Col("difference", "plan less baseline", "periods"),
    ]
    marks = (Mark(("became_tight",), "tight", "LEN([became_tight])>0"), Mark(("became_slack",), "good", "LEN([became_slack])>0"))
    return Sheet("Changed limits", "limits that became tight or slack", columns, rows, marks, 2)


def _inputs(d: Difference) -> Sheet:
    rows: list[tuple[Any, ...]] = []
    for change in d.rows:
        key = ", ".join(str(value) for value in change.key.values() if value is not None)
        rows += [(change.table, key, change.kind.value, name, _cell(a), _cell(b)) for name, (a, b) in change.columns.items()]
    columns = [
        Col("table", "table of the dataset; dataset: its settings"),
        Col("row", "key of the row"),
        Col("change", "whether the row was added, removed or changed"),
        Col("column", "column of the table"),
        Col("before", "value in the dataset of the baseline", "by value"),
        Col("after", "value in the dataset of the plan", "by value"),
    ]
    return Sheet("Changed inputs", "cells of the dataset that are not those of the baseline's dataset", columns, rows, frozen=2)


def _cell(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return None if value is None else str(value)
    if isinstance(value, list | tuple):
        return ";".join(str(part) for part in value)
    return value if isinstance(value, int | float) else str(value)

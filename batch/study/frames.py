"""Results of a study as tables: runs and decisions."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pandas as pd

from batch.study.asked import Asked
from batch.study.journal import Entry
from batch.study.results import PLANNED, RUN_COLUMNS
from models.study import Origin

DECISION_COLUMNS: dict[str, str] = {
    "run": "number of the run; -1 is the base plan",
    "scenario": "name of the scenario",
    "kind": "sign, decline, open, build, retrofit or install",
    "id": "contract, site, block, or site/generation",
    "period": "the contract's start, or when opened, energized, ordered or installed",
    "amount": "MW of a block or retrofit, racks installed, 0 elsewhere",
}
"""Columns of decisions.parquet."""
TEXT = ("scenario", "origin", "status", "stop_reason", "detail")
WHOLE = ("run", "unchanged_broken", "contracts_late", "racks_installed", "attempts")


def axis_column(axis: str) -> str:
    """Column with the levels of an axis."""
    return f"axis: {axis}"


def value_column(axis: str) -> str:
    """Column with the values of an axis that is a range."""
    return f"value: {axis}"


def runs_frame(asked: Asked, entries: Mapping[int, Entry]) -> pd.DataFrame:
    """One row per run that has ended, in order; columns ``RUN_COLUMNS``, then axes."""
    ranges = [axis for axis in asked.axes if any(axis in scenario.values for scenario in asked.scenarios)]
    rows = []
    for run in sorted(entries):
        scenario, row = asked.scenarios[run], entries[run]["row"]
        known = {"run": run, "scenario": scenario.name, "origin": scenario.origin.value, "odds": scenario.odds, **row}
        levels = {axis_column(axis): scenario.levels.get(axis) for axis in asked.axes}
        rows.append({**known, **levels, **{value_column(axis): scenario.values.get(axis) for axis in ranges}})
    names = [*RUN_COLUMNS, *(axis_column(axis) for axis in asked.axes), *(value_column(axis) for axis in ranges)]
    frame = pd.DataFrame(rows, columns=names)
    return frame.astype({name: _type(name) for name in names})


def _type(name: str) -> str:
    if name in TEXT or name.startswith("axis: "):
        return "str"
    if name in WHOLE:
        return "Int64"
    return "boolean" if name == "warm" else "float64"


def decisions_frame(asked: Asked, entries: Mapping[int, Entry], base: list[Any]) -> pd.DataFrame:
    """One row per decision of the base plan and of each run's plan; columns ``DECISION_COLUMNS``."""
    rows = [(-1, "", *decision) for decision in base]
    rows += [(run, asked.scenarios[run].name, *decision) for run in sorted(entries) for decision in entries[run]["decisions"]]
    frame = pd.DataFrame(rows, columns=list(DECISION_COLUMNS))
    return frame.astype({"run": "int64", "amount": "float64", **dict.fromkeys(("scenario", "kind", "id", "period"), "str")})


def planned(frame: pd.DataFrame) -> pd.DataFrame:
    """Runs that count for what may come: those of scenarios, without the base and frontiers, whose NPV can be had."""
    return frame[frame["status"].isin(list(PLANNED)) & frame["origin"].isin([o.value for o in Origin if o.counts])]


def parquet(frame: pd.DataFrame) -> bytes:
    """A table as a Parquet file."""
    out = io.BytesIO()
    frame.to_parquet(out, engine="pyarrow", index=False)
    return out.getvalue()

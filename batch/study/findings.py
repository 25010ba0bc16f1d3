"""What the runs of a study say together, and its results as files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from batch.commands.outcome import json_text
from batch.decided import decisions_of
from batch.study.asked import Asked
from batch.study.folder import Folder
from batch.study.frames import decisions_frame, parquet, planned, runs_frame
from batch.study.frontier import Front, Point, fronts
from batch.study.orders import Order, orders
from batch.study.regret_table import RegretTable, regret_table
from batch.study.results import PLANNED, RunStatus
from batch.study.robust import Robust, robust
from batch.study.spread import Spread, spread
from batch.study.tornado import Bar, Effect, effects, tornado
from models.files.atomic import write_bytes
from models.study import Origin

SPREADS = {"npv_usd": True, "delta_usd": True, "short_gpu_periods": False, "damages_usd": False}
"""Figures whose distribution is told, and whether their low values are the bad ones."""


@dataclass(frozen=True)
class Findings:
    """Everything that a report tells.

    Attributes:
        asked: the study.
        runs: one row per run that has ended (``RUN_COLUMNS``).
        decisions: one row per decision and run (``DECISION_COLUMNS``).
        spreads: distributions by column; without the base run, and without runs that have no plan.
        effects, tornado: by axis.
        robust: every decision.
        orders: racks by generation and period.
        regrets: None where plans were not tried under other scenarios.
        fronts: what NPV is traded against, by measure.
    """

    asked: Asked
    runs: pd.DataFrame
    decisions: pd.DataFrame
    spreads: dict[str, Spread]
    effects: list[Effect]
    tornado: list[Bar]
    robust: list[Robust]
    orders: list[Order]
    regrets: RegretTable | None
    fronts: list[Front]

    @property
    def statuses(self) -> dict[str, int]:
        """Runs by status, the base not counted."""
        counted = self.runs.loc[self.runs["origin"] != Origin.BASE, "status"].value_counts()
        return {status.value: int(counted[status.value]) for status in RunStatus if status.value in counted.index}

    @property
    def ended(self) -> int:
        """Runs that have ended."""
        return len(self.runs)

    @property
    def uncounted(self) -> str:
        """That runs without a plan say nothing about decisions, with their number; empty where all runs have one."""
        without = sum(n for status, n in self.statuses.items() if status not in PLANNED)
        return f"{without} of {sum(self.statuses.values())} runs have no plan and do not count here." if without else ""

    def document(self) -> dict[str, Any]:
        """The findings as plain values, for summary.json and --json."""
        return {
            "name": self.asked.name, "mode": self.asked.mode, "gap_requested": self.asked.gap,
            "dataset": {"name": self.asked.dataset.name, "sha256": self.asked.dataset.sha256}, "base_npv_usd": self.asked.base_npv_usd,
            "runs": len(self.asked.scenarios), "ended": self.ended, "statuses": self.statuses,
            "distributions": {name: _spread(found) for name, found in self.spreads.items()},
            "tornado": [asdict(bar) for bar in self.tornado], "effects": [asdict(effect) for effect in self.effects],
            "decisions": [_decision(row) for row in self.robust],
            "orders": [{"gen_id": o.gen_id, "period": o.period, "base": o.base, "racks": _spread(o.over_runs)} for o in self.orders],
            "regrets": None if self.regrets is None else self.regrets.plan_rows().to_dict("records"),
            "frontiers": [{"measure": f.measure.value, "unit": f.unit, "points": [_point(point) for point in f.points]} for f in self.fronts],
        }  # fmt: skip


def _spread(found: Spread) -> dict[str, Any]:
    quantiles = {f"q{round(100 * q):02d}": value for q, value in found.quantiles.items()}
    return {
        "runs": found.runs, "mean": found.mean, "deviation": found.deviation, "lowest": found.lowest, **quantiles, "highest": found.highest,
        "cvar_95": found.cvar,
    }  # fmt: skip


def _point(point: Point) -> dict[str, Any]:
    return {key: value if not isinstance(value, float) or math.isfinite(value) else None for key, value in asdict(point).items()}


def _decision(row: Robust) -> dict[str, Any]:
    due = {"order_by": row.due.period, "lead": row.due.lead} if row.due is not None else {"order_by": None, "lead": None}
    return {
        "kind": row.question.kind, "id": row.question.id, "period": row.question.period or None, "base": row.base, "most_common": row.common,
        "runs": row.runs, "same_as_base": row.same_as_base, "same_as_most_common": row.same_as_common, "share_base": row.share_base,
        "share_most_common": row.share_common, "robust": row.robust, **due, "earliest_order_by": row.earliest or None,
        "depends_on": row.depends_on or None,
    }  # fmt: skip


def findings(asked: Asked, folder: Folder) -> Findings:
    """What there is to say of the runs that have ended."""
    entries = folder.finished()
    return findings_of(asked, entries, regret_table(asked, folder))


def findings_of(asked: Asked, entries: Mapping[int, dict[str, Any]], regrets: RegretTable | None) -> Findings:
    """The same from entries."""
    runs = runs_frame(asked, entries)
    counted = planned(runs)
    odds = counted["odds"].tolist()
    spreads = {name: spread(counted[name].tolist(), odds, low) for name, low in SPREADS.items()}
    found = effects(asked, runs)
    return Findings(
        asked, runs, decisions_frame(asked, entries, decisions_of(asked.plan)),
        {name: figures for name, figures in spreads.items() if figures is not None}, found, tornado(found), robust(asked, entries),
        orders(asked, entries), regrets, fronts(asked, entries),
    )  # fmt: skip


def write_findings(found: Findings, folder: Folder) -> dict[str, str]:
    """Write tables, summary and report into the study's folder.

    Returns:
        Paths by what they hold.

    Raises:
        StorageError: disk full, no permission; each file is there as before, or new.
    """
    from batch.study.report import report_html  # loads the pictures

    files = {"runs": ("study.parquet", parquet(found.runs)), "decisions": ("decisions.parquet", parquet(found.decisions))}
    files["robust"] = ("robust.parquet", parquet(pd.DataFrame(found.document()["decisions"])))
    if found.regrets is not None:
        files["regrets"] = ("regrets.parquet", parquet(found.regrets.long()))
    files["summary"] = ("summary.json", (json_text(found.document()) + "\n").encode())
    files["report"] = ("study.html", report_html(found).encode())
    for name, data in files.values():
        write_bytes(folder.path / name, data)
    return {what: str(folder.path / name) for what, (name, _) in files.items()}

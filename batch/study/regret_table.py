"""The table of regrets: what each plan earns under each scenario, and how much less that is than the best known there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from batch.study import regrets
from batch.study.asked import Asked
from batch.study.folder import Folder
from batch.study.journal import Entry

BASE_NAME = "base plan"


@dataclass(frozen=True)
class RegretTable:
    """Plans by scenarios.

    Attributes:
        plans: names of the plans; each is that of the run it was made by.
        scenarios: names of the scenarios.
        npv_usd: NPV of each plan's decisions, USD; NaN where they break a limit; shape (plans, scenarios).
        broken: limits that they break; shape (plans, scenarios).
        first: the first of these in words; shape (plans, scenarios).
        best_usd: the best NPV known of each scenario, USD; shape (scenarios,).
        odds: of each scenario; shape (scenarios,).
    """

    plans: list[str]
    scenarios: list[str]
    npv_usd: NDArray[np.float64]
    broken: NDArray[np.int64]
    first: list[list[str]]
    best_usd: NDArray[np.float64]
    odds: NDArray[np.float64]

    @property
    def regret_usd(self) -> NDArray[np.float64]:
        """Best NPV less that of the plan, USD; NaN where it breaks a limit; shape (plans, scenarios)."""
        return self.best_usd[None, :] - self.npv_usd

    def plan_rows(self) -> pd.DataFrame:
        """One row per plan, fewest broken first, then the lowest mean regret: columns plan, holds, broken, mean_regret_usd, max_regret_usd."""
        rows = []
        for n, plan in enumerate(self.plans):
            own = self.regret_usd[n]
            holds = ~np.isnan(own)
            mean = float(np.average(own[holds], weights=self.odds[holds])) if holds.any() else np.nan
            rows.append((plan, int(holds.sum()), int((~holds).sum()), mean, float(own[holds].max()) if holds.any() else np.nan))
        frame = pd.DataFrame(rows, columns=["plan", "holds", "broken", "mean_regret_usd", "max_regret_usd"])
        return frame.sort_values(["broken", "mean_regret_usd"], kind="stable").reset_index(drop=True)

    def long(self) -> pd.DataFrame:
        """One row per plan and scenario: columns plan, scenario, npv_usd, best_usd, regret_usd, broken, first."""
        rows = [
            (plan, scenario, self.npv_usd[n, j], self.best_usd[j], self.regret_usd[n, j], int(self.broken[n, j]), self.first[n][j])
            for n, plan in enumerate(self.plans)
            for j, scenario in enumerate(self.scenarios)
        ]
        return pd.DataFrame(rows, columns=["plan", "scenario", "npv_usd", "best_usd", "regret_usd", "broken", "first"])


def regret_table(asked: Asked, folder: Folder) -> RegretTable | None:
    """The table as far as plans were tried; None where none were."""
    plans, scenarios = regrets.chosen(asked, folder)
    tried = regrets.known(folder, plans)
    done = [run for run in scenarios if run in tried]
    if len(plans) < 2 or not done:
        return None
    return table_of(asked, plans, {run: tried[run] for run in done}, folder.finished())


def table_of(asked: Asked, plans: list[int], tried: Mapping[int, Entry], finished: Mapping[int, Entry]) -> RegretTable:
    """The table from what was kept of it.

    Args:
        asked: the study.
        plans: numbers of the runs whose plans were tried; -1 for the base plan.
        tried: entries of the table by scenario.
        finished: entries of the runs.
    """
    npv = np.array([[np.nan if b else v for v, b in zip(e["npv_usd"], e["broken"], strict=True)] for e in tried.values()], dtype=float).T
    broken = np.array([entry["broken"] for entry in tried.values()], dtype=np.int64).T
    own = np.array([finished[run]["row"]["npv_usd"] for run in tried], dtype=float)
    return RegretTable(
        plans=[BASE_NAME if run == regrets.BASE_PLAN else asked.scenarios[run].name for run in plans],
        scenarios=[asked.scenarios[run].name for run in tried],
        npv_usd=npv, broken=broken, first=[list(row) for row in zip(*(entry["first"] for entry in tried.values()), strict=True)],
        best_usd=np.fmax(own, np.nanmax(np.vstack([own, npv]), axis=0)),
        odds=np.array([asked.scenarios[run].odds for run in tried], dtype=float),
    )  # fmt: skip

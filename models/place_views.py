"""What stands where and when: a plan by site and period, beside the plan that it is compared with."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pandas as pd

from models import tables as tb
from models.dataset import Dataset
from models.plan import Plan

PLACE_COLUMNS: dict[str, str] = {
    "site_id": "site",
    "period": "period",
    "racks": "racks in service",
    "it_mw": "IT power that they need, MW",
    "gpus": "GPUs in them",
    "installed": "racks installed at the start of the period",
    "retired": "racks retired at the start of the period",
    "gen_id": "generation with the most IT power; empty without racks",
    "contract_id": "contract that gets the most GPUs; empty if none",
    "base_racks": "racks in service in the other plan",
    "base_it_mw": "IT power that they need, MW",
    "base_gpus": "GPUs in them",
    "base_gen_id": "generation with the most IT power in the other plan",
    "base_contract_id": "contract that gets the most GPUs in the other plan",
    "moved": "whether racks in service differ from the other plan in some generation",
    "frozen": "whether a directive fixes racks in service or installed",
}
"""Columns of :func:`places` with meaning and unit."""
_Cell = tuple[str, str]


def places(plan: Plan, dataset: Dataset, base: Plan | None = None) -> pd.DataFrame:
    """One row per site and period of the dataset, sites in its order.

    Args:
        plan: a plan of the dataset.
        dataset: its dataset.
        base: a plan to stand beside it, of the same sites; its columns are those of the plan itself if it is not given.

    Returns:
        Columns ``PLACE_COLUMNS``.
    """
    ours = _Standing(plan, dataset)
    theirs = ours if base is None else _Standing(base, dataset)
    frozen = _frozen(dataset)
    rows = []
    for site in dataset.rows(tb.Site):
        for label in dataset.calendar.labels:
            cell = (site.site_id, label)
            rows.append(
                (
                    *cell, *ours.sums(cell), ours.installed[cell], ours.retired[cell], ours.largest(cell), ours.most_served(cell),
                    *theirs.sums(cell), theirs.largest(cell), theirs.most_served(cell), ours.racks[cell] != theirs.racks[cell], cell in frozen,
                )
            )  # fmt: skip
    return pd.DataFrame(rows, columns=list(PLACE_COLUMNS))


class _Standing:
    """Racks and deliveries of a plan by site and period; generations that the dataset does not have count as no power."""

    def __init__(self, plan: Plan, dataset: Dataset) -> None:
        self.sizes = {row.gen_id: (row.rack_kw / 1000.0, row.gpus_per_rack) for row in dataset.rows(tb.Generation)}
        self.racks: dict[_Cell, dict[str, int]] = defaultdict(dict)
        self.installed: dict[_Cell, int] = defaultdict(int)
        self.retired: dict[_Cell, int] = defaultdict(int)
        self.served: dict[_Cell, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        names = ("site_id", "period", "gen_id", "installed", "retired", "in_service")
        for site, period, gen, installed, retired, racks in zip(*(plan.racks[name].tolist() for name in names), strict=True):
            cell = (site, period)
            self.installed[cell] += installed
            self.retired[cell] += retired
            if racks:
                self.racks[cell][gen] = racks
        given = ("site_id", "period", "contract_id", "gpus")
        for site, period, contract, gpus in zip(*(plan.deliveries[name].tolist() for name in given), strict=True):
            self.served[site, period][contract] += gpus

    def sums(self, cell: _Cell) -> tuple[int, float, float]:
        """Racks, MW and GPUs."""
        here = self.racks[cell]
        none = (0.0, 0.0)
        mw, gpus = (sum(racks * self.sizes.get(gen, none)[k] for gen, racks in here.items()) for k in (0, 1))
        return sum(here.values()), float(mw), float(gpus)

    def largest(self, cell: _Cell) -> str:
        """The generation with the most IT power."""
        here = self.racks[cell]
        return max(here, key=lambda gen: here[gen] * self.sizes.get(gen, (0.0, 0.0))[0], default="")

    def most_served(self, cell: _Cell) -> str:
        """The contract that gets the most GPUs."""
        here = self.served[cell]
        return max(here, key=here.__getitem__, default="")


def _frozen(dataset: Dataset) -> set[_Cell]:
    """Sites and periods in which a directive fixes racks."""
    calendar, found = dataset.calendar, set[_Cell]()
    every = [row.site_id for row in dataset.rows(tb.Site)]
    for row in dataset.rows(tb.Directive):
        if row.rule is not tb.Rule.FIX or row.decision not in (tb.DecisionKind.IN_SERVICE, tb.DecisionKind.INSTALLED):
            continue
        first = max(calendar.index(row.from_period), 0) if row.from_period else 0
        last = min(calendar.index(row.to_period), calendar.periods - 1) if row.to_period else calendar.periods - 1
        sites = every if row.site_id is None else [row.site_id]
        found |= {(site, calendar.label(t)) for site in sites for t in range(first, last + 1)}
    return found


def racks_at(plan: Plan, dataset: Dataset, site_id: str) -> pd.DataFrame:
    """Racks in service at a site: a row per generation that stands there, in the dataset's order, a column per period."""
    labels = dataset.calendar.labels
    own = plan.racks[(plan.racks["site_id"] == site_id) & (plan.racks["in_service"] > 0)]
    table = own.pivot_table(index="gen_id", columns="period", values="in_service", aggfunc="sum", fill_value=0)
    order = [row.gen_id for row in dataset.rows(tb.Generation) if row.gen_id in table.index]
    return table.reindex(index=order, columns=labels, fill_value=0).astype(int)


def contracts_at(plan: Plan, dataset: Dataset, site_id: str) -> pd.DataFrame:
    """GPUs that a site delivers, average of each period: a row per contract, in the dataset's order, a column per period."""
    return _delivered(
        plan, dataset, plan.deliveries["site_id"] == site_id, "contract_id", [r.contract_id for r in dataset.rows(tb.Contract)]
    )


def sites_of(plan: Plan, dataset: Dataset, contract_id: str) -> pd.DataFrame:
    """GPUs that a contract gets, average of each period: a row per site, in the dataset's order, a column per period."""
    return _delivered(plan, dataset, plan.deliveries["contract_id"] == contract_id, "site_id", [r.site_id for r in dataset.rows(tb.Site)])


def _delivered(plan: Plan, dataset: Dataset, which: Any, by: str, order: list[str]) -> pd.DataFrame:
    table: pd.DataFrame = plan.deliveries[which].pivot_table(index=by, columns="period", values="gpus", aggfunc="sum", fill_value=0.0)
    known = [i for i in order if i in table.index]
    return table.reindex(index=known, columns=dataset.calendar.labels, fill_value=0.0)


def decisions_at(plan: Plan, dataset: Dataset, site_id: str) -> pd.DataFrame:
    """What is decided of a site: opened, blocks energized, retrofit ordered; columns of the plan's decisions, in order of time."""
    blocks = {row.block_id for row in dataset.rows(tb.PowerBlock) if row.site_id == site_id}
    made = plan.decisions
    own = (made["kind"].isin(["open", "retrofit"]) & (made["id"] == site_id)) | ((made["kind"] == "build") & made["id"].isin(blocks))
    return made[own].sort_values("period", kind="stable").reset_index(drop=True)

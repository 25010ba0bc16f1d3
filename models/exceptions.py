"""Where a plan hurts, worst first by money: contracts that run late, power that stands idle, limits that bind."""

from __future__ import annotations

import math
from enum import StrEnum

import pandas as pd

from models import tables as tb
from models.dataset import Dataset
from models.headroom import headroom
from models.plan import Plan
from models.plan_views import TOLERANCE, binding_limits, contract_lateness, period_ranges

EXCEPTION_COLUMNS: dict[str, str] = {
    "kind": "late, stranded or tight",
    "id": "contract, or site",
    "name": "customer, or name of the site",
    "what": "limit that binds, or resource that is missing most often; empty for a contract",
    "usd": "damages of a contract, leases paid for stranded power, undiscounted USD; NaN for a limit, which has no price of its own",
    "most": "most GPUs short, or most MW stranded; NaN for a limit",
    "periods": "number of periods",
    "when": "those periods, ranges joined by commas",
}
"""Columns of :func:`exceptions` with meaning and unit."""
LEAST_MW = 0.05
"""Stranded power below this in every period is not told, MW."""


class ExceptionKind(StrEnum):
    """What an exception is about."""

    LATE = "late"
    STRANDED = "stranded"
    TIGHT = "tight"


def exceptions(plan: Plan, dataset: Dataset) -> pd.DataFrame:
    """Late contracts, stranded power and tight limits, those with the most money first, then limits by how often they bind.

    Args:
        plan: a plan of the dataset.
        dataset: its dataset.

    Returns:
        Columns ``EXCEPTION_COLUMNS``.
    """
    calendar = dataset.calendar
    names = {row.site_id: row.name for row in dataset.rows(tb.Site)}
    rows: list[tuple[str, str, str, str, float, float, int, str]] = []
    short = plan.contracts[plan.contracts["short_gpus"] > TOLERANCE * plan.contracts["owed_gpus"].clip(lower=1.0)]
    late = contract_lateness(plan, dataset)
    for row in late[late["periods_late"] > 0].to_dict("records"):
        when = period_ranges(short.loc[short["contract_id"] == row["contract_id"], "period"], calendar)
        rows.append(
            (
                ExceptionKind.LATE,
                row["contract_id"],
                row["customer"],
                "",
                row["damages_usd"],
                row["worst_short_gpus"],
                row["periods_late"],
                when,
            )
        )
    idle = headroom(plan, dataset)
    idle = idle[idle["stranded_mw"] >= LEAST_MW]
    for site, own in idle.groupby("site_id", sort=False):
        missing = str(own["missing"].mode().iloc[0])
        figures = float(own["lease_usd"].sum()), float(own["stranded_mw"].max()), len(own)
        rows.append(
            (ExceptionKind.STRANDED, str(site), names.get(str(site), ""), missing, *figures, period_ranges(own["period"], calendar))
        )
    for row in binding_limits(plan).to_dict("records"):
        site = row["site_id"]
        rows.append((ExceptionKind.TIGHT, site, names.get(site, ""), row["limit"], math.nan, math.nan, row["count"], row["periods"]))
    frame = pd.DataFrame(rows, columns=list(EXCEPTION_COLUMNS))
    order = frame.assign(money=frame["usd"].fillna(-1.0)).sort_values(["money", "periods"], ascending=False, kind="stable").index
    return frame.loc[order].reset_index(drop=True)

"""GPUs delivered to contracts against those owed."""

from __future__ import annotations

import altair as alt

from batch.report.draw import RED, Picture, period_axis, small_axis, small_multiples, small_width, typed
from batch.units import unit
from models import tables as tb
from models.dataset import Dataset
from models.plan import Plan

COLUMNS = 5


def deliveries(plan: Plan, dataset: Dataset) -> Picture:
    """A small picture per contract in force: GPUs delivered and short, together those owed; None without contracts."""
    if plan.contracts.empty:
        return None
    labels = dataset.calendar.labels
    size, gpus = unit(plan.contracts["owed_gpus"], "contract GPUs")
    parts = {"delivered_gpus": "delivered", "short_gpus": "owed and not delivered"}
    frame = plan.contracts.melt(["contract_id", "period", "owed_gpus"], list(parts), "what", "gpus")
    frame = frame[frame["gpus"] > 0]
    if frame.empty:
        return None
    frame = frame.assign(
        what=frame["what"].map(parts),
        gpus=frame["gpus"] / size,
        order=(frame["what"] == "short_gpus").astype(int),
        owed=frame.pop("owed_gpus") / size,
    )
    bars = (
        alt.Chart(typed(frame))
        .mark_bar()
        .encode(
            x=period_axis(labels, every=2),
            y=alt.Y("gpus:Q", axis=small_axis()),
            color=alt.Color(
                "what:N",
                scale=alt.Scale(domain=list(parts.values()), range=["#6b9bd1", RED]),
                legend=alt.Legend(title=gpus, orient="top"),
            ),
            order=alt.Order("order:Q"),
            tooltip=[
                alt.Tooltip("contract_id:N", title="contract"),
                alt.Tooltip("period:O"),
                alt.Tooltip("what:N", title="these are"),
                alt.Tooltip("gpus:Q", format=",.3f", title=gpus),
                alt.Tooltip("owed:Q", format=",.3f", title="of those owed"),
            ],
        )
    )
    found = set(frame["contract_id"])
    order = [row.contract_id for row in dataset.rows(tb.Contract) if row.contract_id in found]
    return small_multiples(bars, "contract_id", order, width=small_width(COLUMNS), height=72, columns=COLUMNS)

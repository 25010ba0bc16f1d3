"""Racks in service by generation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import altair as alt

from batch.report.draw import WIDTH, Picture, period_axis, quantity_axis, typed
from batch.units import unit
from models import tables as tb
from models.dataset import Dataset
from models.plan import Plan
from models.plan_views import fleet

GEN_SCHEME: Final = "tableau10"


def generation_order(dataset: Dataset, found: Iterable[object]) -> list[str]:
    """Generations that are found, in the dataset's order: one colour each in all charts."""
    known = {str(gen) for gen in found}
    return [row.gen_id for row in dataset.rows(tb.Generation) if row.gen_id in known]


def generations(plan: Plan, dataset: Dataset) -> Picture:
    """Racks in service by generation over time, in MW and in GPUs; None without racks."""
    frame = fleet(plan, dataset)
    if frame.empty:
        return None
    labels = dataset.calendar.labels
    gens = generation_order(dataset, frame["gen_id"])
    size, gpus = unit(frame.groupby("period")["gpus"].sum(), "GPUs")
    frame = frame.assign(gpus=frame["gpus"] / size, order=[gens.index(str(gen)) for gen in frame["gen_id"]])
    width = (WIDTH - 170) / 2

    def stack(column: str, title: str) -> Picture:
        return (
            alt.Chart(typed(frame))
            .mark_bar()
            .encode(
                x=period_axis(labels),
                y=alt.Y(f"{column}:Q", axis=quantity_axis(title)),
                color=alt.Color(
                    "gen_id:N",
                    scale=alt.Scale(domain=gens, scheme=GEN_SCHEME),
                    legend=alt.Legend(title="generation", orient="top", columns=0),
                ),
                order=alt.Order("order:Q"),
                tooltip=[
                    alt.Tooltip("gen_id:N", title="generation"),
                    alt.Tooltip("period:O"),
                    alt.Tooltip("racks:Q", format=",", title="racks in service"),
                    alt.Tooltip(f"{column}:Q", format=",.2f", title=title),
                ],
            )
            .properties(width=width, height=240)
        )

    return alt.hconcat(stack("it_mw", "provisioned IT power, MW"), stack("gpus", f"in service, {gpus}"), spacing=24)

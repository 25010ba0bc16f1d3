"""Timeline: what stands at which site in which period, with the baseline behind it."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

import pandas as pd
from fastapi import APIRouter, Query, Request, Response

from api.page import words
from api.page.frame import PageRoute, csv, render
from api.page.shown import KEPT, Shown, TheShown, not_yet
from api.security import Viewer
from models import tables as tb
from models.place_views import places

router = APIRouter(route_class=PageRoute)
SHADES = 10
"""Shades of the heat map above none."""
COLOURS = 12
"""Colours of generations and contracts; they repeat where there are more."""


class Measure(StrEnum):
    """What the cells show."""

    RACKS = "racks"
    MW = "mw"
    GPUS = "gpus"
    GENERATION = "generation"
    CONTRACT = "contract"


TITLES = {
    Measure.RACKS: "racks in service", Measure.MW: "IT power of racks in service, MW", Measure.GPUS: "GPUs in service, thousands",
    Measure.GENERATION: "generation with the most IT power", Measure.CONTRACT: "contract that gets the most GPUs",
}  # fmt: skip
COLUMNS = {
    Measure.RACKS: "racks",
    Measure.MW: "it_mw",
    Measure.GPUS: "gpus",
    Measure.GENERATION: "gen_id",
    Measure.CONTRACT: "contract_id",
}


class Cell(NamedTuple):
    """A site in a period.

    Attributes:
        text: what stands in it.
        look: classes of its colour.
        marks: classes: moved, up, down, frozen, built.
        was: what the baseline has, where that differs; empty otherwise.
        words: all of it, for a pointer and for readers of screens.
        link: what-if about the site and period.
    """

    text: str
    look: str
    marks: str
    was: str
    words: str
    link: str


@router.get("/timeline")
def timeline(
    request: Request, caller: Viewer, shown: TheShown, measure: Annotated[Measure, Query(description="what the cells show")] = Measure.MW
) -> Response:
    """The heat map."""
    return not_yet(request, shown) or _timeline(request, shown, measure)


@router.get("/timeline.csv")
def timeline_csv(caller: Viewer, shown: TheShown) -> Response:
    """All of it as a table."""
    return csv(standing(shown), f"timeline-{shown.line_name or 'plan'}")


def standing(shown: Shown) -> pd.DataFrame:
    """What stands where; kept for the next who asks."""
    base = shown.base
    key = ("places", shown.run.plan_blob if shown.run else "", shown.dataset.sha256, "" if base is None else base.plan_blob)
    return KEPT.get(key, lambda: places(shown.plan, shown.dataset, shown.base_plan))


def _timeline(request: Request, shown: Shown, measure: Measure) -> Response:
    frame, labels = standing(shown), shown.dataset.calendar.labels
    by_kind = measure in (Measure.GENERATION, Measure.CONTRACT)
    colours = _colours(shown, measure, frame) if by_kind else {}
    both = [COLUMNS[measure], f"base_{COLUMNS[measure]}"]  # one scale, so that a plan and its baseline look alike where they are
    most = 0.0 if by_kind else float(frame[both].to_numpy(float).max())
    write = _writer(measure)
    rows: list[dict[str, Any]] = []
    records = frame.to_dict("records")
    for n, site in enumerate(shown.dataset.rows(tb.Site)):
        own = records[n * len(labels) : (n + 1) * len(labels)]
        cells = [_cell(shown, row, measure, write, most, colours) for row in own]
        rows.append({"site_id": site.site_id, "name": site.name, "cells": cells, "any": any(cell.text or cell.was for cell in cells)})
    return render(
        request, "timeline.html", shown=shown, measure=measure, measures=TITLES, rows=[row for row in rows if row["any"]],
        empty=[row["site_id"] for row in rows if not row["any"]], labels=labels, colours=colours,
        moved=int(frame["moved"].sum()), frozen=int(frame["frozen"].sum()), shades=SHADES, most=write(most) if most else "",
    )  # fmt: skip


def _writer(measure: Measure) -> Callable[[Any], str]:
    def write(value: Any) -> str:
        if isinstance(value, str):
            return value
        if measure is Measure.GPUS:
            value = value / 1000.0
        return words.some(value, 0 if measure is Measure.RACKS or value >= 9.95 else 1)

    return write


def _colours(shown: Shown, measure: Measure, frame: pd.DataFrame) -> dict[str, int]:
    """Colour of each generation or contract that is shown, in the dataset's order."""
    table = "generations" if measure is Measure.GENERATION else "contracts"
    key = "gen_id" if measure is Measure.GENERATION else "contract_id"
    found = set(frame[key]) | set(frame[f"base_{key}"])
    order = [str(getattr(row, key)) for row in shown.dataset.table_rows(table)]
    return {id: n % COLOURS for n, id in enumerate(id for id in order if id in found)}


def _cell(shown: Shown, row: dict[Any, Any], measure: Measure, write: Callable[[Any], str], most: float, colours: dict[str, int]) -> Cell:
    value, base = row[COLUMNS[measure]], row[f"base_{COLUMNS[measure]}"]
    text, was = write(value), write(base)
    differs = text != was
    marks = ["moved"] if row["moved"] else []
    if differs and not colours:
        marks.append("up" if value > base else "down")
    marks += [name for name, on in (("frozen", row["frozen"]), ("built", row["installed"] > 0)) if on]
    if colours:
        look = f"c{colours[value]}" if value in colours else "h0"
    else:
        look = f"h{math.ceil(SHADES * math.sqrt(value / most)) if value > 0 and most > 0 else 0}"
    return Cell(
        text=_short(text) if colours else text, look=look, marks=" ".join(marks), was=(was or "0" if not colours else _short(was)) if differs else "",
        words=_in_words(row), link=shown.to("/whatif", site=row["site_id"], period=row["period"]),
    )  # fmt: skip


def _short(id: str) -> str:
    """As much of an id as a cell holds."""
    first, *more = id.replace("-", "_").split("_")
    return first if 1 < len(first) <= 5 else "".join([first, *more])[:5]


def _in_words(row: dict[Any, Any]) -> str:
    now = f"{words.counted(row['racks'], 'rack')}, {words.number(row['it_mw'], 1)} MW, {words.number(row['gpus'])} GPUs"
    parts = [f"{row['site_id']}, {row['period']}: {now}"]
    parts += [f"mostly {row['gen_id']}"] if row["gen_id"] else []
    parts += [f"for {row['contract_id']}"] if row["contract_id"] else []
    parts += [f"{words.counted(row[name], 'rack')} {name}" for name in ("installed", "retired") if row[name]]
    if row["moved"]:
        parts.append(f"baseline: {words.counted(row['base_racks'], 'rack')}, {words.number(row['base_it_mw'], 1)} MW")
    parts += ["frozen"] if row["frozen"] else []
    return "; ".join(parts)

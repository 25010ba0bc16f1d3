"""Compare: two to four plans side by side, each against the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import pandas as pd
from fastapi import APIRouter, Query, Request, Response

from api.page.frame import PageRoute, csv, render
from api.page.shown import Shown, TheShown
from api.page.words import money, signed, term
from api.problems import ProblemError
from api.routes import diffs
from api.routes.common import TheService
from api.routes.views import run_view
from api.schemas.diffs import RunDiff
from api.schemas.runs import RunView
from api.security import Caller, Viewer
from api.service import Service
from batch.svg import Term, bridge
from models.plan import NPV_TERMS
from optimizer.explain import as_json
from optimizer.kpis import KPIS

router = APIRouter(route_class=PageRoute)
MOST = 4
ROWS_SHOWN = 40
"""Rows of a table that are shown; the file has all."""
LETTERS = "ABCD"
LEAST = 0.5
"""Differences below this, USD, are no step of a bridge."""
TABLES = {
    "kpis": "key figures", "terms": "terms of NPV", "racks": "racks installed and retired", "decisions": "decisions", "contracts": "deliveries to contracts",
    "limits": "limits that became tight or slack",
}  # fmt: skip
Of = Annotated[tuple[str, ...], Query(alias="of", max_length=20, description="runs with a plan; the others are compared with the first")]


@dataclass(frozen=True)
class Side:
    """A plan of the comparison.

    Attributes:
        letter: that stands for it.
        run: as it is told.
        diff: from the first plan to this one; None of the first.
        bridge: the NPV terms of it as SVG.
    """

    letter: str
    run: RunView
    diff: RunDiff | None = None
    bridge: str = ""

    @property
    def what(self) -> str:
        """What was asked, in words."""
        return "; ".join(self.run.sentences) or "no changes"


def sides(caller: Caller, service: Service, ids: Sequence[str]) -> list[Side]:
    """The plans, the first without a difference.

    Raises:
        ProblemError: 404, no such run; 409, one has no plan; 422, more than four.
    """
    chosen = list(dict.fromkeys(id for id in ids if id))
    if len(chosen) > MOST:
        raise ProblemError(422, "too_many", f"{len(chosen)} plans; two to {MOST} can be compared")
    found: list[Side] = []
    for letter, id in zip(LETTERS, chosen, strict=False):
        row = service.run(id)
        service.plan_of(row)
        diff = diffs.get(caller, service, chosen[0], id) if found else None
        found.append(Side(letter, run_view(row), diff, "" if diff is None else _bridge(letter, diff)))
    return found


def _bridge(letter: str, diff: RunDiff) -> str:
    """The terms that differ, from the first plan's NPV to another's."""
    terms = [Term(term(one.name), one.difference, one.within_tolerance) for one in diff.terms if abs(one.difference) > LEAST]
    return bridge(
        (f"NPV of {LETTERS[0]}", diff.npv.before), terms, (f"NPV of {letter}", diff.npv.after), title=f"NPV from {LETTERS[0]} to {letter}, term by term",
        text=money, signed=lambda usd: signed(money(usd)),
    )  # fmt: skip


@router.get("/compare")
def show(request: Request, caller: Viewer, service: TheService, shown: TheShown, of: Of = ()) -> Response:
    """Plans side by side; without two of them, the form to choose some."""
    found = sides(caller, service, of)
    first = found[0].run if found else None
    shown = _shown_of(service, first) or shown
    choices = [run_view(row) for row in shown.runs]
    known = {run.id for run in choices}
    choices += [side.run for side in found if side.run.id not in known]
    kpis = {side.letter: {delta.name: delta for delta in side.diff.kpis} for side in found if side.diff is not None}
    terms = {side.letter: {delta.name: delta for delta in side.diff.terms} for side in found if side.diff is not None}
    names = list(dict.fromkeys(name for own in kpis.values() for name in own))
    return render(
        request, "compare.html", shown=shown, sides=found, choices=choices, kpis=kpis, kpi_names=names, terms=terms,
        term_names=[name for name in NPV_TERMS if any(name in own for own in terms.values())], meanings=NPV_TERMS, figures=KPIS, most=MOST,
        ids=[side.run.id for side in found], rows_shown=ROWS_SHOWN, baseline=shown.line.run_id if shown.line is not None else None,
    )  # fmt: skip


def _shown_of(service: Service, run: RunView | None) -> Shown | None:
    """The plan line of the first plan, for the choice of others."""
    if run is None or run.line is None:
        return None
    line = service.line(run.line)
    return Shown(service, line, None if line.run_id is None else service.run(line.run_id), chosen=False)


@router.get("/compare/{table}.csv")
def table(caller: Viewer, service: TheService, table: str, of: Of = ()) -> Response:
    """A table of the comparison as a file, of all plans below one another."""
    if table not in TABLES:
        raise ProblemError(404, "unknown_table", f"there is no table {table}; there are {', '.join(TABLES)}")
    rows: list[dict[str, Any]] = []
    for side in sides(caller, service, of):
        for row in getattr(side.diff, table, ()):
            plain = as_json(row)
            for name in ("before", "after"):
                if isinstance(plain[name], dict):
                    plain[name] = f"{plain[name]['site_id']} {plain[name]['period']}"
            rows.append({"first": of[0], "second": side.run.id, **plain})
    return csv(pd.DataFrame(rows), f"comparison, {TABLES[table]}")

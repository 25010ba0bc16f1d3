"""What a view shows: a plan line's baseline, or the run that was chosen instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.page.frame import HEADERS, address, render
from api.page.kept import Kept
from api.problems import ProblemError
from api.routes.common import TheService
from api.service import Service
from api.store import RunMode, RunState
from models import tables as tb
from models.dataset import Dataset
from models.faults import closest
from models.plan import Plan

T = TypeVar("T")
KEPT = Kept()
PLANNING = (RunMode.PLAN, RunMode.REPAIR, RunMode.REOPTIMIZE)
"""Modes of runs that end with a plan."""
CHOICES = 30
"""Plan lines and runs that can be chosen from a list."""


@dataclass(frozen=True)
class Shown:
    """The plan that a view is about.

    Attributes:
        service: that has it.
        line: plan line; None for a run of none.
        run: the run of the plan; None where the line has no plan yet.
        chosen: whether the run was chosen, and is not just the line's baseline.
    """

    service: Service
    line: Any | None
    run: Any | None
    chosen: bool

    @cached_property
    def plan(self) -> Plan:
        """The plan.

        Raises:
            ProblemError: 409, there is none (yet).
        """
        if self.run is None:
            raise ProblemError(409, "no_plan", f"plan line {self.line.name if self.line else ''} has no plan yet")
        return self.service.plan_of(self.run)

    @cached_property
    def dataset(self) -> Dataset:
        """The dataset of the plan, after the run's changes."""
        return self.service.dataset(self.run.dataset_id if self.run is not None else self.line.dataset_id if self.line else "")

    @cached_property
    def base(self) -> Any | None:
        """The run that the shown one is compared with: the line's baseline, or the run's own; None if there is no other."""
        id = self.line.run_id if self.line is not None else None
        if self.run is not None and id in (None, self.run.id):
            id = self.run.baseline_run_id
        row = None if id is None or (self.run is not None and id == self.run.id) else self.service.run(id)
        return row if row is not None and row.plan_blob is not None else None

    @property
    def base_plan(self) -> Plan | None:
        """Its plan."""
        return None if self.base is None else self.service.plan_of(self.base)

    def view(self, make: Callable[[Plan, Dataset], T]) -> T:
        """What a function makes of plan and dataset; kept for the next who asks, who must not change it.

        Raises:
            ProblemError: 409, there is no plan (yet).
        """
        plan, dataset, run = self.plan, self.dataset, self.run
        return KEPT.get((make.__module__, make.__qualname__, run.plan_blob if run else "", dataset.sha256), lambda: make(plan, dataset))

    def base_view(self, make: Callable[[Plan, Dataset], T]) -> T | None:
        """The same of the plan that this one is compared with; None if there is none."""
        base = self.base
        return None if base is None else Shown(self.service, self.line, base, chosen=False).view(make)

    @property
    def line_name(self) -> str | None:
        """Name of the plan line."""
        return None if self.line is None else str(self.line.name)

    def to(self, path: str, **parameters: Any) -> str:
        """Address of a view of the same plan; a parameter that is None is left out."""
        own = {"line": self.line_name, "run": self.run.id if self.chosen and self.run is not None else None}
        return address(path, **{**own, **parameters})

    @cached_property
    def lines(self) -> list[Any]:
        """Plan lines to choose from, newest first."""
        return list(self.service.store.lines.list(limit=CHOICES).items)

    @cached_property
    def runs(self) -> list[Any]:
        """Runs with a plan to choose from, newest first; the shown one is among them."""
        if self.line is None:
            return [self.run] if self.run is not None else []
        found = self.service.store.runs.list(
            limit=CHOICES, states=(RunState.SUCCEEDED,), modes=PLANNING, line_id=self.line.id, of_studies=False
        ).items
        rows = [row for row in found if row.plan_blob is not None]
        known = {row.id for row in rows}
        more = [self.run] if self.run is not None and self.run.id not in known else []
        return more + rows

    @cached_property
    def active(self) -> Any | None:
        """The line's newest run that waits or goes on; None if there is none."""
        if self.line is None:
            return None
        states = (RunState.RUNNING, RunState.QUEUED)
        return next(
            iter(self.service.store.runs.list(limit=1, states=states, modes=PLANNING, line_id=self.line.id, of_studies=False).items), None
        )


def shown_of(
    service: TheService,
    line: Annotated[str | None, Query(description="plan line, by id or name")] = None,
    run: Annotated[str | None, Query(description="run whose plan is shown instead of the line's baseline")] = None,
) -> Shown:
    """What the address names; by default the baseline of the newest plan line that has one.

    Raises:
        ProblemError: 404, no such line or run; 409, the run has no plan.
    """
    if run:
        row = service.run(run)
        if row.plan_blob is None:
            service.plan_of(row)
        name = line or row.line_id
        return Shown(service, service.line(name) if name else None, row, chosen=True)
    if line:
        found = service.line(line)
    else:
        every = service.store.lines.list(limit=CHOICES).items
        found = next((one for one in every if one.run_id is not None), every[0] if every else None)
    return Shown(service, found, None if found is None or found.run_id is None else service.run(found.run_id), chosen=False)


TheShown = Annotated[Shown, Depends(shown_of)]


def not_yet(request: Request, shown: Shown) -> Response | None:
    """What is answered in place of a view: the address that names the plan line, or that there is no plan yet; None if the view can be drawn."""
    if shown.line is not None and not {"line", "run"} & request.query_params.keys():
        return RedirectResponse(shown.to(request.url.path, **request.query_params), 303, HEADERS)
    return render(request, "waiting.html", shown=shown) if shown.run is None else None


Row = TypeVar("Row", bound=tb.Row)


def known(rows: Iterable[Row], what: str, id: str) -> Row:
    """The row of an id.

    Args:
        rows: of the table whose ids are in the column ``<what>_id``.
        what: site or contract.

    Raises:
        ProblemError: 404, there is none.
    """
    every = {str(getattr(row, f"{what}_id")): row for row in rows}
    if id not in every:
        near = closest(id, every)
        raise ProblemError(404, f"unknown_{what}", f"there is no {what} {id}{f'; did you mean {near}?' if near else ''}")
    return every[id]

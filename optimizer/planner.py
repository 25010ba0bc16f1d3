"""A dataset in, an audited plan out."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.dataset import Dataset
from models.files import read_dataset
from models.plan import Plan, Summary, relative_gap
from models.targets import NO_TARGETS, Targets
from optimizer.blocks.directives import DirectiveConflictError
from optimizer.conflicts import conflicts
from optimizer.decisions import Decisions, decisions_from_plan, start_vector
from optimizer.finish import Finish
from optimizer.highs import Control, SolverError
from optimizer.instance import Floats, Instance
from optimizer.mps import duals_path, write_duals, write_model
from optimizer.record import Event, Record
from optimizer.rounds import NothingFeasibleError
from optimizer.search import search
from optimizer.spreadsheet import greedy
from optimizer.tradeoffs.targets import matrix_of

CONFLICT_SECONDS = 60.0
"""Time for naming the rules that conflict."""


@dataclass(frozen=True)
class Progress:
    """How far a search is.

    Attributes:
        seconds: since the start.
        phase: what is being done, in words.
        npv_usd: NPV of the best plan so far.
        bound_usd: best proven upper limit of NPV.
        gap: relative gap between them.
    """

    seconds: float
    phase: str
    npv_usd: float | None
    bound_usd: float | None
    gap: float | None


class InfeasibleError(Exception):
    """No plan holds all directives, hard duties and limits.

    Attributes:
        conflicts: the rules that can't hold together, in words.
        summary: what was found out.
    """

    def __init__(self, found: list[str], summary: Summary) -> None:
        self.conflicts, self.summary = found, summary
        super().__init__("infeasible: " + "; ".join(found))


class NoPlanError(Exception):
    """No plan was found in the time given.

    Attributes:
        summary: what was found out, the bound among it.
    """

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        super().__init__("no plan was found in the time given")


def plan(
    dataset: Dataset | str | Path,
    *,
    gap: float = 0.01,
    time_limit: float = 600.0,
    threads: int | None = None,
    seed: int = 0,
    start: Plan | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    write_mps: Path | None = None,
    keep: Callable[[Plan], None] | None = None,
    without: frozenset[str] = frozenset(),
    targets: Targets = NO_TARGETS,
) -> Plan:
    """The best plan of a dataset, with its proofs.

    Args:
        dataset: a dataset, or the path of one.
        gap: relative gap between plan and bound at which the search ends; below 1e-6 counts as 1e-6.
        time_limit: seconds of the search, building included.
        threads: of the solver; all cores if not given.
        seed: of the solver.
        start: a plan to start from.
        progress: called as the search goes on.
        stop: set it to end the search with the best plan.
        write_mps: file for the model; the duals of the bound go beside it, with ``.duals.csv``.
        keep: called with each better plan, audited, while the search goes on.
        without: ingredients of the search to leave out, of :data:`optimizer.search.INGREDIENTS`.
        targets: that the plan must hold besides.

    Raises:
        DatasetError: the dataset has faults.
        InfeasibleError: no plan holds all directives, hard duties and limits.
        NoPlanError: none was found in time.
        SolverError: the solver failed, or its plan failed the audit.
        ValueError: an argument out of its range.
    """
    if not 0 <= gap < np.inf or not 0 < time_limit < np.inf:
        raise ValueError(f"gap must be at least 0 and time_limit above 0; found {gap} and {time_limit}")
    planning = Planning(
        gap, seed, threads or os.cpu_count() or 1, progress, keep, without,
        Control(time.monotonic() + time_limit, stop or threading.Event()), targets,
    )  # fmt: skip
    return planning.run(dataset if isinstance(dataset, Dataset) else Path(dataset), start, write_mps)


class Planning:
    """One run from dataset to plan, with its clock."""

    def __init__(
        self, gap: float, seed: int, threads: int, progress: Callable[[Progress], None] | None, keep: Callable[[Plan], None] | None,
        without: frozenset[str], control: Control, targets: Targets = NO_TARGETS,
    ) -> None:  # fmt: skip
        self.gap, self.seed, self.threads, self.control = gap, seed, threads, control
        self.progress, self.keep, self.without = progress, keep, without
        self.targets = targets
        self.finish = Finish(gap, threads, seed, control, targets=targets)
        self.record: Record | None = None
        self.instance: Instance | None = None

    def run(self, source: Dataset | Path, start: Plan | None, mps: Path | None) -> Plan:
        since = time.monotonic()
        dataset = source if isinstance(source, Dataset) else read_dataset(source)
        self.finish.clock("load", since)
        self._tell("building the model")
        since = time.monotonic()
        instance = self.instance = Instance(dataset)
        try:
            matrix = self.finish.matrix = matrix_of(instance, self.targets)
        except DirectiveConflictError as conflict:
            raise InfeasibleError([str(conflict)], self.finish.summary(dataset, self.record, None, infeasible=True)) from None
        self.finish.clock("build", since)
        since = time.monotonic()
        record = self.record = Record(
            instance, matrix, self.gap, self.control, self.threads, self.seed, report=self._report, began=self.finish.began,
            keep=lambda x: self._better(dataset, instance, x),
        )  # fmt: skip
        try:
            search(record, [start_vector(instance, matrix, d) for d in self._starts(instance, start)], self.without)
        except NothingFeasibleError:
            self._tell("infeasible: looking for the rules that conflict")
            control = Control(time.monotonic() + CONFLICT_SECONDS, self.control.stop)
            found = conflicts(instance, matrix, control, threads=self.threads, seed=self.seed)
            raise InfeasibleError(found, self.finish.summary(dataset, self.record, None, infeasible=True)) from None
        except SolverError as error:
            if record.best is None:
                raise
            record.log(f"search ended early: {error}")
        self.finish.seconds["relax"] = max(0.0, record.relaxed_after - (since - self.finish.began))
        self.finish.seconds["search"] = time.monotonic() - since - self.finish.seconds["relax"]
        if mps is not None:
            write_model(matrix, mps)
        if mps is not None and record.row_dual is not None:
            write_duals(matrix, record.row_dual, duals_path(mps))
        if record.best is None:
            raise NoPlanError(self.finish.summary(dataset, self.record, None))
        self._tell("writing and auditing the plan")
        made, faults = self.finish.made(dataset, instance, record, record.best)
        if faults:
            raise SolverError("the plan failed its audit: " + "; ".join(faults[:5]))
        return made

    def _starts(self, instance: Instance, start: Plan | None) -> list[Decisions]:
        given = [decisions_from_plan(instance, start.tables)] if start is not None else []
        return [*given, greedy(instance)]

    def _better(self, dataset: Dataset, instance: Instance, x: Floats) -> None:
        """Hand on a better plan while the search goes on, if it passes its audit."""
        if self.keep is not None and self.record is not None:
            made, faults = self.finish.made(dataset, instance, self.record, x)
            if not faults:
                self.keep(made)

    def _tell(self, phase: str) -> None:
        if self.progress is not None:
            self.progress(Progress(time.monotonic() - self.finish.began, phase, None, None, None))

    def _report(self, event: Event) -> None:
        if self.progress is not None:
            known = event.npv_usd is not None and event.bound_usd is not None
            gap: Any = relative_gap(event.bound_usd or 0.0, event.npv_usd or 0.0) if known else None
            self.progress(Progress(event.seconds, event.phase, event.npv_usd, event.bound_usd, gap))

"""What a search has found, as a plan: tables, summary, audit."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from models.dataset import Dataset
from models.plan import DatasetRef, Plan, Seconds, Sizes, SolutionStatus, SolverInfo, StopReason, Summary, relative_gap, status_of
from models.targets import NO_TARGETS, Targets
from optimizer.audit import audit
from optimizer.blocks.base import MILLION
from optimizer.decisions import decisions_of
from optimizer.extract import Extract
from optimizer.highs import VERSION, Control
from optimizer.instance import Floats, Instance
from optimizer.kpis import kpis
from optimizer.matrix import Matrix, sizes
from optimizer.record import Record
from optimizer.tradeoffs.targets import missed


@dataclass
class Finish:
    """Makes plans of solutions.

    Args:
        gap: relative gap asked for.
        threads, seed: of the solver.
        control: deadline and stop of the search.
        targets: that plans are asked to hold.

    Attributes:
        began: time on ``time.monotonic()``.
        seconds: wall-clock time by phase.
        matrix: the model, once it is built.
    """

    gap: float
    threads: int
    seed: int
    control: Control
    began: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)
    matrix: Matrix | None = None
    targets: Targets = NO_TARGETS

    def clock(self, name: str, since: float) -> None:
        """Count the time since then to a phase."""
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - since

    def made(self, dataset: Dataset, instance: Instance, record: Record, x: Floats) -> tuple[Plan, list[str]]:
        """The plan of a solution, and what its audit finds wrong.

        Args:
            x: an exact solution; shape (columns,).
        """
        since = time.monotonic()
        extract = Extract(instance, decisions_of(instance, record.matrix, x))
        tables = extract.tables()
        self.clock("extract", since)
        since = time.monotonic()
        summary = self.summary(dataset, record, extract)
        report = audit(dataset, tables, summary)
        self.clock("audit", since)
        self.seconds["total"] = time.monotonic() - self.began
        summary = summary.model_copy(update={"audit": report.summary(), "seconds": Seconds(**self.seconds)})
        log = pd.DataFrame([vars(event) for event in record.events], columns=["seconds", "phase", "npv_usd", "bound_usd"])
        faults = [violation.message for violation in report.violations]
        return Plan(summary, tables, log), faults + missed(instance, self.targets, tables)

    def summary(self, dataset: Dataset, record: Record | None, extract: Extract | None, infeasible: bool = False) -> Summary:
        """What summary.json says of a search, with or without a plan."""
        npv = extract.npv_usd if extract is not None else None
        bound = certified = None
        if record is not None and np.isfinite(record.bound):
            bound = -record.bound * MILLION if npv is None else max(-record.bound * MILLION, npv)
        if record is not None and np.isfinite(record.certified):
            certified = -record.certified * MILLION
        gap = relative_gap(bound, npv) if bound is not None and npv is not None else None
        return Summary(
            dataset=DatasetRef(name=dataset.name, sha256=dataset.sha256),
            status=SolutionStatus.INFEASIBLE if infeasible else (status_of(gap, self.gap) if gap is not None else SolutionStatus.FEASIBLE),
            stop_reason=self._stop_reason(gap, infeasible),
            npv_usd=npv,
            bound_usd=bound,
            bound_certified_usd=certified,
            gap=gap,
            gap_certified=relative_gap(certified, npv) if certified is not None and npv is not None else None,
            gap_requested=self.gap,
            npv_terms=extract.npv_terms if extract is not None else {},
            seconds=Seconds(**self.seconds),
            solver=SolverInfo(name="HiGHS", version=VERSION, threads=self.threads, seed=self.seed),
            sizes=Sizes(**sizes(self.matrix)) if self.matrix is not None else Sizes(),
            audit=None,
            kpis=kpis(extract) if extract is not None else {},
        )

    def _stop_reason(self, gap: float | None, infeasible: bool) -> StopReason:
        if infeasible:
            return StopReason.PROVED_INFEASIBLE
        if gap is not None and gap <= max(self.gap, 1e-6):
            return StopReason.GAP_REACHED
        return StopReason.USER_STOP if self.control.stop.is_set() else StopReason.TIME_LIMIT

"""The search of a large model, in rounds of jobs for worker processes.

A round's jobs depend only on what earlier rounds found, and each job is bounded by iterations: where the clock does
not cut it short, a search takes the same way for the same seed and number of workers.

1. One worker solves the relaxation first; all look for serving sites on merged periods, improve them on finer ones, and make a whole plan
   of theirs, the first an early one too.
2. Then each improves sites further and makes a whole plan of what it finds.
3. When that brings nothing better, one looks for better racks, then searches the whole model, for the bound; the others go on.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optimizer.highs import Outcome, Solution, Statuses
from optimizer.instance import Floats
from optimizer.record import Record
from optimizer.station import Banned, Choice
from optimizer.workers import Answer, Pool

FIRST_EFFORT = 2.0
"""Iterations of the first search for sites, by row of the merged model."""
EFFORT = 3.0
"""Iterations of each later one."""
FRESH_EFFORT = 6.0
"""Iterations of each that places all contracts anew, after a round that brought nothing better."""
STALE = 4
"""Rounds without better sites after which one worker turns to the whole model."""
RACKS_SECONDS = 45.0
"""Longest time for the search for better racks around a plan."""
FIRST_SHARE = 1 / 3
"""Share of the time left for any first plan when no choice of sites led to one."""
LONG = ("racks_near", "branch")
"""Jobs that the clock ends."""
BRANCHES = 2
"""Times that the whole model is searched: once more, should it fail."""
RELAXATIONS = 1
"""Times that the relaxation is solved again, should it fail: without it there is no certificate."""
WORSE = 1e-2
"""Relative amount by which sites may look worse than the best and still be searched on from."""
SITES = ("sites", "better_sites")
"""Jobs that look for serving sites."""


class NothingFeasibleError(Exception):
    """The model has no solution, whatever the whole numbers."""


@dataclass(frozen=True)
class Job:
    """A job of :class:`~optimizer.station.Station`.

    Attributes:
        name: of the method.
        arguments: of the call.
        seconds: most time.
        phase: what is said of a plan that it finds.
    """

    name: str
    arguments: tuple[Any, ...] = ()
    seconds: float = np.inf
    phase: str = ""


@dataclass
class Rounds:
    """A search of a large model.

    Args:
        record: what is found.
        pool: workers; none of them is busy.
        without: ingredients of the search to leave out.
    """

    record: Record
    pool: Pool
    without: frozenset[str] = frozenset()
    choices: list[Choice] = field(default_factory=list)
    near: Floats | None = None
    stale: int = 0
    infeasible: bool = False
    branches: int = 0
    relaxations: int = RELAXATIONS
    """Times that the relaxation may still be solved again, should it fail."""
    tried_first: bool = False
    """Whether any first plan was looked for."""
    searched: int = 0
    banned: set[Banned] = field(default_factory=set)
    """Contract-site pairs that the whole model does not hold."""

    def run(self) -> None:
        """Search until the gap is proven or time is up.

        Raises:
            NothingFeasibleError: the relaxation, or the whole model, has no solution.
        """
        self.record.log("relaxation")
        self._run(self._first())

    def go_on(self, complete: bool) -> None:
        """Search on from the choices at hand, whose relaxation is solved.

        Args:
            complete: whether a whole plan of the first of them is made before all else.

        Raises:
            NothingFeasibleError: the model has no solution.
        """
        jobs = [self._searches(worker) for worker in range(self.pool.count)]
        if complete:
            jobs[0].insert(0, Job("complete", (self.choices[0],), phase="whole plan"))
        self._run(jobs)

    def _run(self, jobs: list[list[Job]]) -> None:
        """Do a first round, then what comes next."""
        self.branches = 0 if "branch and bound" in self.without else BRANCHES
        while jobs and not self.record.done and not self.infeasible:
            self._round(jobs)
            jobs = self._next()
        if self.infeasible and self.record.best is None:
            raise NothingFeasibleError

    # what to do --------------------------------------------------------------------------------

    def _first(self) -> list[list[Job]]:
        """The relaxation, the first searches for sites, better ones, and whole plans of them.

        The first worker, which has the relaxation to solve, makes an early plan of the first sites that it finds; the others make theirs of
        better ones. Those are looked for only as long as one exchange after the other pays.
        """
        count, complete = self.pool.count, Job("complete", phase="whole plan")
        if "sites" in self.without:
            jobs = [[Job("sites", (0.0, part, count)), complete] for part in range(count)]
        else:
            better = Job("better_sites", (None, 0.0))
            jobs = [[Job("sites", (FIRST_EFFORT, part, count)), better, complete] for part in range(count)]
            jobs[0].insert(1, complete)
        jobs[0].insert(0, Job("relax"))
        return jobs

    def _next(self) -> list[list[Job]]:
        """Better sites, and plans of them; any plan at all, better racks or the whole model by the first worker, when it is time for that."""
        record, special = self.record, list[Job]()
        if not np.isfinite(record.certified) and self.relaxations:
            self.relaxations -= 1
            special = [Job("relax"), *self._searches(0)]
        elif record.best is None and not self.tried_first:
            self.tried_first = True
            special = [Job("first", (), record.control.remaining * FIRST_SHARE, "first plan")]
        elif self.branches and (self.stale >= STALE or (record.best is None and not self.choices)):
            self.branches -= 1
            special = [Job("branch", (record.best, record.gap), phase="branch and bound")]
        elif self.stale and record.best is not None and record.best is not self.near and "racks" not in self.without:
            self.near = record.best
            special = [Job("racks_near", (record.best, 1.0, RACKS_SECONDS), phase="racks")]
        jobs = [special or self._searches(0), *(self._searches(worker) for worker in range(1, self.pool.count))]
        return jobs if any(jobs) else []

    def _searches(self, worker: int) -> list[Job]:
        """Better sites than those of one of the best choices, or from scratch, and a plan of what is found."""
        if not self.choices or "sites" in self.without:
            return []
        best = sorted(self._comparable(), key=lambda choice: choice.objective)
        self.searched += 1
        complete = Job("complete", (None, self.record.best_objective), phase="whole plan")
        ban = [Job("ban", (sorted(self.banned),))] if self.banned else []
        if self.stale and self.searched % 2 == 0:
            return [*ban, Job("sites", (FRESH_EFFORT, 0, 1, True)), Job("better_sites", (None, 0.0)), complete]
        chosen = best[worker % len(best)]
        if chosen.objective > best[0].objective + WORSE * abs(best[0].objective):
            chosen = best[0]
        return [*ban, Job("better_sites", (chosen.sets, EFFORT)), complete]

    def _comparable(self) -> list[Choice]:
        """Choices judged by the finest of the models in which any was."""
        finest = max((choice.groups for choice in self.choices), default=0)
        return [choice for choice in self.choices if choice.groups == finest]

    # what came of it ---------------------------------------------------------------------------

    def _round(self, jobs: Sequence[Sequence[Job]]) -> None:
        """Do jobs, each worker its own in turn; take up the sites they found in fixed order.

        While one worker does a job that the clock ends, the others don't wait for it: each goes on with what was found last.
        """
        todo = [deque(own) for own in jobs]
        doing: dict[int, tuple[int, Job]] = {}
        found: list[list[Choice]] = [[] for _ in jobs]
        long = any(job.name in LONG for own in jobs for job in own)

        def give(worker: int) -> None:
            if not todo[worker] and any(job.name in LONG for _, job in doing.values()):
                todo[worker].extend(self._searches(worker))
            if todo[worker] and not self.record.done:
                job = todo[worker].popleft()
                doing[self.pool.give(worker, job.name, *job.arguments, seconds=job.seconds)] = (worker, job)

        before = self._least()
        for worker in range(len(todo)):
            give(worker)
        for answer in self.pool.run():
            worker, job = doing[answer.job]
            if answer.kind in ("done", "failed"):
                del doing[answer.job]
                value = self._taken(job, answer)
                if job.name in SITES and value:
                    found[worker] += value
                    if long:
                        self._add(value)
                give(worker)
            else:
                self._heard(job, answer)
            if self.record.proven:
                break
        for choices in found:
            self._add(choices)
        better = self._least() < (before - 1e-9 * abs(before) if np.isfinite(before) else before)
        self.stale = 0 if better else self.stale + 1

    def _least(self) -> float:
        """Objective of the best sites in the merged model, million USD; infinite while there are none."""
        return min((choice.objective for choice in self._comparable()), default=np.inf)

    def _add(self, found: Sequence[Choice]) -> None:
        """Note sites that are not known yet."""
        for choice in found:
            if all((choice.sets, choice.signed, choice.groups) != (known.sets, known.signed, known.groups) for known in self.choices):
                self.choices.append(choice)

    def _taken(self, job: Job, answer: Answer) -> Any:
        """What the end of a job says; a job that failed found nothing."""
        record, value = self.record, answer.value
        if answer.kind == "failed":
            record.log(f"{job.name} given up: {value}")
            return None
        if job.name == "relax":
            self._relaxed(*value)
        elif job.name == "branch":
            x, bound = value
            if x is not None:
                record.accept(x, job.phase)
            self.infeasible = self.infeasible or (x is None and bound == np.inf)
            if np.isfinite(bound):
                record.raise_bound(bound)
            record.log("end of branch and bound")
        elif job.name not in SITES and value is not None:
            record.accept(value, job.phase)
        return value

    def _heard(self, job: Job, answer: Answer) -> None:
        """What a job says on the way."""
        record = self.record
        if answer.kind == "solution":
            record.accept(answer.value, job.phase)
        elif answer.kind == "bound":
            record.raise_bound(answer.value)
            record.log(job.phase)
        elif answer.kind == "banned":
            self.banned |= set(answer.value)
        else:
            record.log(answer.value)

    def _relaxed(self, found: Solution, statuses: Statuses) -> None:
        """The relaxation's bound and certificate."""
        if found.outcome is Outcome.INFEASIBLE:
            self.infeasible = True
        if found.outcome is Outcome.OPTIMAL and found.row_dual is not None:
            self.record.certify(found.row_dual)
            self.record.basis = statuses
        self.record.relaxed_after = time.monotonic() - self.record.began
        self.record.log("relaxation solved")

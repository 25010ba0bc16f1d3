"""Solves of single futures, here or in worker processes."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from optimizer.futures.sub import MISSING, Sub
from optimizer.highs import AUDITED, CAREFUL, EXACT, Control, Outcome, Program, Solution, SolverError, certified_bound
from optimizer.instance import Floats
from optimizer.matrix import Matrix

LARGE = 40_000
"""Nonzeros from which relaxations are solved by interior points."""


@dataclass(frozen=True)
class Task:
    """A solve of one future.

    Attributes:
        sub: number of the future.
        lower, upper: bounds of the first stage; shape (components,).
        shift: added to the costs of the first stage; None for none.
        whole: whether whole numbers are asked for.
        risk: whether the future's part of the objective is minimised, or else its loss alone.
        gap: relative gap of whole numbers.
        keep: whether the whole solution is wanted; one in whole numbers is made exact.
        start: a solution to start from; shape (columns,).
    """

    sub: int
    lower: Floats
    upper: Floats
    shift: Floats | None = None
    whole: bool = True
    risk: bool = False
    gap: float = 0.0
    keep: bool = False
    start: Floats | None = None


@dataclass(frozen=True)
class Found:
    """What a solve found; million USD.

    Attributes:
        outcome: how it ended.
        first: first stage of its solution; None if it has none.
        value: what was minimised, without the shift.
        bound: proven lower limit of what was minimised, with the shift.
        certified: lower limit that follows from duals of the relaxation; minus infinity if there are none.
        x: the whole solution, if it is wanted.
    """

    outcome: Outcome
    first: Floats | None = None
    value: float = np.inf
    bound: float = -np.inf
    certified: float = -np.inf
    x: Floats | None = None


@dataclass
class Desk:
    """Solves tasks, and keeps the relaxations warm.

    Args:
        subs: the futures.
        seed: of HiGHS.
    """

    subs: Sequence[Sub]
    seed: int = 0
    warm: dict[tuple[int, bool], Program] = field(default_factory=dict)

    def solve(self, task: Task, control: Control) -> Found:
        """Solve a task.

        Raises:
            SolverError: HiGHS failed.
        """
        sub = self.subs[task.sub]
        matrix, there = sub.matrix, sub.positions != MISSING
        at = sub.positions[there]
        lower, upper = matrix.lower.copy(), matrix.upper.copy()
        lower[at], upper[at] = np.maximum(lower[at], task.lower[there]), np.minimum(upper[at], task.upper[there])
        if (task.lower[~there] > 0).any() or (lower > upper + EXACT).any():
            return Found(Outcome.INFEASIBLE)
        upper = np.maximum(lower, upper)
        cost, offset = (matrix.cost, matrix.offset) if task.risk else (sub.loss, sub.loss_offset)
        shifted = cost.copy()
        if task.shift is not None:
            shifted[at] += task.shift[there]
        priced = replace(matrix, cost=shifted, offset=0.0, lower=lower, upper=upper)
        if not task.risk and len(cost) > sub.own:  # eta and excess play no part, and their row is dense: it would only cost time
            priced = replace(priced, row_lower=np.append(matrix.row_lower[:-1], -np.inf))
        if not task.whole:
            return self._relaxed(task, sub, cost, offset, priced, control)
        program = Program(priced, integer=True, threads=1, seed=self.seed)
        program.option("mip_rel_gap", task.gap)
        program.option("mip_abs_gap", 1e-9)
        found = program.solve(control, start=task.start)
        if found.x is None:
            return Found(found.outcome, bound=found.bound + offset)
        x = self._exact(sub, priced, found.x) if task.keep else found.x
        if x is None:
            return Found(Outcome.STOPPED, bound=found.bound + offset)
        return Found(found.outcome, sub.first(x), float(cost @ x) + offset, found.bound + offset, x=x if task.keep else None)

    def _relaxed(self, task: Task, sub: Sub, cost: Floats, offset: float, matrix: Matrix, control: Control) -> Found:
        """The relaxation, from its last basis; any duals prove a bound."""
        if matrix.a.nnz >= LARGE:
            found = self._interior(matrix, control)
        else:
            program = self.warm.get((task.sub, task.risk))
            if program is None:
                program = self.warm[task.sub, task.risk] = Program(matrix, threads=1, seed=self.seed)
            changed = np.flatnonzero((program.lower != matrix.lower) | (program.upper != matrix.upper))
            program.bound(changed, matrix.lower[changed], matrix.upper[changed])
            program.price(matrix.cost)
            found = program.solve(control, method="simplex")
        if found.outcome is Outcome.INFEASIBLE:
            return Found(found.outcome)
        certified = certified_bound(matrix, found.row_dual) + offset if found.row_dual is not None else -np.inf
        if found.x is None or found.outcome is not Outcome.OPTIMAL:
            return Found(Outcome.STOPPED, bound=certified, certified=certified)
        x = found.x if task.keep else None
        return Found(found.outcome, sub.first(found.x), float(cost @ found.x) + offset, certified, certified, x)

    def _interior(self, matrix: Matrix, control: Control) -> Solution:
        """A large relaxation by interior points without a basis: prices change many costs at once, after which a basis helps little."""
        program = Program(matrix, threads=1, seed=self.seed)
        program.option("run_crossover", "off")
        try:
            return program.solve(control, method="ipm")
        except SolverError:
            program.option("run_crossover", "on")
            return program.solve(control, method="ipm")

    def _exact(self, sub: Sub, priced: Matrix, x: Floats) -> Floats | None:
        """The best solution with the whole numbers of another, within the tolerances of the audit."""
        lower, upper = priced.lower.copy(), priced.upper.copy()
        lower[sub.decided] = upper[sub.decided] = np.round(x[sub.decided])
        for feasibility in (EXACT, AUDITED):
            program = Program(replace(priced, lower=lower, upper=upper), threads=1, seed=self.seed, feasibility=feasibility)
            found = program.solve(Control())
            if found.outcome is Outcome.OPTIMAL and found.x is not None:
                return np.clip(found.x, lower, upper)
        return None


class Crew:
    """Processes that solve tasks; with one worker it is this process.

    Each is spawned, never forked (after a solve, a forked child hangs), and one that dies is replaced once.

    Args:
        subs: the futures.
        workers: number of processes.
        seed: of HiGHS.
    """

    def __init__(self, subs: Sequence[Sub], workers: int = 1, seed: int = 0) -> None:
        self.subs, self.workers, self.seed = subs, workers, seed
        self.desk = Desk(subs, seed)
        self.pools: list[ProcessPoolExecutor] = []
        self.died = 0
        self._context = multiprocessing.get_context("spawn")
        self._stop = self._context.Event()

    def __enter__(self) -> Crew:
        if self.workers > 1:
            self._model = pickle.dumps(([sub.bare() for sub in self.subs], self.seed), protocol=pickle.HIGHEST_PROTOCOL)
            self.pools = [self._pool() for _ in range(self.workers)]
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for pool in self.pools:
            pool.shutdown(wait=True, cancel_futures=True)

    def _pool(self, careful: bool = False) -> ProcessPoolExecutor:
        load = partial(_load, self._model, self._stop, careful)
        return ProcessPoolExecutor(1, mp_context=self._context, initializer=load)

    def run(self, tasks: Sequence[Task], control: Control) -> list[Found]:
        """Solve tasks; those for which time is up have found nothing.

        Raises:
            SolverError: HiGHS failed, or its process died twice.
        """
        if not self.pools:
            return [Found(Outcome.STOPPED) if control.over else self.desk.solve(task, control) for task in tasks]
        found: dict[int, Found] = {}
        todo, busy = list(range(len(tasks))), dict[Future[Found], tuple[int, int]]()
        while todo or busy:
            for number in set(range(self.workers)) - {worker for worker, _ in busy.values()}:
                chosen = next((i for i in todo if tasks[i].whole or tasks[i].sub % self.workers == number), None)
                if chosen is not None:
                    todo.remove(chosen)
                    busy[self.pools[number].submit(_work, tasks[chosen], control.deadline)] = (number, chosen)
            done, _ = wait(busy, timeout=0.2, return_when=FIRST_COMPLETED)
            if control.stop.is_set():
                self._stop.set()
            for future in done:
                number, chosen = busy.pop(future)
                try:
                    found[chosen] = future.result()
                except BrokenProcessPool:
                    self.died += 1
                    if self.died > 1:
                        raise SolverError("the solver's process died twice") from None
                    self.pools[number] = self._pool(careful=True)
                    todo.insert(0, chosen)
        return [found[i] for i in range(len(tasks))]


_desks: list[tuple[Desk, Any]] = []
"""What a worker process works on."""


def end_with_parent() -> None:
    """Let this worker process end when the one that started it is gone, however it went."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _load(model: bytes, stop: Any, careful: bool) -> None:
    """Take the futures to a worker process; an interrupt of the terminal is the main process's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    if careful:
        os.environ[CAREFUL] = "1"
    subs, seed = pickle.loads(model)
    _desks[:] = [(Desk(subs, seed), stop)]


def _work(task: Task, deadline: float) -> Found:
    """Solve a task in a worker process."""
    desk, stop = _desks[0]
    control = Control(deadline, stop)
    return Found(Outcome.STOPPED) if control.over else desk.solve(task, control)

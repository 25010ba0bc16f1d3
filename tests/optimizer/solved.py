"""Models of random datasets and their solutions, by HiGHS and by SCIP, for tests and benchmarks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache

import highspy
import numpy as np
import pyscipopt

from models.dataset import Dataset
from optimizer.formulation import formulate
from optimizer.highs import Control, Outcome, Program, Solution, to_highs
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix, compile_matrix
from tests.generator import random_dataset

SEEDS = range(97, 127)
"""Seeds of the differential tests."""
NO_GAP = {"mip_rel_gap": 0.0, "mip_abs_gap": 1e-9}


@dataclass(frozen=True)
class Answer:
    """What a solver says of a model.

    Attributes:
        status: ``optimal``, ``infeasible``, or what else it says.
        objective: value of its solution, million USD to be minimised; infinite without one.
        bound: its lower limit.
        seconds: wall-clock time.
        x: its solution; shape (columns,).
    """

    status: str
    objective: float
    bound: float
    seconds: float
    x: Floats | None = None


def compiled(dataset: Dataset) -> Matrix:
    """The model of a dataset."""
    return compile_matrix(formulate(Instance(dataset)))


@cache
def random_matrix(seed: int) -> Matrix:
    """The model of a random dataset."""
    return compiled(random_dataset(seed))


@cache
def random_solution(seed: int) -> Solution:
    """Its optimum as the project's own configuration of HiGHS finds it, on one thread."""
    program = Program(random_matrix(seed), integer=True, threads=1)
    for option, value in NO_GAP.items():
        program.option(option, value)
    found = program.solve(Control(time.monotonic() + 120))
    assert found.outcome is Outcome.OPTIMAL, f"seed {seed}: {found.outcome}"
    return found


def solve_scip(m: Matrix, seconds: float = 120.0) -> Answer:
    """The model as SCIP solves it, without a gap, at a feasibility tolerance of 1e-9."""
    scip = pyscipopt.Model()
    scip.hideOutput()
    for option, value in {"limits/gap": 0.0, "limits/absgap": 0.0, "limits/time": seconds, "numerics/feastol": 1e-9}.items():
        scip.setParam(option, value)
    bounds = zip(m.lower.tolist(), m.upper.tolist(), m.integer.tolist(), m.cost.tolist(), strict=True)
    x = [scip.addVar(f"x{j}", "I" if whole else "C", low, high, cost) for j, (low, high, whole, cost) in enumerate(bounds)]
    scip.addObjoffset(m.offset)
    rows = m.a.tocsr()
    start, index, value = rows.indptr.tolist(), rows.indices.tolist(), rows.data.tolist()
    for i, (low, high) in enumerate(zip(m.row_lower.tolist(), m.row_upper.tolist(), strict=True)):
        left = pyscipopt.quicksum(value[k] * x[index[k]] for k in range(start[i], start[i + 1]))
        if low == high:
            scip.addCons(left == low)
        elif np.isfinite(high):
            scip.addCons(left <= high)
            assert not np.isfinite(low), f"row {i} has two sides"
        else:
            scip.addCons(left >= low)
    began = time.monotonic()
    scip.optimize()
    taken = time.monotonic() - began
    if scip.getNSols() == 0:
        return Answer(scip.getStatus(), np.inf, scip.getDualbound() if scip.getStatus() != "infeasible" else np.inf, taken)
    best = scip.getBestSol()
    return Answer(scip.getStatus(), scip.getPrimalbound(), scip.getDualbound(), taken, np.array([best[v] for v in x]))


def solve_highs(m: Matrix, seconds: float = 120.0, threads: int = 1, **options: str | float | int | bool) -> Answer:
    """The model as HiGHS solves it with these options, without a gap; nothing of the project's configuration."""
    highs = highspy.Highs()
    for option, value in {"output_flag": False, "threads": threads, "time_limit": seconds, **NO_GAP, **options}.items():
        assert highs.setOptionValue(option, value) == highspy.HighsStatus.kOk, option
    assert highs.passModel(to_highs(m, integer=True)) == highspy.HighsStatus.kOk
    began = time.monotonic()
    highs.run()
    taken = time.monotonic() - began
    info = highs.getInfo()
    status = highs.modelStatusToString(highs.getModelStatus()).lower()
    if info.primal_solution_status != 2:
        return Answer(status, np.inf, info.mip_dual_bound, taken)
    return Answer(status, info.objective_function_value, info.mip_dual_bound, taken, np.array(highs.getSolution().col_value))

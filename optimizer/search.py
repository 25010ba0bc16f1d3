"""From model to proven plan.

Small models go to HiGHS as they are. Large ones are taken in the order in which decisions matter, by worker
processes (see :mod:`optimizer.rounds`):

1. **Relaxation**: its value is the bound, its duals the certificate.
2. **Sites**: the sets of sites that serve each contract, judged by warm relaxations on merged periods.
3. **Yes or no**: contracts signed, sites opened, blocks built, retrofits ordered.
4. **Racks**: whole racks within the relaxed fleet, then around the best plan.
5. **The whole model** by HiGHS, for the bound, while sites are searched on.

Every plan found is made exact: its whole numbers are fixed and the rest solved again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from optimizer.highs import Outcome, Program
from optimizer.instance import Floats
from optimizer.record import Record
from optimizer.rounds import NothingFeasibleError, Rounds
from optimizer.workers import Pool

SMALL = 40_000
"""Nonzeros up to which HiGHS alone is the better search."""
INGREDIENTS = {
    "sites": "better serving sites, once a first choice is made",
    "site dive": "serving sites one after the other instead of all contracts at once",
    "site swaps": "serving sites exchanged one by one instead of contracts placed anew",
    "signing": "prospects without a choice of sites signed, or not, before sites are exchanged to the end",
    "merged periods": "sites judged on merged periods instead of all",
    "options": "yes-or-no decisions compared by relaxations instead of rounded",
    "rack dive": "whole racks generation by generation instead of by HiGHS",
    "racks": "better racks around the best plan",
    "branch and bound": "HiGHS on the whole model, for the bound",
    "workers": "a process for each core",
}
"""What the search of a large model can do without, for measuring what each brings."""


def search(record: Record, starts: Sequence[Floats] = (), without: frozenset[str] = frozenset()) -> None:
    """Search until the gap asked for is proven or time is up.

    Args:
        record: takes what is found.
        starts: solutions to start from; only their whole numbers count.
        without: ingredients to leave out.

    Raises:
        NothingFeasibleError: the relaxation, or the whole model, has no solution.
        ValueError: no such ingredient.
    """
    unknown = without - INGREDIENTS.keys()
    if unknown:
        raise ValueError(f"no such ingredient: {', '.join(sorted(unknown))}; there are {', '.join(INGREDIENTS)}")
    if record.matrix.a.nnz <= SMALL:
        for start in starts:
            record.offer(start, "plan to start from")
        _small(record)
        return
    count = 1 if "workers" in without else max(1, record.threads)
    with Pool(record.instance, record.matrix, count, record.seed, record.control, without) as pool:
        for start in starts:
            record.offer(start, "plan to start from")
        if not record.control.over:
            Rounds(record, pool, without).run()
    record.log("end of search")


def _small(record: Record) -> None:
    """HiGHS on the whole model, from its relaxation and the best solution."""
    record.log("relaxation")
    program = Program(record.matrix, threads=record.threads, seed=record.seed)
    found = program.solve(record.control, method="simplex")
    if found.outcome is Outcome.INFEASIBLE and record.best is None:
        raise NothingFeasibleError
    if found.outcome is Outcome.OPTIMAL and found.row_dual is not None:
        record.certify(found.row_dual)
        record.basis = program.statuses()
    record.relaxed_after = time.monotonic() - record.began
    record.log("relaxation solved")
    if not record.done:
        _branch(record)


def _branch(record: Record) -> None:
    """Branch and bound, with what it finds made exact."""
    record.log("branch and bound")
    program = Program(record.matrix, integer=True, threads=record.threads, seed=record.seed)
    program.option("mip_rel_gap", record.gap)
    program.option("mip_abs_gap", 1e-9)
    improvements: list[Floats] = []

    def improved(x: Floats, objective: float, bound: float) -> None:
        record.raise_bound(bound)
        if objective < record.best_objective - 1e-9:
            improvements.append(x)
        record.log("branch and bound", claimed=objective)

    found = program.solve(record.control, start=record.best, on_improvement=improved)
    if found.outcome is Outcome.INFEASIBLE and record.best is None:
        raise NothingFeasibleError
    for x in ([found.x] if found.x is not None else []) + improvements[::-1]:
        if record.offer(x, "branch and bound"):
            break
    record.raise_bound(found.bound)
    record.log("end of search")

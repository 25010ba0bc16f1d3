"""Random datasets through several solvers, for hours if need be: who agrees, who is wrong, how fast.

    python -m benchmarks.soak_differential                        # the seeds of the tests
    python -m benchmarks.soak_differential --first 1000 --count 500 --size tiny

Each dataset is solved by ``plan``, by SCIP, and by HiGHS with presolve on and off, on the same matrix and
without a gap. The referee is a solution that needs no trust: its whole numbers are rounded and the rest
solved again at a tolerance of 1e-9. A solver is wrong where its bound is above such a solution's value,
where it calls a worse one optimal, or where its own solution does not hold. Each dataset is solved in a
process that may die.

Writes ``benchmarks/differential.csv`` (a row per dataset and solver) and ``benchmarks/DIFFERENTIAL.md``.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import statistics
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import highspy
import numpy as np
import pyscipopt

from models.dataset import Dataset
from models.faults import DatasetError
from optimizer import plan
from optimizer.blocks.directives import DirectiveConflictError
from optimizer.highs import EXACT, Control, Program
from optimizer.matrix import Matrix
from tests.generator import random_dataset
from tests.optimizer.solved import SEEDS, Answer, compiled, solve_highs, solve_scip

HERE = Path(__file__).parent
AGREE = 1e-6
"""Relative difference above which two values differ."""
MILLION = 1e6
COLUMNS = ("size", "seed", "solver", "status", "objective_million_usd", "bound_million_usd", "exact_million_usd", "seconds", "verdict")
SOLVERS = ("plan", "scip", "highs, presolve on", "highs, presolve off")
SIZES: dict[str, dict[str, int]] = {
    "tests": {},
    "tiny": {"sites": 3, "periods": 5, "contracts": 3},
    "medium": {"sites": 6, "periods": 8, "contracts": 6},
}
Row = dict[str, object]


def exact_value(m: Matrix, answer: Answer) -> float:
    """Objective of the answer with its whole numbers rounded and the rest solved again; infinite if that is not feasible."""
    if answer.x is None:
        return np.inf
    whole = np.flatnonzero(m.integer)
    values = np.round(answer.x[whole])
    program = Program(m, threads=1, feasibility=EXACT)
    program.bound(whole, values, values)
    return program.solve(Control()).objective


def by_plan(dataset: Dataset, seconds: float) -> Answer:
    """What ``plan`` says; its plan has passed the audit, which stands in for the exact value."""
    try:
        summary = plan(dataset, gap=0, threads=1, time_limit=seconds).summary
    except Exception as error:
        return Answer(type(error).__name__.lower().removesuffix("error"), np.inf, -np.inf, np.nan)
    npv, bound = summary.npv_usd or 0.0, summary.bound_usd or 0.0
    return Answer(summary.status.value, -npv / MILLION, -bound / MILLION, summary.seconds.total)


def verdict(answer: Answer, exact: float, best: float) -> str:
    """Right, or in which way an answer is wrong, given the best exact value of all solvers."""
    margin = AGREE * max(abs(best), 1e-3) if np.isfinite(best) else 0.0
    if answer.status == "infeasible":
        return "right" if not np.isfinite(best) else "WRONG: infeasible"
    if answer.status != "optimal":
        return f"no answer: {answer.status}"
    if answer.bound > best + margin:
        return f"WRONG: bound {answer.bound - best:.3g} above a solution"
    if not np.isfinite(exact):
        return "WRONG: its solution does not hold"
    return "right" if exact <= best + margin else f"WRONG: {exact - best:.3g} worse"


def one(size: str, seed: int, seconds: float) -> list[Row]:
    """All solvers on one dataset; a directive that no decision can meet leaves nothing to solve."""
    try:
        dataset = random_dataset(seed, **SIZES[size])
        m = compiled(dataset)
    except (DatasetError, DirectiveConflictError) as error:
        return [dict.fromkeys(COLUMNS, "") | {"size": size, "seed": seed, "solver": "none", "verdict": f"no model: {error}"}]
    answers = {
        "plan": by_plan(dataset, seconds),
        "scip": solve_scip(m, seconds),
        "highs, presolve on": solve_highs(m, seconds),
        "highs, presolve off": solve_highs(m, seconds, presolve="off"),
    }
    exact = {name: answer.objective if name == "plan" else exact_value(m, answer) for name, answer in answers.items()}
    best = min(exact.values())
    return [
        dict(
            zip(
                COLUMNS,
                (size, seed, name, a.status, a.objective, a.bound, exact[name], round(a.seconds, 3), verdict(a, exact[name], best)),
                strict=True,
            )
        )
        for name, a in answers.items()
    ]


def all_rows(size: str, seeds: Iterable[int], seconds: float) -> Iterator[list[Row]]:
    """Rows of one dataset after the other; a process that dies costs its dataset only."""
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    for seed in seeds:
        try:
            found = pool.submit(one, size, seed, seconds).result()
        except BrokenProcessPool:
            found = [dict.fromkeys(COLUMNS, "") | {"size": size, "seed": seed, "solver": "?", "verdict": "the process died"}]
            pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        odd = [f"{row['solver']}: {row['verdict']}" for row in found if row["verdict"] != "right"]
        sys.stderr.write(f"{size} {seed} {'; '.join(odd) or 'all right'}\n")
        yield found
    pool.shutdown()


def report(rows: list[Row]) -> str:
    """The report in markdown."""
    versions = f"HiGHS {highspy.Highs().version()}, SCIP {pyscipopt.Model().version()} (pyscipopt {pyscipopt.__version__})"
    lines = [
        "# Random datasets through several solvers",
        "",
        f"`python -m benchmarks.soak_differential` of {datetime.now(UTC):%Y-%m-%d}; {versions}; Python {platform.python_version()};",
        f"{platform.machine()}, {os.cpu_count()} cores, one thread per solve, other work on the machine. No gap allowed; SCIP at a feasibility tolerance of 1e-9.",
        "",
        "| size | solver | datasets | right | wrong | no answer | median s | largest s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for size in dict.fromkeys(row["size"] for row in rows):
        for solver in SOLVERS:
            mine = [row for row in rows if row["size"] == size and row["solver"] == solver]
            seconds = [float(str(row["seconds"])) for row in mine if str(row["seconds"]) not in ("", "nan")]
            if mine and seconds:
                verdicts = [str(row["verdict"]) for row in mine]
                right, wrong = verdicts.count("right"), sum(v.startswith("WRONG") for v in verdicts)
                lines.append(
                    f"| {size} | {solver} | {len(mine)} | {right} | {wrong} | {len(mine) - right - wrong} | {statistics.median(seconds):.1f} | {max(seconds):.1f} |"
                )
    odd = [row for row in rows if row["verdict"] != "right"]
    lines += ["", "Every answer that is not right:" if odd else "Every answer is right.", ""]
    lines += [
        f"- {row['size']} {row['seed']}, {row['solver']}: {row['verdict']} (says {row['objective_million_usd']}, bound {row['bound_million_usd']})"
        for row in odd
    ]
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--first", type=int, default=SEEDS.start, help="first seed")
    parser.add_argument("--count", type=int, default=len(SEEDS), help="number of seeds")
    parser.add_argument("--size", choices=SIZES, default="tests", help="size of the datasets")
    parser.add_argument("--seconds", type=float, default=120.0, help="time limit of a solve")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the report")
    parser.add_argument("--add", action="store_true", help="add to the rows that are there")
    given = parser.parse_args()
    table = given.out / "differential.csv"
    rows: list[Row] = []
    if given.add and table.exists():
        with table.open(newline="") as file:
            rows = [dict(row) for row in csv.DictReader(file)]
    for found in all_rows(given.size, range(given.first, given.first + given.count), given.seconds):
        rows += found
        write(rows, table, given.out / "DIFFERENTIAL.md")


def write(rows: list[Row], table: Path, text: Path) -> None:
    """Write table and report; after every dataset, so that a run that is ended early is not lost."""
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    text.write_text(report(rows))


if __name__ == "__main__":
    main()

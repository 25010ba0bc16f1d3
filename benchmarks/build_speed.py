"""How fast the model of the reference dataset is built and handed to HiGHS, against Pyomo's own interfaces.

    python -m benchmarks.build_speed [--dataset data/reference-2025q4] [--repeats 5]

All ways run in turn in one process, on models with the same variables and constraints; each must leave HiGHS with
the same rows, columns and nonzeros. Seconds are CPU seconds of the process, so that other work on the machine
matters less. Writes ``benchmarks/BUILD.md``.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import highspy
import pyomo
from pyomo.contrib.appsi.solvers.highs import Highs as AppsiHighs
from pyomo.contrib.solver.solvers.highs import Highs as ContribHighs

from models.files import read_dataset
from optimizer.blocks.base import Formulation
from optimizer.formulation import formulate
from optimizer.highs import to_highs
from optimizer.instance import Instance
from optimizer.matrix import compile_matrix, sizes

HERE = Path(__file__).parent
GOAL_SECONDS, GOAL_TIMES = 3.0, 4.0
Size = tuple[int, int, int]


def size(highs: Any) -> Size:
    """Rows, columns and nonzeros that HiGHS holds."""
    return highs.getNumRow(), highs.getNumCol(), highs.getNumNz()


def by_arrays(f: Formulation, clock: Callable[[str], None]) -> Any:
    """The project's way: compile to arrays, pass them."""
    m = compile_matrix(f)
    clock("compile")
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.passModel(to_highs(m, integer=True))
    clock("hand over")
    return highs


def by_appsi(f: Formulation, clock: Callable[[str], None]) -> Any:
    """``pyomo.contrib.appsi``, the solver ``appsi_highs``."""
    solver = AppsiHighs()
    solver.set_instance(f.model)
    clock("hand over")
    return solver._solver_model


def by_contrib(f: Formulation, clock: Callable[[str], None]) -> Any:
    """``pyomo.contrib.solver``, the solver ``highs``."""
    solver = ContribHighs()
    solver.set_instance(f.model)
    clock("hand over")
    return solver._solver_model


def by_file(f: Formulation, clock: Callable[[str], None]) -> Any:
    """Pyomo's LP writer, then HiGHS's reader."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.lp"
        f.model.write(str(path))
        clock("write")
        highs = highspy.Highs()
        highs.setOptionValue("output_flag", False)
        highs.readModel(str(path))
        clock("read")
    return highs


WAYS: dict[str, tuple[bool, Callable[[Formulation, Callable[[str], None]], Any]]] = {
    "arrays (this project)": (True, by_arrays),
    "appsi_highs, plain model": (False, by_appsi),
    "contrib.solver highs, plain model": (False, by_contrib),
    "LP file, plain model": (False, by_file),
    "appsi_highs, templated model": (True, by_appsi),
    "contrib.solver highs, templated model": (True, by_contrib),
}
"""Whether constraints are built as templates, and how the model reaches HiGHS. The LP writer takes no templates."""


def measure(instance_of: Callable[[], Instance], way: str) -> tuple[dict[str, float], Size]:
    """CPU seconds of each step of one way, and what HiGHS holds."""
    templated, hand_over = WAYS[way]
    gc.collect()
    seconds: dict[str, float] = {}
    last = time.process_time()

    def clock(step: str) -> None:
        nonlocal last
        now = time.process_time()
        seconds[step] = now - last
        last = now

    f = formulate(instance_of(), templated=templated)
    clock("build")
    highs = hand_over(f, clock)
    seconds["total"] = sum(seconds.values())
    return seconds, size(highs)


def spread(values: list[float]) -> str:
    """Median, smallest and largest."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=Path("data/reference-2025q4"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=HERE)
    given = parser.parse_args()
    dataset = read_dataset(given.dataset)
    matrix = compile_matrix(formulate(Instance(dataset)))
    expected = (matrix.shape[0], matrix.shape[1], int(matrix.a.nnz))
    times: dict[str, dict[str, list[float]]] = {way: defaultdict(list) for way in WAYS}
    held: dict[str, Size] = {}
    for _ in range(given.repeats):
        for way in WAYS:
            seconds, held[way] = measure(lambda: Instance(dataset), way)
            for step, value in seconds.items():
                times[way][step].append(value)
    text = report(given.dataset, given.repeats, dict(sizes(matrix)), expected, times, held)
    (given.out / "BUILD.md").write_text(text)


def report(
    dataset: Path, repeats: int, counts: dict[str, int], expected: Size, times: dict[str, dict[str, list[float]]], held: dict[str, Size]
) -> str:
    """The report in markdown."""
    totals = {way: statistics.median(steps["total"]) for way, steps in times.items()}
    after = {way: statistics.median([t - b for t, b in zip(steps["total"], steps["build"], strict=True)]) for way, steps in times.items()}
    ours, *others = WAYS
    lines = [
        "# Building the model and handing it to HiGHS",
        "",
        f"`python -m benchmarks.build_speed` of {datetime.now(UTC):%Y-%m-%d}: {dataset}, "
        + ", ".join(f"{count:,} {name}" for name, count in counts.items())
        + f"; {repeats} runs of each way in turn, in one process.",
        (
            f"Pyomo {pyomo.__version__}, highspy {highspy.Highs().version()}, Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
            f"{os.cpu_count()} cores shared with other work. CPU seconds, median (smallest-largest). *Build*: arrays of the dataset and the Pyomo model; "
            "*after it*: all until HiGHS holds the model."
        ),
        "",
        "| way | build | after it | total | times as long: after the build | in all |",
        "|---|---|---|---|---|---|",
    ]
    for way, steps in times.items():
        rest = [t - b for t, b in zip(steps["total"], steps["build"], strict=True)]
        lines.append(
            f"| {way} | {spread(steps['build'])} | {spread(rest)} | {spread(steps['total'])} | {after[way] / after[ours]:.1f} | {totals[way] / totals[ours]:.1f} |"
        )
    ours_by_step = ", ".join(f"{step} {spread(values)}" for step, values in times[ours].items() if step != "total")
    reached = {True: "reached", False: "not reached"}
    interfaces = [way for way in others if "LP file" not in way]
    in_all = min(totals[way] for way in interfaces) / totals[ours]
    afterwards = min(after[way] for way in interfaces) / after[ours]
    file_total, file_after = totals["LP file, plain model"] / totals[ours], after["LP file, plain model"] / after[ours]
    goal = (
        f"- At least {GOAL_TIMES:g} times as fast as the faster of Pyomo's HiGHS interfaces: "
        f"from Pyomo model to HiGHS {reached[afterwards >= GOAL_TIMES]} ({afterwards:.1f} times), "
        f"the build of the Pyomo model included {reached[in_all >= GOAL_TIMES]} ({in_all:.1f} times)."
    )
    by_way_of_file = (
        f"- By way of an LP file: {file_after:.1f} and {file_total:.1f} times. Most of the time left is Pyomo's construction of index sets, "
        "parameters and variables."
    )
    lines += [
        "",
        f"Steps of this project's way: {ours_by_step}.",
        "",
        f"- At most {GOAL_SECONDS:g} s: {reached[totals[ours] <= GOAL_SECONDS]} ({totals[ours]:.2f} s).",
        goal,
        by_way_of_file,
        "",
    ]
    odd = [f"{way}: {held[way]}" for way in WAYS if held[way] != expected]
    lines.append(
        f"Every way leaves HiGHS with {expected[0]:,} rows, {expected[1]:,} columns and {expected[2]:,} nonzeros."
        if not odd
        else f"Rows, columns and nonzeros in HiGHS are {expected}; they differ for {'; '.join(odd)} (the LP file holds the constant as a column)."
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

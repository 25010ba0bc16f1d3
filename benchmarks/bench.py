"""The benchmark: runs one after the other, each in a process of its own, and the report of all results.

    python -m benchmarks.bench [--full] [--part plan build whatif growth ablation] [--results benchmarks/results.jsonl]

Results are added to a file; runs that are in it already are left out, so that it goes on where it stopped. A run that
hangs is killed and recorded as that. Nothing else of weight should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import code
from benchmarks.process import execute
from benchmarks.runs import REFERENCE, Result, Run, append, left, read

HERE = Path(__file__).parent
PARTS = ("plan", "build", "whatif", "growth", "ablation")
SHORT = ("plan", "build", "whatif")
"""Parts that take minutes."""
SEARCHES = ("wattplan", "highs", "highs_start", "scip")
WHATIF_GAP = 0.01
"""Gap of plans and answers to changes."""
WHATIF_SEEDS = range(5)
"""Seeds of the changes drawn; five runs ask each type about once."""
GAP = 1e-3
"""Gap asked of every search: the least of the goals'."""
BUILD_REPEATS = 5
ALL_SEEDS = range(3)
"""Seeds of the solvers on the reference dataset."""
GENERATED = range(1, 11)
"""Seeds of the generated instances of the reference's size."""
GROWTH = {32: 180.0, 128: 900.0, 512: 3600.0}
"""Sites, and seconds for each."""


def generated(sites: int, seed: int) -> str:
    """Name of a generated instance."""
    return f"gen-{sites}-{seed}"


def plan_runs(full: bool, threads: int) -> list[Run]:
    """All searches on the reference dataset and on generated instances of its size."""
    budgets = {REFERENCE: 600.0 if full else 60.0}
    budgets |= {generated(32, seed): 180.0 if full else 60.0 for seed in (GENERATED if full else GENERATED[:2])}
    # Minutes are for the two searches that the goals compare; the others join on the reference.
    runs = []
    for instance, budget in budgets.items():
        for seed in ALL_SEEDS if full and instance == REFERENCE else ALL_SEEDS[:1]:
            runs += [
                Run(instance, peer, budget, GAP, seed, 1 if peer == "scip" else threads)
                for peer in SEARCHES
                if full or instance == REFERENCE or peer in SEARCHES[:2]
            ]
        runs.append(Run(instance, "spreadsheet", budget, GAP, 0, 1))
    return runs


def build_runs(full: bool) -> list[Run]:
    """Building and handing over, on the reference dataset."""
    return [Run(REFERENCE, "build", 60.0, GAP, repeat, 1) for repeat in range(BUILD_REPEATS if full else BUILD_REPEATS - 2)]


def whatif_runs(full: bool, threads: int) -> list[Run]:
    """Answers to changes of the reference plan."""
    budget = 180.0 if full else 60.0
    return [Run(REFERENCE, "whatif", budget, WHATIF_GAP, seed, threads) for seed in (WHATIF_SEEDS if full else WHATIF_SEEDS[:1])]


def growth_runs(full: bool, threads: int) -> list[Run]:
    """The planner on more and more sites."""
    sites = GROWTH if full else dict(list(GROWTH.items())[:2])
    return [
        Run(generated(n, seed), "wattplan", budget, GAP, 0, threads)
        for n, budget in sites.items()
        for seed in GENERATED[: 3 if full else 1]
    ]


def ablation_runs(full: bool, threads: int, ingredients: Sequence[str]) -> list[Run]:
    """The planner without each ingredient in turn, and the whole of it."""
    instances = [REFERENCE, *(generated(32, seed) for seed in GENERATED[: 5 if full else 1])]
    ways: list[tuple[str, ...]] = [(), *((name,) for name in ingredients)]
    budget = 180.0 if full else 60.0
    return [Run(instance, "wattplan", budget, GAP, 0, threads, without) for instance in instances for without in ways]


def ingredients_of_search() -> tuple[str, ...]:
    """Ingredients that the search can leave out, as it names them."""
    from optimizer import search

    return tuple(sorted(getattr(search, "INGREDIENTS", ())))


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--full", action="store_true", help="hours rather than minutes: more instances, seeds and time")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=None, help="plan, build and whatif if not given; all with --full")
    parser.add_argument("--results", type=Path, default=HERE / "results.jsonl", help="file the results are added to")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of RESULTS.md and its pictures")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of all solvers but SCIP, which has one")
    parser.add_argument("--without", nargs="+", default=None, help="ingredients to leave out in turn; those the search names if not given")
    parser.add_argument("--instance", nargs="+", default=None, help="only these instances")
    parser.add_argument("--peer", nargs="+", default=None, help="only these peers")
    parser.add_argument("--seed", nargs="+", type=int, default=None, help="only these seeds of solvers or changes")
    parser.add_argument("--budget", type=float, default=None, help="seconds of every search, instead of each part's own")
    parser.add_argument("--dry", action="store_true", help="list the runs that are left and stop")
    parser.add_argument("--report-only", action="store_true", help="only write the report")
    parser.add_argument("--fresh", action="store_true", help="measure again what was measured with another state of the code")
    given = parser.parse_args(arguments)
    parts = given.part or (PARTS if given.full else SHORT)
    runs: list[Run] = []
    for part in parts:
        if part == "plan":
            runs += plan_runs(given.full, given.threads)
        elif part == "build":
            runs += build_runs(given.full)
        elif part == "whatif":
            runs += whatif_runs(given.full, given.threads)
        elif part == "growth":
            runs += growth_runs(given.full, given.threads)
        else:
            runs += ablation_runs(given.full, given.threads, given.without or ingredients_of_search())
    if given.instance:
        runs = only(given.instance, runs)
    runs = [run for run in runs if given.peer is None or run.peer in given.peer]
    runs = [run for run in runs if given.seed is None or run.seed in given.seed]
    if given.budget is not None:
        runs = [Run(run.instance, run.peer, given.budget, *run.key[3:]) for run in runs]
    try:
        there = read(given.results)
    except ValueError as error:
        sys.exit(str(error))
    commit = code()["commit"]
    todo = left(runs, [result for result in there if not given.fresh or result.code.get("commit") == commit])
    if given.dry:
        sys.stdout.write("".join(f"{run.label}\n" for run in todo))
        return
    if not given.report_only:
        try:
            measure(todo, given.results)
        except KeyboardInterrupt:
            sys.exit("stopped; the same command goes on from here")
    from benchmarks.report import write  # charts load slowly, and runs need none

    write(read(given.results), given.out)


def only(instances: Sequence[str], runs: Sequence[Run]) -> list[Run]:
    """The runs on these instances; one that has none gets those of all the others."""
    theirs = {name: [run for run in runs if run.instance == name] for name in instances}
    every = dict.fromkeys(run.key[1:] for run in runs)
    return [run for name, own in theirs.items() for run in own or [Run(name, *rest) for rest in every]]


def measure(runs: Sequence[Run], path: Path) -> None:
    """Do runs one after the other, each result on disk before the next begins."""
    for number, run in enumerate(runs, 1):
        sys.stderr.write(f"{number}/{len(runs)} {run.label}: ")
        sys.stderr.flush()
        result = execute(run)
        append(path, result)
        sys.stderr.write(f"{line_of(result)}\n")


def line_of(result: Result) -> str:
    """A result in a few words."""
    said = [result.outcome]
    if result.run.peer != "build":
        said.append("no plan" if result.npv is None else f"NPV {result.npv / 1e6:,.1f} million USD")
    if result.gap is not None:
        said.append(f"gap {result.gap:.2%}")
    said += [f"{result.seconds:.1f} s", f"{result.peak_mib:,.0f} MiB"]
    return ", ".join(said) + (f"; {result.note}" if result.note else "")


if __name__ == "__main__":
    main()

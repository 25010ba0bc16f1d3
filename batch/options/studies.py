"""Options of the commands that plan for many futures: study, futures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from batch.commands.outcome import Outcome
from batch.options.common import DatasetPath, Json, Quiet


def study(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="YAML or JSON file of the study.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for results; the same again goes on.")],
    workers: Annotated[int, typer.Option(metavar="N", help="Runs at a time, each in a process of its own.")] = 1,
    threads: Annotated[int, typer.Option(metavar="N", help="Threads of the solver in each.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(metavar="TCP", help="Dask scheduler, as tcp://host:port (default: one of its own).")
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Most time of each run (default: the study's time_limit).")
    ] = None,
    keep_plans: Annotated[bool, typer.Option("--keep-plans", help="Write each run's plan as a folder in DIR/plans.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> Outcome:
    """Run many what-ifs from one plan: which decisions hold whatever comes, how NPV spreads, what moves it, what is regretted.

    Stopped or killed at any time, the same command goes on where it was.
    """
    from batch.commands import study as command
    from batch.progress import ErrorConsole

    options = command.Options(study, output, workers, threads, scheduler, time_limit, keep_plans, quiet)
    return command.run(options, ErrorConsole())


def futures(
    dataset: DatasetPath,
    scenarios: Annotated[Path, typer.Option(metavar="FILE", help="TOML file of what may come otherwise, with odds.")],
    decide_before: Annotated[str, typer.Option(metavar="PERIOD", help="First period that may wait for what comes, as 2026-Q3.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for first stage, scenarios and plans.")],
    draws: Annotated[int, typer.Option(metavar="N", help="Scenarios drawn at random.")] = 20,
    every: Annotated[bool, typer.Option("--every", help="Every combination of outcomes in place of random draws.")] = False,
    plan: Annotated[Path | None, typer.Option(metavar="PLAN", help="Plan of the dataset as it is, to compare with.")] = None,
    cvar: Annotated[float, typer.Option(metavar="SHARE", help="Level of the CVaR: the mean of the worst 1 - SHARE.")] = 0.95,
    weight: Annotated[float, typer.Option(metavar="SHARE", help="Weight of the CVaR beside the expected NPV.")] = 0.0,
    placement: Annotated[bool, typer.Option("--placement", help="Sites of racks are decided in common too.")] = False,
    gap: Annotated[float, typer.Option(metavar="SHARE", help="Stop at this proven gap; 0.01 is 1 % of the value.")] = 0.01,
    time_limit: Annotated[float, typer.Option(metavar="SECONDS", help="Stop after this time with the best plan.")] = 600.0,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Processes of the solver (default: all cores).")] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed of draws and solver.")] = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> Outcome:
    """Find the plan that is best over many futures: what to decide now, and how each future goes on."""
    from batch.commands import futures as command
    from batch.progress import ErrorConsole

    options = command.Options(
        dataset, scenarios, decide_before, output, None if every else draws, plan, cvar, weight, placement, gap, time_limit, workers, seed, quiet,
    )  # fmt: skip
    return command.run(options, ErrorConsole())

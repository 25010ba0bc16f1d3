"""Options of the commands that trade value for something else: alternatives, the nearest plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from batch.commands.outcome import Outcome
from batch.options.common import AllThreads, DatasetOption, Json, PlanPath, Quiet, Seed

Loss = Annotated[float, typer.Option(metavar="SHARE", help="Most that a plan may lose; 0.01 is 1 % of NPV.")]
Tries = Annotated[int, typer.Option(metavar="N", help="Most searches for each plan.")]
SearchLimit = Annotated[float, typer.Option(metavar="SECONDS", help="Most time of each search.")]


def alternatives(
    plan: PlanPath,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the plans and their report.")],
    number: Annotated[int, typer.Option(metavar="N", help="Alternatives to look for.")] = 3,
    loss: Loss = 0.01,
    tries: Tries = 5,
    time_limit: SearchLimit = 60.0,
    dataset: DatasetOption = None,
    threads: AllThreads = None,
    seed: Seed = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> Outcome:
    """Find plans that lose little and differ much: from the plan given, and from each other. Ctrl-C writes those found."""
    from batch.commands import alternatives as command
    from batch.progress import ErrorConsole

    options = command.Options(output, loss, tries, time_limit, threads, seed, quiet, plan, number, dataset)
    return command.run(options, ErrorConsole())


def nearest(
    published: Annotated[Path, typer.Argument(metavar="PUBLISHED", help="Plan to keep as much of as possible.")],
    best: Annotated[Path, typer.Option(metavar="PLAN", help="The best plan known, of the dataset as it is now.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the plan.")],
    loss: Loss = 0.005,
    tries: Tries = 6,
    time_limit: SearchLimit = 60.0,
    dataset: DatasetOption = None,
    threads: AllThreads = None,
    seed: Seed = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> Outcome:
    """Find the plan nearest to a published one that loses little against the best. Ctrl-C writes the nearest found."""
    from batch.commands import nearest as command
    from batch.progress import ErrorConsole

    options = command.Options(output, loss, tries, time_limit, threads, seed, quiet, published, best, dataset)
    return command.run(options, ErrorConsole())

"""Options of the commands that explain a plan: prices, why, why not, conflict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from batch.commands.outcome import Outcome
from batch.options.common import DatasetOption, DatasetPath, Json, PlanPath, Seed

TimeLimit = Annotated[float, typer.Option(metavar="SECONDS", help="Stop after this time with what is found.")]
Threads = Annotated[int | None, typer.Option(metavar="N", help="Threads of the solver (default: 1).")]


def prices(
    plan: PlanPath,
    dataset: DatasetOption = None,
    confirm: Annotated[int, typer.Option(metavar="N", help="How many of the highest prices are solved again.")] = 10,
    signing: Annotated[
        bool, typer.Option("--signing/--no-signing", help="Also the price at which declined prospects would be signed.")
    ] = True,
    time_limit: TimeLimit = 600.0,
    threads: Threads = None,
    seed: Seed = 0,
    json: Json = False,
) -> Outcome:
    """Say what one unit more of each limit is worth: a megawatt, a rack, a tonne, a month."""
    from batch.commands import prices as command

    return command.run(command.Options(plan, dataset, confirm, signing, time_limit, threads, seed))


def why(
    plan: PlanPath,
    placement: Annotated[
        str, typer.Argument(metavar="PLACEMENT", help="CONTRACT@SITE, GENERATION@SITE, or the id of a prospect, block or site.")
    ],
    dataset: DatasetOption = None,
    time_limit: TimeLimit = 120.0,
    threads: Threads = None,
    seed: Seed = 0,
    json: Json = False,
) -> Outcome:
    """Say why a plan does something, and what the next best would cost."""
    from batch.commands import why as command

    return command.why(command.Options(plan, dataset, time_limit, threads, seed), placement)


def why_not(
    plan: PlanPath,
    placement: Annotated[
        str | None, typer.Argument(metavar="[PLACEMENT]", help="CONTRACT@SITE, GENERATION@SITE, or the id of a prospect, block or site.")
    ] = None,
    gpus: Annotated[float | None, typer.Option(metavar="N", help="GPUs wished for, in place of a placement.")] = None,
    gen: Annotated[str | None, typer.Option(metavar="GENERATION", help="Their generation.")] = None,
    site: Annotated[str | None, typer.Option(metavar="SITE", help="Their site.")] = None,
    contract: Annotated[str | None, typer.Option(metavar="CONTRACT", help="The contract that they are delivered to.")] = None,
    from_period: Annotated[str | None, typer.Option("--from", metavar="PERIOD", help="First period (default: the start).")] = None,
    to_period: Annotated[str | None, typer.Option("--to", metavar="PERIOD", help="Last period (default: the end).")] = None,
    dataset: DatasetOption = None,
    time_limit: TimeLimit = 120.0,
    threads: Threads = None,
    seed: Seed = 0,
    json: Json = False,
) -> Outcome:
    """Say whether a plan could do something, what it costs, and which limit stands in the way."""
    from batch.commands import why as command

    wished = command.Wished(placement, gpus, gen, site, contract, from_period, to_period)
    return command.why_not(command.Options(plan, dataset, time_limit, threads, seed), wished)


def conflict(
    dataset: DatasetPath,
    directives: Annotated[Path | None, typer.Option(metavar="FILE", help="CSV file of directives laid over the dataset's.")] = None,
    time_limit: TimeLimit = 120.0,
    threads: Threads = None,
    seed: Seed = 0,
    json: Json = False,
) -> Outcome:
    """Name the rules of a dataset that can't hold together, and what would have to give."""
    from batch.commands import why as command

    return command.conflict(dataset, directives, time_limit, threads, seed)

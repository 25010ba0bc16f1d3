"""The command ``wattplan``: options of each command; what they do is in ``batch.commands``.

Modules that load the data libraries or the solver are imported when a command runs, so that help is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer

from batch.commands.failures import command_error, program_error
from batch.commands.interrupt import raise_on_termination
from batch.commands.outcome import CommandError, ExitCode, Outcome, json_text

app = typer.Typer(
    name="wattplan",
    help="Plan which GPUs go to which datacenter and when, with a proven bound on what any plan could earn.",
    epilog="Exit codes: 0 done and the gap asked is proven; 1 gap not reached, or audit failed; 2 bad input; "
    "3 infeasible; 4 no plan within the time; 5 disk, memory or solver failed, or aborted.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

TRACE = "WATTPLAN_TRACE"
"""Environment variable that lets faults of the program itself leave with their trace."""
TYPER_INTERRUPTED = 130
"""What Typer makes of a ``KeyboardInterrupt``."""


class BaselineRule(StrEnum):
    """Plans to compare with that can be made by a rule."""

    SPREADSHEET = "spreadsheet"


class WhatIfMode(StrEnum):
    """How a what-if is answered."""

    EVALUATE = "evaluate"
    REPAIR = "repair"
    REOPTIMIZE = "reoptimize"


class Format(StrEnum):
    """Formats of datasets and plans."""

    CSV = "csv"
    XLSX = "xlsx"
    JSON = "json"
    PARQUET = "parquet"


DatasetPath = Annotated[Path, typer.Argument(metavar="DATASET", help="Folder, workbook (.xlsx) or JSON file.")]
PlanPath = Annotated[Path, typer.Argument(metavar="PLAN", help="Plan folder or workbook.")]
DatasetOption = Annotated[
    Path | None, typer.Option("--dataset", metavar="DATASET", help="Dataset of the plan (default: PLAN/dataset.json).")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else there.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
AllThreads = Annotated[int | None, typer.Option("--threads", metavar="N", help="Threads of the solver (default: all cores).")]
Seed = Annotated[int, typer.Option(metavar="N", help="Random seed of the solver.")]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("wattplan")
        except PackageNotFoundError:
            number = "(not installed)"
        typer.echo(f"wattplan {number}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Options before the command."""


@app.command()
def plan(
    dataset: DatasetPath,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the plan.")],
    gap: Annotated[float, typer.Option(metavar="SHARE", help="Stop at this proven gap; 0.01 is 1 % of NPV.")] = 0.01,
    directives: Annotated[Path | None, typer.Option(metavar="FILE", help="CSV file of directives laid over the dataset's.")] = None,
    time_limit: Annotated[float, typer.Option(metavar="SECONDS", help="Stop after this time with the best plan.")] = 600.0,
    threads: AllThreads = None,
    seed: Seed = 0,
    start: Annotated[Path | None, typer.Option(metavar="PLAN", help="Plan to start from.")] = None,
    baseline: Annotated[BaselineRule | None, typer.Option(help="Also plan by this rule, and compare.")] = None,
    write_mps: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the matrix as an MPS file.")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> Outcome:
    """Find the plan with the highest net present value. Ctrl-C stops and writes the best plan so far."""
    from batch.commands import plan as command
    from batch.progress import ErrorConsole

    options = command.Options(
        dataset, output, gap, directives, time_limit, threads, seed, start, baseline is not None, write_mps, quiet,
    )  # fmt: skip
    return command.run(options, ErrorConsole())


@app.command()
def whatif(
    plan: PlanPath,
    change: Annotated[list[Path], typer.Option("--change", "-c", metavar="FILE", help="YAML or JSON file of changes; may be repeated.")],
    mode: Annotated[WhatIfMode, typer.Option(help="Score the old plan, repair it, or plan anew.")] = WhatIfMode.REPAIR,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Folder for the new plan (default: not written).")
    ] = None,
    dataset: DatasetOption = None,
    gap: Annotated[float, typer.Option(metavar="SHARE", help="Stop at this proven gap; 0.01 is 1 % of NPV.")] = 0.01,
    time_limit: Annotated[float, typer.Option(metavar="SECONDS", help="Stop after this time with the best plan.")] = 60.0,
    threads: AllThreads = None,
    seed: Seed = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> Outcome:
    """Say what changes of its dataset do to a plan."""
    from batch.commands import whatif as command
    from batch.progress import ErrorConsole

    options = command.Options(plan, tuple(change), mode.value, output, dataset, gap, time_limit, threads, seed, quiet)
    return command.run(options, ErrorConsole())


@app.command()
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


@app.command()
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


@app.command()
def check(dataset: DatasetPath, json: Json = False) -> Outcome:
    """Name every fault of a dataset, or its size and warnings."""
    from batch.commands import check as command

    return command.run(dataset)


@app.command()
def audit(dataset: DatasetPath, plan: PlanPath, json: Json = False) -> Outcome:
    """Check a plan against every constraint and recompute its NPV, from tables alone."""
    from batch.commands import audit as command

    return command.run(dataset, plan)


@app.command()
def show(plan: PlanPath, dataset: DatasetOption = None, json: Json = False) -> Outcome:
    """Show a plan in the terminal."""
    from batch.commands import show as command

    return command.run(plan, dataset)


BaselineOption = Annotated[Path | None, typer.Option(metavar="PLAN", help="Plan to compare with (default: PLAN/baseline).")]
BaselineDatasetOption = Annotated[
    Path | None,
    typer.Option(metavar="DATASET", help="Dataset of that plan (default: the one beside it, else the plan's if it is the same)."),
]


@app.command()
def report(
    plan: PlanPath,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="HTML file.")],
    dataset: DatasetOption = None,
    baseline: BaselineOption = None,
    baseline_dataset: BaselineDatasetOption = None,
    prices: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What wattplan prices PLAN --json wrote: also says what a unit more of each limit is worth."),
    ] = None,
    json: Json = False,
) -> Outcome:
    """Write a plan as one HTML file with its pictures, what changed from a baseline, and prices of limits if they are given.

    The report solves nothing itself; prices need a solve: wattplan prices PLAN --json > prices.json, then --prices prices.json.
    """
    from batch.commands import report as command

    return command.run(plan, output, dataset, baseline, baseline_dataset, prices)


@app.command()
def export(
    plan: PlanPath,
    xlsx: Annotated[Path, typer.Option("--xlsx", "-o", metavar="FILE", help="Workbook (.xlsx).")],
    dataset: DatasetOption = None,
    baseline: BaselineOption = None,
    baseline_dataset: BaselineDatasetOption = None,
    json: Json = False,
) -> Outcome:
    """Write a plan as an Excel workbook: tables with units, charts, what changed from the baseline. To read it back: convert."""
    from batch.commands import export as command

    return command.run(plan, xlsx, dataset, baseline, baseline_dataset)


@app.command()
def diff(
    before: Annotated[Path, typer.Argument(metavar="PLAN_A", help="Plan folder or workbook.")],
    after: Annotated[Path, typer.Argument(metavar="PLAN_B", help="Plan folder or workbook.")],
    dataset_a: Annotated[
        Path | None, typer.Option("--dataset-a", metavar="DATASET", help="Dataset of PLAN_A (default: PLAN_A/dataset.json).")
    ] = None,
    dataset_b: Annotated[
        Path | None, typer.Option("--dataset-b", metavar="DATASET", help="Dataset of PLAN_B (default: PLAN_B/dataset.json).")
    ] = None,
    json: Json = False,
) -> Outcome:
    """Say what differs from one plan to another: inputs, NPV term by term, decisions, racks, limits."""
    from batch.commands import diff as command

    return command.run(before, after, dataset_a, dataset_b)


Loss = Annotated[float, typer.Option(metavar="SHARE", help="Most that a plan may lose; 0.01 is 1 % of NPV.")]
Tries = Annotated[int, typer.Option(metavar="N", help="Most searches for each plan.")]
SearchLimit = Annotated[float, typer.Option(metavar="SECONDS", help="Most time of each search.")]


@app.command()
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


@app.command()
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


TimeLimit = Annotated[float, typer.Option(metavar="SECONDS", help="Stop after this time with what is found.")]
Threads = Annotated[int | None, typer.Option(metavar="N", help="Threads of the solver (default: 1).")]


@app.command()
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


@app.command()
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


@app.command("why-not")
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


@app.command()
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


@app.command()
def new(
    path: Annotated[Path, typer.Argument(metavar="DIR", help="New folder, or workbook (.xlsx).")],
    workbook: Annotated[bool, typer.Option("--workbook", help="A workbook in place of a folder.")] = False,
    json: Json = False,
) -> Outcome:
    """Write a template of a dataset: every column explained, example rows that plan."""
    from batch.commands import new as command

    return command.run(path, workbook)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Dataset or plan.")],
    target: Annotated[Path, typer.Argument(metavar="DST", help="Folder, .xlsx or .json.")],
    format: Annotated[Format | None, typer.Option(help="Format of DST (default: by its ending; a folder is csv).")] = None,
    json: Json = False,
) -> Outcome:
    """Write a dataset or plan in another format."""
    from batch.commands import convert as command

    return command.run(source, target, format.value if format is not None else None)


FolderOption = Annotated[Path | None, typer.Option(metavar="DIR", help="Where the service keeps everything (default: ./wattplan-service).")]
DatabaseOption = Annotated[
    str | None, typer.Option(metavar="URL", help="postgresql+psycopg://... or sqlite:///... (default: SQLite in the folder).")
]
KeepDaysOption = Annotated[
    int | None, typer.Option("--keep-days", metavar="N", help="Days that runs which nothing needs are kept (default: 90).")
]


@app.command()
def serve(
    folder: FolderOption = None,
    database: DatabaseOption = None,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Where to listen (default: 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(metavar="N", help="Port; 0 takes any free one (default: 8000).")] = None,
    keys: Annotated[
        bool | None, typer.Option("--keys/--no-keys", help="Ask for API keys; without, on loopback only (default: --keys).")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="TCP", help="Dask scheduler, as tcp://host:port (default: one of its own).")
    ] = None,
    slots: Annotated[int | None, typer.Option(metavar="N", help="Solves at a time (default: 1).")] = None,
    threads: Annotated[int | None, typer.Option(metavar="N", help="Threads of each solve (default: all cores).")] = None,
    memory_limit: Annotated[str | None, typer.Option(metavar="SIZE", help="Memory of each solve, such as 4GiB (default: 6GiB).")] = None,
) -> Outcome:
    """Answer what-if questions over HTTP. Each option can be an environment variable too: WATTPLAN_PORT=8080."""
    from batch.commands import serve as command

    return command.run(
        {
            "folder": folder, "database": database, "host": host, "port": port, "keys": keys, "scheduler": scheduler, "slots": slots,
            "threads": threads, "memory_limit": memory_limit,
        }
    )  # fmt: skip


@app.command()
def gc(
    folder: FolderOption = None,
    database: DatabaseOption = None,
    keep_days: KeepDaysOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    json: Json = False,
) -> Outcome:
    """Delete old runs of the service, and files that nothing needs any more."""
    from batch.commands import serve as command

    return command.tidy({"folder": folder, "database": database, "keep_days": keep_days}, dry_run)


def run(arguments: Sequence[str]) -> int:
    """Run a command; result on stdout, all else on stderr.

    Returns:
        The exit code. Errors become a message; none leaves as an exception.
    """
    as_json = "--json" in arguments
    try:
        outcome = app(list(arguments), prog_name="wattplan", standalone_mode=False)
        if outcome == TYPER_INTERRUPTED:
            raise KeyboardInterrupt
        if not isinstance(outcome, Outcome):  # help and version have written their text themselves
            _write(sys.stdout, "")
            return int(outcome or 0)
        _write(sys.stdout, json_text(outcome.document) if as_json else outcome.text)
        return int(outcome.code)
    except BrokenPipeError:  # the reader has seen enough
        return int(ExitCode.ENVIRONMENT)
    except (Exception, KeyboardInterrupt) as error:
        failure = _usage_error(error) or command_error(error)
        if failure is None:
            if os.environ.get(TRACE):
                raise
            failure = program_error(error)
        return _fail(failure, as_json)


def _usage_error(error: BaseException) -> CommandError | None:
    """A command line that cannot be read, as Typer words it."""
    words = getattr(error, "format_message", None)
    if words is None or getattr(error, "exit_code", None) != ExitCode.BAD_INPUT:
        return None
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "wattplan"
    problem = words().rstrip(".") or "a command is missing"
    return CommandError([problem, f"see: {command} --help"], ExitCode.BAD_INPUT, "usage")


def _fail(failure: CommandError, as_json: bool) -> int:
    for number, message in enumerate(failure.messages):
        _try_write(sys.stderr, f"error: {message}" if number == 0 or failure.kind == "bad_input" else message)
    if failure.kind == "bad_input" and len(failure.messages) > 1:
        _try_write(sys.stderr, f"{len(failure.messages)} faults")
    if as_json:
        _try_write(sys.stdout, json_text(failure.document()))
    return int(failure.code)


def _write(stream: TextIO, text: str) -> None:
    """Write now. A stream that fails takes nothing more, so that the interpreter's own flush at exit cannot fail again.

    Raises:
        OSError: the stream cannot be written to.
    """
    try:
        if text:
            stream.write(text + "\n")
        stream.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
        raise


def _try_write(stream: TextIO, text: str) -> None:
    """Write a message about a failure; where the stream has failed too, the exit code must do."""
    with suppress(OSError):
        _write(stream, text)


@contextmanager
def _stdout_for_results() -> Iterator[None]:
    """Keep stdout for results: what native libraries print there goes to stderr. Streams that the caller closed take anything."""
    with open(os.devnull, "w") as nowhere:
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
        before, number = sys.stdout, sys.stdout.fileno()
        before.flush()
        with os.fdopen(os.dup(number), "w", encoding=before.encoding, errors="replace") as ours:
            os.dup2(sys.stderr.fileno(), number)
            sys.stdout = ours
            try:
                yield
            finally:
                with suppress(OSError):
                    _write(ours, "")
                os.dup2(ours.fileno(), number)
                sys.stdout = before


def main() -> None:
    """Entry point of the console script."""
    raise_on_termination()
    with _stdout_for_results():
        code = run(sys.argv[1:])
    sys.exit(code)


if __name__ == "__main__":
    main()

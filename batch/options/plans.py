"""Options of the commands on one plan or dataset: making, checking, showing, comparing, converting."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from batch.commands.outcome import Outcome
from batch.options.common import AllThreads, DatasetOption, DatasetPath, Json, PlanPath, Quiet, Seed


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


BaselineOption = Annotated[Path | None, typer.Option(metavar="PLAN", help="Plan to compare with (default: PLAN/baseline).")]
BaselineDatasetOption = Annotated[
    Path | None,
    typer.Option(metavar="DATASET", help="Dataset of that plan (default: the one beside it, else the plan's if it is the same)."),
]


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


def check(dataset: DatasetPath, json: Json = False) -> Outcome:
    """Name every fault of a dataset, or its size and warnings."""
    from batch.commands import check as command

    return command.run(dataset)


def audit(dataset: DatasetPath, plan: PlanPath, json: Json = False) -> Outcome:
    """Check a plan against every constraint and recompute its NPV, from tables alone."""
    from batch.commands import audit as command

    return command.run(dataset, plan)


def show(plan: PlanPath, dataset: DatasetOption = None, json: Json = False) -> Outcome:
    """Show a plan in the terminal."""
    from batch.commands import show as command

    return command.run(plan, dataset)


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


def new(
    path: Annotated[Path, typer.Argument(metavar="DIR", help="New folder, or workbook (.xlsx).")],
    workbook: Annotated[bool, typer.Option("--workbook", help="A workbook in place of a folder.")] = False,
    json: Json = False,
) -> Outcome:
    """Write a template of a dataset: every column explained, example rows that plan."""
    from batch.commands import new as command

    return command.run(path, workbook)


def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Dataset or plan.")],
    target: Annotated[Path, typer.Argument(metavar="DST", help="Folder, .xlsx or .json.")],
    format: Annotated[Format | None, typer.Option(help="Format of DST (default: by its ending; a folder is csv).")] = None,
    json: Json = False,
) -> Outcome:
    """Write a dataset or plan in another format."""
    from batch.commands import convert as command

    return command.run(source, target, format.value if format is not None else None)

"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DatasetPath = Annotated[Path, typer.Argument(metavar="DATASET", help="Folder, workbook (.xlsx) or JSON file.")]
PlanPath = Annotated[Path, typer.Argument(metavar="PLAN", help="Plan folder or workbook.")]
DatasetOption = Annotated[
    Path | None, typer.Option("--dataset", metavar="DATASET", help="Dataset of the plan (default: PLAN/dataset.json).")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else there.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
AllThreads = Annotated[int | None, typer.Option("--threads", metavar="N", help="Threads of the solver (default: all cores).")]
Seed = Annotated[int, typer.Option(metavar="N", help="Random seed of the solver.")]

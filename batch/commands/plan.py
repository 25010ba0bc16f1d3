"""wattplan plan: the plan with the highest net present value, its proven bound, and a baseline to compare with."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from batch.commands import directives, plan_folder
from batch.commands.checks import check_gap, check_seed, check_threads, check_time_limit
from batch.commands.interrupt import stop_on_signal
from batch.commands.outcome import CommandError, ExitCode, Outcome
from batch.commands.uplift import uplift, uplift_lines
from batch.progress import SearchProgress
from models.dataset import Dataset
from models.faults import StorageError
from models.files import read_dataset
from models.files.atomic import is_special
from models.plan import SMALLEST_GAP, Plan, Summary
from models.plan_files import read_plan

if TYPE_CHECKING:
    import threading

DUALS = ".duals.csv"
"""What the kernel adds to the name of the matrix for the duals that certify the bound."""


@dataclass(frozen=True)
class Options:
    """Options of the command; times in seconds, the gap as a share of NPV."""

    dataset: Path
    output: Path
    gap: float = 0.01
    directives: Path | None = None
    time_limit: float = 600.0
    threads: int | None = None
    seed: int = 0
    start: Path | None = None
    baseline: bool = False
    write_mps: Path | None = None
    quiet: bool = False

    def check(self) -> None:
        """See that every option can be.

        Raises:
            CommandError: an option whose value cannot be, or an output that cannot be written.
        """
        check_gap(self.gap)
        check_time_limit(self.time_limit)
        check_threads(self.threads)
        check_seed(self.seed)
        plan_folder.check_target(self.output)
        if self.write_mps is not None:
            if self.write_mps.is_dir():
                raise plan_folder.bad_output(self.write_mps, "is a folder", "a file for the matrix")
            if is_special(self.write_mps):  # the duals go into a file beside it
                raise plan_folder.bad_output(self.write_mps, "is not an ordinary file", "a file for the matrix")
            matrix = Path(os.path.realpath(self.write_mps))
            if Path(os.path.realpath(self.output)) in (matrix, *matrix.parents):
                problem = f"lies in {self.output}, which is replaced as a whole by the plan"
                raise plan_folder.bad_output(self.write_mps, problem, "a file outside of it")
            plan_folder.check_writable(self.write_mps)


def run(options: Options, errors: Console) -> Outcome:
    """Read, plan, write, and tell.

    Args:
        options: of the command.
        errors: console on stderr, for progress and warnings.

    Raises:
        CommandError: bad options, infeasible, no plan within the time, solver failed.
        InputError: faults of dataset, directives or starting plan.
        StorageError: the plan could not be written.
    """
    options.check()
    with SearchProgress(errors, options.gap, options.quiet) as progress:
        folder = _Folder(options.output)
        try:
            with stop_on_signal(progress.say) as stop:
                plan, dataset, baseline, paths = _planned(options, folder, progress, stop)
        except KeyboardInterrupt:
            what = f"the best plan so far is in {options.output}" if folder.holds else "no plan was written"
            raise CommandError(f"aborted; {what}", ExitCode.ENVIRONMENT, "aborted") from None
    if options.write_mps is not None:
        paths["mps"] = str(options.write_mps)
        duals = options.write_mps.with_name(options.write_mps.name + DUALS)
        if duals.is_file():
            paths["duals"] = str(duals)
    return _outcome(options, plan, dataset, baseline, paths)


def _planned(
    options: Options, folder: _Folder, progress: SearchProgress, stop: threading.Event
) -> tuple[Plan, Dataset, Plan | None, dict[str, str]]:
    """The plan, its dataset, the baseline if there is one, and paths by what they hold, once all is written."""
    progress.phase("reading the dataset")
    began = time.monotonic()
    dataset = read_dataset(options.dataset)
    if options.directives is not None:
        dataset = directives.apply_directives(dataset, options.directives)
    start = None
    if options.start is not None:
        start = read_plan(options.start)
        plan_folder.check_periods(start, options.start, dataset)
    loaded = time.monotonic() - began
    for warning in dataset.warnings:
        progress.warn(str(warning))
    baseline = _baseline(dataset, progress) if options.baseline else None
    keep = _keeper(folder, dataset, baseline, progress)
    plan = _search(options, dataset, start or baseline, progress, stop, keep, folder)
    plan.summary.seconds.load = loaded
    plan.summary.seconds.total += loaded
    progress.phase("writing the plan")
    return plan, dataset, baseline, folder.write(plan, dataset, baseline)


def _baseline(dataset: Dataset, progress: SearchProgress) -> Plan | None:
    """The plan of the spreadsheet rule; None, and a warning, where the rule finds none."""
    from optimizer.spreadsheet import RuleFailedError, spreadsheet_plan

    progress.phase("spreadsheet rule, as the baseline")
    try:
        return spreadsheet_plan(dataset)
    except RuleFailedError as error:
        progress.warn("no baseline: the spreadsheet rule finds no plan; " + "; ".join(error.violations))
        return None


@dataclass
class _Folder:
    """The folder of the plan, and whether a plan of this search is in it."""

    path: Path
    holds: bool = False

    def write(self, plan: Plan, dataset: Dataset, baseline: Plan | None) -> dict[str, str]:
        """Put a plan in it.

        Raises:
            StorageError: disk full, no permission; what was there is untouched.
        """
        paths = plan_folder.write_all(self.path, plan, dataset, baseline)
        self.holds = True
        return paths


def _keeper(folder: _Folder, dataset: Dataset, baseline: Plan | None, progress: SearchProgress) -> Callable[[Plan], None]:
    """Writes each better plan while the search goes on, so that a machine that dies loses nothing; a full disk is told and waited out."""

    def keep(plan: Plan) -> None:
        try:
            folder.write(plan, dataset, baseline)
        except StorageError as error:
            progress.warn(f"the plan so far could not be written: {error}")

    return keep


def _search(
    options: Options, dataset: Dataset, start: Plan | None, progress: SearchProgress, stop: threading.Event,
    keep: Callable[[Plan], None], folder: _Folder,
) -> Plan:  # fmt: skip
    import optimizer

    try:
        return optimizer.plan(
            dataset,
            gap=options.gap,
            time_limit=options.time_limit,
            threads=options.threads,
            seed=options.seed,
            start=start,
            progress=progress,
            stop=stop,
            write_mps=options.write_mps,
            keep=keep,
        )
    except optimizer.InfeasibleError as error:
        paths = plan_folder.write_summary(options.output, error.summary)
        messages = ["no plan can meet every limit; these cannot all hold:", *(f"  {conflict}" for conflict in error.conflicts)]
        details: dict[str, Any] = {"conflicts": list(error.conflicts), "summary": _plain(error.summary), "paths": paths}
        raise CommandError(messages, ExitCode.INFEASIBLE, "infeasible", **details) from error
    except optimizer.NoPlanError as error:
        why = "before it was stopped" if stop.is_set() else f"within {options.time_limit:g} s"
        message = f"no plan was found {why}; nothing was written. More time: --time-limit"
        raise CommandError(message, ExitCode.NO_PLAN, "no_plan", summary=_plain(error.summary)) from error
    except optimizer.SolverError as error:
        kept = f"; the best plan so far is in {options.output}" if folder.holds else ""
        raise CommandError(f"the solver failed: {error}{kept}", ExitCode.ENVIRONMENT, "solver") from error


def _plain(summary: Summary) -> dict[str, Any]:
    return summary.model_dump(mode="json")


def _outcome(options: Options, plan: Plan, dataset: Dataset, baseline: Plan | None, paths: dict[str, str]) -> Outcome:
    from batch.show import headline_lines

    gap = plan.summary.gap
    reached = gap is not None and gap <= max(options.gap, SMALLEST_GAP)
    document: dict[str, Any] = {"summary": _plain(plan.summary), "paths": paths}
    lines = list(headline_lines(plan, dataset))
    if baseline is not None:
        compared = uplift(plan, baseline)
        document["uplift"] = compared
        lines += ["", *uplift_lines(compared)]
    lines += ["", f"written to {options.output}"]
    code = ExitCode.OK if reached else ExitCode.NOT_REACHED
    document["exit_code"] = int(code)
    return Outcome("" if options.quiet else "\n".join(lines), document, code)

"""wattplan whatif: what changes of its dataset do to a plan."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from batch.commands import plan_folder
from batch.commands.checks import check_gap, check_seed, check_threads, check_time_limit
from batch.commands.interrupt import stop_on_signal
from batch.commands.outcome import CommandError, ExitCode, Outcome, bad_option
from batch.progress import SearchProgress
from models.changes import Change, ChangeError, read_changes
from models.faults import Fault
from models.files.yaml_file import load_yaml
from models.plan import SMALLEST_GAP
from models.plan_files import read_plan

if TYPE_CHECKING:
    from optimizer.whatif import Answer

SHOWN = 10
"""Violations told of an evaluation."""


@dataclass(frozen=True)
class Options:
    """Options of the command; times in seconds, the gap as a share of NPV."""

    plan: Path
    changes: tuple[Path, ...]
    mode: str = "repair"
    output: Path | None = None
    dataset: Path | None = None
    gap: float = 0.01
    time_limit: float = 60.0
    threads: int | None = None
    seed: int = 0
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
        if self.output is not None:
            if self.mode == "evaluate":
                raise bad_option("--output", self.output, "nothing with --mode evaluate, which makes no plan")
            plan_folder.check_target(self.output)


def read_files(paths: Sequence[Path]) -> list[Change]:
    """Changes from YAML or JSON files, one after the other; a file holds a list of changes, or one.

    Raises:
        ChangeError: a file cannot be read or is no YAML, or a change has faults; pointers are those of the whole list.
    """
    found: list[Any] = []
    for path in paths:
        document = load_yaml(path, "a YAML or JSON file of changes")
        if isinstance(document, Fault):
            raise ChangeError([document])
        found += document if isinstance(document, list) else [document]
    return read_changes(found)


def run(options: Options, errors: Console) -> Outcome:
    """Read, change, answer, and tell.

    Args:
        options: of the command.
        errors: console on stderr, for progress and warnings.

    Raises:
        CommandError: bad options, infeasible, no plan within the time, solver failed.
        InputError: faults of plan, dataset or changes.
        StorageError: the plan could not be written.
    """
    import optimizer
    from optimizer.highs import Control
    from optimizer.whatif import LEAST, WARMING, Planner

    options.check()
    changes = read_files(options.changes)
    with SearchProgress(errors, options.gap, options.quiet) as progress, stop_on_signal(progress.say) as stop:
        control = Control(time.monotonic() + options.time_limit, stop)
        progress.phase("reading the plan")
        plan = read_plan(options.plan)
        dataset = plan_folder.dataset_of(plan, options.plan, options.dataset)
        progress.phase("building the model")
        planner = Planner(dataset, plan, threads=options.threads, seed=options.seed)
        try:
            if options.mode == "repair":
                progress.phase("warming up")
                planner.warm(control.until(WARMING * options.time_limit))
            left = max(LEAST, control.deadline - time.monotonic())
            answer = planner.change(changes, options.mode, gap=options.gap, time_limit=left, progress=progress, stop=stop)
        except optimizer.InfeasibleError as error:
            messages = ["no plan can meet every limit after these changes:", *(f"  {conflict}" for conflict in error.conflicts)]
            raise CommandError(messages, ExitCode.INFEASIBLE, "infeasible", conflicts=list(error.conflicts)) from error
        except optimizer.NoPlanError as error:
            why = "before it was stopped" if stop.is_set() else f"within {options.time_limit:g} s"
            message = f"no plan was found {why}. More time: --time-limit"
            raise CommandError(message, ExitCode.NO_PLAN, "no_plan") from error
        except optimizer.SolverError as error:
            raise CommandError(f"the solver failed: {error}", ExitCode.ENVIRONMENT, "solver") from error
        for warning in answer.warnings:
            progress.warn(str(warning))
        paths: dict[str, str] = {}
        if options.output is not None and answer.plan is not None:
            progress.phase("writing the plan")
            paths = plan_folder.write_all(options.output, answer.plan, answer.dataset, plan, dataset)
    return _outcome(options, answer, paths)


def _outcome(options: Options, answer: Answer, paths: dict[str, str]) -> Outcome:
    lines = [*answer.sentences, ""] if answer.sentences else ["no change", ""]
    before = answer.baseline_npv_usd / 1e6
    document: dict[str, Any] = {
        "mode": answer.mode.value, "sentences": list(answer.sentences), "warnings": [str(warning) for warning in answer.warnings],
        "baseline_npv_usd": answer.baseline_npv_usd, "difference_usd": answer.difference_usd, "dataset_sha256": answer.dataset.sha256,
        "seconds": answer.seconds, "paths": paths,
    }  # fmt: skip
    code = ExitCode.OK
    lines.append(f"NPV before  {before:,.1f} million USD")
    if answer.evaluation is not None:
        document["evaluation"] = {
            "npv_usd": answer.evaluation.npv_usd, "npv_terms": answer.evaluation.npv_terms,
            "violations": [violation.message for violation in answer.evaluation.violations],
        }  # fmt: skip
        broken = [violation.message for violation in answer.evaluation.violations]
        lines.append(
            f"unchanged   {answer.evaluation.npv_usd / 1e6:,.1f} million USD; {len(broken) or 'no'} {'limit' if len(broken) == 1 else 'limits'} broken"
        )
        lines += [f"  {message}" for message in broken[:SHOWN]] + ([f"  and {len(broken) - SHOWN} more"] if len(broken) > SHOWN else [])
    if answer.plan is not None:
        summary = answer.plan.summary
        gap = summary.gap
        document["summary"] = summary.model_dump(mode="json")
        difference = (answer.difference_usd or 0.0) / 1e6
        proven = "open" if gap is None else f"{100 * gap:.2f} %"
        lines.append(f"after       {(summary.npv_usd or 0.0) / 1e6:,.1f} million USD ({difference:+,.1f}), proven gap {proven}, audited")
        code = ExitCode.OK if gap is not None and gap <= max(options.gap, SMALLEST_GAP) else ExitCode.NOT_REACHED
    if options.output is not None and paths:
        lines += ["", f"written to {options.output}"]
    document["exit_code"] = int(code)
    return Outcome("" if options.quiet else "\n".join(lines), document, code)

"""wattplan study: many what-ifs from one base plan, and what they say together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from batch.commands import plan_folder
from batch.commands.checks import check_threads, check_time_limit
from batch.commands.interrupt import stop_on_signal
from batch.commands.outcome import CommandError, ExitCode, Outcome, bad_option
from batch.engine import EngineError
from batch.study import Asked, StoppedError, carry_out
from batch.study.carrying import Means
from batch.study.findings import Findings, findings, write_findings
from batch.study.folder import Folder, known_study
from batch.study.progress import StudyProgress
from batch.study.results import PLANNED, PROVEN, RunStatus
from batch.study.words import text_of
from models.plan_files import read_plan
from models.study import check_scenarios, read_study


@dataclass(frozen=True)
class Options:
    """Options of the command; times in seconds."""

    study: Path
    output: Path
    workers: int = 1
    threads: int = 1
    scheduler: str | None = None
    time_limit: float | None = None
    keep_plans: bool = False
    quiet: bool = False

    def check(self) -> None:
        """See that every option can be.

        Raises:
            CommandError: an option whose value cannot be, or an output that cannot be written.
        """
        check_threads(self.workers, "--workers")
        check_threads(self.threads)
        if self.time_limit is not None:
            check_time_limit(self.time_limit)
        if self.scheduler is not None and "://" not in self.scheduler:
            raise bad_option("--scheduler", self.scheduler, "an address such as tcp://host:8786")
        plan_folder.check_writable(self.output)


def run(options: Options, errors: Console) -> Outcome:
    """Read, check, carry out what is not done yet, and tell.

    Args:
        options: of the command.
        errors: console on stderr, for progress and warnings.

    Raises:
        CommandError: bad options, stopped, or no worker.
        InputError: faults of study, plan or dataset, or a folder that holds another study.
        StorageError: a result could not be kept.
    """
    options.check()
    go_on = "what has ended is kept, and the same command goes on"
    try:
        return _run(options, errors, go_on)
    except KeyboardInterrupt:
        message = f"aborted; what had ended is kept, and {_again(options)}"
        raise CommandError(message, ExitCode.ENVIRONMENT, "aborted") from None


def _run(options: Options, errors: Console, go_on: str) -> Outcome:
    with StudyProgress(errors, options.quiet) as progress, stop_on_signal(progress.say, go_on) as stop:
        asked = _asked(options, progress)
        with Folder.claimed(options.output, asked) as folder:
            means = Means(options.workers, options.threads, options.scheduler)
            try:
                carry_out(asked, folder, means, progress, stop, options.keep_plans)
            except EngineError as error:
                done = len(folder.finished())
                messages = [str(error), f"{done} of {len(asked.scenarios)} runs are kept in {options.output}; {_again(options)}"]
                raise CommandError(messages, ExitCode.ENVIRONMENT, "cluster") from error
            except StoppedError as stopped:
                message = f"{stopped}; {_again(options)}"
                raise CommandError(message, ExitCode.ENVIRONMENT, "stopped", done=stopped.done, runs=stopped.of) from stopped
            progress.phase("writing the report")
            found = findings(asked, folder)
            paths = write_findings(found, folder)
    return _outcome(options, found, paths)


def _asked(options: Options, progress: StudyProgress) -> Asked:
    """The study, with its base; every scenario's changes are read, and many of them tried."""
    progress.phase("reading the study")
    study = read_study(options.study)
    here = options.study.parent
    plan_path = here / study.base.plan
    plan = read_plan(plan_path)
    dataset = plan_folder.dataset_of(plan, plan_path, None if study.base.dataset is None else here / study.base.dataset)
    asked = Asked.of(study, dataset, plan, options.time_limit, here)
    if known_study(options.output, asked):  # they were tried when it began
        return asked
    progress.phase("checking the scenarios")
    tried = check_scenarios(dataset, asked.scenarios, plan, str(options.study))
    change = sum(1 for scenario in asked.scenarios if scenario.changes)
    if tried < change and not options.quiet:
        progress.say(f"{tried} of {change} scenarios were tried on the dataset, each level at least once where it can be")
    return asked


def _again(options: Options) -> str:
    return f"the same command goes on: wattplan study {options.study} -o {options.output}"


def _outcome(options: Options, found: Findings, paths: dict[str, str]) -> Outcome:
    code = _code(found)
    document = {**found.document(), "paths": paths, "exit_code": int(code)}
    text = "" if options.quiet else "\n".join([text_of(found), "", f"written to {options.output}; the report is {paths['report']}"])
    return Outcome(text, document, code)


def _code(found: Findings) -> ExitCode:
    """Done; or some runs are above the gap asked, without a plan in time, or failed; or no run has a plan."""
    statuses = {RunStatus(status) for status in found.runs["status"]}
    if not statuses & PLANNED:
        return ExitCode.INFEASIBLE if statuses <= {RunStatus.INFEASIBLE, RunStatus.BROKEN} else ExitCode.NO_PLAN
    done = PROVEN | {RunStatus.HOLDS, RunStatus.BROKEN, RunStatus.INFEASIBLE}
    return ExitCode.OK if statuses <= done else ExitCode.NOT_REACHED

"""wattplan alternatives: plans within a loss that are as different as possible.

DIR/alternatives.html   the report
DIR/summary.json        its figures
DIR/1, DIR/2, ...       the plans, each with its dataset and the plan given as its baseline, for wattplan show, diff and report
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from batch.commands import level, plan_folder
from batch.commands.interrupt import stop_on_signal
from batch.commands.outcome import CommandError, ExitCode, Outcome, bad_option, json_text
from batch.progress import SearchProgress, money
from models.dataset import Dataset
from models.files.atomic import staged_folder, write_bytes
from models.plan import Plan
from models.plan_files import read_plan

if TYPE_CHECKING:
    from optimizer.tradeoffs.alternatives import Alternative

REPORT, SUMMARY = "alternatives.html", "summary.json"
MOST = 20


@dataclass(frozen=True)
class Options(level.Options):
    """Options of the command."""

    plan: Path = Path()
    number: int = 3
    dataset: Path | None = None

    def check(self) -> None:
        """See that every option can be.

        Raises:
            CommandError: an option whose value cannot be, or an output that cannot be written.
        """
        super().check()
        if not 1 <= self.number <= MOST:
            raise bad_option("--number", self.number, f"1 to {MOST}")
        names = sorted(os.listdir(self.output)) if self.output.is_dir() else []
        own = {REPORT, SUMMARY, *(str(n) for n in range(1, MOST + 1))}
        others = [name for name in names if name not in own] if REPORT in names else names
        plan_folder.check_folder(self.output, others, "alternatives")


def run(options: Options, errors: Console) -> Outcome:
    """Read, look for alternatives, write, and tell.

    Raises:
        CommandError: bad options, or the solver failed.
        InputError: faults of plan or dataset.
        StorageError: the result could not be written.
    """
    from optimizer.tradeoffs.alternatives import alternatives

    options.check()
    with SearchProgress(errors, 0.0, options.quiet) as progress, stop_on_signal(progress.say, "what is found will be written") as stop:
        progress.phase("reading the plan")
        plan = read_plan(options.plan)
        dataset = plan_folder.dataset_of(plan, options.plan, options.dataset)
        floor = level.floor_usd(plan, options.loss)

        known: list[Alternative] = []
        failed = ""

        def told(one: Alternative) -> None:
            known.append(one)
            progress.say(f"{one.name}: {one.apart:.0%} of the racks elsewhere or at other times, {money(one.loss_usd)} less")

        try:
            found = level.asked(options, dataset, plan, floor, progress, stop, lambda asking: alternatives(asking, options.number, told))
        except CommandError as error:
            if error.kind != "solver" or not known:
                raise
            found, failed = known, str(error)  # those found before are as good as they were
            progress.warn(failed)
        document = {**_document(options, plan, found), "failed": failed or None}
        paths: dict[str, str] = {}
        if found:
            progress.phase("writing the plans")
            paths = _write(options, plan, dataset, found, document)
    code = ExitCode.OK if len(found) == options.number else ExitCode.NOT_REACHED if found else ExitCode.NO_PLAN
    text = "" if options.quiet else "\n".join(_lines(options, plan, found, paths, failed))
    return Outcome(text, {**document, "paths": paths, "exit_code": int(code)}, code)


def _document(options: Options, plan: Plan, found: list[Alternative]) -> dict[str, Any]:
    return {
        "loss": options.loss, "npv_usd": plan.summary.npv_usd, "floor_usd": level.floor_usd(plan, options.loss),
        "dataset": plan.summary.dataset.model_dump(),
        "alternatives": [
            {
                "name": one.name, "npv_usd": one.plan.summary.npv_usd, "bound_usd": one.plan.summary.bound_usd, "loss_usd": one.loss_usd,
                "apart": one.apart, "ceiling": one.found.ceiling, "tried": level.tried_document(one.found.tried),
            }
            for one in found
        ],
    }  # fmt: skip


def _write(options: Options, plan: Plan, dataset: Dataset, found: list[Alternative], document: dict[str, Any]) -> dict[str, str]:
    from batch.report.alternatives import alternatives_html  # loads the pictures

    with staged_folder(options.output) as staged:
        for n, one in enumerate(found, start=1):
            plan_folder.write_all(staged / str(n), one.plan, dataset, plan, dataset)
        write_bytes(staged / SUMMARY, (json_text(document) + "\n").encode())
        write_bytes(staged / REPORT, alternatives_html(plan, dataset, options.loss, found).encode())
    plans = {one.name: str(options.output / str(n)) for n, one in enumerate(found, start=1)}
    return {**plans, "report": str(options.output / REPORT), "summary": str(options.output / SUMMARY)}


def _lines(options: Options, plan: Plan, found: list[Alternative], paths: dict[str, str], failed: str) -> list[str]:
    lines = [
        f"the plan given: NPV {money(plan.summary.npv_usd)}; a loss of {options.loss:.2%} is {money(options.loss * abs(plan.summary.npv_usd or 0.0))}"
    ]
    for one in found:
        proven = "" if one.found.ceiling is None else f"; that {one.found.ceiling:.0%} or more costs more than the loss is proven"
        lines.append(f"{one.name}: NPV {money(one.plan.summary.npv_usd)}, {money(one.loss_usd)} less; apart {one.apart:.1%}{proven}")
    if not found:
        lines.append("no other plan was found within the loss; more: --loss, --time-limit, --tries")
    elif failed:
        lines.append(f"no more than {len(found)} of {options.number} were found: {failed}")
    elif len(found) < options.number:
        lines.append(f"no more than {len(found)} of {options.number} were found within the loss")
    return [*lines, *([f"written to {options.output}; the report is {paths['report']}"] if found else [])]

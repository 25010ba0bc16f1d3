"""wattplan nearest: the plan within a loss of the best that keeps as much as possible of one that is published already."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from batch.commands import level, plan_folder
from batch.commands.interrupt import stop_on_signal
from batch.commands.outcome import ExitCode, Outcome
from batch.progress import SearchProgress, money
from models.plan import Plan
from models.plan_files import read_plan

if TYPE_CHECKING:
    from optimizer.tradeoffs.level import Highest


@dataclass(frozen=True)
class Options(level.Options):
    """Options of the command."""

    published: Path = Path()
    best: Path = Path()
    dataset: Path | None = None

    def check(self) -> None:
        """See that every option can be.

        Raises:
            CommandError: an option whose value cannot be, or an output that cannot be written.
        """
        super().check()
        plan_folder.check_target(self.output)


def run(options: Options, errors: Console) -> Outcome:
    """Read, look for the nearest plan, write, and tell.

    Raises:
        CommandError: bad options, no plan, or the solver failed.
        InputError: faults of plans or dataset.
        StorageError: the result could not be written.
    """
    from optimizer.instance import Instance
    from optimizer.tradeoffs.nearest import nearest
    from optimizer.tradeoffs.targets import in_common

    options.check()
    with SearchProgress(errors, 0.0, options.quiet) as progress, stop_on_signal(progress.say) as stop:
        progress.phase("reading the plans")
        best = read_plan(options.best)
        dataset = plan_folder.dataset_of(best, options.best, options.dataset)
        published = read_plan(options.published)
        plan_folder.check_periods(published, options.published, dataset)
        its_dataset = plan_folder.dataset_beside(published, options.published, dataset)  # before the search, which may take long
        found = level.asked(options, dataset, published, level.floor_usd(best, options.loss), progress, stop, nearest)
        made = best if found.plan is None else found.plan
        common = in_common(Instance(dataset), published.racks, made.racks)
        progress.phase("writing the plan")
        paths = plan_folder.write_all(options.output, made, dataset, published, its_dataset)
    return _outcome(options, best, made, common, found, paths)


def _outcome(options: Options, best: Plan, made: Plan, common: float, found: Highest, paths: dict[str, str]) -> Outcome:
    loss = (best.summary.npv_usd or 0.0) - (made.summary.npv_usd or 0.0)
    document: dict[str, Any] = {
        "loss": options.loss, "npv_usd": made.summary.npv_usd, "best_npv_usd": best.summary.npv_usd, "loss_usd": loss, "in_common": common,
        "ceiling": found.ceiling, "is_best": made is best, "tried": level.tried_document(found.tried), "paths": paths,
    }  # fmt: skip
    lines = [
        f"keeps {common:.1%} of the published plan's racks; NPV {money(made.summary.npv_usd)}, {money(loss)} less than the best plan's"
    ]
    if made is best:
        lines = [f"no plan nearer than the best one, which keeps {common:.1%}, was found within the loss; that one is written"]
    if found.ceiling is not None:
        lines.append(f"proven: no plan within the loss keeps {found.ceiling:.1%} or more")
    report = shlex.join(["wattplan", "report", str(options.output), "-o", f"{options.output}.html"])
    lines.append(f"written to {options.output}; what changes from the published plan: {report}")
    code = ExitCode.NOT_REACHED if made is best else ExitCode.OK
    return Outcome("" if options.quiet else "\n".join(lines), {**document, "exit_code": int(code)}, code)

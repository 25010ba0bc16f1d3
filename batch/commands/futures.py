"""wattplan futures: one plan for many futures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from batch.commands import futures_folder, plan_folder
from batch.commands.checks import check_gap, check_seed, check_threads, check_time_limit
from batch.commands.futures_text import futures_lines
from batch.commands.interrupt import stop_on_signal
from batch.commands.outcome import CommandError, ExitCode, Outcome, bad_option
from batch.progress import SearchProgress
from models.dataset import Dataset
from models.files import read_dataset
from models.plan import SMALLEST_GAP, Plan
from models.plan_files import read_plan
from models.uncertainty import Scenario, draw, enumerated, read_uncertainty

if TYPE_CHECKING:
    import threading

    from optimizer.futures import FuturesPlan

MOST_DRAWS = 10_000


@dataclass(frozen=True)
class Options:
    """Options of the command; times in seconds, the gap as a share of the value. Without ``draws`` every combination is taken."""

    dataset: Path
    scenarios: Path
    decide_before: str
    output: Path
    draws: int | None = 20
    plan: Path | None = None
    cvar: float = 0.95
    weight: float = 0.0
    placement: bool = False
    gap: float = 0.01
    time_limit: float = 600.0
    workers: int | None = None
    seed: int = 0
    quiet: bool = False

    def check(self) -> None:
        """See that every option can be.

        Raises:
            CommandError: an option whose value cannot be, or an output that cannot be written.
        """
        if self.draws is not None and not 1 <= self.draws <= MOST_DRAWS:
            raise bad_option("--draws", self.draws, f"1 to {MOST_DRAWS}")
        if not 0 <= self.cvar < 1:
            raise bad_option("--cvar", self.cvar, "a share of probability, 0 to below 1 (0.95: the mean of the worst 5 %)")
        if not 0 <= self.weight <= 1:
            raise bad_option("--weight", self.weight, "a share, 0 (expectation alone) to 1 (CVaR alone)")
        check_gap(self.gap, "the value")
        check_time_limit(self.time_limit)
        check_threads(self.workers, "--workers")
        check_seed(self.seed)
        futures_folder.check_target(self.output)


def run(options: Options, errors: Console) -> Outcome:
    """Read, draw, plan, write, and tell.

    Raises:
        CommandError: bad options, a scenario that is infeasible, no plan within the time, solver failed.
        InputError: faults of dataset, scenarios or plan.
        StorageError: the result could not be written.
    """
    options.check()
    with SearchProgress(errors, options.gap, options.quiet) as progress, stop_on_signal(progress.say) as stop:
        progress.phase("reading dataset and scenarios")
        dataset = read_dataset(options.dataset)
        uncertainty = read_uncertainty(options.scenarios, dataset)
        start = None
        if options.plan is not None:
            start = read_plan(options.plan)
            plan_folder.check_periods(start, options.plan, dataset)
        count = options.draws
        scenarios = enumerated(uncertainty, dataset) if count is None else draw(uncertainty, dataset, count, options.seed)
        found = _search(options, dataset, scenarios, start, progress, stop)
        progress.phase("writing the plans")
        paths = futures_folder.write(options.output, found, dataset)
    summary = found.summary
    reached = summary.gap <= max(options.gap, SMALLEST_GAP)
    code = ExitCode.OK if reached else ExitCode.NOT_REACHED
    lines = [*futures_lines(found), "", f"written to {options.output}"]
    document: dict[str, Any] = {
        "summary": summary.model_dump(mode="json"), "first_stage": found.first_stage.to_dict("records"),
        "scenarios": found.scenarios.to_dict("records"), "paths": paths, "exit_code": int(code),
    }  # fmt: skip
    return Outcome("" if options.quiet else "\n".join(lines), document, code)


def _search(
    options: Options, dataset: Dataset, scenarios: list[Scenario], start: Plan | None, progress: SearchProgress, stop: threading.Event
) -> FuturesPlan:
    from optimizer import SolverError
    from optimizer.futures import NoFuturesPlanError, ScenarioInfeasibleError, plan_futures

    try:
        return plan_futures(
            dataset, scenarios, decide_before=options.decide_before, weight=options.weight, alpha=options.cvar, gap=options.gap,
            time_limit=options.time_limit, workers=options.workers, seed=options.seed, placement=options.placement, start=start,
            progress=progress, stop=stop,
        )  # fmt: skip
    except ScenarioInfeasibleError as error:
        what = f"scenario {error.scenario!r}: no plan can meet every limit" if error.scenario else "no first stage holds in every scenario"
        messages = [f"{what}; these cannot all hold:", *(f"  {conflict}" for conflict in error.conflicts)]
        raise CommandError(messages, ExitCode.INFEASIBLE, "infeasible", scenario=error.scenario, conflicts=error.conflicts) from error
    except NoFuturesPlanError as error:
        why = "before it was stopped" if stop.is_set() else f"within {options.time_limit:g} s"
        message = f"no plan for all scenarios was found {why}; nothing was written. More time: --time-limit"
        raise CommandError(message, ExitCode.NO_PLAN, "no_plan", bound_usd=error.bound_usd) from error
    except SolverError as error:
        raise CommandError(f"the solver failed: {error}", ExitCode.ENVIRONMENT, "solver") from error

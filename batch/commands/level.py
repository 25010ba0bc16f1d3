"""What the commands alternatives and nearest share: their options, and asking for plans that are worth enough."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from batch.commands.checks import check_seed, check_threads, check_time_limit
from batch.commands.outcome import CommandError, ExitCode, bad_option
from batch.progress import SearchProgress
from models.dataset import Dataset
from models.plan import Plan

if TYPE_CHECKING:
    import threading

    from optimizer.tradeoffs.level import Asking, Tried

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """Options of both commands; the loss as a share of NPV, times in seconds."""

    output: Path
    loss: float = 0.01
    tries: int = 5
    time_limit: float = 60.0
    threads: int | None = None
    seed: int = 0
    quiet: bool = False

    def check(self) -> None:
        """See that every option can be.

        Raises:
            CommandError: an option whose value cannot be.
        """
        if not 0 <= self.loss <= 1:
            raise bad_option("--loss", self.loss, "a share of NPV, 0 to 1 (0.01 is 1 %)")
        if not 1 <= self.tries <= 100:
            raise bad_option("--tries", self.tries, "1 to 100")
        check_time_limit(self.time_limit)
        check_threads(self.threads)
        check_seed(self.seed)


def floor_usd(plan: Plan, loss: float) -> float:
    """NPV of a plan that loses no more than a share, USD."""
    npv = plan.summary.npv_usd or 0.0
    return npv - loss * abs(npv)


def asked(
    options: Options, dataset: Dataset, start: Plan, floor: float, progress: SearchProgress, stop: threading.Event, ask: Callable[[Asking], T]
) -> T:  # fmt: skip
    """Warm up and ask.

    Args:
        dataset: for which plans are made.
        start: the plan where searches start.
        floor: NPV that a plan must have, USD.
        ask: what is asked.

    Raises:
        CommandError: the solver failed.
    """
    from optimizer import SolverError
    from optimizer.highs import Control
    from optimizer.tradeoffs.level import Asking
    from optimizer.whatif import Planner

    try:
        progress.phase("building the model")
        planner = Planner(dataset, start, threads=options.threads, seed=options.seed)
        progress.phase("warming up")
        planner.warm(Control(stop=stop))
        return ask(Asking(planner, floor, options.time_limit, tries=options.tries, progress=progress, stop=stop))
    except SolverError as error:
        raise CommandError(f"the solver failed: {error}", ExitCode.ENVIRONMENT, "solver") from error


def tried_document(tried: tuple[Tried, ...]) -> list[dict[str, float | None]]:
    """Levels tried as plain values; a bound of minus infinity, where no plan holds at all, is null beside ``infeasible``."""
    return [
        {"level": t.level, "npv_usd": t.npv_usd, "bound_usd": t.bound_usd, "infeasible": t.bound_usd == -math.inf, "seconds": t.seconds}
        for t in tried
    ]

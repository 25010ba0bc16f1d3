"""Options that many commands have: whether their values can be."""

from __future__ import annotations

import math

from batch.commands.outcome import bad_option

LARGEST_SEED = 2**31 - 1
MOST_THREADS = 1024


def check_gap(gap: float, of: str = "NPV") -> None:
    """See that a relative gap can be.

    Raises:
        CommandError: it can't.
    """
    if not (math.isfinite(gap) and gap >= 0):
        raise bad_option("--gap", gap, f"a share of {of}, 0 or more (0.01 is 1 %)")


def check_time_limit(seconds: float) -> None:
    """See that a time limit can be.

    Raises:
        CommandError: it can't.
    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise bad_option("--time-limit", seconds, "seconds, more than 0")


def check_threads(threads: int | None, option: str = "--threads") -> None:
    """See that a number of threads or workers can be; None leaves it to the solver.

    Raises:
        CommandError: it can't.
    """
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise bad_option(option, threads, f"1 to {MOST_THREADS}")


def check_seed(seed: int) -> None:
    """See that a seed can be.

    Raises:
        CommandError: it can't.
    """
    if not 0 <= seed <= LARGEST_SEED:
        raise bad_option("--seed", seed, f"0 to {LARGEST_SEED}")

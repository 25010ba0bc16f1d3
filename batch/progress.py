"""Progress of a search on stderr: a live line on a terminal, log lines elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from optimizer import Progress

LOG_EVERY = 10.0
"""Seconds between log lines of one phase."""
LOG_BETTER_EVERY = 1.0
"""Seconds between log lines when the plan or the bound is better."""


def money(usd: float | None) -> str:
    """USD in millions for a person."""
    return "none yet" if usd is None else f"{usd / 1e6:,.1f} M USD"


def percent(share: float | None) -> str:
    """A gap for a person: two digits that count."""
    if share is None:
        return "open"
    value = 100 * share
    return f"{value:.2f} %" if value >= 0.1 or value == 0 else f"{value:.2g} %"


class ErrorConsole(Console):
    """Console on stderr. When its reader is gone it goes quiet, where rich would end the process."""

    def __init__(self) -> None:
        super().__init__(stderr=True)

    def on_broken_pipe(self) -> None:
        """Write nothing more."""
        self.quiet = True


class Shown:
    """A live view on a terminal, lines elsewhere; told from any thread.

    Args:
        console: where to show it (stderr).
        quiet: show nothing but what is said.
    """

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._console, self._quiet = console, quiet
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._phase = "starting"
        self._spinner = Spinner("dots")
        self._mute = False
        live = console.is_terminal and not quiet
        self._live = Live(console=console, get_renderable=self._view, refresh_per_second=4, transient=True) if live else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def warn(self, message: str) -> None:
        """A warning; not shown when quiet."""
        if not self._quiet:
            self.say(f"warning: {message}")

    def say(self, message: str) -> None:
        """A line that stays; never cut, never coloured. Where nobody can read it any more, the work goes on without."""
        if not self._mute:
            try:
                self._console.print(message, markup=False, highlight=False, soft_wrap=True)
            except OSError:
                self._mute = True

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _entered(self, words: str) -> None:
        """A line for a new phase, where no live view shows it."""
        if self._live is None and not self._quiet:
            self.say(f"{self._seconds():7.1f} s  {words}")

    def _view(self) -> Table:
        """The live view."""
        raise NotImplementedError


class SearchProgress(Shown):
    """Shows what the search is doing; called with each report of the kernel, from any thread.

    Args:
        console: where to show it (stderr).
        gap_asked: the gap at which the search ends.
        quiet: show nothing.
    """

    def __init__(self, console: Console, gap_asked: float, quiet: bool = False) -> None:
        self._gap_asked = gap_asked
        self._last: Progress | None = None
        self._logged: tuple[str, float | None, float | None] = ("", None, None)
        self._logged_at = 0.0
        super().__init__(console, quiet)

    def __call__(self, progress: Progress) -> None:
        """Take a report of the kernel."""
        with self._lock:
            self._phase = progress.phase
            if progress.npv_usd is not None or progress.bound_usd is not None:
                self._last = progress
        if self._live is None:
            self._log(progress)

    def phase(self, words: str) -> None:
        """Say what happens before, between and after searches."""
        with self._lock:
            self._phase = words
        self._entered(words)

    def _log(self, progress: Progress) -> None:
        """A log line when the phase is new, something is better, or long enough nothing was said."""
        if self._quiet:
            return
        state = (progress.phase, progress.npv_usd, progress.bound_usd)
        with self._lock:
            waited = self._seconds() - self._logged_at
            new_phase, better = state[0] != self._logged[0], state[1:] != self._logged[1:]
            if not (new_phase or (better and waited >= LOG_BETTER_EVERY) or waited >= LOG_EVERY):
                return
            self._logged, self._logged_at = state, self._seconds()
        known = ""
        if progress.npv_usd is not None or progress.bound_usd is not None:
            known = f": plan {money(progress.npv_usd)}, bound {money(progress.bound_usd)}, gap {percent(progress.gap)}"
        self.say(f"{self._seconds():7.1f} s  {progress.phase}{known}")

    def _view(self) -> Table:
        """The live view: phase, both bounds, gap and time."""
        with self._lock:
            last, phase = self._last, self._phase
        grid = Table.grid(padding=(0, 2))
        grid.add_row(self._spinner, Text(phase, style="bold"), f"{self._seconds():.0f} s")
        if last is not None:
            grid.add_row("", f"plan {money(last.npv_usd)}", f"bound {money(last.bound_usd)}")
            grid.add_row(
                "", f"gap {percent(last.gap)} of {percent(self._gap_asked)} asked", Text("Ctrl-C keeps the best plan", style="dim")
            )
        return grid

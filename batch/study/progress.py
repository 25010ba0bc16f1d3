"""Progress of a study on stderr: a live line on a terminal, log lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from batch.progress import LOG_EVERY, Shown
from batch.study.results import PLANNED, RunStatus

FAILURES_TOLD = 10
"""Runs without a result that are told one by one."""


class StudyProgress(Shown):
    """Shows runs done, runs per minute and failures; called from any thread.

    Args:
        console: where to show it (stderr).
        quiet: show nothing.
    """

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._counted = time.monotonic()
        self.done = 0
        self._runs = self._before = self._failed = self._unplanned = 0
        self._steps = self._taken = 0
        self._logged = -LOG_EVERY
        super().__init__(console, quiet)

    def phase(self, words: str, steps: int = 0) -> None:
        """Say what happens before, between and after the runs; ``steps`` of it are counted by :meth:`step`."""
        with self._lock:
            self._phase, self._steps, self._taken = words, steps, 0
        self._entered(words)

    def begin(self, runs: int, ended_before: Sequence[str]) -> None:
        """Runs of the study, and the statuses of those that had ended before."""
        with self._lock:
            self._runs, self._before, self.done = runs, len(ended_before), len(ended_before)
            self._unplanned = sum(status not in PLANNED for status in ended_before)
            self._counted = time.monotonic()
        if ended_before and not self._quiet:
            self.say(f"{len(ended_before)} of {runs} runs were done before")

    def ended(self, scenario: str, status: str, detail: str) -> None:
        """A run has ended."""
        with self._lock:
            self.done += 1
            self._phase = "runs"
            failed = status in (RunStatus.FAILED, RunStatus.INVALID)
            self._failed += failed
            self._unplanned += status not in PLANNED
        if failed and self._failed <= FAILURES_TOLD and not self._quiet:
            self.say(f"warning: {scenario}: {status}: {detail}")
        if self._live is None and not self._quiet and (self.done == self._runs or self._seconds() - self._logged >= LOG_EVERY):
            self._logged = self._seconds()
            self.say(f"{self._seconds():7.1f} s  {self._words()}")

    def step(self) -> None:
        """A step of the phase is taken."""
        with self._lock:
            self._taken += 1

    def per_minute(self) -> float:
        """Runs of this call per minute since the first was given out."""
        seconds = time.monotonic() - self._counted
        return 60.0 * (self.done - self._before) / seconds if seconds > 0 else 0.0

    def _words(self) -> str:
        text = f"{self.done} of {self._runs} runs, {self.per_minute():.1f} a minute"
        without = self._unplanned - self._failed
        text += f", {without} without a plan" if without else ""
        return text + (f", {self._failed} failed" if self._failed else "")

    def _view(self) -> Table:
        with self._lock:
            phase, words = self._phase, self._words()
            total, done = (self._steps, self._taken) if self._steps else (self._runs, self.done)
        grid = Table.grid(padding=(0, 2))
        grid.add_row(self._spinner, Text(phase, style="bold"), f"{self._seconds():.0f} s")
        if total:
            grid.add_row("", ProgressBar(total=total, completed=done, width=40), f"{done} of {total}")
            grid.add_row("", words, Text("Ctrl-C keeps what has ended; the same command goes on", style="dim"))
        return grid

"""Progress of a search on a terminal and elsewhere."""

from __future__ import annotations

import errno
import io

import pytest
from rich.console import Console

from batch.progress import LOG_BETTER_EVERY, ErrorConsole, SearchProgress, money, percent
from optimizer import Progress


def test_a_terminal_shows_phase_both_bounds_and_gap() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100, color_system=None)
    with SearchProgress(console, 0.01) as progress:
        progress.phase("reading the dataset")
        progress(Progress(0.1, "relaxation", None, None, None))
        progress(Progress(0.2, "relaxation", 1.9e9, 2.1e9, 0.105))
        progress(Progress(0.3, "sites of [acme]", None, None, None))
    text = file.getvalue()
    for words in (
        "sites of [acme]",
        "plan 1,900.0 M USD",
        "bound 2,100.0 M USD",
        "gap 10.50 % of 1.00 % asked",
        "Ctrl-C",
    ):
        assert words in text, words


def test_log_lines_come_with_each_phase_and_not_with_each_report(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    file = io.StringIO()
    progress = SearchProgress(Console(file=file, width=200), 0.01)
    for seconds, phase, npv in (
        (1, "racks", 1e9),
        (1.1, "racks", 1.1e9),
        (1 + LOG_BETTER_EVERY, "racks", 1.2e9),
        (2.1, "racks", 1.2e9),
        (2.2, "end", 1.2e9),
    ):
        now[0] = 100.0 + seconds
        progress(Progress(seconds, phase, npv, 2e9, 0.5))
    assert [line.split(" s  ")[1].split(",")[0] for line in file.getvalue().splitlines()] == [
        "racks: plan 1",
        "racks: plan 1",
        "end: plan 1",
    ]
    assert "plan 1,200.0 M USD" in file.getvalue().splitlines()[1]


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(errno.ENOSPC, "No space left on device")])
def test_a_stream_that_breaks_does_not_end_the_search(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise error

    monkeypatch.setattr("sys.stderr", Broken())
    with SearchProgress(ErrorConsole(), 0.01) as progress:
        progress.phase("reading")
        progress(Progress(0.1, "relaxation", None, 2e9, None))
        progress.warn("late")


@pytest.mark.parametrize(("usd", "text"), [(None, "none yet"), (1.2345e9, "1,234.5 M USD"), (-2e5, "-0.2 M USD")])
def test_money(usd: float | None, text: str) -> None:
    assert money(usd) == text


@pytest.mark.parametrize(("share", "text"), [(None, "open"), (0.0, "0.00 %"), (0.0123, "1.23 %"), (1e-6, "0.0001 %"), (1.8, "180.00 %")])
def test_percent(share: float | None, text: str) -> None:
    assert percent(share) == text

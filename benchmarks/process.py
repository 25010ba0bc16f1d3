"""A run in a process group of its own: its messages gathered, its memory watched, and an end to it if it hangs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from benchmarks.machine import ROOT, code, machine, versions
from benchmarks.measures import gap_of
from benchmarks.one_run import arguments_of
from benchmarks.runs import Result, Run
from benchmarks.whatif_runs import CHANGES, PLAN_SECONDS

SPARE_SECONDS, SPARE_SHARE = 180.0, 0.5
"""Beyond its budget, what a run may take to make or load its dataset, to end its search and to audit."""
LOOK = 0.25
"""Seconds between two looks at memory."""


def outer_deadline(run: Run) -> float:
    """Seconds after which a run counts as hanging."""
    whatif = run.peer == "whatif"
    search = max(run.budget, PLAN_SECONDS) + 2 * CHANGES * run.budget if whatif else run.budget
    return search * (1 + SPARE_SHARE) + SPARE_SECONDS


def command_of(run: Run) -> list[str]:
    """The command that does a run."""
    return [sys.executable, "-m", "benchmarks.one_run", *arguments_of(run)]


def execute(run: Run, deadline: float | None = None) -> Result:
    """Do a run.

    Args:
        deadline: seconds until it is killed; :func:`outer_deadline` if not given.
    """
    limit = outer_deadline(run) if deadline is None else deadline
    messages: list[dict[str, Any]] = []
    with tempfile.TemporaryFile("w+") as errors:
        began = time.monotonic()
        process = subprocess.Popen(command_of(run), cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True)
        reader = threading.Thread(target=_gather, args=(process.stdout, messages), daemon=True)
        reader.start()
        peak, killed = 0.0, False
        try:
            while process.poll() is None and not killed:
                peak = max(peak, tree_mib(process.pid))
                killed = time.monotonic() - began > limit
                time.sleep(0 if killed else LOOK)
        finally:
            _end(process)
        reader.join(timeout=10)
        if process.stdout is not None and not reader.is_alive():
            process.stdout.close()
        taken = time.monotonic() - began
        errors.seek(0)
        said = errors.read()
    note = f"killed after {limit:.0f} s" if killed else _complaint(said, process.returncode)
    outcome = "killed" if killed else "done" if any("found" in message for message in messages) else "failed"
    return result_of(run, outcome, note, messages, taken, peak)


def _gather(lines: IO[str] | None, messages: list[dict[str, Any]]) -> None:
    for line in lines or ():
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if isinstance(message, dict):
            messages.append(message)


def _end(process: subprocess.Popen[str]) -> None:
    """End whatever is left of the run's processes: its group, and those that it started in groups of their own."""
    started = family(process.pid)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        for other in started[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(other, signal.SIGKILL)
        process.wait()


def _complaint(said: str, status: int) -> str:
    """Why a process ended, without names of folders."""
    if status == 0:
        return ""
    if status < 0:
        return f"ended by signal {signal.Signals(-status).name}"
    lines = [line for line in said.splitlines() if line.strip()]
    return re.sub(r"(/[\w.+-]+)+/", "", lines[-1].strip()) if lines else f"ended with status {status}"


def family(root: int) -> list[int]:
    """A process and all that it started, as far as their parents live; none where there is no /proc."""
    return [process for process, _ in _tree(root)]


def tree_mib(root: int) -> float:
    """Resident memory of a process and all that it started, MiB; 0 where there is no /proc."""
    return sum(pages for _, pages in _tree(root)) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _tree(root: int) -> list[tuple[int, int]]:
    """Processes from a root on, with the pages of memory that each holds."""
    pages, children = dict[int, int](), dict[int, list[int]]()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue  # it ended meanwhile
        pages[int(stat.parent.name)] = int(fields[21])
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, todo = [], [root]
    while todo:
        process = todo.pop()
        if process in pages:
            found.append((process, pages[process]))
        todo += children.get(process, [])
    return found


def result_of(run: Run, outcome: str, note: str, messages: list[dict[str, Any]], taken: float, peak: float) -> Result:
    """The result in the messages of a run.

    Args:
        taken: wall-clock seconds of the whole process.
        peak: most memory seen, MiB.
    """
    sizes: dict[str, int] = {}
    for message in messages:
        sizes |= message.get("sizes", {})
    trajectory = [(float(s), npv, bound) for s, npv, bound in (message["at"] for message in messages if "at" in message)]
    found: dict[str, Any] = next((message["found"] for message in messages if "found" in message), {})
    changes = [message["change"] for message in messages if "change" in message]
    _, npv, bound = trajectory[-1] if trajectory else (0.0, None, None)
    return Result(
        run=run,
        outcome=outcome,
        note=found.get("note", note),
        sizes=sizes,
        trajectory=trajectory,
        npv=npv,
        bound=bound,
        gap=None if npv is None or bound is None else gap_of(npv, bound),
        seconds=found.get("seconds", taken),
        peak_mib=max(peak, found.get("peak_mib", 0.0)),
        phases=found.get("phases", {}) | ({"changes": changes} if changes else {}),
        solution=found.get("solution", {}),
        versions=versions(),
        machine=machine(),
        code=code(),
        when=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    )

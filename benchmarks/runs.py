"""Runs of the benchmark and their results: one JSON object a line, only ever appended to."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measures import Point

REFERENCE = "reference"
PEERS = ("wattplan", "highs", "highs_start", "scip", "spreadsheet", "build", "whatif")
Key = tuple[str, str, float, float, int, int, tuple[str, ...]]


@dataclass(frozen=True)
class Run:
    """One search of one instance.

    Attributes:
        instance: ``reference``, ``gen-SITES-SEED`` or ``teaching-NAME``.
        peer: who searches; ``build`` measures building and handing over only, ``whatif`` answers to changes.
        budget: seconds.
        gap: relative gap asked for.
        seed: of the solver.
        threads: of the solver.
        without: ingredients of the search left out.
    """

    instance: str
    peer: str
    budget: float
    gap: float
    seed: int
    threads: int
    without: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """What makes two runs the same run."""
        return self.instance, self.peer, self.budget, self.gap, self.seed, self.threads, self.without

    @property
    def label(self) -> str:
        """The run in words."""
        left = f" without {', '.join(self.without)}" if self.without else ""
        return f"{self.instance} {self.peer}{left} seed {self.seed}, {self.budget:g} s"


@dataclass(frozen=True)
class Result:
    """What a run found.

    Attributes:
        run: which.
        outcome: ``done``, ``killed`` at the outer deadline, or ``failed``.
        note: how it ended, in words.
        sizes: sites, rows, columns, integers, nonzeros, as far as known.
        trajectory: seconds, NPV and bound, USD, from the dataset in memory on, the build of the model included.
        npv, bound: at the end, USD.
        seconds: wall-clock time in all.
        peak_mib: most memory of all processes of the run together.
        phases: wall-clock seconds by phase, or, of ``build``, CPU seconds by way and step; ``changes`` of ``whatif`` are what was told of each.
        solution: what was checked of the last solution.
        versions, machine, code: see :mod:`benchmarks.machine`.
        when: UTC date and time of the end.
    """

    run: Run
    outcome: str
    note: str = ""
    sizes: dict[str, int] = field(default_factory=dict)
    trajectory: list[Point] = field(default_factory=list)
    npv: float | None = None
    bound: float | None = None
    gap: float | None = None
    seconds: float = 0.0
    peak_mib: float = 0.0
    phases: dict[str, Any] = field(default_factory=dict)
    solution: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    code: dict[str, Any] = field(default_factory=dict)
    when: str = ""


def to_line(result: Result) -> str:
    """The result as a line of JSON; infinities become null."""
    return json.dumps(_finite(asdict(result)), allow_nan=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_line(line: str) -> Result:
    """The result in a line of JSON.

    Raises:
        ValueError: it is none.
    """
    try:
        plain = json.loads(line)
        run = plain.pop("run")
        run["without"] = tuple(run["without"])
        trajectory = [(float(seconds), npv, bound) for seconds, npv, bound in plain.pop("trajectory")]
        return Result(Run(**run), trajectory=trajectory, **plain)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a result: {error}") from None


def read(path: Path) -> list[Result]:
    """The last result of each run; a last line cut short by a crash is left out.

    Raises:
        ValueError: another line is no result; it is named.
    """
    if not path.exists():
        return []
    lines = path.read_text().split("\n")
    found: dict[Key, Result] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            result = from_line(line)
        except ValueError as error:
            if number == len(lines):  # no newline at its end: it was never written whole
                continue
            raise ValueError(f"{path.name}, line {number}: {error}") from None
        found[result.run.key] = result
    return list(found.values())


def append(path: Path, result: Result) -> None:
    """Add a result, on disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cut = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    if cut:
        whole = path.read_bytes()
        with path.open("r+b") as file:
            file.truncate(whole.rfind(b"\n") + 1)
    with path.open("a") as file:
        file.write(to_line(result) + "\n")
        file.flush()
        os.fsync(file.fileno())


def left(runs: Iterable[Run], results: Iterable[Result]) -> list[Run]:
    """Runs without a result, each once; those that failed count as without."""
    there = {result.run.key for result in results if result.outcome != "failed"}
    return [run for run in dict.fromkeys(runs) if run.key not in there]

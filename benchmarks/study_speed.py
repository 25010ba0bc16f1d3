"""Runs per minute of a study: warm against cold, two workers against one, and what a kill in the middle costs.

    python -m benchmarks.study_speed --plan PLAN [--runs 40] [--cold 6] [--time-limit 60]

Scenarios are drawn from the plan's own dataset: mild random changes (``models.changes.draw``), one each. One solver thread in every
worker. Cold is what ``wattplan whatif`` does for one question: read, build the model, warm up, repair, in a process of its own. The kill
is a SIGKILL of the command when half of its runs have ended; then the same command goes on. Writes STUDY.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from benchmarks.machine import machine, versions
from benchmarks.words import number, table
from models.changes import draw
from models.dataset import Dataset
from models.files import read_dataset
from models.files.atomic import write_bytes

HERE = Path(__file__).parent
LOOK = 0.05
"""Seconds between two looks at the file of finished runs."""


@dataclass(frozen=True)
class Timed:
    """A study by the command.

    Attributes:
        seconds: wall-clock, from start to end of the command, its start and its report included.
        steady: runs per minute between the first run's end and the last one's, so without start, model and warming up.
        statuses: runs by status.
        median: seconds of an answer, those of a worker's first run left out.
        first: seconds from the start of the command to the end of its first run.
    """

    seconds: float
    steady: float
    statuses: dict[str, int]
    median: float
    first: float


def study_file(folder: Path, plan: Path, dataset: Dataset, runs: int, time_limit: float, gap: float, seed: int) -> Path:
    """A study of random mild changes."""
    rng = random.Random(seed)
    listed = [{"name": f"draw {n}", "changes": [draw(dataset, rng).model_dump(mode="json", exclude_none=True)]} for n in range(runs)]
    document = {
        "name": "speed", "base": str(plan.resolve()), "gap": gap, "time_limit": time_limit, "baseline": False,
        "scenarios": {"list": listed}, "regret": {"plans": 0},
    }  # fmt: skip
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def command(*arguments: object) -> list[str]:
    """The command as a process."""
    return [sys.executable, "-m", "batch.cli", *(str(a) for a in arguments)]


def started(path: Path, output: Path, workers: int) -> subprocess.Popen[bytes]:
    """A study, started."""
    arguments = ("study", path, "-o", output, "--workers", workers, "--threads", 1, "-q")
    return subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL)


def finished(output: Path) -> int:
    """Runs that are on the disk."""
    journal = output / "runs.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def timed(path: Path, output: Path, workers: int, runs: int) -> Timed:
    """Carry a study out and time it.

    Raises:
        RuntimeError: the command failed.
    """
    began = time.monotonic()
    process = started(path, output, workers)
    ends: list[float] = []
    while process.poll() is None:
        ends += [time.monotonic() - began] * (finished(output) - len(ends))
        time.sleep(LOOK)
    seconds = time.monotonic() - began
    if process.returncode > 1 or finished(output) != runs:
        raise RuntimeError(f"the study ended with {process.returncode} and {finished(output)} of {runs} runs")
    ends += [seconds] * (runs - len(ends))
    frame = pd.read_parquet(output / "study.parquet")
    warm = frame.loc[frame["warm"].fillna(False) & frame["seconds"].notna(), "seconds"]
    steady = 60.0 * (len(ends) - workers) / max(ends[-1] - ends[workers - 1], LOOK)
    return Timed(seconds, steady, dict(Counter(frame["status"])), statistics.median(warm) if len(warm) else float("nan"), ends[0])


def cold(path: Path, folder: Path, runs: int, time_limit: float, gap: float) -> list[float]:
    """Seconds of single what-ifs, each in a process of its own; those of the study's first scenarios.

    Raises:
        RuntimeError: a what-if failed for another reason than an infeasible change or too little time.
    """
    document = yaml.safe_load(path.read_text())
    found = []
    for n, scenario in enumerate(document["scenarios"]["list"][:runs]):
        changes = folder / f"changes-{n}.json"
        changes.write_text(json.dumps(scenario["changes"]))
        began = time.monotonic()
        arguments = ("whatif", document["base"], "-c", changes, "--gap", gap, "--time-limit", time_limit, "--threads", 1, "-q")
        code = subprocess.run(command(*arguments), check=False, capture_output=True).returncode
        if code not in (0, 1, 3, 4):
            raise RuntimeError(f"what-if {n} ended with {code}")
        found.append(time.monotonic() - began)
    return found


def killed(path: Path, output: Path, workers: int, runs: int) -> dict[str, Any]:
    """Kill a study in the middle, go on, and see that nothing is lost or done twice.

    Raises:
        RuntimeError: the command ended before it was killed, or did not go on.
    """
    began = time.monotonic()
    process = started(path, output, workers)
    while finished(output) < runs // 2:
        if process.poll() is not None:
            raise RuntimeError("the study ended before it was killed")
        time.sleep(LOOK)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    first = time.monotonic() - began
    data = (output / "runs.jsonl").read_bytes()
    before = data[: data.rfind(b"\n") + 1]
    began = time.monotonic()
    process = started(path, output, workers)
    process.wait()
    second = time.monotonic() - began
    after = (output / "runs.jsonl").read_bytes()
    numbers = Counter(json.loads(line)["run"] for line in after.splitlines())
    return {
        "code": process.returncode, "kept": before.count(b"\n"), "unchanged": after.startswith(before),
        "repeated": sum(times - 1 for times in numbers.values()), "lost": runs - len(numbers), "seconds": first + second,
    }  # fmt: skip


def report(plan: Path, dataset: Dataset, runs: int, by_workers: dict[int, Timed], single: Sequence[float], kill: dict[str, Any]) -> str:
    """STUDY.md."""
    one, two = by_workers[1], by_workers[2]
    about = machine()
    used = versions(("distributed",))
    warm_rate, cold_rate = one.steady, 60.0 / statistics.mean(single)
    rows = [
        ("cold: one `wattplan whatif` after the other", len(single), 60.0 / statistics.mean(single), 1.0, statistics.median(single), ""),
        *(
            (f"study, {n} worker{'s' if n > 1 else ''}", runs, timed.steady, timed.steady / cold_rate, timed.median, _statuses(timed))
            for n, timed in by_workers.items()
        ),
    ]
    heads = ("way", "runs", "runs a minute", "against cold", "median s", "how they ended")
    text = [(name, str(n), number(rate), f"{number(times)} x", number(median), ends) for name, n, rate, times, median, ends in rows]
    lines = [
        "# Speed of studies",
        "",
        (
            f"`python -m benchmarks.study_speed --plan {plan.name} --runs {runs} --cold {len(single)}`: {runs} random mild changes of "
            f"{dataset.name} ({len(dataset.table_rows('sites'))} sites, {dataset.settings.periods} periods), one solver thread in each worker."
        ),
        f"{about['cpu']}, {about['cores']} cores, {about['memory_gib']} GiB; " + ", ".join(f"{name} {v}" for name, v in used.items()) + ".",
        "",
        table(heads, text),
        "",
        (
            f"Runs a minute of a study are those between the end of each worker's first run and the last run, so without its start, its models and "
            f"warming up; with them and the report, {runs} runs took {number(one.seconds)} s with one worker and {number(two.seconds)} s with two "
            f"(first result after {number(one.first)} and {number(two.first)} s)."
        ),
        "",
        f"- Warm against cold: {number(warm_rate / cold_rate)} times as many runs a minute.",
        f"- Two workers against one: {number(two.steady / one.steady)} times as many runs a minute ({number(one.seconds / two.seconds)} times with start and report).",
        (
            f"- Killed (SIGKILL) after {kill['kept']} of {runs} runs, then the same command: {kill['lost']} runs lost, {kill['repeated']} done twice, "
            f"finished ones {'unchanged' if kill['unchanged'] else 'CHANGED'}; both together {number(kill['seconds'])} s, "
            f"{number(kill['seconds'] - two.seconds)} s more than in one go."
        ),
        "",
    ]
    return "\n".join(lines)


def _statuses(timed: Timed) -> str:
    return ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in sorted(timed.statuses.items(), key=lambda item: -item[1]))


def main(arguments: Sequence[str]) -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", type=Path, default=Path("plan"), help="plan folder with its dataset.json (default: plan)")
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--cold", type=int, default=6, help="single what-ifs to time")
    parser.add_argument("--time-limit", type=float, default=60.0)
    parser.add_argument("--gap", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=HERE / "STUDY.md")
    asked = parser.parse_args(arguments)
    dataset = read_dataset(asked.plan / "dataset.json")
    with tempfile.TemporaryDirectory(prefix="study-speed-") as name:
        folder = Path(name)
        path = study_file(folder, asked.plan, dataset, asked.runs, asked.time_limit, asked.gap, asked.seed)
        single = cold(path, folder, asked.cold, asked.time_limit, asked.gap)
        by_workers = {workers: timed(path, folder / f"out-{workers}", workers, asked.runs) for workers in (1, 2)}
        kill = killed(path, folder / "killed", 2, asked.runs)
    write_bytes(asked.output, report(asked.plan, dataset, asked.runs, by_workers, single, kill).encode())
    return 0 if kill["lost"] == kill["repeated"] == 0 and kill["unchanged"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The output folder of a study.

study.json                    which study it is; another one is refused
runs.jsonl, regrets.jsonl     finished work, a line each (see journal.py)
.plans/                       plans that the table of regrets may need, as zip files
plans/                        a plan folder for each run, if they are kept
study.parquet, decisions.parquet, regrets.parquet, summary.json, study.html   results, written at the end
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from batch.study.asked import Asked
from batch.study.journal import Entry, Journal
from models.changes import apply, read_changes
from models.faults import Fault, InputError
from models.files import write_dataset
from models.files.atomic import storage, write_bytes
from models.plan import Plan
from models.plan_files import write_plan

STUDY, RUNS, REGRETS, PLANS, SPARE, LOCK = "study.json", "runs.jsonl", "regrets.jsonl", "plans", ".plans", ".lock"
RESULTS = ("study.parquet", "decisions.parquet", "robust.parquet", "regrets.parquet", "summary.json", "study.html")
WORDS = {
    "dataset": "the base dataset", "plan": "the base plan", "mode": "mode", "gap": "gap", "time_limit": "time_limit", "seed": "seed",
    "runs": "the number of runs", "scenarios": "the scenarios",
}  # fmt: skip
"""Parts of a fingerprint as a person knows them."""


class Folder:
    """The folder of a study whose lock this process holds; made by :meth:`claimed`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runs = Journal(path / RUNS)
        for entry in self.runs.entries:  # the same few names in every run, kept once
            entry["decisions"] = [[*map(sys.intern, decision[:3]), decision[3]] for decision in entry.get("decisions", [])]
        self.regrets = Journal(path / REGRETS)

    @classmethod
    @contextmanager
    def claimed(cls, path: Path, asked: Asked) -> Iterator[Folder]:
        """Take the folder for a study, new or to go on with.

        Raises:
            InputError: it holds another study or other things, or another process is at work in it.
            StorageError: it can't be written to.
        """
        _check_place(path)
        with storage(path, "write"):
            path.mkdir(parents=True, exist_ok=True)
            lock = os.open(path / LOCK, os.O_CREAT | os.O_RDWR)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                problem, allowed = "another process is at work on this study", "to wait for its end, or another folder"
                raise InputError([Fault(str(path), problem, code="in_use", allowed=allowed)]) from None
            _check_study(path, asked)
            yield cls(path)
        finally:
            os.close(lock)

    def finished(self) -> dict[int, Entry]:
        """The last entry of each run that has ended, by its number."""
        return {int(entry["run"]): entry for entry in self.runs.entries}

    def keep_plan(self, run: int, plan: bytes) -> None:
        """Keep a plan for the table of regrets."""
        write_bytes(self.path / SPARE / f"{run:06d}.zip", plan)

    def kept_plans(self) -> dict[int, Path]:
        """Plans that were kept, by run."""
        found = (self.path / SPARE).glob("*.zip") if (self.path / SPARE).is_dir() else ()
        return {int(path.stem): path for path in sorted(found) if path.stem.isdigit()}

    def drop_plans(self, needed: set[int]) -> None:
        """Delete kept plans but those of these runs."""
        for run, path in self.kept_plans().items():
            if run not in needed:
                with storage(path, "delete"):
                    path.unlink(missing_ok=True)

    def write_run_plan(self, asked: Asked, run: int, plan: Plan) -> None:
        """Write a run's plan as a folder that other commands read, with its dataset."""
        scenario = asked.scenarios[run]
        slug = re.sub(r"[^a-z0-9]+", "-", scenario.name.lower()).strip("-")[:60]
        target = self.path / PLANS / f"{run:0{len(str(len(asked.scenarios)))}d}-{slug}"
        write_plan(plan, target, format="parquet")
        write_dataset(apply(asked.dataset, read_changes(list(scenario.changes)), asked.plan).dataset, target / "dataset.json")


def _check_place(path: Path) -> None:
    """The place is free, empty, or a study's folder."""
    if path.is_dir():
        names = sorted(os.listdir(path))
        known = {STUDY, RUNS, REGRETS, PLANS, *RESULTS}
        others = [name for name in names if not (name in known or name.startswith(".") or name.lower().endswith((".md", ".png")))]
        if STUDY not in names:
            others = [name for name in names if not (name.startswith(".") or name.lower().endswith(".md"))]
        if others:
            problem = "holds other things than a study: " + ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
            raise InputError([Fault(str(path), problem, code="bad_output", allowed="a new folder, or that of the same study")])
    elif os.path.lexists(path):
        raise InputError([Fault(str(path), "is a file", code="bad_output", allowed="a folder for the study")])


def known_study(path: Path, asked: Asked) -> bool:
    """Whether the folder is that of just this study."""
    before = _read(path / STUDY)
    return before is not None and all(before.get(key) == value for key, value in asked.fingerprint().items())


def _read(place: Path) -> dict[str, Any] | None:
    """What a folder says of its study; None where it can't be read."""
    try:
        found = json.loads(place.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _check_study(path: Path, asked: Asked) -> None:
    """The folder is this study's from now on.

    Raises:
        InputError: it is another one's.
    """
    now, place = asked.fingerprint(), path / STUDY
    if not place.exists():
        write_bytes(place, (json.dumps({"schema_version": 1, "name": asked.name, **now}, indent=2) + "\n").encode())
        return
    before = _read(place)
    if before is None:
        raise InputError([Fault(str(place), "can't be read", code="bad_json", allowed="another folder")])
    differs = [_difference(key, before.get(key), value) for key, value in now.items() if before.get(key) != value]
    if differs:
        problem = "holds the runs of another study: " + "; ".join(differs)
        raise InputError([Fault(str(path), problem, code="other_study", allowed="the same study, or another folder for this one")])


def _difference(key: str, before: object, now: object) -> str:
    return (
        f"{WORDS[key]} {'differ' if key == 'scenarios' else 'differs'}"
        if isinstance(now, str) and len(now) == 64
        else f"{WORDS[key]} was {before}, is {now}"
    )

"""One run of the benchmark, in a process of its own; it writes what it knows as it goes on, so that nothing is lost if it is killed.

    python -m benchmarks.one_run --instance reference --peer highs --budget 60

Lines on standard output, each a JSON object: ``{"sizes": ...}``, ``{"at": [seconds, npv, bound]}``,
``{"change": ...}`` for an answer to a change, ``{"found": ...}``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, TextIO

from benchmarks.machine import ROOT
from benchmarks.runs import PEERS, REFERENCE, Run
from models.dataset import Dataset
from models.files import read_dataset

SAME = 1e-5
"""Relative progress of a bound too small for a point of its own."""


def dataset_of(name: str) -> Dataset:
    """The dataset of an instance.

    Raises:
        ValueError: no instance has this name.
        DatasetError: its files have faults.
    """
    generated = re.fullmatch(r"gen-(\d+)-(\d+)", name)
    if generated:
        from benchmarks.instances import instance  # only these need the generator

        return instance(int(generated[1]), int(generated[2]))
    folder = ROOT / "data" / ("reference-2025q4" if name == REFERENCE else f"teaching/{name.removeprefix('teaching-')}")
    if name != REFERENCE and not (name.startswith("teaching-") and folder.is_dir()):
        raise ValueError(f"instance must be {REFERENCE}, gen-SITES-SEED or teaching-NAME; found {name!r}")
    return read_dataset(folder)


@dataclass
class Recorder:
    """Trajectory of a search, told as it grows.

    Args:
        tell: takes each message.

    Attributes:
        npv, bound: last values reported, USD.
    """

    tell: Callable[[dict[str, Any]], None]
    began: float = field(default_factory=time.monotonic)
    skipped: float = 0.0
    npv: float | None = None
    bound: float | None = None

    @property
    def seconds(self) -> float:
        """Since the start, without what does not count."""
        return time.monotonic() - self.began - self.skipped

    def skip(self, seconds: float) -> None:
        """Leave time out that is not the search's."""
        self.skipped += seconds

    def sizes(self, sizes: dict[str, int]) -> None:
        """Tell the size of instance and model."""
        self.tell({"sizes": sizes})

    def at(self, npv: float | None, bound: float | None, *, seconds: float | None = None, last: bool = False) -> None:
        """Take NPV and bound, USD; told if either moved, a bound by more than ``SAME``, or if it is the last point."""
        moved = self.bound is None or bound is None or abs(bound - self.bound) > SAME * abs(self.bound)
        if last or npv != self.npv or (moved and bound != self.bound):
            self.npv, self.bound = npv, bound
            self.tell({"at": [self.seconds if seconds is None else seconds, npv, bound]})


@dataclass(frozen=True)
class Found:
    """What a peer says at its end; fields as in :class:`benchmarks.runs.Result`."""

    note: str
    phases: dict[str, Any] = field(default_factory=dict)
    solution: dict[str, Any] = field(default_factory=dict)


def peak_mib() -> float:
    """Most memory of this process, or of the largest of its children if that is more, MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / unit


def run_from(arguments: list[str] | None = None) -> Run:
    """The run of a command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.one_run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--instance", required=True, help=f"{REFERENCE}, gen-SITES-SEED or teaching-NAME")
    parser.add_argument("--peer", required=True, choices=PEERS)
    parser.add_argument("--budget", type=float, required=True, help="seconds")
    parser.add_argument("--gap", type=float, default=1e-3, help="relative gap at which a search ends")
    parser.add_argument("--seed", type=int, default=0, help="of the solver")
    parser.add_argument("--threads", type=int, default=1, help="of the solver")
    parser.add_argument("--without", nargs="*", default=[], help="ingredients of the search left out")
    given = parser.parse_args(arguments)
    return Run(given.instance, given.peer, given.budget, given.gap, given.seed, given.threads, tuple(sorted(given.without)))


def arguments_of(run: Run) -> list[str]:
    """The command line of a run."""
    plain = asdict(run)
    without = plain.pop("without")
    named = [part for name, value in plain.items() for part in (f"--{name}", str(value))]
    return [*named, "--without", *without]


def main() -> None:
    """Command line."""
    run = run_from()
    # A solver's own output must not mix with the messages.
    out: TextIO = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def tell(message: dict[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    from benchmarks.peers import search  # heavy imports, after standard output is safe

    try:
        dataset = dataset_of(run.instance)
    except ValueError as error:
        sys.exit(str(error))
    recorder = Recorder(tell)
    recorder.sizes({"sites": len(dataset.table_rows("sites"))})
    found = search(run, dataset, recorder)
    tell({"found": asdict(found) | {"seconds": recorder.seconds, "peak_mib": peak_mib()}})


if __name__ == "__main__":
    main()

"""One plan for many futures, measured: time, gap and memory on the reference dataset, and its first stage in fresh draws.

    python -m benchmarks.futures_runs --scenarios 20 100 --seconds 1200 --fresh 200 --fresh-seconds 1800

Each part is added to ``futures.json`` as soon as it is measured, and ``FUTURES.md`` is written from it; ``--report-only`` writes it alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optimizer
from benchmarks.machine import ROOT, code, machine, versions
from benchmarks.process import tree_mib
from benchmarks.words import NONE, percent, table
from models.dataset import Dataset
from models.files import read_dataset
from models.files.atomic import write_bytes
from models.plan import Plan
from models.plan_files import read_plan
from models.uncertainty import Uncertainty, draw, read_uncertainty
from optimizer.futures import FuturesPlan, NoFuturesPlanError, compared, out_of_sample, plan_futures
from optimizer.futures.check import decided
from optimizer.futures.first_stage import FirstStage
from optimizer.instance import Instance

FOLDER = ROOT / "benchmarks"
RESULTS, REPORT = FOLDER / "futures.json", FOLDER / "FUTURES.md"
DETERMINISTIC, STOCHASTIC = "deterministic", "stochastic"
LOOK = 0.5
"""Seconds between two looks at memory."""


class Memory:
    """Watches the resident memory of this process and all that it starts."""

    def __enter__(self) -> Memory:
        self.peak_mib, self._done = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(LOOK):
            self.peak_mib = max(self.peak_mib, tree_mib(os.getpid()))


def measured(
    options: argparse.Namespace, dataset: Dataset, uncertainty: Uncertainty, base: Plan, count: int
) -> tuple[dict[str, Any], FuturesPlan | None]:  # fmt: skip
    """Plan for so many futures.

    Returns:
        The figures, and the plan; None where none was found in time.
    """
    scenarios = draw(uncertainty, dataset, count, options.seed)
    with Memory() as memory:
        began = time.monotonic()
        found, bound = None, None
        try:
            found = plan_futures(
                dataset, scenarios, decide_before=options.decide_before, weight=options.weight, alpha=options.cvar, gap=options.gap,
                time_limit=options.seconds, workers=options.workers, seed=options.seed, start=base, progress=_tell,
            )  # fmt: skip
        except NoFuturesPlanError as error:
            bound = error.bound_usd
        seconds = time.monotonic() - began
    figures: dict[str, Any] = {"scenarios": count, "seconds": seconds, "peak_mib": memory.peak_mib, "bound_usd": bound}
    if found is not None:
        figures |= {"summary": found.summary.model_dump(mode="json"), "first_stage": found.first_stage.to_dict("records")}
        figures["events"] = found.events.dropna(subset=["bound_usd"]).drop_duplicates(["npv_usd", "bound_usd"]).to_dict("records")
    return figures, found


def tested(
    options: argparse.Namespace, dataset: Dataset, uncertainty: Uncertainty, base: Plan, found: FuturesPlan
) -> dict[str, Any]:  # fmt: skip
    """The plan's first stage against that of the plan for the dataset as it is, in draws that neither was made for."""
    fresh = draw(uncertainty, dataset, options.fresh, options.seed + 1)
    first = FirstStage.of(Instance(dataset), dataset.calendar.index(options.decide_before))
    own = decided(dataset, base, dataset, first.before, False)
    plans = {DETERMINISTIC: dict(zip(first.keys, first.values_of(own), strict=True)), STOCHASTIC: found.first}
    began = time.monotonic()
    rows = out_of_sample(
        dataset, plans, fresh, decide_before=options.decide_before, gap=options.gap, time_limit=options.fresh_seconds,
        workers=options.workers, seed=options.seed, relaxed=options.relaxed, base=base, progress=lambda done: _say(f"tested {done}"),
    )  # fmt: skip
    npv = rows.pivot(index="scenario", columns="plan", values="npv_usd").dropna()
    gain = npv[STOCHASTIC] - npv[DETERMINISTIC]
    return {
        "asked": options.fresh, "relaxed": options.relaxed, "seconds": time.monotonic() - began,
        "same": plans[DETERMINISTIC] == plans[STOCHASTIC], "plans": compared(rows, options.cvar).to_dict("records"),
        "better": int((gain > 0).sum()), "worse": int((gain < 0).sum()), "mean_gain_usd": float(gain.mean()),
        "error_usd": float(gain.std(ddof=1) / len(gain) ** 0.5) if len(gain) > 1 else None,
    }  # fmt: skip


def _tell(progress: optimizer.Progress) -> None:
    value, bound = ("none" if usd is None else f"{usd / 1e6:,.1f}" for usd in (progress.npv_usd, progress.bound_usd))
    _say(f"{progress.seconds:8.1f} s  {progress.phase}: value {value}, bound {bound}")


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked, and write the report."""
    options = _options(arguments)
    if not options.report_only:
        _measure(options)
    write_bytes(options.report, (report(json.loads(options.results.read_text())) + "\n").encode())


def _measure(options: argparse.Namespace) -> None:
    dataset = read_dataset(options.dataset)
    uncertainty = read_uncertainty(options.uncertainty, dataset)
    base = (
        read_plan(options.plan)
        if options.plan
        else optimizer.plan(
            dataset, gap=options.gap, time_limit=options.plan_seconds, threads=options.workers, seed=options.seed, progress=_tell
        )
    )
    results: dict[str, Any] = {
        "when": datetime.now(UTC).date().isoformat(), "machine": machine(), "versions": versions(), "code": code(),
        "options": {name: value for name, value in vars(options).items() if not isinstance(value, Path)},
        "dataset": dataset.name, "base": {"npv_usd": base.summary.npv_usd, "gap": base.summary.gap}, "runs": [], "test": None,
    }  # fmt: skip
    for place, count in enumerate(options.scenarios):
        figures, found = measured(options, dataset, uncertainty, base, count)
        results["runs"].append(figures)
        _keep(options, results)
        if place == 0 and found is not None and options.fresh:
            results["test"] = tested(options, dataset, uncertainty, base, found)
            _keep(options, results)


def _keep(options: argparse.Namespace, results: dict[str, Any]) -> None:
    write_bytes(options.results, (json.dumps(results, indent=1) + "\n").encode())


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=ROOT / "data" / "reference-2025q4")
    parser.add_argument("--uncertainty", type=Path, default=ROOT / "data" / "uncertainty" / "reference-2025q4.toml")
    parser.add_argument("--plan", type=Path, help="plan of the dataset as it is; made if not given")
    parser.add_argument("--plan-seconds", type=float, default=180.0)
    parser.add_argument("--scenarios", type=int, nargs="+", default=[20, 100], help="futures of each run; the first is put to the test")
    parser.add_argument("--seconds", type=float, default=1200.0, help="of each run")
    parser.add_argument("--fresh", type=int, default=200, help="draws of the test")
    parser.add_argument("--fresh-seconds", type=float, default=1800.0, help="after which no other draw is begun")
    parser.add_argument("--whole", dest="relaxed", action="store_false", help="test with audited plans in place of relaxations")
    parser.add_argument("--decide-before", default="2026-Q3")
    parser.add_argument("--weight", type=float, default=0.3)
    parser.add_argument("--cvar", type=float, default=0.95)
    parser.add_argument("--gap", type=float, default=0.02)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--report", type=Path, default=REPORT)
    parser.add_argument("--report-only", action="store_true")
    return parser.parse_args(arguments)


def report(results: dict[str, Any]) -> str:
    """The report, in Markdown."""
    options, base, weight = results["options"], results["base"], results["options"]["weight"]
    worst = percent(1 - options["cvar"])
    said = (
        f"Measured by `python -m benchmarks.futures_runs` on {results['when']}, {results['machine']['cores']} cores "
        f"({results['machine']['cpu']}), HiGHS {results['versions'].get('highspy', NONE)}. Dataset {results['dataset']}; what comes before "
        f"{options['decide_before']} is decided in common; value = {1 - weight:g} of the expected NPV + {weight:g} of the mean of the "
        f"worst {worst}. The plan for the dataset as it is, from which it starts (NPV {_millions(base['npv_usd'])} million USD, gap "
        f"{percent(base['gap'])}), is not counted. Money in million USD."
    )
    head = (
        "scenarios", "seconds", "value", "bound", "gap", "expected NPV", f"mean of the worst {worst}", "VSS", "EVPI", "late GPU-quarters",
        "peak memory, MiB",
    )  # fmt: skip
    legend = (
        "VSS: planning for all scenarios instead of the dataset as it is; EVPI: knowing beforehand which comes. Both are ranges that plans "
        "and bounds leave open. The bound is that of relaxations, each certified by its dual values; a single plan of this dataset is "
        "itself proven only to the gap above."
    )
    parts = ["# One plan for many futures", said, table(head, [_run(run) for run in results["runs"]]), legend]
    if results["test"] is not None:
        parts += _test(results["test"])
    return "\n\n".join(parts)


def _run(run: dict[str, Any]) -> tuple[str, ...]:
    """A row of the table of runs."""
    summary = run.get("summary")
    seconds, memory = f"{run['seconds']:,.0f}", f"{run['peak_mib']:,.0f}"
    if summary is None:
        return (str(run["scenarios"]), seconds, "none in time", _millions(run["bound_usd"]), *[NONE] * 6, memory)
    return (
        str(run["scenarios"]), seconds, _millions(summary["value_usd"]), _millions(summary["bound_usd"]), percent(summary["gap"]),
        _millions(summary["expected_npv_usd"]), _millions(summary["cvar_npv_usd"]), _range(summary["value_of_stochastic_solution_usd"]),
        _range(summary["value_of_perfect_information_usd"]), f"{summary['late_gpu_periods']:,.0f}", memory,
    )  # fmt: skip


def _test(test: dict[str, Any]) -> list[str]:
    """What the test in fresh draws says."""
    tested = test["plans"][0]["scenarios"]
    how = (
        "the second stage of each relaxed, so NPVs are upper limits" if test["relaxed"] else "the second stage of each planned and audited"
    )
    said = (
        f"The first stage of the first run and that of the plan for the dataset as it is, held in {tested} of the {test['asked']} fresh "
        f"draws asked for ({test['seconds']:,.0f} s; {how})."
    )
    if test["same"]:
        said += " Both first stages are the same: the search found none better."
    rows = [
        (
            row["plan"], str(row["scenarios"]), str(row["not_held"]), _millions(row["mean_npv_usd"]), _millions(row["cvar_npv_usd"]),
            f"{row['late_gpu_periods']:,.0f}",
        )
        for row in test["plans"]
    ]  # fmt: skip
    head = ("plan", "draws compared", "not held", "mean NPV", "mean of the worst", "late GPU-quarters")
    error = "" if test["error_usd"] is None else f" ± {_millions(test['error_usd'])} (standard error)"
    gain = (
        f"The stochastic one is better in {test['better']} draws and worse in {test['worse']}, by "
        f"{_millions(test['mean_gain_usd'])}{error} on average."
    )
    return ["## In fresh draws", said, table(head, rows), gain]


def _millions(usd: float | None) -> str:
    return NONE if usd is None else f"{usd / 1e6:,.1f}"


def _range(figure: dict[str, float | None]) -> str:
    return f"{_millions(figure['low'])} to {_millions(figure['high'])}"


if __name__ == "__main__":
    main()

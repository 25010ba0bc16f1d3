"""The benchmark's runs: resumed where they stopped, killed when they hang, all measured by the same gap."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest

from benchmarks import bench, process
from benchmarks.instances import instance
from benchmarks.measures import gap_of
from benchmarks.one_run import arguments_of, run_from
from benchmarks.process import execute, family, outer_deadline
from benchmarks.runs import Result, Run, append, left, read
from benchmarks.whatif_runs import drawn
from models.changes import CHANGES, apply
from models.plan import Summary
from optimizer.planner import plan
from optimizer.search import INGREDIENTS

ROOT = Path(__file__).resolve().parents[2]
SMALL = "teaching-late-megawatt"


def ask(path: Path, *more: str) -> list[str]:
    """A command line of runs of a small instance."""
    return [
        "--part",
        "plan",
        "--instance",
        SMALL,
        "--budget",
        "5",
        "--threads",
        "1",
        "--results",
        str(path),
        "--out",
        str(path.parent),
        *more,
    ]


def done(run: Run) -> Result:
    """A result of a run that was not done."""
    return Result(run, "done", npv=1.0, bound=1.0, gap=0.0, trajectory=[(1.0, 1.0, 1.0)], when="2026-01-02T03:04:05Z")


def test_seeds_can_be_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = [
        "--full",
        "--part",
        "plan",
        "--instance",
        "reference",
        "--peer",
        "wattplan",
        "--results",
        str(tmp_path / "none.jsonl"),
        "--dry",
    ]
    bench.main(chosen)
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == [f"reference wattplan seed {n}" for n in range(3)]
    bench.main([*chosen, "--seed", "2", "0"])
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == [f"reference wattplan seed {n}" for n in (0, 2)]


def test_a_benchmark_that_was_stopped_does_only_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, asked = tmp_path / "results.jsonl", list[Run]()

    def stopped_at_third(run: Run) -> Result:
        asked.append(run)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return done(run)

    monkeypatch.setattr(bench, "execute", stopped_at_third)
    with pytest.raises(SystemExit, match="the same command goes on"):
        bench.main(ask(path))
    assert [result.run for result in read(path)] == asked[:2]
    bench.main(ask(path))
    everything = [asked[0], asked[1], *asked[3:]]
    assert asked[2] == asked[3]  # the one that was stopped comes first
    assert {run.peer for run in everything} == {"wattplan", "highs", "highs_start", "scip", "spreadsheet"}
    assert len(set(everything)) == len(everything) == len(path.read_text().splitlines())
    bench.main(ask(path))
    assert len(asked) == len(everything) + 1  # nothing is left
    assert (tmp_path / "RESULTS.md").exists()


def test_only_results_of_this_code_count_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, asked = tmp_path / "results.jsonl", list[Run]()

    def note(run: Run) -> Result:
        asked.append(run)
        return done(run)

    monkeypatch.setattr(bench, "execute", note)
    only = ("--peer", "spreadsheet")
    bench.main(ask(path, *only))
    bench.main(ask(path, *only, "--fresh"))  # their commit is not known
    assert len(asked) == 2
    assert len(read(path)) == 1


def test_a_run_that_failed_is_done_again_and_one_that_was_killed_is_not() -> None:
    runs = [Run("a", "highs", 1.0, 0.01, seed, 1) for seed in range(3)]
    results = [Result(runs[0], "failed"), Result(runs[1], "killed")]
    assert left([*runs, runs[2]], results) == [runs[0], runs[2]]


def test_a_result_cut_short_is_left_out_and_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    first, second = (Run("a", "highs", 1.0, 0.01, seed, 1) for seed in range(2))
    append(path, done(first))
    with path.open("a") as file:
        file.write('{"run":{"instance":"a"')  # the power went
    assert [result.run for result in read(path)] == [first]
    append(path, done(second))
    assert [result.run for result in read(path)] == [first, second]
    path.write_text("nonsense\n" + path.read_text())
    with pytest.raises(ValueError, match=r"results\.jsonl, line 1: not a result"):
        read(path)


def test_a_benchmark_that_was_killed_loses_no_result(tmp_path: Path) -> None:
    """Killed for good, in processes of its own: what was measured is there, and is not measured again."""
    path = tmp_path / "results.jsonl"
    command = [sys.executable, "-m", "benchmarks.bench", *ask(path, "--peer", "spreadsheet", "highs")]
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not (path.exists() and path.read_text().count("\n")) and time.monotonic() < deadline:
            time.sleep(0.05)
        others = family(running.pid)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
    for other in others[1:]:
        if Path(f"/proc/{other}").exists():
            os.kill(other, signal.SIGKILL)
    before = path.read_text()
    again = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=True)
    after = path.read_text()
    assert after.startswith(before)
    assert 1 <= before.count("\n") < after.count("\n") == 2
    assert {result.run.peer: result.outcome for result in read(path)} == {"spreadsheet": "done", "highs": "done"}
    assert f"1/{2 - before.count(chr(10))} " in again.stderr
    assert "Traceback" not in again.stderr


HANG = """
import json, subprocess, sys, time
print(json.dumps({"sizes": {"sites": 4}}), flush=True)
print(json.dumps({"at": [1.0, 90.0, 100.0]}), flush=True)
child = subprocess.Popen([sys.executable, "-c", "import time; x = b'x' * (50 * 2**20); time.sleep(600)"], start_new_session=True)
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(600)
"""


def test_a_run_that_hangs_is_killed_with_all_it_started_and_what_it_told_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, pid = tmp_path / "hang.py", tmp_path / "pid"
    script.write_text(HANG)
    monkeypatch.setattr(process, "command_of", lambda run: [sys.executable, str(script), str(pid)])
    began = time.monotonic()
    result = execute(Run(SMALL, "highs", 1.0, 0.01, 0, 1), deadline=3.0)
    assert 3.0 <= time.monotonic() - began < 20
    assert (result.outcome, result.note) == ("killed", "killed after 3 s")
    assert (result.npv, result.bound, result.sizes) == (90.0, 100.0, {"sites": 4})
    assert result.gap == pytest.approx(1 / 9)
    assert result.peak_mib > 50  # the child's, in a group of its own, counts
    started = Path(f"/proc/{pid.read_text()}")
    deadline = time.monotonic() + 10
    while started.exists() and "Z" not in started.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not started.exists() or started.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_a_run_that_fails_says_why_in_a_line() -> None:
    result = execute(Run("gen-3-1", "highs", 1.0, 0.01, 0, 1))
    assert result.outcome == "failed"
    assert result.note == "sites must be at least 4 and seed at least 0; found 3 and 1"


def test_the_deadline_leaves_time_for_all_that_a_run_does() -> None:
    one = Run(SMALL, "wattplan", 60.0, 0.01, 0, 1)
    assert outer_deadline(one) == pytest.approx(60 * 1.5 + 180)
    assert outer_deadline(Run(SMALL, "whatif", 60.0, 0.01, 0, 1)) > 17 * 60


@cache
def optimum() -> Summary:
    """Best plan and bound of the instance that all search."""
    return plan(instance(4, 1), gap=1e-6, time_limit=60.0, threads=1).summary


@pytest.mark.parametrize("peer", ["wattplan", "highs", "highs_start", "scip"])
def test_all_searches_stop_at_the_same_gap(peer: str) -> None:
    """Where a search says that it reached the gap asked for, it is reached as this project counts it."""
    asked = 0.05
    result = execute(Run("gen-4-1", peer, 60.0, asked, 0, 1))
    assert result.outcome == "done"
    assert result.note in ("gap_reached", "optimal", "gaplimit")
    assert gap_of(result.npv, result.bound) <= asked
    assert result.gap == gap_of(result.npv, result.bound)
    assert result.trajectory[-1][1:] == (result.npv, result.bound)
    assert result.solution.get("audited") or result.solution["violation"] < 1e-6
    # The optimum is the same for all: no plan is above another's bound.
    best = optimum()
    assert result.npv <= best.bound_usd + 1e-6 * abs(best.bound_usd)
    assert result.bound >= best.npv_usd - 1e-6 * abs(best.npv_usd)


def test_changes_are_the_same_for_the_same_seed_and_can_be_carried_out() -> None:
    dataset, types = instance(8, 1), list(CHANGES)
    first, again, other = (list(drawn(dataset, types, seed, 6)) for seed in (0, 0, 1))
    assert [change.sentence(dataset) for change in first] == [change.sentence(dataset) for change in again]
    assert [change.sentence(dataset) for change in first] != [change.sentence(dataset) for change in other]
    for change in [*first, *other]:
        assert apply(dataset, [change]).dataset.sha256 != dataset.sha256
    assert len({change.type for change in [*first, *other]}) >= 8
    with pytest.raises(ValueError, match="no type of change fits"):
        list(drawn(dataset, ["freeze.before"], 0, 1))


def test_messages_of_changes_are_kept_in_order() -> None:
    messages = [{"change": {"type": "a"}}, {"found": {"phases": {"plan": 1.0}}}, {"change": {"type": "b"}}]
    result = process.result_of(Run(SMALL, "whatif", 1.0, 0.01, 0, 1), "done", "", json.loads(json.dumps(messages)), 1.0, 2.0)
    assert result.phases == {"plan": 1.0, "changes": [{"type": "a"}, {"type": "b"}]}


def test_the_command_line_of_a_run_gives_the_run_again() -> None:
    for run in (Run(SMALL, "wattplan", 60.0, 1e-3, 3, 2, ("branch and bound", "rack dive")), Run("gen-32-1", "whatif", 0.5, 0.01, 0, 1)):
        assert run_from(arguments_of(run)) == run


def test_the_ablation_leaves_out_each_ingredient_that_the_search_names() -> None:
    runs = bench.ablation_runs(False, 2, bench.ingredients_of_search())
    assert {run.without for run in runs} == {(), *((name,) for name in INGREDIENTS)}
    assert len(INGREDIENTS) >= 5

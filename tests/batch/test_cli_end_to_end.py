"""The command as a process of its own: from a template to a report, signals, full disks."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.files import read_dataset, write_dataset
from models.plan import StopReason
from models.plan_files import read_plan
from optimizer.audit import audit
from tests.conftest import Wattplan, command_line, process_environment
from tests.generator import random_dataset


def test_from_template_to_report(wattplan_process: Wattplan, tmp_path: Path) -> None:
    assert wattplan_process("new", "mine").code == 0
    assert wattplan_process("check", "mine").code == 0
    ended = wattplan_process("plan", "mine", "-o", "p", "--baseline", "spreadsheet", "--gap", "0.001", "--write-mps", "m.mps", "--json")
    assert ended.code == 0, ended.err
    summary = ended.document["summary"]
    assert summary["audit"]["passed"]
    assert summary["gap"] <= 0.001
    assert summary["npv_usd"] <= summary["bound_usd"]
    assert ended.document["uplift"]["uplift_usd"] >= -0.001 * abs(summary["npv_usd"])
    assert (tmp_path / "m.mps").read_text().rstrip().endswith("ENDATA")
    assert wattplan_process("audit", "mine", "p").code == 0
    assert wattplan_process("audit", "mine", "p/baseline").code == 0
    assert "NPV" in wattplan_process("show", "p").out
    assert wattplan_process("report", "p", "-o", "p/report.html").code == 0
    assert (tmp_path / "p" / "report.html").stat().st_size > 10_000
    again = wattplan_process("plan", "mine", "-o", "p", "--start", "p", "--gap", "0.001")
    assert again.code == 0, again.err
    assert "NPV" in again.out


def test_an_infeasible_dataset_names_the_conflict(wattplan_process: Wattplan, tmp_path: Path) -> None:
    wattplan_process("new", "mine")
    (tmp_path / "d.csv").write_text("row,rule,decision,site_id,gen_id,from_period,value\nmany,min,in_service,prairie-1,gb300,2026-Q1,21\n")
    ended = wattplan_process("plan", "mine", "-o", "p", "--directives", "d.csv")
    assert ended.code == 3, ended.err
    assert any("many" in line for line in ended.err.splitlines() if line.startswith("  "))
    assert os.listdir(tmp_path / "p") == ["summary.json"]


def test_a_dataset_that_cannot_be_read_gives_no_trace(wattplan_process: Wattplan, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_bytes(b"\xff\xfe{")
    ended = wattplan_process("plan", "bad.json", "-o", "p")
    assert ended.code == 2
    assert len(ended.errors) == 1


@pytest.fixture(scope="module")
def long_search(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset whose last gap takes far longer than a test."""
    path = tmp_path_factory.mktemp("long") / "large.json"
    write_dataset(random_dataset(5, sites=8, periods=12, contracts=8), path)
    return path


class Running:
    """A search in a process group of its own, as a terminal's foreground job is."""

    def __init__(self, *arguments: object, cwd: Path) -> None:
        self.process = subprocess.Popen(
            command_line(*arguments), cwd=cwd, env=process_environment(), start_new_session=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.err = ""

    def until(self, reached: Callable[[str], bool]) -> None:
        """Wait until what stderr holds is enough."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.err += line
            if reached(self.err):
                return
        raise AssertionError(f"ended too early:\n{self.err}")

    def signal_group(self, number: signal.Signals) -> None:
        """What Ctrl-C in a terminal does: every process of the job gets the signal."""
        os.killpg(self.process.pid, number)

    def wait(self, seconds: float) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, self.err + err


def has_plan(err: str) -> bool:
    """Whether the search has told of a plan, or of a few improvements in branch and bound."""
    return re.search(r"plan -?\d", err) is not None or err.count("branch and bound") > 2


@contextlib.contextmanager
def running(*arguments: object, cwd: Path) -> Iterator[Running]:
    """A search that is gone at the end of the block, whatever happens in it."""
    search = Running(*arguments, cwd=cwd)
    watchdog = threading.Timer(200, lambda: os.killpg(search.process.pid, signal.SIGKILL))
    watchdog.start()
    try:
        yield search
    finally:
        watchdog.cancel()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(search.process.pid, signal.SIGKILL)
        search.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_search_and_writes_the_best_plan(long_search: Path, tmp_path: Path, number: signal.Signals) -> None:
    with running("plan", long_search, "-o", "p", "--gap", "0", "--time-limit", "190", cwd=tmp_path) as search:
        search.until(has_plan)
        search.signal_group(number)
        code, out, err = search.wait(60)
    assert "Traceback" not in err
    assert code == 1, err
    assert f"{number.name}: stopping" in err
    assert "NPV" in out
    plan = read_plan(tmp_path / "p")
    assert plan.summary.stop_reason is StopReason.USER_STOP
    assert audit(read_dataset(long_search), plan).passed
    assert os.listdir(tmp_path) == ["p"]


def test_two_signals_abort_and_write_nothing(long_search: Path, tmp_path: Path) -> None:
    with running("plan", long_search, "-o", "p", "--gap", "0", "--time-limit", "190", cwd=tmp_path) as search:
        search.until(lambda err: "bound" in err)
        search.signal_group(signal.SIGINT)
        search.until(lambda err: "stopping" in err)
        search.signal_group(signal.SIGINT)
        code, out, err = search.wait(60)
    assert "Traceback" not in err
    assert code in (1, 5), err  # 1: the plan was complete before the second signal came
    assert os.listdir(tmp_path) == (["p"] if code == 1 else [])
    assert bool(out) == (code == 1)


def test_a_time_limit_too_short_for_any_plan(long_search: Path, wattplan_process: Wattplan, tmp_path: Path) -> None:
    ended = wattplan_process("plan", long_search, "-o", "p", "--gap", "0", "--time-limit", "0.001")
    assert ended.code in (1, 4), ended.err
    assert (tmp_path / "p").exists() == (ended.code == 1)
    assert len(ended.errors) == (ended.code == 4)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(place)], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk needs the right to mount one: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("command", ["plan", "convert", "new"])
def test_a_full_disk(wattplan_process: Wattplan, template_folder: Path, small_disk: Path, command: str) -> None:
    rest = {"plan": [template_folder, "-o", small_disk / "p"], "convert": [template_folder, small_disk / "p"], "new": [small_disk / "p"]}
    ended = wattplan_process(command, *rest[command])
    assert ended.code == 5, ended.err
    [error] = ended.errors
    assert "No space left on device" in error
    assert os.listdir(small_disk) == []


def test_a_plan_that_no_longer_fits_leaves_the_old_one(wattplan_process: Wattplan, template_folder: Path, tmp_path: Path) -> None:
    """Files are limited to 8 KiB, which the stored dataset exceeds."""
    assert wattplan_process("plan", template_folder, "-o", "p", "--gap", "0.5").code == 0
    before = {file.name: file.read_bytes() for file in (tmp_path / "p").iterdir()}

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    ended = wattplan_process("plan", template_folder, "-o", "p", preexec_fn=limit)
    assert ended.code == 5, ended.err
    assert len(ended.errors) == 1
    assert {file.name: file.read_bytes() for file in (tmp_path / "p").iterdir()} == before
    assert os.listdir(tmp_path) == ["p"]


def test_output_that_nobody_reads(template_folder: Path, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command_line("check", template_folder), stdout=writing, stderr=subprocess.PIPE, text=True, env=process_environment(), check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (5, "")


def test_output_to_a_full_device(template_folder: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command_line("check", template_folder), stdout=full, stderr=subprocess.PIPE, text=True, env=process_environment(), check=False
        )
    assert done.returncode == 5
    assert done.stderr == "error: the disk is full\n"

"""wattplan plan with a kernel that does what the test says: exit codes, what is written, progress, signals."""

from __future__ import annotations

import errno
import inspect
import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import optimizer
from models.dataset import Dataset
from models.files import read_dataset, write_dataset
from models.plan import (
    PLAN_COLUMNS,
    AuditSummary,
    DatasetRef,
    Plan,
    SolutionStatus,
    SolverInfo,
    StopReason,
    Summary,
    empty_table,
    relative_gap,
    status_of,
)
from models.plan_files import read_plan, write_plan
from optimizer import spreadsheet
from tests.conftest import Wattplan
from tests.factories import small_dataset
from tests.models.hand_plan import hand_plan

NPV = 2e9


def summary(dataset: Dataset, npv: float | None = NPV, bound: float = 1.02 * NPV, gap_requested: float = 0.01) -> Summary:
    """A summary of a plan with this NPV, or of none."""
    gap = None if npv is None else relative_gap(bound, npv)
    return Summary(
        dataset=DatasetRef(name=dataset.name, sha256=dataset.sha256),
        status=SolutionStatus.INFEASIBLE if gap is None else status_of(gap, gap_requested),
        stop_reason=StopReason.PROVED_INFEASIBLE if gap is None else StopReason.TIME_LIMIT,
        npv_usd=npv, bound_usd=bound, bound_certified_usd=bound, gap=gap, gap_certified=gap, gap_requested=gap_requested,
        npv_terms={} if npv is None else {"contract_revenue": 1.5 * npv, "energy": -0.5 * npv},
        solver=SolverInfo(name="none", version="0"),
        audit=None if npv is None else AuditSummary(passed=True, worst_violation=0.0, npv_recomputed_usd=npv),
    )  # fmt: skip


def plan_of(dataset: Dataset, **more: Any) -> Plan:
    """A plan that does nothing and claims an NPV."""
    return Plan(summary(dataset, **more), {name: empty_table(name) for name in PLAN_COLUMNS})


Solve = Callable[..., Plan]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Callable[[Solve], list[dict[str, Any]]]:
    """Puts a function in the kernel's place, called as the kernel itself can be; the list holds the arguments of each call."""
    kernels = inspect.signature(optimizer.plan)

    def install(solve: Solve) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = []

        def plan(dataset: Dataset, **options: Any) -> Plan:
            kernels.bind(dataset, **options)
            calls.append({"dataset": dataset, **options})
            return solve(dataset, **options)

        monkeypatch.setattr(optimizer, "plan", plan)
        monkeypatch.setattr(spreadsheet, "spreadsheet_plan", lambda dataset: plan_of(dataset, npv=0.75 * NPV))
        return calls

    return install


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where the plan goes."""
    return tmp_path / "p"


def test_all_options_reach_the_kernel(wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path, tmp_path: Path) -> None:
    calls = kernel(lambda dataset, **_: plan_of(dataset))
    matrix = tmp_path / "m.mps"
    wattplan("plan", template_folder, "-o", target)
    wattplan("plan", template_folder, "-o", tmp_path / "q", "--gap", "0.05", "--time-limit", "7", "--threads", "2", "--seed", "3",
             "--start", target, "--write-mps", matrix)  # fmt: skip
    default, given = calls
    assert {key: default[key] for key in ("gap", "time_limit", "threads", "seed", "start", "write_mps")} == {
        "gap": 0.01, "time_limit": 600.0, "threads": None, "seed": 0, "start": None, "write_mps": None,
    }  # fmt: skip
    assert {key: given[key] for key in ("gap", "time_limit", "threads", "seed", "write_mps")} == {
        "gap": 0.05, "time_limit": 7.0, "threads": 2, "seed": 3, "write_mps": matrix,
    }  # fmt: skip
    assert given["start"].summary.npv_usd == NPV
    assert given["dataset"].sha256 == read_dataset(template_folder).sha256


@pytest.mark.parametrize(
    ("bound", "gap", "code"),
    [
        (1.02 * NPV, "0.05", 0),
        (1.02 * NPV, "0.02", 0),
        (1.02 * NPV, "0.01", 1),
        (1.02 * NPV, "0", 1),
        ((1 + 5e-5) * NPV, "0", 1),
        ((1 + 9e-7) * NPV, "0", 0),
        (NPV, "0", 0),
    ],
)
def test_exit_code_tells_whether_the_gap_is_reached(
    wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path, bound: float, gap: str, code: int
) -> None:
    kernel(lambda dataset, **_: plan_of(dataset, bound=bound))
    assert wattplan("plan", template_folder, "-o", target, "--gap", gap).code == code
    assert read_plan(target).summary.bound_usd == bound


def test_the_folder_holds_plan_dataset_and_baseline(wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path) -> None:
    kernel(lambda dataset, **_: plan_of(dataset))
    ended = wattplan("plan", template_folder, "-o", target, "--baseline", "spreadsheet", "--json")
    assert ended.code == 1
    assert read_dataset(target / "dataset.json").sha256 == read_dataset(template_folder).sha256
    assert read_plan(target / "baseline").summary.npv_usd == 0.75 * NPV
    document = ended.document
    assert document["summary"]["npv_usd"] == NPV
    assert document["paths"] == {"plan": str(target), "dataset": str(target / "dataset.json"), "baseline": str(target / "baseline")}
    assert document["uplift"]["uplift_usd"] == 0.25 * NPV
    terms = document["uplift"]["npv_terms"]
    assert sum(term["uplift_usd"] for term in terms.values()) == 0.25 * NPV
    assert terms["energy"] == {"npv_usd": -0.5 * NPV, "baseline_npv_usd": -0.375 * NPV, "uplift_usd": -0.125 * NPV}
    assert document["exit_code"] == 1


def test_the_search_starts_from_the_baseline_unless_from_another_plan(
    wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path
) -> None:
    calls = kernel(lambda dataset, **_: plan_of(dataset))
    wattplan("plan", template_folder, "-o", target, "--baseline", "spreadsheet")
    wattplan("plan", template_folder, "-o", target, "--baseline", "spreadsheet", "--start", target)
    assert [call["start"].summary.npv_usd for call in calls] == [0.75 * NPV, NPV]


def test_a_rule_that_finds_no_plan_is_no_reason_to_fail(
    wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rule(dataset: Dataset) -> Plan:
        raise spreadsheet.RuleFailedError(["retrofit of prairie-1 in 2026-Q1: 2 MW short"])

    kernel(lambda dataset, **_: plan_of(dataset))
    monkeypatch.setattr(spreadsheet, "spreadsheet_plan", rule)
    ended = wattplan("plan", template_folder, "-o", target, "--baseline", "spreadsheet", "--json")
    assert ended.code == 1
    assert "warning: no baseline: the spreadsheet rule finds no plan; retrofit of prairie-1" in ended.err
    assert "uplift" not in ended.document
    assert not (target / "baseline").exists()


def test_the_uplift_is_told_by_term(wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path) -> None:
    kernel(lambda dataset, **_: plan_of(dataset))
    out = wattplan("plan", template_folder, "-o", target, "--baseline", "spreadsheet").out
    rows = {line[:20].strip(): line[20:].split() for line in out.splitlines()}
    assert rows["NPV"] == ["2,000.0", "1,500.0", "500.0"]
    assert rows["contract revenue"] == ["3,000.0", "2,250.0", "750.0"]
    assert rows["energy"] == ["-1,000.0", "-750.0", "-250.0"]


def test_directives_are_part_of_the_stored_dataset(
    wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path, tmp_path: Path
) -> None:
    calls = kernel(lambda dataset, **_: plan_of(dataset))
    file = tmp_path / "d.csv"
    file.write_text("row,rule,decision,contract_id,value\nno,fix,sign,nordic-inference,0\n")
    assert wattplan("plan", template_folder, "-o", target, "--directives", file).code == 1
    stored = read_dataset(target / "dataset.json")
    assert stored["directives"]["row"].tolist() == ["no-more-h100", "no"]
    assert stored.sha256 == calls[0]["dataset"].sha256 != read_dataset(template_folder).sha256


def test_bad_directives_are_bad_input(wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path, tmp_path: Path) -> None:
    calls = kernel(lambda dataset, **_: plan_of(dataset))
    file = tmp_path / "d.csv"
    file.write_text("row,rule,decision,contract_id,value\nno,fix,sign,nordic,0\n")
    ended = wattplan("plan", template_folder, "-o", target, "--directives", file)
    assert ended.code == 2
    assert "d.csv, line 2, contract_id" in ended.errors[0]
    assert not calls
    assert not target.exists()


def test_a_new_plan_replaces_the_old_one_and_its_report_and_keeps_notes(
    wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path
) -> None:
    kernel(lambda dataset, **options: plan_of(dataset, bound=NPV * (1 + options["gap"])))
    wattplan("plan", template_folder, "-o", target, "--baseline", "spreadsheet")
    (target / "report.html").write_text("of the old plan")
    (target / "notes.md").write_text("mine")
    assert wattplan("plan", template_folder, "-o", target, "--gap", "0.03").code == 0
    assert read_plan(target).summary.gap == pytest.approx(0.03)
    assert (target / "notes.md").read_text() == "mine"
    assert not (target / "report.html").exists()
    assert not (target / "baseline").exists()


def test_a_plan_folder_with_something_of_the_users_is_left_alone(
    wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path
) -> None:
    calls = kernel(lambda dataset, **_: plan_of(dataset))
    wattplan("plan", template_folder, "-o", target)
    (target / "slides.pptx").write_text("mine")
    ended = wattplan("plan", template_folder, "-o", target)
    assert ended.code == 2
    assert "slides.pptx" in ended.errors[0]
    assert len(calls) == 1
    assert (target / "slides.pptx").exists()


def test_infeasible_leaves_a_summary_and_names_the_conflict(wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path) -> None:
    conflicts = ["directives, row d1: at least 50 racks of h100 at prairie-1", "supply of h100 up to 2026-Q1: 0 racks"]

    def solve(dataset: Dataset, **_: Any) -> Plan:
        raise optimizer.InfeasibleError(conflicts, summary(dataset, npv=None))

    kernel(solve)
    ended = wattplan("plan", template_folder, "-o", target)
    assert ended.code == 3
    assert len(ended.errors) == 1
    for conflict in conflicts:
        assert f"  {conflict}" in ended.err.splitlines()
    assert os.listdir(target) == ["summary.json"]
    assert json.loads((target / "summary.json").read_text())["status"] == "infeasible"
    document = wattplan("plan", template_folder, "-o", target, "--json").document
    assert document["error"]["conflicts"] == conflicts
    assert document["error"]["summary"]["stop_reason"] == "proved_infeasible"
    assert document["error"]["exit_code"] == 3


def test_no_plan_within_the_time_leaves_what_was_there(wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path) -> None:
    kernel(lambda dataset, **_: plan_of(dataset))
    wattplan("plan", template_folder, "-o", target)

    def solve(dataset: Dataset, **_: Any) -> Plan:
        raise optimizer.NoPlanError(summary(dataset, npv=None))

    kernel(solve)
    ended = wattplan("plan", template_folder, "-o", target, "--time-limit", "3", "--json")
    assert ended.code == 4
    assert "within 3 s" in ended.errors[0]
    assert ended.document["error"]["exit_code"] == 4
    assert read_plan(target).summary.npv_usd == NPV


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (lambda: optimizer.SolverError("the solver's process ended with signal 11"), "signal 11"),
        (lambda: MemoryError(), "out of memory"),
        (lambda: OSError(errno.ENOSPC, "No space left on device", "/scratch/x"), "/scratch/x: the disk is full"),
        (lambda: ZeroDivisionError("float division"), "ZeroDivisionError: float division"),
    ],
)
def test_surroundings_that_fail(
    wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path, error: Callable[[], Exception], named: str
) -> None:
    def solve(dataset: Dataset, **_: Any) -> Plan:
        raise error()

    kernel(solve)
    ended = wattplan("plan", template_folder, "-o", target)
    assert ended.code == 5
    [message] = ended.errors
    assert named in message
    assert not target.exists()


def test_a_fault_of_the_program_says_where_when_asked(
    wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel(lambda dataset, **_: [][0])
    monkeypatch.setenv("WATTPLAN_TRACE", "1")
    with pytest.raises(IndexError):
        wattplan("plan", template_folder, "-o", target)


def test_progress_goes_to_stderr_and_names_phase_and_both_bounds(
    wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path
) -> None:
    def solve(dataset: Dataset, *, progress: Any, **_: Any) -> Plan:
        progress(optimizer.Progress(0.1, "relaxation", None, 2.2e9, None))
        progress(optimizer.Progress(0.2, "choosing sites", 1.9e9, 2.1e9, 0.105))
        progress(optimizer.Progress(0.2, "choosing sites", 1.9e9, 2.1e9, 0.105))
        return plan_of(dataset)

    kernel(solve)
    ended = wattplan("plan", template_folder, "-o", target, "--json")
    assert ended.document["summary"]["npv_usd"] == NPV
    lines = [line.split(" s  ", 1)[1] for line in ended.err.splitlines()]
    assert "relaxation: plan none yet, bound 2,200.0 M USD, gap open" in lines
    assert lines.count("choosing sites: plan 1,900.0 M USD, bound 2,100.0 M USD, gap 10.50 %") == 1


def test_quiet_prints_errors_only(wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path) -> None:
    def solve(dataset: Dataset, *, progress: Any, **_: Any) -> Plan:
        progress(optimizer.Progress(0.1, "relaxation", None, 2.2e9, None))
        return plan_of(dataset)

    kernel(solve)
    ended = wattplan("plan", template_folder, "-o", target, "--quiet")
    assert (ended.code, ended.out, ended.err) == (1, "", "")
    assert wattplan("plan", template_folder, "-o", target, "--quiet", "--gap", "-1").errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_stops_the_search_and_keeps_the_plan(
    wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path, number: signal.Signals
) -> None:
    before = signal.getsignal(number)

    def solve(dataset: Dataset, *, stop: threading.Event, **_: Any) -> Plan:
        os.kill(os.getpid(), number)
        assert stop.wait(10)
        return plan_of(dataset)

    kernel(solve)
    ended = wattplan("plan", template_folder, "-o", target)
    assert ended.code == 1
    assert f"{number.name}: stopping" in ended.err
    assert read_plan(target).summary.npv_usd == NPV
    assert signal.getsignal(number) is before


def test_a_stop_before_any_plan(wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path) -> None:
    def solve(dataset: Dataset, *, stop: threading.Event, **_: Any) -> Plan:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(10)
        raise optimizer.NoPlanError(summary(dataset, npv=None))

    kernel(solve)
    ended = wattplan("plan", template_folder, "-o", target)
    assert ended.code == 4
    assert "before it was stopped" in ended.errors[0]
    assert not target.exists()


def test_the_second_signal_aborts(wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path) -> None:
    def solve(dataset: Dataset, *, stop: threading.Event, **_: Any) -> Plan:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(10)
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(10)
        return plan_of(dataset)

    kernel(solve)
    ended = wattplan("plan", template_folder, "-o", target, "--json")
    assert ended.code == 5
    assert ended.document["error"]["kind"] == "aborted"
    assert ended.document["error"]["messages"] == ["aborted; no plan was written"]
    assert os.listdir(target.parent) == []


def test_after_an_abort_the_best_plan_so_far_is_there(wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path) -> None:
    def solve(dataset: Dataset, *, keep: Callable[[Plan], None], **_: Any) -> Plan:
        keep(plan_of(dataset))
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(10)
        return plan_of(dataset)

    kernel(solve)
    ended = wattplan("plan", template_folder, "-o", target)
    assert ended.code == 5
    assert ended.errors == [f"error: aborted; the best plan so far is in {target}"]
    assert read_plan(target).summary.npv_usd == NPV


def test_after_a_solver_that_failed_the_best_plan_so_far_is_named(
    wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path
) -> None:
    def solve(dataset: Dataset, *, keep: Callable[[Plan], None], **_: Any) -> Plan:
        keep(plan_of(dataset))
        raise optimizer.SolverError("it is gone")

    kernel(solve)
    ended = wattplan("plan", template_folder, "-o", target)
    assert ended.code == 5
    assert ended.errors == [f"error: the solver failed: it is gone; the best plan so far is in {target}"]
    assert read_plan(target).summary.npv_usd == NPV


@pytest.mark.parametrize("name", ["m.mps", "baseline/m.mps", "../p/m.mps", ""])
def test_the_matrix_cannot_lie_in_the_folder_that_is_replaced(
    wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path, name: str
) -> None:
    calls = kernel(lambda dataset, **_: plan_of(dataset))
    ended = wattplan("plan", template_folder, "-o", target, "--write-mps", target / name)
    assert ended.code == 2
    assert f"lies in {target}, which is replaced as a whole by the plan" in ended.errors[0]
    assert not calls
    assert not target.exists()


def test_a_plan_of_other_periods_is_no_start(wattplan: Wattplan, kernel: Any, target: Path, tmp_path: Path) -> None:
    calls = kernel(lambda dataset, **_: plan_of(dataset))
    write_dataset(small_dataset(name="by month", period="month"), tmp_path / "monthly.json")
    write_plan(hand_plan(), tmp_path / "q")
    ended = wattplan("plan", tmp_path / "monthly.json", "-o", target, "--start", tmp_path / "q")
    assert ended.code == 2
    problem = "its periods are not those of the dataset 'by month' (found '2026-Q1'); allowed: a month written like 2026-03"
    assert ended.errors == [f"error: {tmp_path / 'q'}: {problem}"]
    assert not calls


def test_what_a_person_put_beside_the_baseline_is_not_lost(wattplan: Wattplan, kernel: Any, template_folder: Path, target: Path) -> None:
    calls = kernel(lambda dataset, **_: plan_of(dataset))
    wattplan("plan", template_folder, "-o", target, "--baseline", "spreadsheet")
    (target / "baseline" / "notes.md").write_text("mine")
    assert wattplan("plan", template_folder, "-o", target, "--baseline", "spreadsheet").code == 1
    assert wattplan("plan", template_folder, "-o", target).code == 1
    assert (target / "baseline" / "notes.md").read_text() == "mine"
    (target / "baseline" / "slides.pptx").write_text("mine")
    ended = wattplan("plan", template_folder, "-o", target)
    assert ended.code == 2
    assert "baseline/slides.pptx" in ended.errors[0]
    assert (target / "baseline" / "slides.pptx").read_text() == "mine"
    assert len(calls) == 3

"""The command study as processes of its own: killed, stopped and gone on with; what it writes; what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from batch.cli import run
from models.files import read_dataset
from models.plan_files import read_plan
from optimizer.audit import audit
from tests.conftest import ROOT, Wattplan, command_line, process_environment

EXAMPLE = ROOT / "data" / "studies" / "sign-or-decline.yaml"
PATIENCE = 120.0
"""Seconds after which a process that does not get on fails a test."""


@dataclass(frozen=True)
class Studied:
    """The example, carried out by three processes: one killed, one stopped, one that ends.

    Attributes:
        folder: with plan, study file and output ``out``.
        killed, stopped: lines of runs.jsonl after the first and the second process.
        stop_code, stop_err: how the second one ended.
        ended: exit code, document and stderr of the third.
    """

    folder: Path
    killed: list[str]
    stopped: list[str]
    stop_code: int
    stop_err: str
    code: int
    document: dict[str, Any]
    err: str

    @property
    def lines(self) -> list[str]:
        return (self.folder / "out" / "runs.jsonl").read_text().splitlines()

    @property
    def runs(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "out" / "study.parquet").set_index("scenario")


def command(folder: Path, *options: str) -> subprocess.Popen[str]:
    """The command, started; SIGINT and SIGTERM are as a terminal leaves them, whatever the tests were started to ignore."""
    return subprocess.Popen(
        command_line("study", "study.yaml", "-o", "out", "--json", *options), cwd=folder, env=process_environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: [signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGTERM)],
    )  # fmt: skip


def until(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    """Wait for something while the process runs."""
    end = time.monotonic() + PATIENCE
    while not reached():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "the study does not get on"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Studied:
    folder = tmp_path_factory.mktemp("study")
    assert run(["plan", str(ROOT / "data/teaching/sign-or-decline"), "-o", str(folder / "plan"), "--gap", "0", "--threads", "1", "-q"]) == 0
    text = EXAMPLE.read_text()
    assert "../../plan" in text
    (folder / "study.yaml").write_text(text.replace("../../plan", "plan") + "regret: {plans: 3, scenarios: 8}\n")
    journal = folder / "out" / "runs.jsonl"

    def lines() -> list[str]:
        return journal.read_text().splitlines(keepends=True) if journal.exists() else []

    def whole() -> list[str]:
        return [line for line in lines() if line.endswith("\n")]

    first = command(folder)
    until(first, lambda: len(lines()) >= 1)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    killed = whole()
    second = command(folder)
    until(second, lambda: len(lines()) > len(killed))
    os.kill(second.pid, signal.SIGTERM)
    _, stop_err = second.communicate(timeout=PATIENCE)
    stopped = whole()
    third = command(folder, "--keep-plans")
    out, err = third.communicate(timeout=PATIENCE)
    return Studied(folder, killed, stopped, second.returncode, stop_err, third.returncode, json.loads(out), err)


def test_a_kill_loses_no_finished_run_and_repeats_none(studied: Studied) -> None:
    lines = [line + "\n" for line in studied.lines]
    assert lines[: len(studied.killed)] == studied.killed
    assert lines[: len(studied.stopped)] == studied.stopped
    assert len(studied.killed) < len(studied.stopped) < len(lines), "each process did a part"
    assert Counter(json.loads(line)["run"] for line in lines) == Counter(range(13))
    assert f"{len(studied.stopped)} of 13 runs were done before" in studied.err


def test_a_signal_ends_it_and_says_how_to_go_on(studied: Studied) -> None:
    assert studied.stop_code == 5, studied.stop_err
    assert "SIGTERM: stopping; what has ended is kept, and the same command goes on" in studied.stop_err
    assert f"error: stopped after {len(studied.stopped)} of 13 runs" in studied.stop_err
    assert "wattplan study study.yaml -o out" in studied.stop_err
    assert "Traceback" not in studied.stop_err + studied.err


def test_figures_of_the_teaching_dataset_by_hand(studied: Studied) -> None:
    """As the dataset's README works out: nothing changed 1,301,600; two more racks 2,245,200. A cut by u leaves 12 (1 - u) racks, whole."""
    assert studied.code == 0, studied.err
    runs = studied.runs
    assert runs.loc["base", "delta_usd"] == pytest.approx(0, abs=1e-6)
    assert runs.loc["market=as planned, prospect's price=as offered", "delta_usd"] == pytest.approx(0, abs=1e-6)
    assert runs.loc["base", "npv_usd"] == pytest.approx(1_301_600)
    assert runs.loc["power for two more racks", "npv_usd"] == pytest.approx(2_245_200)
    assert runs.loc["base", "axis: market"] is None or pd.isna(runs.loc["base", "axis: market"])
    for name, row in runs[runs["origin"] == "sample"].iterrows():
        racks = min(10, int(12 * (1 - row["value: cut"]) + 1e-9))
        sold = 10 * racks - 60
        assert row["npv_usd"] == pytest.approx((120 + sold) * 8760 - 10_000 * racks), name
        assert row["gpus_installed"] == 10 * racks
        assert row["capex_usd"] == pytest.approx(10_000 * racks)
    terms = runs[[column for column in runs.columns if column.startswith("npv_") and column != "npv_usd"]].sum(axis=1)
    planned = runs["status"] == "optimal"
    assert terms[planned].tolist() == pytest.approx(runs.loc[planned, "npv_usd"].tolist())


def test_an_infeasible_scenario_is_a_result(studied: Studied) -> None:
    row = studied.runs.loc["more racks than the hall holds"]
    assert row["status"] == "infeasible"
    assert pd.isna(row["npv_usd"])
    assert "hall" in row["detail"]
    assert studied.document["statuses"] == {"optimal": 11, "infeasible": 1}


def test_the_prospect_is_signed_where_it_pays_enough(studied: Studied) -> None:
    """Signed first of all its 60 GPUs at p: 60 p + 80 - 80, declined 160: from 2.5 * 1.5 = 3.75 on, as 225 > 160; with the market gone 2.5 does too."""
    decisions = pd.read_parquet(studied.folder / "out" / "decisions.parquet")
    by_run = decisions[decisions["id"] == "prospect"].set_index("scenario")["kind"]
    for price in ("half as much again", "twice"):
        for market in ("as planned", "gone"):
            assert by_run[f"market={market}, prospect's price={price}"] == "sign"
    assert by_run["market=as planned, prospect's price=as offered"] == "decline"
    assert by_run["power for two more racks"] == "sign"
    assert by_run[""] == "decline", "the base plan"
    told = next(row for row in studied.document["decisions"] if row["id"] == "prospect")
    counted = by_run[[name for name in by_run.index if name not in ("", "base")]]
    assert told["same_as_base"] == int((counted == "decline").sum())
    assert told["order_by"] == "2026-Q1"


def test_regrets_never_fall_below_zero_and_are_zero_at_home(studied: Studied) -> None:
    table = pd.read_parquet(studied.folder / "out" / "regrets.parquet")
    holds = table[table["broken"] == 0]
    assert (holds["regret_usd"] >= -1e-6).all()
    home = table[table["plan"] == table["scenario"]]
    assert len(home) == table["plan"].nunique() - 1, "every plan but the base plan is tried at home too"
    assert home["regret_usd"].tolist() == pytest.approx([0.0] * len(home), abs=1e-3)
    base = table[(table["plan"] == "base plan") & (table["scenario"] == "base")]
    assert base["regret_usd"].tolist() == pytest.approx([0.0], abs=1e-3)
    cut = table[(table["plan"] == "base plan") & table["scenario"].isin(studied.runs.query("`value: cut` > 0.17").index)]
    assert len(cut)
    assert (cut["broken"] > 0).all(), "ten racks can't be installed of fewer"


def test_plans_are_kept_with_their_datasets(studied: Studied) -> None:
    folders = {int(folder.name.split("-")[0]): folder for folder in (studied.folder / "out" / "plans").iterdir()}
    ended = [json.loads(line) for line in studied.lines[len(studied.stopped) :]]
    assert sorted(folders) == sorted(entry["run"] for entry in ended if entry["decisions"]), "one for each run of that process"
    entry = next(entry for entry in ended if entry["scenario"] == "market=gone, prospect's price=twice")
    folder = folders[entry["run"]]
    assert folder.name.endswith("-market-gone-prospect-s-price-twice")
    plan = read_plan(folder)
    assert plan.summary.npv_usd == entry["row"]["npv_usd"]
    assert audit(read_dataset(folder / "dataset.json"), plan).passed


def test_the_report_and_the_summary_are_written(studied: Studied) -> None:
    page = (studied.folder / "out" / "study.html").read_text()
    assert "<h1>Study Sign or decline</h1>" in page
    assert 0 < page.index('id="section-robust"') < page.index('id="section-spread"') < page.index('id="section-regrets"')
    summary = json.loads((studied.folder / "out" / "summary.json").read_text())
    assert summary == {key: value for key, value in studied.document.items() if key not in ("paths", "exit_code")}


def test_the_same_again_does_no_run(studied: Studied, wattplan: Wattplan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: Any, **__: Any) -> None:
        raise AssertionError("an engine was started")

    monkeypatch.setattr("batch.engine.engine.Engine.start", never)
    monkeypatch.setattr("batch.study.report.report_html", lambda found: "drawn again")
    out = tmp_path / "out"
    shutil.copytree(studied.folder / "out", out)
    (out / "study.parquet").unlink()
    ended = wattplan("study", studied.folder / "study.yaml", "-o", out)
    assert ended.code == 0, ended.err
    assert "prospect" in ended.out
    assert (out / "runs.jsonl").read_text().splitlines() == studied.lines
    assert (out / "study.html").read_text() == "drawn again"
    pd.testing.assert_frame_equal(pd.read_parquet(out / "study.parquet").set_index("scenario"), studied.runs)


def test_a_changed_study_is_refused(studied: Studied, wattplan: Wattplan) -> None:
    path = studied.folder / "changed.yaml"
    path.write_text((studied.folder / "study.yaml").read_text().replace("runs: 4", "runs: 5"))
    ended = wattplan("study", path, "-o", studied.folder / "out", "--time-limit", "9")
    assert ended.code == 2
    (said,) = ended.errors
    assert "holds the runs of another study: time_limit was 20.0, is 9.0; the number of runs was 13, is 14; the scenarios differ" in said
    assert len(studied.lines) == 13


def test_bad_input_ends_before_any_folder_is_made(studied: Studied, wattplan: Wattplan, tmp_path: Path) -> None:
    text = (studied.folder / "study.yaml").read_text()
    shutil.copytree(studied.folder / "plan", tmp_path / "plan")
    for wrong, said in (
        (text.replace("site_id: hall, block_id", "site_id: hal, block_id"), "scenario 'power for two more racks', change 1, site_id: unknown id (found 'hal')"),
        (text.replace("runs: 4", "runs: 10000000"), "10,000,009 runs"),
        (text.replace("{plan: plan}", "{plan: plam}"), "plam"),
    ):  # fmt: skip
        (tmp_path / "s.yaml").write_text(wrong)
        ended = wattplan("study", tmp_path / "s.yaml", "-o", tmp_path / "out", "--json")
        assert ended.code == 2, ended.err
        assert said in ended.err
        assert ended.document["error"]["exit_code"] == 2
    for option, value in (("--workers", 0), ("--threads", 0), ("--time-limit", 0), ("--scheduler", "host")):
        ended = wattplan("study", tmp_path / "s.yaml", "-o", tmp_path / "out", option, value)
        assert ended.code == 2
        assert option in ended.err
    assert not (tmp_path / "out").exists()

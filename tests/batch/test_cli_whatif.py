"""The command whatif: the three modes, files of changes, faults."""

from __future__ import annotations

import json
import math
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import optimizer
from batch.cli import run
from models.files import read_dataset
from models.plan_files import read_plan
from optimizer.audit import audit
from optimizer.highs import Control
from optimizer.whatif import WARMING, Answer, Planner
from tests.models.hand_plan import summary

DATASET = Path(__file__).resolve().parents[2] / "data" / "teaching" / "sign-or-decline"


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whatif") / "plan"
    assert run(["plan", str(DATASET), "-o", str(folder), "--gap", "0", "--threads", "1", "-q"]) == 0
    return folder


def changes_file(folder: Path, *changes: dict[str, Any]) -> Path:
    path = folder / "changes.yaml"
    path.write_text(json.dumps(list(changes)))
    return path


def answered(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = run([*arguments, "--json", "--threads", "1"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("mode", ["evaluate", "repair", "reoptimize"])
def test_a_change_is_answered(mode: str, planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = changes_file(tmp_path, {"type": "discount.rate", "discount_rate": 0.2})
    output = [] if mode == "evaluate" else ["-o", str(tmp_path / "after")]
    code, document = answered(["whatif", str(planned), "--change", str(path), "--mode", mode, "--gap", "0", *output], capsys)
    assert code == 0
    assert document["mode"] == mode
    assert "20" in document["sentences"][0]
    before = read_plan(planned).summary.npv_usd
    assert document["baseline_npv_usd"] == before
    if mode == "evaluate":
        assert document["difference_usd"] == pytest.approx(document["evaluation"]["npv_usd"] - before)
        assert "summary" not in document
        return
    after = read_plan(tmp_path / "after")
    assert document["difference_usd"] == pytest.approx(after.summary.npv_usd - before)
    assert document["evaluation"]["npv_usd"] <= after.summary.npv_usd * (1 + 1e-9) + 1e-6
    assert after.summary.gap <= 1e-6
    assert audit(read_dataset(tmp_path / "after" / "dataset.json"), after).passed
    assert read_plan(tmp_path / "after" / "baseline").summary.npv_usd == before


def test_yaml_and_several_files(planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.json"
    one.write_text("type: discount.rate\ndiscount_rate: 0.2\n")
    two.write_text('[{"type": "discount.rate", "discount_rate": 0.3}]')
    code, document = answered(["whatif", str(planned), "-c", str(one), "-c", str(two), "--mode", "evaluate"], capsys)
    assert code == 0
    assert len(document["sentences"]) == 2
    assert len(document["warnings"]) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- type: discount.rat\n  discount_rate: 0.2\n", "discount.rate"),
        ("- type: discount.rate\n  rate: 0.2\n", "discount_rate"),
        ("- type: [", "neither YAML nor JSON"),
        ("- type: site.close\n  site_id: nowhere\n  from_period: 2026-Q1\n", "nowhere"),
    ],
)
def test_faults_of_changes_are_told(text: str, said: str, planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "changes.yaml"
    path.write_text(text)
    assert run(["whatif", str(planned), "-c", str(path)]) == 2
    found = capsys.readouterr()
    assert said in found.err
    assert "Traceback" not in found.err
    assert found.out == ""


def test_options_that_cannot_be(planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = changes_file(tmp_path, {"type": "discount.rate", "discount_rate": 0.2})
    for extra in (
        ["--gap", "-1"],
        ["--time-limit", "0"],
        ["--mode", "evaluate", "-o", str(tmp_path / "x")],
        ["-c", str(tmp_path / "none")],
    ):
        assert run(["whatif", str(planned), "-c", str(path), *extra]) == 2
        assert capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_warming_up_counts_for_the_time_limit(
    planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = changes_file(tmp_path, {"type": "discount.rate", "discount_rate": 0.2})
    given: list[float] = []
    warm, change = Planner.warm, Planner.change

    def warmed(self: Planner, control: Control | None = None) -> None:
        given.append(control.remaining if control is not None else math.inf)
        warm(self, control)
        time.sleep(1.0)

    def changed(self: Planner, *rest: Any, **options: Any) -> Answer:
        given.append(options["time_limit"])
        return change(self, *rest, **options)

    monkeypatch.setattr(Planner, "warm", warmed)
    monkeypatch.setattr(Planner, "change", changed)
    assert answered(["whatif", str(planned), "--change", str(path), "--time-limit", "30"], capsys)[0] == 0
    assert 0 < given[0] <= 30 * WARMING
    assert 0 < given[1] <= 29


def test_a_stop_before_any_plan_is_no_lack_of_time(
    planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(self: Planner, *_: Any, stop: threading.Event, **__: Any) -> Answer:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(10)
        raise optimizer.NoPlanError(summary(npv_usd=None))

    monkeypatch.setattr(Planner, "change", stopped)
    path = changes_file(tmp_path, {"type": "discount.rate", "discount_rate": 0.2})
    assert run(["whatif", str(planned), "-c", str(path), "-q"]) == 4
    assert capsys.readouterr().err.splitlines()[-1] == "error: no plan was found before it was stopped. More time: --time-limit"

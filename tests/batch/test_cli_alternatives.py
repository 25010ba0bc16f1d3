"""The command alternatives, on two sites of which all is known by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from models.plan_files import read_plan
from optimizer import SolverError
from optimizer.tradeoffs import alternatives as module
from optimizer.tradeoffs.level import Asking
from tests.conftest import Wattplan
from tests.optimizer.tradeoffs.hand import DEARER, LOSS, racks_at, write_plans


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The best plan, and a published one."""
    folder = tmp_path_factory.mktemp("alternatives")
    write_plans(folder)
    return folder


def test_alternatives_are_written_with_their_report(given: Path, tmp_path: Path, wattplan: Wattplan) -> None:
    out = tmp_path / "out"
    ended = wattplan("alternatives", given / "plan", "-o", out, "--number", 1, "--loss", LOSS, "--tries", 9, "--threads", 1, "--json")
    assert ended.code == 0
    (one,) = ended.document["alternatives"]
    assert one["apart"] == pytest.approx(0.4)
    assert one["loss_usd"] == pytest.approx(4 * DEARER)
    assert 0.4 < one["ceiling"] < 0.42
    assert racks_at(read_plan(out / "1")) == {"a": 6, "b": 4}
    assert racks_at(read_plan(out / "1" / "baseline")) == {"a": 10}
    assert json.loads((out / "summary.json").read_text())["alternatives"] == ended.document["alternatives"]
    page = (out / "alternatives.html").read_text()
    for words in ("40% apart", "How far apart", "Where the racks stand", "Decided otherwise"):
        assert words in page
    again = wattplan("alternatives", given / "plan", "-o", out, "--number", 1, "--loss", LOSS, "--tries", 2, "--threads", 1)
    assert again.code == 0
    assert "apart 30.0%" in again.out.replace("apart 30.0 %", "apart 30.0%")


def test_those_found_before_the_solver_failed_are_written(
    given: Path, tmp_path: Path, wattplan: Wattplan, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.alternatives

    def failing(asking: Asking, number: int, told: Callable[[module.Alternative], None]) -> list[module.Alternative]:
        real(asking, min(number, 1), told)
        raise SolverError("it is gone")

    monkeypatch.setattr(module, "alternatives", failing)
    asked = ["alternatives", given / "plan", "-o", tmp_path / "out", "--number", 2, "--loss", LOSS, "--tries", 2, "--threads", 1]
    ended = wattplan(*asked)
    assert ended.code == 1
    assert "no more than 1 of 2 were found: the solver failed: it is gone" in ended.out
    assert read_plan(tmp_path / "out" / "1").summary.npv_usd is not None
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["failed"] == "the solver failed: it is gone"
    monkeypatch.setattr(module, "alternatives", lambda asking, number, told: failing(asking, 0, told))
    none = wattplan(*asked)
    assert none.code == 5
    assert none.errors == ["error: the solver failed: it is gone"]


def test_no_alternative_writes_nothing(given: Path, tmp_path: Path, wattplan: Wattplan) -> None:
    ended = wattplan("alternatives", given / "plan", "-o", tmp_path / "out", "--loss", 0.01, "--tries", 3, "--threads", 1)
    assert ended.code == 4
    assert "no other plan was found within the loss" in ended.out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--loss", 2], "--loss: 2"),
        (["--tries", 0], "--tries: 0"),
        (["--number", 0], "--number: 0"),
        (["--time-limit", 0], "--time-limit: 0"),
        (["--threads", 0], "--threads: 0"),
    ],
)
def test_what_cannot_be_is_refused(given: Path, tmp_path: Path, wattplan: Wattplan, options: list[object], said: str) -> None:
    ended = wattplan("alternatives", given / "plan", "-o", tmp_path / "out", *options)
    assert ended.code == 2
    assert said in ended.err


def test_nothing_else_in_the_folder_is_lost(given: Path, tmp_path: Path, wattplan: Wattplan) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for command in (["alternatives", given / "plan"], ["nearest", given / "old", "--best", given / "plan"]):
        ended = wattplan(*command, "-o", tmp_path)
        assert ended.code == 2
        assert "mine.txt" in ended.err

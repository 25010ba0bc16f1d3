"""The command nearest, on two sites of which all is known by hand."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import optimizer
from batch.commands import level, plan_folder
from models.files import write_dataset
from models.plan_files import read_plan
from tests.conftest import Wattplan
from tests.factories import small_dataset
from tests.optimizer.tradeoffs.hand import LOSS, racks_at, write_plans


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The best plan, and a published one."""
    folder = tmp_path_factory.mktemp("nearest")
    write_plans(folder)
    return folder


def test_the_nearest_plan(given: Path, tmp_path: Path, wattplan: Wattplan) -> None:
    out = tmp_path / "near"
    ended = wattplan("nearest", given / "old", "--best", given / "plan", "-o", out, "--loss", LOSS, "--tries", 9, "--threads", 1, "--json")
    assert ended.code == 0
    assert ended.document["in_common"] == pytest.approx(0.4)
    assert not ended.document["is_best"]
    assert racks_at(read_plan(out)) == {"a": 6, "b": 4}
    assert racks_at(read_plan(out / "baseline")) == {"b": 10}
    none = wattplan("nearest", given / "old", "--best", given / "plan", "-o", tmp_path / "none", "--loss", 0, "--tries", 2, "--threads", 1)
    assert none.code == 1
    assert "no plan nearer than the best one, which keeps 0.0%" in none.out
    assert racks_at(read_plan(tmp_path / "none")) == {"a": 10}


def test_what_cannot_be_is_refused(given: Path, tmp_path: Path, wattplan: Wattplan) -> None:
    for options, said in ((["--loss", 2], "--loss: 2"), (["--seed", -1], "--seed: -1"), (["--best", given / "none"], "does not exist")):
        ended = wattplan("nearest", given / "old", "--best", given / "plan", "-o", tmp_path / "out", *options)
        assert ended.code == 2
        assert said in ended.err


def test_the_published_plan_is_checked_before_the_search(
    given: Path, tmp_path: Path, wattplan: Wattplan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its dataset is another than it was made for; its periods are not those of the best plan's dataset."""

    def searched(*_: Any) -> None:
        raise AssertionError("the search had begun")

    monkeypatch.setattr(level, "asked", searched)
    shutil.copytree(given / "old", tmp_path / "old")
    write_dataset(small_dataset(name="another"), tmp_path / "old" / "dataset.json")
    ended = wattplan("nearest", tmp_path / "old", "--best", given / "plan", "-o", tmp_path / "out")
    assert ended.code == 2
    assert "is not the dataset of" in ended.errors[0]
    monthly = small_dataset(name="by month", period="month", periods=2)
    plan_folder.write_all(tmp_path / "best", optimizer.plan(monthly, gap=0, threads=1), monthly, None)
    ended = wattplan("nearest", given / "old", "--best", tmp_path / "best", "-o", tmp_path / "out")
    assert ended.code == 2
    [error] = ended.errors
    assert "its periods are not those of the dataset 'by month'" in error


def test_the_command_that_is_suggested_can_be_copied(given: Path, tmp_path: Path, wattplan: Wattplan) -> None:
    out = tmp_path / "near by"
    ended = wattplan("nearest", given / "old", "--best", given / "plan", "-o", out, "--loss", 0, "--tries", 1, "--threads", 1)
    assert ended.out.endswith(f"wattplan report '{out}' -o '{out}.html'\n")

"""Finished work on the disk: a cut last line is done again, nothing else is touched; a folder belongs to one study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from batch.study.asked import Asked
from batch.study.folder import RUNS, STUDY, Folder
from batch.study.journal import Journal
from models.faults import InputError
from models.study import Scenario
from tests.batch.study.made_up import made_up


@pytest.fixture(scope="module")
def asked() -> Asked:
    return made_up()[0]


@pytest.mark.parametrize("tail", [b'{"run":2,"row":{"npv', b'{"run":2}', b"\xff\xfe"])
def test_a_line_that_a_kill_has_cut_is_dropped(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "j"
    Journal(path).append({"run": 1})
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    again = Journal(path)
    assert again.entries == [{"run": 1}]
    assert path.read_bytes() == whole
    again.append({"run": 2})
    assert Journal(path).entries == [{"run": 1}, {"run": 2}]


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b'{"run":1}\n{"run\n{"run":3}\n')
    with pytest.raises(InputError, match="line 2: is no JSON object"):
        Journal(path)
    assert path.read_bytes().count(b"\n") == 3


def test_a_folder_belongs_to_one_study(tmp_path: Path, asked: Asked) -> None:
    with Folder.claimed(tmp_path / "s", asked) as folder:
        folder.runs.append({"run": 0, "row": {"status": "optimal"}})
        with pytest.raises(InputError, match="another process is at work"), Folder.claimed(tmp_path / "s", asked):
            pass
    others = {
        "gap was 0.01, is 0.5": replace(asked, gap=0.5),
        "mode was repair, is evaluate": replace(asked, mode="evaluate"),
        "the scenarios differ": replace(asked, scenarios=[*asked.scenarios[:-1], Scenario("other", ())]),
        "the number of runs was 6, is 5": replace(asked, scenarios=asked.scenarios[:-1]),
    }
    for said, other in others.items():
        with pytest.raises(InputError, match=f"holds the runs of another study: .*{said}"), Folder.claimed(tmp_path / "s", other):
            pass
    with Folder.claimed(tmp_path / "s", replace(asked, name="renamed")) as folder:
        assert list(folder.finished()) == [0]


def test_other_things_are_not_touched(tmp_path: Path, asked: Asked) -> None:
    (tmp_path / "notes.md").write_text("mine")
    (tmp_path / RUNS).write_text("mine")
    with pytest.raises(InputError, match=r"holds other things than a study: runs\.jsonl"), Folder.claimed(tmp_path, asked):
        pass
    assert not (tmp_path / STUDY).exists()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="is a file"), Folder.claimed(tmp_path / "file", asked):
        pass


def test_only_plans_that_are_needed_stay(tmp_path: Path, asked: Asked) -> None:
    with Folder.claimed(tmp_path / "s", asked) as folder:
        for run in (1, 2, 4):
            folder.keep_plan(run, asked.plan_bytes)
        folder.drop_plans({-1, 2})
        assert list(folder.kept_plans()) == [2]
        assert folder.kept_plans()[2].read_bytes() == asked.plan_bytes

"""Datasets that cannot be read: every fault named, exit code 2, never a trace, nothing written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from batch.commands.plan_folder import check_writable
from models.files import read_dataset
from tests.conftest import ROOT, Wattplan


def edit(file: Path, old: str, new: str) -> None:
    """Replace the first ``old`` in a file; it must be there."""
    text = file.read_text()
    assert old in text, f"{old!r} is not in {file.name}"
    file.write_text(text.replace(old, new, 1))


@pytest.fixture
def folder(template_folder: Path, tmp_path: Path) -> Path:
    """A dataset of the test's own."""
    return shutil.copytree(template_folder, tmp_path / "data")


def test_a_sound_dataset(wattplan: Wattplan, folder: Path) -> None:
    ended = wattplan("check", folder)
    assert (ended.code, ended.err) == (0, "")
    assert "no faults" in ended.out
    calendar = read_dataset(folder).calendar
    assert f"{calendar.start} to {calendar.label(calendar.periods - 1)}, {calendar.periods} periods" in ended.out


def test_a_sound_dataset_as_json(wattplan: Wattplan, folder: Path) -> None:
    document = wattplan("check", folder, "--json").document
    assert document["dataset"]["sha256"] == read_dataset(folder).sha256
    assert document["rows"]["sites"] == 2


def test_warnings_are_told_and_do_not_fail(wattplan: Wattplan, folder: Path) -> None:
    edit(folder / "generations.csv", ",0.3\n", ",0.9\n")
    ended = wattplan("check", folder)
    assert ended.code == 0
    assert "warning: " in ended.out
    assert "residual_factor" in ended.out


def test_twelve_faults_give_twelve_messages(wattplan: Wattplan, folder: Path, tmp_path: Path) -> None:
    edit(folder / "dataset.toml", "discount_rate = 0.1", "discount_rate = -0.1")
    edit(folder / "sites.csv", "1.35", "0.35")
    edit(folder / "sites.csv", ",candidate,", ",candidat,")
    edit(folder / "power_blocks.csv", "prairie-1-hall-b,prairie-1,", "prairie-1-hall-b,prairi-1,")
    edit(folder / "generations.csv", "0.8,", "1.8,")
    edit(folder / "gpu_prices.csv", "26000", "many")
    edit(folder / "supply.csv", ",20\n", ",20.5\n")
    edit(folder / "fleet.csv", "h100", "h10")
    edit(folder / "contracts.csv", ",firm,", ",firmly,")
    edit(folder / "market.csv", "2.4", "nan")
    edit(folder / "network_links.csv", "115", "-115")
    edit(folder / "demand_charges.csv", "usd_per_kw_month", "usd_per_kw_moth")
    for arguments in (["check", folder], ["plan", folder, "-o", tmp_path / "p"]):
        ended = wattplan(*arguments)
        assert ended.code == 2
        assert len(ended.errors) == 12, ended.err
        for place in ("dataset.toml", "sites.csv, line 2", "sites.csv, line 3", "power_blocks.csv", "generations.csv", "gpu_prices.csv",
                      "supply.csv", "fleet.csv", "contracts.csv", "market.csv", "network_links.csv", "demand_charges.csv"):  # fmt: skip
            assert any(place in error for error in ended.errors), place
        assert "did you mean 'prairie-1'?" in ended.err
        assert "12 faults" in ended.err
    assert not (tmp_path / "p").exists()
    document = wattplan("check", folder, "--json").document
    assert len(document["error"]["faults"]) == 12
    assert document["error"]["exit_code"] == 2


@pytest.mark.parametrize("command", ["check", "plan", "audit", "convert"])
@pytest.mark.parametrize(
    "what", ["missing", "empty folder", "table in place of folder", "utf-16 table", "folder for a table", "binary", "text", "json", "fifo"]
)
def test_what_is_no_dataset(wattplan: Wattplan, folder: Path, tmp_path: Path, what: str, command: str) -> None:
    path, named = folder, "sites.csv"
    match what:
        case "missing":
            path, named = tmp_path / "dat", "did you mean 'data'?"
        case "empty folder":
            path, named = tmp_path / "empty", "holds no dataset"
            path.mkdir()
        case "table in place of folder":
            path = folder / "sites.csv"
        case "utf-16 table":
            table = folder / "sites.csv"
            table.write_bytes(table.read_text().encode("utf-16"))
            named = "UTF-16"
        case "folder for a table":
            (folder / "sites.csv").unlink()
            (folder / "sites.csv").mkdir()
        case "binary":
            path, named = tmp_path / "data.xlsx", "data.xlsx"
            path.write_bytes(bytes(range(256)) * 10)
        case "text":
            path, named = tmp_path / "notes.txt", "notes.txt"
            path.write_text("sites")
        case "json":
            path, named = tmp_path / "data.json", "data.json"
            path.write_text('{"dataset": ')
        case "fifo":
            (folder / "sites.csv").unlink()
            os.mkfifo(folder / "sites.csv")
    rest = {"check": [], "plan": ["-o", tmp_path / "p"], "audit": [tmp_path / "p"], "convert": [tmp_path / "p.json"]}[command]
    before = sorted(os.listdir(tmp_path))
    ended = wattplan(command, path, *rest)
    assert ended.code == 2
    assert any(named in error for error in ended.errors), ended.err
    assert not ended.out
    assert sorted(os.listdir(tmp_path)) == before


def test_options_are_checked_before_the_dataset_is_read(wattplan: Wattplan, tmp_path: Path) -> None:
    ended = wattplan("plan", tmp_path / "nowhere", "-o", tmp_path / "p", "--gap", "-1")
    assert ended.code == 2
    assert "--gap" in ended.errors[0]


@pytest.mark.parametrize("what", ["file", "folder of other things", "under a file"])
def test_output_that_cannot_be(wattplan: Wattplan, folder: Path, tmp_path: Path, what: str) -> None:
    target = tmp_path / "out"
    if what == "folder of other things":
        target.mkdir()
        (target / "thesis.tex").write_text("years of work")
    else:
        target.write_text("a file")
    ended = wattplan("plan", folder, "-o", target / "p" if what == "under a file" else target)
    assert ended.code == 2
    assert str(target) in ended.errors[0]
    assert target.is_dir() or target.read_text() == "a file"


def test_a_plan_folder_is_not_taken_for_a_dataset_folder(wattplan: Wattplan, folder: Path) -> None:
    """A dataset holds tables with names that a plan has too; planning into it must not replace it."""
    before = sorted(os.listdir(folder))
    ended = wattplan("plan", folder, "-o", folder)
    assert ended.code == 2
    assert "holds other things than a plan" in ended.errors[0]
    assert sorted(os.listdir(folder)) == before


def test_a_fault_reads_as_the_readme_says(wattplan: Wattplan, folder: Path) -> None:
    edit(folder / "power_blocks.csv", "prairie-1-hall-b,prairie-1,", "prairie-1-hall-b,prairi-1,")
    [error] = wattplan("check", folder).errors
    assert error in (ROOT / "README.md").read_text().splitlines()


def test_a_mount_point_is_refused_as_the_folder_of_a_result(wattplan: Wattplan, folder: Path) -> None:
    """Nothing can be renamed to its name: a plan that took hours would be lost at the end."""
    for command in (["plan", folder, "-o", "/proc"], ["convert", folder, "/proc"]):
        ended = wattplan(*command)
        assert ended.code == 2
        assert ended.errors == ["error: /proc: is a mount point, which cannot be replaced; allowed: a folder inside it, such as /proc/new"]


def test_a_device_may_be_written_into() -> None:
    check_writable(Path(os.devnull))

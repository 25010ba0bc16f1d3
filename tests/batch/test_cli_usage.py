"""Help, version, and command lines that cannot be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Wattplan

COMMANDS = ("plan", "whatif", "futures", "check", "audit", "show", "report", "new", "convert", "gc")


def test_help_names_every_command_and_exit_code(wattplan: Wattplan) -> None:
    ended = wattplan("--help")
    assert ended.code == 0
    assert not ended.err
    for word in (*COMMANDS, "Exit codes", "infeasible"):
        assert word in ended.out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(wattplan: Wattplan, command: str) -> None:
    ended = wattplan(command, "-h")
    assert ended.code == 0
    assert f"wattplan {command}" in ended.out
    assert "--json" in ended.out


def test_version(wattplan: Wattplan) -> None:
    ended = wattplan("--version")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("wattplan ")


def test_help_loads_neither_data_libraries_nor_the_solver() -> None:
    heavy = "{'pandas', 'numpy', 'pyomo', 'highspy', 'altair', 'pyarrow', 'models', 'optimizer'}"
    code = f"import sys; from batch.cli import run; run(['plan', '--help']); found = {heavy} & set(sys.modules); sys.exit(str(found or 0))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.strip() in ("", "0"), done.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "command"),
        (["plann"], "plann"),
        (["plan"], "DATASET"),
        (["plan", "{data}"], "--output"),
        (["plan", "{data}", "-o"], "-o"),
        (["plan", "{data}", "-o", "p", "--gap", "one"], "--gap"),
        (["plan", "{data}", "-o", "p", "--gap", "nan"], "--gap: nan"),
        (["plan", "{data}", "-o", "p", "--gap", "inf"], "--gap: inf"),
        (["plan", "{data}", "-o", "p", "--gap", "-0.1"], "--gap: -0.1"),
        (["plan", "{data}", "-o", "p", "--time-limit", "0"], "--time-limit: 0"),
        (["plan", "{data}", "-o", "p", "--time-limit", "nan"], "--time-limit: nan"),
        (["plan", "{data}", "-o", "p", "--threads", "0"], "--threads: 0"),
        (["plan", "{data}", "-o", "p", "--threads", "1.5"], "--threads"),
        (["plan", "{data}", "-o", "p", "--seed", "-1"], "--seed: -1"),
        (["plan", "{data}", "-o", "p", "--baseline", "nothing"], "--baseline"),
        (["plan", "{data}", "-o", "p", "--colour"], "--colour"),
        (["plan", "{data}", "-o", "p", "extra"], "extra"),
        (["audit", "{data}"], "PLAN"),
        (["report", "p"], "--output"),
        (["convert", "{data}", "x", "--format", "pdf"], "--format"),
        (["convert", "{data}", "x", "--format", "parquet"], "--format: parquet for a dataset"),
    ],
)
def test_a_command_line_that_cannot_be_is_named(wattplan: Wattplan, template_folder: Path, arguments: list[str], named: str) -> None:
    ended = wattplan(*(a.format(data=template_folder) for a in arguments))
    assert ended.code == 2
    assert len(ended.errors) == 1
    assert named in ended.errors[0]
    assert not ended.out


def test_a_bad_command_line_as_json(wattplan: Wattplan) -> None:
    ended = wattplan("plan", "--json")
    assert ended.code == 2
    assert ended.document["error"]["kind"] == "usage"
    assert ended.document["error"]["exit_code"] == 2
    assert "DATASET" in ended.document["error"]["messages"][0]

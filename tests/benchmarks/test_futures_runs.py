"""The measurement of plans for many futures, on the example whose figures follow by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.futures_runs import main
from models.files import write_dataset
from tests.batch.test_cli_futures import SCENARIOS
from tests.optimizer.futures.small import newsvendor


def test_runs_and_the_test_in_fresh_draws(tmp_path: Path) -> None:
    """Four draws of the two depths, then three fresh ones; the report tells both, and is written again from the results alone."""
    write_dataset(newsvendor()[0], tmp_path / "data.json")
    (tmp_path / "scenarios.toml").write_text(SCENARIOS)
    files = ["--results", str(tmp_path / "r.json"), "--report", str(tmp_path / "R.md")]
    given = ["--dataset", str(tmp_path / "data.json"), "--uncertainty", str(tmp_path / "scenarios.toml"), "--decide-before", "2026-Q2"]
    main([*given, *files, "--scenarios", "4", "--fresh", "3", "--whole", "--gap", "0", "--weight", "0", "--workers", "1"])
    results = json.loads((tmp_path / "r.json").read_text())
    run, test = results["runs"][0], results["test"]
    assert run["summary"]["value_usd"] == pytest.approx(run["summary"]["bound_usd"])
    by_plan = {row["plan"]: row for row in test["plans"]}
    assert by_plan["stochastic"]["scenarios"] == 3
    gain = by_plan["stochastic"]["mean_npv_usd"] - by_plan["deterministic"]["mean_npv_usd"]
    assert test["mean_gain_usd"] == pytest.approx(gain)
    assert test["better"] + test["worse"] == 3  # 5 racks against 8 or 2: in no future the same
    text = (tmp_path / "R.md").read_text()
    for words in ("| 4 |", "| stochastic | 3 | 0 |", "planned and audited", "In fresh draws"):
        assert words in text
    (tmp_path / "R.md").unlink()
    main([*files, "--report-only"])
    assert (tmp_path / "R.md").read_text() == text

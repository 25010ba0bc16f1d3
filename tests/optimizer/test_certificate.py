"""The bound holds outside the program: from the MPS file and the duals, by a script that knows nothing of us."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import highspy
import numpy as np
import pytest

from models.plan import Summary
from optimizer import plan
from optimizer.highs import certified_bound
from optimizer.mps import duals_path, write_model
from tests.generator import random_dataset
from tests.optimizer import certify
from tests.optimizer.solved import SEEDS, random_matrix, random_solution

MILLION = 1e6
SCRIPT = Path(certify.__file__)


@pytest.fixture(scope="module", params=[SEEDS.start, SEEDS.start + 1, SEEDS.start + 2])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    """A plan's model and duals, and its summary."""
    path = tmp_path_factory.mktemp("certificate") / "model.mps"
    return path, plan(random_dataset(request.param), gap=0, threads=1, write_mps=path).summary


def run(*arguments: Path) -> subprocess.CompletedProcess[str]:
    """The script as anyone would run it, in isolation: no path, site or environment of ours."""
    return subprocess.run(
        [sys.executable, "-I", str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_script_imports_the_standard_library_only() -> None:
    tree = list(ast.walk(ast.parse(SCRIPT.read_text())))
    names = [alias.name for node in tree if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in tree if isinstance(node, ast.ImportFrom)]
    assert names
    assert {name.split(".")[0] for name in names} <= set(sys.stdlib_module_names)


def test_the_bound_is_confirmed(written: tuple[Path, Summary]) -> None:
    path, summary = written
    ended = run(path, duals_path(path))
    assert (ended.returncode, ended.stderr) == (0, "")
    bound = float(ended.stdout)
    assert bound == pytest.approx(summary.bound_certified_usd, rel=1e-9)
    assert summary.npv_usd is not None
    assert summary.bound_usd is not None
    assert summary.npv_usd <= summary.bound_usd <= bound * (1 + 1e-9)


def test_other_duals_prove_less_but_never_too_much(written: tuple[Path, Summary]) -> None:
    """The relaxation's duals are the best there are; noise, sign changes, deletions and zeros leave a valid limit."""
    path, summary = written
    model, duals = certify.Model(path), certify.read_duals(duals_path(path))
    best = certify.bound_usd(model, duals)
    rng = np.random.default_rng(1)
    largest = max(duals, key=lambda row: abs(duals[row]))
    others = [
        duals | {largest: duals[largest] * 1.5},
        duals | {largest: 0.0},
        duals | {largest: -duals[largest]},
        {row: y * float(rng.uniform(0.5, 1.5)) for row, y in duals.items()},
        {row: float(rng.normal()) for row in model.kinds},
        {},
    ]
    assert summary.npv_usd is not None
    for other in others:
        found = certify.bound_usd(model, other)
        assert found >= best * (1 - 1e-9)
        assert found >= summary.npv_usd
    assert certify.bound_usd(model, {}) > best * 1.01


def test_no_solution_beats_any_bound() -> None:
    """Random duals on a model whose optimum is known."""
    seed = SEEDS.start
    m, optimum = random_matrix(seed), random_solution(seed).objective
    rng = np.random.default_rng(2)
    for scale in (0.0, 1e-3, 0.1, 1.0):
        assert certified_bound(m, scale * rng.normal(size=m.shape[0])) <= optimum


def test_the_solver_s_own_reader_finds_the_same_optimum(written: tuple[Path, Summary]) -> None:
    path, summary = written
    highs = highspy.Highs()
    for option, value in {"output_flag": False, "threads": 1, "mip_rel_gap": 0.0, "mip_abs_gap": 1e-9}.items():
        highs.setOptionValue(option, value)
    assert highs.readModel(str(path)) == highspy.HighsStatus.kOk
    sizes = (
        highs.getLp().num_row_,
        highs.getLp().num_col_,
        sum(kind == highspy.HighsVarType.kInteger for kind in highs.getLp().integrality_),
    )
    assert sizes == (summary.sizes.rows, summary.sizes.columns, summary.sizes.integers)
    highs.run()
    assert highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    assert -highs.getInfo().objective_function_value * MILLION == pytest.approx(summary.npv_usd, rel=1e-6)


def test_every_number_comes_back_from_the_file(tmp_path: Path) -> None:
    """Costs, rows, bounds and the constant, to the last digit."""
    m = random_matrix(SEEDS.start)
    write_model(m, tmp_path / "m.mps")
    model = certify.Model(tmp_path / "m.mps")
    assert list(model.bounds.values()) == list(zip(m.lower.tolist(), m.upper.tolist(), strict=True))
    assert model.rhs[model.objective] == -m.offset
    limits = np.where(np.isfinite(m.row_upper), m.row_upper, m.row_lower)
    assert [model.rhs.get(row, 0.0) for row in model.kinds] == limits.tolist()
    position = {row: i for i, row in enumerate(model.kinds)}
    for j, entries in enumerate(model.entries.values()):
        assert sum(value for row, value in entries if row == model.objective) == m.cost[j]
        part = slice(m.a.indptr[j], m.a.indptr[j + 1])
        found = {position[row]: value for row, value in entries if row != model.objective}
        assert found == dict(zip(m.a.indices[part].tolist(), m.a.data[part].tolist(), strict=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [("row,dual\nnone,1.0\n", "rows that the model does not have: none"), ("row,dual\n", ""), ("row,dual\nx,a\n", "could not convert")],
)
def test_the_script_says_what_is_wrong(written: tuple[Path, Summary], tmp_path: Path, text: str, message: str) -> None:
    duals = tmp_path / "duals.csv"
    duals.write_text(text)
    ended = run(written[0], duals)
    assert (ended.returncode == 0) == (message == "")
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert run(written[0]).returncode == 2

"""Plans against a second solver: the optimum of random datasets is the same from SCIP, on the very same matrix.

Six here; ``make soak-differential`` compares 230 (benchmarks/DIFFERENTIAL.md).
"""

from __future__ import annotations

import pytest

from models.plan import SolutionStatus, StopReason
from optimizer import plan
from optimizer.audit import audit
from tests.generator import random_dataset
from tests.optimizer.solved import SEEDS, random_matrix, solve_scip

MILLION = 1e6
AGREE = 1e-6
"""Relative difference of NPV up to which two solvers agree; the gap that plan() proves is of this size."""


@pytest.mark.parametrize("seed", SEEDS[::5])
def test_scip_agrees(seed: int) -> None:
    dataset = random_dataset(seed)
    made = plan(dataset, gap=0, threads=1, time_limit=120)
    summary = made.summary
    assert summary.status is SolutionStatus.OPTIMAL
    assert summary.stop_reason is StopReason.GAP_REACHED
    other = solve_scip(random_matrix(seed))
    assert other.status == "optimal"
    assert summary.npv_usd is not None
    assert summary.bound_usd is not None
    assert summary.npv_usd == pytest.approx(-other.objective * MILLION, rel=AGREE)
    assert summary.bound_usd == pytest.approx(-other.objective * MILLION, rel=AGREE)
    report = audit(dataset, made.tables, summary)
    assert report.passed, str(report)
    assert report.npv_recomputed_usd == pytest.approx(summary.npv_usd, rel=1e-9)

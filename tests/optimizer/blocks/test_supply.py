"""Supply: allocation of racks carries forward.

``without`` and ``relaxed`` serve the tests of other blocks too: search and extraction repair much of what a
missing row would let through, so that only the optimum of the matrix itself shows whether a row binds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.factories import small_dataset
from tests.optimizer.blocks.hand import best, npv
from tests.optimizer.cover import covers
from tests.optimizer.solved import compiled, solve_highs


def without(name: str = "", /, *, relax: bool = False, **tables: Any) -> float:
    """Optimum of the matrix itself, USD, with all rows of one constraint freed (none if it is not named).

    Unnamed it shows that the objective has the terms that the plan's summary, computed from data and decisions alone, has.

    Args:
        name: the constraint; it must have rows.
        relax: whether whole numbers may be fractions (the bound of the linear relaxation).
    """
    m = compiled(small_dataset(**tables))
    if name:
        rows, _ = m.rows[name]
        assert len(rows) > 0, f"no rows of {name}"
        m.row_lower[rows], m.row_upper[rows] = -np.inf, np.inf
    if relax:
        m.integer[:] = False
    answer = solve_highs(m)
    assert answer.status == "optimal"
    assert answer.x is not None
    return m.npv_usd(answer.x)


def allocated(*racks: tuple[str, float]) -> list[dict[str, Any]]:
    """Rows of supply.csv."""
    return [{"gen_id": "h100", "period": period, "racks": count} for period, count in racks]


@covers("supply")
def test_both_sites_share_one_allocation() -> None:
    """4 racks for two sites: NPV(4) = -216,000 + 4*54,800 = 3,200; each site could take the 4, NPV(8) = 222,400; 20 racks: 332,000."""
    tables: dict[str, Any] = {"periods": 1, "supply": allocated(("2026-Q1", 4))}
    found = best(**tables)
    assert found.summary.npv_usd == pytest.approx(3_200, rel=1e-9)
    assert found.racks["installed"].sum() == 4
    assert without("supply", **tables) == pytest.approx(222_400)
    assert npv(**{**tables, "supply": allocated(("2026-Q1", 20))}) == pytest.approx(332_000, rel=1e-9)


@covers("supply")
def test_unused_allocation_carries_forward() -> None:
    """Served from 2026-Q2, 6600 hours, by the racks of Q1, at two sites: 2*100*6600 - 100,000 = 1,220,000, 10 racks installed in Q2.

    Allocated in Q3 they serve 4416 hours: 2*100*4416 - 100*2184 - 100,000 = 564,800.
    With 4 racks -660,000 + 4*(30*6600 - 10,000) = 92,000; each site the 4: 844,000.
    """
    tables: dict[str, Any] = {"contracts": [{"contract_id": "c", "start": "2026-Q2"}]}
    found = best(**tables)
    assert found.summary.npv_usd == pytest.approx(1_220_000, rel=1e-9)
    assert found.racks["installed"].sum() == 10
    assert npv(**tables, supply=allocated(("2026-Q3", 10))) == pytest.approx(564_800, rel=1e-9)
    few = allocated(("2026-Q1", 4))
    assert npv(**tables, supply=few) == pytest.approx(92_000, rel=1e-9)
    assert without("supply", **tables, supply=few) == pytest.approx(844_000)

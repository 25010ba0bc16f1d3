"""Grid: facility draw on the design day against nodes, and demand charges on it."""

from __future__ import annotations

import pytest

from tests.optimizer.blocks.hand import best, npv, one, racks
from tests.optimizer.cover import covers

SITE = {"grid_node": "below", "overhead_mw": 0.1, "pue_air_peak": 1.5}
NODES = [{"node_id": "above"}, {"node_id": "below", "parent_id": "above"}]


@covers("grid")
def test_grid() -> None:
    """0.1 MW of overhead and 0.15 MW a rack: 0.55 MW feed 3 racks, NPV(3) = -216,000 + 3*54,800 = -51,600; without limit, all 10."""
    limit = [{"node_id": "above", "from_period": "2026-Q1", "limit_mw": 0.55}]
    assert npv(**one(**SITE), grid_nodes=NODES, grid_limits=limit) == pytest.approx(-51_600)
    assert npv(**one(**SITE), grid_nodes=NODES) == pytest.approx(racks(10))


@covers("demand_charges")
def test_demand_charges() -> None:
    """10 racks and overhead draw 1.6 MW at their peak: 3 USD * 1,600 kW * 3 months = 14,400."""
    charges = [{"price_zone": "P", "from_period": "2026-Q1", "usd_per_kw_month": 3}]
    found = best(**one(**SITE), grid_nodes=NODES, demand_charges=charges)
    assert found.summary.npv_terms["demand_charges"] == pytest.approx(-14_400)
    assert found.summary.npv_usd == pytest.approx(racks(10) - 14_400)

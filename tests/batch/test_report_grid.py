"""The report's picture of the grid says that a limit binds where the plan itself says so."""

from __future__ import annotations

import pandas as pd
import pytest

from batch.report.power import grid_draw
from models import tables as tb
from models.dataset import Dataset
from models.plan import Plan
from optimizer import plan
from tests.factories import small_dataset


def feeder(limit_mw: float, **more: object) -> tuple[Plan, Dataset]:
    """Site ``a`` below node ``n``: 10 racks of 0.1 MW are wanted, of which the limit lets some in."""
    dataset = small_dataset(
        sites=[{"site_id": "a", "grid_node": "n"}],
        grid_nodes=[{"node_id": "n", "parent_id": "top"}, {"node_id": "top"}],
        grid_limits=[
            {"node_id": "n", "from_period": "2026-Q1", "limit_mw": limit_mw},
            {"node_id": "top", "from_period": "2026-Q3", "limit_mw": 50.0},
        ],
        **more,
    )
    return plan(dataset, gap=0, threads=1), dataset


def nodes_of(dataset: Dataset, site: str) -> set[str]:
    """The site's grid node and those above it."""
    above = {row.node_id: row.parent_id for row in dataset.rows(tb.GridNode)}
    node = next(row.grid_node for row in dataset.rows(tb.Site) if row.site_id == site)
    found = set()
    while node is not None:
        found.add(node)
        node = above[node]
    return found


def bound(sites: pd.DataFrame) -> set[tuple[str, str]]:
    """Site and period where the plan says that the grid binds."""
    return {(s, p) for s, p, names in zip(sites["site_id"], sites["period"], sites["binding"], strict=True) if "grid" in names.split(";")}


@pytest.mark.parametrize(("limit_mw", "tight"), [(0.5, True), (0.55, True), (0.599, True), (1.0, True), (1.15, False), (20.0, False)])
def test_a_node_binds_where_no_further_rack_fits(limit_mw: float, tight: bool) -> None:
    """0.55 MW hold 5 racks of 0.1 MW: 0.05 MW are left and no rack needs so little; 1.15 MW hold the 10 there are and one more."""
    best, dataset = feeder(limit_mw)
    draw = grid_draw(best, dataset)
    own = draw[draw["row"] == "n"]
    assert own["used"].tolist() == pytest.approx([min(int(limit_mw * 10 + 1e-9), 10) / 10] * 4)
    assert own["tight"].tolist() == [tight] * 4
    assert not draw.loc[draw["row"] == "top", "tight"].any()
    assert bound(best.sites) == ({("a", period) for period in own["period"]} if tight else set())


def test_a_limit_that_begins_later_has_no_use_before_it() -> None:
    best, dataset = feeder(0.55)
    draw = grid_draw(best, dataset)
    assert draw.loc[draw["row"] == "top", "period"].tolist() == ["2026-Q3", "2026-Q4"]


def test_nodes_without_draw_do_not_bind() -> None:
    best, dataset = feeder(0.05)
    assert best.racks.empty
    assert not grid_draw(best, dataset)["tight"].any()


def test_every_site_that_the_grid_binds_has_a_node_that_binds() -> None:
    best, dataset = feeder(0.55)
    draw = grid_draw(best, dataset)
    tight = {(row, period) for row, period, yes in zip(draw["row"], draw["period"], draw["tight"], strict=True) if yes}
    for site, period in bound(best.sites):
        assert any((node, period) in tight for node in nodes_of(dataset, site))

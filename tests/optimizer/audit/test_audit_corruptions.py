"""The audit finds every plan that is wrong by a little more than its tolerance, and passes those within it."""

from __future__ import annotations

import pytest

from models.dataset import Dataset
from optimizer.audit import audit
from tests.optimizer.audit.corruptions import all_corruptions
from tests.optimizer.audit.plans import Tables
from tests.optimizer.audit.showcase import showcase_dataset, showcase_tables

CORRUPTIONS = all_corruptions()
JUST_ABOVE, JUST_BELOW = 1.5, 0.5

CONSTRAINTS = {
    "fleet", "supply", "rack_size", "install_window", "end_of_life", "it_power", "it_limit", "liquid", "liquid_limit", "air",
    "air_limit", "retrofit_size", "retrofit_once", "retrofit_air", "grid", "install_rate", "open_racks", "open_blocks", "open_retrofit",
    "open_serving", "open_monotone", "build_window", "sellable", "market_balance", "market_depth", "delivery", "short_limit",
    "serving_size", "serving_allowed", "serving_eligible", "max_sites", "serving_signed", "min_cluster", "distance", "moves",
    "residual", "capex_budget", "carbon_cap", "water", "customer_share", "directive", "table_columns", "table_ids", "table_periods",
    "table_keys", "table_values", "integrality", "non_negativity", "contracts_columns", "sites_columns", "market_columns", "decisions",
    "cash", "npv_terms", "npv", "bound", "gap", "status", "dataset",
}  # fmt: skip


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return showcase_dataset()


@pytest.fixture(scope="module")
def tables(dataset: Dataset) -> Tables:
    return showcase_tables(dataset)


def test_every_constraint_has_a_corruption() -> None:
    assert {corruption.constraint for corruption in CORRUPTIONS.values()} == CONSTRAINTS


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_found(name: str, dataset: Dataset, tables: Tables) -> None:
    corruption = CORRUPTIONS[name]
    case = corruption.make(dataset, tables, JUST_ABOVE)
    assert case is not None, "the showcase has nothing to corrupt in this way"
    report = audit(case.dataset, case.tables, case.summary)
    assert not report.passed
    violation = case.found(report)
    assert violation is not None, str(report)
    assert violation.constraint in violation.message
    assert all(value in violation.message for key, value in case.ids.items() if key not in ("key", "table")), violation.message
    if corruption.alone:
        assert set(report.violated) == {corruption.constraint}, str(report)


@pytest.mark.parametrize("name", [name for name, corruption in CORRUPTIONS.items() if not corruption.whole])
def test_passed_within_tolerance(name: str, dataset: Dataset, tables: Tables) -> None:
    corruption = CORRUPTIONS[name]
    case = corruption.make(dataset, tables, JUST_BELOW)
    assert case is not None
    report = audit(case.dataset, case.tables, case.summary)
    if corruption.alone:
        assert report.passed, str(report)
        assert 0 < report.worst_violation <= 1e-6
    assert corruption.constraint not in report.violated, str(report)

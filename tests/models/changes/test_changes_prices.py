"""Changes of contract terms, prices, markets and limits: the rows they write, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import small_dataset
from tests.models.changes.changes_kit import applied, codes, differences, faults

PRICES = [{"contract_id": "c", "from_period": "2025-Q1"}, {"contract_id": "c", "from_period": "2026-Q3", "usd_per_gpu_hour": 3}]
MARKET = [{"gen_id": "h100"}, {"gen_id": "h100", "tier": "bulk", "from_period": "2026-Q2", "max_gpus": 50}]
SEASONS = [{"season": q, "usd_per_mwh": 10 * q} for q in (1, 2, 3, 4)]


def test_contract_price() -> None:
    """2 USD, 3 from Q3: a tenth less from Q2 on; 5 USD in Q2 alone."""
    data = small_dataset(contract_prices=PRICES)
    change = {"type": "contract.price", "contract_id": "c", "from_period": "2026-Q2"}
    assert differences(data, change | {"factor": 0.5}) == [
        ("contract_prices", "c", "2026-Q3", "changed", {"usd_per_gpu_hour": 1.5}),
        ("contract_prices", "c", "2026-Q2", "added", {"usd_per_gpu_hour": 1.0}),
    ]
    assert differences(data, change | {"usd_per_gpu_hour": 5, "to_period": "2026-Q2"}) == [
        ("contract_prices", "c", "2026-Q2", "added", {"usd_per_gpu_hour": 5.0}),
    ]


def test_contract_rules() -> None:
    """Rules set and removed; nothing else of the contract changes."""
    data = small_dataset(contracts=[{"contract_id": "c", "max_sites": 1, "zones": ["Z"]}])
    change = {"type": "contract.rules", "contract_id": "c", "max_rtt_ms": 5, "excluded_sites": ["b"], "removed": ["max_sites", "zones"]}
    assert differences(data, change) == [
        ("contracts", "c", "changed", {"zones": [], "excluded_sites": ["b"], "max_sites": None, "max_rtt_ms": 5.0})
    ]
    assert applied(data, change).sentences == ("c: excluded_sites b, max_rtt_ms 5, no max_sites, no zones",)


def test_energy_price() -> None:
    """Two slices: one dearer by 5 USD in Q2; both tables rows begin together, and Q3 is as before."""
    slices = [{"slice": "peak", "hours_share": 0.5, "usd_per_mwh": 30}, {"slice": "off", "hours_share": 0.5, "usd_per_mwh": 20}]
    data = small_dataset(energy=slices)
    change = {"type": "energy.price", "slice": "peak", "added_usd_per_mwh": 5, "from_period": "2026-Q2", "to_period": "2026-Q2"}
    assert [(q, s, cells["usd_per_mwh"]) for _, _, q, s, _, cells in differences(data, change)] == [
        ("2026-Q2", "peak", 35.0), ("2026-Q2", "off", 20.0), ("2026-Q3", "peak", 30.0), ("2026-Q3", "off", 20.0),
    ]  # fmt: skip


def test_energy_price_of_a_season() -> None:
    """Only the season of the window changes: the spring of Q2."""
    change = {"type": "energy.price", "price_zone": "P", "factor": 2, "from_period": "2026-Q2", "to_period": "2026-Q2"}
    found = [(q, season, cells["usd_per_mwh"]) for _, _, q, season, _, _, cells in differences(small_dataset(energy=SEASONS), change)]
    assert found == [("2026-Q2", 2, 40.0), ("2026-Q3", 2, 20.0)]


@pytest.mark.parametrize(
    ("kind", "table", "column"),
    [("energy.demand_charge", "demand_charges", "usd_per_kw_month"), ("carbon.price", "carbon_prices", "usd_per_t")],
)
def test_charges(kind: str, table: str, column: str) -> None:
    """Where there was no charge: 4 USD in Q2, 0 after; a factor on nothing has no effect; a factor on a row there is."""
    change = {"type": kind, "price_zone": "P", "from_period": "2026-Q2", "to_period": "2026-Q2"}
    assert differences(small_dataset(), change | {column: 4}) == [
        (table, "P", "2026-Q2", "added", {column: 4.0}),
        (table, "P", "2026-Q3", "added", {column: 0.0}),
    ]
    assert codes(applied(small_dataset(), change | {"factor": 2})) == ["no_effect"]
    data = small_dataset(**{table: [{"price_zone": "P", "from_period": "2026-Q2", column: 3}]})
    assert differences(data, change | {"factor": 2}) == [
        (table, "P", "2026-Q2", "changed", {column: 6.0}),
        (table, "P", "2026-Q3", "added", {column: 3.0}),
    ]


def test_carbon_cap() -> None:
    """Tonnes for two years; a factor on the one there is; lifted."""
    data = small_dataset(periods=8, carbon_cap=[{"year": 2027, "tonnes": 100}])
    change: dict[str, Any] = {"type": "carbon.cap", "from_year": 2026, "to_year": 2027}
    assert differences(data, change | {"tonnes": 70}) == [
        ("carbon_cap", 2027, "changed", {"tonnes": 70.0}),
        ("carbon_cap", 2026, "added", {"tonnes": 70.0}),
    ]
    assert differences(data, change | {"factor": 0.5}) == [("carbon_cap", 2027, "changed", {"tonnes": 50.0})]
    assert differences(data, change | {"lifted": True}) == [("carbon_cap", 2027, "removed", {})]
    assert faults(data, change | {"from_year": 2020, "lifted": True})[0].allowed == "a year from 2026 to 2027"


def test_market() -> None:
    """All tiers from Q2 at half price: spot gets a row, bulk begins there; one tier's depth from Q3."""
    data = small_dataset(market=MARKET)
    price = {"type": "market.price", "gen_id": "h100", "factor": 0.5, "from_period": "2026-Q2"}
    assert differences(data, price) == [
        ("market", "h100", "bulk", "2026-Q2", "changed", {"usd_per_gpu_hour": 0.5}),
        ("market", "h100", "spot", "2026-Q2", "added", {"usd_per_gpu_hour": 0.5, "max_gpus": 100.0}),
    ]
    depth = {"type": "market.depth", "tier": "bulk", "max_gpus": 20, "from_period": "2026-Q3"}
    assert differences(data, depth) == [("market", "h100", "bulk", "2026-Q3", "added", {"usd_per_gpu_hour": 1.0, "max_gpus": 20.0})]
    (fault,) = faults(data, price | {"tier": "bukl"})
    assert (fault.code, fault.pointer, fault.suggestion) == ("unknown_id", "/0/tier", "bulk")


def test_market_tier_of_another_generation() -> None:
    """A tier that exists, but not for this generation."""
    gens = [{"gen_id": "h100"}, {"gen_id": "gb300"}]
    data = small_dataset(generations=gens, market=[*MARKET, {"gen_id": "gb300", "tier": "auction"}])
    (fault,) = faults(data, {"type": "market.price", "gen_id": "gb300", "tier": "bulk", "factor": 2})
    assert (fault.value, fault.allowed) == ("bulk", "one of auction")


def test_grid_limit() -> None:
    """20 MW halved in Q2; a node without a limit takes one for good, but none for a while."""
    grid = {
        "sites": [{"site_id": "a", "grid_node": "n", "overhead_mw": 1}], "grid_nodes": [{"node_id": "n"}, {"node_id": "free"}],
        "grid_limits": [{"node_id": "n", "from_period": "2026-Q1", "limit_mw": 20}],
    }  # fmt: skip
    data = small_dataset(**grid)
    change: dict[str, Any] = {"type": "grid.limit", "node_id": "n", "from_period": "2026-Q2", "to_period": "2026-Q2"}
    assert differences(data, change | {"factor": 0.5}) == [
        ("grid_limits", "n", "2026-Q2", "added", {"limit_mw": 10.0}),
        ("grid_limits", "n", "2026-Q3", "added", {"limit_mw": 20.0}),
    ]
    free = {"type": "grid.limit", "node_id": "free", "limit_mw": 5, "from_period": "2026-Q2"}
    assert differences(data, free) == [("grid_limits", "free", "2026-Q2", "added", {"limit_mw": 5.0})]
    assert faults(data, free | {"to_period": "2026-Q3"})[0].code == "no_limit_after"
    (fault,) = faults(data, change | {"limit_mw": 0.5})
    assert (fault.code, fault.allowed) == ("limit_below_overhead", "at least 1")


def test_budget() -> None:
    """A budget there is: a factor, or another figure, in a window. Where there is none, only a whole one."""
    data = small_dataset(capex_budget=[{"period": "2026-Q1", "usd": 100}, {"period": "2026-Q3", "usd": 60}])
    change: dict[str, Any] = {"type": "budget.cap", "from_period": "2026-Q2"}
    assert differences(data, change | {"factor": 0.5}) == [("capex_budget", "2026-Q3", "changed", {"usd": 30.0})]
    assert differences(data, change | {"usd_per_period": 7, "to_period": "2026-Q2"}) == [("capex_budget", "2026-Q2", "added", {"usd": 7.0})]
    assert faults(small_dataset(), change | {"usd_per_period": 7})[0].pointer == "/0/from_period"
    whole = applied(small_dataset(), {"type": "budget.cap", "usd_per_period": 7}).dataset["capex_budget"]
    assert whole["usd"].tolist() == [7.0] * 4
    assert codes(applied(small_dataset(), change | {"factor": 0.5})) == ["no_effect"]


def test_moves_and_discount_rate() -> None:
    """Figures of contracts and a setting."""
    data = small_dataset(contracts=[{"contract_id": "c", "move_usd_per_gpu": 100}, {"contract_id": "d"}])
    assert differences(data, {"type": "move.price", "factor": 3}) == [("contracts", "c", "changed", {"move_usd_per_gpu": 300.0})]
    assert differences(data, {"type": "move.price", "usd_per_gpu": 40, "contract_id": "d"}) == [
        ("contracts", "d", "changed", {"move_usd_per_gpu": 40.0})
    ]
    assert differences(data, {"type": "discount.rate", "discount_rate": 0.1}) == [("dataset", "changed", {"discount_rate": 0.1})]

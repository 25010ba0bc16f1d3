"""Changes of retrofits, supply, contracts, prices and limits: the rows they write, by hand."""

from __future__ import annotations

from typing import Any

from models.dataset import Dataset
from tests.factories import small_dataset
from tests.models.changes.changes_kit import applied, codes, differences, faults

RETROFIT = {"site_id": "a", "min_mw": 2, "max_mw": 6, "fixed_usd": 10, "usd_per_kw": 5, "lead_periods": 1}


def contract(**terms: Any) -> Dataset:
    """A contract that owes 100 GPUs from Q1 and 200 from Q3, at 2 USD."""
    ramp = [{"contract_id": "c", "gpus": 100}, {"contract_id": "c", "from_period": "2026-Q3", "gpus": 200}]
    return small_dataset(contracts=[{"contract_id": "c", **terms}], contract_ramp=[{"from_period": "2026-Q1"} | row for row in ramp])


def test_retrofits() -> None:
    """Allowed: a row; on other terms: a changed row; forbidden: none; forced: a directive within the largest order."""
    none, some = small_dataset(), small_dataset(retrofits=[RETROFIT])
    allow = {"type": "retrofit.allow", **RETROFIT}
    figures = {"min_mw": 2.0, "max_mw": 6.0, "fixed_usd": 10.0, "usd_per_kw": 5.0, "lead_periods": 1}
    assert differences(none, allow) == [("retrofits", "a", "added", figures)]
    assert differences(some, allow | {"max_mw": 8}) == [("retrofits", "a", "changed", {"max_mw": 8.0})]
    assert differences(some, {"type": "retrofit.forbid", "site_id": "a"}) == [("retrofits", "a", "removed", {})]
    assert applied(none, allow, {"type": "retrofit.forbid", "site_id": "a"}).dataset.sha256 == none.sha256
    force = {"type": "retrofit.force", "site_id": "a", "mw": 3, "by_period": "2026-Q2"}
    ((table, row, kind, cells),) = differences(some, force)
    assert (table, row, kind) == ("directives", "change-1", "added")
    assert cells == {
        "rule": "min", "decision": "retrofit", "site_id": "a", "from_period": "2026-Q2", "value": 3.0,
        "why": "a: at least 3 MW ordered to be converted to liquid by 2026-Q2",
    }  # fmt: skip
    assert faults(some, force | {"mw": 7})[0].allowed == "at most 6"
    assert faults(none, force)[0].code == "unknown_id"


def test_supply() -> None:
    """10 racks in Q1 and 7 in Q3."""
    data = small_dataset(supply=[{"gen_id": "h100"}, {"gen_id": "h100", "period": "2026-Q3", "racks": 7}])
    cut = {"type": "supply.cut", "gen_id": "h100", "cut_share": 0.3}
    assert differences(data, cut) == [  # 7.0 and 4.9 racks, in whole racks
        ("supply", "h100", "2026-Q1", "changed", {"racks": 7}),
        ("supply", "h100", "2026-Q3", "changed", {"racks": 4}),
    ]
    assert differences(data, cut | {"from_period": "2026-Q2"}) == [("supply", "h100", "2026-Q3", "changed", {"racks": 4})]
    late = {"type": "supply.delay", "gen_id": "h100", "delay_periods": 2}
    assert applied(data, late).dataset["supply"].to_dict("records") == [{"gen_id": "h100", "period": "2026-Q3", "racks": 10}]
    assert applied(data, late | {"delay_periods": 1, "from_period": "2026-Q3"}).dataset["supply"]["period"].tolist() == [
        "2026-Q1",
        "2026-Q4",
    ]
    more = {"type": "supply.add", "gen_id": "h100", "racks": 5}
    assert differences(data, more | {"period": "2026-Q3"}) == [("supply", "h100", "2026-Q3", "changed", {"racks": 12})]
    assert differences(data, more | {"period": "2026-Q2"}) == [("supply", "h100", "2026-Q2", "added", {"racks": 5})]


def test_supply_after_the_last_installation_warns() -> None:
    """Racks of Q2 that come in Q4 can't be installed after Q3."""
    data = small_dataset(generations=[{"gen_id": "h100", "last_install": "2026-Q3"}], supply=[{"gen_id": "h100", "period": "2026-Q2"}])
    result = applied(data, {"type": "supply.delay", "gen_id": "h100", "delay_periods": 2})
    assert codes(result) == ["supply_too_late"]
    assert "10 racks of h100 come after its last installation" in str(result.warnings[0])


def test_gpu_price_in_a_window() -> None:
    """1000 USD, half of it in Q2 only; then as before."""
    change = {"type": "supply.price", "gen_id": "h100", "factor": 0.5, "from_period": "2026-Q2", "to_period": "2026-Q2"}
    assert differences(small_dataset(), change) == [
        ("gpu_prices", "h100", "2026-Q2", "added", {"usd_per_gpu": 500.0}),
        ("gpu_prices", "h100", "2026-Q3", "added", {"usd_per_gpu": 1000.0}),
    ]
    assert applied(small_dataset(), change, change | {"factor": 2}).dataset.sha256 == small_dataset().sha256


def test_resize() -> None:
    """Half of 100 in Q2 only; 150 from Q4 on; the cluster shrinks with the highest ramp."""
    change = {"type": "contract.resize", "contract_id": "c"}
    assert differences(contract(), change | {"factor": 0.5, "from_period": "2026-Q2", "to_period": "2026-Q2"}) == [
        ("contract_ramp", "c", "2026-Q2", "added", {"gpus": 50.0}),
    ]
    assert differences(contract(), change | {"gpus": 150, "from_period": "2026-Q4"}) == [
        ("contract_ramp", "c", "2026-Q4", "added", {"gpus": 150.0}),
    ]
    assert differences(contract(min_cluster_gpus=180), change | {"factor": 0.5}) == [
        ("contracts", "c", "changed", {"min_cluster_gpus": 100.0}),
        ("contract_ramp", "c", "2026-Q1", "changed", {"gpus": 50.0}),
        ("contract_ramp", "c", "2026-Q3", "changed", {"gpus": 100.0}),
    ]
    short = contract(end="2026-Q3")
    assert faults(short, change | {"factor": 0.5, "from_period": "2026-Q4"})[0].code == "outside_contract"
    assert differences(short, change | {"factor": 0.25, "from_period": "2026-Q3", "to_period": "2026-Q4"}) == [
        ("contract_ramp", "c", "2026-Q3", "changed", {"gpus": 50.0}),
    ]


def test_delay_of_a_contract() -> None:
    """All of it a quarter later; or only what comes from Q3 on; not one that has begun."""
    change = {"type": "contract.delay", "contract_id": "c", "delay_periods": 1}
    data = applied(contract(), change).dataset
    assert data["contracts"][["start", "end"]].values.tolist() == [["2026-Q2", "2027-Q1"]]
    assert data["contract_ramp"][["from_period", "gpus"]].values.tolist() == [["2026-Q2", 100.0], ["2026-Q4", 200.0]]
    assert data["contract_prices"]["from_period"].tolist() == ["2026-Q2"]
    late = applied(contract(), change | {"from_period": "2026-Q3"}).dataset
    assert late["contract_ramp"][["from_period", "gpus"]].values.tolist() == [["2026-Q1", 100.0], ["2026-Q4", 200.0]]
    lost = applied(contract(min_cluster_gpus=150), change | {"from_period": "2026-Q3", "delay_periods": 2}).dataset
    assert lost["contract_ramp"]["gpus"].tolist() == [100.0]
    assert lost["contracts"]["min_cluster_gpus"].tolist() == [100.0]
    (fault,) = faults(contract(start="2025-Q4"), change)
    assert (fault.code, fault.allowed) == ("contract_begun", "a period from 2026-Q1 to 2026-Q4")


def test_extension() -> None:
    """A contract until Q2 runs until Q4, then at 1.5 USD and 80 GPUs."""
    data = small_dataset(contracts=[{"contract_id": "c", "end": "2026-Q2"}])
    change = {"type": "contract.extend", "contract_id": "c", "extension_periods": 2}
    assert differences(data, change) == [("contracts", "c", "changed", {"end": "2026-Q4"})]
    assert differences(data, change | {"usd_per_gpu_hour": 1.5, "gpus": 80})[1:] == [
        ("contract_ramp", "c", "2026-Q3", "added", {"gpus": 80.0}),
        ("contract_prices", "c", "2026-Q3", "added", {"usd_per_gpu_hour": 1.5}),
    ]


def test_termination() -> None:
    """From Q3 on: it ends in Q2, without the ramp of Q3. From Q1 on: nothing names it any more. After its end: no effect."""
    change = {"type": "contract.terminate", "contract_id": "c"}
    assert differences(contract(min_cluster_gpus=180), change | {"from_period": "2026-Q3"}) == [
        ("contracts", "c", "changed", {"end": "2026-Q2", "min_cluster_gpus": 100.0}),
        ("contract_ramp", "c", "2026-Q3", "removed", {}),
    ]
    named = small_dataset(
        current_deliveries=[{"contract_id": "c", "site_id": "a"}], serving_costs=[{"contract_id": "c", "site_id": "a", "usd_per_gpu_hour": 1}],
        directives=[{"decision": "sign", "contract_id": "c", "value": 1}, {"decision": "open", "site_id": "a", "value": 1}],
    )  # fmt: skip
    gone = applied(named, change | {"from_period": "2026-Q1"}).dataset
    named_by = [name for name, rows in gone.to_plain().items() if rows and name != "dataset"]
    assert [name for name in named_by if "contract" in name or name in ("current_deliveries", "serving_costs")] == []
    assert gone["directives"]["row"].tolist() == ["d2"]
    assert codes(applied(contract(end="2026-Q3"), change | {"from_period": "2026-Q4"})) == ["no_effect"]


def test_new_contract() -> None:
    """Its rows in four tables, and the faults of a dataset in which it has no price when it needs one."""
    change = {
        "type": "contract.add", "contract_id": "new", "customer": "v", "start": "2026-Q2", "end": "2026-Q4", "ld_usd_per_gpu_hour": 3,
        "load_share": 0.5, "ramp": [{"from_period": "2026-Q2", "gpus": 40}], "generations": [{"gen_id": "h100", "gpu_equivalent": 2}],
        "prices": [{"from_period": "2026-Q2", "usd_per_gpu_hour": 4}], "excluded_sites": ["b"],
    }  # fmt: skip
    found = {table: cells for table, _, *_, cells in differences(small_dataset(), change)}
    assert found.keys() == {"contracts", "contract_generations", "contract_ramp", "contract_prices"}
    assert found["contracts"] | {"cluster_grace": 2} == found["contracts"]
    assert (found["contracts"]["status"], found["contracts"]["excluded_sites"], found["contract_ramp"]["gpus"]) == ("prospect", ["b"], 40.0)
    (fault,) = faults(small_dataset(), change | {"prices": [{"from_period": "2026-Q3", "usd_per_gpu_hour": 4}]})
    assert (fault.code, fault.pointer) == ("missing_price", "/0")
    assert "would leave an invalid dataset" in fault.problem
    wrong = change | {"generations": [{"gen_id": "h10"}], "zones": ["ZZ"]}
    assert [(f.pointer, f.suggestion) for f in faults(small_dataset(), wrong)] == [("/0/generations/0/gen_id", "h100"), ("/0/zones/0", "Z")]

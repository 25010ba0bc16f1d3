"""One planted fault gives one message that names its place; every rule has its case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from models.checks import CROSS_CHECKS, WARNINGS
from models.dataset import Dataset
from models.faults import DatasetError, Fault
from tests.factories import PlainTables, small_dataset, small_tables

Mutation = Callable[[dict[str, Any], PlainTables], None]


def faults_of(mutate: Mutation | None = None, **overrides: Any) -> tuple[Fault, ...]:
    """Faults of a small dataset after a change of its plain values."""
    settings, tables = small_tables(**overrides)
    if mutate:
        mutate(settings, tables)
    with pytest.raises(DatasetError) as caught:
        Dataset.build(settings, **tables)
    return caught.value.faults


def put(table: str, column: str, value: Any, row: int = 0) -> Mutation:
    """Write one cell."""
    return lambda _, tables: tables[table][row].__setitem__(column, value)


def setting(key: str, value: Any) -> Mutation:
    """Write one setting."""
    return lambda settings, _: settings.__setitem__(key, value)


def drop(table: str, column: str = "") -> Mutation:
    """Remove a table, or a column of it."""

    def mutate(_: dict[str, Any], tables: PlainTables) -> None:
        if column:
            for row in tables[table]:
                row.pop(column, None)
        else:
            del tables[table]

    return mutate


def again(table: str) -> Mutation:
    """Repeat the first row of a table."""
    return lambda _, tables: tables[table].append(dict(tables[table][0]))


CELLS: list[tuple[str, Mutation, tuple[str, str, str, str]]] = [
    ("text for a number", put("sites", "pue_air", "high"), ("sites", "row 1", "pue_air", "not_a_number")),
    ("a number with separators", put("sites", "overhead_mw", "1,000"), ("sites", "row 1", "overhead_mw", "not_a_number")),
    ("a number with underscores", put("sites", "overhead_mw", "1_000"), ("sites", "row 1", "overhead_mw", "not_a_number")),
    ("other digits", put("sites", "overhead_mw", "\u0663"), ("sites", "row 1", "overhead_mw", "not_a_number")),
    ("yes for a number", put("sites", "overhead_mw", True), ("sites", "row 1", "overhead_mw", "not_a_number")),
    ("a list for a number", put("sites", "overhead_mw", [1]), ("sites", "row 1", "overhead_mw", "not_a_number")),
    ("NaN", put("sites", "overhead_mw", float("nan")), ("sites", "row 1", "overhead_mw", "not_finite")),
    ("nan as text", put("sites", "overhead_mw", "NaN"), ("sites", "row 1", "overhead_mw", "not_finite")),
    ("infinity", put("sites", "overhead_mw", float("inf")), ("sites", "row 1", "overhead_mw", "not_finite")),
    ("a number beyond doubles", put("sites", "overhead_mw", 10**400), ("sites", "row 1", "overhead_mw", "not_finite")),
    ("overflowing text", put("sites", "overhead_mw", "1e999"), ("sites", "row 1", "overhead_mw", "not_finite")),
    ("an absurd number", put("supply", "racks", 10**20), ("supply", "row 1", "racks", "out_of_range")),
    ("negative quantity", put("gpu_prices", "usd_per_gpu", -1), ("gpu_prices", "row 1", "usd_per_gpu", "negative")),
    ("share above 1", put("contracts", "load_share", 1.01), ("contracts", "row 1", "load_share", "out_of_range")),
    ("PUE below 1", put("sites", "pue_air_peak", 0.9), ("sites", "row 1", "pue_air_peak", "out_of_range")),
    ("no GPUs in a rack", put("generations", "gpus_per_rack", 0), ("generations", "row 1", "gpus_per_rack", "out_of_range")),
    ("half a rack", put("supply", "racks", 1.5), ("supply", "row 1", "racks", "not_whole")),
    ("latitude", put("sites", "lat", 91), ("sites", "row 1", "lat", "out_of_range")),
    ("unknown status", put("sites", "status", "opened"), ("sites", "row 1", "status", "unknown_choice")),
    ("id in capitals", put("contracts", "contract_id", "C"), ("contracts", "row 1", "contract_id", "bad_id")),
    ("required cell empty", put("sites", "zone", " "), ("sites", "row 1", "zone", "missing_value")),
    ("a date for text", put("sites", "zone", {"a": 1}), ("sites", "row 1", "zone", "not_text")),
    ("a fraction for text", put("sites", "zone", 1.5), ("sites", "row 1", "zone", "not_text")),
    ("control character", put("sites", "zone", "a\x00b"), ("sites", "row 1", "zone", "control_character")),
    ("lone surrogate", put("sites", "zone", "a\ud800"), ("sites", "row 1", "zone", "control_character")),
    ("endless text", put("sites", "name", "x" * 40_000), ("sites", "row 1", "name", "too_long")),
    ("month in a quarterly dataset", put("supply", "period", "2026-03"), ("supply", "row 1", "period", "bad_period")),
    ("fifth quarter", put("contracts", "end", "2026-Q5"), ("contracts", "row 1", "end", "bad_period")),
    ("twice in a list", put("contracts", "sites", "a;a"), ("contracts", "row 1", "sites", "duplicate_entry")),
    ("no id in a list", put("contracts", "sites", ["a", "B"]), ("contracts", "row 1", "sites", "bad_id")),
    ("unknown id", put("power_blocks", "site_id", "aa"), ("power_blocks", "row 1", "site_id", "unknown_id")),
    ("unknown id in a list", put("contracts", "excluded_sites", "a;z"), ("contracts", "row 1", "excluded_sites", "unknown_id")),
    ("unknown grid node", put("sites", "grid_node", "n"), ("sites", "row 1", "grid_node", "unknown_id")),
    ("duplicate id", again("generations"), ("generations", "row 2", "gen_id", "duplicate_key")),
    ("duplicate key of three", again("energy"), ("energy", "row 2", "price_zone, from_period, season, slice", "duplicate_key")),
    ("unknown column", put("sites", "pue_of_air", 1.2), ("sites", "", "pue_of_air", "unknown_column")),
    ("missing column", drop("sites", "country"), ("sites", "", "country", "missing_column")),
    ("missing table", drop("contract_ramp"), ("contract_ramp", "", "", "missing_table")),
    ("unknown table", lambda _, t: t.__setitem__("sitess", []), ("sitess", "", "", "unknown_table")),
    ("misspelt table", lambda _, t: t.__setitem__("contract_rmp", t.pop("contract_ramp")), ("contract_rmp", "", "", "unknown_table")),
    ("no sites", lambda _, t: t.update({k: [] for k in t}), ("sites", "", "", "no_rows")),
    ("setting out of range", setting("commissioning_share", 1.5), ("dataset", "", "commissioning_share", "out_of_range")),
    ("unknown setting", setting("discount", 0.1), ("dataset", "", "discount", "unknown_column")),
    ("missing setting", lambda s, _: s.pop("name"), ("dataset", "", "name", "missing_value")),
    ("start of another kind", setting("start", "2026-01"), ("dataset", "", "start", "bad_period")),
    ("no such kind of period", setting("period", "week"), ("dataset", "", "period", "unknown_choice")),
    ("version of the future", setting("schema_version", 2), ("dataset", "", "schema_version", "out_of_range")),
]


@pytest.mark.parametrize(("mutate", "expected"), [c[1:] for c in CELLS], ids=[c[0] for c in CELLS])
def test_a_faulty_cell_gives_one_message_with_its_place(mutate: Mutation, expected: tuple[str, str, str, str]) -> None:
    faults = faults_of(mutate)
    assert [(f.table, f.row, f.column, f.code) for f in faults] == [expected]


CANDIDATE = [{"site_id": "a", "status": "candidate"}, {"site_id": "b"}]
NODES = [{"node_id": "n"}, {"node_id": "m", "parent_id": "n"}]
FED = [{"site_id": "a", "grid_node": "m", "overhead_mw": 3}, {"site_id": "b", "grid_node": "n", "overhead_mw": 4}]

RULES: list[tuple[str, dict[str, Any], tuple[str, str, str, str]]] = [
    (
        "activation of an open site",
        {"sites": [{"site_id": "a", "activation_usd": 5}]},
        ("sites", "row 1", "activation_usd", "activation_of_open_site"),
    ),
    (
        "firm block of a candidate",
        {"sites": CANDIDATE, "power_blocks": [{"block_id": "x", "site_id": "a", "status": "firm"}]},
        ("power_blocks", "row 1", "status", "firm_block_of_candidate"),
    ),
    (
        "capital of a firm block",
        {"power_blocks": [{"block_id": "x", "site_id": "a", "status": "firm", "capex_usd": 1}]},
        ("power_blocks", "row 1", "capex_usd", "capex_of_firm_block"),
    ),
    (
        "retrofit range reversed",
        {"retrofits": [{"site_id": "a", "min_mw": 2, "max_mw": 1}]},
        ("retrofits", "row 1", "min_mw", "reversed_range"),
    ),
    (
        "downtime above lead time",
        {"retrofits": [{"site_id": "a", "lead_periods": 1, "downtime_periods": 2}]},
        ("retrofits", "row 1", "downtime_periods", "downtime_above_lead"),
    ),
    (
        "link to itself",
        {"network_links": [{"site_a": "a", "site_b": "a", "rtt_ms": 1}]},
        ("network_links", "row 1", "site_b", "link_to_itself"),
    ),
    (
        "link both ways",
        {"network_links": [{"site_a": "a", "site_b": "b", "rtt_ms": 1}, {"site_a": "b", "site_b": "a", "rtt_ms": 1}]},
        ("network_links", "row 2", "site_a, site_b", "duplicate_key"),
    ),
    (
        "install window reversed",
        {"generations": [{"gen_id": "h100", "first_install": "2027-Q1", "last_install": "2026-Q4"}]},
        ("generations", "row 1", "last_install", "reversed_range"),
    ),
    ("supply before the horizon", {"supply": [{"gen_id": "h100", "period": "2025-Q4"}]}, ("supply", "row 1", "period", "outside_horizon")),
    ("supply after the horizon", {"supply": [{"gen_id": "h100", "period": "2027-Q1"}]}, ("supply", "row 1", "period", "outside_horizon")),
    (
        "budget after the horizon",
        {"capex_budget": [{"period": "2027-Q1", "usd": 1}]},
        ("capex_budget", "row 1", "period", "outside_horizon"),
    ),
    (
        "fleet at a candidate",
        {"sites": CANDIDATE, "fleet": [{"site_id": "a", "gen_id": "h100", "racks": 1}]},
        ("fleet", "row 1", "site_id", "fleet_at_candidate"),
    ),
    (
        "fleet after the start",
        {"fleet": [{"site_id": "a", "gen_id": "h100", "in_service_since": "2026-Q2"}]},
        ("fleet", "row 1", "in_service_since", "fleet_after_start"),
    ),
    (
        "fleet above the power",
        {"fleet": [{"site_id": "a", "gen_id": "h100", "racks": 101}]},
        ("fleet", "row 1", "racks", "fleet_above_power"),
    ),
    (
        "fleet above the usable power",
        {
            "fleet": [{"site_id": "a", "gen_id": "h100", "racks": 91}],
            "power_blocks": [{"block_id": "x", "site_id": "a", "usable_share": 0.9}],
        },
        ("fleet", "row 1", "racks", "fleet_above_power"),
    ),
    (
        "fleet before the power",
        {
            "fleet": [{"site_id": "a", "gen_id": "h100", "racks": 1}],
            "power_blocks": [{"block_id": "x", "site_id": "a", "energized": "2026-Q2"}],
        },
        ("fleet", "row 1", "racks", "fleet_above_power"),
    ),
    (
        "grid cycle",
        {"grid_nodes": [{"node_id": "n", "parent_id": "m"}, {"node_id": "m", "parent_id": "n"}, {"node_id": "k", "parent_id": "m"}]},
        ("grid_nodes", "row 1", "parent_id", "grid_cycle"),
    ),
    ("node above itself", {"grid_nodes": [{"node_id": "n", "parent_id": "n"}]}, ("grid_nodes", "row 1", "parent_id", "grid_cycle")),
    ("unknown parent", {"grid_nodes": [{"node_id": "n", "parent_id": "m"}]}, ("grid_nodes", "row 1", "parent_id", "unknown_id")),
    (
        "grid limit below overhead",
        {"sites": FED, "grid_nodes": NODES, "grid_limits": [{"node_id": "n", "from_period": "2026-Q2", "limit_mw": 6.9}]},
        ("grid_limits", "row 1", "limit_mw", "limit_below_overhead"),
    ),
    (
        "carbon cap below overhead",
        {"sites": [{"site_id": "a", "overhead_mw": 1}], "energy": [{"gco2_per_kwh": 100}], "carbon_cap": [{"year": 2026, "tonnes": 875}]},
        ("carbon_cap", "row 1", "tonnes", "limit_below_overhead"),
    ),
    ("no GPU price", {"gpu_prices": []}, ("generations", "row 1", "gen_id", "missing_price")),
    ("late GPU price", {"gpu_prices": [{"gen_id": "h100", "from_period": "2026-Q2"}]}, ("generations", "row 1", "gen_id", "missing_price")),
    (
        "shares below 1",
        {"energy": [{"hours_share": 0.4}, {"slice": "peak", "hours_share": 0.59}]},
        ("energy", "row 1", "hours_share", "shares_not_one"),
    ),
    ("three seasons", {"energy": [{"season": q} for q in (1, 2, 3)]}, ("energy", "row 1", "season", "mixed_seasons")),
    ("seasons and none", {"energy": [{"season": q} for q in (1, 2, 3, 4, None)]}, ("energy", "row 5", "season", "mixed_seasons")),
    ("no energy price", {"energy": [{"price_zone": "Q"}]}, ("sites", "row 1", "price_zone", "missing_price")),
    ("late energy price", {"energy": [{"from_period": "2026-Q2"}]}, ("sites", "row 1", "price_zone", "missing_price")),
    (
        "late price of a season",
        {"energy": [{"season": q, "from_period": "2026-Q2" if q == 3 else "2026-Q1"} for q in (1, 2, 3, 4)]},
        ("sites", "row 1", "price_zone", "missing_price"),
    ),
    (
        "contract reversed",
        {"contracts": [{"contract_id": "c", "start": "2026-Q2", "end": "2026-Q1"}]},
        ("contracts", "row 1", "end", "reversed_range"),
    ),
    ("no ramp", {"contract_ramp": []}, ("contracts", "row 1", "contract_id", "missing_ramp")),
    (
        "ramp before the contract",
        {"contracts": [{"contract_id": "c", "start": "2026-Q2"}], "contract_ramp": [{"contract_id": "c", "from_period": "2026-Q1"}]},
        ("contract_ramp", "row 1", "from_period", "ramp_outside_contract"),
    ),
    (
        "ramp after the contract",
        {
            "contracts": [{"contract_id": "c", "end": "2026-Q2"}],
            "contract_ramp": [{"contract_id": "c"}, {"contract_id": "c", "from_period": "2026-Q3"}],
        },
        ("contract_ramp", "row 2", "from_period", "ramp_outside_contract"),
    ),
    (
        "cluster above the ramp",
        {"contracts": [{"contract_id": "c", "min_cluster_gpus": 101}]},
        ("contracts", "row 1", "min_cluster_gpus", "cluster_above_ramp"),
    ),
    ("no price", {"contract_prices": []}, ("contracts", "row 1", "contract_id", "missing_price")),
    (
        "late price",
        {"contract_prices": [{"contract_id": "c", "from_period": "2026-Q2"}]},
        ("contracts", "row 1", "contract_id", "missing_price"),
    ),
    (
        "delivery to a prospect",
        {"contracts": [{"contract_id": "c", "status": "prospect"}], "current_deliveries": [{"contract_id": "c", "site_id": "a"}]},
        ("current_deliveries", "row 1", "contract_id", "delivery_of_prospect"),
    ),
    (
        "directive with a foreign id",
        {"directives": [{"decision": "open", "site_id": "a", "gen_id": "h100"}]},
        ("directives", "row 1", "gen_id", "must_be_empty"),
    ),
    (
        "directive with a period too many",
        {"directives": [{"decision": "sign", "contract_id": "c", "from_period": "2026-Q1"}]},
        ("directives", "row 1", "from_period", "must_be_empty"),
    ),
    (
        "directive half signed",
        {"directives": [{"decision": "sign", "contract_id": "c", "value": 2}]},
        ("directives", "row 1", "value", "out_of_range"),
    ),
    (
        "directive of half a rack",
        {"directives": [{"decision": "in_service", "site_id": "a", "value": 0.5}]},
        ("directives", "row 1", "value", "not_whole"),
    ),
    (
        "directive back in time",
        {"directives": [{"decision": "open", "from_period": "2026-Q2", "to_period": "2026-Q1"}]},
        ("directives", "row 1", "to_period", "reversed_range"),
    ),
    (
        "negative directive",
        {"directives": [{"decision": "retrofit", "site_id": "a", "value": -1}]},
        ("directives", "row 1", "value", "negative"),
    ),
]


@pytest.mark.parametrize(("overrides", "expected"), [c[1:] for c in RULES], ids=[c[0] for c in RULES])
def test_a_broken_rule_gives_one_message_with_its_place(overrides: dict[str, Any], expected: tuple[str, str, str, str]) -> None:
    faults = faults_of(**overrides)
    assert [(f.table, f.row, f.column, f.code) for f in faults] == [expected]


SOUND: list[tuple[str, dict[str, Any]]] = [
    (
        "old racks past their life need no power",
        {"fleet": [{"site_id": "a", "gen_id": "h100", "in_service_since": "2001-Q1", "racks": 999}]},
    ),
    ("a fleet that just fits", {"fleet": [{"site_id": "a", "gen_id": "h100", "racks": 100}]}),
    (
        "a limit after the horizon",
        {"sites": FED, "grid_nodes": NODES, "grid_limits": [{"node_id": "n", "from_period": "2027-Q1", "limit_mw": 0}]},
    ),
    (
        "a limit replaced before the start",
        {
            "sites": FED,
            "grid_nodes": NODES,
            "grid_limits": [{"node_id": "n", "from_period": f"202{y}-Q1", "limit_mw": mw} for y, mw in ((4, 0), (5, 7))],
        },
    ),
    (
        "a cap of another year",
        {"sites": [{"site_id": "a", "overhead_mw": 1}], "energy": [{"gco2_per_kwh": 100}], "carbon_cap": [{"year": 2027, "tonnes": 0}]},
    ),
    (
        "a cap that just suffices",
        {"sites": [{"site_id": "a", "overhead_mw": 1}], "energy": [{"gco2_per_kwh": 100}], "carbon_cap": [{"year": 2026, "tonnes": 876}]},
    ),
    ("no price for what cannot be bought", {"supply": [], "gpu_prices": []}),
    (
        "a price by the first supply",
        {"supply": [{"gen_id": "h100", "period": "2026-Q3"}], "gpu_prices": [{"gen_id": "h100", "from_period": "2026-Q3"}]},
    ),
    ("four seasons", {"energy": [{"season": q} for q in (1, 2, 3, 4)]}),
    ("a contract after the horizon", {"contracts": [{"contract_id": "c", "start": "2030-Q1", "end": "2031-Q4"}]}),
    ("no contracts", {"contracts": []}),
    ("a directive over many contracts", {"directives": [{"decision": "sign", "rule": "min", "value": 3}]}),
    (
        "overhead of a candidate",
        {
            "sites": [{"site_id": "a", "status": "candidate", "overhead_mw": 9, "grid_node": "n"}],
            "grid_nodes": NODES,
            "grid_limits": [{"node_id": "n", "limit_mw": 0}],
        },
    ),
    ("thirds that add to 1", {"energy": [{"slice": s, "hours_share": 1 / 3} for s in "abc"]}),
    ("whole numbers as text", {"period": "year", "start": 2026, "contracts": [{"contract_id": "c", "customer": 7}]}),
]


@pytest.mark.parametrize("overrides", [c[1] for c in SOUND], ids=[c[0] for c in SOUND])
def test_what_is_allowed_gives_no_message(overrides: dict[str, Any]) -> None:
    assert small_dataset(**overrides).warnings == ()


CHEAP = [{"gen_id": "h100", "usd_per_gpu_hour": 3.1}]
WARNED: list[tuple[str, dict[str, Any], tuple[str, str, str, str]]] = [
    ("breaking pays", {"market": CHEAP}, ("contracts", "row 1", "ld_usd_per_gpu_hour", "breaking_pays")),
    (
        "breaking pays with spares",
        {"market": [{"gen_id": "h100", "usd_per_gpu_hour": 2.9}], "contracts": [{"contract_id": "c", "spare_share": 0.05}]},
        ("contracts", "row 1", "ld_usd_per_gpu_hour", "breaking_pays"),
    ),
    (
        "breaking pays by equivalent",
        {
            "market": [{"gen_id": "h100", "usd_per_gpu_hour": 2}],
            "contract_generations": [{"contract_id": "c", "gen_id": "h100", "gpu_equivalent": 0.5}],
        },
        ("contracts", "row 1", "ld_usd_per_gpu_hour", "breaking_pays"),
    ),
    (
        "high residual",
        {"generations": [{"gen_id": "h100", "residual_factor": 0.81}]},
        ("generations", "row 1", "residual_factor", "high_residual"),
    ),
    (
        "option after the horizon",
        {"power_blocks": [{"block_id": "x", "site_id": "a", "status": "option", "energized": "2027-Q1"}]},
        ("power_blocks", "row 1", "energized", "option_never_built"),
    ),
    (
        "option ordered too late",
        {"power_blocks": [{"block_id": "x", "site_id": "a", "status": "option", "lead_periods": 2, "latest": "2026-Q2"}]},
        ("power_blocks", "row 1", "energized", "option_never_built"),
    ),
    ("zone of no site", {"contracts": [{"contract_id": "c", "zones": "Z;z"}]}, ("contracts", "row 1", "zones", "unused_zone")),
    (
        "charge of no zone",
        {"demand_charges": [{"price_zone": "p", "usd_per_kw_month": 1}]},
        ("demand_charges", "row 1", "price_zone", "unused_zone"),
    ),
]


@pytest.mark.parametrize(("overrides", "expected"), [c[1:] for c in WARNED], ids=[c[0] for c in WARNED])
def test_what_looks_wrong_gives_a_warning(overrides: dict[str, Any], expected: tuple[str, str, str, str]) -> None:
    warnings = small_dataset(**overrides).warnings
    assert [(f.table, f.row, f.column, f.code) for f in warnings] == [expected]


def test_a_market_without_depth_or_before_anything_is_owed_gives_no_warning() -> None:
    assert small_dataset(market=[{"gen_id": "h100", "usd_per_gpu_hour": 9, "max_gpus": 0}]).warnings == ()
    early = [{"gen_id": "h100", "usd_per_gpu_hour": 9}, {"gen_id": "h100", "from_period": "2026-Q2", "usd_per_gpu_hour": 1}]
    assert small_dataset(contracts=[{"contract_id": "c", "start": "2026-Q2"}], market=early).warnings == ()


def plant_twelve(settings: dict[str, Any], tables: PlainTables) -> None:
    """Twelve faults of different kinds."""
    settings["load_market"] = 2
    tables["sites"][0]["pue_air"] = "abc"
    tables["sites"][1]["activation_usd"] = 10
    tables["power_blocks"][1]["site_id"] = "bb"
    tables["generations"][0]["liquid_sahre"] = tables["generations"][0].pop("liquid_share")
    tables["supply"][0]["racks"] = -3
    tables["contracts"][0]["status"] = "sure"
    tables["contract_ramp"].append({**tables["contract_ramp"][0], "gpus": 5})
    tables["contract_prices"][0]["from_period"] = "2026-03"
    tables["energy"][0]["hours_share"] = 0.5
    tables["grid_nodes"] = [{"node_id": "n", "parent_id": "n"}]
    tables["capex_bugdet"] = [{"period": "2026-Q1", "usd": 5}]


def test_twelve_faults_give_twelve_messages() -> None:
    found = {(f.table, f.column, f.code) for f in faults_of(plant_twelve)}
    assert found == {
        ("dataset", "load_market", "out_of_range"),
        ("sites", "pue_air", "not_a_number"),
        ("sites", "activation_usd", "activation_of_open_site"),
        ("power_blocks", "site_id", "unknown_id"),
        ("generations", "liquid_sahre", "unknown_column"),
        ("supply", "racks", "negative"),
        ("contracts", "status", "unknown_choice"),
        ("contract_ramp", "contract_id, from_period", "duplicate_key"),
        ("contract_prices", "from_period", "bad_period"),
        ("energy", "hours_share", "shares_not_one"),
        ("grid_nodes", "parent_id", "grid_cycle"),
        ("capex_bugdet", "", "unknown_table"),
    }


def test_messages_name_place_value_and_what_is_allowed() -> None:
    text = {f.column: str(f) for f in faults_of(plant_twelve)}
    assert (
        text["site_id"] == "power_blocks, row 2, site_id: unknown id (found 'bb'); did you mean 'b'?"
        or "allowed: one of a, b" in text["site_id"]
    )
    assert text["racks"] == "supply, row 1, racks: is negative (found '-3'); allowed: a whole number of at least 0"
    assert text["liquid_sahre"].endswith("did you mean 'liquid_share'?")
    assert "a quarter written like 2026-Q1" in text["from_period"]


def test_pointers_lead_to_the_cell_of_a_json_document() -> None:
    assert {f.pointer for f in faults_of(plant_twelve)} >= {"/dataset/load_market", "/sites/0/pue_air", "/supply/0/racks", "/capex_bugdet"}


@pytest.mark.parametrize(
    ("mutate", "hidden"),
    [
        (put("contract_ramp", "gpus", "x"), "a ramp with a faulty figure is still a ramp"),
        (put("contract_prices", "contract_id", "cc"), "a price of a misspelt contract may be its price"),
        (put("power_blocks", "it_mw", "x"), "a block without a readable power may hold the fleet"),
        (put("gpu_prices", "usd_per_gpu", "x"), "a price that cannot be read is still a price"),
        (put("energy", "usd_per_mwh", "x"), "a faulty slice is no missing zone"),
        (put("sites", "site_id", "A"), "references to a faulty id are no second fault"),
        (put("sites", "site_id", ""), "references to an empty id are no second fault"),
        (put("contracts", "contract_id", None), "nor those of contracts"),
    ],
)
def test_one_fault_causes_no_second_message(mutate: Mutation, hidden: str) -> None:
    assert len(faults_of(mutate, fleet=[{"site_id": "a", "gen_id": "h100"}])) == 1, hidden


def test_a_misspelt_optional_table_hides_no_ids() -> None:
    overrides = {"sites": [{"site_id": "a", "grid_node": "n"}], "grid_nodes": [{"node_id": "n"}]}
    faults = faults_of(lambda _, t: t.__setitem__("grid_node", t.pop("grid_nodes")), **overrides)
    assert [(f.code, f.suggestion) for f in faults] == [("unknown_table", "grid_nodes")]


def test_every_check_has_a_docstring_for_the_reference() -> None:
    assert all(check.__doc__ for check in (*CROSS_CHECKS, *WARNINGS))


def test_a_share_of_no_capital_and_a_contract_without_end_are_no_faults() -> None:
    dataset = small_dataset(
        power_blocks=[{"block_id": "x", "site_id": "a", "residual_share": 0.3}], contracts=[{"contract_id": "c", "end": "9999-Q4"}]
    )
    assert dataset["contracts"]["end"].tolist() == ["9999-Q4"]


def test_a_horizon_far_from_today_is_a_fault_of_its_start() -> None:
    found = faults_of(lambda settings, _: settings.update(start="9990-Q1"))
    assert [(fault.column, fault.code, fault.value) for fault in found] == [("start", "out_of_range", "9990-Q1")]
    assert found[0].allowed == "a quarter of the years 1900 to 2200, written like 2026-Q1"

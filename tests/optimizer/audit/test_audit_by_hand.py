"""NPV terms and limits of tiny plans whose figures follow by hand (see ``tests.factories`` for what holds by default)."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from models.dataset import Dataset
from models.plan import NPV_TERMS, PLAN_COLUMNS, Plan
from optimizer.audit import AuditReport, audit
from tests.factories import small_dataset
from tests.generator import random_dataset
from tests.optimizer.audit.plans import Tables, draft, frame, summary_of
from tests.optimizer.audit.showcase import showcase_dataset, showcase_tables

Q1, Q2, Q3, Q4 = "2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"
YEAR_HOURS = 8760.0
PERIODS = (Q1, Q2, Q3, Q4)
BUY = {("a", "h100", Q1): 10}
SERVE = {("c", "a", "h100", t): 100.0 for t in PERIODS}


def terms(report: AuditReport) -> dict[str, float]:
    """Terms of NPV that are not 0."""
    assert report.passed, str(report)
    return {name: pytest.approx(value, rel=1e-12) for name, value in report.npv_terms.items() if value}


def check(dataset: Dataset, tables: Tables) -> AuditReport:
    return audit(dataset, tables, summary_of(dataset, tables))


def test_revenue_and_capital() -> None:
    """10 racks of 10 GPUs at 1000 USD; 100 GPUs at 2 USD for a year."""
    dataset = small_dataset()
    assert terms(check(dataset, draft(dataset, BUY, {}, SERVE))) == {"contract_revenue": 2 * 100 * YEAR_HOURS, "gpu_capital": -100_000}


def test_tables_written_out() -> None:
    """The same plan with every number written by hand, in one period of 2160 hours."""
    dataset = small_dataset(periods=1)
    tables: Tables = {name: frame(name, []) for name in PLAN_COLUMNS}
    tables["racks"] = frame("racks", [{"site_id": "a", "gen_id": "h100", "period": Q1, "installed": 10, "in_service": 10}])
    tables["deliveries"] = frame("deliveries", [{"contract_id": "c", "site_id": "a", "gen_id": "h100", "period": Q1, "gpus": 100.0}])
    tables["contracts"] = frame(
        "contracts",
        [{"contract_id": "c", "customer": "u", "period": Q1, "owed_gpus": 100, "delivered_gpus": 100, "revenue_usd": 432_000}],
    )
    capacity = {"it_limit_mw": 10, "liquid_limit_mw": 10, "air_limit_mw": 10}
    used = {"it_used_mw": 1, "air_used_mw": 1, "facility_peak_mw": 1, "facility_average_mw": 1, "energy_mwh": 2160}
    tables["sites"] = frame("sites", [{"site_id": "a", "period": Q1, **capacity, **used}, {"site_id": "b", "period": Q1, **capacity}])
    tables["cash"] = frame("cash", [{"period": Q1, "contract_revenue": 432_000, "gpu_capital": -100_000, "discounted_total": 332_000}])
    report = audit(dataset, tables)
    assert report.passed, str(report)
    assert report.npv_recomputed_usd == 332_000


def test_a_plan_object_brings_its_own_summary() -> None:
    dataset = small_dataset()
    tables = draft(dataset, BUY, {}, SERVE)
    summary = summary_of(dataset, tables)
    assert audit(dataset, Plan(summary, tables)).passed
    other = summary.model_copy(update={"npv_usd": 1.0})
    assert "npv" in audit(dataset, Plan(other, tables)).violated


def test_nothing_bought_pays_damages() -> None:
    """100 GPUs short for a year at 1 USD an hour."""
    dataset = small_dataset()
    assert terms(check(dataset, draft(dataset))) == {"damages": -100 * YEAR_HOURS}


def test_discounting_at_mid_period_and_at_the_end() -> None:
    """At 21 % a year a quarter's middle lies 1/8, 3/8 ... years away; the residual value a whole year."""
    dataset = small_dataset(
        discount_rate=0.21, contracts=[], generations=[{"gen_id": "h100", "life_periods": 8, "residual_factor": 0.5, "opex_usd_per_rack_year": 400}]
    )  # fmt: skip
    report = check(dataset, draft(dataset, BUY))
    opex = -sum(10 * 100 * 1.21 ** -(t / 4 + 0.125) for t in range(4))
    assert terms(report) == {"gpu_capital": -100_000 * 1.21**-0.125, "opex": opex, "residual_value": 100_000 * 0.5 * 0.5 / 1.21}


def test_commissioning_halves_the_first_period() -> None:
    """Half of 100 GPUs can be sold in the quarter of installation; the 51st is one too many."""
    dataset = small_dataset(commissioning_share=0.5, periods=1)
    assert terms(check(dataset, draft(dataset, BUY, {}, {("c", "a", "h100", Q1): 50.0})))["contract_revenue"] == 2 * 50 * 2160
    report = check(dataset, draft(dataset, BUY, {}, {("c", "a", "h100", Q1): 51.0}))
    assert [(v.constraint, v.amount) for v in report.violations] == [("sellable", pytest.approx(1.0))]


def test_residual_counts_youngest_cohorts_first() -> None:
    """10 racks of the fleet and 10 new ones; 5 retire. Left: 10 installed in Q1 (half their life) and 5 of the old (a quarter)."""
    dataset = small_dataset(
        generations=[{"gen_id": "h100", "life_periods": 8, "residual_factor": 1.0}], contracts=[],
        fleet=[{"site_id": "a", "gen_id": "h100", "in_service_since": "2025-Q3"}],
    )  # fmt: skip
    report = check(dataset, draft(dataset, BUY, {("a", "h100", Q2): 5}))
    assert terms(report)["residual_value"] == 10 * 10_000 * 0.5 + 5 * 10_000 * 0.25


def test_fleet_past_its_life_retires_at_once() -> None:
    """Installed 8 quarters before the start with a life of 5: due in Q1, not before."""
    dataset = small_dataset(
        generations=[{"gen_id": "h100", "life_periods": 5}], contracts=[], fleet=[{"site_id": "a", "gen_id": "h100", "in_service_since": "2024-Q1"}]
    )  # fmt: skip
    assert check(dataset, draft(dataset, {}, {("a", "h100", Q1): 10})).passed
    late = check(dataset, draft(dataset, {}, {("a", "h100", Q2): 10}))
    assert [(v.constraint, v.ids["period"], v.amount) for v in late.violations] == [("end_of_life", Q1, 10.0)]


def test_supply_carries_forward() -> None:
    dataset = small_dataset(contracts=[])
    assert check(dataset, draft(dataset, {("a", "h100", Q3): 10})).passed
    assert check(dataset, draft(dataset, {("a", "h100", Q3): 11})).violated == {"supply": 2}


def test_energy_of_a_year_weighs_each_quantity_by_hours() -> None:
    """2026 has 90, 91, 92, 92 days. Price 10, 20, 30, 40 USD and PUE 1, 1, 2, 1 are averaged first, then multiplied.

    P = 1 MW times PUE (365 + 92) / 365; price (900 + 1820 + 2760 + 3680) / 365; cost = 8760 h times both.
    """
    dataset = small_dataset(
        period="year", periods=1, site_pue=[{"site_id": "a", "season": 3, "pue_air": 2.0}],
        energy=[{"price_zone": "P", "season": q, "slice": s, "hours_share": 0.5, "usd_per_mwh": 10 * q + d, "gco2_per_kwh": 500}
                for q in (1, 2, 3, 4) for s, d in (("x", -5), ("y", 5))],
        carbon_prices=[{"from_period": "2026", "usd_per_t": 10}],
    )  # fmt: skip
    report = check(dataset, draft(dataset, {("a", "h100", "2026"): 10}, {}, {("c", "a", "h100", "2026"): 100.0}))
    average, price = (365 + 92) / 365, (900 + 1820 + 2760 + 3680) / 365
    found = terms(report)
    assert found["energy"] == -YEAR_HOURS * average * price
    assert found["carbon"] == -YEAR_HOURS * average * 0.5 * 10


def test_demand_lease_and_overhead() -> None:
    """2 MW overhead at a peak PUE of 1: 2 USD a kW and month for a year; a lease of 3 USD a kW and month on 10 MW."""
    dataset = small_dataset(
        sites=[{"site_id": "a", "overhead_mw": 2}], contracts=[], demand_charges=[{"from_period": Q1, "usd_per_kw_month": 2}],
        power_blocks=[{"block_id": "a-1", "site_id": "a", "lease_usd_per_kw_month": 3, "usable_share": 0.5}],
    )  # fmt: skip
    assert terms(check(dataset, draft(dataset))) == {"demand_charges": -2 * 2000 * 12, "lease": -3 * 10_000 * 12}


def test_candidate_block_and_retrofit_money() -> None:
    """The block's capital falls one quarter before it is energized, the opening and the retrofit when they happen."""
    dataset = small_dataset(
        sites=[{"site_id": "a"}, {"site_id": "n", "status": "candidate", "activation_usd": 700}], contracts=[],
        power_blocks=[{"block_id": "a-1", "site_id": "a"},
                      {"block_id": "n-1", "site_id": "n", "capex_usd": 9000, "residual_share": 0.1, "lead_periods": 1, "lease_usd_per_kw_month": 1}],
        retrofits=[{"site_id": "a", "min_mw": 1, "fixed_usd": 50, "usd_per_kw": 2, "lead_periods": 1}],
    )  # fmt: skip
    tables = draft(dataset, decisions=[("open", "n", Q2, 0.0), ("build", "n-1", Q3, 10.0), ("retrofit", "a", Q4, 1.5)])
    assert terms(check(dataset, tables)) == {
        "activation": -700, "block_capex": -9000, "residual_value": 900, "lease": -10_000 * 6, "retrofits": -50 - 2 * 1500,
    }  # fmt: skip
    assert tables["cash"].set_index("period")["block_capex"].to_dict() == {Q1: 0, Q2: -9000, Q3: 0, Q4: 0}


def test_market_and_serving_costs() -> None:
    """100 GPUs, 60 to the contract at a cost of 0.5 USD, 40 to the market at 1 USD."""
    dataset = small_dataset(market=[{"gen_id": "h100"}], serving_costs=[{"contract_id": "c", "site_id": "a", "usd_per_gpu_hour": 0.5}])
    served = {("c", "a", "h100", t): 60.0 for t in PERIODS}
    sold = {("a", "h100", t): 40.0 for t in PERIODS}
    tables = draft(dataset, BUY, {}, served, sold, {("h100", "spot", t): 40.0 for t in PERIODS})
    found = terms(check(dataset, tables))
    assert found["market_revenue"] == 40 * YEAR_HOURS
    assert found["serving_costs"] == -0.5 * 60 * YEAR_HOURS
    assert found["damages"] == -40 * YEAR_HOURS


def moving(**contract: Any) -> Dataset:
    """100 GPUs delivered from ``b`` just before the start; 20 racks; a move costs 7 USD."""
    return small_dataset(
        contracts=[{"contract_id": "c", "move_usd_per_gpu": 7, **contract}], current_deliveries=[{"contract_id": "c", "site_id": "b"}],
        supply=[{"gen_id": "h100", "racks": 20}],
    )  # fmt: skip


def test_a_move_at_the_start_is_paid() -> None:
    """All 100 GPUs come from ``a`` at once: 100 moved from ``b``."""
    dataset = moving()
    assert terms(check(dataset, draft(dataset, BUY, {}, SERVE)))["moves"] == -700


def test_a_ramp_down_moves_for_nothing() -> None:
    """``c`` shrinks to 60 in Q2: 40 leave unpaid; of 70 withdrawn 30 are paid."""
    dataset = small_dataset(
        contracts=[{"contract_id": "c", "move_usd_per_gpu": 7}], supply=[{"gen_id": "h100", "racks": 20}],
        contract_ramp=[{"contract_id": "c", "from_period": Q1, "gpus": 100}, {"contract_id": "c", "from_period": Q2, "gpus": 60}],
    )  # fmt: skip
    buy = {("a", "h100", Q1): 10, ("b", "h100", Q1): 10}
    stay = {("c", "a", "h100", Q1): 100.0, **{("c", "a", "h100", t): 60.0 for t in (Q2, Q3, Q4)}}
    assert "moves" not in terms(check(dataset, draft(dataset, buy, {}, stay)))
    shift = {("c", "a", "h100", Q1): 100.0, **{("c", s, "h100", t): 30.0 for t in (Q2, Q3, Q4) for s in "ab"}}
    assert terms(check(dataset, draft(dataset, buy, {}, shift)))["moves"] == -30 * 7


def test_no_move_without_a_placement_before() -> None:
    """A contract that is not in current_deliveries.csv, or owed nothing at the start, starts where it likes."""
    late = small_dataset(
        contracts=[{"contract_id": "c", "start": Q2, "move_usd_per_gpu": 7}],
        current_deliveries=[{"contract_id": "c", "site_id": "b"}],
    )
    served = {key: gpus for key, gpus in SERVE.items() if key[3] != Q1}
    assert "moves" not in terms(check(late, draft(late, BUY, {}, served)))
    new = small_dataset(contracts=[{"contract_id": "c", "move_usd_per_gpu": 7}])
    assert "moves" not in terms(check(new, draft(new, BUY, {}, SERVE)))


def test_another_generation_at_the_site_is_no_move() -> None:
    dataset = small_dataset(generations=[{"gen_id": "h100"}, {"gen_id": "gb"}], contracts=[{"contract_id": "c", "move_usd_per_gpu": 7}])
    served = {("c", "a", "h100" if t in (Q1, Q2) else "gb", t): 100.0 for t in PERIODS}
    assert "moves" not in terms(check(dataset, draft(dataset, {**BUY, ("a", "gb", Q1): 10}, {}, served)))


def directed(plan: Tables, dataset: Dataset, **row: Any) -> int:
    """How many rows a directive violates in a plan."""
    tables = {"directives": [{"row": "d", **row}]}
    full = Dataset.build(dataset.to_plain()["dataset"], **{k: v for k, v in dataset.to_plain().items() if k != "dataset"}, **tables)
    return audit(full, plan).violated.get("directive", 0)


@pytest.mark.parametrize(
    ("row", "violated"),
    [
        ({"rule": "fix", "decision": "in_service", "value": 10}, 0),
        ({"rule": "fix", "decision": "installed", "value": 10}, 3),
        ({"rule": "max", "decision": "installed", "value": 0, "from_period": Q2}, 0),
        (
            {
                "rule": "min",
                "decision": "in_service",
                "site_id": "a",
                "gen_id": "h100",
                "value": 11,
                "from_period": Q4,
                "to_period": "2031-Q1",
            },
            1,
        ),
        ({"rule": "min", "decision": "in_service", "value": 99, "from_period": "2030-Q1"}, 0),
        ({"rule": "max", "decision": "deliveries", "contract_id": "c", "value": 99}, 4),
        ({"rule": "fix", "decision": "open", "site_id": "a", "value": 1}, 0),
        ({"rule": "max", "decision": "open", "site_id": "a", "value": 0}, 4),
        ({"rule": "max", "decision": "open", "value": 0}, 0),
        ({"rule": "fix", "decision": "build", "block_id": "a-1", "value": 1}, 0),
        ({"rule": "fix", "decision": "build", "block_id": "b-2", "value": 1}, 2),
        ({"rule": "max", "decision": "build", "value": 0}, 0),
        ({"rule": "fix", "decision": "sign", "contract_id": "c", "value": 1}, 0),
        ({"rule": "min", "decision": "sign", "value": 1}, 1),
        ({"rule": "max", "decision": "serve", "contract_id": "c", "value": 0}, 1),
        ({"rule": "fix", "decision": "serve", "contract_id": "c", "value": 2}, 0),
        ({"rule": "min", "decision": "serve", "contract_id": "c", "value": 3}, 1),
    ],
)
def test_directives(row: dict[str, Any], violated: int) -> None:
    """10 racks at ``a`` serve the firm contract; ``b-2`` is energized in Q3; at most two sites may serve."""
    dataset = small_dataset(
        sites=[{"site_id": "a"}, {"site_id": "b"}, {"site_id": "d"}], contracts=[{"contract_id": "c", "max_sites": 2}],
        power_blocks=[{"block_id": f"{s}-1", "site_id": s} for s in "abd"] + [{"block_id": "b-2", "site_id": "b", "energized": Q3}],
    )  # fmt: skip
    assert directed(draft(dataset, BUY, {}, SERVE), dataset, **row) == violated


def test_a_forced_site_must_hold_its_cluster() -> None:
    """``fix serve(c, b) = 1`` with a smallest cluster of 40: ``b`` delivers nothing in the last period of the ramp."""
    dataset = small_dataset(
        contracts=[{"contract_id": "c", "min_cluster_gpus": 40, "cluster_grace": 3}],
        directives=[{"decision": "serve", "contract_id": "c", "site_id": "b", "value": 1}],
    )
    report = check(dataset, draft(dataset, BUY, {}, SERVE))
    assert {(v.constraint, v.ids.get("site_id"), v.ids.get("period"), v.amount) for v in report.violations if v.number == 13} == {
        ("min_cluster", "b", Q4, 40.0)
    }


def test_cluster_grace_beyond_the_highest_ramp_leaves_its_last_period() -> None:
    """The ramp is at its highest in Q2 and Q3; a grace of 5 leaves Q3."""
    dataset = small_dataset(
        contracts=[{"contract_id": "c", "min_cluster_gpus": 100, "cluster_grace": 5}],
        contract_ramp=[{"contract_id": "c", "from_period": t, "gpus": n} for t, n in ((Q1, 50), (Q2, 100), (Q4, 50))],
    )
    served = {("c", "a", "h100", t): n for t, n in ((Q1, 50.0), (Q2, 90.0), (Q3, 99.0), (Q4, 50.0))}
    report = check(dataset, draft(dataset, BUY, {}, served))
    assert [(v.constraint, v.ids["period"], v.amount) for v in report.violations] == [("min_cluster", Q3, pytest.approx(1.0))]


def test_retrofit_takes_air_before_it_gives_liquid() -> None:
    """5 MW ordered in Q1, lead 3, downtime 1: air falls from Q3 (t - 2), liquid comes in Q4."""
    dataset = small_dataset(contracts=[], retrofits=[{"site_id": "a", "lead_periods": 3, "downtime_periods": 1}])
    tables = draft(dataset, decisions=[("retrofit", "a", Q1, 5.0)])
    assert check(dataset, tables).passed
    site = tables["sites"].set_index(["site_id", "period"]).loc["a"]
    assert site["air_limit_mw"].tolist() == [10, 10, 5, 5]
    assert site["liquid_limit_mw"].tolist() == [10, 10, 10, 15]


def test_empty_tables_fail_plainly() -> None:
    """No tables at all: named one by one, and no exception."""
    report = audit(small_dataset(), {})
    assert not report.passed
    assert report.violated["table_columns"] == len(PLAN_COLUMNS)


@pytest.mark.parametrize("name", PLAN_COLUMNS)
def test_a_lost_or_garbled_column_is_a_violation_and_no_exception(name: str) -> None:
    dataset = showcase_dataset()
    tables = showcase_tables(dataset)
    for column in PLAN_COLUMNS[name]:
        lost = audit(dataset, {**tables, name: tables[name].drop(columns=column.name)})
        assert "table_columns" in lost.violated
        garbled = tables[name].astype(object)
        garbled[column.name] = "?"
        assert not audit(dataset, {**tables, name: garbled}).passed


def test_nan_and_text_never_pass() -> None:
    dataset = small_dataset()
    tables = draft(dataset, BUY, {}, SERVE)
    for column, value in (("gpus", np.nan), ("gpus", np.inf), ("gpus", "many"), ("period", None), ("site_id", None)):
        wrong = tables["deliveries"].astype(object)
        wrong.loc[0, column] = value
        assert not audit(dataset, {**tables, "deliveries": wrong}).passed


def test_zero_rows_may_stand() -> None:
    dataset = small_dataset()
    tables = draft(dataset, BUY, {}, SERVE)
    rows = [{"site_id": "b", "gen_id": "h100", "period": t} for t in PERIODS]
    assert audit(dataset, {**tables, "racks": frame("racks", [*tables["racks"].to_dict("records"), *rows])}).passed


def test_row_order_and_index_do_not_matter() -> None:
    dataset = small_dataset()
    tables = {name: table.iloc[::-1] for name, table in draft(dataset, BUY, {}, SERVE).items()}
    assert audit(dataset, tables).passed


@pytest.mark.parametrize("seed", range(8))
def test_derived_columns_agree_with_plain_loops(seed: int) -> None:
    """Random datasets and racks: whatever limits break, both ways of computing money, power and moves agree."""
    dataset = random_dataset(seed)
    rng = np.random.default_rng(seed)
    plain, labels = dataset.to_plain(), dataset.calendar.labels
    places = [(s["site_id"], g["gen_id"], t) for s in plain["sites"] for g in plain["generations"] for t in labels]
    installed = {key: int(rng.integers(1, 5)) for key in places if rng.uniform() < 0.3}
    served = {(c["contract_id"], *key): float(rng.uniform(1, 30)) for c in plain["contracts"] for key in places if rng.uniform() < 0.3}
    decisions = [("build", b["block_id"], labels[2], b["it_mw"]) for b in plain["power_blocks"] if b["status"] == "option"]
    decisions += [("open", s["site_id"], labels[1], 0.0) for s in plain["sites"] if s["status"] == "candidate"]
    decisions += [("sign", c["contract_id"], c["start"], 0.0) for c in plain["contracts"] if c["status"] == "prospect"]
    decisions += [("retrofit", r["site_id"], labels[0], r["min_mw"]) for r in plain.get("retrofits", [])]
    tables = draft(dataset, installed, {}, served, decisions=decisions)
    report = audit(dataset, tables, summary_of(dataset, tables))
    derived = {
        "contracts_columns",
        "sites_columns",
        "market_columns",
        "decisions",
        "cash",
        "residual",
        "npv",
        "npv_terms",
        "moves",
        "fleet",
        "delivery",
    }
    assert not derived & set(report.violated), str(report)
    assert set(report.npv_terms) == set(NPV_TERMS)


def test_report_for_the_summary() -> None:
    dataset = small_dataset()
    report = check(dataset, draft(dataset, BUY, {}, SERVE))
    assert report.summary().model_dump() == {
        "passed": True, "worst_violation": report.worst_violation, "npv_recomputed_usd": pytest.approx(2 * 100 * YEAR_HOURS - 100_000),
    }  # fmt: skip
    assert str(report).startswith("audit passed")


def test_a_large_plan_takes_less_than_a_second() -> None:
    """32 sites, 29 quarters, some 3000 rows of racks and 4000 of deliveries: CPU seconds, the better of two runs."""
    dataset = random_dataset(1, sites=32, periods=29, contracts=12)
    plain, labels = dataset.to_plain(), dataset.calendar.labels
    places = [(s["site_id"], g["gen_id"], t) for s in plain["sites"] for g in plain["generations"] for t in labels]
    served = {(c["contract_id"], *key): 1.0 for i, c in enumerate(plain["contracts"]) for j, key in enumerate(places) if (i + j) % 8 == 0}
    tables = draft(dataset, dict.fromkeys(places, 1), {}, served)

    def seconds() -> float:
        start = time.process_time()
        audit(dataset, tables)
        return time.process_time() - start

    assert min(seconds(), seconds()) < 1.0

"""Random small datasets with every feature of data.md, for differential tests.

Numbers are drawn so that limits bind: capacity is scarce, contracts are worth serving, and each
optional limit is set from what a plan would want to use.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.dataset import Dataset

Table = list[dict[str, Any]]


def quarter(t: int) -> str:
    """Label of the period t of a horizon that starts in 2026-Q1."""
    return f"{2026 + t // 4}-Q{t % 4 + 1}"


def random_tables(seed: int, *, sites: int = 4, periods: int = 6, contracts: int = 4) -> tuple[dict[str, Any], dict[str, Table]]:
    """Settings and tables of a random dataset.

    Args:
        seed: same seed, same dataset.
        sites, periods, contracts: size; the last site is a candidate, the last contract but one a prospect.
    """
    rng = np.random.default_rng(seed)

    def pick(low: float, high: float, digits: int = 3) -> float:
        return round(float(rng.uniform(low, high)), digits)

    names = [f"s{i}" for i in range(sites)]
    gens = ["air", "mix", "liq"]
    zones = ["US", "EU"]
    settings: dict[str, Any] = {
        "schema_version": 1,
        "name": f"random-{seed}",
        "start": quarter(0),
        "periods": periods,
        "discount_rate": 0.1,
        "commissioning_share": 0.5,
        "load_market": 0.7,
        "customer_revenue_share": pick(0.5, 0.8),
        "customer_revenue_share_from": quarter(int(rng.integers(periods // 2, periods))),
    }
    t: dict[str, Table] = {}
    t["generations"] = [
        {"gen_id": "air", "name": "Air", "gpus_per_rack": 8, "rack_kw": 40, "liquid_share": 0.0, "idle_share": 0.3, "life_periods": int(rng.integers(5, 9)),
         "first_install": "2020-Q1", "last_install": quarter(periods - 1), "install_usd_per_rack": 5000, "opex_usd_per_rack_year": 9000, "residual_factor": 0.2},
        {"gen_id": "mix", "name": "Mixed", "gpus_per_rack": 16, "rack_kw": 60, "liquid_share": 0.7, "idle_share": 0.25, "life_periods": 10,
         "first_install": "2025-Q1", "last_install": quarter(periods - 2), "install_usd_per_rack": 9000, "opex_usd_per_rack_year": 12000, "residual_factor": 0.3},
        {"gen_id": "liq", "name": "Liquid", "gpus_per_rack": 32, "rack_kw": 130, "liquid_share": 1.0, "idle_share": 0.2, "life_periods": 24,
         "first_install": quarter(1), "last_install": quarter(periods + 4), "install_usd_per_rack": 20000, "opex_usd_per_rack_year": 20000, "residual_factor": 0.35},
    ]  # fmt: skip
    price = {"air": 9_000.0, "mix": 14_000.0, "liq": 20_000.0}
    t["gpu_prices"] = [{"gen_id": g, "from_period": "2020-Q1", "usd_per_gpu": price[g]} for g in gens]
    t["gpu_prices"] += [{"gen_id": g, "from_period": quarter(3), "usd_per_gpu": price[g] * pick(0.7, 1.0)} for g in gens]
    t["supply"] = [
        {"gen_id": g, "period": quarter(i), "racks": int(rng.integers(0, 6 if g == "air" else 9))} for g in gens for i in range(periods) if rng.random() < 0.7
    ]
    t["sites"], t["power_blocks"], t["fleet"] = [], [], []
    for i, s in enumerate(names):
        candidate = i == sites - 1
        t["sites"].append(
            {"site_id": s, "name": s.upper(), "country": "X", "zone": zones[i % 2], "lat": pick(30, 60), "lon": pick(-120, 20),
             "grid_node": f"n{i // 2}", "price_zone": f"z{i % 2}", "status": "candidate" if candidate else "open",
             "activation_usd": 100_000 if candidate else 0, "max_rack_kw": 70 if i == 1 else None,
             "install_racks_per_period": int(rng.integers(3, 9)), "overhead_mw": pick(0.01, 0.05),
             "pue_air": pick(1.3, 1.5), "pue_liquid": pick(1.1, 1.2), "pue_air_peak": pick(1.5, 1.7), "pue_liquid_peak": pick(1.2, 1.3),
             "wue_l_per_kwh": pick(0.2, 1.0), "water_limit_m3_per_period": pick(300, 900) if i == 0 else None}
        )  # fmt: skip
        firm = pick(0.5, 1.2)
        if not candidate:
            t["power_blocks"].append(
                {"block_id": f"{s}-a", "site_id": s, "it_mw": firm, "air_mw": round(firm * 0.8, 3), "liquid_mw": round(firm * pick(0.2, 0.6), 3), "status": "firm",
                 "energized": "2025-Q1", "usable_share": 0.95, "lease_usd_per_kw_month": 20}
            )  # fmt: skip
            t["fleet"].append({"site_id": s, "gen_id": "air", "in_service_since": "2025-Q1", "racks": int(rng.integers(1, 5))})
            t["fleet"].append({"site_id": s, "gen_id": "air", "in_service_since": "2024-Q3", "racks": int(rng.integers(1, 4))})
        t["power_blocks"].append(
            {"block_id": f"{s}-b", "site_id": s, "it_mw": pick(0.5, 1.5), "air_mw": pick(0.2, 0.6), "liquid_mw": pick(0.5, 1.5), "status": "option",
             "energized": quarter(int(rng.integers(0, 3))), "lease_usd_per_kw_month": pick(5, 30), "capex_usd": pick(1e5, 1e6, 0), "residual_share": 0.3,
             "lead_periods": int(rng.integers(0, 3)), "latest": quarter(periods - 2) if rng.random() < 0.5 else None}
        )  # fmt: skip
    if rng.random() < 0.6:
        t["power_blocks"].append(
            {"block_id": "s0-late", "site_id": "s0", "it_mw": 0.4, "air_mw": 0.1, "liquid_mw": 0.4, "status": "firm", "energized": quarter(3), "lease_usd_per_kw_month": 25}
        )  # fmt: skip
    t["site_pue"] = [{"site_id": "s0", "season": q, "pue_air": 1.3 + 0.05 * q, "pue_liquid": 1.1 + 0.02 * q} for q in (1, 2, 3, 4)]
    t["site_limits"] = [
        {"site_id": "s1", "from_period": quarter(2), "it_mw": pick(0.3, 0.6), "liquid_mw": pick(0.1, 0.3), "air_mw": pick(0.15, 0.5)},
        {"site_id": "s1", "from_period": quarter(4), "it_mw": None, "liquid_mw": None, "air_mw": None},
    ]
    t["retrofits"] = [
        {"site_id": "s0", "min_mw": 0.1, "max_mw": pick(0.2, 0.5), "fixed_usd": 20_000, "usd_per_kw": pick(20, 100), "lead_periods": 2, "downtime_periods": 1},
        {"site_id": names[-1], "min_mw": 0.05, "max_mw": 0.3, "fixed_usd": 10_000, "usd_per_kw": pick(20, 100), "lead_periods": 1},
    ]
    t["grid_nodes"] = [{"node_id": "root"}] + [{"node_id": f"n{i}", "parent_id": "root"} for i in range((sites + 1) // 2)]
    t["grid_limits"] = [
        {"node_id": "root", "from_period": quarter(0), "limit_mw": pick(2.5, 4.0)},
        {"node_id": "n0", "from_period": quarter(1), "limit_mw": pick(1.2, 2.2)},
        {"node_id": "root", "from_period": quarter(4), "limit_mw": pick(4.0, 7.0)},
    ]
    t["contracts"], t["contract_generations"], t["contract_ramp"], t["contract_prices"], t["serving_costs"] = [], [], [], [], []
    t["current_deliveries"] = []
    for i in range(contracts):
        c = f"c{i}"
        prospect = i >= contracts - 2
        start = 0 if i == 0 else int(rng.integers(0, 3))
        end = periods - 1 - int(rng.integers(0, 2))
        highest = int(rng.integers(60, 200))
        t["contracts"].append(
            {"contract_id": c, "customer": f"customer {i % 3}", "status": "prospect" if prospect else "firm", "start": quarter(start), "end": quarter(end),
             "ld_usd_per_gpu_hour": pick(1.0, 3.0), "load_share": pick(0.6, 0.9), "spare_share": pick(0, 0.05), "zones": ["US"] if i == 3 else [],
             "sites": [], "excluded_sites": ["s1"] if i == 1 else [], "min_cluster_gpus": round(highest * pick(0.3, 0.6)) if i % 2 else 0, "cluster_grace": int(rng.integers(0, 3)),
             "max_short_share": pick(0.6, 0.9) if i == 2 else 1, "grace_periods": 2, "max_sites": int(rng.integers(1, 3)) if i in (1, 2) else None,
             "max_rtt_ms": pick(10, 40) if i in (0, 3) else None, "move_usd_per_gpu": pick(200, 2000) if i in (0, 1) else 0}
        )  # fmt: skip
        for g in gens:
            if g != "air" or i in (0, 2):
                t["contract_generations"].append({"contract_id": c, "gen_id": g, "gpu_equivalent": {"air": 1.0, "mix": 1.0, "liq": 1.5}[g]})
        t["contract_ramp"].append({"contract_id": c, "from_period": quarter(start), "gpus": highest if i == 0 else highest // 2})
        t["contract_ramp"].append({"contract_id": c, "from_period": quarter(start + 2), "gpus": highest * 3 // 4 if i == 0 else highest})
        t["contract_prices"].append({"contract_id": c, "from_period": quarter(start), "usd_per_gpu_hour": pick(2.0, 4.5)})
        t["serving_costs"].append({"contract_id": c, "site_id": names[int(rng.integers(0, sites))], "usd_per_gpu_hour": pick(0.1, 0.6)})
    t["current_deliveries"] = [{"contract_id": "c0", "site_id": s, "gpus": int(rng.integers(5, 30))} for s in names[:2]]
    t["market"] = [
        {"gen_id": g, "tier": k, "from_period": quarter(0), "usd_per_gpu_hour": round(top * scale, 3), "max_gpus": int(rng.integers(10, 60))}
        for g, top in (("air", 1.0), ("mix", 1.4), ("liq", 1.9))
        for k, scale in (("reserved", 1.0), ("spot", 0.5))
    ]
    t["energy"] = []
    for z in ("z0", "z1"):
        seasons = (1, 2, 3, 4) if z == "z0" else (None,)
        for season in seasons:
            peak = 0.4
            t["energy"] += [
                {"price_zone": z, "from_period": "2026-Q1", "season": season, "slice": "peak", "hours_share": peak, "usd_per_mwh": pick(60, 150), "gco2_per_kwh": pick(200, 500)},
                {"price_zone": z, "from_period": "2026-Q1", "season": season, "slice": "off", "hours_share": 1 - peak, "usd_per_mwh": pick(20, 60), "gco2_per_kwh": pick(50, 300)},
            ]  # fmt: skip
    t["demand_charges"] = [{"price_zone": "z0", "from_period": "2026-Q1", "usd_per_kw_month": 8.0}]
    t["carbon_prices"] = [{"price_zone": "z1", "from_period": quarter(2), "usd_per_t": 60.0}]
    t["network_links"] = [{"site_a": names[i], "site_b": names[i + 1], "rtt_ms": pick(5, 30)} for i in range(sites - 1)]
    t["capex_budget"] = [{"period": quarter(i), "usd": round(float(rng.uniform(1e6, 6e6)))} for i in range(periods) if i % 2 == 0]
    t["carbon_cap"] = [{"year": 2026, "tonnes": round(float(rng.uniform(2500, 7000)))}]
    t["directives"] = [
        {"row": "1", "rule": "max", "decision": "in_service", "site_id": "s2", "gen_id": "air", "from_period": quarter(3), "value": int(rng.integers(0, 4)), "why": "hall moves out"},
        {"row": "2", "rule": "min", "decision": "deliveries", "contract_id": "c0", "from_period": quarter(2), "to_period": quarter(2), "value": int(rng.integers(1, 12)), "why": "pilot"},
    ]
    if rng.random() < 0.4:
        t["directives"].append({"row": "3", "rule": "fix", "decision": "installed", "site_id": "s0", "gen_id": "mix", "from_period": quarter(1), "to_period": quarter(1), "value": 0})
    return settings, t


def random_dataset(seed: int, **size: int) -> Dataset:
    """A checked random dataset."""
    settings, tables = random_tables(seed, **size)
    return Dataset.build(settings, **tables)

"""A small problem with every feature of data.md, and a plan for it, worked out by hand, in which most limits are tight.

Racks (in service, Q1 to Q4): ``a`` h100 20, 20, 0, 0 (10 retire at once, 20 in Q3), gb 10, 15, 15, 15; ``b`` h100 30, gb 5;
``d`` gb 0, 0, 10, 10. New racks bill half of their first period, so sellable gb GPUs (72 a rack) are ``a`` 360, 900, 1080,
1080, ``b`` 180, 360, 360, 360, ``d`` 0, 0, 360, 720.

- IT at ``a``: 1 + 1.3 = 2.3 of 2.34 MW in Q1, 1 + 1.95 = 2.95 of 2.34 + 0.61 MW in Q2.
- heat to liquid at ``a`` (80 % of 130 kW): 1.04 of 1.04 MW, then 1.56 of 1.56 MW; one MW more from Q3 by retrofit.
- heat to air at ``a`` in Q2: 1 + 0.39 of 2.39 - 1 MW (the hall under conversion).
- contract ``c`` (h100 counts 1, gb 2, 5 % spares) is owed 500, 600, 600, 500 and gets 350, 550, 550, 450 from ``a`` and ``b``.
  Before the start ``a`` delivered 300 and now 150: 150 are moved and paid. In Q4 100 leave ``a`` with the ramp: moved, not paid.
- prospect ``p`` is owed 700 from Q2 and gets 400 from ``a`` and 300 (its smallest cluster) from ``b``. ``q`` is declined.
"""

from __future__ import annotations

from models.dataset import Dataset
from tests.factories import small_dataset
from tests.optimizer.audit.plans import Tables, draft

Q1, Q2, Q3, Q4 = "2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"


def showcase_dataset() -> Dataset:
    """The problem."""
    site = {
        "zone": "Z1",
        "price_zone": "P1",
        "grid_node": "n1",
        "pue_air": 1.3,
        "pue_liquid": 1.1,
        "pue_air_peak": 1.5,
        "pue_liquid_peak": 1.2,
    }
    energy = [
        {"price_zone": "P1", "from_period": start, "season": q, "slice": name, "hours_share": hours, "usd_per_mwh": usd + q + later, "gco2_per_kwh": 300 + usd}
        for start, later in ((Q1, 0), (Q3, 5))
        for q in (1, 2, 3, 4)
        for name, hours, usd in (("peak", 0.3, 90), ("off", 0.7, 40))
    ]  # fmt: skip
    return small_dataset(
        name="showcase", discount_rate=0.1, commissioning_share=0.5, load_market=0.7, customer_revenue_share=0.9, customer_revenue_share_from=Q2,
        sites=[
            {**site, "site_id": "a", "overhead_mw": 0.5, "max_rack_kw": 200, "install_racks_per_period": 10, "wue_l_per_kwh": 0.5, "water_limit_m3_per_period": 5000},
            {**site, "site_id": "b", "zone": "Z2", "price_zone": "P2", "grid_node": "n2"},
            {**site, "site_id": "d", "status": "candidate", "activation_usd": 2e5, "overhead_mw": 0.2},
            {**site, "site_id": "e", "status": "candidate", "grid_node": None},
        ],
        site_pue=[{"site_id": "a", "season": 2, "pue_air": 1.35, "pue_liquid": 1.12}, {"site_id": "a", "season": 3, "pue_air": 1.4, "pue_liquid": 1.15}],
        power_blocks=[
            {"block_id": "a-1", "site_id": "a", "it_mw": 2.6, "usable_share": 0.9, "air_mw": 2.0, "liquid_mw": 1.04, "lease_usd_per_kw_month": 100},
            {"block_id": "a-2", "site_id": "a", "it_mw": 0.61, "air_mw": 0.39, "liquid_mw": 0.52, "capex_usd": 5e6, "residual_share": 0.5,
             "lead_periods": 1, "energized": Q2, "latest": Q3, "lease_usd_per_kw_month": 50},
            {"block_id": "b-1", "site_id": "b"},
            {"block_id": "d-1", "site_id": "d", "it_mw": 1.3, "air_mw": 1.3, "liquid_mw": 1.3, "capex_usd": 1e6, "lead_periods": 1, "energized": Q2},
            {"block_id": "e-1", "site_id": "e"},
        ],
        site_limits=[
            {"site_id": "b", "from_period": Q2, "it_mw": 3, "liquid_mw": None, "air_mw": None},
            {"site_id": "b", "from_period": Q3, "it_mw": 2.15, "liquid_mw": 0.52, "air_mw": 1.63},
        ],
        retrofits=[{"site_id": "a", "min_mw": 0.5, "max_mw": 2, "fixed_usd": 1e5, "usd_per_kw": 100, "lead_periods": 2, "downtime_periods": 1}],
        grid_nodes=[{"node_id": "root"}, {"node_id": "n1", "parent_id": "root"}, {"node_id": "n2", "parent_id": "root"}],
        grid_limits=[{"node_id": "root", "from_period": Q1, "limit_mw": 12}, {"node_id": "n1", "from_period": Q3, "limit_mw": 6}],
        generations=[
            {"gen_id": "h100", "gpus_per_rack": 8, "rack_kw": 50, "idle_share": 0.3, "life_periods": 6, "last_install": "2025-Q4",
             "first_install": "2023-Q1", "opex_usd_per_rack_year": 4000, "residual_factor": 0.3},
            {"gen_id": "gb", "gpus_per_rack": 72, "rack_kw": 130, "liquid_share": 0.8, "idle_share": 0.25, "life_periods": 20, "last_install": Q3,
             "install_usd_per_rack": 50000, "opex_usd_per_rack_year": 20000, "residual_factor": 0.4},
        ],
        gpu_prices=[
            {"gen_id": "h100", "from_period": "2025-Q1", "usd_per_gpu": 20000}, {"gen_id": "gb", "from_period": Q1, "usd_per_gpu": 40000},
            {"gen_id": "gb", "from_period": Q3, "usd_per_gpu": 36000},
        ],
        supply=[{"gen_id": "gb", "period": Q1, "racks": 15}, {"gen_id": "gb", "period": Q2, "racks": 5}, {"gen_id": "gb", "period": Q3, "racks": 10}],
        fleet=[
            {"site_id": "a", "gen_id": "h100", "in_service_since": "2024-Q3", "racks": 10},
            {"site_id": "a", "gen_id": "h100", "in_service_since": "2025-Q1", "racks": 20},
            {"site_id": "b", "gen_id": "h100", "in_service_since": "2025-Q4", "racks": 30},
        ],
        contracts=[
            {"contract_id": "c", "customer": "u1", "ld_usd_per_gpu_hour": 4, "load_share": 0.8, "spare_share": 0.05, "max_short_share": 0.1,
             "grace_periods": 1, "move_usd_per_gpu": 50, "max_sites": 3, "excluded_sites": "e"},
            {"contract_id": "p", "customer": "u2", "status": "prospect", "start": Q2, "load_share": 0.6, "max_sites": 2, "max_rtt_ms": 25,
             "min_cluster_gpus": 300, "cluster_grace": 1, "zones": "Z1;Z2"},
            {"contract_id": "q", "customer": "u3", "status": "prospect", "start": Q3},
        ],
        contract_generations=[
            {"contract_id": "c", "gen_id": "h100"}, {"contract_id": "c", "gen_id": "gb", "gpu_equivalent": 2}, {"contract_id": "p", "gen_id": "gb"},
            {"contract_id": "q", "gen_id": "gb"},
        ],
        contract_ramp=[
            {"contract_id": "c", "from_period": Q1, "gpus": 500}, {"contract_id": "c", "from_period": Q2, "gpus": 600},
            {"contract_id": "c", "from_period": Q4, "gpus": 500}, {"contract_id": "p", "from_period": Q2, "gpus": 700},
            {"contract_id": "q", "from_period": Q3, "gpus": 400},
        ],
        contract_prices=[
            {"contract_id": "c", "from_period": Q1, "usd_per_gpu_hour": 2.5}, {"contract_id": "c", "from_period": Q3, "usd_per_gpu_hour": 2.4},
            {"contract_id": "p", "from_period": Q2, "usd_per_gpu_hour": 4}, {"contract_id": "q", "from_period": Q3, "usd_per_gpu_hour": 1.5},
        ],
        current_deliveries=[{"contract_id": "c", "site_id": "a", "gpus": 300}, {"contract_id": "c", "site_id": "b", "gpus": 200}],
        serving_costs=[{"contract_id": "c", "site_id": "a", "usd_per_gpu_hour": 0.05}],
        market=[
            {"gen_id": "gb", "tier": "high", "from_period": Q1, "usd_per_gpu_hour": 2, "max_gpus": 300},
            {"gen_id": "gb", "tier": "low", "from_period": Q1, "usd_per_gpu_hour": 1, "max_gpus": 10000},
            {"gen_id": "h100", "tier": "spot", "from_period": Q1, "usd_per_gpu_hour": 0.8, "max_gpus": 1000},
        ],
        energy=[*energy, {"price_zone": "P2", "usd_per_mwh": 60, "gco2_per_kwh": 200}],
        demand_charges=[{"price_zone": "P1", "from_period": Q1, "usd_per_kw_month": 10}, {"price_zone": "P2", "from_period": Q2, "usd_per_kw_month": 8}],
        carbon_prices=[{"price_zone": "P1", "from_period": Q1, "usd_per_t": 20}, {"price_zone": "P2", "from_period": Q2, "usd_per_t": 50}],
        network_links=[{"site_a": "a", "site_b": "b", "rtt_ms": 10}, {"site_a": "b", "site_b": "d", "rtt_ms": 20}],
        capex_budget=[{"period": Q1, "usd": 1e8}, {"period": Q3, "usd": 1e8}],
        carbon_cap=[{"year": 2026, "tonnes": 50000}],
        directives=[
            {"row": "racks", "rule": "min", "decision": "in_service", "site_id": "a", "gen_id": "gb", "from_period": Q2, "value": 15},
            {"row": "new", "rule": "max", "decision": "installed", "gen_id": "gb", "value": 15},
            {"row": "cap", "rule": "max", "decision": "deliveries", "contract_id": "p", "site_id": "b", "value": 300},
            {"row": "yes", "rule": "fix", "decision": "sign", "contract_id": "p", "value": 1},
            {"row": "one", "rule": "max", "decision": "sign", "value": 1},
            {"row": "use", "rule": "fix", "decision": "open", "site_id": "d", "from_period": Q2, "value": 1},
            {"row": "late", "rule": "max", "decision": "open", "from_period": "2025-Q1", "to_period": Q1, "value": 0},
            {"row": "hall", "rule": "fix", "decision": "build", "block_id": "a-2", "from_period": Q2, "to_period": "2030-Q1", "value": 1},
            {"row": "halls", "rule": "max", "decision": "build", "value": 2},
            {"row": "pipes", "rule": "min", "decision": "retrofit", "site_id": "a", "value": 1},
            {"row": "pair", "rule": "fix", "decision": "serve", "contract_id": "c", "site_id": "a", "value": 1},
            {"row": "pairs", "rule": "max", "decision": "serve", "contract_id": "c", "value": 2},
            {"row": "idle", "rule": "min", "decision": "serve", "value": 4},
        ],
    )  # fmt: skip


def showcase_tables(dataset: Dataset) -> Tables:
    """The plan."""
    periods = (Q1, Q2, Q3, Q4)
    installed = {("a", "gb", Q1): 10, ("a", "gb", Q2): 5, ("b", "gb", Q1): 5, ("d", "gb", Q3): 10}
    retired = {("a", "h100", Q1): 10, ("a", "h100", Q3): 20}
    deliveries = {
        **{("c", "a", "h100", t): 150.0 for t in (Q1, Q2)},
        **{("c", "b", "h100", t): 200.0 for t in periods},
        **{("c", "a", "gb", t): gpus for t, gpus in ((Q2, 100.0), (Q3, 175.0), (Q4, 125.0))},
        **{("p", "a", "gb", t): 400.0 for t in (Q2, Q3, Q4)},
        **{("p", "b", "gb", t): 300.0 for t in (Q2, Q3, Q4)},
    }
    sold = {
        ("a", "gb", Q1): 360.0, ("b", "gb", Q1): 180.0, ("a", "gb", Q2): 390.0, ("b", "gb", Q2): 60.0, ("a", "gb", Q3): 496.25,
        ("d", "gb", Q3): 360.0, ("a", "gb", Q4): 548.75, ("d", "gb", Q4): 720.0, **{("b", "h100", t): 30.0 for t in periods},
    }  # fmt: skip
    tiers = {
        **{("gb", "high", t): 300.0 for t in periods},
        **{("gb", "low", t): gpus for t, gpus in ((Q1, 240.0), (Q2, 150.0), (Q3, 556.25), (Q4, 968.75))},
        **{("h100", "spot", t): 30.0 for t in periods},
    }
    decisions = [("sign", "p", Q2, 0.0), ("decline", "q", Q3, 0.0), ("open", "d", Q2, 0.0), ("build", "a-2", Q2, 0.61), ("build", "d-1", Q3, 1.3),
                 ("retrofit", "a", Q1, 1.0)]  # fmt: skip
    return draft(dataset, installed, retired, deliveries, sold, tiers, decisions)

"""Random small datasets with every feature of data.md, for differential tests.

Each seed makes some of the themes of ``THEMES`` scarce, so that over a few dozen seeds every constraint
of the model binds somewhere. Powers are multiples of 10 kW, so that whole racks can fill a limit exactly;
what is delivered, sold or converted is continuous and meets any limit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.dataset import Dataset

Table = list[dict[str, Any]]

THEMES = (
    "power",
    "liquid",
    "air",
    "grid",
    "retrofit",
    "candidate",
    "water",
    "carbon",
    "share",
    "budget",
    "duty",
    "cluster",
    "derate",
    "options",
)
"""What can be scarce, or wanted, in a dataset."""


def quarter(t: int) -> str:
    """Label of the period t of a horizon that starts in 2026-Q1."""
    return f"{2026 + t // 4}-Q{t % 4 + 1}"


@dataclass
class _Draw:
    """A random dataset in the making: size, themes, random numbers, tables."""

    seed: int
    sites: int
    periods: int
    contracts: int
    tables: dict[str, Table] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        count = len(THEMES)
        chosen = {THEMES[self.seed % count], THEMES[(self.seed // count * 3 + self.seed + 5) % count]}
        self.themes = frozenset(chosen | {theme for theme in THEMES if self.rng.random() < 0.15})

    def pick(self, low: float, high: float, digits: int = 3) -> float:
        """A number between low and high."""
        return round(float(self.rng.uniform(low, high)), digits)

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def mw(self, low: int, high: int) -> float:
        """A power in MW that is a multiple of 20 kW; limits in multiples of 20 kW."""
        return round(0.02 * self.whole(low, high), 3)

    def chance(self, share: float) -> bool:
        """Yes, with this probability."""
        return bool(self.rng.random() < share)

    def usd(self, low: int, high: int) -> float:
        """A sum of money that is a multiple of 20,000 USD, as the prices of racks are."""
        return 20_000.0 * self.whole(low, high)

    @property
    def candidate(self) -> int:
        """Position of the only site that is not open from the start."""
        return self.sites - 1


def _settings(d: _Draw) -> dict[str, Any]:
    low, high = (0.4, 0.5) if "share" in d.themes else (0.55, 0.85)
    return {
        "schema_version": 1, "name": f"random-{d.seed}", "start": quarter(0), "periods": d.periods, "discount_rate": 0.1,
        "commissioning_share": 0.5, "load_market": 0.7, "customer_revenue_share": d.pick(low, high),
        "customer_revenue_share_from": quarter(d.whole(d.periods // 2, d.periods - 1)),
    }  # fmt: skip


def _generations(d: _Draw) -> None:
    last = d.periods - 1
    d.tables["generations"] = [
        {"gen_id": "air", "name": "Air", "gpus_per_rack": 8, "rack_kw": 40, "liquid_share": 0.0, "idle_share": 0.3, "life_periods": d.whole(5, 8),
         "first_install": "2020-Q1", "last_install": quarter(last), "install_usd_per_rack": 4000, "opex_usd_per_rack_year": 9000, "residual_factor": 0.2},
        {"gen_id": "mix", "name": "Mixed", "gpus_per_rack": 16, "rack_kw": 60, "liquid_share": 0.5, "idle_share": 0.25, "life_periods": 10,
         "first_install": "2025-Q1", "last_install": quarter(last - 1), "install_usd_per_rack": 8000, "opex_usd_per_rack_year": 12000, "residual_factor": 0.3},
        {"gen_id": "liq", "name": "Liquid", "gpus_per_rack": 32, "rack_kw": 120, "liquid_share": 1.0, "idle_share": 0.2, "life_periods": 24,
         "first_install": quarter(1), "last_install": quarter(last + 4), "install_usd_per_rack": 16000, "opex_usd_per_rack_year": 20000, "residual_factor": 0.35},
    ]  # fmt: skip
    price = {"air": 9_500.0, "mix": 14_500.0, "liq": 19_500.0}
    later = {"air": 2_500.0 * d.whole(0, 1), "mix": 1_250.0 * d.whole(0, 3), "liq": 1_250.0 * d.whole(0, 4)}
    d.tables["gpu_prices"] = [{"gen_id": g, "from_period": "2020-Q1", "usd_per_gpu": usd} for g, usd in price.items()]
    d.tables["gpu_prices"] += [{"gen_id": g, "from_period": quarter(3), "usd_per_gpu": usd - later[g]} for g, usd in price.items()]
    plenty = 1 + bool(d.themes & {"power", "liquid", "air", "grid", "derate", "retrofit", "candidate"})
    most = {"air": 5 * plenty, "mix": 8 * plenty, "liq": 5 * plenty}
    d.tables["supply"] = [
        {"gen_id": g, "period": quarter(t), "racks": d.whole(plenty, most[g])} for g in price for t in range(d.periods) if d.chance(0.7)
    ]
    d.tables["market"] = [
        {
            "gen_id": g,
            "tier": tier,
            "from_period": quarter(0),
            "usd_per_gpu_hour": round(top * scale, 3),
            "max_gpus": d.whole(10, 60) * plenty,
        }
        for g, top in (("air", 1.0), ("mix", 1.4), ("liq", 1.9))
        for tier, scale in (("reserved", 1.0), ("spot", 0.5))
    ]


def _site(d: _Draw, i: int) -> None:
    s, candidate = f"s{i}", i == d.candidate
    firm = d.mw(6, 18) if "power" in d.themes else d.mw(18, 44)
    wue = d.pick(0.2, 1.0)
    used = firm * 2190 * wue
    d.tables["sites"].append(
        {"site_id": s, "name": s.upper(), "country": "X", "zone": ("US", "EU")[i % 2], "lat": d.pick(30, 60), "lon": d.pick(-120, 20),
         "grid_node": f"n{i // 2}", "price_zone": f"z{i % 2}", "status": "candidate" if candidate else "open",
         "activation_usd": 40_000 if candidate else 0, "max_rack_kw": 70 if i == 1 else None,
         "install_racks_per_period": d.whole(2, 5) if d.chance(0.5) else d.whole(4, 8), "overhead_mw": d.mw(0, 2),
         "pue_air": d.pick(1.3, 1.5), "pue_liquid": d.pick(1.1, 1.2), "pue_air_peak": 1.5, "pue_liquid_peak": 1.25, "wue_l_per_kwh": wue,
         "water_limit_m3_per_period": round(used * (d.pick(0.15, 0.4) if "water" in d.themes else 1.0), 1) if i % 2 == 0 else None}
    )  # fmt: skip
    if not candidate:
        air = 1.0 if "power" in d.themes else 0.4 if "air" in d.themes else 0.8
        liquid = 1.0 if "power" in d.themes else 0.15 if d.themes & {"liquid", "retrofit"} else 0.5
        d.tables["power_blocks"].append(
            {"block_id": f"{s}-a", "site_id": s, "it_mw": firm, "air_mw": _step(firm * air, 0.04), "liquid_mw": _step(firm * liquid, 0.06),
             "status": "firm", "energized": "2025-Q1", "usable_share": 1.0 if i else 0.5, "lease_usd_per_kw_month": 20}
        )  # fmt: skip
        if i == 0:
            d.tables["power_blocks"][-1]["it_mw"] = round(2 * firm, 3)
            if "retrofit" in d.themes and d.chance(0.7):
                d.tables["power_blocks"][-1] |= {"air_mw": 0.12, "liquid_mw": 0.12}
        space = int(min(firm, _step(firm * air, 0.04)) / 0.04)
        old = d.whole(1, max(1, space // 2))
        new = d.whole(0, max(0, space - old) // 2)
        d.tables["fleet"] += [
            {"site_id": s, "gen_id": "air", "in_service_since": since, "racks": n} for since, n in (("2024-Q3", old), ("2025-Q1", new)) if n
        ]
    wanted = ("candidate" if candidate else "options") in d.themes
    converts = candidate and "retrofit" in d.themes
    d.tables["power_blocks"].append(
        {"block_id": f"{s}-b", "site_id": s, "it_mw": d.mw(20, 50), "air_mw": round(0.12 * d.whole(2, 4), 3) if converts else d.mw(6, 20),
         "liquid_mw": 0.0 if converts else d.mw(12, 40), "status": "option",
         "energized": quarter(d.whole(0, 2)), "lease_usd_per_kw_month": d.pick(2, 8) if wanted or converts else d.pick(5, 30),
         "capex_usd": d.usd(2, 10) if wanted or converts else d.usd(5, 50), "residual_share": 0.3,
         "lead_periods": d.whole(0, 2), "latest": quarter(d.whole(2, d.periods - 2)) if d.chance(0.6) else None}
    )  # fmt: skip


def _step(value: float, unit: float) -> float:
    """The multiple of a unit next below, at least one."""
    return round(max(1, int(value / unit + 1e-9)) * unit, 3)


def _sites(d: _Draw) -> None:
    d.tables |= {"sites": [], "power_blocks": [], "fleet": []}
    for i in range(d.sites):
        _site(d, i)
    if d.chance(0.6):
        d.tables["power_blocks"].append(
            {"block_id": "s0-late", "site_id": "s0", "it_mw": 0.4, "air_mw": 0.12, "liquid_mw": 0.3, "status": "firm", "energized": quarter(3),
             "lease_usd_per_kw_month": 25}
        )  # fmt: skip
    d.tables["site_pue"] = [{"site_id": "s0", "season": q, "pue_air": 1.3 + 0.05 * q, "pue_liquid": 1.1 + 0.02 * q} for q in (1, 2, 3, 4)]
    if "derate" in d.themes:
        limits = {"s0": {"liquid_mw": _step(d.mw(2, 10), 0.06)}, "s1": {"air_mw": d.mw(2, 5)}, "s2": {"it_mw": d.mw(4, 9)}}
    else:
        limits = {"s1": {"it_mw": d.mw(15, 30), "liquid_mw": d.mw(4, 12), "air_mw": d.mw(6, 20)}}
    d.tables["site_limits"] = [{"site_id": s, "from_period": quarter(2), **most} for s, most in limits.items()]
    d.tables["site_limits"] += [{"site_id": s, "from_period": quarter(d.periods - 1)} for s in limits]
    cheap = "retrofit" in d.themes
    last = f"s{d.candidate}"
    d.tables["retrofits"] = [
        {"site_id": "s0", "min_mw": d.pick(0.02, 0.1), "max_mw": round(0.06 * d.whole(2, 7), 3), "fixed_usd": 5_000, "usd_per_kw": d.pick(5, 20) if cheap else d.pick(20, 200),
         "lead_periods": 1 if cheap else 2, "downtime_periods": 1},
        {"site_id": last, "min_mw": d.pick(0.05, 0.3), "max_mw": round(0.06 * d.whole(5, 9), 3), "fixed_usd": 5_000, "usd_per_kw": d.pick(5, 20) if cheap else d.pick(20, 200),
         "lead_periods": 1 if cheap else d.whole(0, 2)},
    ]  # fmt: skip
    if cheap and d.candidate > 2:
        d.tables["retrofits"].append(
            {
                "site_id": "s2",
                "min_mw": 0.06,
                "max_mw": 0.06 if d.seed % 2 else 0.12,
                "fixed_usd": 1_000,
                "usd_per_kw": d.pick(5, 20),
                "lead_periods": 1,
            }
        )


def _grid(d: _Draw) -> None:
    """Limits in steps of 7.5 kW above the overhead: the peaks of the racks are 60, 82.5 and 150 kW."""
    overhead = sum(row["overhead_mw"] for row in d.tables["sites"])
    below = sum(row["overhead_mw"] for row in d.tables["sites"][:2])
    scarce = "grid" in d.themes

    def limit(base: float, low: int, high: int) -> float:
        return round(base + 0.0075 * 2 * d.whole(low, high), 4)

    d.tables["grid_nodes"] = [{"node_id": "root"}] + [{"node_id": f"n{i}", "parent_id": "root"} for i in range((d.sites + 1) // 2)]
    d.tables["grid_limits"] = [
        {"node_id": "root", "from_period": quarter(0), "limit_mw": limit(overhead, 40, 80) if scarce else limit(overhead, 120, 240)},
        {"node_id": "n0", "from_period": quarter(1), "limit_mw": limit(below, 20, 40) if scarce else limit(below, 60, 120)},
        {"node_id": "root", "from_period": quarter(4), "limit_mw": limit(overhead, 50, 90) if scarce else limit(overhead, 240, 400)},
    ]


def _contract(d: _Draw, i: int) -> None:
    """c0 runs from the start and may use old racks; c1 moves at a price; c2 may be a hard duty; the last two are prospects."""
    c, candidate = f"c{i}", f"s{d.candidate}"
    start = 0 if i == 0 else d.whole(0, min(2, d.periods - 4))
    highest = d.whole(40, 90) if d.chance(0.4) else d.whole(90, 200)
    cluster = d.pick(0.45, 0.5) if "cluster" in d.themes else d.pick(0.2, 0.5)
    duty = i == 2 and "duty" in d.themes
    thin = duty and d.chance(0.6)
    d.tables["contracts"].append(
        {"contract_id": c, "customer": f"customer {i % 3}", "status": "prospect" if i >= d.contracts - 2 and not thin else "firm", "start": quarter(start),
         "end": quarter(d.periods - 1 - d.whole(0, 1)), "ld_usd_per_gpu_hour": 0.05 if thin else d.pick(1.0, 3.0), "load_share": d.pick(0.6, 0.9),
         "spare_share": d.pick(0, 0.05), "zones": ["US"] if i == 3 and "candidate" not in d.themes else [],
         "sites": [candidate] if i == 1 and "candidate" in d.themes and d.chance(0.5) else [],
         "excluded_sites": ["s1"] if i == 1 else [], "min_cluster_gpus": round(highest * cluster) if (i % 2 or (i == 2 and "cluster" in d.themes)) and not thin else 0,
         "cluster_grace": d.whole(0, 2), "max_short_share": d.pick(0.85, 0.97) if thin else d.pick(0.6, 0.9) if i == 2 else 1, "grace_periods": 2,
         "max_sites": d.whole(1, 2) if i in (1, 2) and not thin else None, "max_rtt_ms": d.pick(10, 40) if i in (0, 3) else None,
         "move_usd_per_gpu": d.pick(200, 2000) if i in (0, 1) else 0}
    )  # fmt: skip
    for g, eq in (("air", 1.0), ("mix", 1.0), ("liq", 1.5)):
        if g != "air" or i in (0, 2):
            d.tables["contract_generations"].append({"contract_id": c, "gen_id": g, "gpu_equivalent": eq})
    d.tables["contract_ramp"].append({"contract_id": c, "from_period": quarter(start), "gpus": highest if i == 0 else highest // 2})
    d.tables["contract_ramp"].append({"contract_id": c, "from_period": quarter(start + 2), "gpus": highest * 3 // 4 if i == 0 else highest})
    d.tables["contract_prices"].append(
        {"contract_id": c, "from_period": quarter(start), "usd_per_gpu_hour": 0.1 if thin else d.pick(2.0, 4.5)}
    )
    d.tables["serving_costs"].append({"contract_id": c, "site_id": f"s{d.whole(0, d.sites - 1)}", "usd_per_gpu_hour": d.pick(0.1, 0.6)})


def _contracts(d: _Draw) -> None:
    d.tables |= {"contracts": [], "contract_generations": [], "contract_ramp": [], "contract_prices": [], "serving_costs": []}
    for i in range(d.contracts):
        _contract(d, i)
    d.tables["current_deliveries"] = [{"contract_id": "c0", "site_id": s, "gpus": d.whole(5, 30)} for s in ("s0", "s1")]
    d.tables["network_links"] = [{"site_a": f"s{i}", "site_b": f"s{i + 1}", "rtt_ms": d.pick(5, 30)} for i in range(d.sites - 1)]


def _energy(d: _Draw) -> None:
    d.tables["energy"] = []
    for zone, seasons in (("z0", (1, 2, 3, 4)), ("z1", (None,))):
        for season in seasons:
            d.tables["energy"] += [
                {"price_zone": zone, "from_period": "2026-Q1", "season": season, "slice": name, "hours_share": hours,
                 "usd_per_mwh": d.pick(*usd), "gco2_per_kwh": d.pick(*grams)}
                for name, hours, usd, grams in (("peak", 0.4, (60, 150), (200, 500)), ("off", 0.6, (20, 60), (50, 300)))
            ]  # fmt: skip
    d.tables["demand_charges"] = [{"price_zone": "z0", "from_period": "2026-Q1", "usd_per_kw_month": 8.0}]
    d.tables["carbon_prices"] = [{"price_zone": "z1", "from_period": quarter(2), "usd_per_t": 60.0}]


def _limits(d: _Draw) -> None:
    """Budget, carbon cap and directives, sized by the firm power."""
    firm = sum(row["it_mw"] * row.get("usable_share", 1.0) for row in d.tables["power_blocks"] if row["status"] == "firm")
    overhead = sum(row["overhead_mw"] for row in d.tables["sites"])
    low, high = (0.1, 0.3) if "carbon" in d.themes else (0.8, 1.2)
    usd = (6, 30) if "budget" in d.themes else (100, 350)
    d.tables["capex_budget"] = [{"period": quarter(t), "usd": d.usd(*usd)} for t in range(0, d.periods, 2)]
    d.tables["carbon_cap"] = [{"year": 2026, "tonnes": round(8760 * 0.23 * (firm * 1.35 * 0.7 * d.pick(low, high) + 2 * overhead))}]
    d.tables["directives"] = [
        {"row": "1", "rule": "max", "decision": "in_service", "site_id": "s2", "gen_id": "air", "from_period": quarter(3), "value": d.whole(0, 3),
         "why": "hall moves out"},
        {"row": "2", "rule": "min", "decision": "deliveries", "contract_id": "c0", "from_period": quarter(2), "to_period": quarter(2),
         "value": d.whole(1, 8), "why": "pilot"},
    ]  # fmt: skip
    if d.chance(0.3):
        last = quarter(d.periods - 1)
        d.tables["directives"].append(
            {"row": "4", "rule": "min", "decision": "open", "site_id": f"s{d.candidate}", "from_period": last, "to_period": last, "value": 1, "why": "announced"}
        )  # fmt: skip
    if d.chance(0.4):
        d.tables["directives"].append(
            {"row": "3", "rule": "fix", "decision": "installed", "site_id": "s0", "gen_id": "mix", "from_period": quarter(1), "to_period": quarter(1), "value": 0}
        )  # fmt: skip


def random_tables(seed: int, *, sites: int = 4, periods: int = 6, contracts: int = 4) -> tuple[dict[str, Any], dict[str, Table]]:
    """Settings and tables of a random dataset.

    Args:
        seed: same seed, same dataset.
        sites, periods, contracts: size, at least 3, 5 and 3; the last site is a candidate, the last two contracts are prospects.
    """
    d = _Draw(seed, sites, periods, contracts)
    settings = _settings(d)
    for part in (_generations, _sites, _grid, _contracts, _energy, _limits):
        part(d)
    return settings, d.tables


def random_dataset(seed: int, **size: int) -> Dataset:
    """A checked random dataset."""
    settings, tables = random_tables(seed, **size)
    return Dataset.build(settings, **tables)

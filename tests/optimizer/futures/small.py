"""Small random datasets with futures, and one by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.changes import read_changes
from models.dataset import Dataset
from models.uncertainty import Scenario
from tests.factories import small_dataset


def random_small(seed: int) -> Dataset:
    """Two sites, the second with power to come and an option; three periods; a firm contract, a prospect, and a market."""
    rng = np.random.default_rng(seed)

    def pick(low: float, high: float) -> float:
        return round(float(rng.uniform(low, high)), 2)

    tables: dict[str, Any] = {
        "sites": [{"site_id": "a", "overhead_mw": 0.05, "pue_air": 1.3, "pue_air_peak": 1.5}, {"site_id": "b"}],
        "power_blocks": [
            {"block_id": "a-1", "site_id": "a", "it_mw": 0.2, "lease_usd_per_kw_month": 10},
            {"block_id": "b-1", "site_id": "b", "it_mw": 0.1 * int(rng.integers(1, 4)), "energized": "2026-Q2"},
            {"block_id": "b-2", "site_id": "b", "it_mw": 0.2, "status": "option", "capex_usd": pick(2e3, 3e4), "lead_periods": 1},
        ],
        "generations": [{"gen_id": "h100", "idle_share": 0.3, "opex_usd_per_rack_year": 2000, "residual_factor": 0.3, "life_periods": 6}],
        "gpu_prices": [
            {"gen_id": "h100", "usd_per_gpu": pick(2000, 6000)},
            {"gen_id": "h100", "from_period": "2026-Q2", "usd_per_gpu": pick(2000, 6000)},
        ],
        "supply": [{"gen_id": "h100", "period": t, "racks": int(rng.integers(1, 4))} for t in ("2026-Q1", "2026-Q2")],
        "contracts": [
            {"contract_id": "c", "ld_usd_per_gpu_hour": pick(0, 2), "spare_share": 0.05, "min_cluster_gpus": 6, "cluster_grace": 1},
            {"contract_id": "p", "customer": "v", "status": "prospect", "start": "2026-Q2", "ld_usd_per_gpu_hour": pick(1, 4)},
        ],
        "contract_ramp": [{"contract_id": "c", "gpus": pick(8, 25)}, {"contract_id": "p", "from_period": "2026-Q2", "gpus": pick(8, 25)}],
        "contract_prices": [
            {"contract_id": "c", "usd_per_gpu_hour": pick(1, 4)},
            {"contract_id": "p", "from_period": "2026-Q2", "usd_per_gpu_hour": pick(1, 4)},
        ],
        "market": [{"gen_id": "h100", "usd_per_gpu_hour": pick(0.5, 2), "max_gpus": 20}],
        "energy": [{"usd_per_mwh": pick(30, 120)}],
    }  # fmt: skip
    return small_dataset(periods=3, discount_rate=0.08, commissioning_share=0.5, **tables)


def futures(odds: tuple[float, ...] = (0.4, 0.35, 0.25)) -> list[Scenario]:
    """As planned; late power and a glut; a scarcity with less supply."""
    late: list[dict[str, Any]] = [
        {"type": "site.energization_delay", "site_id": "b", "delay_periods": 1},
        {"type": "market.price", "factor": 0.4, "from_period": "2026-Q2"},
    ]
    scarce: list[dict[str, Any]] = [
        {"type": "market.price", "factor": 1.8, "from_period": "2026-Q2"},
        {"type": "supply.cut", "cut_share": 0.5, "from_period": "2026-Q2"},
    ]
    changes = [(), tuple(read_changes(late)), tuple(read_changes(scarce))]
    names = ("as planned", "late, glut", "scarce")
    return [Scenario(name, p, made) for name, p, made in zip(names, odds, changes, strict=True)]


def newsvendor(low_odds: float = 0.5, depth: float = 50.0) -> tuple[Dataset, list[Scenario]]:
    """Racks at 10,000 USD must be bought in the first quarter; in the second the market takes 20 or 80 GPUs at 1 USD an hour.

    A rack of 10 GPUs that is sold earns 2184 h * 10 = 21,840 USD, so 11,840 with its price. The first two are always sold, the next
    six only if the market is deep, with odds q: their expected profit is 21,840 q - 10,000, above 0 from q = 0.458 on.
    """
    dataset = small_dataset(
        periods=2,
        sites=[{"site_id": "a"}],
        generations=[{"gen_id": "h100", "last_install": "2026-Q1"}],
        contract_ramp=[{"contract_id": "c", "gpus": 0}],
        market=[{"gen_id": "h100", "from_period": "2026-Q2", "usd_per_gpu_hour": 1.0, "max_gpus": depth}],
    )
    low, high = (tuple(read_changes([{"type": "market.depth", "max_gpus": gpus, "from_period": "2026-Q2"}])) for gpus in (20, 80))
    return dataset, [Scenario("shallow", low_odds, low), Scenario("deep", 1 - low_odds, high)]

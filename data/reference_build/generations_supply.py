"""GPU generations, what they cost, how many can be had, and what the market pays for them."""

from __future__ import annotations

from data.reference_build.book import Book, Src, derived
from data.reference_build.facts import Facts, assumption, fact

LIQUID_OF_RACK = 1.1
"""All-in power of a rack over that of the rack itself; network, storage and CPU nodes stay in air."""


def add_generations(book: Book, facts: Facts) -> None:
    """generations.csv."""
    for row in facts.table("gpu_generations"):
        g = row["gen_id"]
        gpus = int(row["gpus_per_rack"])
        price = float(row["price_usd_per_gpu"])
        book.add(
            "generations",
            {
                "gen_id": g,
                "name": row["name"],
                "gpus_per_rack": gpus,
                "rack_kw": round(gpus * float(row["kw_per_gpu_all_it"]), 3),
                "liquid_share": round(float(row["liquid_heat_fraction"]) / LIQUID_OF_RACK, 4),
                "idle_share": facts.assumed("generation.idle_share"),
                "life_periods": int(float(row["economic_life_years"]) * 4),
                "first_install": row["first_volume_quarter"],
                "last_install": facts.assumed(f"generation.{g}.last_install"),
                "install_usd_per_rack": facts.assumed(f"generation.{g}.install_usd_per_rack"),
                "opex_usd_per_rack_year": round(facts.assumed("generation.opex_share_of_price") * price * gpus, -2),
                "residual_factor": facts.assumed(f"generation.{g}.residual_factor"),
            },
            {
                "gpus_per_rack": fact("gpu_generations", "gpus_per_rack", row["basis_rack_kw"]),
                "rack_kw": derived("facts/gpu_generations.csv: gpus_per_rack x kw_per_gpu_all_it"),
                "liquid_share": derived("facts/gpu_generations.csv: liquid_heat_fraction / 1.1, the share of the rack in its all-in power"),
                "idle_share": assumption("generation.idle_share"),
                "life_periods": Src(
                    "reported", "facts/gpu_generations.csv: economic_life_years x 4; facts/finance.csv: depreciation_life_years"
                ),
                "first_install": fact("gpu_generations", "first_volume_quarter", row["basis_first_volume"]),
                "last_install": assumption(f"generation.{g}.last_install"),
                "install_usd_per_rack": assumption(f"generation.{g}.install_usd_per_rack"),
                "opex_usd_per_rack_year": Src(
                    "assumed", "assumptions.csv: generation.opex_share_of_price x price of facts/gpu_generations.csv"
                ),
                "residual_factor": assumption(f"generation.{g}.residual_factor"),
            },
        )


def add_prices(book: Book, facts: Facts) -> None:
    """gpu_prices.csv: the price of the facts at the start or the first volume, falling every half-year from then on."""
    fall = facts.assumed("gpu_price.fall_per_year")
    for row in facts.table("gpu_generations"):
        g, price = row["gen_id"], float(row["price_usd_per_gpu"])
        first = max(row["first_volume_quarter"], "2025-Q4")
        source = fact("gpu_generations", "price_usd_per_gpu", row["basis_price"])
        book.add("gpu_prices", {"gen_id": g, "from_period": first, "usd_per_gpu": price}, source)
        halves = [f"{year}-Q{q}" for year in range(2026, 2033) for q in (1, 3) if f"{year}-Q{q}" > first]
        for n, quarter in enumerate(halves, start=1):
            book.add(
                "gpu_prices",
                {"gen_id": g, "from_period": quarter, "usd_per_gpu": round(price * (1 - fall) ** (n / 2), -1)},
                Src("assumed", "price of facts/gpu_generations.csv, falling by assumptions.csv: gpu_price.fall_per_year"),
            )


def add_supply(book: Book, facts: Facts) -> None:
    """supply.csv: allocation by quarter."""
    for key, racks in facts.below("supply").items():
        g, period = key.split(".")
        book.add("supply", {"gen_id": g, "period": period, "racks": racks}, assumption(f"supply.{key}"))


def add_market(book: Book, facts: Facts) -> None:
    """market.csv: on-demand and bulk tiers along a price path, and the backstop as a floor for unsold capacity."""
    bulk = facts.assumed("market.bulk_price_ratio")
    for key, usd in facts.below("market.usd_per_gpu_hour").items():
        g, period = key.split(".")
        for tier, ratio in (("on_demand", 1.0), ("bulk", bulk)):
            depth = f"market.max_gpus.{tier}.{g}"
            book.add(
                "market",
                {
                    "gen_id": g,
                    "tier": tier,
                    "from_period": period,
                    "usd_per_gpu_hour": round(usd * ratio, 3),
                    "max_gpus": facts.assumed(depth),
                },
                {
                    "usd_per_gpu_hour": Src(
                        "assumed", f"assumptions.csv: market.usd_per_gpu_hour.{g}" + ("" if ratio == 1.0 else " x market.bulk_price_ratio")
                    ),
                    "max_gpus": assumption(depth),
                },
            )
    first, after = facts.assumed("backstop.from"), facts.assumed("backstop.after")
    for g, share in facts.below("backstop.share").items():
        usd = facts.assumed(f"backstop.usd_per_gpu_hour.{g}")
        start = max(first, facts.by("gpu_generations", "gen_id")[g]["first_volume_quarter"])
        gpus = round(backstop_usd_per_hour(facts) * share / usd, -2)
        text = derived("value of facts/contracts.csv: nvidia_backstop over its 26 quarters, x backstop.share / backstop.usd_per_gpu_hour")
        price = assumption(f"backstop.usd_per_gpu_hour.{g}")
        for period, most in ((start, gpus), (after, 0)):
            book.add(
                "market",
                {"gen_id": g, "tier": "nvidia_backstop", "from_period": period, "usd_per_gpu_hour": usd, "max_gpus": most},
                {"usd_per_gpu_hour": price, "max_gpus": text if most else assumption("backstop.after")},
            )


def backstop_usd_per_hour(facts: Facts) -> float:
    """The backstop's value spread over the hours of its 26 quarters."""
    return float(facts.by("contracts", "contract_id")["nvidia_backstop"]["value_usd"]) / (26 * 2190)

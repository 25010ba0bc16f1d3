"""Energy, demand charges and carbon."""

from __future__ import annotations

from data.reference_build.book import Book, Src, derived
from data.reference_build.facts import Facts, assumption

SEASONS = ("winter", "spring", "summer", "autumn")
HOURS_PER_MONTH = 730.0


def demand_usd_per_mwh(facts: Facts, zone: str) -> float:
    """The demand part of a retail price: charge per kW-month over the MWh that a kW draws at the planning load factor."""
    charge = float(facts.assumed(f"demand.usd_per_kw_month.{zone}"))
    return charge * 1000 / (HOURS_PER_MONTH * float(facts.assumed("demand.load_factor")))


def add_energy(book: Book, facts: Facts) -> None:
    """energy.csv: retail price of the zone without its demand part, shaped by the region's seasons and peaks, growing by year."""
    regions = facts.by("energy", "grid_region")
    fall = facts.assumed("carbon.intensity_fall_per_year")
    for zone in facts.table("energy_zones"):
        name, region = zone["price_zone"], regions[zone["grid_region"]]
        base, mean = float(zone["price_2025_usd_per_mwh"]), float(region["price_usd_per_mwh"])
        peak, off = float(region["price_peak_usd_per_mwh"]), float(region["price_offpeak_usd_per_mwh"])
        part, growth = demand_usd_per_mwh(facts, name), float(region["price_growth_per_year"])
        own = peak == off
        slices = {"all": (1.0, mean)} if own else {"peak": (round((mean - off) / (peak - off), 4), peak), "off_peak": (0.0, off)}
        if not own:
            slices["off_peak"] = (round(1 - slices["peak"][0], 4), off)
        for year in range(2025, 2033):
            grams = float(region["carbon_g_per_kwh"]) * (1.0 if own else (1 - fall) ** (year - 2025))
            for number, season in enumerate(SEASONS[: 1 if own else 4], start=1):
                for slice_name, (hours, level) in slices.items():
                    shaped = base * float(region[f"price_{season}_usd_per_mwh"]) / mean * level / mean
                    price = (shaped - part) * (1 + growth) ** (year - 2025)
                    book.add(
                        "energy",
                        {
                            "price_zone": name,
                            "from_period": f"{year}-Q1",
                            "season": None if own else number,
                            "slice": slice_name,
                            "hours_share": hours,
                            "usd_per_mwh": round(price, 2),
                            "gco2_per_kwh": round(grams, 1),
                        },
                        {
                            "hours_share": Src("derived", "facts/energy.csv: (price - off-peak) / (peak - off-peak)"),
                            "usd_per_mwh": Src(
                                zone["basis"],
                                "facts/energy_zones.csv: price_2025 x region's season and peak shape, less the demand part, x growth by year",
                            ),
                            "gco2_per_kwh": derived(
                                "facts/energy.csv: carbon_g_per_kwh, falling by assumptions.csv: carbon.intensity_fall_per_year"
                            )
                            if not own
                            else derived("facts/energy.csv: carbon_g_per_kwh of the plant"),
                        },
                    )


def add_charges(book: Book, facts: Facts) -> None:
    """demand_charges.csv, growing like energy, and carbon_prices.csv."""
    regions = facts.by("energy", "grid_region")
    for zone in facts.table("energy_zones"):
        name = zone["price_zone"]
        charge = facts.assumed(f"demand.usd_per_kw_month.{name}")
        growth = float(regions[zone["grid_region"]]["price_growth_per_year"])
        for year in range(2025, 2033):
            if charge:
                book.add(
                    "demand_charges",
                    {"price_zone": name, "from_period": f"{year}-Q1", "usd_per_kw_month": round(charge * (1 + growth) ** (year - 2025), 3)},
                    Src("assumed", f"assumptions.csv: demand.usd_per_kw_month.{name}, growing by facts/energy.csv: price_growth_per_year"),
                )
        own = facts.get(f"carbon.usd_per_t.{name}")
        text = Src("derived", "0: none, or already in the power price") if own is None else assumption(f"carbon.usd_per_t.{name}")
        start = "2025-Q1" if own is None else facts.assumed("carbon.from")
        book.add("carbon_prices", {"price_zone": name, "from_period": start, "usd_per_t": own or 0}, text)


def add_cap(book: Book, facts: Facts) -> None:
    """carbon_cap.csv: tonnes by calendar year."""
    for year, tonnes in facts.below("carbon.cap_tonnes").items():
        book.add("carbon_cap", {"year": int(year), "tonnes": tonnes}, assumption(f"carbon.cap_tonnes.{year}"))

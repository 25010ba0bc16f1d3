"""Energy, demand charges, carbon and the capital budget of an instance."""

from __future__ import annotations

from benchmarks.instance_draft import PERIODS, Draft

BUDGET = (
    *(4000, 6500, 7500, 9000, 9500), *(2250,) * 4, *(2100,) * 4, *(1000,) * 4, *(750,) * 4, *(500,) * 8,
)  # fmt: skip
"""Million USD of capital by quarter at the reference's size."""
YEARS = range(2025, 2033)


def add_energy(d: Draft) -> None:
    """Prices by season and slice, higher at peak hours, rising and cleaner from year to year; a level of its own for each zone."""
    zones = sorted({p.price_zone for p in d.places})
    north = {p.price_zone for p in d.places if abs(p.lat) > 55}
    taxed = set(d.some(zones, max(1, len(zones) // 6)))
    for zone in zones:
        gas = "-gas-" in zone
        level = d.pick(34, 48) if gas or zone in north else d.pick(38, 88)
        grams = d.pick(400, 440) if gas else d.pick(15, 120) if zone in north else d.pick(120, 520)
        peak, hours = d.pick(1.35, 1.7), d.pick(0.38, 0.48)
        rise, cleaner = d.pick(0.005, 0.03), d.pick(0.0, 0.005) if gas else d.pick(0.02, 0.06)
        seasons = [1.0] * 4 if gas else [d.pick(0.95, 1.15), d.pick(0.8, 1.0), d.pick(0.95, 1.35), d.pick(0.9, 1.05)]
        for n, year in enumerate(YEARS):
            for season in (None,) if gas else (1, 2, 3, 4):
                usd = level * (1 + rise) ** n * (seasons[season - 1] if season else 1.0)
                for name, share, factor in (("peak", hours, peak), ("off_peak", round(1 - hours, 4), 1.0)):
                    d.add(
                        "energy", price_zone=zone, from_period=f"{year}-Q1", season=season, slice=name, hours_share=share,
                        usd_per_mwh=round(usd * factor, 2), gco2_per_kwh=round(grams * (1 - cleaner) ** n, 1),
                    )  # fmt: skip
        demand = 0.0 if gas else d.pick(4, 11)
        for n, year in enumerate(YEARS):
            if not gas:
                d.add("demand_charges", price_zone=zone, from_period=f"{year}-Q1", usd_per_kw_month=round(demand * 1.02**n, 3))
        if gas or zone in taxed:
            d.add("carbon_prices", price_zone=zone, from_period="2025-Q1", usd_per_t=0.0)
            d.add("carbon_prices", price_zone=zone, from_period=f"{d.whole(2026, 2029)}-Q1", usd_per_t=d.pick(10, 45, 1))


def add_carbon_cap(d: Draft) -> None:
    """A cap from 2029 on, near what full sites would emit: load of 60 % of firm IT power, gross 1.16, falling by 4 % a year."""
    grams: dict[str, float] = {}
    for row in d.tables["energy"]:
        if row["from_period"] == "2029-Q1" and row["slice"] == "peak":
            grams[row["price_zone"]] = row["gco2_per_kwh"]
    full = sum(p.mw(PERIODS)[0] * grams[p.price_zone] for p in d.places) * 8.76 * 1.16
    share, fall = d.pick(0.61, 0.73), d.pick(0.03, 0.06)
    for n, year in enumerate(range(2029, 2033)):
        d.add("carbon_cap", year=year, tonnes=round(full * share * (1 - fall) ** n, -2))


def add_budget(d: Draft) -> None:
    """Capital by quarter, by the power of all sites."""
    tightness = d.pick(0.8, 1.0)
    for t, usd in enumerate(BUDGET):
        d.add("capex_budget", period=d.label(t), usd=round(usd * d.scale * tightness * d.near(1.0, 0.08), 0) * 1e6)

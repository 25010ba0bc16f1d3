"""Sites, power blocks, limits and retrofits: where racks can stand, when, and with which cooling."""

from __future__ import annotations

from data.reference_build.book import Book, Src, derived
from data.reference_build.cooling import annual, peak_pue, seasonal_pue, wue
from data.reference_build.facts import Facts, assumption, fact

ZONES = {"US": "US", "GB": "GB", "ES": "EU", "SE": "EU", "DK": "EU", "NO": "NO"}
CANDIDATES = ("horizon-tx",)
OPTIONS = {("lancaster-pa", 2), ("lancaster-pa", 3), ("hammond-in", 1), ("hammond-in", 2), ("horizon-tx", 1), ("horizon-tx", 2)}
"""Phases that are expansions or hang on a permit that is still missing: Lancaster's second and third hundred, Hammond, Horizon."""

EXPANSION = 9
"""Number of a block beyond the phases of the facts: growth of a campus that has power secured."""


def phases(row: dict[str, str]) -> list[tuple[int, float, str]]:
    """Phases of a site after the start: (number, MW, quarter)."""
    return [(k, float(row[f"phase{k}_mw"]), row[f"phase{k}_quarter"]) for k in (1, 2, 3, 4) if row[f"phase{k}_mw"]]


def add_sites(book: Book, facts: Facts) -> None:
    """sites.csv and site_pue.csv."""
    climate = facts.by("climate", "site_id")
    for row in facts.table("sites"):
        s = row["site_id"]
        mw = float(row["it_power_mw"])
        seasons = seasonal_pue(facts, s, climate[s])
        air, liquid = annual(seasons)
        air_peak, liquid_peak = peak_pue(facts, s, climate[s], air, liquid)
        use = wue(facts, s)
        site = {
            "site_id": s,
            "name": row["name"],
            "country": row["country"],
            "zone": ZONES[row["country"]],
            "lat": float(row["lat"]),
            "lon": float(row["lon"]),
            "grid_node": row["grid_node"],
            "price_zone": row["price_zone"],
            "status": "candidate" if s in CANDIDATES else "open",
            "activation_usd": facts.get(f"site.{s}.activation_usd"),
            "max_rack_kw": facts.get(f"site.{s}.max_rack_kw"),
            "install_racks_per_period": install_rate(facts, s, mw),
            "overhead_mw": round(facts.assumed("site.overhead_share") * mw, 3),
            "pue_air": air,
            "pue_liquid": liquid,
            "pue_air_peak": air_peak,
            "pue_liquid_peak": liquid_peak,
            "wue_l_per_kwh": use,
            "water_limit_m3_per_period": water_limit(facts, s, mw, use),
        }
        technology = f"facts/cooling.csv formula ({facts.assumed(f'cooling.{s}')}) at facts/climate.csv"
        location = fact("sites", "lat, lon", row["basis_location"])
        rate_key = f"site.{s}.install_racks_per_period"
        sources = {
            "lat": location,
            "lon": location,
            "activation_usd": assumption(f"site.{s}.activation_usd"),
            "max_rack_kw": assumption(f"site.{s}.max_rack_kw"),
            "install_racks_per_period": assumption(rate_key)
            if facts.get(rate_key)
            else Src("assumed", "assumptions.csv: site.install_racks_per_mw x MW, at least site.install_racks_least"),
            "overhead_mw": Src("assumed", "assumptions.csv: site.overhead_share x MW of facts/sites.csv"),
            "pue_air": derived(f"{technology}, mean of the seasons"),
            "pue_liquid": derived("facts/cooling.csv direct_to_chip_liquid_dry_cooler at facts/climate.csv, mean of the seasons"),
            "pue_air_peak": derived(f"{technology}, design bulbs; overhead at least pue_peak_over_mean times the mean"),
            "pue_liquid_peak": derived("facts/cooling.csv liquid formula at the design wet bulb; at least pue_peak_over_mean"),
            "wue_l_per_kwh": derived(
                "facts/cooling.csv: closed loop for liquid heat; towers, scaled by climate, for air heat where there are some"
            ),
            "water_limit_m3_per_period": Src("assumed", "assumptions.csv: water.share x water at full IT power and mean utilization"),
        }
        book.add("sites", site, sources)
        for season, (a, w) in enumerate(seasons, start=1):
            book.add(
                "site_pue",
                {"site_id": s, "season": season, "pue_air": a, "pue_liquid": w},
                derived("facts/cooling.csv formulas at the seasonal bulbs of facts/climate.csv"),
            )


def install_rate(facts: Facts, s: str, mw: float) -> int:
    """Racks a quarter that crews can install: a figure of the site's own, or by its size."""
    own = facts.get(f"site.{s}.install_racks_per_period")
    return int(own) if own else int(max(facts.assumed("site.install_racks_least"), round(facts.assumed("site.install_racks_per_mw") * mw)))


def water_limit(facts: Facts, s: str, mw: float, use: float) -> int | None:
    """Water right as a share of what full IT power would take at mean utilization, m3 a quarter."""
    share = facts.get(f"water.share.{s}")
    if share is None:
        return None
    return int(round(share * mw * facts.cooling("utilization_of_it_power", "mean") * 2190 * use, -2))


def add_blocks(book: Book, facts: Facts) -> None:
    """power_blocks.csv: what is energized, what is contracted, what may be ordered."""
    overlap = facts.assumed("block.cooling_over_it")
    for row in facts.table("sites"):
        s = row["site_id"]
        energized = float(row["energized_mw_2025q4"])
        blocks = [(0, energized, facts.get(f"block.{s}.energized") or facts.assumed("block.energized"))] if energized else []
        campus = facts.get(f"expansion.{s}.mw")
        grown = [(EXPANSION, float(campus), facts.assumed(f"expansion.{s}.energized"))] if campus else []
        for number, mw, quarter in blocks + phases(row) + grown:
            own = facts.get(f"block.{s}.{number}.liquid_share")
            liquid = float(row["liquid_share"]) if own is None else own
            option = (s, number) in OPTIONS or number == EXPANSION
            name = f"{s}-{'x' if number == EXPANSION else number}"
            per_kw = facts.assumed("option.capex_usd_per_kw") if option else None
            block = {
                "block_id": name,
                "site_id": s,
                "it_mw": mw,
                "air_mw": round(overlap * (1 - liquid) * mw, 3),
                "liquid_mw": round(overlap * liquid * mw, 3),
                "status": "option" if option else "firm",
                "energized": quarter,
                "usable_share": facts.get(f"block.{s}.usable_share"),
                "lease_usd_per_kw_month": float(row["lease_usd_per_kw_month"]),
                "capex_usd": per_kw * mw * 1000 if per_kw else None,
                "residual_share": facts.assumed("option.residual_share") if option else None,
                "lead_periods": facts.assumed(f"option.{s}.lead_periods") if option else None,
                "latest": facts.assumed(f"option.{s}.latest") if option else None,
            }
            split = derived("block.cooling_over_it of assumptions.csv x MW, split by liquid_share of facts/sites.csv")
            split = split if own is None else Src("assumed", f"assumptions.csv: block.{s}.{number}.liquid_share x block.cooling_over_it")
            book.add(
                "power_blocks",
                block,
                {
                    "it_mw": assumption(f"expansion.{s}.mw")
                    if number == EXPANSION
                    else fact("sites", "energized_mw_2025q4", row["basis_energized"])
                    if number == 0
                    else fact("sites", f"phase{number}_mw", row["basis_schedule"]),
                    "air_mw": split,
                    "liquid_mw": split,
                    "energized": assumption(f"expansion.{s}.energized")
                    if number == EXPANSION
                    else assumption(f"block.{s}.energized" if facts.get(f"block.{s}.energized") else "block.energized")
                    if number == 0
                    else fact("sites", "phase quarters", row["basis_schedule"]),
                    "usable_share": Src("derived", "IT share of gross power, facts/cooling.csv: gross_to_it_ratio"),
                    "lease_usd_per_kw_month": fact("sites", "lease_usd_per_kw_month", row["basis_lease"]),
                    "capex_usd": assumption("option.capex_usd_per_kw"),
                    "residual_share": assumption("option.residual_share"),
                    "lead_periods": assumption(f"option.{s}.lead_periods"),
                    "latest": assumption(f"option.{s}.latest"),
                },
            )


def add_limits(book: Book, facts: Facts) -> None:
    """site_limits.csv: Denton's commissioning ran two quarters behind its energization."""
    for key, mw in facts.below("site_limit.it_mw").items():
        s, period = key.split(".")
        book.add(
            "site_limits",
            {"site_id": s, "from_period": period, "it_mw": None if mw == "none" else mw},
            Src(
                "assumed", f"assumptions.csv: site_limit.it_mw.{key}; the slip of two quarters is facts/finance.csv: denton_delay_quarters"
            ),
        )


def add_retrofits(book: Book, facts: Facts) -> None:
    """retrofits.csv: air-cooled halls that can be converted to liquid."""
    usd = facts.cooling("retrofit_cost", "air_to_liquid")
    lead = int(facts.cooling("retrofit_lead_time", "air_to_liquid"))
    downtime = int(facts.cooling("retrofit_downtime", "air_to_liquid"))
    for s, most in facts.below("retrofit.max_mw").items():
        dear = facts.by("sites", "site_id")[s]["country"] != "US"
        factor = facts.assumed("retrofit.europe_factor") if dear else 1.0
        book.add(
            "retrofits",
            {
                "site_id": s,
                "min_mw": facts.assumed("retrofit.min_mw"),
                "max_mw": most,
                "fixed_usd": facts.assumed("retrofit.fixed_usd"),
                "usd_per_kw": usd * factor,
                "lead_periods": lead,
                "downtime_periods": downtime,
            },
            {
                "min_mw": assumption("retrofit.min_mw"),
                "max_mw": assumption(f"retrofit.max_mw.{s}"),
                "fixed_usd": assumption("retrofit.fixed_usd"),
                "usd_per_kw": Src("assumed", "facts/cooling.csv: retrofit_cost x assumptions.csv: retrofit.europe_factor")
                if dear
                else Src("reported", "facts/cooling.csv: retrofit_cost"),
                "lead_periods": Src("assumed", "facts/cooling.csv: retrofit_lead_time"),
                "downtime_periods": Src("assumed", "facts/cooling.csv: retrofit_downtime"),
            },
        )

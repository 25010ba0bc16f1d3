"""PUE and WUE of each site from its climate, by the formulas of facts/cooling.csv."""

from __future__ import annotations

from data.reference_build.facts import Facts

SEASONS = ("winter", "spring", "summer", "autumn")
"""Seasons of the climate file, in the order of calendar quarters 1..4."""


def chiller(dry_bulb_c: float) -> float:
    """PUE of air-cooled chillers: 1 + 0.07 + 1/COP, COP = 5.5 - 0.08 (T - 15) within 2.5..8."""
    return 1.07 + 1.0 / min(max(5.5 - 0.08 * (dry_bulb_c - 15.0), 2.5), 8.0)


def tower(wet_bulb_c: float) -> float:
    """PUE of chillers with evaporative towers: 1.10 + 0.0075 max(0, Twb - 5)."""
    return 1.10 + 0.0075 * max(0.0, wet_bulb_c - 5.0)


def economizer(dry_bulb_c: float) -> float:
    """PUE of air-side economizers; below freezing the intake is mixed up to 0 C."""
    warm = max(dry_bulb_c, 0.0)
    return 7.1705e-5 * warm**2 + 0.0041 * warm + 1.0743


def dry_cooler(wet_bulb_c: float) -> float:
    """PUE of heat that liquid takes to dry coolers: 1.08 + 0.0035 max(0, Twb - 8)."""
    return 1.08 + 0.0035 * max(0.0, wet_bulb_c - 8.0)


def air_pue(technology: str, dry_bulb_c: float, wet_bulb_c: float) -> float:
    """PUE of heat that air takes, by the technology of the halls."""
    if technology == "evaporative_tower":
        return tower(wet_bulb_c)
    return economizer(dry_bulb_c) if technology == "air_side_economizer" else chiller(dry_bulb_c)


def seasonal_pue(facts: Facts, s: str, climate: dict[str, str]) -> list[tuple[float, float]]:
    """(air, liquid) PUE of seasons 1..4."""
    technology = facts.assumed(f"cooling.{s}")
    bulbs = [(float(climate[f"{q}_drybulb_c"]), float(climate[f"{q}_wetbulb_c"])) for q in SEASONS]
    return [(round(air_pue(technology, dry, wet), 4), round(dry_cooler(wet), 4)) for dry, wet in bulbs]


def annual(seasons: list[tuple[float, float]]) -> tuple[float, float]:
    """Mean (air, liquid) PUE of the seasons."""
    air, liquid = zip(*seasons, strict=True)
    return round(sum(air) / 4, 4), round(sum(liquid) / 4, 4)


def peak_pue(facts: Facts, s: str, climate: dict[str, str], air: float, liquid: float) -> tuple[float, float]:
    """Design-day (air, liquid) PUE; its overhead is at least pue_peak_over_mean times the mean overhead."""
    dry, wet = float(climate["design_drybulb_c"]), float(climate["design_wetbulb_c"])
    ratio = facts.cooling("pue_peak_over_mean", "any")
    air_peak = max(air_pue(facts.assumed(f"cooling.{s}"), dry, wet), 1 + ratio * (air - 1))
    return round(air_peak, 4), round(max(dry_cooler(wet), 1 + ratio * (liquid - 1)), 4)


def tower_shape(wet_bulb_c: float) -> float:
    """WUE of towers over the wet bulb (cycles S = 6), L per kWh; used for its shape only."""
    f = wet_bulb_c * 9 / 5 + 32
    return 1.2 * (6e-5 * f**3 - 0.01 * f**2 + 0.61 * f - 10.4)


def wue(facts: Facts, s: str) -> float:
    """On-site water, L per kWh IT: closed loops for liquid heat, towers or nothing for air heat.

    The tower formula lies above the range of the reported level, so the level is the reported one
    and the formula gives only how it differs between climates.
    """
    liquid = float(facts.by("sites", "site_id")[s]["liquid_share"])
    loop = facts.cooling("wue_onsite", "closed_loop_liquid_dry_cooler")
    if facts.assumed(f"cooling.{s}") != "evaporative_tower":
        return round(liquid * loop, 4)
    shapes = {row["site_id"]: tower_shape(float(row["annual_mean_wetbulb_c"])) for row in facts.table("climate")}
    mean = sum(shapes.values()) / len(shapes)
    level = facts.cooling("wue_onsite", "evaporative_tower") * shapes[s] / mean
    return round(liquid * loop + (1 - liquid) * min(max(level, 0.5), 1.5), 4)

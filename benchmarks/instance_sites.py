"""Tables of the sites of an instance: sites, PUE, blocks, limits, retrofits."""

from __future__ import annotations

import math

from benchmarks.instance_draft import PERIODS, Draft, Place

USD_PER_MW = 1.5e6
"""Capital of an optional block beside its lease, as in the reference dataset."""


def add_sites(d: Draft) -> None:
    """Rows of all sites, with the blocks and limits already drawn; price zones and grid nodes must be known."""
    evaporative = {p.site_id for p in d.some([p for p in d.places if p.kind in ("metro", "mid", "campus")], max(1, round(d.sites * 0.22)))}
    for place in d.places:
        _site(d, place, place.site_id in evaporative)
        _power(d, place)
    _retrofits(d)
    _derates(d)


def _site(d: Draft, place: Place, evaporative: bool) -> None:
    """A site and its PUE by season: warmer outside, more cooling; evaporation saves power and takes water."""
    firm = place.mw(PERIODS)[0]
    it = place.mw(PERIODS, options=True)[0]
    mean = 29.0 - 0.42 * max(abs(place.lat) - 10.0, 0.0) + d.pick(-1.5, 1.5)
    air = [_pue(mean + swing, evaporative) for swing in _swings(place.lat)]
    liquid = [round(1.08 + 0.0022 * max(mean + swing - 12.0, 0.0), 4) for swing in _swings(place.lat)]
    wue = d.pick(0.5, 1.15) if evaporative else d.pick(0.0, 0.045)
    water = round(2190 * it * d.pick(0.55, 0.78) * wue, -2) if evaporative else None
    large = place.kind in ("mega", "campus", "candidate")
    d.add(
        "sites", site_id=place.site_id, name=f"{place.zone} {place.kind} {place.site_id[-3:]}", country=place.zone.rstrip("23456789"), zone=place.zone,
        lat=place.lat, lon=place.lon, grid_node=place.grid_node, price_zone=place.price_zone, status="candidate" if place.candidate else "open",
        activation_usd=round(it * 0.24, 1) * 1e6 if place.candidate else 0.0, max_rack_kw=place.max_rack_kw,
        install_racks_per_period=max(40, round(it * d.pick(0.85, 1.0))), overhead_mw=round(0.004 * max(firm, it if large else firm), 3),
        pue_air=round(sum(air) / 4, 4), pue_liquid=round(sum(liquid) / 4, 4), pue_air_peak=round(max(air) + (0.03 if evaporative else 0.06), 4),
        pue_liquid_peak=round(max(liquid) + 0.015, 4), wue_l_per_kwh=wue, water_limit_m3_per_period=water,
    )  # fmt: skip
    for season in range(4):
        d.add("site_pue", site_id=place.site_id, season=season + 1, pue_air=air[season], pue_liquid=liquid[season])


def _swings(lat: float) -> list[float]:
    """Outside temperature by season against the year's mean, degrees C; the other way round south of the equator."""
    swing = min(0.26 * abs(lat), 13.0) * math.copysign(1.0, lat)
    return [-swing, -0.1 * swing, swing, 0.1 * swing]


def _pue(celsius: float, evaporative: bool) -> float:
    base, slope = (1.09, 0.005) if evaporative else (1.13, 0.0058)
    return round(base + slope * max(celsius - 2.0, 0.0), 4)


def _power(d: Draft, place: Place) -> None:
    lease = d.pick(110, 160, 0) if place.kind in ("mega", "campus", "candidate") else d.pick(130, 180, 0)
    kept = d.pick(0.2, 0.3, 2)
    for n, block in enumerate(place.blocks):
        row = {"block_id": f"{place.site_id}-b{n}", "site_id": place.site_id, "it_mw": block.it_mw, "air_mw": block.air_mw}
        row |= {"liquid_mw": block.liquid_mw, "energized": d.label(block.energized), "lease_usd_per_kw_month": lease}
        if block.option:
            row |= {"status": "option", "capex_usd": round(block.it_mw * d.near(USD_PER_MW, 0.15), -5), "residual_share": kept}
            row |= {
                "lead_periods": d.whole(4, 5),
                "latest": d.label(block.energized + d.whole(9, 13)),
                "usable_share": 0.7 if place.candidate else 1.0,
            }
        else:
            row |= {"status": "firm"}
        d.add("power_blocks", **row)


def _retrofits(d: Draft) -> None:
    """Air halls that may be converted: about 12 of 32 sites."""
    halls = [p for p in d.places if p.kind in ("mid", "metro") and 0 < p.liquid_share <= 0.6]
    for place in d.some(halls, max(1, round(d.sites * 12 / 32))):
        air = sum(b.air_mw for b in place.blocks if not b.option)
        lead = d.whole(2, 4)
        d.add(
            "retrofits", site_id=place.site_id, min_mw=3.0, max_mw=max(3.0, round(air * d.pick(0.4, 0.65))), fixed_usd=d.near(4e6, 0.2, -5),
            usd_per_kw=d.pick(1800, 2600, 0), lead_periods=lead, downtime_periods=d.whole(1, min(2, lead)),
        )  # fmt: skip


def _derates(d: Draft) -> None:
    """Slipping sites, chillers that age, and now and then a lease that ends."""
    for place in d.places:
        for t, most in place.derate:
            d.add("site_limits", site_id=place.site_id, from_period=d.label(t), it_mw=most)
    plain = [p for p in d.places if p.kind in ("mid", "metro", "edge") and not p.derate]
    chosen = d.some(plain, max(1, round(d.sites / 16)))
    for n, place in enumerate(chosen):
        _, air, liquid = place.mw(PERIODS)
        place.steady = False
        if n > 0 and n == len(chosen) - 1:
            d.add("site_limits", site_id=place.site_id, from_period=d.label(d.whole(20, 25)), it_mw=0.0)
        else:
            share = d.pick(0.8, 0.92)
            d.add(
                "site_limits",
                site_id=place.site_id,
                from_period=d.label(d.whole(10, 18)),
                air_mw=round(air * share, 1),
                liquid_mw=round(liquid * share, 1),
            )

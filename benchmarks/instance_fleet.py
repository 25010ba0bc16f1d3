"""The fleet of an instance at the start, and what of it contracts receive already."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.instance_draft import Draft, Place

FILL = {"mega": (0.26, 0.42), "campus": (0.4, 0.58), "mid": (0.45, 0.68), "metro": (0.5, 0.72), "edge": (0.45, 0.68)}
"""Share of the IT power at the start that racks use, by kind of site."""
SINCE = {"a100": (-17, -13), "h100": (-11, -4), "h200": (-4, -2), "gb200_nvl72": (-3, 0)}
"""Periods in which the fleet was installed."""


def add_fleet(d: Draft) -> None:
    """Air-cooled racks in the air halls, GB200 racks where liquid is, in one or two cohorts each."""
    for place in d.places:
        it, air, liquid = place.mw(0)
        if it <= 0 or place.candidate:
            continue
        low, high = FILL[place.kind]
        use = it * d.pick(low, high)
        liquid_gpu = d.gpus["gb200_nvl72"]
        if place.max_rack_kw is None or place.max_rack_kw >= liquid_gpu.rack_kw:
            part = 1.0 if place.kind == "mega" else d.pick(0.35, 0.9) * place.liquid_share
            heat = min(use * part, 0.8 * liquid / liquid_gpu.liquid_share)
            use -= _install(d, place, "gb200_nvl72", heat)
            air -= heat * (1 - liquid_gpu.liquid_share)
        use = min(use, 0.92 * air)
        for gen_id, share in (("a100", 0.1), ("h200", 0.2), ("h100", 1.0)):
            wanted = use if gen_id == "h100" else use * share if d.chance(0.5) else 0.0
            if gen_id in d.gpus and place.kind != "mega":
                use -= _install(d, place, gen_id, wanted)


def _install(d: Draft, place: Place, gen_id: str, mw: float) -> float:
    """Racks of a generation that need at most these MW, in cohorts; returns the MW."""
    gpu = d.gpus[gen_id]
    racks = int(1000 * mw / gpu.rack_kw)
    if racks < 8:
        return 0.0
    first, last = SINCE[gen_id]
    early = d.whole(first, last)
    late = d.whole(early, last)
    parts = {early: racks} if late == early or racks < 100 else {early: racks // 2, late: racks - racks // 2}
    for since, count in parts.items():
        d.add("fleet", site_id=place.site_id, gen_id=gen_id, in_service_since=d.label(since), racks=count)
    place.fleet[gen_id] = racks
    return racks * gpu.rack_kw / 1000


class Stock:
    """GPUs of the fleet that no contract receives yet, by site and generation."""

    def __init__(self, d: Draft) -> None:
        self.d = d
        self.free = {(p.site_id, g): float(n * d.gpus[g].gpus) for p in d.places for g, n in p.fleet.items()}

    def worth(self, places: Iterable[Place], gens: Iterable[str], base: float) -> float:
        """Contract GPUs that the free GPUs count for."""
        kinds = list(gens)
        return sum(self.free.get((p.site_id, g), 0.0) * self.d.gpus[g].worth / base for p in places for g in kinds)

    def take(self, places: Iterable[Place], gens: Iterable[str], base: float, wanted: float) -> dict[str, float]:
        """Contract GPUs taken by site, largest sites first, until there are enough; each holds 3 % of spares."""
        kinds, found, left = list(gens), dict[str, float](), wanted
        for place in sorted(places, key=lambda p: (-self.worth([p], kinds, base), p.site_id)):
            got = 0.0
            for gen_id in kinds:
                free = self.free.get((place.site_id, gen_id), 0.0)
                value = self.d.gpus[gen_id].worth / base
                given = min(left - got, free * value / 1.04)
                if given > 0:
                    got += given
                    self.free[place.site_id, gen_id] = free - 1.04 * given / value
            whole = float(int(got))
            if whole >= 50 or (whole > 0 and len(found) == 0):
                found[place.site_id] = whole
                left -= whole
            if left < 1:
                break
        return found

"""Contracts of an instance: sizes that its sites can reach, ramps, prices, deliveries at the start."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.instance_draft import PERIODS, REFERENCE_MW, REFERENCE_SITES, Draft, Place
from benchmarks.instance_fleet import Stock
from benchmarks.instance_hardware import HOPPER
from benchmarks.instance_offers import ALWAYS, EXTRA, USUAL, Offer
from benchmarks.instance_places import LARGE, MIDDLE, NORTH, SMALL, zone_of

ROOM = 0.6
"""Most that one contract asks of the power of the sites it may use; others want their part."""
BUYERS = 7
"""Buyers of several contracts, in a cell."""


@dataclass
class Deal:
    """A contract while it is drawn up; GPUs are contract GPUs, worth is in H100 GPUs."""

    offer: Offer
    cell: int
    contract_id: str
    customer: str
    gens: list[str]
    worth: float
    zones: list[str]
    places: list[Place]
    start: int
    end: int
    gpus: float = 0.0
    cluster: float = 0.0

    @property
    def whole_from(self) -> int:
        """Period from which the whole is owed."""
        return self.start + max(self.offer.ramp - 1, 0)


def add_contracts(d: Draft) -> list[Deal]:
    """Contracts of every cell, those that the fleet serves already first."""
    stock = Stock(d)
    deals = []
    for cell in range(d.cells):
        size = sum(p.cell == cell for p in d.places) / REFERENCE_SITES
        for offer in _offers(d, size):
            deal = _deal(d, cell, offer)
            if offer.held:
                _held(d, stock, deal)
            else:
                _sized(d, deal)
            if deal.gpus >= 50:
                _rows(d, deal)
                deals.append(deal)
    return deals


def _offers(d: Draft, size: float) -> list[Offer]:
    """About 24 to 28 contracts for a cell of 32 sites, fewer for a small one but at least a dozen."""
    count = len(ALWAYS) + max(0, round(14 * min(size, 1.0)) - d.whole(0, 1) - (4 if size < 0.5 else 0))
    extra = d.some(list(EXTRA), max(0, round(d.whole(0, 2) * size)))
    more = d.some(list(EXTRA), max(0, round((size - 1.0) * 14)))
    chosen = [*ALWAYS, *USUAL[: count - len(ALWAYS)], *dict.fromkeys([*extra, *more])]
    return sorted(chosen, key=lambda offer: (not offer.held, not offer.firm))


def _deal(d: Draft, cell: int, offer: Offer) -> Deal:
    regions = {"large": LARGE, "middle": MIDDLE, "small": SMALL, "north": NORTH}
    here = {p.zone for p in d.places}
    zones = [zone_of(regions[w], cell) for w in offer.where]
    zones = [z for z in dict.fromkeys(zones) if z in here] or [zone_of(MIDDLE, cell)]
    if d.cells > 1 and offer.where == ("large",) and offer.pick == "zones" and not offer.held and d.chance(0.15):
        zones.append(zone_of(LARGE, (cell + 1) % d.cells))
    shift = 0 if offer.held or offer.pick == "slip" else d.whole(0, 1) if offer.firm else d.whole(-1, 1)
    start = offer.span[0] + shift if offer.held else max(0, offer.span[0] + shift)
    end = min(max(start + offer.ramp + 3, offer.span[1] + d.whole(-1, 1)), PERIODS - 1 if offer.span[1] < PERIODS - 1 else PERIODS + 3)
    places = [p for p in d.places if p.zone in zones and not (offer.shuns_slip and p.derate)]
    if offer.pick == "slip":
        places = [p for p in d.places if p.derate and p.cell == cell]
    name = offer.kind if d.cells == 1 else f"{offer.kind}-{cell + 1}"
    large = BUYERS + 2 * (d.cells - 1)
    customer = f"Buyer {(offer.buyer + 3 * cell) % large + 1}" if offer.buyer < BUYERS else f"Customer {cell + 1}-{offer.buyer}"
    gens = [g for g in offer.gens if g in d.gpus]
    return Deal(offer, cell, name, customer, gens, d.gpus[offer.base].worth, zones, places, start, end)


def reach(d: Draft, place: Place, deal: Deal, t: int) -> float:
    """Contract GPUs that the firm power and cooling of a site hold in period t, with the best of the generations that its halls take."""
    it, air, liquid = place.mw(min(t, PERIODS - 1))
    most = 0.0
    for gpu in (d.gpus[g] for g in deal.gens):
        if place.max_rack_kw is None or gpu.rack_kw <= place.max_rack_kw:
            wet = liquid / gpu.liquid_share if gpu.liquid_share else math.inf
            mw = min(it, wet, air / (1 - gpu.liquid_share))
            most = max(most, 1000 * mw / gpu.rack_kw * gpu.gpus * gpu.worth / deal.worth)
    return most


def _held(d: Draft, stock: Stock, deal: Deal) -> None:
    """A contract that the fleet serves: what it receives, and hardly more owed than that; a duty no more than that."""
    offer = deal.offer
    gens = [g for g in (HOPPER if offer.base == "h100" else ("gb200_nvl72",)) if g in d.gpus]
    places = [p for p in deal.places if p.steady]
    if offer.pick in ("one", "two"):
        best = sorted(places, key=lambda p: (p.kind == "mega", -stock.worth([p], gens, deal.worth), p.site_id))
        places = deal.places = best[: 1 if offer.pick == "one" else 2]
    cell_size = sum(p.mw(PERIODS)[0] for p in d.places if p.cell == deal.cell) / REFERENCE_MW
    free = stock.worth(places, gens, deal.worth)
    wanted = min(offer.held * free * d.near(1.0, 0.1), max(1.4 * offer.gpus * cell_size, 600.0))
    found = stock.take(places, gens, deal.worth, wanted)
    for site_id, gpus in sorted(found.items()):
        d.add("current_deliveries", contract_id=deal.contract_id, site_id=site_id, gpus=gpus)
    received = sum(found.values())
    deal.gpus = float(int(received)) if offer.duty else round(received * d.pick(1.0, 1.1), 0)


def _sized(d: Draft, deal: Deal) -> None:
    """A contract yet to be served: its size by the power of the cell, within what its sites hold once all is owed."""
    offer = deal.offer
    if offer.pick == "list":
        small = [p for p in deal.places if p.kind in ("metro", "mid", "edge")]
        deal.places = d.some(small, max(3, round(0.75 * len(small)))) or deal.places
    cell_size = sum(p.mw(PERIODS)[0] for p in d.places if p.cell == deal.cell) / REFERENCE_MW
    ready = deal.whole_from + offer.cluster_grace
    held = sorted((reach(d, p, deal, ready) for p in deal.places), reverse=True)
    most = ROOM * sum(held[: offer.max_sites] if offer.max_sites else held)
    deal.gpus = round(min(offer.gpus * cell_size * d.near(1.0, 0.2), most), -1)
    if offer.cluster:
        usable = [gpus for gpus in held if gpus > 0] or [0.0]
        nth = usable[min(offer.max_sites or 1, len(usable)) - 1]
        deal.cluster = round(
            min(offer.cluster * deal.gpus * (1.0 if offer.cluster == 1.0 else d.near(1.0, 0.15)), 0.8 * nth, deal.gpus), -1
        )
        deal.cluster = min(deal.cluster, deal.gpus)


def _rows(d: Draft, deal: Deal) -> None:
    """All rows of a contract."""
    offer, c = deal.offer, deal.contract_id
    price = round(offer.usd * d.pick(0.95, 1.06) if offer.firm else offer.usd * d.pick(0.81, 1.03), 3)
    spare = d.pick(0.02, 0.035, 3)
    best = max(
        d.market[g][min(max(t, 0), PERIODS - 1)] * deal.worth / d.gpus[g].worth for g in deal.gens for t in range(deal.start, deal.end + 1)
    )
    damages = round(max(d.pick(0.45, 0.6) * price, 1.04 * (1 + spare) * best - price), 2)
    sites = ";".join(sorted(p.site_id for p in deal.places)) if offer.pick != "zones" else ""
    shunned = [p.site_id for p in d.places if p.derate and p.zone in deal.zones] if offer.shuns_slip else []
    d.add(
        "contracts", contract_id=c, customer=deal.customer, status="firm" if offer.firm else "prospect", start=d.label(deal.start),
        end=d.label(deal.end), ld_usd_per_gpu_hour=damages, load_share=offer.load, spare_share=spare,
        zones=";".join(deal.zones) if offer.pick == "zones" else "", sites=sites, excluded_sites=";".join(shunned), min_cluster_gpus=deal.cluster,
        cluster_grace=offer.cluster_grace, max_short_share=offer.duty[0] if offer.duty else 1.0, grace_periods=offer.duty[1] if offer.duty else 0,
        max_sites=offer.max_sites, max_rtt_ms=offer.rtt, move_usd_per_gpu=offer.move,
    )  # fmt: skip
    for gen_id in deal.gens:
        d.add("contract_generations", contract_id=c, gen_id=gen_id, gpu_equivalent=round(d.gpus[gen_id].worth / deal.worth, 2))
    for step in range(1, max(offer.ramp, 1) + 1):
        d.add(
            "contract_ramp", contract_id=c, from_period=d.label(deal.start + step - 1), gpus=round(deal.gpus * step / max(offer.ramp, 1), 0)
        )
    d.add("contract_prices", contract_id=c, from_period=d.label(deal.start), usd_per_gpu_hour=price)
    later = max(deal.start, 0) + d.whole(6, 10)
    if later < min(deal.end, PERIODS) and not offer.held and d.chance(0.2):
        d.add("contract_prices", contract_id=c, from_period=d.label(later), usd_per_gpu_hour=round(price * d.pick(0.94, 1.0), 3))
    _serving_costs(d, deal)


def _serving_costs(d: Draft, deal: Deal) -> None:
    """Network and staff cost at far sites; inference near its users everywhere."""
    always = deal.offer.kind.startswith("inference")
    if not always and not d.chance(0.3):
        return
    unit = round(d.pick(0.012, 0.018) * deal.worth, 4)
    for place in deal.places:
        if always or d.chance(0.45):
            d.add("serving_costs", contract_id=deal.contract_id, site_id=place.site_id, usd_per_gpu_hour=unit * d.whole(1, 2))

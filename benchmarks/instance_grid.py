"""Grid nodes and network links of an instance, and the zones in which its power is priced."""

from __future__ import annotations

import math

from benchmarks.instance_draft import Draft, Place

PEAK_PUE = 1.25
"""Facility draw per IT MW that a node of plain size is planned for; utilities grant some more than that."""


def kilometres(a: Place, b: Place) -> float:
    """Great-circle distance by the haversine formula, km."""
    lat_a, lat_b = math.radians(a.lat), math.radians(b.lat)
    half = math.sin((lat_b - lat_a) / 2) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(math.radians(b.lon - a.lon) / 2) ** 2
    return 2 * 6371.0 * math.asin(math.sqrt(half))


def rtt_ms(a: Place, b: Place) -> float:
    """Round-trip time, ms: light in fibre takes 1 ms per 100 km there and back, routes are half again as long, equipment adds 0.5 ms."""
    return round(0.5 + 1.5 * kilometres(a, b) / 100.0, 2)


def _by_zone(d: Draft) -> dict[str, list[Place]]:
    """Places of each zone from west to east."""
    zones: dict[str, list[Place]] = {}
    for place in sorted(d.places, key=lambda p: (p.zone, p.lon, p.site_id)):
        zones.setdefault(place.zone, []).append(place)
    return zones


def add_price_zones(d: Draft) -> None:
    """One or two neighbours share a price zone; a candidate makes its own power."""
    for zone, places in _by_zone(d).items():
        number, room = 0, 0
        for place in places:
            if place.candidate:
                place.price_zone = f"{zone}-gas-{place.site_id[-3:]}"
                continue
            if room == 0:
                number, room = number + 1, d.whole(1, 2)
            place.price_zone, room = f"{zone}-{number}", room - 1


def add_grid(d: Draft) -> None:
    """A node per one or two neighbours, and a large-load node above some of each large zone's; limits grow as power is energized."""
    for zone, places in _by_zone(d).items():
        nodes: list[list[Place]] = []
        for place in places:
            if len(places) > 4 and nodes and len(nodes[-1]) == 1 and d.chance(0.18):
                nodes[-1].append(place)
            else:
                nodes.append([place])
        above = f"{zone.lower()}-large-load" if len(nodes) >= 3 else ""
        under = d.some(list(range(len(nodes))), max(2, len(nodes) // 5)) if above else []
        if above:
            d.add("grid_nodes", node_id=above, name=f"{zone} large-load service")
            _limits(d, above, [p for n in under for p in nodes[n]], d.pick(0.9, 1.02), raise_at=d.whole(17, 21))
        for n, group in enumerate(nodes):
            node = f"{zone.lower()}-node-{n + 1}"
            d.add("grid_nodes", node_id=node, parent_id=above if n in under else None, name=f"{zone} node {n + 1}")
            for place in group:
                place.grid_node = node
            if d.chance(0.75) or len(group) > 1:
                tight = len(group) > 1 or d.chance(0.2)
                _limits(d, node, group, d.pick(0.86, 0.97) if tight else d.pick(1.08, 1.2), raise_at=d.whole(13, 21) if tight else 0)


def _limits(d: Draft, node: str, group: list[Place], margin: float, raise_at: int) -> None:
    """Limits as blocks of the group are energized; a tight node is extended later."""
    steps = sorted({0, *(max(b.energized, 0) for p in group for b in p.blocks)})
    last = -1.0
    for t in [*steps, *([raise_at] if raise_at > steps[-1] else [])]:
        factor = max(margin, 1.12) if raise_at and t >= raise_at else margin
        blocks = sum(b.it_mw for p in group for b in p.blocks if b.energized <= t)
        whole = sum(b.it_mw for p in group for b in p.blocks)
        limit = round(PEAK_PUE * factor * blocks + 0.006 * whole + 0.2, 1)
        if limit > last:
            d.add("grid_limits", node_id=node, from_period=d.label(t), limit_mw=limit)
            last = limit


def add_links(d: Draft) -> None:
    """Links to the two or three nearest sites, and one from each zone to the nearest other zone."""
    links: set[tuple[int, int]] = set()
    index = {p.site_id: i for i, p in enumerate(d.places)}
    for cell in range(d.cells):
        group = [p for p in d.places if p.cell == cell]
        for place in group:
            others = sorted((p for p in group if p is not place), key=lambda p: (kilometres(place, p), p.site_id))
            for other in others[: d.whole(2, 3)]:
                links.add(_pair(index[place.site_id], index[other.site_id]))
        for zone in sorted({p.zone for p in group}):
            inside, outside = [p for p in group if p.zone == zone], [p for p in d.places if p.zone != zone]
            pairs = [(kilometres(a, b), index[a.site_id], index[b.site_id]) for a in inside for b in outside]
            if pairs:
                _, a, b = min(pairs)
                links.add(_pair(a, b))
    for a, b in sorted(links):
        d.add("network_links", site_a=d.places[a].site_id, site_b=d.places[b].site_id, rtt_ms=rtt_ms(d.places[a], d.places[b]))


def _pair(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)

"""Where the sites of an instance lie, how large they are and when their power comes."""

from __future__ import annotations

from benchmarks.instance_draft import Block, Draft, Place, shares

Region = tuple[str, float, float, float, float]
"""Name, latitude and longitude of the centre, half width in degrees."""

LARGE: tuple[Region, ...] = (
    ("US", 38.0, -92.0, 7.0, 18.0),
    ("CA", 49.0, -95.0, 5.0, 22.0),
    ("IN", 20.0, 78.0, 7.0, 6.0),
    ("BR", -18.0, -47.0, 7.0, 7.0),
    ("AU", -31.0, 145.0, 6.0, 8.0),
    ("GCC", 24.5, 50.0, 3.0, 6.0),
    ("MX", 22.0, -101.0, 4.0, 6.0),
    ("ZA", -29.0, 26.0, 4.0, 5.0),
)
MIDDLE: tuple[Region, ...] = (
    ("EU", 48.0, 8.0, 7.0, 11.0),
    ("JP", 36.0, 138.0, 3.0, 3.0),
    ("KR", 36.5, 127.5, 1.5, 1.5),
    ("SEA", 5.0, 104.0, 6.0, 8.0),
)
SMALL: tuple[Region, ...] = (
    ("GB", 53.0, -2.0, 3.0, 2.0),
    ("IE", 53.0, -8.0, 1.0, 1.5),
    ("CH", 46.9, 8.2, 0.5, 1.2),
    ("TW", 24.0, 121.0, 1.0, 0.7),
)
NORTH: tuple[Region, ...] = (
    ("NO", 60.0, 8.5, 2.5, 3.0),
    ("FI", 62.0, 26.0, 2.5, 3.0),
    ("IS", 64.5, -19.0, 0.6, 2.5),
    ("CL", -36.0, -72.0, 3.0, 1.0),
)

KINDS = {"mega": 4.0, "campus": 4.0, "mid": 6.0, "metro": 12.0, "edge": 5.0, "candidate": 1.0}
"""Kinds of sites and how many of 32 are of each, as in the reference dataset."""
FEW = ("mega", "metro", "candidate", "edge", "campus", "mid")
"""Kinds in the order in which a handful of sites has them."""
AT_START = -1
LAST_FIRM = 9


def _kinds(count: int) -> list[str]:
    if count < len(KINDS):
        return list(FEW[:count])
    parts = shares(count, list(KINDS.values()), least=1)
    return [kind for kind, n in zip(KINDS, parts, strict=True) for _ in range(n)]


def zone_of(regions: tuple[Region, ...], cell: int) -> str:
    """Zone of a cell among regions of one kind; a region that comes again gets a number."""
    turn, which = divmod(cell, len(regions))
    return regions[which][0] + (f"{turn + 1}" if turn else "")


def _zone(regions: tuple[Region, ...], cell: int) -> tuple[Region, str]:
    return regions[cell % len(regions)], zone_of(regions, cell)


def _regions(d: Draft, cell: int, kinds: list[str]) -> list[tuple[Region, str]]:
    """Region of each site: megas, campuses and candidates in the cell's large zone, about a third of the sites abroad."""
    count = len(kinds)
    abroad = [_zone(MIDDLE, cell)] * max(1, round(0.19 * count)) + [_zone(SMALL, cell)] * max(1, round(0.09 * count))
    abroad += [_zone(NORTH, cell)] * (max(1, round(0.065 * count)) if count >= 8 else 0)
    small = [i for i, kind in enumerate(kinds) if kind in ("mid", "metro", "edge")]
    weights = [0.4 if kinds[i] == "mid" else 1.0 for i in small]
    order = d.rng.choice(len(small), size=min(len(abroad), len(small)), replace=False, p=[w / sum(weights) for w in weights])
    found = [_zone(LARGE, cell)] * count
    for region, i in zip(abroad, order.tolist(), strict=False):
        found[small[i]] = region
    return found


def add_places(d: Draft) -> None:
    """Sites cell by cell, with blocks and cooling."""
    for cell, count in enumerate(shares(d.sites, [1.0] * d.cells)):
        kinds = _kinds(count)
        seen: dict[str, int] = {}
        for kind, (region, zone) in zip(kinds, _regions(d, cell, kinds), strict=True):
            nth = seen[kind] = seen.get(kind, 0) + 1
            lat = round(region[1] + float(d.rng.uniform(-1, 1)) * region[3], 3)
            lon = round(region[2] + float(d.rng.uniform(-1, 1)) * region[4], 3)
            site_id = f"{zone.lower()}-{len(d.places) + 1:03d}"
            liquid, rack_kw = _cooling(d, kind)
            place = Place(site_id, kind, cell, zone, lat, lon, liquid, rack_kw, [])
            _blocks(d, place, nth)
            d.places.append(place)


def _cooling(d: Draft, kind: str) -> tuple[float, float | None]:
    """Liquid share of the cooling, and the largest rack of the halls (none: any)."""
    if kind in ("mega", "candidate"):
        return d.pick(0.78, 0.86, 2), None
    if kind == "campus":
        return d.pick(0.5, 0.85, 2), None if d.chance(0.6) else 230.0
    if kind == "mid":
        return d.pick(0.35, 0.6, 2), 230.0
    if kind == "edge":
        return d.pick(0.1, 0.8, 2), None if d.chance(0.2) else 230.0
    plain = d.chance(0.25)
    return (d.pick(0.02, 0.1, 2), 65.0) if plain else (d.pick(0.15, 0.4, 2), 230.0)


def _block(d: Draft, place: Place, mw: float, t: int, option: bool = False) -> None:
    """A block whose air and liquid add to 1.2 times its IT power: halls overlap."""
    mw = max(1.0, round(mw))
    liquid = round(1.2 * mw * place.liquid_share, 2)
    place.blocks.append(Block(mw, round(1.2 * mw - liquid, 2), liquid, t, option))


def _blocks(d: Draft, place: Place, nth: int) -> None:
    """Blocks by the kind of the site; every other mega has its first one at the start, and the first mega slips."""
    if place.kind == "mega":
        phases, mw = d.whole(3, 5), d.pick(270, 480)
        first = d.whole(-1, 0) if nth % 2 else d.whole(2, 5)
        for n in range(phases):
            _block(d, place, mw / phases, min(first + round(n * (LAST_FIRM - first) / max(phases - 1, 1)), LAST_FIRM))
        if nth == 1:
            _slip(d, place)
    elif place.kind == "campus":
        phases, mw, t = d.whole(2, 3), d.pick(85, 155), d.whole(2, 5) if nth % 4 == 0 else AT_START
        for _ in range(phases):
            _block(d, place, mw / phases, t)
            t = max(t, 0) + d.whole(1, 3)
        if nth % 2:
            for n in range(2):
                _block(d, place, d.pick(70, 110), d.whole(8, 9) + 2 * n, option=True)
    elif place.kind == "candidate":
        mw = d.pick(80, 130)
        for n in range(2):
            _block(d, place, mw, d.whole(5, 7) + 2 * n, option=True)
    else:
        low, high = {"mid": (44, 66), "metro": (18, 40), "edge": (10, 18)}[place.kind]
        mw, later = d.pick(low, high), d.chance(0.2) and nth > 1
        grows = d.chance(0.4)
        _block(d, place, mw * (0.78 if grows else 1.0), d.whole(2, 4) if later else AT_START)
        if grows:
            _block(d, place, mw * 0.22, d.whole(1, 4))
        if nth == 2 or d.chance(0.06):
            _block(d, place, mw * d.pick(0.6, 1.2), d.whole(8, 10), option=True)


def _slip(d: Draft, place: Place) -> None:
    """Transformers come late: less IT power than the first blocks until a few quarters after the start."""
    first = sum(b.it_mw for b in place.blocks if b.energized <= 0)
    share, until = d.pick(0.45, 0.6), d.whole(2, 4)
    for t in range(until):
        place.derate.append((t, round(first * min(1.0, share + 0.2 * t), 1)))
    place.derate.append((until, None))

"""Grid nodes with their limits, and the network between sites."""

from __future__ import annotations

import math

from data.reference_build.book import Book, Src, derived
from data.reference_build.facts import Facts, assumption
from data.reference_build.sites_power import phases

SHARED = ("oncor_dfw", "pseg_nj", "ukpn_southeast", "ellevio_se3")
PARENTS = {"oncor_dfw": "ercot", "ercot_west_dickens": "ercot", "austin_energy": "ercot"}
"""Nodes below the transmission grid of Texas; the on-site plant of the Permian site is not on it."""
NEAREST = 3
BACKBONE = (
    ("weehawken-nj", "chicago-il"), ("weehawken-nj", "chester-va"), ("chester-va", "douglasville-ga"), ("douglasville-ga", "plano-tx"),
    ("chicago-il", "plano-tx"), ("plano-tx", "phoenix-az"), ("phoenix-az", "las-vegas-nv"), ("las-vegas-nv", "reno-nv"),
    ("reno-nv", "hillsboro-or"), ("chicago-il", "reno-nv"), ("chicago-il", "ellendale-nd"), ("weehawken-nj", "london-docklands-uk"),
    ("london-docklands-uk", "barcelona-es"), ("london-docklands-uk", "skovlunde-dk"), ("london-docklands-uk", "kristiansand-no"),
    ("skovlunde-dk", "stockholm-se"), ("lanarkshire-uk", "london-docklands-uk"),
)  # fmt: skip
"""Long-haul routes beside the links to the nearest sites: they join coasts and continents."""


def add_grid(book: Book, facts: Facts) -> None:
    """grid_nodes.csv and grid_limits.csv: shared nodes by assumption, the others by their IT power and gross-to-IT ratio."""
    rows = facts.table("sites")
    nodes = list(dict.fromkeys(row["grid_node"] for row in rows))
    book.add("grid_nodes", {"node_id": "ercot", "name": "ERCOT large-load service"}, {})
    for node in nodes:
        book.add("grid_nodes", {"node_id": node, "parent_id": PARENTS.get(node), "name": node.replace("_", " ")}, {})
    for key, mw in facts.below("grid.limit_mw").items():
        node, period = key.split(".")
        book.add("grid_limits", {"node_id": node, "from_period": period, "limit_mw": mw}, assumption(f"grid.limit_mw.{key}"))
    for row in rows:
        if row["grid_node"] in SHARED:
            continue
        ratio, source = gross_ratio(facts, row["site_id"])
        overhead = facts.assumed("site.overhead_share") * float(row["it_power_mw"])
        total = float(row["energized_mw_2025q4"])
        steps = {"2025-Q4": total}
        for _, mw, quarter in phases(row):
            total += mw
            steps[quarter] = total
        if campus := facts.get(f"expansion.{row['site_id']}.mw"):
            steps[facts.assumed(f"expansion.{row['site_id']}.energized")] = total + campus
        for period, mw in steps.items():
            limit = round(ratio * mw + 2 * overhead, 1)
            book.add("grid_limits", {"node_id": row["grid_node"], "from_period": period, "limit_mw": limit}, source)


def gross_ratio(facts: Facts, s: str) -> tuple[float, Src]:
    """Connected power over IT power of a site."""
    try:
        return facts.cooling("gross_to_it_ratio", s), derived("energized MW x facts/cooling.csv: gross_to_it_ratio, and twice the overhead")
    except StopIteration:
        return facts.assumed("grid.gross_to_it"), Src("assumed", "energized MW x assumptions.csv: grid.gross_to_it, and twice the overhead")


def great_circle_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance by the haversine formula."""
    (lat1, lon1), (lat2, lon2) = ((math.radians(x), math.radians(y)) for x, y in (a, b))
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371.0 * math.asin(math.sqrt(h))


def round_trip_ms(facts: Facts, km: float) -> float:
    """RTT = 2 x 4.9 us/km x route factor x km + equipment (rtt_formula of facts/network.csv)."""
    per_km = facts.network("light_delay_fibre_one_way") / 1000 * facts.network("route_factor_planning")
    return float(2 * per_km * km + facts.assumed("network.equipment_ms"))


def add_network(book: Book, facts: Facts) -> None:
    """network_links.csv: each site with its nearest ones, and the backbone."""
    places = {row["site_id"]: (float(row["lat"]), float(row["lon"])) for row in facts.table("sites")}
    pairs = {tuple(sorted(pair)) for pair in BACKBONE}
    for s, place in places.items():
        near = sorted((great_circle_km(place, other), u) for u, other in places.items() if u != s)
        pairs |= {tuple(sorted((s, u))) for _, u in near[:NEAREST]}
    for a, b in sorted(pairs):
        rtt = round(round_trip_ms(facts, great_circle_km(places[a], places[b])), 2)
        book.add(
            "network_links", {"site_a": a, "site_b": b, "rtt_ms": rtt}, derived("facts/network.csv: rtt_formula over the great circle")
        )

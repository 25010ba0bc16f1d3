"""Limits by their names in the data: what a row of the model limits, in which unit, where it stands in the dataset."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from models.changes.base import window_text
from models.tables import Directive, Rule
from optimizer.blocks.base import Index
from optimizer.formulation import all_constraints
from optimizer.instance import Instance
from optimizer.matrix import Matrix


@dataclass(frozen=True)
class Kind:
    """A kind of limit.

    Attributes:
        noun: what it is, with ``{place}`` and ``{when}``.
        unit: of which one more is asked for.
        scale: by how much the limit of a row moves for one unit more.
        table: where it stands.
    """

    noun: str
    unit: str
    scale: float
    table: str


KINDS: dict[str, Kind] = {
    "it_power": Kind("IT power of {place}{when}", "MW", 1.0, "power_blocks.csv"),
    "it_limit": Kind("IT limit of {place}{when}", "MW", 1.0, "site_limits.csv"),
    "liquid": Kind("liquid cooling of {place}{when}", "MW", 1.0, "power_blocks.csv, retrofits.csv"),
    "liquid_limit": Kind("limit of liquid cooling of {place}{when}", "MW", 1.0, "site_limits.csv"),
    "air": Kind("air cooling of {place}{when}", "MW", 1.0, "power_blocks.csv, retrofits.csv"),
    "air_limit": Kind("limit of air cooling of {place}{when}", "MW", 1.0, "site_limits.csv"),
    "grid": Kind("grid limit of node {place}{when}", "MW", 1.0, "grid_limits.csv"),
    "install_rate": Kind("installation rate of {place}{when}", "rack", 1.0, "sites.csv, install_racks_per_period"),
    "supply": Kind("supply of {place} up to {period}", "rack", 1.0, "supply.csv"),
    "capex_budget": Kind("capex budget up to {period}", "USD", 1e-6, "capex_budget.csv"),
    "carbon_cap": Kind("carbon cap of {place}", "tonne", 1e-3, "carbon_cap.csv"),
    "water": Kind("water limit of {place}{when}", "m3", 1e-3, "sites.csv, water_limit_m3_per_period"),
    "customer_share": Kind("share of customer {place} in the revenue{when}", "USD", 1e-6, "dataset.toml, customer_revenue_share"),
    "short_limit": Kind("hard duty of contract {place}{when}", "contract GPU", 1.0, "contracts.csv, max_short_share"),
    "min_cluster": Kind("smallest cluster of {place}{when}", "contract GPU", 1.0, "contracts.csv, min_cluster_gpus"),
    "max_sites": Kind("most sites of contract {place}", "site", 1.0, "contracts.csv, max_sites"),
    "distance": Kind("largest round trip of contract {place}", "site", 1.0, "contracts.csv, max_rtt_ms; network_links.csv"),
    "delivery": Kind("demand of contract {place}{when}", "contract GPU", 1.0, "contract_ramp.csv"),
    "market": Kind("market depth of {place}{when}", "GPU", 1.0, "market.csv, max_gpus"),
    "energization": Kind("energization of block {place} one month earlier than {period}", "MW-month", 1.0, "power_blocks.csv, energized"),
    "demand": Kind("demand of contract {place}, in every period owed", "contract GPU", 1.0, "contract_ramp.csv"),
    "directive": Kind("directive {place}{when}", "unit of its value", 1.0, "directives.csv"),
    "end_of_life": Kind("life of racks at {place}{when}", "rack", 1.0, "generations.csv, life_periods; fleet.csv"),
}
"""Kinds of limits by the name of their constraint, and those that stand for several rows."""


@dataclass(frozen=True)
class Limit:
    """A limit of the dataset.

    Attributes:
        name: of its constraint in the model, or ``market``, ``demand``, ``energization``.
        place: site, generation, grid node, contract, block, customer, year or directive; empty for what counts once.
        period: in which it holds; empty for what has none.
        unit: of which one more is asked for.
        words: the limit in words.
        table: file of the dataset in which it stands.
    """

    name: str
    place: str
    period: str
    unit: str
    words: str
    table: str


def limit_of(name: str, place: str, period: str = "") -> Limit:
    """A limit by name, place and period."""
    kind = KINDS["directive" if name.startswith("directive") else name]
    words = kind.noun.format(place=place, period=period, when=f" in {period}" if period else "")
    return Limit(name, place, period, kind.unit, words, kind.table)


def scale_of(name: str) -> float:
    """By how much the limit of a row moves for one unit more."""
    return KINDS["directive" if name.startswith("directive") else name].scale


def named(inst: Instance, name: str, key: Index) -> Limit:
    """The limit that a row of a constraint stands for; a row without a kind of its own is told by what its constraint is for."""
    if name.startswith("directive"):
        return limit_of(name, str(key[0]), "" if key[1] < 0 else inst.calendar.label(key[1]))
    if name == "capex_budget":
        return limit_of(name, "", inst.calendar.label(key[0]))
    if name == "distance":
        return limit_of(name, str(key[0]))
    if name in KINDS:
        places = [str(part) for part in (key[:-1] if isinstance(key[-1], int) and name != "carbon_cap" else key)]
        return limit_of(name, ", ".join(places), inst.calendar.label(key[-1]) if isinstance(key[-1], int) and name != "carbon_cap" else "")
    last = key[-1]
    period = inst.calendar.label(last) if isinstance(last, int) and 0 <= last < inst.T else ""
    ids = ", ".join(str(part) for part in key if not isinstance(part, int))
    reason = all_constraints()[name].reason.rstrip(".")
    return Limit(name, ids, period, "", f"{reason} [{', '.join(part for part in (ids, period) if part)}]", "")


def directive_words(inst: Instance, row: str, when: str | None = None) -> str:
    """``directive d1 (min in_service of a 5 from 2026-Q3)``; with other words for its periods, if given."""
    d = next(d for d in inst.dataset.rows(Directive) if d.row == row)
    ids = ", ".join(i for i in (d.contract_id, d.site_id, d.gen_id, d.block_id) if i)
    span = window_text(d.from_period, d.to_period) if when is None else when
    return f"directive {row} ({d.rule.value} {d.decision.value}{f' of {ids}' if ids else ''} {d.value:g}{span})"


def rows_named(inst: Instance, matrix: Matrix, families: Iterable[str]) -> list[tuple[int, Limit, float]]:
    """Rows of some constraints with their limits, and by how much a row's limit moves for one unit more.

    One unit more of a directive that asks for at least so much is one less.
    """
    least = {d.row for d in inst.dataset.rows(Directive) if d.rule is not Rule.MAX}
    found = []
    for name in families:
        rows, index = matrix.rows.get(name, ((), []))
        for row, key in zip(rows, index, strict=True):
            limit = named(inst, name, key)
            sign = -1.0 if name == "directive_least" and limit.place in least else 1.0
            found.append((int(row), limit, sign * scale_of(name)))
    return found

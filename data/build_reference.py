"""``python -m data.build_reference``: rewrite data/reference-2025q4 from the facts and assumptions, byte for byte the same each time."""

from __future__ import annotations

import sys
from pathlib import Path

from data.reference_build import contracts, energy, fleet, generations_supply, grid_network, money, sites_power
from data.reference_build.book import Book
from data.reference_build.facts import DATA, Facts

FOLDER = DATA / "reference-2025q4"


def build(facts: Facts | None = None) -> Book:
    """All tables of the reference dataset, from the fact files and assumptions unless others are given.

    Raises:
        KeyError: an assumption or fact that the build needs is missing.
    """
    book, facts = Book(), facts or Facts()
    for add in (
        money.add_settings, sites_power.add_sites, sites_power.add_blocks, sites_power.add_limits, sites_power.add_retrofits,
        grid_network.add_grid, generations_supply.add_generations, generations_supply.add_prices, generations_supply.add_supply,
        fleet.add_fleet, contracts.add_contracts, contracts.add_current, contracts.add_serving_costs, generations_supply.add_market,
        energy.add_energy, energy.add_charges, grid_network.add_network, money.add_budget, energy.add_cap,
    ):  # fmt: skip
        add(book, facts)
    return book


def main(folder: Path = FOLDER) -> None:
    """Write the dataset folder."""
    try:
        book = build()
    except KeyError as missing:
        sys.exit(f"data/facts or data/assumptions.csv lacks {missing.args[0]!r}")
    book.write(folder)
    counts = ", ".join(f"{len(rows)} {table}" for table, rows in book.rows.items())
    sys.stdout.write(f"{folder.name}: {counts}\n")


if __name__ == "__main__":
    main()

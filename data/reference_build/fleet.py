"""The fleet at the start: racks by site, generation and quarter of installation."""

from __future__ import annotations

from data.reference_build.book import Book
from data.reference_build.facts import Facts, assumption


def add_fleet(book: Book, facts: Facts) -> None:
    """fleet.csv, from the assumptions ``fleet.<site>.<generation>.<quarter>``."""
    for key, racks in facts.below("fleet").items():
        s, g, since = key.split(".")
        book.add("fleet", {"site_id": s, "gen_id": g, "in_service_since": since, "racks": racks}, assumption(f"fleet.{key}"))

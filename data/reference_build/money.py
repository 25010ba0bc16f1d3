"""Settings of the dataset and the capital budget."""

from __future__ import annotations

from data.reference_build.book import Book, Src
from data.reference_build.facts import Facts, assumption


def add_settings(book: Book, facts: Facts) -> None:
    """dataset.toml."""
    chosen = Src("derived", "choice of this dataset: from 2025-Q4 to the end of 2032")
    book.setting("schema_version", 1, Src("derived", "version of the format"))
    book.setting("name", "reference-2025q4", chosen)
    book.setting("start", "2025-Q4", chosen)
    book.setting("periods", 29, chosen)
    book.setting("period", "quarter", chosen)
    for name in ("discount_rate", "commissioning_share", "load_market", "customer_revenue_share", "customer_revenue_share_from"):
        book.setting(name, facts.assumed(f"settings.{name}"), assumption(f"settings.{name}"))


def add_budget(book: Book, facts: Facts) -> None:
    """capex_budget.csv."""
    for period, usd in facts.below("capex_budget").items():
        book.add("capex_budget", {"period": period, "usd": usd}, assumption(f"capex_budget.{period}"))

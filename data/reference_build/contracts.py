"""Contracts and prospects: who wants how many GPUs, where, when and for how much."""

from __future__ import annotations

from typing import Any

from data.reference_build.book import Book, Src, derived
from data.reference_build.contract_list import CONTRACTS, SERVED_BY, Deal
from data.reference_build.facts import Facts, assumption, fact
from models.calendar import Calendar, PeriodKind

CALENDAR = Calendar("2025-Q4", 29, PeriodKind.QUARTER)
FACT_OF = {
    "start": "start_quarter",
    "end": "end_quarter",
    "ramp_quarters": "ramp_quarters",
    "gpus": "derived_gpus",
    "price": "assumed_usd_per_gpu_hour",
}
BASIS_OF = {"start": "basis_dates", "end": "basis_dates", "ramp_quarters": "basis_ramp", "gpus": "basis_gpus", "price": "basis_gpus"}


def term(facts: Facts, c: str, name: str) -> tuple[Any, Src]:
    """A term of a contract: an assumption where there is one, else the contract facts.

    Raises:
        KeyError: neither has it.
    """
    own = facts.get(f"contract.{c}.{name}")
    if own is not None:
        return own, assumption(f"contract.{c}.{name}")
    row = facts.by("contracts", "contract_id")[c.replace("-", "_")]
    text = row[FACT_OF[name]]
    if not text:
        raise KeyError(f"{c} has no {name}")
    value: Any = text if name in ("start", "end") else float(text)
    # The hourly price is an assumption of the fact file, and what follows from it with it.
    basis = "assumed" if name == "price" else row[BASIS_OF[name]]
    return value, fact("contracts", FACT_OF[name], basis)


def optional(facts: Facts, c: str, name: str) -> Any:
    """A term that a contract may lack."""
    return facts.get(f"contract.{c}.{name}")


def add_contracts(book: Book, facts: Facts) -> None:
    """contracts.csv with ramps, prices and eligible generations."""
    rental = {row["gen_id"]: float(row["rental_contract_usd_h"]) for row in facts.table("gpu_generations")}
    for deal in CONTRACTS:
        c = deal.contract_id
        (start, start_src), (end, end_src) = term(facts, c, "start"), term(facts, c, "end")
        price, price_src = term(facts, c, "price")
        own_damages = optional(facts, c, "ld_usd_per_gpu_hour")
        row: dict[str, Any] = {
            "contract_id": c, "customer": deal.customer, "status": deal.status, "start": start, "end": end,
            "ld_usd_per_gpu_hour": own_damages or round(facts.assumed("contract.damages_over_price") * price, 3),
            "load_share": facts.assumed(f"contract.load_share.{deal.use}"), "spare_share": facts.finance("node_failure_spare_fraction"),
            "zones": deal.zones or None, "sites": deal.sites or None, "excluded_sites": deal.excluded or None,
            "move_usd_per_gpu": facts.assumed(f"contract.move_usd_per_gpu.{deal.use}"),
        }  # fmt: skip
        sources = {
            "start": start_src,
            "end": end_src,
            "ld_usd_per_gpu_hour": assumption(f"contract.{c}.ld_usd_per_gpu_hour")
            if own_damages
            else Src("assumed", "assumptions.csv: contract.damages_over_price x price"),
            "load_share": assumption(f"contract.load_share.{deal.use}"),
            "spare_share": Src("assumed", "facts/finance.csv: node_failure_spare_fraction"),
            "move_usd_per_gpu": assumption(f"contract.move_usd_per_gpu.{deal.use}"),
        }
        for name in ("min_cluster_gpus", "cluster_grace", "max_short_share", "grace_periods", "max_sites", "max_rtt_ms"):
            row[name] = optional(facts, c, name)
            sources[name] = assumption(f"contract.{c}.{name}")
        book.add("contracts", row, sources)
        add_ramp(book, facts, c, start)
        book.add("contract_prices", {"contract_id": c, "from_period": start, "usd_per_gpu_hour": price}, price_src)
        add_generations(book, deal, rental)


def add_ramp(book: Book, facts: Facts, c: str, start: str) -> None:
    """Even steps up to the full number of GPUs over the ramp's quarters."""
    (gpus, source), (quarters, _) = term(facts, c, "gpus"), term(facts, c, "ramp_quarters")
    steps = max(1, int(quarters))
    first = CALENDAR.index(start)
    for k in range(steps):
        owed = round(gpus * (k + 1) / steps, -1) if k + 1 < steps else gpus
        book.add(
            "contract_ramp",
            {"contract_id": c, "from_period": CALENDAR.label(first + k), "gpus": owed},
            source if k + 1 == steps else Src("assumed", "even steps of the ramp: facts/contracts.csv: ramp_quarters or assumptions.csv"),
        )


def add_generations(book: Book, deal: Deal, rental: dict[str, float]) -> None:
    """A newer GPU counts for as many contract GPUs as its contract rental is of the native one's."""
    for g in SERVED_BY[deal.served_by]:
        equivalent = round(rental[g] / rental[deal.native], 2)
        book.add(
            "contract_generations",
            {"contract_id": deal.contract_id, "gen_id": g, "gpu_equivalent": equivalent},
            derived("facts/gpu_generations.csv: ratio of rental_contract_usd_h to that of the generation the contract names"),
        )


def add_current(book: Book, facts: Facts) -> None:
    """current_deliveries.csv."""
    for key, gpus in facts.below("current").items():
        c, s = key.split(".")
        book.add("current_deliveries", {"contract_id": c, "site_id": s, "gpus": gpus}, assumption(f"current.{key}"))


def add_serving_costs(book: Book, facts: Facts) -> None:
    """serving_costs.csv: network to the customers of inference and of remote campuses."""
    per_gpu = facts.assumed("serving.gbps_per_gpu") * facts.network("wavelength_price_us_long_haul") / 730
    remote = facts.network("wavelength_price_remote_multiplier")
    far = [s for s, yes in facts.below("serving.remote").items() if yes]
    for deal in CONTRACTS:
        if deal.use == "inference":
            listed = deal.sites or [r["site_id"] for r in book.rows["sites"] if not deal.zones or r["zone"] in deal.zones]
        else:
            listed = [s for s in far if (not deal.sites or s in deal.sites) and "US" in (deal.zones or ["US"])]
        for s in listed:
            factor = (facts.assumed("serving.inference_factor") if deal.use == "inference" else 1.0) * (remote if s in far else 1.0)
            book.add(
                "serving_costs",
                {"contract_id": deal.contract_id, "site_id": s, "usd_per_gpu_hour": round(per_gpu * factor, 4)},
                Src(
                    "assumed",
                    "assumptions.csv: serving.gbps_per_gpu x facts/network.csv: wavelength prices / 730 h, x serving.inference_factor",
                ),
            )

"""Prices of limits, where a stored explanation of the shown plan has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from api import explaining
from api.page.shown import KEPT, Shown
from api.store import RunMode, RunState
from models import tables as tb
from optimizer.explain.question import Kind


class PriceList(NamedTuple):
    """What limits are worth at a plan.

    Attributes:
        id: of the explanation; empty where there is none.
        prices: of one unit more in one period, the most valuable first.
        throughout: of one unit more in every period.
        signing: at which price each declined prospect would be signed.
        statement: what is confirmed, and how.
    """

    id: str = ""
    prices: Sequence[dict[str, Any]] = ()
    throughout: Sequence[dict[str, Any]] = ()
    signing: Sequence[dict[str, Any]] = ()
    statement: str = ""

    def of(self, wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Prices in one period whose limit is wanted, the most valuable first."""
        return sorted((one for one in self.prices if wanted(one["limit"])), key=lambda one: -float(one["npv_usd"]))


def price_list(shown: Shown) -> PriceList:
    """The newest stored prices of the shown plan; empty if nobody has asked for them."""
    if shown.run is None:
        return PriceList()
    found = shown.service.store.runs.list(
        limit=1, modes=(RunMode.EXPLAIN,), states=(RunState.SUCCEEDED,), baseline_run_id=shown.run.id, kind=Kind.PRICES
    ).items
    return KEPT.get(("prices", found[0].answer_blob), lambda: _read(shown, found[0])) if found else PriceList()


def _read(shown: Shown, run: Any) -> PriceList:
    answer = explaining.answer_of(shown.service, run)
    if answer is None:
        return PriceList()
    return PriceList(run.id, answer["prices"], answer["throughout"], answer["signing"], answer["statement"])


def worth_by_site(shown: Shown, found: PriceList) -> dict[tuple[str, str], dict[str, Any]]:
    """What one unit more of a limit is worth in every period, by limit and site; a grid node's by each site that it feeds."""
    fed: dict[str, list[str]] = {}
    for site in shown.dataset.rows(tb.Site):
        fed.setdefault(site.grid_node or "", []).append(site.site_id)
    worth: dict[tuple[str, str], dict[str, Any]] = {}
    for one in found.throughout:
        for place in fed.get(one["place"], []) if one["name"] == "grid" else [one["place"]]:
            worth[one["name"], place] = one
    return worth


def near_contract(shown: Shown, found: PriceList, contract: tb.Contract, sites: set[str], periods: set[str]) -> list[dict[str, Any]]:
    """Prices that a contract waits for: of itself, of its customer, of its generations' supply, and of sites where it is served.

    Args:
        sites: that serve it.
        periods: that count; a limit without a period always does.
    """
    dataset = shown.dataset
    gens = {row.gen_id for row in dataset.rows(tb.ContractGeneration) if row.contract_id == contract.contract_id}
    nodes = {row.grid_node for row in dataset.rows(tb.Site) if row.site_id in sites and row.grid_node}
    places = {contract.contract_id, contract.customer, *gens, *sites, *nodes}
    return found.of(lambda limit: limit["place"] in places and (not limit["period"] or limit["period"] in periods))

"""Contracts: what each is owed and gets, how late it is, and what that costs."""

from __future__ import annotations

import math

from fastapi import APIRouter, Request, Response

from api.page.frame import PageRoute, csv, render
from api.page.priced import near_contract, price_list
from api.page.shown import Shown, TheShown, known, not_yet
from api.security import Viewer
from batch.svg import Bars, Line, bars
from models import tables as tb
from models.place_views import sites_of
from models.plan import Plan
from models.plan_views import contract_lateness

router = APIRouter(route_class=PageRoute)
MOST = 15
"""Prices that are shown."""


@router.get("/contracts")
def contracts(request: Request, caller: Viewer, shown: TheShown) -> Response:
    """All contracts."""
    return not_yet(request, shown) or _contracts(request, shown)


def _contracts(request: Request, shown: Shown) -> Response:
    base = shown.base_view(contract_lateness)
    before = {} if base is None else {row["contract_id"]: row for row in base.to_dict("records")}
    rows = [{**row, "base": before.get(row["contract_id"])} for row in shown.view(contract_lateness).to_dict("records")]
    prices = price_list(shown)
    signing = {one["contract_id"]: one for one in prices.signing}
    return render(request, "contracts.html", shown=shown, rows=rows, prices=prices, signing=signing, most=MOST)


@router.get("/contracts.csv")
def contracts_csv(caller: Viewer, shown: TheShown) -> Response:
    """All contracts."""
    return csv(shown.view(contract_lateness), f"contracts-{shown.line_name or 'plan'}")


@router.get("/contracts/{contract}")
def contract(request: Request, caller: Viewer, shown: TheShown, contract: str) -> Response:
    """A contract with its quarters."""
    return not_yet(request, shown) or _contract(request, shown, known(shown.dataset.rows(tb.Contract), "contract", contract))


@router.get("/contracts/{contract}/periods.csv")
def contract_csv(caller: Viewer, shown: TheShown, contract: str) -> Response:
    """A contract period by period."""
    known(shown.dataset.rows(tb.Contract), "contract", contract)
    frame = shown.plan.contracts
    return csv(frame[frame["contract_id"] == contract], f"{contract}-{shown.line_name or 'plan'}")


def _contract(request: Request, shown: Shown, row: tb.Contract) -> Response:
    frame, id = shown.plan.contracts, row.contract_id
    own = frame[frame["contract_id"] == id]
    every = shown.view(contract_lateness)
    facts = next(iter(every[every["contract_id"] == id].to_dict("records")), None)
    sites = sites_of(shown.plan, shown.dataset, id).T.to_dict()
    prices, late = price_list(shown), set(own.loc[own["short_gpus"] > 0, "period"])
    near = near_contract(shown, prices, row, {str(site) for site in sites}, late or set(own["period"]))
    signing = next((one for one in prices.signing if one["contract_id"] == id), None)
    return render(
        request, "contract.html", shown=shown, contract=row, facts=facts, rows=own.to_dict("records"), chart=_chart(shown, id) if len(own) else None,
        labels=shown.dataset.calendar.labels, sites=sites, prices=prices, near=near[:MOST], signing=signing,
    )  # fmt: skip


def _chart(shown: Shown, id: str) -> str:
    """GPUs delivered and short, what is owed as a line, and what the baseline delivers."""
    labels = shown.dataset.calendar.labels

    def of(plan: Plan, column: str, none: float = math.inf) -> list[float]:
        own = plan.contracts[plan.contracts["contract_id"] == id].set_index("period")
        return [float(value) for value in own[column].reindex(labels).fillna(none)]

    layers = [Bars("delivered", "used", of(shown.plan, "delivered_gpus", 0.0)), Bars("short", "short", of(shown.plan, "short_gpus", 0.0))]
    lines = [Line("owed", "limit", of(shown.plan, "owed_gpus"))]
    if shown.base_plan is not None:
        lines.append(Line("delivered in the baseline", "base", of(shown.base_plan, "delivered_gpus")))
    return bars(labels, layers, lines, title=f"GPUs of {id} by period: delivered, short, owed", unit="GPUs")

"""Home: is the plan sound, what does it earn, and where does it hurt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.page import words
from api.page.frame import HEADERS, PageRoute, address, csv, render
from api.page.priced import price_list, worth_by_site
from api.page.shown import Shown, TheShown, not_yet
from api.routes.common import TheService
from api.schemas.runs import RunRequest
from api.security import Planner, Viewer
from api.store import RunMode
from batch.svg import Bars, Line, bars
from models.dataset import Dataset
from models.exceptions import ExceptionKind, exceptions
from models.headroom import fleet_power, headroom
from models.plan import Plan, SolutionStatus
from models.plan_views import Headline, headline

router = APIRouter(route_class=PageRoute)
PLAN_GAP, PLAN_SECONDS = 0.01, 300.0
"""Asked of a plan line's first plan."""
MOST = 12
"""Exceptions with money, and limits, that are shown at first."""


class Figure(NamedTuple):
    """A key figure as a card shows it.

    Attributes:
        name: what it is.
        text: the figure.
        note: what else is known of it.
        base: the same of the plan that this one is compared with; empty without one.
        change: difference to that; empty without one.
    """

    name: str
    text: str
    note: str = ""
    base: str = ""
    change: str = ""


class Verdict(NamedTuple):
    """Whether the plan is sound: ``good``, ``warn`` or ``bad``, and why."""

    look: str
    text: str


@router.get("/")
def home(request: Request, caller: Viewer, shown: TheShown) -> Response:
    """The plan at a glance."""
    return not_yet(request, shown) or _home(request, shown)


def _home(request: Request, shown: Shown) -> Response:
    facts, base = shown.view(headline), shown.base_view(headline)
    found = shown.view(exceptions)
    tight, prices = found["kind"] == ExceptionKind.TIGHT, price_list(shown)
    return render(
        request, "home.html", shown=shown, verdict=verdict(facts), figures=figures(facts, base), power=shown.view(power).to_dict("records"),
        chart=power_chart(shown), priced=found[~tight].to_dict("records"), tight=found[tight].to_dict("records"), most=MOST, facts=facts,
        prices=prices, worth=worth_by_site(shown, prices),
    )  # fmt: skip


@router.post("/plan")
async def plan(caller: Planner, service: TheService, line: Annotated[str, Form()]) -> Response:
    """Ask for the first plan of a plan line; a run of its own, since its end makes it the line's baseline."""
    asked = RunRequest(mode=RunMode.PLAN, line=line, gap=PLAN_GAP, time_limit=PLAN_SECONDS, fresh=True)
    run, _ = await asyncio.to_thread(service.accept, asked, caller.key_id)
    service.supervisor.ring()
    return RedirectResponse(address(f"/runs/{run.id}"), 303, HEADERS)


@router.get("/power.csv")
def power_csv(caller: Viewer, shown: TheShown) -> Response:
    """IT power of all sites by period."""
    return csv(shown.view(power), f"power-{shown.line_name or 'plan'}")


@router.get("/exceptions.csv")
def exceptions_csv(caller: Viewer, shown: TheShown) -> Response:
    """All exceptions."""
    return csv(shown.view(exceptions), f"exceptions-{shown.line_name or 'plan'}")


def power(plan: Plan, dataset: Dataset) -> Any:
    """IT power of all sites by period."""
    return fleet_power(headroom(plan, dataset), dataset)


def power_chart(shown: Shown) -> str:
    """IT power provisioned, stranded above it, what may be used as a line, and the baseline's use."""
    frame, base = shown.view(power), shown.base_view(power)
    layers = [Bars("provisioned", "used", frame["it_used_mw"].tolist()), Bars("stranded", "stranded", frame["stranded_mw"].tolist())]
    lines = [Line("may be used", "limit", frame["it_limit_mw"].tolist())]
    if base is not None and len(base) == len(frame):
        lines.append(Line("provisioned in the baseline", "base", base["it_used_mw"].tolist()))
    title = "IT power of all sites by period: provisioned, stranded, and what may be used"
    return bars(frame["period"].tolist(), layers, lines, title=title, unit="MW", width=620.0, height=260.0)


def verdict(h: Headline) -> Verdict:
    """Whether the plan is sound, in one sentence."""
    gap = f"at most {words.percent(h.gap, 2)} below the best that any plan could earn"
    if h.audit_passed is None:
        return Verdict("bad", "The plan was not audited: whether it keeps its limits is not known.")
    if not h.audit_passed:
        return Verdict("bad", f"The plan failed its audit: its largest violation is {h.worst_violation:.1e}. Do not use it.")
    if h.status is SolutionStatus.OPTIMAL:
        return Verdict("good", "The plan is sound: proven optimal, and its audit against every limit passed.")
    if h.status is SolutionStatus.WITHIN_GAP:
        return Verdict(
            "good", f"The plan is sound: {gap} (asked: {words.percent(h.gap_requested, 2)}), and its audit against every limit passed."
        )
    if h.gap is None:
        return Verdict("warn", "The plan keeps every limit (its audit passed); no bound says how far it is from the best.")
    ended = f"the search ended by {words.words(h.stop_reason)} before the {words.percent(h.gap_requested, 2)} asked were proven"
    return Verdict("warn", f"The plan keeps every limit (its audit passed) and is {gap}; {ended}.")


def figures(h: Headline, base: Headline | None) -> list[Figure]:
    """Key figures, beside those of the plan that this one is compared with."""

    def figure(name: str, get: Callable[[Headline], float | None], write: Callable[[float | None], str], note: str = "") -> Figure:
        mine, theirs = get(h), None if base is None else get(base)
        if base is None or mine is None or theirs is None:
            return Figure(name, write(mine), note)
        return Figure(name, write(mine), note, write(theirs), words.signed(write(mine - theirs)))

    in_force = f"of {words.counted(h.contracts_in_force, 'contract')} in force"
    signed = f"{h.prospects_signed} prospects signed, {h.prospects_declined} declined"
    return [
        figure(
            "NPV", lambda x: x.npv_usd, words.money, f"no plan can be above {words.money(h.bound_usd)}" if h.bound_usd is not None else ""
        ),
        figure("Contracts late", lambda x: float(x.contracts_late), words.number, in_force),
        figure("Firm GPU-hours delivered", lambda x: x.firm_share_delivered, words.percent, signed),
        figure("Damages", lambda x: x.damages_usd, words.money, "undiscounted"),
        figure("Revenue", lambda x: x.revenue_usd, words.money, "undiscounted"),
        figure("Capital", lambda x: x.capital_usd, words.money, "undiscounted"),
        figure("Racks installed", lambda x: float(x.racks_installed), words.number),
        figure("GPUs at the end", lambda x: x.gpus_end, words.number),
        figure("IT power at the end", lambda x: x.it_used_mw_end, lambda v: f"{words.number(v)} MW"),
        figure("Energy", lambda x: x.energy_mwh / 1e6, lambda v: f"{words.number(v, 1)} TWh"),
        figure("Emissions", lambda x: x.tco2 / 1e6, lambda v: f"{words.number(v, 1)} Mt CO2"),
        figure("Water", lambda x: x.water_m3 / 1e6, lambda v: f"{words.number(v, 1)} million m3"),
    ]

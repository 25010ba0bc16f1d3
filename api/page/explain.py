"""Explain: which limits cost most, why the plan does something, why it does not do something else, and why there is no plan."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import pandas as pd
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field, TypeAdapter, ValidationError

from api import explaining
from api.page.frame import HEADERS, PageRoute, address, csv, render
from api.page.placements import done, not_done
from api.page.runs import nav_of
from api.page.shown import Shown, TheShown, not_yet, shown_of
from api.page.whatif import Asked, TheAsked, TheForm
from api.page.words import money
from api.problems import ProblemError
from api.routes import explanations
from api.routes.common import TheService
from api.schemas.explanations import ExplanationRequest
from api.security import Planner, Viewer
from api.service import Service
from api.store import FINAL_STATES, RunMode, RunState
from models.tables import Contract, Generation, Site
from optimizer.explain.limits import limit_of
from optimizer.explain.prices import Verdict
from optimizer.explain.question import Kind

router = APIRouter(route_class=PageRoute)
SHOWN = 15
"""Explanations and runs without a plan in lists."""
ROWS_SHOWN = 60
"""Rows of a table that are shown; the file has all."""
TOLD = 5
"""Prices that are told in words."""
REQUEST: TypeAdapter[ExplanationRequest] = TypeAdapter(Annotated[ExplanationRequest, Field(discriminator="kind")])
FIELDS = ("placement", "gpus", "gen_id", "site_id", "contract_id", "from_period", "to_period", "time_limit", "confirm")
"""Fields that a question may have; an empty one is not given."""
TABLES = {
    Kind.PRICES: {
        "prices": "prices of limits",
        "throughout": "prices of limits in every period",
        "signing": "prices of declined prospects",
    },
    Kind.WHY: {"sites": "sites by the data", "costs": "costs by site", "terms": "NPV without it", "instead": "deliveries without it"},
    Kind.WHY_NOT: {"obstacles": "limits in the way", "terms": "NPV with it", "limits": "prices of limits with it"},
    Kind.CONFLICT: {"members": "rules in conflict", "repairs": "repairs"},
}
"""Tables of each kind of answer, with the names of their files."""


@router.get("/explain")
def show(request: Request, caller: Viewer, service: TheService, shown: TheShown, asked: TheAsked) -> Response:
    """The questions that can be asked about the plan, filled in with what was pointed at, and the answers there are."""
    return not_yet(request, shown) or page(request, service, shown, asked)


def page(
    request: Request, service: Service, shown: Shown, asked: Mapping[str, str], wrong: Mapping[str, str] | None = None, status: int = 200
) -> Response:  # fmt: skip
    """The page of questions.

    Args:
        asked: what is filled in, or pointed at.
        wrong: what is wrong with a question, by field; what is wrong as a whole under its kind.
    """
    line_id = None if shown.line is None else shown.line.id
    listed = service.store.runs.list(limit=SHOWN, modes=(RunMode.EXPLAIN,), line_id=line_id).items
    ended = service.store.runs.list(limit=200, states=(RunState.SUCCEEDED,), line_id=line_id, of_studies=False).items
    dataset = shown.dataset
    given = {"site_id": asked.get("site", ""), "contract_id": asked.get("contract", ""), "gen_id": asked.get("gen", ""),
             "from_period": asked.get("period", ""), "placement": asked.get("why", "")}  # fmt: skip
    given |= {name: asked[name] for name in (*FIELDS, "kind") if asked.get(name)}
    return render(
        request, "explain.html", status=status, shown=shown, given=given, wrong=wrong or {}, done=done(dataset, shown.plan),
        not_done=not_done(dataset, shown.plan), answers=[(row, title(explanations.view_of(row).question)) for row in listed],
        infeasible=[run for run in ended if run.solution_status == "infeasible"][:SHOWN], sites=[row.site_id for row in dataset.rows(Site)],
        contracts=[row.contract_id for row in dataset.rows(Contract)], gens=[row.gen_id for row in dataset.rows(Generation)],
        periods=dataset.calendar.labels,
    )  # fmt: skip


def title(question: Any) -> str:
    """A question in words."""
    if question.kind == Kind.PRICES:
        return "Which limits cost most?"
    if question.kind == Kind.CONFLICT:
        return "Why is there no plan?"
    if question.placement is not None:
        return f"{'Why' if question.kind == Kind.WHY else 'Why not'} {question.placement}?"
    parts = [f"{question.gpus:,.0f} GPUs", question.gen_id and f"of {question.gen_id}", question.site_id and f"at {question.site_id}",
             question.contract_id and f"for {question.contract_id}", question.from_period and f"from {question.from_period}",
             question.to_period and f"to {question.to_period}"]  # fmt: skip
    return f"Why not {' '.join(part for part in parts if part)}?"


@router.post("/explain")
async def ask(request: Request, caller: Planner, service: TheService, form: TheForm) -> Response:
    """Ask a question."""
    asked = Asked({name: str(value) for name, value in form.items() if value != ""})
    kind = asked.get("kind", "")
    wrong: dict[str, str] = {}
    try:
        found = await explanations.create(caller, service, REQUEST.validate_python(_question(asked)), Response())
        return RedirectResponse(address(f"/explain/{found.id}"), 303, HEADERS)
    except ValidationError as error:
        for detail in error.errors():
            names = [str(part) for part in detail["loc"] if str(part) in FIELDS]
            wrong[names[-1] if names else kind] = detail["msg"]
    except ProblemError as error:
        if error.status != 422:
            raise
        for item in error.errors:
            wrong[item.pointer.strip("/") or kind] = item.message
        wrong = wrong or {kind: error.detail}
    if "of" in asked:
        raise ProblemError(422, "bad_question", "; ".join(wrong.values()))
    shown = await asyncio.to_thread(shown_of, service, asked.get("line"), asked.get("run"))
    return await asyncio.to_thread(page, request, service, shown, asked, wrong, 422)


def _question(asked: Mapping[str, str]) -> dict[str, Any]:
    """The question that a form asks."""
    own = {name: asked[name] for name in FIELDS if name in asked}
    if "kind" in asked:
        own["kind"] = asked["kind"]
    if asked.get("kind") == Kind.PRICES:
        own["signing"] = asked.get("signing", "no")
    if "of" in asked:
        return {**own, "run": asked["of"]}
    return {**own, **({"run": asked["run"]} if "run" in asked else {"line": asked.get("line")})}


@router.get("/explain/{explanation}")
def answer(request: Request, caller: Viewer, service: TheService, explanation: str) -> Response:
    """A question and its answer: in words first."""
    row = explaining.explanation(service, explanation)
    found = explaining.answer_of(service, row)
    view = explanations.view_of(row)
    about = None if row.baseline_run_id is None else service.run(row.baseline_run_id)
    return render(
        request, "explanation.html", shown=nav_of(service, row.line_id), view=view, title=title(view.question), answer=found,
        words=[] if found is None else in_words(found), going=row.state not in FINAL_STATES, rows_shown=ROWS_SHOWN, about=about,
        tables={} if found is None else {name: tables_of(found, name) for name in TABLES[Kind(view.question.kind)]},
    )  # fmt: skip


def in_words(answer: Mapping[str, Any]) -> list[str]:
    """An answer in words, the most important first."""
    if answer["kind"] == Kind.PRICES:
        told = [_price(price) for price in answer["prices"][:TOLD]]
        told += [_throughout(price) for price in answer["throughout"][:TOLD]]
        told += [f"{price['statement']}." for price in answer["signing"]]
        return told or ["No limit has a price: the plan would not gain by more of any."]
    if answer["kind"] == Kind.CONFLICT:
        return list(answer["words"]) or ["All rules can hold together; nothing conflicts."]
    told = [answer["statement"], *answer.get("drivers", ())]
    return [line for line in told if line]


def _price(price: Mapping[str, Any]) -> str:
    limit = price["limit"]
    return f"One {limit['unit']} more of {limit['words']} is worth {money(price['npv_usd'])}{_verdict(price['confirmation'])}."


def _throughout(price: Mapping[str, Any]) -> str:
    limit = limit_of(price["name"], price["place"]).words.strip().removesuffix(" up to")
    return f"One {price['unit']} more of {limit} in every period is worth {money(price['npv_usd'])}{_verdict(price['confirmation'])}."


def _verdict(confirmation: Mapping[str, Any] | None) -> str:
    """What solving again said of a price, in words."""
    if confirmation is None:
        return ""
    if confirmation["verdict"] == Verdict.LESS and confirmation["resolved_usd"] is not None:
        return f" at the margin; solved again, a whole one is worth {money(confirmation['resolved_usd'])}"
    return f" ({confirmation['verdict']})"


def tables_of(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """A table of an answer, as it was stored; empty if the answer does not have it."""
    place: Any = answer
    if name in ("members", "repairs"):
        place = answer["conflict"]
    elif answer["kind"] == Kind.WHY and name in ("terms", "instead"):
        place = answer["without"]
    found: list[dict[str, Any]] = [] if place is None else place[name]
    return found


@router.get("/explain/{explanation}/{table}.csv")
def file(caller: Viewer, service: TheService, explanation: str, table: str) -> Response:
    """A table of an answer as a file."""
    row = explaining.explanation(service, explanation)
    found = explaining.answer_of(service, row)
    names = TABLES[Kind(explanations.view_of(row).question.kind)]
    if table not in names or found is None:
        raise ProblemError(404, "unknown_table", f"there is no table {table}" + (f"; there are {', '.join(names)}" if found else " yet"))
    return csv(pd.DataFrame([_flat(one) for one in tables_of(found, table)]), names[table])


def _flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A row with the fields of what stands within it, their names joined by ``_``; of lists within it, their words."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}_")
        elif isinstance(value, list):
            found[prefix + name] = "; ".join(str(part["words"]) if isinstance(part, Mapping) else str(part) for part in value)
        else:
            found[prefix + name] = value
    return found


@router.post("/explain/{explanation}/stop")
async def stop(caller: Planner, service: TheService, explanation: str) -> Response:
    """End a question with what is found."""
    await service.supervisor.stop((await asyncio.to_thread(explaining.explanation, service, explanation)).id)
    return RedirectResponse(address(f"/explain/{explanation}"), 303, HEADERS)

"""What-if: a list of changes built from forms or by pointing, looked at, saved as a scenario, and asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any
from urllib.parse import parse_qsl

import pandas as pd
from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError
from starlette.datastructures import FormData

from api.page import words
from api.page.change_form import POINTED, fields_of, kinds_at, pointed, read_form
from api.page.draft import LONGEST_ADDRESS, Draft, draft_of, read_list, titles
from api.page.frame import HEADERS, PageRoute, address, csv, render
from api.page.pointing import cells
from api.page.scenario_tree import tree
from api.page.shown import TheShown, shown_of
from api.problems import ProblemError
from api.routes import runs as run_routes
from api.routes import scenarios as scenario_routes
from api.routes.common import TheService, etag
from api.schemas.lines import RevisionRequest, ScenarioRequest
from api.schemas.runs import RunRequest
from api.security import Planner, Viewer
from api.service import Service
from api.store import RunMode
from models.changes import CHANGES
from models.changes.diff import RowChangeKind
from models.tables import Contract, Generation

router = APIRouter(route_class=PageRoute)
ROWS_SHOWN = 60
"""Altered rows of the dataset that are shown; the file has all."""
GAP, TIME = "1", "60"
"""Gap in per cent and time in seconds that are offered."""
MODES = {
    RunMode.REPAIR: "from the baseline's plan; what it decided moves only where that pays its price",
    RunMode.REOPTIMIZE: "everything decided anew, from scratch",
    RunMode.EVALUATE: "no search: the baseline's plan scored and audited under the changes",
    RunMode.PLAN: "a first plan of the dataset with the changes; needs no baseline",
}
"""Modes with what they mean."""


class Asked(dict[str, str]):
    """Parameters of an address or fields of a form, by name; of one given several times the last."""


def asked_in(request: Request) -> Asked:
    """Parameters of the address."""
    return Asked(request.query_params)


TheAsked = Annotated[Asked, Depends(asked_in)]


@router.get("/whatif")
def show(request: Request, caller: Viewer, service: TheService, shown: TheShown, asked: TheAsked) -> Response:
    """The what-if that the address names, and the form that is asked for or pointed at."""
    if shown.line is None and shown.run is None:
        return render(request, "waiting.html", shown=shown)
    return opened(request, draft_of(service, shown, asked), asked)


def opened(request: Request, draft: Draft, asked: Mapping[str, str], status: int = 200) -> Response:
    """The page of a what-if, with the form that is asked for.

    Args:
        asked: ``at``, the number of a change that is edited; or ``type`` of a new one, filled in from what is pointed at;
            ``form``, what was filled in before, as JSON.
    """
    at = _number(asked.get("at", ""), len(draft.changes))
    kind = str(draft.changes[at].get("type", "")) if at is not None else asked.get("type", "")
    if kind not in CHANGES:
        return page(request, draft, asked, status=status)
    given = draft.changes[at] if at is not None else pointed(kind, draft.dataset, asked)
    faults = draft.faults_at(at) if at is not None else {}
    if "form" in asked:
        given = next(iter(read_list(f"[{asked['form']}]")), given)
        tried, number = _with(draft, at, given)
        faults = tried.faults_at(number)
    return page(request, draft, asked, kind=kind, given=given, at=at, faults=faults, status=status)


def page(
    request: Request, draft: Draft, asked: Mapping[str, str], *, kind: str = "", given: Mapping[str, Any] | None = None, at: int | None = None,
    faults: Mapping[str, Sequence[str]] | None = None, more: int = 0, notice: str = "", wrong: Mapping[str, str] | None = None, status: int = 200,
) -> Response:  # fmt: skip
    """The page of a what-if.

    Args:
        kind, given, at: form that is open: type of change, what is filled in, and the change that it replaces.
        faults: of the form, by the path of the field.
        more: lines that its lists offer beyond the usual.
        notice: what could not be done, in words.
        wrong: what is wrong with the fields of saving and running, by name.
    """
    dataset = draft.dataset
    pointing = {name: asked[name] for name in (*POINTED, "period") if asked.get(name)}
    fields = fields_of(kind, dataset, given or {}, faults, more) if kind else ()
    saved = draft.scenario
    return render(
        request, "whatif.html", status=status, shown=draft.shown, draft=draft, asked=asked, kind=kind, fields=fields, at=at,
        faults=faults or {}, title=CHANGES[kind].title if kind else "", about=" ".join((CHANGES[kind].__doc__ or "").split()) if kind else "",
        pointing=pointing, near=[(name, CHANGES[name].title) for name in kinds_at(pointing)] if pointing else [], titles=titles(),
        notice=notice, wrong=wrong or {}, rows=draft.rows[:ROWS_SHOWN], more=more,
        modes={mode: text for mode, text in MODES.items() if draft.plan is not None or mode is RunMode.PLAN}, gap=asked.get("gap", GAP),
        time=asked.get("time", TIME), mode=asked.get("mode", ""), tree=tree(draft.service, draft.shown.line), known=CHANGES,
        heat=cells(dataset, draft.plan),
        periods=dataset.calendar.labels, contracts=[row.contract_id for row in dataset.rows(Contract)],
        gens=[row.gen_id for row in dataset.rows(Generation)],
        revisions=[] if saved is None else draft.service.store.scenarios.revisions(saved.scenario.id),
    )  # fmt: skip


def _number(text: str, below: int) -> int | None:
    """The number of a change in a list of so many; None if it is none."""
    return int(text) if text.isdecimal() and len(text) < 9 and int(text) < below else None


# what forms do ---------------------------------------------------------------------------------


async def form_of(request: Request) -> FormData:
    """What was filled in."""
    return await request.form()


TheForm = Annotated[FormData, Depends(form_of)]


def draft_in(service: Service, form: FormData) -> tuple[Draft, Asked]:
    """The what-if that a form came from, and its fields."""
    asked = Asked({name: str(value) for name, value in form.items()})
    return draft_of(service, shown_of(service, asked.get("line"), asked.get("run")), asked), asked


def to(request: Request, draft: Draft, opens: Mapping[str, Any] | None = None, status: int = 200) -> Response:
    """The address of a what-if; its page, if the address would be too long.

    Args:
        opens: the form that is open in it, as :func:`opened` takes it.
        status: of the page.
    """
    given = {name: str(value) for name, value in (opens or {}).items() if value is not None}
    where = address("/whatif", **draft.state, **given)
    if len(where) > LONGEST_ADDRESS:
        return opened(request, draft, given, status)
    return RedirectResponse(f"{where}#{'form' if given else 'changes'}", 303, HEADERS)


@router.post("/whatif")
def edit(request: Request, caller: Viewer, service: TheService, form: TheForm, action: Annotated[str, Form()]) -> Response:
    """Do something to the list (add or replace a change, reorder, delete, take one back), or open a form; nothing is stored.

    Args:
        action: what, and after a colon the number of a change, what is pointed at, or a type of change.
    """
    draft, asked = draft_in(service, form)
    what, _, place = action.partition(":")
    pointing = {name: asked[name] for name in (*POINTED, "period") if asked.get(name)}
    if what == "point":
        return to(request, draft, {name: value for name, value in parse_qsl(place) if name in (*POINTED, "period")})
    if what == "open":
        return to(request, draft, {"type": place or asked.get("type"), **pointing})
    if what in ("add", "more"):
        return _added(request, draft, asked, form, rows=what == "more")
    number = _number(place, len(draft.changes) + len(draft.inherited))
    if what == "back" and number is not None:
        return _taken_back(request, draft, asked, number)
    changes = list(draft.changes)
    if number is not None and number < len(changes):
        if what == "edit":
            return to(request, draft, {"at": number})
        one = changes.pop(number)
        if what in ("up", "down"):
            changes.insert(max(0, number + (-1 if what == "up" else 1)), one)
    return to(request, draft.having([] if what == "clear" else changes))


def _taken_back(request: Request, draft: Draft, asked: Asked, number: int) -> Response:
    """The list with the change that takes another one back, where there is one."""
    found = draft.back(number)
    if found is not None:
        return to(request, draft.having([*draft.changes, found]))
    told = "No single change takes this one back." + ("" if number < len(draft.inherited) else " It can be deleted.")
    return page(request, draft, asked, notice=told)


def _added(request: Request, draft: Draft, asked: Asked, form: FormData, *, rows: bool) -> Response:
    """The list with the change of a form; the form again with its faults, if it has any."""
    kind = asked.get("type", "")
    if kind not in CHANGES:
        raise ProblemError(422, "unknown_type", f"there is no type of change {kind!r}")
    at, change = _number(asked.get("at", ""), len(draft.changes)), read_form(kind, form)
    if rows:
        more = _number(asked.get("more", ""), 100) or 0
        return page(request, draft, asked, kind=kind, given=change, at=at, more=more + 3)
    tried, number = _with(draft, at, change)
    if not tried.faults_at(number):
        return to(request, tried)
    return to(request, draft, {"type": kind, "at": at, "form": words.as_json(change)}, 422)


def _with(draft: Draft, at: int | None, change: Mapping[str, Any]) -> tuple[Draft, int]:
    """A what-if with a change in place of another one, or at the end; and the change's number."""
    number = len(draft.changes) if at is None else at
    return draft.having([*draft.changes[:number], dict(change), *draft.changes[number + 1 :]]), number


@router.post("/whatif/rows.csv")
def rows(caller: Viewer, service: TheService, form: TheForm) -> Response:
    """Every row of the dataset that the changes alter, a line for each cell."""
    draft, _ = draft_in(service, form)
    cells = [
        {"table": row.table, "row": ", ".join(str(v) for v in row.key.values() if v is not None), "kind": row.kind.value, "column": name,
         "before": before, "after": after}
        for row in draft.rows for name, (before, after) in row.columns.items()
        if row.kind is RowChangeKind.CHANGED or (before, after) != (None, None)
    ]  # fmt: skip
    return csv(pd.DataFrame(cells, columns=["table", "row", "kind", "column", "before", "after"]), "changes")


@router.post("/whatif/save")
def save(request: Request, caller: Planner, service: TheService, form: TheForm) -> Response:
    """Save the list: as a new scenario, or as the next revision of the one that was taken up."""
    draft, asked = draft_in(service, form)
    saved, note = draft.scenario, asked.get("note", "")
    try:
        if saved is not None and asked.get("as") != "new":
            revision = RevisionRequest(changes=list(draft.changes), note=note)
            found = scenario_routes.revise(caller, service, saved.scenario.id, revision, Response(), etag(asked.get("version", "")))
        else:
            parent = None if draft.parent is None else draft.parent.scenario.id
            new = ScenarioRequest(
                name=asked.get("name", ""), line=draft.base.line if parent is None else None, parent=parent, changes=list(draft.changes),
                note=note,
            )  # fmt: skip
            found = scenario_routes.create(caller, service, new, Response())
    except ValidationError as error:
        return page(request, draft, asked, wrong=_wrong(error), status=422)
    except ProblemError as error:
        if error.code not in ("name_taken", "stale", "bad_changes"):
            raise
        return page(request, draft, asked, wrong={"name": error.detail}, status=error.status)
    return RedirectResponse(address("/whatif", scenario=found.id), 303, HEADERS)


@router.post("/whatif/delete")
def delete(
    request: Request, caller: Planner, service: TheService, scenario: Annotated[str, Form()], version: Annotated[str, Form()]
) -> Response:
    """Delete a scenario on which no other builds."""
    line = service.store.scenarios.lineage(service.scenario(scenario).scenario.id)[0].scenario.parent_line_id
    scenario_routes.delete(caller, service, scenario, etag(version))
    return RedirectResponse(address("/whatif", line=service.line(line or "").name), 303, HEADERS)


@router.post("/whatif/run")
async def run(request: Request, caller: Planner, service: TheService, form: TheForm) -> Response:
    """Ask what the changes do."""
    draft, asked = await asyncio.to_thread(draft_in, service, form)
    try:
        question = question_of(draft, asked)
    except ValidationError as error:
        return await asyncio.to_thread(page, request, draft, asked, wrong=_wrong(error), status=422)
    try:
        found = await run_routes.create(caller, service, question, Response())
    except ProblemError as error:
        if error.code not in ("bad_changes", "time_limit_too_long"):
            raise
        wrong = {"time" if error.code == "time_limit_too_long" else "changes": error.detail}
        return await asyncio.to_thread(page, request, draft, asked, wrong=wrong, status=422)
    return RedirectResponse(address(f"/runs/{found.id}"), 303, HEADERS)


def question_of(draft: Draft, asked: Mapping[str, str]) -> RunRequest:
    """The question of a what-if; of a scenario as it is saved, the scenario's own.

    Raises:
        ValidationError: mode, gap or time can't be.
    """
    options: dict[str, Any] = {"mode": asked.get("mode"), "gap": _share(asked.get("gap", GAP)), "time_limit": asked.get("time", TIME)}
    saved = draft.scenario
    if saved is not None and list(draft.changes) == list(saved.revision.changes):
        return RunRequest(scenario=saved.scenario.id, **options)
    if draft.parent is not None:
        return RunRequest(scenario=draft.parent.scenario.id, changes=list(draft.changes), **options)
    if draft.shown.chosen and draft.scenario is None and draft.shown.run is not None:
        return RunRequest(baseline=draft.shown.run.id, changes=list(draft.changes), **options)
    return RunRequest(line=draft.base.line, changes=list(draft.changes), **options)


def _share(text: str) -> Any:
    """A share from per cent; what is no number stays as it is, for its fault."""
    try:
        return float(Decimal(text.strip()) / 100)
    except InvalidOperation:
        return text


def _wrong(error: ValidationError) -> dict[str, str]:
    """What is wrong with the fields of saving and running."""
    fields = {"time_limit": "time"}
    return {fields.get(str(d["loc"][0]), str(d["loc"][0])) if d["loc"] else "changes": d["msg"] for d in error.errors()}

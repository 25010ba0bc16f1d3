"""Explanations over HTTP: the answer is the optimizer's, typed, stored, refused where it can't be, and survives its process."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from typing import Any

import pytest

from api.app import PREFIX
from api.keys import Role
from api.schemas.explanations import ConflictAnswer, PricesAnswer, WhyAnswer, WhyNotAnswer
from models.plan import Plan
from models.plan_files import plan_from_bytes
from optimizer.explain import as_json
from optimizer.explain.prices import Prices, prices
from optimizer.explain.why import Why, why
from optimizer.explain.why_not import WhyNot
from tests.api.conftest import Live
from tests.api.slow_explanations import HANGS, WAITS
from tests.factories import small_dataset

NO_RACKS = {"type": "place.max", "decision": "in_service", "value": 0, "site_id": "a"}
RACKS = {"type": "place.min", "decision": "in_service", "value": 3, "site_id": "a"}


def baseline(live: Live) -> str:
    with live.client() as client:
        return str(client.line(live.line)["baseline"])


def plan_of(live: Live, run: str) -> Plan:
    return plan_from_bytes(live.service.store.blobs.get(live.service.store.runs.get(run).plan_blob or ""))


def explain(live: Live, kind: str, **question: Any) -> dict[str, Any]:
    with live.client() as client:
        found = client.explain(kind, wait=60, **question)
    assert found["state"] == "succeeded", found
    return found


def without_seconds(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in ("seconds", "kind")}


def served_from(plan: Plan) -> str:
    """A placement that the plan has."""
    row = plan.deliveries.iloc[0]
    return f"{row['contract_id']}@{row['site_id']}"


def test_prices_are_those_of_the_optimizer(live: Live) -> None:
    run = baseline(live)
    wanted = prices(small_dataset(), plan_of(live, run), confirm=2)
    found = explain(live, "prices", line=live.line, confirm=2)
    assert wanted.prices
    assert without_seconds(found["answer"]) == as_json(wanted)
    assert (found["run"], found["dataset"], found["stop_reason"]) == (run, live.dataset, None)
    assert found["question"] == {"kind": "prices", "confirm": 2, "signing": True}


def test_why_is_that_of_the_optimizer(live: Live) -> None:
    run = baseline(live)
    plan = plan_of(live, run)
    placement = served_from(plan)
    found = explain(live, "why", run=run, placement=placement)
    assert without_seconds(found["answer"]) == without_seconds(as_json(why(small_dataset(), plan, placement)))
    assert found["answer"]["without"] is not None


def test_why_not_says_what_no_plan_can_and_what_one_can(live: Live) -> None:
    beyond = explain(live, "why_not", line=live.line, gpus=1000, gen_id="h100", site_id="a")["answer"]
    assert beyond["possible"] == "no"
    assert [obstacle["limit"] for obstacle in beyond["obstacles"]] == ["supply"]
    within = explain(live, "why_not", line=live.line, gpus=40, gen_id="h100", site_id="b")["answer"]
    assert within["possible"] == "yes"
    assert within["obstacles"] == []
    assert within["npv_usd"] == pytest.approx(1_752_000 - 100_000)


def test_a_conflict_names_its_rules(live: Live) -> None:
    found = explain(live, "conflict", line=live.line, changes=[NO_RACKS, RACKS])
    assert found["answer"]["conflict"]["findings"] or found["answer"]["conflict"]["members"]
    assert any("in_service" in line for line in found["answer"]["words"])
    assert len(found["sentences"]) == 2
    with live.client() as client:
        run = client.ask(line=live.line, changes=[NO_RACKS, RACKS], wait=60)
    assert run["solution"]["status"] == "infeasible"
    of_run = explain(live, "conflict", run=run["id"])
    assert of_run["answer"] == found["answer"]
    assert of_run["dataset"] == found["dataset"] == run["dataset"]
    assert explain(live, "conflict", dataset=live.dataset)["answer"] == {"kind": "conflict", "conflict": None, "words": []}


def test_totals_that_cannot_be_held_are_told_where_the_rules_could_be(live: Live) -> None:
    with live.client() as client:
        run = client.ask(line=live.line, changes=[RACKS], most={"capital": 5_000}, gap=0, wait=60)
        held = client.ask(line=live.line, changes=[RACKS], most={"capital": 35_000}, gap=0, wait=60)
        both = client.ask(line=live.line, changes=[NO_RACKS, RACKS], most={"capital": 5_000}, gap=0, wait=60)
    assert [one["solution"]["status"] for one in (run, held, both)] == ["infeasible", "optimal", "infeasible"]
    answer = explain(live, "conflict", run=run["id"])["answer"]
    assert answer["conflict"] is None
    assert answer["words"][0] == (
        "the rules of the dataset can hold together; it is the totals asked for that can't be held with them: capital at most 5,000 USD"
    )
    assert len(answer["words"]) > 1, "by how much"
    assert explain(live, "conflict", run=held["id"])["answer"]["words"] == []
    answer = explain(live, "conflict", run=both["id"])["answer"]
    assert answer["conflict"]["findings"] or answer["conflict"]["members"]
    assert answer["words"][-1] == "totals asked for are left out of this: capital at most 5,000 USD"
    assert explain(live, "conflict", line=live.line, changes=[RACKS])["answer"]["words"] == [], "nothing but a run has totals"


def test_asked_twice_is_answered_from_the_store(live: Live) -> None:
    first = explain(live, "prices", line=live.line, confirm=1, time_limit=60)
    with live.http(Role.PLANNER) as http:
        again = http.post(f"{PREFIX}/explanations", json={"kind": "prices", "run": first["run"], "confirm": 1, "time_limit": 5})
        other = http.post(f"{PREFIX}/explanations", json={"kind": "prices", "run": first["run"], "confirm": 0})
        header = {"Idempotency-Key": "explain-1"}
        body = {"kind": "conflict", "line": live.line, "fresh": True}
        once = [http.post(f"{PREFIX}/explanations", json=body, headers=header) for _ in range(2)]
    assert (again.status_code, other.status_code) == (200, 202)
    assert again.json() == first
    assert again.headers["location"] == f"{PREFIX}/explanations/{first['id']}"
    assert once[0].json()["id"] == once[1].json()["id"]
    assert once[1].headers["idempotency-replayed"] == "true"
    with live.client() as client:
        ended = client.explanation(other.json()["id"], wait=60)
    assert ended["state"] == "succeeded"
    assert all(price["confirmation"] is None for price in ended["answer"]["prices"])


def test_explanations_have_a_list_of_their_own(live: Live) -> None:
    found = explain(live, "why_not", line=live.line, gpus=10**6, gen_id="h100")
    with live.client() as client:
        mine = list(client.explanations(kind="why_not", run=found["run"]))
        assert found["id"] in {one["id"] for one in mine}
        assert {one["question"]["kind"] for one in mine} == {"why_not"}
        assert {one["answer"] for one in mine} == {None}
        assert found["id"] not in {run["id"] for run in client.runs()}
        listed = next(run for run in client.runs(mode="explain") if run["id"] == found["id"])
        assert listed["links"]["explanation"] == f"{PREFIX}/explanations/{found['id']}"
        assert listed["gap"] is None
        assert client.explanation(found["id"]) == found
        assert [kind for _, kind, _ in client.events(found["id"])] == ["state", "end"]
    with live.http(Role.VIEWER) as http:
        assert http.get(f"{PREFIX}/explanations/{found['run']}").json()["code"] == "unknown_explanation"


@pytest.mark.parametrize(
    ("body", "status", "pointer", "suggestion"),
    [
        ({"kind": "pricse"}, 422, "/kind", "prices"),
        ({}, 422, "/kind", None),
        ({"kind": "prices", "confrim": 3}, 422, "/confrim", "confirm"),
        ({"kind": "prices", "confirm": -1}, 422, "/confirm", None),
        ({"kind": "why", "placement": "d@a"}, 422, "/placement", None),
        ({"kind": "why", "placement": "h10@a"}, 422, "/placement", "h100"),
        ({"kind": "why_not", "gpus": 10, "gen_id": "h10"}, 422, "/gen_id", "h100"),
        ({"kind": "why_not", "gpus": 10, "site_id": "a", "from_period": "2031-Q1"}, 422, "/from_period", None),
        ({"kind": "why_not", "gpus": 10, "placement": "c@a"}, 422, "", None),
        ({"kind": "why_not", "gpus": 10}, 422, "", None),
        ({"kind": "conflict", "changes": [{**RACKS, "gen_id": "h10"}]}, 422, "/changes/0/gen_id", "h100"),
        ({"kind": "conflict", "dataset": "0" * 64}, 422, "", None),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_place(
    live: Live, body: dict[str, Any], status: int, pointer: str, suggestion: str | None
) -> None:
    with live.http(Role.PLANNER) as http:
        answer = http.post(f"{PREFIX}/explanations", json={**body, "line": live.line})
    assert answer.status_code == status, answer.text
    fault = answer.json()["errors"][0]
    assert (fault["pointer"], fault.get("suggestion")) == (pointer, suggestion), fault


def test_what_has_no_plan_is_refused(live: Live) -> None:
    with live.client() as client, live.http(Role.PLANNER) as http:
        client.add_line("without plan", live.dataset)
        body: dict[str, Any] = {"kind": "prices", "line": "without plan"}
        assert http.post(f"{PREFIX}/explanations", json=body).json()["code"] == "no_plan"
        found = explain(live, "conflict", dataset=live.dataset)["id"]
        assert http.post(f"{PREFIX}/explanations", json={"kind": "prices", "run": found}).status_code == 409
        assert http.post(f"{PREFIX}/explanations", json={"kind": "prices", "run": "nowhere"}).status_code == 404
        assert http.post(f"{PREFIX}/runs", json={"line": live.line, "mode": "explain"}).json()["errors"][0]["pointer"] == "/mode"


def begun(live: Live, run: str) -> None:
    """Wait until a worker has begun on a run."""
    engine = live.service.supervisor.engine
    assert engine is not None
    deadline = time.monotonic() + 30
    while (active := engine._runs.get(run)) is None or active.worker is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_worker_that_is_killed_during_an_explanation_is_made_up_for(live: Live) -> None:
    with live.client() as client:
        asked = client.explain("conflict", line=live.line, seed=HANGS)["id"]
        begun(live, asked)
        engine = live.service.supervisor.engine
        assert engine is not None
        assert engine._cluster is not None
        pid = engine._cluster.nannies[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        found = client.explanation(asked, wait=60)
    assert (found["state"], found["attempt"]) == ("succeeded", 2)
    assert found["answer"] == {"kind": "conflict", "conflict": None, "words": []}


def test_an_explanation_that_is_stopped_without_an_answer_is_cancelled(live: Live) -> None:
    with live.client() as client:
        asked = client.explain("prices", line=live.line, seed=WAITS)["id"]
        begun(live, asked)
        client.stop(asked)
        found = client.explanation(asked, wait=60)
    assert (found["state"], found["answer"]) == ("cancelled", None)


def test_an_explanation_without_an_answer_in_time_says_so_and_is_asked_anew(live: Live) -> None:
    late = [explain(live, "prices", line=live.line, seed=5, time_limit=1e-9) for _ in range(2)]
    assert [(one["answer"], one["stop_reason"]) for one in late] == [(None, "time_limit")] * 2
    assert late[0]["id"] != late[1]["id"]


@pytest.mark.parametrize(("told", "answer"), [(PricesAnswer, Prices), (WhyAnswer, Why), (WhyNotAnswer, WhyNot)])
def test_answers_are_typed_in_full(told: Any, answer: Any) -> None:
    assert told.model_fields.keys() - {"kind"} == {field.name for field in dataclasses.fields(answer)}
    assert ConflictAnswer.model_fields.keys() == {"kind", "conflict", "words"}

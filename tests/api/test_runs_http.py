"""Questions over HTTP: the answer is that of the planner, waited for, watched, stored, and as tables."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import httpx
import pandas as pd
import pytest

from api.app import PREFIX
from api.client import Client, ServiceError
from api.keys import Role
from models.changes import read_changes
from models.files import dataset_to_bytes
from optimizer.whatif import Planner
from tests.api.conftest import Live
from tests.factories import small_dataset

LESS = [{"type": "supply.cut", "gen_id": "h100", "cut_share": 0.5}]
"""Half of the racks of the small dataset."""


def ask(live: Live, **more: Any) -> dict[str, Any]:
    with live.client() as client:
        return client.ask(line=live.line, wait=60, **{"changes": LESS, "gap": 0, **more})


@pytest.mark.parametrize("mode", ["repair", "reoptimize", "evaluate"])
def test_the_answer_is_that_of_the_planner(live: Live, mode: str) -> None:
    planner = Planner(small_dataset(), threads=1)
    planner.plan(gap=0)
    wanted = planner.change(read_changes(LESS), mode, gap=0)
    found = ask(live, mode=mode, fresh=True)
    assert found["state"] == "succeeded", found
    assert found["sentences"] == list(wanted.sentences)
    assert found["dataset"] == wanted.dataset.sha256
    assert found["evaluation"]["npv_usd"] == pytest.approx(wanted.evaluation.npv_usd if wanted.evaluation else None)
    if mode != "evaluate":
        assert wanted.plan is not None
        assert found["solution"]["npv_usd"] == pytest.approx(wanted.plan.summary.npv_usd)
        assert found["solution"]["status"] == "optimal"
        assert found["solution"]["stop_reason"] == "gap_reached"
        assert found["solution"]["audit_passed"] is True
        assert found["solution"]["difference_usd"] == pytest.approx(wanted.difference_usd)
    else:
        assert "plan" not in found["links"]


def test_the_same_question_is_answered_from_the_store(live: Live) -> None:
    first = ask(live, seed=11)
    began = time.perf_counter()
    with live.http(Role.PLANNER) as http:
        body = {"line": live.line, "changes": LESS, "gap": 0.5, "seed": 11}
        answer = http.post(f"{PREFIX}/runs", json=body)
        taken = time.perf_counter() - began
    assert answer.status_code == 200
    assert answer.json()["id"] == first["id"]
    assert taken < 2.0
    assert ask(live, seed=12)["id"] != first["id"]
    assert ask(live, seed=11, fresh=True)["id"] != first["id"]


def test_without_waiting_a_run_is_accepted_and_can_be_looked_at(live: Live) -> None:
    with live.http(Role.PLANNER) as http:
        answer = http.post(f"{PREFIX}/runs", json={"line": live.line, "changes": LESS, "fresh": True})
        assert answer.status_code == 202
        address = answer.headers["location"]
        ended = http.get(address, headers={"Prefer": "wait=60"})
        assert ended.headers["preference-applied"] == "wait=60"
        assert ended.json()["state"] == "succeeded"


def test_events_tell_all_from_the_start_to_the_end_and_resume(live: Live) -> None:
    run = ask(live, fresh=True, seed=3)["id"]
    with live.client() as client:
        events = list(client.events(run))
        numbers = [number for number, _, _ in events]
        assert numbers == list(range(1, len(events) + 1))
        assert events[0][1] == "state"
        assert events[-1][1] == "end"
        assert events[-1][2]["state"] == "succeeded"
        assert [number for number, _, _ in client.events(run, after=numbers[-2])] == numbers[-1:]


def test_a_plan_comes_as_json_csv_and_parquet(live: Live) -> None:
    run = ask(live)["id"]
    with live.client() as client, live.http(Role.VIEWER) as http:
        racks = client.plan_table(run, "racks")
        address = f"{PREFIX}/runs/{run}/plan/racks"
        csv = http.get(address, headers={"Accept": "text/csv"})
        parquet = http.get(address, headers={"Accept": "application/vnd.apache.parquet"})
        assert csv.headers["content-type"].startswith("text/csv")
        assert racks["installed"].sum() == pd.read_csv(io.StringIO(csv.text))["installed"].sum()
        assert racks["installed"].sum() == pd.read_parquet(io.BytesIO(parquet.content))["installed"].sum()
        assert http.get(address, headers={"Accept": "image/png"}).status_code == 406
        assert http.get(f"{PREFIX}/runs/{run}/plan/rakcs").status_code == 404
        whole = client.plan(run)
        assert whole["summary"]["audit"]["passed"] is True
        assert json.dumps(whole, allow_nan=False)


def test_a_diff_tells_npv_term_by_term(live: Live) -> None:
    run = ask(live)
    with live.client() as client:
        found = client.diff(run["baseline"], run["id"])
    assert found["npv"]["difference"] == pytest.approx(run["solution"]["difference_usd"])
    assert sum(term["difference"] for term in found["terms"]) == pytest.approx(found["npv"]["difference"])
    assert {row["table"] for row in found["dataset"]} == {"supply"}


def refused(live: Live, body: Any, status: int = 422) -> dict[str, Any]:
    with live.http(Role.PLANNER) as http:
        answer = http.post(f"{PREFIX}/runs", json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert isinstance(found, dict)
    return found


def test_a_misspelt_key_is_refused_with_its_place_and_a_suggestion(live: Live) -> None:
    fault = refused(live, {"line": live.line, "time_limt": 3})["errors"][0]
    assert (fault["pointer"], fault["code"], fault["suggestion"]) == ("/time_limt", "unknown_field", "time_limit")
    faults = refused(live, {"line": live.line, "changes": [{"type": "supply.cut", "gen_id": "h100", "cut_shar": 0.5}]})["errors"]
    fault = next(fault for fault in faults if fault["code"] == "unknown_field")
    assert (fault["pointer"], fault["suggestion"]) == ("/changes/0/cut_shar", "cut_share")
    fault = refused(live, {"line": live.line, "changes": [{"type": "supply.cutt"}]})["errors"][0]
    assert (fault["pointer"], fault["suggestion"]) == ("/changes/0/type", "supply.cut")
    fault = refused(live, {"line": live.line, "changes": [{**LESS[0], "gen_id": "h10"}]})["errors"][0]
    assert (fault["pointer"], fault["suggestion"]) == ("/changes/0/gen_id", "h100")
    with live.http(Role.VIEWER) as http:
        found = http.get(f"{PREFIX}/runs?limt=3").json()["errors"][0]
    assert (found["parameter"], found["suggestion"]) == ("limt", "limit")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid_request"),
        ({"line": "small", "dataset": "0" * 64}, 422, "invalid_request"),
        ({"line": "nowhere"}, 404, "unknown_line"),
        ({"scenario": "nowhere"}, 404, "unknown_scenario"),
        ({"baseline": "nowhere"}, 404, "unknown_run"),
        ({"dataset": "0" * 64, "mode": "plan"}, 404, "unknown_dataset"),
        ({"line": "small", "gap": -1}, 422, "invalid_request"),
        ({"line": "smal"}, 404, "unknown_line"),
        ({"line": "small", "time_limit": 1e9}, 422, "time_limit_too_long"),
        ({"line": "small", "changes": [{}] * 501}, 413, "too_many_changes"),
        ([], 422, "invalid_request"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(live: Live, body: Any, status: int, code: str) -> None:
    assert refused(live, body, status)["code"] == code


@pytest.mark.parametrize("text", ["\ud800", "a\0b"])
def test_what_cannot_be_stored_or_told_is_refused_with_its_place(live: Live, text: str) -> None:
    def sent(path: str, body: Any, method: str = "POST") -> dict[str, Any]:
        with live.http(Role.PLANNER) as http:
            data = json.dumps(body).encode()  # as escapes, which JSON allows
            answer = http.request(method, f"{PREFIX}/{path}", content=data, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, answer.text
        (fault,) = answer.json()["errors"]
        assert fault["code"] == "bad_character"
        return dict(fault)

    assert sent("runs", {"line": text})["pointer"] == "/line"
    assert sent("runs", {"line": live.line, "gap": text})["pointer"] == "/gap"
    assert sent("runs", {"line": live.line, "changes": [LESS[0], {**LESS[0], "gen_id": text}]})["pointer"] == "/changes/1/gen_id"
    assert sent("runs", {"line": live.line, f"x{text}": 1})["pointer"].startswith("/x")
    assert sent("lines", {"name": text, "dataset": live.dataset})["pointer"] == "/name"
    assert sent("scenarios", {"name": "n", "note": text, "line": live.line})["pointer"] == "/note"
    assert (
        sent("datasets", {**small_dataset().to_plain(), "dataset": {**small_dataset().to_plain()["dataset"], "name": text}})["pointer"]
        == "/dataset/name"
    )
    assert sent("explanations", {"kind": "why", "line": live.line, "placement": text})["pointer"] == "/placement"


def test_an_address_that_cannot_be_stored_is_refused(live: Live) -> None:
    with live.http(Role.PLANNER) as http:
        path, query = http.get(f"{PREFIX}/lines/a%00b"), http.get(f"{PREFIX}/runs?line=a%00b")
        changed = http.patch(f"{PREFIX}/lines/a%00b", json={"name": "x"}, headers={"If-Match": "*"})
    for answer, parameter in ((path, "line"), (query, "line"), (changed, "line")):
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, parameter)


def test_characters_beyond_the_basic_plane_are_taken(live: Live) -> None:
    """JSON may write them as two halves, which are one character together."""
    data = json.dumps({"name": "plan \U0001f50c", "dataset": live.dataset}).encode()
    assert b"\\ud83d" in data
    with live.http(Role.PLANNER) as http:
        answer = http.post(f"{PREFIX}/lines", content=data, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["name"]) == (201, "plan \U0001f50c")


def test_what_is_no_json_is_refused(live: Live) -> None:
    with live.http(Role.PLANNER) as http:
        answer = http.post(f"{PREFIX}/runs", content=b'{"line": ', headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


def test_a_body_that_is_too_large_is_refused(live: Live) -> None:
    def endless() -> Any:
        for _ in range(6):
            yield b" " * 2**20

    with live.http(Role.PLANNER) as http:
        said = http.post(f"{PREFIX}/runs", content=b" " * (6 * 2**20))
        unsaid = http.post(f"{PREFIX}/runs", content=endless())
    assert (said.status_code, unsaid.status_code) == (413, 413)
    assert said.json()["code"] == unsaid.json()["code"] == "too_large"


def test_an_idempotency_key_is_done_once(live: Live) -> None:
    header, body = {"Idempotency-Key": "once-1"}, {"line": live.line, "changes": LESS, "fresh": True}
    with live.http(Role.PLANNER) as http:
        first = http.post(f"{PREFIX}/runs", json=body, headers=header)
        again = http.post(f"{PREFIX}/runs", json=body, headers=header)
        other = http.post(f"{PREFIX}/runs", json={**body, "seed": 5}, headers=header)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_pages_show_every_run_once(live: Live) -> None:
    for seed in (21, 22, 23):
        ask(live, seed=seed)
    with live.client() as client, live.http() as http:
        every = [run["id"] for run in client.runs()]
        some = http.get(f"{PREFIX}/runs?limit=2").json()
        found = [run["id"] for run in some["items"]]
        while some["next_cursor"]:
            some = http.get(f"{PREFIX}/runs", params={"limit": 2, "cursor": some["next_cursor"]}).json()
            found += [run["id"] for run in some["items"]]
        assert found == every
        assert len(set(found)) == len(found) >= 3
        assert http.get(f"{PREFIX}/runs?cursor=nonsense").json()["code"] == "bad_cursor"


def test_a_stale_change_is_refused(live: Live) -> None:
    with live.http(Role.PLANNER) as http:
        made = http.post(f"{PREFIX}/lines", json={"name": "to be renamed", "dataset": live.dataset})
        address, tag = made.headers["location"], made.headers["etag"]
        assert http.patch(address, json={"name": "renamed"}).status_code == 428
        assert http.patch(address, json={"name": "renamed"}, headers={"If-Match": tag}).json()["version"] == 2
        stale = http.patch(address, json={"name": "once more"}, headers={"If-Match": tag})
        assert (stale.status_code, stale.json()["code"]) == (412, "stale")
        taken = http.patch(address, json={"name": live.line}, headers={"If-Match": '"2"'})
        assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")


def test_any_version_may_be_changed_by_whoever_says_so(live: Live) -> None:
    with live.http(Role.PLANNER) as http:
        made = http.post(f"{PREFIX}/lines", json={"name": "of any version", "dataset": live.dataset})
        changed = http.patch(made.headers["location"], json={"name": "still of any version"}, headers={"If-Match": "*"})
        assert (changed.status_code, changed.json()["version"]) == (200, 2)
        assert http.patch(made.headers["location"], json={"name": "x"}, headers={"If-Match": '"*"'}).status_code == 412
        scenario = http.post(f"{PREFIX}/scenarios", json={"name": "of any version", "line": "still of any version"}).headers["location"]
        for _ in range(2):
            assert http.post(f"{scenario}/revisions", json={"changes": LESS}, headers={"If-Match": "*"}).status_code == 201
        first = http.get(f"{scenario}/revisions?limit=2").json()
        second = http.get(f"{scenario}/revisions", params={"limit": 2, "cursor": first["next_cursor"]}).json()
        assert [one["revision"] for one in (*first["items"], *second["items"])] == [3, 2, 1]
        assert second["next_cursor"] is None
        assert http.delete(scenario, headers={"If-Match": "*"}).status_code == 204


def test_datasets_are_listed_though_one_of_them_is_damaged(live: Live) -> None:
    with live.client() as client:
        damaged = client.add_dataset(small_dataset(name="damaged").to_plain())
        store = live.service.store
        store.blobs.delete(store.datasets.get(damaged["id"]).blob)
        live.service.datasets._kept.clear()
        listed = {one["id"]: one for one in client.datasets()}
        assert listed[damaged["id"]] == damaged
        assert listed[live.dataset] == client.dataset(live.dataset)
    store.blobs.put(dataset_to_bytes(small_dataset(name="damaged")))


def test_a_stream_of_a_run_that_has_ended_closes(live: Live) -> None:
    run = ask(live, fresh=True, seed=4)["id"]
    last = live.service.store.runs.get(run).last_event
    with live.http(Role.VIEWER) as http:
        http.timeout = 5.0
        resumed = http.get(f"{PREFIX}/runs/{run}/events", headers={"Last-Event-ID": str(last)})
        beyond = http.get(f"{PREFIX}/runs/{run}/events", params={"after": last + 7})
    assert resumed.text == beyond.text == ": wattplan\n\n"


def test_scenarios_stand_on_one_another(live: Live) -> None:
    with live.client() as client:
        first = client.add_scenario("half the racks", LESS, line=live.line)
        second = client.add_scenario("and dear", [{"type": "discount.rate", "discount_rate": 0.2}], parent=first["id"])
        run = client.ask(scenario=second["id"], gap=0, wait=60)
        assert run["state"] == "succeeded"
        assert len(run["sentences"]) == 2
        assert (run["scenario"], run["revision"]) == (second["id"], 1)
        with pytest.raises(ServiceError) as refused:
            client.ask(scenario=second["id"], changes=[{"type": "supply.cut", "gen_id": "h10", "cut_share": 0.5}])
        (fault,) = refused.value.problem["errors"]
        assert fault["pointer"] == "/changes/0/gen_id", "its place in the request, not among all changes of the scenario"
        looked = client.preview(LESS, parent=second["id"])
        assert [(w["pointer"], w["code"]) for w in looked["warnings"]] == [("/changes/0", "overlap")]
        revised = client.revise_scenario(second["id"], second["version"], [])
        assert revised["revision"] == 2
        shown = client.preview([], parent=second["id"])
        assert len(shown["sentences"]) == 1
        assert shown["dataset"] == ask(live)["dataset"]


def test_what_a_scenario_inherits_is_told_by_what_names_it(live: Live) -> None:
    """A scenario whose parent lost what it builds on; warnings of a run point into all of its changes."""
    block = {"type": "site.add_block", "site_id": "a", "block_id": "a-x", "it_mw": 1, "air_mw": 1, "liquid_mw": 0, "energized": "2026-Q2"}
    late = {"type": "site.energization_delay", "site_id": "a", "block_id": "a-x", "delay_periods": 1}
    with live.client() as client:
        parent = client.add_scenario("one more block", [block], line=live.line)
        child = client.add_scenario("and that late", [late], parent=parent["id"])
        run = client.ask(scenario=child["id"], changes=[late], mode="evaluate")
        assert [(w["pointer"], w["code"]) for w in run["warnings"]][-1] == ("/changes/2", "overlap")
        client.revise_scenario(parent["id"], parent["version"], [])
        with pytest.raises(ServiceError, match="inherited change 1") as refused:
            client.ask(scenario=child["id"])
        assert [fault["pointer"] for fault in refused.value.problem["errors"]] == ["/scenario"]
        with pytest.raises(ServiceError, match="inherited change 1") as refused:
            client.preview([], parent=child["id"])
        assert [fault["pointer"] for fault in refused.value.problem["errors"]] == ["/parent"]


def test_a_change_without_effect_is_told(live: Live) -> None:
    with live.client() as client:
        found = client.preview([{"type": "supply.cut", "gen_id": "h100", "cut_share": 0.0}], line=live.line)
    assert [warning["code"] for warning in found["warnings"]] == ["no_effect"]
    assert found["dataset"] == found["base_dataset"]


def test_the_client_says_what_the_service_says(live: Live) -> None:
    with live.client() as client, pytest.raises(ServiceError, match="unknown") as raised:
        client.ask(line=live.line, changes=[{"type": "supply.cutt"}])
    assert raised.value.status == 422
    with Client("http://127.0.0.1:1") as nobody, pytest.raises(httpx.ConnectError):
        nobody.line("x")


def test_health_is_told_check_by_check(live: Live) -> None:
    with live.http(None) as http:
        assert http.get("/healthz").json() == {"status": "ok"}
        ready = http.get("/readyz").json()
        assert ready["ready"] is True
        assert {check["name"] for check in ready["checks"]} == {"store", "engine"}
        assert "wattplan_requests_total" in http.get("/metrics").text
        assert http.get("/version").json()["api"] == "v1"
        missing = http.get("/api/v1/nowhere")
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")

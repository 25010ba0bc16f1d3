"""Studies over HTTP: carried out as runs, stopped, killed and gone on with, and what they say together."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from api.app import PREFIX
from api.client import Client
from api.keys import Role
from api.settings import Settings
from api.store import Store
from models.changes import read_changes
from optimizer.whatif import Planner
from tests.api.conftest import Live
from tests.factories import small_dataset
from tests.serving import serving

HALF = {"type": "supply.cut", "gen_id": "h100", "cut_share": 0.5}
SCENARIOS: dict[str, Any] = {
    "list": [{"name": "half", "changes": [HALF]}],
    "grid": {
        "axes": [{"name": "price", "levels": [{"name": "low"}, {"name": "high", "changes": [{"type": "supply.price", "factor": 2}]}]}]
    },
    "frontier": [{"measure": "capital", "shares": [0.5]}],
}
FUTURES: dict[str, Any] = {
    "schema_version": 1,
    "name": "a cut may come",
    "event": [{"id": "cut", "why": "a test", "outcomes": [{"name": "half", "odds": 0.5, "changes": [HALF]}]}],
}
PATIENCE = 120.0


@pytest.fixture(scope="module")
def done(live: Live) -> dict[str, Any]:
    """A study whose runs have all ended."""
    with live.client() as client:
        begun = client.begin_study("cuts", SCENARIOS, line=live.line, gap=0)
        assert begun["state"] == "running"
        assert begun["runs"]["planned"] == 5
        return client.wait_study(begun["id"], PATIENCE)


def test_each_run_is_the_answer_of_the_planner(live: Live, done: dict[str, Any]) -> None:
    assert done["state"] == "done"
    assert done["runs"] == {"planned": 5, "made": 5, "open": 0, "succeeded": 5, "failed": 0, "cancelled": 0}
    with live.client() as client:
        found = client.study_table(done["id"]).set_index("scenario")
        runs = list(client.runs(study=done["id"]))
        everything = {run["id"] for run in client.runs()}
    planner = Planner(small_dataset(), threads=1)
    base = planner.plan(gap=0).summary.npv_usd
    half = planner.change(read_changes([HALF]), gap=0).plan
    dear = planner.change(read_changes([{"type": "supply.price", "factor": 2}]), gap=0).plan
    assert half is not None
    assert dear is not None
    wanted = {"base": base, "half": half.summary.npv_usd, "price=low": base, "price=high": dear.summary.npv_usd}
    for name, npv in wanted.items():
        assert found.loc[name, "npv_usd"] == pytest.approx(npv)
    five = found.loc["capital at most 0.5 of the base plan's"]
    assert five["capex_usd"] == pytest.approx(50_000)
    assert five["npv_usd"] == pytest.approx(wanted["half"]), "half of the racks, as with half of the supply"
    assert [run["study"] for run in runs] == [done["id"]] * 5
    assert runs[0]["most"] == {"capital": 50_000}, "the newest first"
    assert runs[0]["sentences"] == ["capital at most 50,000 USD"]
    assert not everything & {run["id"] for run in runs}, "runs of studies are listed only if asked for"


def test_what_they_say_together(live: Live, done: dict[str, Any]) -> None:
    with live.client() as client:
        found = client.findings(done["id"])
        page = client.study_report(done["id"])
    assert (found["runs"], found["ended"], found["name"]) == (5, 5, "cuts")
    assert found["statuses"] == {"optimal": 4}
    assert [front["measure"] for front in found["frontiers"]] == ["capital"]
    assert {bar["axis"] for bar in found["tornado"]} == {"price", "half"}
    assert b"What less of it costs" in page
    with live.http(Role.VIEWER) as http:
        answer = http.get(f"{PREFIX}/studies/{done['id']}/table", headers={"Accept": "application/vnd.apache.parquet"})
        assert len(pd.read_parquet(io.BytesIO(answer.content))) == 5
        assert http.get(f"{PREFIX}/studies/{done['id']}/table", headers={"Accept": "image/png"}).status_code == 406
        report = http.get(f"{PREFIX}/studies/{done['id']}/report")
        assert report.headers["content-security-policy"] == "sandbox allow-scripts"
        assert done["id"] in {one["id"] for one in http.get(f"{PREFIX}/studies", params={"line": live.line}).json()["items"]}
        assert http.get(f"{PREFIX}/studies/nowhere/findings").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer", "said"),
    [
        ({"scenarios": {"list": [{"name": "a", "chnages": []}]}}, 422, None, "/scenarios/list/0/chnages", "changes"),
        ({"scenarios": {"list": [{"name": "a", "changes": [{**HALF, "gen_id": "h200"}]}]}}, 422, "bad_study", None, "unknown id"),
        ({"scenarios": {"list": [{"name": "a", "changes": [{"type": "supply.cot"}]}]}}, 422, "bad_study", "/scenarios/list/0/changes/0/type", "supply.cut"),
        ({"scenarios": {}}, 422, "bad_study", "/scenarios", "has no scenario"),
        ({"scenarios": {"uncertainty": {"file": "/etc/passwd", "runs": 3}}}, 422, "bad_study", "/scenarios/uncertainty/file", "names a file"),
        ({"scenarios": {"uncertainty": {"sources": {**FUTURES, "event": [{**FUTURES["event"][0], "odd": 1}]}, "runs": 3}}}, 422, "bad_study", "/scenarios/uncertainty/sources/event/0/odd", "odd"),
        ({"scenarios": {"frontier": [{"measure": "late"}]}}, 422, "bad_study", "/scenarios/frontier/0/measure", "nothing of the base plan"),
        ({"scenarios": {"sample": {"runs": 5000, "axes": [{"name": "x", "low": 0, "high": 1}], "changes": [{**HALF, "cut_share": "$x"}]}}}, 413, "too_many_runs", None, "at most 2,000"),
        ({"line": None}, 422, None, "", "exactly one of line and baseline"),
        ({"line": "nowhere"}, 404, "unknown_line", None, ""),
        ({"time_limit": 900_000}, 422, "time_limit_too_long", None, "86400"),
    ],
)  # fmt: skip
def test_what_cannot_be_studied(live: Live, body: dict[str, Any], status: int, code: str | None, pointer: str | None, said: str) -> None:
    given = {"name": "wrong", "line": live.line, "scenarios": {"list": [{"name": "a", "changes": []}]}, **body}
    with live.http(Role.PLANNER) as http:
        answer = http.post(f"{PREFIX}/studies", json={key: value for key, value in given.items() if value is not None})
        before = len(http.get(f"{PREFIX}/studies").json()["items"])
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert code is None or problem["code"] == code
    assert said in json.dumps(problem)
    assert pointer is None or pointer in [fault["pointer"] for fault in problem["errors"]]
    with live.http(Role.VIEWER) as http:
        assert len(http.get(f"{PREFIX}/studies").json()["items"]) == before


def test_a_line_without_a_plan_has_no_study(live: Live) -> None:
    with live.client() as client:
        client.add_line("bare", client.add_dataset(small_dataset(name="bare").to_plain())["id"])
    with live.http(Role.PLANNER) as http:
        answer = http.post(f"{PREFIX}/studies", json={"name": "x", "line": "bare", "scenarios": {"list": [{"name": "a", "changes": []}]}})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_baseline")


def test_the_same_request_makes_one_study(live: Live) -> None:
    body = {
        "name": "once",
        "line": live.line,
        "mode": "evaluate",
        "with_base": False,
        "scenarios": {"list": [{"name": "half", "changes": [HALF]}]},
    }
    with live.http(Role.PLANNER) as http:
        first, again = (http.post(f"{PREFIX}/studies", json=body, headers={"Idempotency-Key": "study-once"}) for _ in range(2))
        assert first.status_code == again.status_code == 202
        assert first.json()["id"] == again.json()["id"]
        other = http.post(f"{PREFIX}/studies", json={**body, "name": "twice"}, headers={"Idempotency-Key": "study-once"})
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    with live.client() as client:
        found = client.wait_study(first.json()["id"], PATIENCE)
        assert found["runs"]["succeeded"] == 1
        assert client.findings(found["id"])["statuses"] == {"broken": 1}, "ten racks where five can be had"
        assert client.study_table(found["id"])[["capex_usd", "short_gpu_periods", "tco2"]].values.tolist() == [[100_000, 0, 0]]


def test_a_scenario_that_cannot_be_is_a_result(live: Live) -> None:
    """It was not among those tried before the study was accepted: its level came late."""
    late = [{"name": f"fine {n}", "changes": [HALF]} for n in range(12)] + [{"name": "no such", "changes": [{**HALF, "gen_id": "h200"}]}]
    with live.client() as client:
        begun = client.begin_study("late fault", {"list": late}, line=live.line, mode="evaluate", with_base=False)
        found = client.wait_study(begun["id"], PATIENCE)
        assert (found["runs"]["succeeded"], found["runs"]["failed"]) == (12, 1)
        table = client.study_table(begun["id"]).set_index("scenario")
    assert table.loc["no such", "status"] == "invalid"
    assert "h200" in table.loc["no such", "detail"]


def test_futures_of_an_uncertainty_in_place(live: Live) -> None:
    with live.client() as client:
        asked = {"uncertainty": {"sources": FUTURES, "runs": 12, "seed": 1}}
        begun = client.begin_study("futures", asked, line=live.line, gap=0, with_base=False)
        found = client.wait_study(begun["id"], PATIENCE)
        assert (found["runs"]["succeeded"], found["runs"]["failed"]) == (12, 0)
        table = client.study_table(begun["id"])
    assert table["npv_usd"].nunique() == 2, "the cut comes in some futures, and not in others"
    assert set(table["origin"]) == {"uncertainty"}


def test_a_stopped_study_makes_no_more_runs(live: Live) -> None:
    many = {"sample": {"runs": 500, "axes": [{"name": "x", "low": 0, "high": 0.9}], "changes": [{**HALF, "cut_share": "$x"}]}}
    with live.client() as client:
        begun = client.begin_study("many", many, line=live.line, gap=0)
        deadline = time.monotonic() + PATIENCE
        while client.study(begun["id"])["runs"]["succeeded"] < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        asked = client.ask(line=live.line, changes=[HALF], gap=0, fresh=True, wait=60)
        assert asked["state"] == "succeeded", "what is asked one by one is answered while a study is under way"
        assert client.stop_study(begun["id"])["state"] in ("stopping", "stopped")
        found = client.wait_study(begun["id"], PATIENCE)
        assert found["state"] == "stopped"
        assert 2 <= found["runs"]["made"] < 500
        ended = client.findings(begun["id"])["ended"]
        assert ended >= found["runs"]["succeeded"]
        time.sleep(1.0)
        assert client.study(begun["id"])["runs"] == found["runs"]


def test_a_what_if_may_be_held_to_a_total(live: Live) -> None:
    """Three racks of 10,000 USD; the store does not answer with a plan that is held to another amount."""
    with live.client() as client:
        three, four = (client.ask(line=live.line, gap=0, most={"capital": usd}, wait=60) for usd in (35_000, 45_000))
        again = client.ask(line=live.line, gap=0, most={"capital": 35_000}, wait=60)
        racks = [client.plan_table(run["id"], "racks")["installed"].sum() for run in (three, four)]
    assert racks == [3, 4]
    assert again["id"] == three["id"]
    assert three["sentences"] == ["capital at most 35,000 USD"]
    with live.http(Role.PLANNER) as http:
        for wrong in ({"most": {"carbn": 1}}, {"most": {"late": -1}}, {"mode": "evaluate", "most": {"late": 1}}):
            assert http.post(f"{PREFIX}/runs", json={"line": live.line, **wrong}).status_code == 422


def test_a_study_goes_on_after_kill_9(tmp_path: Path) -> None:
    """No run is lost and none made twice."""
    many = {"sample": {"runs": 8, "axes": [{"name": "x", "low": 0, "high": 0.9}], "changes": [{**HALF, "cut_share": "$x"}]}}
    folder = tmp_path / "service"
    store = Store.open(Settings(folder=folder).database_url, folder)
    store.lines.create("small", store.datasets.put(small_dataset(), "test").id)  # so that the reference is not loaded and planned
    store.close()
    with serving(folder, "--no-keys") as (process, url, _), Client(url) as client:
        assert client.ask(mode="plan", line="small", gap=0, wait=60)["state"] == "succeeded"
        study = client.begin_study("killed", many, line="small", gap=0)["id"]
        deadline = time.monotonic() + PATIENCE
        while client.study(study)["runs"]["succeeded"] < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with serving(folder, "--no-keys") as (_, url, _), Client(url) as client:
        found = client.wait_study(study, PATIENCE)
        assert found["runs"] == {"planned": 9, "made": 9, "open": 0, "succeeded": 9, "failed": 0, "cancelled": 0}
        table = client.study_table(study)
    assert table["run"].tolist() == list(range(9))
    assert table["npv_usd"].notna().all()

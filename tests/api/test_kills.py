"""Kills: whatever process ends at whatever moment, no accepted run is lost or doubled, and no finished plan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api import serve
from api.app import PREFIX
from api.keys import Role
from api.service import Service
from api.settings import Settings
from api.store import Store
from benchmarks.soak_kills import Plan, emptied, soak
from tests.api.conftest import Live
from tests.api.store.conftest import POSTGRES, WITHOUT
from tests.factories import small_dataset

THREE = Plan(kills=3, clients=2, clusters=(False, True), pause=2.0, seconds=(2.0, 3.0))
TWO = Plan(kills=2, clients=2, clusters=(False,), pause=2.0, seconds=(2.0, 3.0), seed=1)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=WITHOUT)])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of an empty database; empty for a file in the service's folder."""
    if request.param == "sqlite":
        yield ""
        return
    with emptied(POSTGRES) as url:
        yield url


def test_kills_lose_nothing(database: str, tmp_path: Path) -> None:
    """Five in all; ``make soak-kills`` has fifty on each database."""
    kills = TWO if database else THREE
    found = soak(tmp_path / "service", database, kills)
    assert {name: number for name, number in found["faults"].items() if number} == {}, [row for row in found["each_run"] if row["faults"]]
    assert sum(found["kills"].values()) == kills.kills
    assert found["runs"] >= kills.clients * 2
    assert found["plans"] >= 1


def test_request_that_comes_again_after_a_crash_before_its_answer_was_stored_finds_its_run(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    store: Store = live.service.store
    header, body = {"Idempotency-Key": "crash-1"}, {"line": live.line, "mode": "evaluate", "fresh": True}

    def crash(*_: object) -> bool:
        raise ConnectionAbortedError

    before = len(store.runs.list(limit=200).items)
    with live.http(Role.PLANNER) as http, monkeypatch.context() as patch:
        patch.setattr(store.idempotency, "finish", crash)
        assert http.post(f"{PREFIX}/runs", json=body, headers=header).status_code == 500
    with live.http(Role.PLANNER) as http:
        waiting = http.post(f"{PREFIX}/runs", json=body, headers=header)
        assert (waiting.status_code, waiting.json()["code"]) == (409, "in_progress")
        store.idempotency.release()  # as the next start does
        other = http.post(f"{PREFIX}/runs", json={**body, "seed": 5}, headers=header)
        again = http.post(f"{PREFIX}/runs", json=body, headers={**header, "Prefer": "wait=60"})
        once_more = http.post(f"{PREFIX}/runs", json=body, headers=header)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (again.status_code, again.json()["state"]) == (201, "succeeded")
    assert once_more.json()["id"] == again.json()["id"]
    assert once_more.headers["idempotency-replayed"] == "true"
    assert len(store.runs.list(limit=200).items) == before + 1


def test_a_key_whose_claim_was_given_up_stays_that_of_its_run(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    store: Store = live.service.store
    header, body = {"Idempotency-Key": "crash-2"}, {"line": live.line, "mode": "evaluate", "fresh": True}
    with live.http(Role.PLANNER) as http:
        with monkeypatch.context() as patch:
            patch.setattr(store.idempotency, "finish", lambda holder, key, *_: store.idempotency.forget(holder, key))
            first = http.post(f"{PREFIX}/runs", json=body, headers=header)
        other = http.post(f"{PREFIX}/runs", json={**body, "seed": 5}, headers=header)
        again = http.post(f"{PREFIX}/runs", json=body, headers=header)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert again.json()["id"] == first.json()["id"]


def test_first_start_that_ended_before_the_reference_was_asked_for_is_made_up_for(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path, keys=False)
    service = Service(settings, Store.open(settings.database_url, tmp_path))
    line = service.store.lines.create(serve.LINE, service.store.datasets.put(small_dataset(), "serve").id)
    for _ in range(2):  # and once only
        assert serve.first_steps(service) is None
        assert [run.line_id for run in service.store.runs.list().items] == [line.id]
    service.store.close()

"""Who may do what: every route, without a key and with the role below the one it names."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.routing import APIRoute

from api import keys
from api.app import PREFIX, RESOURCES, application
from api.keys import Role
from api.routes import health
from api.security import role_needed
from tests.api.conftest import Live

OPEN = {"/healthz", "/readyz", "/metrics", "/version"}
"""What anybody may ask."""


def routes() -> list[APIRoute]:
    return [route for part in (health, *RESOURCES) for route in part.router.routes if isinstance(route, APIRoute)]


def every_route() -> list[tuple[str, str, Role | None]]:
    """Method, path and role of every route."""
    prefix = {id(route): "" for route in health.router.routes}
    return [
        (method, prefix.get(id(route), PREFIX) + route.path, role_needed(route)) for route in routes() for method in sorted(route.methods)
    ]


def test_every_route_of_the_service_is_in_the_table() -> None:
    document = application().openapi()
    served = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert served == {(method, path) for method, path, _ in every_route()}


GUARDED = [(method, path, role) for method, path, role in every_route() if role is not None]


def filled(path: str) -> str:
    return re.sub(r"\{\w+\}", "x", path)


def test_only_these_routes_need_no_key() -> None:
    assert {path for _, path, role in every_route() if role is None} == OPEN
    assert all(path.startswith(PREFIX) for _, path, _ in GUARDED)
    assert len(GUARDED) > 25


def test_whatever_changes_something_needs_more_than_to_look() -> None:
    looks = {("POST", f"{PREFIX}/changes/preview")}
    for method, path, role in GUARDED:
        assert (role is Role.VIEWER) == (method == "GET" or (method, path) in looks) or role is Role.ADMIN, (method, path)


@pytest.mark.parametrize(("method", "path", "role"), GUARDED)
def test_without_a_key_a_route_is_refused(live: Live, method: str, path: str, role: Role) -> None:
    with live.http(None) as http:
        answer = http.request(method, filled(path), json={} if method != "GET" else None)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "no_key"


@pytest.mark.parametrize(("method", "path", "role"), [one for one in GUARDED if one[2] is not Role.VIEWER])
def test_with_the_role_below_a_route_is_refused(live: Live, method: str, path: str, role: Role) -> None:
    below = list(Role)[role.rank - 1]
    with live.http(below) as http:
        answer = http.request(method, filled(path), json={} if method != "GET" else None)
    assert answer.status_code == 403
    assert answer.json()["code"] == "role_too_low"
    assert str(role) in answer.json()["detail"]


@pytest.mark.parametrize("text", ["x", "wp_000000000000_" + "a" * 43, "Bearer", "wp_zz_" + "a" * 43])
def test_what_is_no_key_is_refused(live: Live, text: str) -> None:
    with live.http(None) as http:
        answer = http.get(f"{PREFIX}/lines", headers={"Authorization": f"Bearer {text}"})
    assert answer.status_code == 401


def test_a_key_with_another_secret_is_refused(live: Live) -> None:
    id, _ = keys.split(live.keys[Role.ADMIN]) or ("", "")
    with live.http(None) as http:
        answer = http.get(f"{PREFIX}/lines", headers={"Authorization": f"Bearer wp_{id}_{'a' * 43}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_key")


def test_a_revoked_key_and_an_expired_one_are_refused(live: Live) -> None:
    with live.http() as http:
        made = http.post(f"{PREFIX}/keys", json={"name": "for a day", "role": "viewer", "days": 1}).json()
        header = {"Authorization": f"Bearer {made['key']}"}
        assert http.get(f"{PREFIX}/lines", headers=header).status_code == 200
        assert http.delete(f"{PREFIX}/keys/{made['id']}").status_code == 204
        answer = http.get(f"{PREFIX}/lines", headers=header)
        assert (answer.status_code, answer.json()["code"]) == (401, "revoked_key")
        listed = {key["id"]: key for key in http.get(f"{PREFIX}/keys").json()["items"]}
        assert listed[made["id"]]["revoked_at"] is not None
        assert all("key" not in key and "hash" not in key for key in listed.values())
    key = keys.make()
    live.service.store.keys.create(key.id, "old", Role.VIEWER, key.hash, datetime.now(UTC) - timedelta(seconds=1))
    with live.http(None) as http:
        answer = http.get(f"{PREFIX}/lines", headers={"Authorization": f"Bearer {key.text}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "expired_key")


def test_what_is_done_is_in_the_audit_log(live: Live) -> None:
    id, _ = keys.split(live.keys[Role.PLANNER]) or ("", "")
    with live.http(Role.PLANNER) as http:
        answer = http.post(f"{PREFIX}/lines", json={"name": "audited", "dataset": live.dataset})
        assert answer.status_code == 201
    with live.http() as http:
        entries = http.get(f"{PREFIX}/audit-log").json()["items"]
    mine = next(entry for entry in entries if entry["request_id"] == answer.headers["x-request-id"])
    assert (mine["key_id"], mine["method"], mine["path"], mine["status"]) == (id, "POST", f"{PREFIX}/lines", 201)

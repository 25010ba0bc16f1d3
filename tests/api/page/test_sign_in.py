"""Signing in: what a session may do, what it never shows, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from api import keys
from api.app import PREFIX, application
from api.keys import Role
from api.page import VIEWS, sign_in
from api.page.frame import PageRoute
from api.page.sign_in import within
from api.security import role_needed
from api.sessions import COOKIE, HOURS, MOST, Sessions
from tests.api.conftest import Live

HERE = {"Sec-Fetch-Site": "same-origin"}
OPEN = {"/sign-in", "/sign-out"}
"""Routes of the page that anybody may ask."""
ROUTES = [route for part in (sign_in, *VIEWS) for route in part.router.routes if isinstance(route, PageRoute)]


@contextmanager
def browser(live: Live, role: Role | None = Role.PLANNER) -> Iterator[httpx.Client]:
    """A client that keeps cookies, signed in if a role is given."""
    with httpx.Client(base_url=live.url, headers={**HERE, "Accept": "text/html"}, timeout=60.0) as client:
        if role is not None:
            answer = client.post("/sign-in", data={"key": live.keys[role], "next": "/sites"})
            assert (answer.status_code, answer.headers["location"]) == (303, "/sites")
        yield client


def test_a_session_reads_and_changes_as_its_key_may(live: Live) -> None:
    with browser(live) as http:
        assert http.get(f"{PREFIX}/lines").status_code == 200
        made = http.post(f"{PREFIX}/lines", json={"name": "by a session", "dataset": live.dataset})
        assert made.status_code == 201
    with browser(live, Role.VIEWER) as http:
        refused = http.post(f"{PREFIX}/lines", json={"name": "by a viewer", "dataset": live.dataset})
        assert (refused.status_code, refused.json()["code"]) == (403, "role_too_low")
    with live.http() as http:
        entries = http.get(f"{PREFIX}/audit-log").json()["items"]
    id, _ = keys.split(live.keys[Role.PLANNER]) or ("", "")
    assert {"/sign-in", f"{PREFIX}/lines"} <= {entry["path"] for entry in entries if entry["key_id"] == id}


def test_the_cookie_is_not_the_key_and_no_script_can_read_it(live: Live) -> None:
    with browser(live) as http:
        cookie = http.post("/sign-in", data={"key": live.keys[Role.PLANNER]}).headers["set-cookie"]
    parts = [part.strip().lower() for part in cookie.split(";")]
    assert {"httponly", "samesite=strict", "path=/", f"max-age={HOURS * 3600}"} <= set(parts)
    assert live.keys[Role.PLANNER] not in cookie
    with httpx.Client(base_url=live.url, headers={**HERE, "X-Forwarded-Proto": "https"}) as http:
        assert "secure" in http.post("/sign-in", data={"key": live.keys[Role.PLANNER]}).headers["set-cookie"].lower()


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {},
    ],
)
def test_another_origin_can_change_nothing_with_a_session(live: Live, headers: dict[str, str]) -> None:
    with browser(live) as http:
        del http.headers["Sec-Fetch-Site"]
        for path in (f"{PREFIX}/lines", f"{PREFIX}/runs/x/kill", "/sign-in", "/sign-out"):
            answer = http.post(path, headers=headers)
            assert answer.status_code == 403, path
        assert http.get(f"{PREFIX}/lines", headers=headers).status_code == 200
        assert http.post(f"{PREFIX}/lines", headers={"Origin": live.url}, json={}).status_code == 422


def test_a_session_ends_with_sign_out_with_its_key_and_with_its_time(live: Live) -> None:
    with browser(live) as http:
        assert http.get("/signed-in").status_code == 204
        token = http.cookies[COOKIE]
        assert http.post("/sign-out").headers["location"] == "/sign-in"
        assert COOKIE not in http.cookies
        assert http.get("/signed-in", headers={"Cookie": f"{COOKIE}={token}"}).headers["location"] == "/sign-in?next=%2Fsigned-in"
    made, row = live.service.new_key("brief", Role.VIEWER)
    with browser(live, None) as http:
        http.post("/sign-in", data={"key": made.text})
        assert http.get(f"{PREFIX}/lines").status_code == 200
        live.service.store.keys.revoke(row.id)
        assert http.get(f"{PREFIX}/lines").json()["code"] == "revoked_key"
        assert http.get("/sites").status_code == 303


def test_sessions_end_by_time_and_the_oldest_where_there_are_too_many() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    sessions = Sessions(lambda: now)
    first = sessions.begin("a")
    now += timedelta(hours=HOURS, seconds=-1)
    assert sessions.key_of(first) == "a"
    second = sessions.begin("b")
    now += timedelta(seconds=1)
    assert sessions.key_of(first) is None
    assert sessions.key_of(second) == "b"
    many = [sessions.begin("c") for _ in range(MOST)]
    assert sessions.key_of(second) is None
    assert sessions.key_of(many[0]) == "c"


@pytest.mark.parametrize("key", ["", "wp_x", f"wp_{'0' * 12}_{'s' * 43}", "<script>alert(1)</script>"])
def test_what_is_no_key_opens_nothing(live: Live, key: str) -> None:
    with browser(live, None) as http:
        answer = http.post("/sign-in", data={"key": key})
        assert answer.status_code == 401
        assert "The key is not valid" in answer.text
        assert not key or key not in answer.text
        assert COOKIE not in http.cookies


@pytest.mark.parametrize(
    "next", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "elsewhere", "/a\r\nb", "/sign-out"]
)
def test_signing_in_leads_nowhere_else(next: str) -> None:
    assert within(next) == "/"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: str(route.path))
def test_without_a_session_every_view_leads_to_signing_in(live: Live, route: PageRoute) -> None:
    if route.path in OPEN:
        assert role_needed(route) is None
        return
    assert role_needed(route) is not None
    address = route.path.replace("{", "").replace("}", "")
    for method in route.methods:
        with live.http(None) as http:
            answer = http.request(method, address)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in")
        assert not answer.text


def test_the_page_is_not_in_the_document_of_the_api() -> None:
    assert ROUTES
    assert not {route.path for route in ROUTES} & application().openapi()["paths"].keys()

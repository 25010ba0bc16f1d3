"""What goes wrong is told as a page to a person, and as a problem document to a program."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.app import PREFIX, application
from api.keys import Role
from api.page.frame import HEADERS, PageRoute
from api.service import Service
from api.settings import Settings
from api.store import Store
from tests.api.conftest import Live
from tests.api.page.test_sign_in import browser


def test_an_unknown_address_is_a_page_for_a_person_only(live: Live) -> None:
    with browser(live) as http:
        page = http.get("/nowhere")
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "There is no such thing" in page.text
        assert http.get("/nowhere", headers={"Accept": "*/*"}).headers["content-type"] == "application/problem+json"
        assert http.get(f"{PREFIX}/nowhere").headers["content-type"] == "application/problem+json"
        assert http.get("/static/nowhere.js", headers={"Accept": "*/*"}).status_code == 404
        assert http.get("/static/../frame.py", headers={"Accept": "*/*"}).status_code == 404


@pytest.mark.parametrize("address", ["/?line=none", "/sites?run=none", "/timeline?run=none", "/contracts?line=none"])
def test_an_unknown_plan_is_told_in_words(live: Live, address: str) -> None:
    with browser(live) as http:
        page = http.get(address)
    assert page.status_code == 404
    assert "There is no " in page.text
    assert "Traceback" not in page.text


@pytest.mark.parametrize("address", ["/sites/aa", "/sites/aa/headroom.csv", "/contracts/cc", "/contracts/cc/periods.csv"])
def test_a_misspelt_site_or_contract_is_told_with_what_may_be_meant(live: Live, address: str) -> None:
    with browser(live) as http:
        page = http.get(f"{address}?line={live.line}")
    what, meant = ("site", "a") if "sites" in address else ("contract", "c")
    assert page.status_code == 404
    assert f"there is no {what} " in page.text.lower()
    assert f"did you mean {meant}?" in page.text


def test_pages_and_files_have_the_headers(live: Live) -> None:
    with browser(live) as http:
        for address in ("/sign-in", f"/?line={live.line}", "/nowhere", "/static/style.css", "/static/page.js"):
            found = http.get(address).headers
            assert HEADERS.items() <= {name: found.get(name) for name in HEADERS}.items(), address
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in HEADERS["Content-Security-Policy"]


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[FastAPI]:
    """The application without keys and without an engine."""
    app = application()
    settings = Settings(folder=tmp_path, keys=False)
    app.state.service = Service(settings, Store.open(settings.database_url, settings.folder))
    yield app
    app.state.service.store.close()


def asked(app: FastAPI, method: str, address: str, **more: Any) -> httpx.Response:
    """One request to an application, whose failures are answers."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, address, **more)

    with ThreadPoolExecutor(1) as thread:  # this one may have a browser's event loop
        return thread.submit(lambda: asyncio.run(ask())).result()


def test_a_failure_of_the_service_shows_no_trace(alone: FastAPI) -> None:
    def broken() -> None:
        raise RuntimeError("the secret of the trace")

    alone.router.routes.insert(0, PageRoute("/broken", broken, include_in_schema=False))
    alone.add_api_route("/broken-for-programs", broken)
    page, document = asked(alone, "GET", "/broken"), asked(alone, "GET", "/broken-for-programs")
    assert (page.status_code, document.status_code) == (500, 500)
    assert page.headers["content-type"].startswith("text/html")
    assert HEADERS["Content-Security-Policy"] == page.headers["content-security-policy"]
    assert document.json()["code"] == "failure"
    for text in (page.text, document.text):
        assert "its log says why" in text
        assert "secret" not in text


def test_without_keys_nobody_signs_in_and_other_origins_change_nothing(alone: FastAPI) -> None:
    assert asked(alone, "GET", "/sign-in").headers["location"] == "/"
    home = asked(alone, "GET", "/")
    assert home.status_code == 200
    assert "The service has no plan line" in home.text
    assert "Sign out" not in home.text
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}):
        assert asked(alone, "POST", f"{PREFIX}/lines", json={}, headers=headers).json()["code"] == "other_origin"
    assert asked(alone, "POST", f"{PREFIX}/lines", json={}).status_code == 422
    for host, status in (("localhost:8000", 200), ("[::1]:8000", 200), ("misleading.example", 403), ("127.0.0.1.example", 403)):
        assert asked(alone, "GET", f"{PREFIX}/lines", headers={"Host": host}).status_code == status, host


def test_a_line_without_a_plan_says_so_and_can_be_planned(live: Live) -> None:
    with live.http(Role.PLANNER) as http:
        assert http.post(f"{PREFIX}/lines", json={"name": "unplanned", "dataset": live.dataset}).status_code == 201
    with browser(live, Role.VIEWER) as http:
        page = http.get("/timeline?line=unplanned")
        assert page.status_code == 200
        assert "has no baseline" in page.text
        assert "Plan it now" not in page.text
        assert http.post("/plan", data={"line": "unplanned"}).status_code == 403
    with browser(live) as http:
        assert "Plan it now" in http.get("/?line=unplanned").text
        made = http.post("/plan", data={"line": "unplanned"})
        assert made.status_code == 303
        run = made.headers["location"].removeprefix("/runs/")
        waiting = http.get("/?line=unplanned").text
        assert "is being made" in waiting or "The plan is sound" in waiting
        assert http.get(f"{PREFIX}/runs/{run}", headers={"Prefer": "wait=60"}).json()["state"] == "succeeded"
        assert "The plan is sound" in http.get("/?line=unplanned").text


def test_an_address_names_what_it_shows(live: Live) -> None:
    with browser(live, Role.VIEWER) as http:
        for path in ("/", "/sites", "/timeline", "/contracts"):
            named = http.get(path)
            assert (named.status_code, named.headers["location"].split("=")[0]) == (303, f"{path}?line")
            assert http.get(named.headers["location"]).status_code == 200

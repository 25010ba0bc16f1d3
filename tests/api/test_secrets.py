"""What must never be in a log: keys, their hashes, and the password of a database."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import httpx

from api import keys
from api.app import PREFIX
from api.sessions import COOKIE
from api.settings import Settings
from api.store import Store
from tests.factories import small_dataset
from tests.serving import WAIT, serving

NO_KEY_OF_OURS = f"wp_{'0' * 12}_{'s' * 43}"
"""Well-formed, but unknown."""


def session(url: str, admin: str) -> set[str]:
    """Do what could let secrets slip; the secrets."""
    headers = {"Authorization": f"Bearer {admin}"}
    with httpx.Client(base_url=url + PREFIX, headers=headers, timeout=WAIT) as http:
        made = http.post("/keys", json={"name": "new", "role": "viewer"}, headers={"Idempotency-Key": "once"})
        assert made.status_code == 201
        key = made.json()["key"]
        assert http.get("/lines", params={"key": key}).status_code == 422
        assert http.get("/lines", headers={"Authorization": f"Bearer {NO_KEY_OF_OURS}"}).status_code == 401
        assert http.get("/lines", headers={"Authorization": f"Basic {admin}"}).status_code == 401
        assert http.get(f"/lines/{admin}").status_code == 404
        assert http.post("/runs", json={"key": admin}).status_code == 422
        assert http.post("/explanations", json={"kind": "why", "line": "small", "placement": admin}).status_code in (409, 422)
        assert http.post("/keys", content=b"{" + admin.encode()).status_code in (400, 422)
        assert http.delete(f"/keys/{key}").status_code == 404
        assert http.delete(f"/keys/{'x' * 460}{key}").status_code == 404  # where the path is cut off
        log = http.get("/audit-log").text
        assert f"/keys/{key[:15]}_..." in log
        assert (keys.split(key) or ("", key))[1][:10] not in log
        assert key not in http.get("/keys").text
        solved = http.post("/runs", json={"line": "small", "mode": "plan"}, headers={"Prefer": "wait=60", "Idempotency-Key": key})
        assert solved.json()["state"] == "succeeded"
    return {admin, key, NO_KEY_OF_OURS, *tokens(url, key, admin)}


def tokens(url: str, key: str, admin: str) -> set[str]:
    """Sign in to the page, well and badly; the tokens of the sessions."""
    found = set()
    for given, status in ((key, 303), (NO_KEY_OF_OURS, 401), (f"{admin}<script>", 401)):
        answer = httpx.post(f"{url}/sign-in", data={"key": given, "next": "/sites"}, timeout=WAIT)
        assert answer.status_code == status
        assert given not in answer.text
        found |= {answer.cookies[COOKIE]} if COOKIE in answer.cookies else set()
    (token,) = found
    assert httpx.get(f"{url}/sites", cookies={COOKIE: token}, timeout=WAIT).status_code in (200, 303)
    return found


def test_no_key_is_ever_logged(tmp_path: Path) -> None:
    """The service as it is started, and every line that it logs."""
    settings = Settings(folder=tmp_path / "service", threads=1)
    store = Store.open(settings.database_url, settings.folder)  # with a line, so that the first start plans no large one
    store.lines.create("small", store.datasets.put(small_dataset(), "anna").id)
    with serving(settings.folder, "--threads", "1") as (process, url, said):
        secrets = session(url, said.removeprefix("API key (shown this once): "))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    logged = (tmp_path / "log").read_text()
    lines = [json.loads(line) for line in logged.splitlines()]
    told = [line.get("path") for line in lines if line["event"] == "request"]
    assert {f"{PREFIX}/keys", f"{PREFIX}/runs"} <= set(told)  # there was something to look at
    assert any(line["event"] == "run ended" for line in lines)
    for secret in secrets:
        parts = keys.split(secret)
        assert (secret if parts is None else parts[1]) not in logged
    stored = {row.hash for row in store.keys.list().items}
    store.close()
    assert len(stored) == 2
    assert not any(hash in logged for hash in stored)


def test_a_password_of_a_database_is_in_no_message(tmp_path: Path) -> None:
    """A database that does not answer is named without its password."""
    from typer.testing import CliRunner

    from batch.cli import app

    address = "postgresql+psycopg://wattplan:hush-hush@127.0.0.1:1/none"
    found = CliRunner().invoke(
        app, ["serve", "--database", address, "--port", "0"], env={"WATTPLAN_FOLDER": str(tmp_path)}, standalone_mode=False
    )
    told = found.output + (str(found.exception) if found.exception else "")
    assert "hush-hush" not in told
    assert found.exit_code != 0 or found.exception is not None
    assert httpx.URL(address).host in told

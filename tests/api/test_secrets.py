"""What must never be in a log: keys, their hashes, and the password of a database."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import httpx
import pytest

from api import keys
from api.app import PREFIX
from api.keys import Role
from api.settings import Settings
from tests.api.conftest import Live, started

NO_KEY_OF_OURS = f"wp_{'0' * 12}_{'s' * 43}"
"""Well-formed, but unknown."""


def session(live: Live) -> set[str]:
    """Do what could let secrets slip; the secrets."""
    secrets = {*live.keys.values(), NO_KEY_OF_OURS}
    with live.http() as http:
        made = http.post(f"{PREFIX}/keys", json={"name": "new", "role": "viewer"}, headers={"Idempotency-Key": "once"})
        assert made.status_code == 201
        secrets.add(made.json()["key"])
        assert http.get(f"{PREFIX}/lines", params={"key": made.json()["key"]}).status_code == 422
        assert http.get(f"{PREFIX}/lines", headers={"Authorization": f"Bearer {NO_KEY_OF_OURS}"}).status_code == 401
        assert http.get(f"{PREFIX}/lines", headers={"Authorization": f"Basic {live.keys[Role.ADMIN]}"}).status_code == 401
        assert http.post(f"{PREFIX}/runs", json={"key": live.keys[Role.ADMIN]}).status_code == 422
        assert http.post(f"{PREFIX}/keys", content=b"{" + live.keys[Role.ADMIN].encode()).status_code in (400, 422)
        assert made.json()["key"] not in http.get(f"{PREFIX}/audit-log").text
        assert made.json()["key"] not in http.get(f"{PREFIX}/keys").text
    return secrets


def test_no_key_is_ever_logged(tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for client in ("httpx", "httpcore"):  # the client of this test, which is in the same process
        caplog.set_level(logging.CRITICAL, logger=client)
    live, server, thread = started(Settings(folder=tmp_path, threads=1))
    try:
        secrets = session(live)
        stored = {row.hash for row in live.service.store.keys.list().items}
    finally:
        server.should_exit = True
        thread.join(30)
    told = capfd.readouterr()
    logged = told.out + told.err + caplog.text
    assert f"{PREFIX}/keys" in logged  # there was something to look at
    for secret in secrets:
        parts = keys.split(secret)
        assert parts is not None
        assert secret not in logged
        assert parts[1] not in logged
    assert stored
    assert not any(re.search(re.escape(str(hash)), logged) for hash in stored)


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

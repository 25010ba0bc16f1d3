"""The service from the command line: started, told to end, tidied, and what it refuses."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT, Wattplan
from tests.serving import WAIT, serving


def test_the_first_start_prints_a_key_once_and_plans_the_reference_dataset(tmp_path: Path) -> None:
    folder = tmp_path / "service"
    with serving(folder) as (process, url, said):
        found = re.fullmatch(r"API key \(shown this once\): (wp_[\w-]+)", said)
        assert found, said
        headers = {"Authorization": f"Bearer {found[1]}"}
        line = httpx.get(f"{url}/api/v1/lines/reference", headers=headers, timeout=WAIT).json()
        runs = httpx.get(f"{url}/api/v1/runs", headers=headers, timeout=WAIT).json()["items"]
        assert [(run["mode"], run["line"]) for run in runs] == [("plan", line["id"])]
        assert httpx.get(f"{url}/api/v1/lines").status_code == 401
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    assert found[1] not in (tmp_path / "log").read_text()
    again = subprocess.Popen(
        [sys.executable, "-m", "batch.cli", "serve", "--folder", str(folder), "--port", "0"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert again.stdout is not None
        url = again.stdout.readline().split()[-1]
        with httpx.Client(transport=httpx.HTTPTransport(retries=20), timeout=WAIT) as http:
            assert http.get(f"{url}/api/v1/lines/reference", headers=headers).status_code == 200
        again.send_signal(signal.SIGINT)
        assert "API key" not in again.communicate(timeout=15)[0]
        assert again.returncode == 0
    finally:
        again.kill()
        again.communicate()


def test_a_folder_is_one_services_alone(tmp_path: Path, wattplan: Wattplan) -> None:
    folder = tmp_path / "service"
    with serving(folder, "--no-keys") as (process, _, _):
        ended = wattplan("serve", "--folder", str(folder), "--port", "0")
        assert ended.code == 5
        assert f"{folder} is in use by another service (process {process.pid})" in ended.err


def test_an_address_in_use_is_named(tmp_path: Path, wattplan: Wattplan) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = wattplan("serve", "--folder", str(tmp_path / "service"), "--port", str(port))
    assert ended.code == 5
    assert f"can't listen on 127.0.0.1 port {port}" in ended.err


@pytest.mark.parametrize(
    ("options", "environment", "named"),
    [
        (("--port", "70000"), {}, "port: must be at most 65535 (found 70000)"),
        (("--host", "0.0.0.0", "--no-keys"), {}, "host: without keys only a loopback address is allowed"),
        ((), {"WATTPLAN_PORT": "eighty"}, "WATTPLAN_PORT: can't be read (found 'eighty')"),
        (("--slots", "0"), {}, "slots: must be at least 1"),
        (("--memory-limit", "lots"), {}, "memory_limit"),
    ],
)
def test_settings_that_cannot_be_are_named(
    options: tuple[str, ...], environment: dict[str, str], named: str, tmp_path: Path, wattplan: Wattplan, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ended = wattplan("serve", "--folder", str(tmp_path / "service"), *options)
    assert ended.code == 2
    assert named in ended.err
    assert not (tmp_path / "service").exists()


def test_a_database_that_is_not_there_is_named_without_its_password(tmp_path: Path, wattplan: Wattplan) -> None:
    url = "postgresql+psycopg://planner:hush-hush@127.0.0.1:1/wattplan"
    ended = wattplan("serve", "--folder", str(tmp_path / "service"), "--database", url)
    assert ended.code == 5
    assert "database 127.0.0.1:1/wattplan: " in ended.err
    assert "hush-hush" not in ended.err + ended.out


def test_gc_says_what_it_would_delete(tmp_path: Path, wattplan: Wattplan) -> None:
    folder = tmp_path / "service"
    with serving(folder, "--no-keys") as (process, _, _):
        process.send_signal(signal.SIGTERM)
        process.wait(15)
    ended = wattplan("gc", "--folder", str(folder), "--dry-run")
    assert ended.code == 0
    assert ended.out.startswith("would delete 0 runs that ended more than 90 days ago")
    as_json = wattplan("gc", "--folder", str(folder), "--keep-days", "1", "--json")
    assert json.loads(as_json.out) == {
        "dry_run": False, "keep_days": 1, "runs": 0, "events": 0, "datasets": 0, "studies": 0, "answers": 0, "blobs": 0, "bytes": 0,
    }  # fmt: skip


def test_gc_of_no_service_makes_none(tmp_path: Path, wattplan: Wattplan) -> None:
    ended = wattplan("gc", "--folder", str(tmp_path / "typo"))
    assert ended.code == 2
    assert "does not exist" in ended.err
    assert not (tmp_path / "typo").exists()

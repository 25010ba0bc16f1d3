"""Exports over HTTP: what the commands write, made once, one at a time, and compared with the run's baseline."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from api.app import PREFIX
from api.client import EXPORT
from api.exports import WAITING, Exports
from api.keys import Role
from api.problems import ProblemError
from api.routes import exports as route
from batch import exporting
from batch.commands import plan_folder
from batch.exporting import ExportError
from models.faults import StorageError
from models.plan_files import read_plan
from tests.api.conftest import Live

LESS = [{"type": "supply.cut", "gen_id": "h100", "cut_share": 0.5}]


@pytest.fixture(scope="module")
def run(live: Live) -> dict[str, Any]:
    """A what-if, whose baseline is the line's."""
    with live.client() as client:
        found = client.ask(line=live.line, changes=LESS, gap=0, wait=60)
    assert found["state"] == "succeeded"
    return found


def test_the_zip_is_the_folder_that_every_command_takes(live: Live, run: dict[str, Any], tmp_path: Path) -> None:
    with live.client(Role.VIEWER) as client:
        data = client.export(run["id"], "zip")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(tmp_path / "plan")
    found = read_plan(tmp_path / "plan")
    assert found.summary.npv_usd == run["solution"]["npv_usd"]
    assert plan_folder.dataset_of(found, tmp_path / "plan", None).sha256 == run["dataset"]
    other = read_plan(tmp_path / "plan" / "baseline")
    assert plan_folder.dataset_of(other, tmp_path / "plan" / "baseline", None).sha256 == live.dataset


def test_json_is_the_whole_plan(live: Live, run: dict[str, Any]) -> None:
    with live.client(Role.VIEWER) as client:
        assert json.loads(client.export(run["id"], "json")) == client.plan(run["id"])


def test_the_workbook_tells_what_differs_from_the_baseline(live: Live, run: dict[str, Any]) -> None:
    with live.http(Role.VIEWER) as http:
        http.timeout = EXPORT
        answer = http.get(
            f"{PREFIX}/runs/{run['id']}/export", headers={"Accept": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
        )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == f'attachment; filename="{run["id"]}.xlsx"'
    book = openpyxl.load_workbook(io.BytesIO(answer.content), read_only=True)
    told = [str(cell) for row in book["README"].iter_rows(values_only=True) for cell in row]
    assert any("NPV less baseline" in cell for cell in told)
    assert any(live.dataset[:12] in cell for cell in told)


def test_the_report_is_made_once_and_kept(live: Live, run: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"{PREFIX}/runs/{run['id']}/export"
    with live.http(Role.VIEWER) as http:
        http.timeout = EXPORT
        first = http.get(address, params={"format": "html"})
        assert first.status_code == 200, first.text
        assert first.headers["content-type"].startswith("text/html")
        assert "sandbox" in first.headers["content-security-policy"]
        assert first.text.startswith("<!DOCTYPE html>")
        assert "Plan of small" in first.text

        async def broken(*_: object) -> bytes:
            raise ExportError("there is no room")

        monkeypatch.setattr(route, "exported", broken)
        again = http.get(address, headers={"Accept": "text/html,*/*;q=0.1"})
        assert again.content == first.content
        assert http.get(address, params={"format": "html"}, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
        failed = http.get(address, params={"format": "html", "baseline": run["id"]})
        assert (failed.status_code, failed.json()["code"], failed.headers["retry-after"]) == (503, "export_failed", "10")


@pytest.mark.parametrize("error", [StorageError("made.xlsx: no space left on device"), OSError(errno.ENOSPC, "No space left on device")])
def test_an_export_for_which_there_is_no_room_may_be_had_later(
    live: Live, run: dict[str, Any], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def full(*_: object) -> bytes:
        raise error

    monkeypatch.setattr(route, "exported", full)
    with live.http(Role.VIEWER) as http:
        failed = http.get(f"{PREFIX}/runs/{run['id']}/export", params={"format": "zip", "baseline": run["id"]})
    assert (failed.status_code, failed.json()["code"], failed.headers["retry-after"]) == (503, "export_failed", "10")
    assert "no space left" in failed.json()["detail"]


def test_an_export_that_cannot_be_kept_is_given_all_the_same(tmp_path: Path) -> None:
    async def make() -> bytes:
        return b"made"

    kept = Exports(tmp_path / "kept")
    (tmp_path / "kept" / "key").mkdir(parents=True)  # stands in its way
    assert asyncio.run(kept.get("key", make)) == b"made"


def test_what_cannot_be_exported_is_refused(live: Live, run: dict[str, Any]) -> None:
    address = f"{PREFIX}/runs/{run['id']}/export"
    with live.client() as client:
        scored = client.ask(line=live.line, changes=LESS, mode="evaluate", wait=60)["id"]
    with live.http(Role.VIEWER) as http:
        assert http.get(address, headers={"Accept": "image/png"}).status_code == 406
        assert http.get(address, params={"format": "pdf"}).json()["errors"][0]["parameter"] == "format"
        assert http.get(address, params={"format": "zip", "baseline": "nowhere"}).json()["code"] == "unknown_run"
        assert http.get(f"{PREFIX}/runs/{scored}/export").json()["code"] == "no_plan"


def test_what_the_command_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no plan here: does not exist") as caught:
        asyncio.run(exporting._run("show", str(tmp_path / "no plan here"), "--json"))
    assert caught.value.fault


def test_exports_are_made_one_at_a_time_and_the_oldest_go(tmp_path: Path) -> None:
    exports = Exports(tmp_path / "kept", room=10)
    now, made = 0, list[str]()

    async def make(key: str, size: int) -> bytes:
        nonlocal now
        now += 1
        assert now == 1
        await asyncio.sleep(0.01)
        made.append(key)
        now -= 1
        return key.encode() * size

    async def ask(key: str, size: int = 4) -> bytes:
        return await exports.get(key, lambda: make(key, size))

    async def check() -> None:
        assert set(await asyncio.gather(*(ask("a") for _ in range(3)))) == {b"aaaa"}
        assert made == ["a"]
        await ask("b")
        await ask("a")
        await ask("c")
        assert {path.name for path in exports.folder.iterdir()} == {"a", "c"}
        await ask("d", 20)
        assert {path.name for path in exports.folder.iterdir()} == {"d"}
        found = await asyncio.gather(*(ask(f"e{n}") for n in range(WAITING + 1)), return_exceptions=True)
        refused = [one for one in found if isinstance(one, ProblemError)]
        assert [one.status for one in refused] == [429]
        assert await ask("d", 20) == b"d" * 20

    asyncio.run(check())

"""What is sent to do harm: refused with a problem, or harmless; the service goes on."""

from __future__ import annotations

import io
import socket
import zipfile
from collections.abc import Iterator
from itertools import pairwise

import httpx
import pytest
from openpyxl import load_workbook

from api import uploads
from api.app import PREFIX
from api.keys import Role
from models.files.archive import archive_bytes
from models.files.workbook import workbook_bytes
from tests.api.conftest import Live
from tests.factories import small_dataset


def sent(live: Live, kind: str, data: bytes | Iterator[bytes]) -> httpx.Response:
    with live.http(Role.PLANNER) as http:
        return http.post(f"{PREFIX}/datasets", content=data, headers={"Content-Type": kind})


def refused(answer: httpx.Response, status: int = 422) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in answer.text
    return answer.text


def zipped(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


def with_file(name: str, data: bytes) -> bytes:
    """The small dataset as a zip file, with a file added or replaced."""
    with zipfile.ZipFile(io.BytesIO(archive_bytes(small_dataset()))) as archive:
        files = {entry: archive.read(entry) for entry in archive.namelist()}
    return zipped({**files, name: data})


def test_a_zip_bomb_is_refused(live: Live) -> None:
    bomb = with_file("sites.csv", b"a" * 300 * 2**20)
    assert len(bomb) < 2**20
    assert "MiB unpacked" in refused(sent(live, uploads.ZIP, bomb))


@pytest.mark.parametrize("name", ["../../sites.csv", "/etc/sites.csv", "..\\sites.csv", "C:\\sites.csv"])
def test_a_path_that_leaves_the_archive_is_refused(live: Live, name: str) -> None:
    refused(sent(live, uploads.ZIP, with_file(name, b"site_id\n")))


@pytest.mark.parametrize(
    "data",
    [b"\0\0\0", b"site_id,name\na,\xff\xfe\n", b'site_id,name\na,"' + b"x" * 2_000_000, b"site_id,site_id\na,a\n", b"\xff\xfes\0i\0"],
    ids=["zeros", "no UTF-8", "an endless cell", "a column twice", "UTF-16"],
)
def test_a_hostile_csv_file_is_refused(live: Live, data: bytes) -> None:
    assert "sites.csv" in refused(sent(live, uploads.ZIP, with_file("sites.csv", data)))


def test_a_body_that_says_its_size_is_refused_before_it_is_read(live: Live) -> None:
    most = live.service.settings.upload_most
    host, _, port = live.url.removeprefix("http://").partition(":")
    head = f"POST {PREFIX}/datasets HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {live.keys[Role.PLANNER]}\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(f"{head}Content-Type: {uploads.ZIP}\r\nContent-Length: {most + 1}\r\n\r\n".encode())
        assert line.recv(2**12).startswith(b"HTTP/1.1 413 ")  # though not one byte of the body was sent


def test_a_body_that_does_not_say_its_size_is_refused_while_it_comes(live: Live) -> None:
    most = live.service.settings.body_most
    answer = sent(live, uploads.JSON, (b" " * 2**16 for _ in range(most // 2**16 + 2)))
    assert "too_large" in refused(answer, 413)


def test_a_formula_of_a_workbook_is_no_value(live: Live) -> None:
    book = load_workbook(io.BytesIO(workbook_bytes(small_dataset())))
    sheet = book["sites"]
    columns = {cell.value: cell.column for cell in sheet[1]}
    sheet.cell(2, columns["name"], '=HYPERLINK("http://example.com","x")')
    target = io.BytesIO()
    book.save(target)
    assert "sites" in refused(sent(live, uploads.WORKBOOK, target.getvalue()))


def test_text_that_looks_like_a_formula_leaves_as_text(live: Live) -> None:
    dataset = small_dataset(sites=[{"site_id": "a", "name": "=1+1"}])
    answer = sent(live, uploads.ZIP, archive_bytes(dataset))
    assert answer.status_code in (200, 201), answer.text
    with live.http(Role.VIEWER) as http:
        book = http.get(f"{PREFIX}/datasets/{answer.json()['id']}/content", headers={"Accept": uploads.WORKBOOK}).content
    sheet = load_workbook(io.BytesIO(book))["sites"]
    columns = {cell.value: cell.column for cell in sheet[1]}
    cell = sheet.cell(2, columns["name"])
    assert (cell.data_type, cell.value) == ("s", "=1+1")


def entities() -> bytes:
    """A workbook whose strings are entities that grow ten times each."""
    names = [f"e{i}" for i in range(12)]
    grown = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in pairwise(names))
    text = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "grow">{grown}]><sst><si><t>&{names[-1]};</t></si></sst>'
    with zipfile.ZipFile(io.BytesIO(workbook_bytes(small_dataset()))) as archive:
        files = {entry: archive.read(entry) for entry in archive.namelist()}
    assert "xl/sharedStrings.xml" in files
    return zipped({**files, "xl/sharedStrings.xml": text.encode()})


def test_a_workbook_of_growing_entities_is_refused(live: Live) -> None:
    refused(sent(live, uploads.WORKBOOK, entities()))


@pytest.mark.parametrize("kind", [uploads.ZIP, uploads.WORKBOOK])
@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a file", zipped({})], ids=["empty", "a head", "text", "nothing in it"])
def test_what_is_no_file_of_its_kind_is_refused(live: Live, kind: str, data: bytes) -> None:
    refused(sent(live, kind, data))


def test_other_kinds_are_refused(live: Live) -> None:
    refused(sent(live, "text/html", b"<p>"), 415)


def test_json_of_endless_depth_is_refused(live: Live) -> None:
    assert "nested too deeply" in refused(sent(live, uploads.JSON, b"[" * 100_000))


@pytest.mark.parametrize(
    ("faults", "said"), [({"periods": 0}, "has a fault: "), ({"periods": 0, "start": "2026-Q9"}, "has 2 faults; the first: ")]
)
def test_faults_are_counted_in_words(live: Live, faults: dict[str, object], said: str) -> None:
    plain = small_dataset().to_plain()
    plain["dataset"] = {**plain["dataset"], **faults}
    with live.http(Role.PLANNER) as http:
        answer = http.post(f"{PREFIX}/datasets", json=plain)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]

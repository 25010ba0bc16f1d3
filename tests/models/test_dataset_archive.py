"""Datasets as zip files: the same as the folder, and hostile archives refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from models.faults import DatasetError
from models.files import archive, from_bytes, read_dataset
from models.files.archive import archive_bytes
from models.files.csv_folder import folder_files
from tests.factories import small_dataset


def packed(**members: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return target.getvalue()


def refused(data: bytes) -> str:
    with pytest.raises(DatasetError) as raised:
        from_bytes("upload.zip", data, ".zip")
    return str(raised.value)


@pytest.mark.parametrize("folder", ["", "mine/", "a/b/"])
def test_an_archive_is_the_dataset(folder: str, tmp_path: Path) -> None:
    dataset = small_dataset()
    members = {folder + name: content for name, content in folder_files(dataset).items()}
    data = packed(**members, **{folder + "notes.md": b"hello", "__MACOSX/x.csv": b"junk"})
    assert from_bytes("upload.zip", data, ".zip").sha256 == dataset.sha256
    (tmp_path / "d.zip").write_bytes(data)
    assert read_dataset(tmp_path / "d.zip").sha256 == dataset.sha256


def test_what_is_written_is_read_and_always_the_same() -> None:
    dataset = small_dataset()
    assert from_bytes("x.zip", archive_bytes(dataset), ".zip").sha256 == dataset.sha256
    assert archive_bytes(dataset) == archive_bytes(small_dataset())


@pytest.mark.parametrize("name", ["../sites.csv", "/etc/sites.csv", "a/../../sites.csv", "c:\\sites.csv", "..\\sites.csv"])
def test_a_file_outside_of_it_is_refused(name: str) -> None:
    assert "has a file that lies outside of it" in refused(packed(**{name: b"x"}))


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LARGEST", 2**20)
    assert "is too large (2 MiB unpacked)" in refused(packed(**{"sites.csv": b"0" * 2**21}))


def test_a_bomb_that_lies_about_its_size_is_refused() -> None:
    """The directory at the end says 10 bytes, the content has a million."""
    data = bytearray(packed(**{"sites.csv": b"0" * 1_000_000}))
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    assert refused(bytes(data))


def test_many_files_are_refused() -> None:
    assert "has 201 files" in refused(packed(**{f"{i}.csv": b"" for i in range(201)}))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no zip at all", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    said = refused(data)
    assert "cannot be read as a zip file" in said or "holds no dataset" in said


def test_faults_name_file_and_line() -> None:
    files = folder_files(small_dataset())
    files["sites.csv"] = files["sites.csv"].replace(b"site_id", b"site_idd", 1)
    assert "sites.csv" in refused(packed(**files))

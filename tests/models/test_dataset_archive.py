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


@pytest.mark.parametrize("folder", ["", "mine/"])
def test_folders_inside_are_left_out_as_where_the_folder_is_read(folder: str, tmp_path: Path) -> None:
    dataset = small_dataset()
    more = {"old/sites.csv": b"junk", "old/dataset.toml": b"junk", "pictures/site.png": b"junk"}
    files = folder_files(dataset) | more
    data = packed(**{folder + name: content for name, content in files.items()}, **({"read-me.txt": b"hello"} if folder else {}))
    assert from_bytes("upload.zip", data, ".zip").sha256 == dataset.sha256
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert read_dataset(tmp_path).sha256 == dataset.sha256


def test_two_datasets_in_one_archive_are_refused() -> None:
    files = folder_files(small_dataset())
    said = refused(packed(**{f"{folder}/{name}": content for folder in ("a", "b") for name, content in files.items()}))
    assert said.startswith("upload.zip, b/dataset.toml: has a table or settings outside of its folder a/")
    stray = refused(packed(**{f"a/{name}": content for name, content in files.items()}, **{"sites.csv": files["sites.csv"]}))
    assert stray.startswith("upload.zip, sites.csv: has a table or settings outside of its folder a/")


def test_a_folder_in_place_of_a_table_is_named() -> None:
    files = folder_files(small_dataset())
    files["sites.csv/x"] = files.pop("sites.csv")
    assert "sites.csv: is a folder" in refused(packed(**files))

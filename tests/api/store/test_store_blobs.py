"""Content-addressed files: the same content once, damage noticed, nothing half-written."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from api.store import BlobError, Blobs, StoreError
from tests.api.store.support import at_once

DATA = b"plan" * 1000
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """An empty folder of blobs."""
    return Blobs(tmp_path)


def files(blobs: Blobs) -> list[str]:
    """Every file but the lock."""
    return sorted(path.relative_to(blobs.folder).as_posix() for path in blobs.folder.rglob("*") if path.is_file() and path.name != ".lock")


def age(blobs: Blobs, sha: str, seconds: float) -> None:
    """Make a blob look older."""
    then = time.time() - seconds
    os.utime(blobs.folder / sha[:2] / sha, (then, then))


def test_content_reads_back_under_its_hash(blobs: Blobs) -> None:
    assert blobs.put(DATA) == SHA
    assert blobs.put(b"") == hashlib.sha256(b"").hexdigest()
    assert blobs.get(SHA) == DATA
    assert files(blobs) == sorted(f"{sha[:2]}/{sha}" for sha in (SHA, hashlib.sha256(b"").hexdigest()))


def test_many_writers_of_the_same_content_leave_one_file(blobs: Blobs) -> None:
    assert set(at_once(8, lambda _: blobs.put(DATA))) == {SHA}
    assert files(blobs) == [f"{SHA[:2]}/{SHA}"]
    assert blobs.get(SHA) == DATA


def test_content_that_is_there_is_not_written_again_but_fresh(blobs: Blobs) -> None:
    blobs.put(DATA)
    before = (blobs.folder / SHA[:2] / SHA).stat().st_ino
    age(blobs, SHA, 7200)
    blobs.put(DATA)
    (found,) = blobs.all()
    assert (found.sha, found.size_bytes) == (SHA, 4000)
    assert found.age < 60
    assert (blobs.folder / SHA[:2] / SHA).stat().st_ino == before


@pytest.mark.parametrize("damage", [b"", DATA[:-1], b"P" + DATA[1:]])
def test_damage_is_named_and_mended_by_the_next_writer(blobs: Blobs, damage: bytes) -> None:
    blobs.put(DATA)
    (blobs.folder / SHA[:2] / SHA).write_bytes(damage)
    with pytest.raises(StoreError, match=f"blob {SHA}: is damaged: its {len(damage)} bytes"):
        blobs.get(SHA)
    blobs.put(DATA)
    assert blobs.get(SHA) == DATA


def test_missing_content_is_named(blobs: Blobs) -> None:
    with pytest.raises(BlobError, match=f"blob {SHA}: is missing"):
        blobs.get(SHA)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", SHA.upper(), SHA[:-1], SHA + "\n"])
def test_what_is_no_hash_never_becomes_a_path(blobs: Blobs, name: str) -> None:
    for ask in (blobs.get, blobs.delete):
        with pytest.raises(BlobError, match="64 hexadecimal digits"):
            ask(name)


def test_content_that_cannot_be_read_or_written_is_named(blobs: Blobs) -> None:
    (blobs.folder / SHA[:2] / SHA).mkdir(parents=True)
    with pytest.raises(BlobError, match=f"blob {SHA}: cannot be read: is a directory") as read:
        blobs.get(SHA)
    with pytest.raises(BlobError, match=f"blob {SHA}: cannot be written: is a directory") as written:
        blobs.put(DATA)
    assert read.value.away, "it may be had later"
    assert written.value.away
    with pytest.raises(BlobError) as missing:
        blobs.get("0" * 64)
    assert not missing.value.away
    assert files(blobs) == []


def test_write_that_fails_leaves_nothing(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BlobError, match="cannot be written: no space left on device"):
        blobs.put(DATA)
    assert files(blobs) == []


def test_delete_spares_what_is_young(blobs: Blobs) -> None:
    blobs.put(DATA)
    assert not blobs.delete(SHA, unless_younger=3600)
    age(blobs, SHA, 3601)
    assert blobs.delete(SHA, unless_younger=3600)
    assert not blobs.delete(SHA), "it is gone"
    assert list(blobs.all()) == []


def test_what_a_killed_writer_left_is_no_blob_and_goes_once_old(blobs: Blobs) -> None:
    blobs.put(DATA)
    left = blobs.folder / SHA[:2] / f".{SHA}.x1y2.tmp"
    left.write_bytes(DATA[:10])
    assert [blob.sha for blob in blobs.all()] == [SHA]
    assert blobs.delete_temporary(unless_younger=3600) == 0
    os.utime(left, (0, 0))
    assert blobs.delete_temporary(unless_younger=3600) == 1
    assert files(blobs) == [f"{SHA[:2]}/{SHA}"]

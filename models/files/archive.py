"""A dataset folder packed as one zip file: read with limits, so that a hostile archive does no harm; nothing is ever unpacked to disk."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from models.checks import RawDataset
from models.dataset import Dataset
from models.faults import Fault
from models.files.atomic import storage
from models.files.csv_folder import SETTINGS_FILE, file_fault, folder_files, ignored, parse_folder

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What zipfile raises of a file that is no zip file, is damaged, encrypted, or packed in a way it does not know."""
LARGEST = 256 * 2**20
"""Bytes that all members together may have once unpacked."""
MOST_MEMBERS = 200
"""Members that an archive may have."""
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""Date of every member that is written: the same files give the same bytes."""
_MAC = "__MACOSX/"
"""What macOS packs beside the files."""
_ALLOWED = "a zip file with dataset.toml and one CSV file per table, at its top or in one folder"


def parse_archive(label: str, data: bytes) -> RawDataset | Fault:
    """A raw dataset from the bytes of a zip file, or why there is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            around = _around([info.filename for info in infos])
            fault = _refused(label, infos) or _outside(label, infos, around)
            if fault is not None:
                return fault
            members = _members(archive, infos, around)
    except _TooLargeError:
        return file_fault(label, "is larger unpacked than it says", "too_large", f"at most {LARGEST // 2**20} MiB unpacked")
    except (*DAMAGED, OSError, UnicodeDecodeError) as error:
        return file_fault(label, f"cannot be read as a zip file ({type(error).__name__})", "bad_archive", _ALLOWED)
    if not any(name.endswith((".csv", ".toml")) for name in members):
        return file_fault(label, "holds no dataset", "no_dataset", _ALLOWED)
    return parse_folder(members)


class _TooLargeError(Exception):
    """A member that unpacks to more than it says."""


def _refused(label: str, infos: list[zipfile.ZipInfo]) -> Fault | None:
    """Why an archive is not read at all."""
    if len(infos) > MOST_MEMBERS:
        return file_fault(label, f"has {len(infos)} files", "too_large", f"at most {MOST_MEMBERS} files")
    size = sum(info.file_size for info in infos)
    if size > LARGEST:
        return file_fault(label, f"is too large ({size / 2**20:.0f} MiB unpacked)", "too_large", f"at most {LARGEST // 2**20} MiB unpacked")
    for info in infos:
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
            return file_fault(
                label, "has a file that lies outside of it", "bad_path", "names of files, without .. or /", row=info.filename[:200]
            )
        if info.flag_bits & 0x1:
            return file_fault(label, "has a password", "bad_archive", _ALLOWED, row=info.filename[:200])
    return None


def _around(names: Sequence[str]) -> str:
    """The folder that holds the dataset, with its slash: the one with the settings, else one with tables; the outermost of several."""
    names = [name for name in names if not name.startswith(_MAC)]
    for found in ((n for n in names if os.path.basename(n) == SETTINGS_FILE), (n for n in names if n.endswith(".csv"))):
        folders = sorted({os.path.dirname(name) for name in found}, key=lambda folder: (len(PurePosixPath(folder).parts), folder))
        if folders:
            return f"{folders[0]}/" if folders[0] else ""
    return ""


def _outside(label: str, infos: Iterable[zipfile.ZipInfo], around: str) -> Fault | None:
    """A table or settings beside the dataset's folder: which of them is meant would be a guess."""
    for info in infos:
        name = info.filename
        if not name.startswith((around, _MAC)) and name.endswith((".csv", ".toml")) and not ignored(os.path.basename(name)):
            return file_fault(label, f"has a table or settings outside of its folder {around}", "bad_archive", _ALLOWED, row=name[:200])
    return None


def _members(archive: zipfile.ZipFile, infos: Iterable[zipfile.ZipInfo], around: str) -> dict[str, bytes | Fault]:
    """Files of the dataset's folder by name; folders in it are left out, as where a folder is read."""
    left, members = LARGEST, dict[str, bytes | Fault]()
    for info in infos:
        name = info.filename.removeprefix(around)
        if not info.filename.startswith(around) or info.filename.startswith(_MAC) or ignored(os.path.basename(name)):
            continue
        inside, _, deeper = name.partition("/")
        if deeper:
            if inside.endswith((".csv", ".toml")):
                members[inside] = file_fault(inside, "is a folder", "not_a_file", "a file")
            continue
        with archive.open(info) as member:
            content = member.read(left + 1)
        if len(content) > left or len(content) > info.file_size:
            raise _TooLargeError
        left -= len(content)
        twice = file_fault(name, "is there twice", "duplicate_file", "each file once")
        members[name] = twice if name in members else content
    return members


def archive_bytes(dataset: Dataset) -> bytes:
    """A dataset's folder as a zip file; the same dataset gives the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(folder_files(dataset).items()):
            archive.writestr(_member(name), content)
    return target.getvalue()


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, EARLIEST)
    info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    return info


def folder_bytes(folder: Path) -> bytes:
    """A folder, with all that is in it, as a zip file; the same files give the same bytes.

    Raises:
        StorageError: a file can't be read.
    """
    out = io.BytesIO()
    with storage(folder, "read"), zipfile.ZipFile(out, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.writestr(_member(path.relative_to(folder).as_posix()), path.read_bytes())
    return out.getvalue()

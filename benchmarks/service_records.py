"""Measurements of the service: one JSON object a line, only ever appended to; the last one of a key counts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import code, machine, versions

Record = dict[str, Any]
KEY = ("part", "worker", "number")
"""What makes two records the same measurement; ``number`` counts within a part."""
PACKAGES = ("fastapi", "uvicorn", "distributed", "sqlalchemy", "httpx")


def key_of(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a record measures."""
    return tuple(record.get(name) for name in KEY)


def read(path: Path) -> list[Record]:
    """The last record of each key; a last line cut short by a crash is left out.

    Raises:
        ValueError: another line is no record; it is named.
    """
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    found: dict[tuple[Any, ...], Record] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if not isinstance(record, dict) or "part" not in record:
                raise ValueError("no part")
        except ValueError as error:
            if number == len(lines):
                continue  # no newline at its end: it was never written whole
            raise ValueError(f"{path.name}, line {number}: not a measurement: {error}") from None
        found[key_of(record)] = record
    return list(found.values())


def append(path: Path, records: Iterable[Record]) -> None:
    """Add records, on disk when this returns; a last line cut short goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    there = path.read_bytes() if path.exists() else b""
    if there and not there.endswith(b"\n"):
        os.truncate(path, there.rfind(b"\n") + 1)
    with path.open("a", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n")
        file.flush()
        os.fsync(file.fileno())


def numbers_done(records: Iterable[Record], part: str, worker: str | None = None) -> set[int]:
    """Numbers of a part that are measured."""
    return {record["number"] for record in records if record["part"] == part and record.get("worker") == worker}


def setup(part: str, **more: Any) -> Record:
    """What a part was measured with."""
    known = {
        "machine": machine(),
        "versions": versions(PACKAGES),
        "code": code(("api", "batch")),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return {"part": "setup", "worker": part, "number": 0, **known, **more}


def of(records: Iterable[Record], part: str, worker: str | None = None) -> Sequence[Record]:
    """Records of a part, in order of their numbers."""
    return sorted((r for r in records if r["part"] == part and worker in (None, r.get("worker"))), key=lambda r: r["number"])

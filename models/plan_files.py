"""Reading and writing plans: a folder of CSV files, an Excel workbook, or a folder of Parquet files (data.md).

=========  ===============================================================================
csv        summary.json, one CSV file per table of ``PLAN_COLUMNS``, events.csv
parquet    summary.json, the same tables as .parquet
xlsx       sheets: summary (key, value), the tables, events
=========  ===============================================================================

Numbers are written with all their digits, so that a plan reads back equal to the last bit. Beside the
plan its folder may hold dataset.json, report.html, the folder baseline/, notes (.md) and hidden files.
"""

from __future__ import annotations

import io
import json
import math
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from models.checks.raw import RawTable
from models.faults import Fault, InputError, PlanError, closest
from models.files.archive import DAMAGED
from models.files.atomic import staged_folder, storage, write_bytes
from models.files.csv_folder import decode, ignored, load_file, parse_csv
from models.files.formats import asked_format
from models.plan import NPV_TERMS, PLAN_COLUMNS, Plan, SolutionStatus, Summary
from models.plan_cells import EVENTS, FILE_COLUMNS, FrameReader, frame_type, plain_columns
from models.plan_workbook import parse_workbook, workbook_bytes

FORMATS = ("csv", "xlsx", "parquet")
SUMMARY_FILE = "summary.json"
DATASET_FILE = "dataset.json"
REPORT_FILE = "report.html"
BASELINE_FOLDER = "baseline"
_TABLE_FILES = frozenset(f"{name}{ending}" for name in FILE_COLUMNS for ending in (".csv", ".parquet"))
_NOT_FOLDERS = (".csv", ".json", ".txt", ".html", ".xls", ".xlsm", ".ods", ".zip")
_READABLE = "a plan folder (summary.json and one file per table) or a workbook (.xlsx)"


def write_plan(plan: Plan, path: str | os.PathLike[str], *, format: str | None = None) -> None:
    """Write a plan; what is at ``path`` is replaced once the new one is complete.

    Notes and hidden files of a folder stay; its dataset.json and baseline/ stay if the plan is one of the
    same dataset, its report.html if it is the same plan.

    Args:
        plan: the plan.
        path: folder or file.
        format: ``csv`` (a folder), ``xlsx`` or ``parquet`` (a folder); by default from the ending of ``path``.

    Raises:
        InputError: an unknown format, a place that holds other things, or more than a workbook can hold.
        PlanError: a table of the plan lacks a column or holds a number that is none.
        StorageError: disk full, no permission; what was there before is untouched.
    """
    target = Path(path)
    format = format_of(target, format)
    columns = _columns(plan)
    if format == "xlsx":
        if target.is_dir():
            raise InputError([_fault(str(target), "is a folder", "not_a_file", "a file for the workbook")])
        write_bytes(target, workbook_bytes(plan.summary.model_dump(mode="json"), columns, plan.summary.dataset.name))
        return
    kept = _kept(target, plan.summary)
    with staged_folder(target) as staged:
        for filename, data in _files(plan.summary, columns, format).items():
            write_bytes(staged / filename, data)
        for name in kept:
            copy = shutil.copytree if (target / name).is_dir() else shutil.copy2
            (staged / name).parent.mkdir(exist_ok=True)
            copy(target / name, staged / name)


def plan_to_bytes(plan: Plan) -> bytes:
    """A plan as one zip file of what a Parquet folder holds; the same plan gives the same bytes.

    Raises:
        PlanError: a table of the plan lacks a column or holds a number that is none.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for filename, data in _files(plan.summary, _columns(plan), "parquet").items():
            archive.writestr(zipfile.ZipInfo(filename), data, zipfile.ZIP_DEFLATED)  # the information without a time
    return out.getvalue()


def plan_from_bytes(data: bytes) -> Plan:
    """The plan of :func:`plan_to_bytes`.

    Raises:
        PlanError: with every fault found in the files and their cells.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = {filename: archive.read(filename) for filename in archive.namelist()}
    except DAMAGED as error:
        raise PlanError([_fault("plan", "is not a zip file, or a damaged one", "bad_zip", "a zip file of a plan folder")]) from error
    return _read_files(sorted(files), files.__getitem__)


def _columns(plan: Plan) -> dict[str, dict[str, list[Any]]]:
    return {**{name: plain_columns(name, plan[name]) for name in PLAN_COLUMNS}, EVENTS: plain_columns(EVENTS, plan.events)}


def _files(summary: Summary, columns: Mapping[str, Mapping[str, list[Any]]], format: str) -> dict[str, bytes]:
    """Files of a plan folder by name."""
    files = {SUMMARY_FILE: (summary.model_dump_json(indent=2) + "\n").encode()}
    for name, found in columns.items():
        files[f"{name}.{format}"] = _csv_bytes(found) if format == "csv" else _parquet_bytes(name, found)
    return files


def format_of(target: Path, format: str | None) -> str:
    """The format to write in (:func:`models.files.formats.asked_format`).

    Raises:
        InputError: there is no such format.
    """
    return asked_format(target, format, FORMATS, _NOT_FOLDERS)


def _fault(label: str, problem: str, code: str, allowed: str = "", suggestion: str = "", **place: str) -> Fault:
    return Fault(label, problem, code=code, allowed=allowed, suggestion=suggestion, **place)


def _csv_bytes(columns: Mapping[str, list[Any]]) -> bytes:
    lines = [",".join(columns), *(",".join(map(_csv_cell, row)) for row in zip(*columns.values(), strict=True))]
    return ("\n".join(lines) + "\n").encode()


def _csv_cell(value: Any) -> str:
    """Numbers with the digits that read back the same; text quoted where it must be."""
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"' if any(mark in value for mark in ',"\r\n') else value
    return "" if value is None else repr(value)


def _parquet_bytes(name: str, columns: Mapping[str, list[Any]]) -> bytes:
    frame = pd.DataFrame({c.name: pd.Series(columns[c.name], dtype=frame_type(c)) for c in FILE_COLUMNS[name]})
    out = io.BytesIO()
    frame.to_parquet(out, engine="pyarrow", index=False)
    return out.getvalue()


def _kept(folder: Path, summary: Summary) -> list[str]:
    """What stays of a folder that is to be replaced.

    Raises:
        InputError: it is no folder, or holds something that is neither a plan's nor a note, so replacing it would delete it.
    """
    if not os.path.lexists(folder):
        return []
    if not folder.is_dir():
        raise InputError([_fault(str(folder), "is a file", "not_a_folder", "a folder for the plan")])
    with storage(folder, "read"):
        others = other_names(folder)
        names = sorted(os.listdir(folder))
    if others:
        problem = "holds other things than a plan: " + ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
        raise InputError([_fault(str(folder), problem, "not_a_plan", "a new folder, or one that holds a plan only")])
    kept = [name for name in names if ignored(name)]
    old = _read_summary(load_file(folder / SUMMARY_FILE, SUMMARY_FILE), []) if SUMMARY_FILE in names else None
    if old is not None and old.dataset.sha256 == summary.dataset.sha256:
        kept += [name for name in (DATASET_FILE, BASELINE_FOLDER) if name in names]
        kept += [REPORT_FILE] if old == summary and REPORT_FILE in names else []
    if BASELINE_FOLDER in names and BASELINE_FOLDER not in kept:
        with storage(folder, "read"):
            kept += [f"{BASELINE_FOLDER}/{name}" for name in sorted(os.listdir(folder / BASELINE_FOLDER)) if ignored(name)]
    return kept


def other_names(folder: Path) -> list[str]:
    """Names in a folder that are no part of a plan folder, its baseline/ included; notes and hidden files may be there and stay."""
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    is_plan = any(entry.name == SUMMARY_FILE for entry in entries)
    files = {SUMMARY_FILE, DATASET_FILE, REPORT_FILE, *_TABLE_FILES} if is_plan else set()
    others = []
    for entry in entries:
        if is_plan and entry.name == BASELINE_FOLDER and entry.is_dir():
            others += [f"{BASELINE_FOLDER}/{name}" for name in other_names(Path(entry.path))]
        elif not entry.is_file() or not (entry.name in files or ignored(entry.name)):
            others.append(entry.name)
    return others


def read_plan(path: str | os.PathLike[str]) -> Plan:
    """A plan from a folder (CSV or Parquet) or a workbook.

    Only the files are checked: columns, types, periods and keys. Whether the plan meets its dataset is for the audit to say.

    Raises:
        PlanError: with every fault found in the files and their cells.
    """
    path = Path(path)
    if os.path.isdir(path):
        return _read_folder(path)
    if not os.path.lexists(path):
        folder = path.absolute().parent
        near = closest(path.name, os.listdir(folder)) if os.path.isdir(folder) and os.access(folder, os.R_OK) else ""
        raise PlanError([_fault(str(path), "does not exist", "missing_file", "" if near else _READABLE, near)])
    if path.suffix.lower() != ".xlsx":
        inside = path.name == SUMMARY_FILE or path.name in _TABLE_FILES
        hint = f"the folder {path.absolute().parent.name}, not a file in it" if inside else _READABLE
        raise PlanError([_fault(str(path), "is not a plan", "unknown_format", hint)])
    data = load_file(path, str(path))
    if isinstance(data, Fault):
        raise PlanError([data])
    plain, tables, faults = parse_workbook(str(path), data)
    return _plan(_summary(plain, "sheet summary", faults), tables, "sheet {}", faults)


def _read_folder(folder: Path) -> Plan:
    try:
        names = sorted(name for name in os.listdir(folder) if not ignored(name))
    except OSError as error:
        problem = f"cannot be read: {(error.strerror or str(error)).lower()}"
        raise PlanError([_fault(str(folder), problem, "unreadable")]) from error
    if SUMMARY_FILE not in names and not _TABLE_FILES.intersection(names) - {"sites.csv", "contracts.csv", "market.csv"}:
        dataset = "dataset.toml" in names
        problem = "holds a dataset, not a plan" if dataset else "holds no plan" if names else "is empty"
        raise PlanError([_fault(str(folder), problem, "no_plan", _READABLE)])
    return _read_files(names, lambda name: load_file(folder / name, name), str(folder))


def _read_files(names: Sequence[str], load: Callable[[str], bytes | Fault], label: str = "plan") -> Plan:
    """The plan of a folder's files.

    Raises:
        PlanError: with every fault found in the files and their cells.
    """
    faults: list[Fault] = []
    summary = None
    if SUMMARY_FILE in names:
        summary = _read_summary(load(SUMMARY_FILE), faults)
    else:
        faults.append(_fault(SUMMARY_FILE, "missing file", "missing_file", "the summary of the plan"))
    found = [name for name in names if name in _TABLE_FILES]
    if summary is not None and summary.status is SolutionStatus.INFEASIBLE and not found:
        problem = "holds the summary of a search without a plan"
        raise PlanError([_fault(label, problem, "no_plan", _READABLE, column="status", value=str(summary.status.value))])
    ending = ".parquet" if sum(name.endswith(".parquet") for name in found) > len(found) / 2 else ".csv"
    tables: dict[str, RawTable] = {}
    for filename in names:
        name, kind = os.path.splitext(filename)
        if kind not in (".csv", ".parquet"):
            continue
        if name in tables:
            faults.append(_fault(filename, "the table is there twice, as .csv and as .parquet", "duplicate_table", "one file per table"))
        elif name not in FILE_COLUMNS:
            tables[name] = RawTable(name, filename)
        else:
            data = load(filename)
            if isinstance(data, Fault):
                tables[name], more = RawTable(name, filename, readable=False), [data]
            else:
                tables[name], more = _parse_csv(name, filename, data) if kind == ".csv" else _parse_parquet(name, filename, data)
            faults += more
    return _plan(summary, tables, "{}" + ending, faults)


def _parse_csv(name: str, label: str, data: bytes) -> tuple[RawTable, list[Fault]]:
    if not data.strip():
        return RawTable(name, label, readable=False), [_fault(label, "is empty", "empty_file", _header(name))]
    return parse_csv(name, label, data)


def _parse_parquet(name: str, label: str, data: bytes) -> tuple[RawTable, list[Fault]]:
    if not data:
        return RawTable(name, label, readable=False), [_fault(label, "is empty", "empty_file", "a Parquet file")]
    try:
        found = pd.read_parquet(io.BytesIO(data), engine="pyarrow")
    except (OSError, ValueError, LookupError, TypeError, ArithmeticError, NotImplementedError) as error:
        problem = f"cannot be read as Parquet ({type(error).__name__})"
        return RawTable(name, label, readable=False), [_fault(label, problem, "bad_parquet", "a Parquet file")]
    rows: list[Any] = found.astype(object).where(found.notna(), None).to_numpy().tolist()
    return RawTable(name, label, [str(column) for column in found.columns], rows, [f"row {n}" for n in range(1, len(rows) + 1)]), []


def _header(name: str) -> str:
    return "a header with the columns " + ", ".join(c.name for c in FILE_COLUMNS[name])


def _plan(summary: Summary | None, tables: Mapping[str, RawTable], label: str, faults: list[Fault]) -> Plan:
    """The plan of its raw tables.

    Raises:
        PlanError: the faults given, and those of the tables.
    """
    reader = FrameReader()
    frames: dict[str, pd.DataFrame] = {}
    missing = [name for name in PLAN_COLUMNS if name not in tables]
    for name, table in tables.items():
        if name not in FILE_COLUMNS:
            near = closest(name, missing)
            allowed = "" if near else ", ".join(FILE_COLUMNS)
            faults.append(_fault(table.label, "unknown table", "unknown_table", allowed, near and label.format(near)))
    faults += [_fault(label.format(name), "missing table", "missing_table", _header(name)) for name in missing]
    for name in FILE_COLUMNS:
        if name in tables:
            frames[name] = reader.frame(tables[name])
    faults += reader.faults
    if faults or summary is None:
        raise PlanError(faults)
    return Plan(summary, frames, frames.get(EVENTS))


def _read_summary(data: bytes | Fault, faults: list[Fault]) -> Summary | None:
    """A summary from what its file holds; None, and faults, if it is none."""
    text = data if isinstance(data, Fault) else decode(data, SUMMARY_FILE)
    if isinstance(text, Fault):
        faults.append(text)
        return None
    if not text.strip():
        faults.append(_fault(SUMMARY_FILE, "is empty", "empty_file", "the summary of the plan"))
        return None
    try:
        plain = json.loads(text)
    except json.JSONDecodeError as error:
        faults.append(_fault(SUMMARY_FILE, f"is not JSON: {error.msg}", "bad_json", "a JSON object", row=f"line {error.lineno}"))
        return None
    except (RecursionError, ValueError):
        problem = "is nested too deeply or has a number with too many digits"
        faults.append(_fault(SUMMARY_FILE, problem, "bad_json", "a JSON object"))
        return None
    return _summary(plain, SUMMARY_FILE, faults)


def _summary(plain: Any, label: str, faults: list[Fault]) -> Summary | None:
    """A summary from plain values; None, and faults, if it is none."""
    if not isinstance(plain, dict):
        faults.append(_fault(label, "is not an object", "bad_summary", "a JSON object with the keys of a summary"))
        return None
    before = len(faults)
    for key, value in _leaves(plain):
        if isinstance(value, float) and not math.isfinite(value):
            faults.append(_fault(label, "is not a finite number", "not_finite", "a number", column=key, value=repr(value)))
    version = plain.get("schema_version", 1)
    if version != 1:
        faults.append(_fault(label, "unknown version of the format", "unknown_version", "1", column="schema_version", value=str(version)))
    terms = plain.get("npv_terms")
    for term in terms if isinstance(terms, dict) else ():
        if term not in NPV_TERMS:
            near = closest(term, NPV_TERMS)
            allowed = "" if near else ", ".join(NPV_TERMS)
            faults.append(_fault(label, "unknown term of NPV", "unknown_term", allowed, near, column=f"npv_terms.{term}"))
    try:
        summary = Summary.model_validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        faults += [_summary_fault(label, dict(found)) for found in error.errors(include_url=False)]
        return None
    return summary if len(faults) == before else None


def _leaves(value: Any, key: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for name, inner in value.items() for leaf in _leaves(inner, f"{key}.{name}" if key else str(name))]
    return [(key, value)]


def _summary_fault(label: str, found: Mapping[str, Any]) -> Fault:
    """A fault from what the schema of the summary says."""
    place = [str(part) for part in found["loc"]]
    column, code = ".".join(place), "bad_summary"
    if found["type"] == "extra_forbidden":
        near = closest(place[-1], Summary.model_fields)
        return _fault(label, "unknown key", "unknown_column", "" if near else ", ".join(Summary.model_fields), near, column=column)
    if found["type"] == "missing":
        return _fault(label, "missing key", "missing_column", "the key with its value", column=column)
    allowed = str(found["msg"]).removeprefix("Input should be ").removeprefix("a valid ")
    value = "null" if found.get("input") is None else str(found["input"])
    return _fault(label, "is not what must stand here", code, allowed, column=column, value=value)


__all__ = ["FORMATS", "format_of", "other_names", "plan_from_bytes", "plan_to_bytes", "read_plan", "write_plan"]

"""Reading sources of uncertainty, with every fault: where, what, and what is allowed instead."""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from models.changes import ChangeError, read_changes
from models.changes.apply import faults_of, field_faults
from models.changes.site_power import SiteEnergizationDelay
from models.checks.raw import shown
from models.dataset import Dataset
from models.faults import Fault, InputError
from models.files.csv_folder import decode, load_file
from models.uncertainty.prices import price_changes
from models.uncertainty.sources import ODDS_TOLERANCE, Occasion, Price, Slip, Source, Uncertainty
from models.validation import finding

KINDS = ("slip", "cause", "event", "price")


class UncertaintyError(InputError):
    """Scenarios that cannot be read, or do not fit their dataset; ``faults`` holds every one found."""


def read_uncertainty(path: str | os.PathLike[str], dataset: Dataset) -> Uncertainty:
    """Sources of uncertainty from a TOML file, checked against their dataset.

    Raises:
        UncertaintyError: with every fault found.
    """
    label = Path(path).name
    if not os.path.lexists(path):
        raise UncertaintyError([Fault(str(path), "does not exist", allowed="a TOML file of scenarios", code="missing_file")])
    data = load_file(Path(path), label)
    text = data if isinstance(data, Fault) else decode(data, label)
    if isinstance(text, Fault):
        raise UncertaintyError([text])
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UncertaintyError([Fault(label, f"is not TOML: {error}", code="bad_toml", allowed="a TOML file of scenarios")]) from None
    return from_plain(document, dataset, label)


def from_plain(document: Mapping[str, Any], dataset: Dataset, label: str = "scenarios") -> Uncertainty:
    """Sources of uncertainty from plain values, as TOML or JSON give them.

    Args:
        document: its keys are those of :class:`Uncertainty`.
        dataset: what they are about.
        label: what faults call the document.

    Raises:
        UncertaintyError: with every fault found.
    """
    plain, faults = _with_changes(document, label)
    try:
        found = Uncertainty.model_validate(plain)
    except ValidationError as error:
        faults += [_fault(plain, detail, label) for detail in error.errors(include_url=False) if not _told(detail, faults)]
        raise UncertaintyError(faults) from None
    faults += _faults(found, dataset, label)
    if faults:
        raise UncertaintyError(faults)
    return found


def _with_changes(document: Mapping[str, Any], label: str) -> tuple[dict[str, Any], list[Fault]]:
    """The document with the changes of its events read, and their faults."""
    plain, faults = dict(document), list[Fault]()
    events = document.get("event")
    if not isinstance(events, Sequence) or not all(isinstance(event, Mapping) for event in events):
        return plain, faults
    plain["event"] = []
    for i, event in enumerate(events):
        outcomes = event.get("outcomes")
        if isinstance(outcomes, Sequence) and all(isinstance(outcome, Mapping) for outcome in outcomes):
            event = {**event, "outcomes": [dict(outcome) for outcome in outcomes]}
            for j, outcome in enumerate(event["outcomes"]):
                if "changes" in outcome:
                    outcome["changes"], wrong = _changes(outcome["changes"])
                    faults += [_moved(fault, label, _row("event", i, event), f"outcomes.{j + 1}.changes", f"/event/{i}") for fault in wrong]
        plain["event"].append(event)
    return plain, faults


def _changes(document: object) -> tuple[Any, list[Fault]]:
    """Changes of an outcome; if they have faults, what was there, so that it is not called empty."""
    try:
        return read_changes(document), []
    except ChangeError as error:
        return document, list(error.faults)


def _told(detail: Any, faults: Sequence[Fault]) -> bool:
    """Whether what pydantic says was already said better: of changes, and of lists that it calls short since their entries are faulty."""
    short = detail["type"] == "too_short" and bool(detail["input"])
    return short or ("changes" in detail["loc"][:-1] and bool(faults))


def _row(kind: str, index: int, entry: object) -> str:
    """``slip 2 (denton)``: a source as a person finds it."""
    name = entry.get("id") if isinstance(entry, Mapping) else getattr(entry, "id", None)
    return f"{kind} {index + 1}" + (f" ({name})" if isinstance(name, str) and name else "")


def _moved(fault: Fault, label: str, row: str, column: str, pointer: str) -> Fault:
    """A fault of changes or fields, at its place in the document."""
    parts = [column] if column else []
    if column.endswith("changes"):
        parts.append(fault.row.removeprefix("change "))
    place = ".".join(part for part in [*parts, fault.column] if part)
    return replace(fault, table=label, row=row, column=place, pointer=pointer)


def _from_one(column: str) -> str:
    """``outcomes.0.odds`` as ``outcomes.1.odds``."""
    return ".".join(str(int(part) + 1) if part.isdigit() else part for part in column.split("."))


def _fault(document: Mapping[str, Any], detail: Any, label: str) -> Fault:
    """What pydantic found, in our words; entries of lists are counted from 1."""
    path = list(detail["loc"])
    row, rest = "", path
    if path and path[0] in KINDS and len(path) > 1 and isinstance(path[1], int):
        row, rest = _row(str(path[0]), path[1], document[path[0]][path[1]]), path[2:]
    column = ".".join(str(part + 1) if isinstance(part, int) else part for part in rest)
    pointer = "/" + "/".join(str(part) for part in path)
    found = finding(detail, Uncertainty, path)
    low = "odds" in path and isinstance(found.value, (int, float)) and found.value < 0
    problem, value = "is negative" if low else found.problem, "" if found.value is None else shown(found.value)
    return Fault(label, problem, row, column, value, found.allowed, found.near, found.code, pointer)


def _faults(found: Uncertainty, dataset: Dataset, label: str) -> list[Fault]:
    """Faults between sources, and between them and the dataset."""
    faults: list[Fault] = []
    seen: dict[str, str] = {}
    for kind, index, source in found.named():
        row, pointer = _row(kind, index, source), f"/{kind}/{index}"
        if source.id in seen:
            problem = f"the same id as {seen[source.id]}"
            faults.append(Fault(label, problem, row, "id", source.id, "each id once", "", "duplicate_id", f"{pointer}/id"))
        seen.setdefault(source.id, row)
        faults += [replace(fault, table=label, row=row, pointer=pointer) for fault in _sums(source)]
        wrong = [_moved(replace(f, column=_from_one(f.column)), label, row, "", pointer) for f in field_faults(dataset, source)]
        faults += wrong or [_moved(fault, label, row, column, pointer) for column, fault in _of_changes(dataset, source)]
    if not seen:
        faults.append(Fault(label, "names no source of uncertainty", allowed="at least one of " + ", ".join(KINDS), code="empty"))
    return faults


def odds_of(source: Source) -> list[float]:
    """Odds of a source's outcomes or paths; none of a price that wanders."""
    if isinstance(source, Price):
        return [path.odds for path in source.paths or ()]
    outcomes: Iterable[Any] = getattr(source, "outcomes", ())
    return [outcome.odds for outcome in outcomes]


def _sums(source: Source) -> Iterator[Fault]:
    """Odds that do not add up, and steps of prices out of order."""
    total = math.fsum(odds_of(source))
    if total > 1 + ODDS_TOLERANCE:
        yield Fault("", "odds add to more than 1", "", "outcomes", f"{total:.6g}", "a sum of at most 1", "", "odds_sum")
    if isinstance(source, Price) and source.paths is not None:
        if abs(total - 1) > ODDS_TOLERANCE:
            yield Fault("", "odds of the paths do not add to 1", "", "paths", f"{total:.6g}", "a sum of 1", "", "odds_sum")
        for number, path in enumerate(source.paths, start=1):
            periods = [step.from_period for step in path.steps]
            if periods != sorted(set(periods)):
                text = ", ".join(periods)
                yield Fault("", "steps are not in order", "", f"paths.{number}.steps", text, "each period once, in order", "", "order")


def _of_changes(dataset: Dataset, source: Source) -> Iterator[tuple[str, Fault]]:
    """Faults of the changes that a source makes, with the place of their list."""
    if isinstance(source, Slip):
        probe = SiteEnergizationDelay(
            site_id=source.site_id, block_id=source.block_id, from_period=source.from_period, delay_periods=source.outcomes[0].delay_periods
        )
        faults, warnings = faults_of(dataset, [probe])
        problem = "no power of the site comes later than the start"
        nothing = [replace(w, problem=problem, column="site_id") for w in warnings if w.code == "no_effect"]
        yield from (("", fault) for fault in (*faults, *nothing))
    if isinstance(source, Price):
        yield from (("", fault) for fault in faults_of(dataset, price_changes(dataset, source, ((0, 1.1),)))[0])
    if isinstance(source, Occasion):
        for number, outcome in enumerate(source.outcomes, start=1):
            faults, _ = faults_of(dataset, outcome.changes)
            yield from ((f"outcomes.{number}.changes", fault) for fault in faults)

"""A what-if being built: what it is made of, its list of changes, and what the dataset says to them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from api.page.shown import Shown
from api.problems import FaultItem, ProblemError
from api.service import Base, Service
from api.store import NotFoundError, Saved
from models.changes import CHANGES, Applied, Change, ChangeError, RowChange, apply, inverse, read_changes, touched
from models.dataset import Dataset
from models.faults import Fault
from models.plan import Plan

LONGEST_ADDRESS = 6000
"""Characters of an address above which a what-if is not put into it: some programs on the way take no more than 8 KiB."""


@dataclass(frozen=True)
class Line:
    """A change of the list.

    Attributes:
        plain: as plain values.
        sentence: in words; its type and fields, if it can't be read.
        faults, warnings: what is said of it: field and words.
    """

    plain: dict[str, Any]
    sentence: str
    faults: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Draft:
    """A what-if being built.

    Attributes:
        service: that has everything.
        shown: plan line, or run whose plan is changed.
        base: what the changes are made to.
        changes: the list, as plain values.
        scenario: the scenario whose changes they are; None for a new one.
        parent: the scenario on which it builds; None for a plan line.
        revision: number of the scenario's revision that was taken up.
    """

    service: Service
    shown: Shown
    base: Base
    changes: tuple[dict[str, Any], ...] = ()
    scenario: Saved | None = None
    parent: Saved | None = None
    revision: int | None = None
    _told: dict[str, Any] = field(default_factory=dict, compare=False)

    def having(self, changes: Sequence[dict[str, Any]]) -> Draft:
        """The same with another list."""
        return replace(self, changes=tuple(changes), _told={})

    @property
    def state(self) -> dict[str, str]:
        """What an address or form needs to know, to come back to this."""
        own = {"line": self.shown.line_name} if self.shown.line is not None else {}
        if self.shown.chosen and self.shown.run is not None:
            own["run"] = self.shown.run.id
        if self.scenario is not None:
            own["scenario"] = self.scenario.scenario.id
        elif self.parent is not None:
            own["parent"] = self.parent.scenario.id
        if self.changes or self.scenario is not None:
            own["changes"] = self.text
        return {name: str(value) for name, value in own.items()}

    @property
    def text(self) -> str:
        """The list as JSON."""
        return json.dumps(list(self.changes), ensure_ascii=False, separators=(",", ":"))

    @property
    def can_be_saved(self) -> bool:
        """Whether it builds on a plan line or scenario, which a scenario needs."""
        return self.base.line is not None and not (self.shown.chosen and self.scenario is None and self.parent is None)

    @cached_property
    def dataset(self) -> Dataset:
        """The dataset before all changes."""
        return self.service.dataset(self.base.dataset)

    @cached_property
    def inherited(self) -> list[Change]:
        """Changes of the scenarios on which it builds."""
        return self.service.read(self.base, [])

    @cached_property
    def inherited_sentences(self) -> list[str]:
        """The same in words."""
        return [change.sentence(self.dataset) for change in self.inherited]

    @cached_property
    def _read(self) -> tuple[list[Change | None], list[tuple[int, Fault]]]:
        """Changes of the list that can be read, and the faults of the others with their number."""
        found: list[Change | None] = []
        faults: list[tuple[int, Fault]] = []
        for number, plain in enumerate(self.changes):
            try:
                found += read_changes([plain])
            except ChangeError as error:
                found.append(None)
                faults += [(number, fault) for fault in error.faults]
        return found, faults

    @cached_property
    def _applied(self) -> tuple[Applied | None, list[tuple[int, Fault]]]:
        own, faults = self._read
        if faults:
            return None, faults
        try:
            every = [*self.inherited, *(change for change in own if change is not None)]
            return apply(self.dataset, every, self.plan), []
        except ChangeError as error:
            return None, [(self._number(fault), fault) for fault in error.faults]

    @cached_property
    def plan(self) -> Plan | None:
        """The plan of the baseline, to which freezes refer; None if there is none."""
        run = self.base.baseline
        return None if run is None or run.plan_blob is None else self.service.plan_of(run)

    def _number(self, fault: Fault) -> int:
        """Number in the list of the change that a fault or warning of all changes speaks of; negative for inherited ones."""
        return int(fault.pointer.split("/")[1]) - len(self.inherited)

    @property
    def applied(self) -> Applied | None:
        """The dataset after all changes; None if they have faults."""
        return self._applied[0]

    @cached_property
    def lines(self) -> list[Line]:
        """The list with what is said of each change."""
        applied, faults = self._applied
        warned = [] if applied is None else [(self._number(warning), warning.problem) for warning in applied.warnings]
        return [
            Line(
                plain, _sentence(plain, change, self.dataset), tuple(_said(fault) for at, fault in faults if at == number),
                tuple(words for at, words in warned if at == number),
            )
            for number, (plain, change) in enumerate(zip(self.changes, self._read[0], strict=True))
        ]  # fmt: skip

    @property
    def general_faults(self) -> list[str]:
        """Faults that are of no change of the list, but of the scenarios on which it builds."""
        return [str(fault) for at, fault in self._applied[1] if at < 0]

    @cached_property
    def rows(self) -> tuple[RowChange, ...]:
        """Rows of the dataset that the changes alter."""
        return () if self.applied is None else touched(self.dataset, self.applied.dataset)

    def back(self, number: int) -> dict[str, Any] | None:
        """The change that takes one back, as plain values; None where no single change does.

        Args:
            number: of the change, counted from 0 over inherited ones and the list.
        """
        own, faults = self._read
        every = [*self.inherited, *(change for change in own if change is not None)]
        if faults or not 0 <= number < len(every):
            return None
        try:
            before = apply(self.dataset, every[:number], self.plan).dataset
            found = inverse(every[number], before, self.plan)
        except ChangeError:
            return None
        return None if found is None else _plain(found)

    def faults_at(self, number: int) -> dict[str, list[str]]:
        """Faults of a change of the list, by the path of the field; those of the whole change under the empty path."""
        found: dict[str, list[str]] = {}
        for path, text in self.lines[number].faults if number < len(self.lines) else ():
            found.setdefault(path, []).append(text)
        return found


def _plain(change: Change) -> dict[str, Any]:
    """A change as a form would give it: without fields that say what they say anyway."""
    every = change.model_dump(mode="json", exclude_defaults=True)
    return {"type": change.type, **every}


def _sentence(plain: dict[str, Any], change: Change | None, dataset: Dataset) -> str:
    """A change in words; its fields, if it can't be read."""
    if change is not None:
        return change.sentence(dataset)
    return f"{plain.get('type', 'no type')}: " + ", ".join(f"{name} {value}" for name, value in plain.items() if name != "type")


def _said(fault: Fault) -> tuple[str, str]:
    """Path of the field, and what is said of it."""
    found = f" (found {fault.value})" if fault.value else ""
    allowed = f"; allowed: {fault.allowed}" if fault.allowed else ""
    near = f"; did you mean {fault.suggestion}?" if fault.suggestion else ""
    return "/".join(fault.pointer.split("/")[2:]), f"{fault.problem}{found}{allowed}{near}"


def read_list(text: str) -> list[dict[str, Any]]:
    """The list of changes in an address or form.

    Raises:
        ProblemError: 422, it is none.
    """
    if not text:
        return []
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        item = FaultItem(
            pointer="", parameter="changes", message="changes: is no list of changes in JSON", code="bad_json", value=text[:80]
        )
        raise ProblemError(422, "bad_changes", item.message, [item])
    return found


def draft_of(service: Service, shown: Shown, given: Mapping[str, str]) -> Draft:
    """The what-if that an address or form names.

    Args:
        given: ``scenario`` or ``parent``, ``revision``, ``changes``.

    Raises:
        ProblemError: 404, there is no such scenario; 422, the list is none.
    """
    changes = tuple(read_list(given["changes"])) if "changes" in given else None
    most = service.settings.changes_most
    if changes is not None and len(changes) > most:
        raise ProblemError(413, "too_many_changes", f"{len(changes)} changes; at most {most} are allowed")
    if given.get("scenario"):
        return _of_scenario(service, service.scenario(given["scenario"]), given.get("revision", ""), changes)
    if given.get("parent"):
        parent = service.scenario(given["parent"])
        return Draft(service, _shown_of(service, parent), service.of_scenario(parent.scenario.id), changes or (), None, parent)
    if shown.chosen and shown.run is not None:
        base = Base(shown.run.dataset_id, shown.run, (), shown.run.line_id)
    elif shown.line is not None:
        base = service.of_line(shown.line.id)
    else:
        raise ProblemError(409, "no_line", "there is no plan line to ask about")
    return Draft(service, shown, base, changes or ())


def _of_scenario(service: Service, saved: Saved, revision: str, changes: tuple[dict[str, Any], ...] | None) -> Draft:
    """A scenario taken up."""
    row = saved.scenario
    parent = None if row.parent_scenario_id is None else service.scenario(row.parent_scenario_id)
    base = service.of_scenario(parent.scenario.id) if parent is not None else service.of_line(row.parent_line_id or "")
    number = int(revision) if revision.isdecimal() and len(revision) < 9 else saved.revision.revision
    if changes is None:
        try:
            changes = tuple(service.store.scenarios.revision(row.id, number).changes)
        except NotFoundError:
            raise ProblemError(404, "unknown_revision", f"scenario {row.name} has no revision {number}") from None
    return Draft(service, _shown_of(service, saved), base, changes, saved, parent, number)


def _shown_of(service: Service, saved: Saved) -> Shown:
    """The plan line of a scenario, with its baseline."""
    line = service.line(service.store.scenarios.lineage(saved.scenario.id)[0].scenario.parent_line_id or "")
    return Shown(service, line, None if line.run_id is None else service.run(line.run_id), chosen=False)


def titles() -> list[tuple[str, list[tuple[str, str]]]]:
    """Types of changes for a menu: groups with types and their titles."""
    found: dict[str, list[tuple[str, str]]] = {}
    for kind, cls in CHANGES.items():
        found.setdefault(kind.split(".")[0], []).append((kind, cls.title))
    return list(found.items())

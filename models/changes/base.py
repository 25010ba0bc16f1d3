"""What every change is: a frozen record, an edit of a dataset, and a sentence."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn, Self

from pydantic import BaseModel, ConfigDict

from models.calendar import PeriodKind
from models.checks.raw import shown
from models.dataset import Dataset
from models.faults import Fault, InputError, closest
from models.plan import Plan

TABLE = "changes"
"""What faults of changes call their place."""
NOUN = {PeriodKind.MONTH: "month", PeriodKind.QUARTER: "quarter", PeriodKind.YEAR: "year"}


class ChangeError(InputError):
    """Changes that cannot be read or applied; ``faults`` holds every one found."""


class RefusedError(Exception):
    """An edit that cannot be made; its faults are in the ``Edit``."""


@dataclass(frozen=True)
class Where:
    """Where a list of changes stands in its document, so that faults can say it.

    Attributes:
        pointer: JSON pointer of the list.
        inherited: how many of the first changes come from elsewhere and are not in that list.
        source: JSON pointer of what names those.
    """

    pointer: str = ""
    inherited: int = 0
    source: str = ""

    def name(self, number: int) -> str:
        """``change 2``, or ``inherited change 2``, each counted from 1.

        Args:
            number: index among all changes, from 0.
        """
        return f"inherited change {number + 1}" if number < self.inherited else f"change {number - self.inherited + 1}"

    def of(self, number: int, at: str = "") -> str:
        """JSON pointer of a change, or of its field ``at``; of an inherited one, of what names it."""
        if number < self.inherited:
            return self.source
        return "/".join(part for part in (f"{self.pointer}/{number - self.inherited}", at) if part)


BY_ITSELF = Where()
"""A list of changes that is a document of its own."""


class Edit:
    """One change being applied: the dataset before it, and where faults and warnings go.

    Attributes:
        dataset: the dataset that the change edits.
        baseline: plan that freezes refer to.
        number: index of the change, from 0.
        where: the list of changes stands.
        faults: why the change cannot be applied.
        warnings: what is allowed but should be known.
    """

    def __init__(self, dataset: Dataset, number: int = 0, where: Where = BY_ITSELF, baseline: Plan | None = None) -> None:
        self.dataset, self.number, self.where, self.baseline = dataset, number, where, baseline
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []

    def _fault(self, at: str, problem: str, code: str, value: Any = None, allowed: str = "", suggestion: str = "") -> Fault:
        place, pointer = self.where.name(self.number), self.where.of(self.number, at)
        return Fault(TABLE, problem, place, at.replace("/", "."), shown(value), allowed, suggestion, code, pointer)

    def fault(self, at: str, problem: str, code: str, value: Any = None, allowed: str = "", suggestion: str = "") -> None:
        """Note a fault of the field ``at`` (parts joined by ``/``; empty for the whole change)."""
        self.faults.append(self._fault(at, problem, code, value, allowed, suggestion))

    def refuse(self, at: str, problem: str, code: str, value: Any = None, allowed: str = "") -> NoReturn:
        """Note a fault and give the change up.

        Raises:
            RefusedError: always.
        """
        self.fault(at, problem, code, value, allowed)
        raise RefusedError

    def stop(self) -> None:
        """Give the change up if it has a fault.

        Raises:
            RefusedError: it has.
        """
        if self.faults:
            raise RefusedError

    def warn(self, at: str, problem: str, code: str) -> None:
        """Note a warning."""
        self.warnings.append(self._fault(at, problem, code))

    def unknown(self, at: str, value: str, known: Iterable[str], what: str) -> None:
        """Note an id or name that the dataset does not have."""
        names = list(dict.fromkeys(known))
        near = closest(value, names)
        few = ", ".join(sorted(names)) if 0 < len(names) <= 8 else ""
        allowed = (
            "" if near else (few and f"one of {few}") or (f"one of the {len(names)} in {what}" if names else f"nothing: {what} is empty")
        )
        self.fault(at, "unknown id" if what.endswith("_id") else "unknown name", "unknown_id", value, allowed, near)

    def new_id(self, at: str, value: str, known: Iterable[str]) -> None:
        """An id that must not be there yet."""
        if value in set(known):
            self.fault(at, "is already there", "duplicate_id", value, "an id that the dataset does not have")

    def period(self, at: str, label: str | None, outside: bool = False) -> int | None:
        """Index of a period label, or None with a fault noted; None for no label."""
        if label is None:
            return None
        calendar = self.dataset.calendar
        try:
            index = calendar.index(label)
        except ValueError as error:
            self.fault(at, "is not a period of this dataset", "bad_period", label, str(error))
            return None
        if not outside and not 0 <= index < calendar.periods:
            allowed = f"a period from {calendar.start} to {calendar.label(calendar.periods - 1)}"
            self.fault(at, "is outside the horizon", "outside_horizon", label, allowed)
            return None
        return index

    def window(self, change: Any) -> tuple[int, int | None]:
        """First and last period index of ``from_period`` and ``to_period``; last None = no end (the horizon's end or beyond)."""
        calendar = self.dataset.calendar
        first = 0 if change.from_period is None else calendar.index(change.from_period)
        last = None if change.to_period is None else calendar.index(change.to_period)
        if last is not None and last < first:
            self.refuse("to_period", "is before from_period", "reversed_range", change.to_period, f"{change.from_period} or later")
        return first, None if last is None or last >= calendar.periods - 1 else last


class Change(BaseModel):
    """A what-if change of a dataset: immutable, and only data.

    Class attributes: ``title`` for menus; ``example`` a valid change as plain values.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    title: ClassVar[str]
    example: ClassVar[dict[str, Any]]
    type: str

    @abstractmethod
    def sentence(self, dataset: Dataset) -> str:
        """The change in plain words, such as ``denton-tx: power energized 2 quarters later from 2026-Q3``."""

    @abstractmethod
    def edit(self, edit: Edit) -> Dataset:
        """The dataset with this change, its rows not yet checked together.

        Raises:
            RefusedError: it cannot be made; the faults are in ``edit``.
        """

    @classmethod
    @abstractmethod
    def sample(cls, dataset: Dataset, rng: random.Random) -> Self | None:
        """A random mild change of this type, or None where the dataset has nothing to change so."""

    def undoings(self, before: Dataset) -> Iterator[Change]:
        """Changes that might take this one back; :func:`models.changes.inverse` tries them.

        Args:
            before: the dataset before this change.
        """
        yield from ()

    @property
    def new_ids(self) -> tuple[str, ...]:
        """Ids that the change adds to the dataset."""
        return ()


def periods_text(dataset: Dataset, number: int) -> str:
    """``2 quarters``."""
    noun = NOUN[dataset.calendar.kind]
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def window_text(first: str | None, last: str | None) -> str:
    """`` from 2026-Q3 to 2027-Q1``, with a blank in front; empty for the whole horizon."""
    if first is not None and first == last:
        return f" in {first}"
    return (f" from {first}" if first else "") + (f" to {last}" if last else "")


def figure(value: float) -> str:
    """A number as people write it: ``12,500`` or ``2.35``."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.6g}"


def percent(share: float) -> str:
    """``30 %``."""
    return f"{share * 100:.6g} %"


def factor_text(factor: float) -> str:
    """`` up 20 %``, ``down 30 %`` or ``unchanged``."""
    if factor == 1:
        return "unchanged"
    return f"up {percent(factor - 1)}" if factor > 1 else f"down {percent(1 - factor)}"


def exactly_one(change: BaseModel, *names: str) -> None:
    """Of these fields just one is given.

    Raises:
        ValueError: none or several are.
    """
    given = [name for name in names if getattr(change, name) is not None and getattr(change, name) is not False]
    if len(given) != 1:
        raise ValueError(f"needs exactly one of {', '.join(names)}" + (f", found {' and '.join(given)}" if given else ""))

"""Plans made wrong on purpose, each in one place and by little: what an audit must find, and what it must let pass.

A corruption takes a sound plan and returns a ``Case``: dataset and tables in which one row of one constraint
(or one cell) is off by ``size`` times its tolerance, and what the audit has to say of it. Most move a limit of the
dataset just past what the plan uses, and fill in the derived columns again, so that nothing else is wrong.
Corruptions that count whole things (racks, sites, rows) ignore ``size``. Where a plan has nothing to corrupt
in this way (no retrofit ordered, say) the corruption returns None.

    for corruption in CORRUPTIONS.values():
        case = corruption.make(dataset, tables, 1.5)
        if case is not None:
            assert case.found(audit(case.dataset, case.tables, case.summary))
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from models.dataset import Dataset
from models.plan import Summary
from models.tables import Row
from optimizer.audit import TOLERANCE, AuditReport, Violation
from tests.optimizer.audit.plans import Tables, complete


@dataclass(frozen=True)
class Case:
    """A corrupted plan and the violation it must cause.

    Attributes:
        ids: ids that the violation must name, with their values (it may name more).
        amount: amount of the violation.
        summary: a summary to audit with the tables, or None.
    """

    dataset: Dataset
    tables: Tables
    constraint: str
    ids: dict[str, str]
    amount: float
    summary: Summary | None = None

    def found(self, report: AuditReport) -> Violation | None:
        """The violation as it should be, or None."""
        for violation in report.violations:
            same = violation.constraint == self.constraint and self.ids.items() <= violation.ids.items()
            if same and abs(violation.amount - self.amount) <= 1e-3 * abs(self.amount):
                return violation
        return None


Maker = Callable[[Dataset, Tables, float], Case | None]


@dataclass(frozen=True)
class Corruption:
    """A way to make a plan wrong.

    Attributes:
        name: unique name.
        constraint: constraint or check that it breaks.
        make: the corruption.
        whole: it counts whole things, so that there is no size just within tolerance.
        alone: on a plan without slack in it, it breaks nothing else.
    """

    name: str
    constraint: str
    make: Maker
    whole: bool = False
    alone: bool = True


CORRUPTIONS: dict[str, Corruption] = {}
"""All corruptions by name; filled by the modules that define them (``all_corruptions`` imports those)."""


def add(name: str, constraint: str, make: Maker, *, whole: bool = False, alone: bool = True) -> None:
    """Register a corruption.

    Raises:
        ValueError: the name is taken.
    """
    if name in CORRUPTIONS:
        raise ValueError(f"two corruptions are called {name}")
    CORRUPTIONS[name] = Corruption(name, constraint, make, whole, alone)


def corruption(constraint: str, *, whole: bool = False, alone: bool = True) -> Callable[[Maker], Maker]:
    """Register a function as a corruption of a constraint; its name is the function's."""

    def register(make: Maker) -> Maker:
        add(make.__name__, constraint, make, whole=whole, alone=alone)
        return make

    return register


def below(used: float, size: float, least_scale: float = 1.0) -> float:
    """The limit that ``used`` exceeds by ``size`` tolerances."""
    limit = used / (1.0 + size * TOLERANCE)
    return limit if limit >= least_scale else used - size * TOLERANCE * least_scale


def above(used: float, size: float) -> float:
    """The least value that ``used`` misses by ``size`` tolerances."""
    limit = used / (1.0 - size * TOLERANCE)
    return limit if limit >= 1.0 else used + size * TOLERANCE


def changed(dataset: Dataset, kind: type[Row], where: Callable[[Any], bool], **values: Any) -> Dataset:
    """The dataset with other values in the rows of a table that fit; a value may be a function of the row."""
    rows = []
    for row in dataset.rows(kind):
        update = {name: value(row) if callable(value) else value for name, value in values.items()}
        rows.append(row.model_copy(update=update) if where(row) else row)
    return dataset.replace(**{kind.table: rows})


def added(dataset: Dataset, *rows: Row) -> Dataset:
    """The dataset with more rows in a table."""
    table = rows[0].table
    return dataset.replace(**{table: (*dataset.table_rows(table), *rows)})


def held_at(dataset: Dataset, kind: type[Row], keys: Mapping[str, str], t: int, blank: Row, **values: Any) -> Dataset:
    """The dataset with other values in one period of a from_period table.

    Args:
        kind: row type of the table.
        keys: values of its key columns beside from_period.
        t: the period.
        blank: the row that stands for what holds where there is none.
        values: what holds in that period.
    """
    calendar = dataset.calendar
    rows: list[Any] = list(dataset.rows(kind))
    mine = [row for row in rows if all(getattr(row, key) == value for key, value in keys.items())]
    others = [row for row in rows if row not in mine]

    def last(until: int) -> Any:
        before = [row for row in mine if calendar.index(row.from_period) <= until]
        return max(before, key=lambda row: calendar.index(row.from_period), default=blank)

    now = last(t).model_copy(update={"from_period": calendar.label(t), **values})
    then = last(t + 1).model_copy(update={"from_period": calendar.label(t + 1)})
    kept = [row for row in mine if calendar.index(row.from_period) not in (t, t + 1)]
    return dataset.replace(**{kind.table: (*others, *kept, now, then)})


def case(dataset: Dataset, tables: Tables, constraint: str, ids: Mapping[str, str], amount: float, summary: Summary | None = None) -> Case:
    """A case whose derived columns are computed anew."""
    return Case(dataset, complete(dataset, tables), constraint, dict(ids), amount, summary)


def edited(tables: Tables, name: str, row: int, **cells: Any) -> Tables:
    """The tables with other cells in one row of one of them."""
    table = tables[name].copy()
    for column, value in cells.items():
        if isinstance(value, float):
            table[column] = table[column].astype(float)
        table.loc[table.index[row], column] = value
    return {**tables, name: table}


def appended(tables: Tables, name: str, **cells: Any) -> Tables:
    """The tables with one more row in one of them."""
    return {**tables, name: pd.concat([tables[name], pd.DataFrame([cells])], ignore_index=True)}


def largest(table: pd.DataFrame, column: str) -> int | None:
    """Number of the row with the largest value; None if that is not above 0."""
    if table.empty or table[column].max() <= 0:
        return None
    return int(table[column].to_numpy(float).argmax())


def all_corruptions() -> dict[str, Corruption]:
    """Every corruption, by name."""
    for module in ("corrupt_sites", "corrupt_contracts", "corrupt_tables"):
        importlib.import_module(f"tests.optimizer.audit.{module}")
    return CORRUPTIONS

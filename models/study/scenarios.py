"""Scenarios: what the runs of a study change; made from a study file, or by anything else that has names and changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Any

from models.changes.base import Change
from models.dataset import Dataset
from models.faults import Fault
from models.plan import Plan
from models.study.faults import StudyError
from models.study.file import BASE, Frontier, Futures, Grid, Sample, SampleLevel, Study
from models.study.sampling import choice, number, strata
from models.targets import measured
from models.uncertainty import Uncertainty, UncertaintyError, draw, from_plain, read_uncertainty

PlainChange = Mapping[str, Any]
HAPPENS, HAPPENS_NOT = "happens", "does not"
"""Levels of an axis of an uncertainty."""
OFTEN = 0.05
"""Least share of the futures in which an axis of an uncertainty happens."""
SOURCES = "/scenarios/uncertainty/sources"
"""Where the sources of an uncertainty stand in a study that has them in place."""
SIGN = "$"
"""Begins the name of an axis in a template."""


class Origin(StrEnum):
    """Which part of a study a scenario comes from."""

    BASE = "base"
    LIST = "list"
    GRID = "grid"
    SAMPLE = "sample"
    UNCERTAINTY = "uncertainty"
    FRONTIER = "frontier"

    @property
    def counts(self) -> bool:
        """Whether it may come so: neither the base nor a point of a frontier, which is a choice, counts in averages."""
        return self not in (Origin.BASE, Origin.FRONTIER)


@dataclass(frozen=True)
class Scenario:
    """What one run changes.

    Attributes:
        name: unlike those of the study's other scenarios.
        changes: as plain values, in order.
        odds: weight in averages, against the other scenarios.
        origin: the part of the study that it comes from.
        levels: the level of each axis, in words.
        values: the value of each axis that is a range.
        most: of each measure, what its plan is held to, in the measure's unit.
    """

    name: str
    changes: Sequence[PlainChange]
    odds: float = 1.0
    origin: Origin = Origin.LIST
    levels: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, float] = field(default_factory=dict)


def named(pairs: Iterable[tuple[str, Iterable[Change | PlainChange]]]) -> Iterator[Scenario]:
    """Scenarios from names and changes, whoever made them: the way into a study for other sources."""
    for name, changes in pairs:
        plain = [c.model_dump(mode="json", exclude_none=True) if isinstance(c, Change) else dict(c) for c in changes]
        yield Scenario(name, plain)


def scenarios_of(study: Study, dataset: Dataset | None = None, folder: Path = Path(), plan: Plan | None = None) -> Iterator[Scenario]:
    """Scenarios of a checked study file, always in the same order: the base, the list, the grid, the sample, the uncertainty, frontiers.

    Args:
        study: the study.
        dataset: the base; needed for an uncertainty.
        folder: of the study file.
        plan: the base plan; needed for a frontier.

    Raises:
        UncertaintyError: the uncertainty has faults.
        StudyError: the base plan has nothing of what a frontier is to cut.
        ValueError: there is an uncertainty and no dataset, or a frontier and no plan.
    """
    if study.baseline:
        yield Scenario(BASE, (), origin=Origin.BASE)
    for listed in study.scenarios.list:
        yield Scenario(listed.name, listed.changes, listed.odds)
    if study.scenarios.grid is not None:
        yield from _combined(study.scenarios.grid)
    if study.scenarios.sample is not None:
        yield from _sampled(study.scenarios.sample)
    if study.scenarios.uncertainty is not None:
        if dataset is None:
            raise ValueError("an uncertainty is drawn for a dataset")
        yield from _futures(study.scenarios.uncertainty, dataset, folder)
    for n, frontier in enumerate(study.scenarios.frontier):
        if plan is None:
            raise ValueError("a frontier begins at a plan")
        yield from _points(n, frontier, plan)


def _combined(grid: Grid) -> Iterator[Scenario]:
    names = [axis.name for axis in grid.axes]
    for levels in product(*(axis.levels for axis in grid.axes)):
        odds = 1.0
        for level in levels:
            odds *= level.odds
        chosen = dict(zip(names, (level.name for level in levels), strict=True))
        name = ", ".join(f"{axis}={level}" for axis, level in chosen.items())
        yield Scenario(name, tuple(change for level in levels for change in level.changes), odds, Origin.GRID, chosen)


def _sampled(sample: Sample) -> Iterator[Scenario]:
    drawn = {axis.name: strata(sample.runs, sample.seed, axis.name) for axis in sample.axes}
    width = len(str(sample.runs))
    for run in range(sample.runs):
        values: dict[str, Any] = {}
        numbers: dict[str, float] = {}
        levels: dict[str, str] = {}
        extra: list[PlainChange] = []
        for axis in sample.axes:
            u = drawn[axis.name][run]
            if axis.levels:
                level: SampleLevel = axis.levels[choice(u, [level.odds for level in axis.levels])]
                values[axis.name], levels[axis.name] = level.value, level.name
                extra += level.changes
            elif axis.low is not None and axis.high is not None:
                value = number(u, axis.low, axis.high, axis.whole)
                values[axis.name], numbers[axis.name], levels[axis.name] = value, float(value), f"{value:.6g}"
        changes = (*filled(sample.changes, values), *extra)
        yield Scenario(f"sample {run + 1:0{width}d}", changes, 1.0, Origin.SAMPLE, levels, numbers)


def _futures(source: Futures, dataset: Dataset, folder: Path) -> Iterator[Scenario]:
    """Futures by their odds; what happens in so many of them that their mean says something, and not in all, is an axis."""
    drawn = draw(_uncertainty(source, dataset, folder), dataset, source.runs, source.seed)
    times = Counter(what for future in drawn for what in set(future.happened))
    axes = [what for what, number in times.items() if max(2, OFTEN * len(drawn)) <= number < len(drawn)]
    for scenario, future in zip(named((f.name, f.changes) for f in drawn), drawn, strict=True):
        levels = {what: HAPPENS if what in future.happened else HAPPENS_NOT for what in axes}
        yield replace(scenario, odds=future.probability * len(drawn), origin=Origin.UNCERTAINTY, levels=levels)


def _uncertainty(source: Futures, dataset: Dataset, folder: Path) -> Uncertainty:
    """Sources from their file, or as they stand in the study; faults of the latter say where."""
    if source.sources is None:
        return read_uncertainty(folder / (source.file or ""), dataset)
    try:
        return from_plain(source.sources, dataset, "scenarios.uncertainty.sources")
    except UncertaintyError as error:
        raise UncertaintyError([replace(fault, pointer=SOURCES + fault.pointer) for fault in error.faults]) from None


def _points(n: int, frontier: Frontier, plan: Plan) -> Iterator[Scenario]:
    """Points of a frontier, the loosest first."""
    measure = frontier.measure
    total = measured(plan.tables)[measure]
    if total <= 0:
        what = f"scenarios, frontier {n + 1}"
        allowed = "a measure of which there is something to cut"
        raise StudyError(
            [
                Fault(
                    "study",
                    "is nothing of the base plan",
                    what,
                    "measure",
                    measure.value,
                    allowed,
                    code="nothing_to_cut",
                    pointer=f"/scenarios/frontier/{n}/measure",
                )
            ]
        )
    for share in sorted(set(frontier.shares), reverse=True):
        amount = share * total
        name = f"{measure.value} at most {share:.4g} of the base plan's"
        yield Scenario(name, (), 1.0, Origin.FRONTIER, {measure.value: f"{share:.4g}"}, {measure.value: amount}, {measure.value: amount})


def filled(template: Sequence[Any], values: Mapping[str, Any]) -> list[Any]:
    """The template with each ``$axis`` replaced by that axis' value."""
    return [_filled(part, values) for part in template]


def _filled(part: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(part, Mapping):
        return {key: _filled(value, values) for key, value in part.items()}
    if isinstance(part, (list, tuple)):
        return [_filled(value, values) for value in part]
    if isinstance(part, str) and part.startswith(SIGN) and part[1:] in values:
        return values[part[1:]]
    return part


def placeholders(part: Any) -> Iterator[str]:
    """Names of the axes that a template uses."""
    if isinstance(part, Mapping):
        part = tuple(part.values())
    if isinstance(part, (list, tuple)):
        for value in part:
            yield from placeholders(value)
    elif isinstance(part, str) and part.startswith(SIGN):
        yield part[1:]

"""Reading a study file: types, names, sizes, ranges and changes, every fault at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from models.changes import ChangeError, read_changes
from models.faults import Fault, closest
from models.files.yaml_file import load_yaml
from models.study.faults import StudyError, fault, faults_of, pointer_of
from models.study.file import BASE, MOST_RUNS, Sample, SampleAxis, Study, StudyMode
from models.study.scenarios import SIGN, filled, placeholders

Path_ = tuple[object, ...]


def read_study(path: Path) -> Study:
    """A study from a YAML or JSON file.

    Raises:
        StudyError: with every fault found; whether ids exist is checked against the dataset later.
    """
    document = load_yaml(path, "a YAML or JSON file of a study (docs/studies.md)")
    if isinstance(document, Fault):
        raise StudyError([document])
    return study_of(document, str(path))


def study_of(document: object, label: str = "study") -> Study:
    """A study from plain values.

    Args:
        document: as YAML or JSON gives it.
        label: what faults call the file.

    Raises:
        StudyError: with every fault found.
    """
    try:
        study = Study.model_validate(document)
    except ValidationError as error:
        raise StudyError([*faults_of(error, Study, document, label), *_of_changes(document, label)]) from None
    runs = study.count()
    if runs > MOST_RUNS:
        raise StudyError([_too_many(study, runs, document, label)])
    faults = list(_Checks(study, document, label).faults())
    if faults:
        raise StudyError(faults)
    return study


def _of_changes(document: object, label: str) -> Iterator[Fault]:
    """Faults of changes in a document whose frame has faults too; templates are left out, whose values are not known yet."""
    scenarios = document.get("scenarios") if isinstance(document, Mapping) else None
    if not isinstance(scenarios, Mapping):
        return
    for source in ("list", "grid"):
        for path, changes in _lists(scenarios.get(source), ("scenarios", source)):
            for found in _read(changes, path):
                yield fault(
                    label, document, (*path, *_parts(found, path)), found.problem, found.code,
                    value=found.value, allowed=found.allowed, near=found.suggestion,
                )  # fmt: skip


def _lists(part: object, path: Path_) -> Iterator[tuple[Path_, list[Any]]]:
    """Lists of changes with their paths."""
    if isinstance(part, Mapping):
        for key, value in part.items():
            if key == "changes" and isinstance(value, list):
                yield (*path, key), value
            else:
                yield from _lists(value, (*path, key))
    elif isinstance(part, list):
        for n, value in enumerate(part):
            yield from _lists(value, (*path, n))


def _read(changes: Sequence[Any], path: Path_) -> Sequence[Fault]:
    try:
        read_changes(list(changes), pointer_of(path))
    except ChangeError as error:
        return error.faults
    return ()


def _parts(found: Fault, path: Path_) -> Path_:
    """What a fault's pointer says below a path."""
    below = found.pointer.removeprefix(pointer_of(path)).strip("/").split("/")
    return tuple(int(part) if part.isdigit() else part for part in below if part)


def _too_many(study: Study, runs: int, document: object, label: str) -> Fault:
    """Told before anything is made of the study."""
    grid = study.scenarios.grid
    of_grid = " x ".join(str(len(axis.levels)) for axis in grid.axes) if grid is not None else ""
    problem = f"{runs:,} runs" + (f" ({of_grid} of the grid)" if of_grid else "")
    return fault(
        label, document, ("scenarios",), problem, "too_many", allowed=f"at most {MOST_RUNS:,} runs; a sample covers as much with fewer"
    )


class _Checks:
    """What types alone do not say of a study."""

    def __init__(self, study: Study, document: object, label: str) -> None:
        self.study, self.document, self.label = study, document, label

    def fault(self, path: Path_, problem: str, code: str, **more: Any) -> Fault:
        return fault(self.label, self.document, path, problem, code, **more)

    def faults(self) -> Iterator[Fault]:
        """Every fault."""
        listed, grid, sample = self.study.scenarios.list, self.study.scenarios.grid, self.study.scenarios.sample
        frontiers = self.study.scenarios.frontier
        if not listed and grid is None and sample is None and self.study.scenarios.uncertainty is None and not frontiers:
            allowed = "one or several of list, grid, sample, uncertainty, frontier"
            yield self.fault(("scenarios",), "has no scenario", "missing_value", allowed=allowed)
        yield from self._names(("scenarios", "list"), [s.name for s in listed], reserved=(BASE,))
        for n, scenario in enumerate(listed):
            yield from self._changes(("scenarios", "list", n), scenario.changes, f"scenario {scenario.name!r}")
        if grid is not None:
            at: Path_ = ("scenarios", "grid", "axes")
            yield from self._names(at, [axis.name for axis in grid.axes])
            for a, axis in enumerate(grid.axes):
                yield from self._names((*at, a, "levels"), [level.name for level in axis.levels])
                for n, level in enumerate(axis.levels):
                    yield from self._changes((*at, a, "levels", n), level.changes, f"axis {axis.name!r}, level {level.name!r}")
        if sample is not None:
            yield from self._sample(sample)
        yield from self._frontiers()
        if grid is not None and sample is not None:
            same = {axis.name for axis in grid.axes} & {axis.name for axis in sample.axes}
            for n, drawn in enumerate(sample.axes):
                if drawn.name in same:
                    path = ("scenarios", "sample", "axes", n, "name")
                    yield self.fault(path, "is an axis of the grid too", "duplicate_id", value=drawn.name, allowed="another name")

    def _frontiers(self) -> Iterator[Fault]:
        """A measure has one frontier, and a plan that is only scored has none."""
        frontiers, at = self.study.scenarios.frontier, ("scenarios", "frontier")
        if frontiers and self.study.mode is StudyMode.EVALUATE:
            yield self.fault(at, "needs plans of its own", "bad_combination", allowed="mode repair or reoptimize")
        axes = {
            axis.name for source in (self.study.scenarios.grid, self.study.scenarios.sample) if source is not None for axis in source.axes
        }
        for n, frontier in enumerate(frontiers):
            if frontier.measure in [other.measure for other in frontiers[:n]]:
                yield self.fault(
                    (*at, n, "measure"), "is there already", "duplicate_id", value=frontier.measure.value, allowed="another measure"
                )
            if frontier.measure.value in axes:
                yield self.fault(
                    (*at, n, "measure"),
                    "is the name of an axis too",
                    "duplicate_id",
                    value=frontier.measure.value,
                    allowed="another name of the axis",
                )

    def _names(self, at: Path_, names: Sequence[str], reserved: Iterable[str] = ()) -> Iterator[Fault]:
        seen = set(reserved)
        for n, name in enumerate(names):
            if name in seen:
                word = "is kept for the run without changes" if name in set(reserved) else "is there already"
                yield self.fault((*at, n, "name"), word, "duplicate_id", value=name, allowed="a name of its own")
            seen.add(name)

    def _changes(self, at: Path_, changes: Sequence[Any], who: str) -> Iterator[Fault]:
        for found in _read(changes, (*at, "changes")):
            yield replace(found, table=self.label, row=f"{who}, {found.row}".rstrip(", "))

    def _sample(self, sample: Sample) -> Iterator[Fault]:
        at: Path_ = ("scenarios", "sample", "axes")
        names = [axis.name for axis in sample.axes]
        used = set(placeholders(sample.changes))
        yield from self._names(at, names)
        for name in sorted(used - set(names)):
            near = closest(name, names)
            allowed = "" if near else "one of " + ", ".join(SIGN + n for n in names)
            path: Path_ = ("scenarios", "sample", "changes")
            yield self.fault(path, "no such axis", "unknown_id", value=SIGN + name, allowed=allowed, near=SIGN + near if near else "")
        wrong = False
        for n, axis in enumerate(sample.axes):
            found = [*self._range((*at, n), axis), *self._levels((*at, n), axis, axis.name in used)]
            wrong = wrong or bool(found)
            yield from found
            if not axis.levels and axis.name not in used:
                problem = f"is used nowhere: no {SIGN}{axis.name} in the sample's changes"
                yield self.fault((*at, n, "name"), problem, "unused", value=axis.name)
        if not wrong and used <= set(names):
            yield from self._ends(sample)

    def _range(self, at: Path_, axis: SampleAxis) -> Iterator[Fault]:
        if axis.levels:
            for key in ("low", "high"):
                if getattr(axis, key) is not None:
                    yield self.fault(
                        (*at, key), "stands beside levels", "bad_combination", value=getattr(axis, key), allowed="low and high, or levels"
                    )
            return
        missing = [key for key in ("low", "high") if getattr(axis, key) is None]
        for key in missing:
            yield self.fault((*at, key), "is missing", "missing_value", allowed="low and high, or levels")
        if missing or axis.low is None or axis.high is None:
            return
        if not axis.low < axis.high:
            yield self.fault((*at, "high"), "is not above low", "reversed_range", value=axis.high, allowed=f"a number above {axis.low:g}")
        for key, value in (("low", axis.low), ("high", axis.high)):
            if axis.whole and not float(value).is_integer():
                yield self.fault((*at, key), "is not a whole number", "not_whole", value=value, allowed="a whole number, or whole: false")

    def _levels(self, at: Path_, axis: SampleAxis, used: bool) -> Iterator[Fault]:
        yield from self._names((*at, "levels"), [level.name for level in axis.levels])
        for n, level in enumerate(axis.levels):
            yield from self._changes((*at, "levels", n), level.changes, f"axis {axis.name!r}, level {level.name!r}")
            if used and level.value is None:
                yield self.fault(
                    (*at, "levels", n, "value"), f"is missing: the changes use {SIGN}{axis.name}", "missing_value", allowed="a value"
                )

    def _ends(self, sample: Sample) -> Iterator[Fault]:
        """Faults of the template with the lowest and the highest values: between them nothing else can be wrong."""
        told: set[str] = set()
        for end in ("low", "high"):
            values: dict[str, Any] = {}
            for axis in sample.axes:
                value = getattr(axis, end)
                values[axis.name] = axis.levels[0 if end == "low" else -1].value if axis.levels else int(value) if axis.whole else value
            for found in self._changes(("scenarios", "sample"), filled(sample.changes, values), f"sample with {end}est values"):
                if found.pointer not in told:
                    told.add(found.pointer)
                    yield found

"""Whether a dataset takes the changes of scenarios: told before the first solve, with the scenario's name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from models.changes import ChangeError, apply, read_changes
from models.dataset import Dataset
from models.faults import Fault
from models.plan import Plan
from models.study.faults import StudyError
from models.study.scenarios import Origin, Scenario

TRIED = 40
"""Most scenarios that are tried before the first solve; faults of the others are told as their runs' results."""
TOLD = 50
"""Most faults that are told."""


def first_tried(scenarios: Sequence[Scenario], most: int = TRIED) -> list[Scenario]:
    """The scenarios to try: first those with a level that none before has, then the others in their order.

    Futures of an uncertainty are left out, as its reader has tried each of their changes, and points of a frontier, which change nothing.
    """
    seen: set[tuple[str, str]] = set()
    first: list[Scenario] = []
    rest: list[Scenario] = []
    for scenario in scenarios:
        if scenario.origin in (Origin.UNCERTAINTY, Origin.FRONTIER):
            continue
        new = {item for item in scenario.levels.items() if item[0] not in scenario.values} - seen
        (first if new or not scenario.levels else rest).append(scenario)
        seen |= new
    return [*first, *rest][:most]


def check_scenarios(dataset: Dataset, scenarios: Sequence[Scenario], baseline: Plan | None, label: str, most: int = TRIED) -> int:
    """Read all scenarios' changes, and apply those of the first ones.

    Args:
        dataset: the base.
        scenarios: of the study.
        baseline: the base plan, for freezes.
        label: what faults call the study.
        most: scenarios to apply.

    Returns:
        How many were applied.

    Raises:
        StudyError: with the faults of all scenarios tried; one that many share is told of the first, with their number.
    """
    tried = first_tried(scenarios, most)
    found: dict[tuple[str, ...], list[Fault]] = {}
    for scenario, faults in _faults(dataset, scenarios, tried, baseline):
        for fault in faults:
            told = replace(fault, table=label, row=f"scenario {scenario.name!r}, {fault.row}".rstrip(", "), pointer="")
            found.setdefault((fault.column, fault.problem, fault.value, fault.allowed), []).append(told)
    if found:
        shared = [_with_number(faults) for faults in found.values()]
        raise StudyError(shared[:TOLD])
    return len(tried)


def _faults(
    dataset: Dataset, scenarios: Sequence[Scenario], tried: Sequence[Scenario], baseline: Plan | None
) -> Iterator[tuple[Scenario, Sequence[Fault]]]:
    chosen = {scenario.name for scenario in tried}
    for scenario in scenarios:
        try:
            changes = read_changes(list(scenario.changes))
            if scenario.name in chosen:
                apply(dataset, changes, baseline)
        except ChangeError as error:
            yield scenario, error.faults


def _with_number(faults: Sequence[Fault]) -> Fault:
    more = len(faults) - 1
    return (
        replace(faults[0], problem=f"{faults[0].problem} (and so in {more} more {'scenario' if more == 1 else 'scenarios'})")
        if more
        else faults[0]
    )

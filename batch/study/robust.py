"""Which decisions hold whatever comes: how often each is the same over the runs' plans, and by when it must be made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from batch.decided import INSTALL, NOT, Decided, Due, LeadTimes, Question, answers, decisions_of
from batch.study.asked import Asked
from batch.study.journal import Entry
from batch.study.results import DECIDED
from models.study import Scenario

ROBUST = 0.95
"""Share of the odds from which on a decision is called robust."""


@dataclass(frozen=True)
class Robust:
    """A decision over all plans of a study, the base's not counted.

    Attributes:
        question: what is decided.
        base: the base plan's answer.
        common: the most common answer.
        runs: plans.
        same_as_base, same_as_common: plans that answer so.
        share_base, share_common: the same by odds.
        due: by when it must be made; None where the most common answer is not to do it and no plan does.
        earliest: the earliest such period over all plans that do it.
        at_least: of racks, the fewest installed in any plan.
        at_most: of racks, the most.
        depends_on: the axis whose levels tell the answers apart best; empty where none does.
    """

    question: Question
    base: str
    common: str
    runs: int
    same_as_base: int
    same_as_common: int
    share_base: float
    share_common: float
    due: Due | None
    earliest: str
    at_least: float
    at_most: float
    depends_on: str

    @property
    def robust(self) -> bool:
        """Whether nearly all plans decide the same."""
        return self.share_common >= ROBUST


@dataclass(frozen=True)
class _Counted:
    """A plan that counts."""

    run: int
    odds: float
    decided: list[Decided]


class _Made(NamedTuple):
    """A decision with the plan that makes it, None for the base plan, and how it answers its question."""

    run: int | None
    answer: str
    decision: Decided


def robust(asked: Asked, entries: Mapping[int, Entry]) -> list[Robust]:
    """Every decision that some plan makes, those to be made first first.

    Args:
        asked: the study.
        entries: runs that have ended.
    """
    plans = [
        _Counted(run, asked.scenarios[run].odds, [Decided(*decision) for decision in entries[run]["decisions"]])
        for run in sorted(entries)
        if entries[run]["row"]["status"] in DECIDED and asked.scenarios[run].origin.counts
    ]
    if not plans:
        return []
    base_decided = decisions_of(asked.plan)
    base = answers(base_decided)
    told = [answers(plan.decided) for plan in plans]
    questions = dict.fromkeys([*base, *(question for found in told for question in found)])
    made: dict[Question, list[_Made]] = defaultdict(list)
    for run, decided, found in [(None, base_decided, base), *((p.run, p.decided, t) for p, t in zip(plans, told, strict=True))]:
        for decision in decided:
            question = _question(decision)
            made[question].append(_Made(run, found[question], decision))
    odds = [plan.odds for plan in plans]
    leads, axes = LeadTimes(asked.dataset), _axes(asked, [plan.run for plan in plans])
    rows = [_one(axes, leads, question, base, told, odds, plans, made[question]) for question in questions]
    return sorted(rows, key=lambda row: (row.due is None, row.due.period if row.due else "", row.question))


def _question(decision: Decided) -> Question:
    if decision.kind == INSTALL:
        return Question(INSTALL, decision.id, decision.period)
    return Question("sign" if decision.kind == "decline" else decision.kind, decision.id)


def _one(
    axes: Sequence[_Axis], leads: LeadTimes, question: Question, base: Mapping[Question, str], told: Sequence[Mapping[Question, str]],
    odds: Sequence[float], plans: Sequence[_Counted], made: Sequence[_Made],
) -> Robust:  # fmt: skip
    found = [answer.get(question, NOT[question.kind]) for answer in told]
    weight: dict[str, float] = defaultdict(float)
    for answer, share in zip(found, odds, strict=True):
        weight[answer] += share
    common = max(weight, key=lambda answer: (weight[answer], answer == base.get(question), answer))
    ours, total = base.get(question, NOT[question.kind]), sum(odds)
    doing = [m for m in made if m.decision.kind != "decline"]
    due = [leads.due(m.decision) for m in doing]
    as_common = [leads.due(m.decision) for m in doing if m.answer == common]
    declined = [Due(m.decision.period) for m in made if m.decision.kind == "decline"]
    dues = as_common or sorted(due, key=lambda d: d.period) or declined
    racks = [m.decision.amount for m in doing if m.run is not None] if question.kind == INSTALL else []
    racks += [0.0] * (len(racks) < len(plans))
    return Robust(
        question=question, base=ours, common=common, runs=len(plans),
        same_as_base=sum(answer == ours for answer in found), same_as_common=sum(answer == common for answer in found),
        share_base=weight.get(ours, 0.0) / total, share_common=weight[common] / total,
        due=dues[0] if dues else None, earliest=min((d.period for d in due), default=""),
        at_least=min(racks), at_most=max(racks),
        depends_on=_depends_on(axes, [answer == common for answer in found], np.asarray(odds)),
    )  # fmt: skip


@dataclass(frozen=True)
class _Axis:
    """Levels of an axis over the plans that count.

    Attributes:
        name: of the axis.
        levels: its levels; a range has its lower and its upper half.
        at: number of each plan's level; shape (plans on the axis,).
        plans: places of these plans among all that count; shape (plans on the axis,).
    """

    name: str
    levels: list[str]
    at: NDArray[np.int64]
    plans: NDArray[np.int64]


def _axes(asked: Asked, runs: Sequence[int]) -> list[_Axis]:
    """Axes with more than one level among the plans."""
    found = []
    for axis in asked.axes:
        values = [asked.scenarios[run].values[axis] for run in runs if axis in asked.scenarios[run].values]
        middle = (min(values) + max(values)) / 2 if values else 0.0
        own = [(n, level) for n, run in enumerate(runs) if (level := _level(asked.scenarios[run], axis, middle)) is not None]
        levels = list(dict.fromkeys(level for _, level in own))
        if len(levels) > 1:
            number = {level: n for n, level in enumerate(levels)}
            found.append(_Axis(axis, levels, np.array([number[level] for _, level in own]), np.array([n for n, _ in own])))
    return found


def _level(scenario: Scenario, axis: str, middle: float) -> str | None:
    """Level of a scenario on an axis; of a range, its lower or upper half."""
    if axis in scenario.values:
        return f"above {middle:.4g}" if scenario.values[axis] > middle else f"up to {middle:.4g}"
    return scenario.levels.get(axis)


def _depends_on(axes: Sequence[_Axis], same: Sequence[bool], odds: NDArray[np.float64]) -> str:
    """The axis at whose levels the share of the most common answer differs most, with the level at which it is lowest."""
    best, words = 1e-9, ""
    if all(same):
        return words
    alike = odds * np.asarray(same)
    for axis in axes:
        share = np.bincount(axis.at, alike[axis.plans]) / np.bincount(axis.at, odds[axis.plans])
        low = int(share.argmin())
        if share.max() - share[low] > best:
            best, words = float(share.max() - share[low]), f"{axis.name}: {axis.levels[low]}"
    return words

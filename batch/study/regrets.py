"""Regrets: what the decisions of one plan would earn under the scenarios of other runs, against the best known there.

Plans that differ most are chosen one after the other: the base plan, then always the one whose nearest chosen plan is farthest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from batch.decided import decisions_of
from batch.engine import Job, Outcome
from batch.study.asked import Asked
from batch.study.folder import Folder
from batch.study.journal import Entry
from batch.study.results import PLANNED
from models.study import Origin

BASE_PLAN = -1
"""Number of the base plan among the plans."""
Decisions = frozenset[tuple[object, ...]]


@dataclass(frozen=True)
class Wish:
    """Plans to try under one scenario; plans and scenario are numbers of runs."""

    scenario: int
    plans: tuple[int, ...]


def distance(one: Decisions, other: Decisions) -> float:
    """Share of the decisions of either plan that only one of them has."""
    both = len(one | other)
    return 1.0 - len(one & other) / both if both else 0.0


def most_different(plans: Mapping[int, Decisions], most: int) -> list[int]:
    """Numbers of the plans that differ most, the lowest number first; equal plans once."""
    chosen: list[int] = []
    nearest = dict.fromkeys(plans, 2.0)
    while nearest and len(chosen) < most:
        best = max(nearest, key=lambda run: (nearest[run], -run))
        if nearest[best] == 0.0:
            break
        chosen.append(best)
        del nearest[best]
        for run in nearest:
            nearest[run] = min(nearest[run], distance(plans[run], plans[best]))
    return chosen


def evenly(runs: Sequence[int], most: int) -> list[int]:
    """At most so many of the runs, evenly spread."""
    return list(runs) if len(runs) <= most else [runs[n * len(runs) // most] for n in range(most)]


def chosen(asked: Asked, folder: Folder) -> tuple[list[int], list[int]]:
    """Plans to try, and scenarios to try them under; nothing where a study makes no plans of its own."""
    entries = folder.finished()
    if not asked.regret.plans or asked.mode == "evaluate":
        return [], []
    planned = sorted(
        run for run, entry in entries.items()
        if entry["row"]["status"] in PLANNED and asked.scenarios[run].origin is not Origin.FRONTIER  # its plans are choices of other limits
    )  # fmt: skip
    there = folder.kept_plans()
    plans: dict[int, Decisions] = {BASE_PLAN: frozenset(tuple(d) for d in decisions_of(asked.plan))}
    plans |= {run: _decisions(entries[run]) for run in planned if run in there}
    tried = most_different(plans, asked.regret.plans)
    return tried, _scenarios(planned, tried, asked.regret.scenarios)


def _scenarios(planned: Sequence[int], tried: Sequence[int], most: int) -> list[int]:
    """Scenarios to try plans under: those that the plans were made for, and others evenly spread."""
    home = [run for run in planned if run in set(tried)][:most]
    return sorted([*home, *evenly([run for run in planned if run not in set(home)], most - len(home))])


def _decisions(entry: Entry) -> Decisions:
    return frozenset(tuple(decision) for decision in entry["decisions"])


def known(folder: Folder, plans: Iterable[int]) -> dict[int, Entry]:
    """Entries of the table for just these plans, by scenario."""
    wanted = list(plans)
    return {int(entry["run"]): entry for entry in folder.regrets.entries if entry["plans"] == wanted}


def wanted(asked: Asked, folder: Folder) -> list[Wish]:
    """What is not tried yet."""
    plans, scenarios = chosen(asked, folder)
    if len(plans) < 2:
        return []
    done = known(folder, plans)
    return [Wish(run, tuple(plans)) for run in scenarios if run not in done]


def job(asked: Asked, folder: Folder, wish: Wish) -> Job:
    """The evaluation of plans under a scenario."""
    there = folder.kept_plans()
    others = [there[run].read_bytes() for run in wish.plans if run != BASE_PLAN]
    return Job(
        run_id=f"regret-{wish.scenario}", attempt=1, dataset=asked.dataset_bytes, baseline=asked.plan_bytes, others=others,
        changes=[dict(c) for c in asked.scenarios[wish.scenario].changes], mode="evaluate", time_limit=max(600.0, asked.time_limit),
    )  # fmt: skip


def take(folder: Folder, wishes: Sequence[Wish], job: Job, outcome: Outcome) -> None:
    """Keep what plans earn under a scenario; nothing where the evaluation failed, so that it is done again."""
    run = int(job.run_id.removeprefix("regret-"))
    plans = next(wish.plans for wish in wishes if wish.scenario == run)
    if outcome.get("evaluation") is None:
        return
    found = [outcome["evaluation"], *outcome.get("evaluations", [])]
    folder.regrets.append(
        {
            "run": run, "plans": list(plans), "npv_usd": [evaluation["npv_usd"] for evaluation in found],
            "broken": [len(evaluation["violations"]) for evaluation in found],
            "first": [evaluation["violations"][0]["message"] if evaluation["violations"] else "" for evaluation in found],
        }
    )  # fmt: skip


def tidy(asked: Asked, folder: Folder) -> None:
    """Delete kept plans that the table does not need."""
    folder.drop_plans(set(chosen(asked, folder)[0]))

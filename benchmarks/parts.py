"""Figures of each part of the benchmark beside the comparison: generated instances, ablation, build, growth, what-ifs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.figures import Searched, generated_size, instances, known, median
from benchmarks.measures import AtLeast, Growth, Spread, growth, mean_time, spread, time_to_gap
from benchmarks.runs import REFERENCE, Result

PLANNED = 32
"""Sites of the generated instances that are compared one by one."""
EXPECTED = 10
"""How many of them the goals ask for."""


def finite(value: float) -> float | None:
    """None for what was not reached."""
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class Several:
    """One search on several instances: times to a gap, each the median of its seeds.

    Attributes:
        mean: shifted by 0; not reached counts as the budget, and makes it a lower limit.
        worst: largest; likewise.
    """

    times: dict[str, float]
    budgets: dict[str, float]

    @property
    def mean(self) -> AtLeast:
        return mean_time([finite(t) for t in self.times.values()], list(self.budgets.values()))

    @property
    def worst(self) -> AtLeast:
        return max(
            (AtLeast(min(t, self.budgets[name]), math.isfinite(t)) for name, t in self.times.items()),
            key=lambda found: (found.value, not found.exact),
        )


def generated(found: dict[str, dict[str, Searched]], gap: float) -> dict[str, Several]:
    """Times to a gap on the generated instances of the reference's size, by search; only searches with a bound."""
    here = {name: peers for name, peers in found.items() if generated_size(name) == PLANNED}
    everyone = [peer for peer in ("wattplan", "highs", "highs_start", "scip") if any(peer in peers for peers in here.values())]
    return {
        peer: Several(
            {name: median(peers[peer].proven(gap)) for name, peers in here.items() if peer in peers},
            {name: peers[peer].budget for name, peers in here.items() if peer in peers},
        )
        for peer in everyone
    }


@dataclass(frozen=True)
class Ablated:
    """The planner without an ingredient, on the instances on which the whole planner ran the same way too.

    Attributes:
        without: the ingredient; empty for the whole planner.
        mean: geometric mean of the time to a gap, seconds.
        times: ratio of the mean to the whole planner's; None for the whole planner or if neither reached the gap anywhere.
        gap: mean of the gap at the end against the best bound; infinite if there was no plan somewhere.
        reached, count: instances on which the gap was reached, and all.
        seconds: by instance.
    """

    without: str
    mean: AtLeast
    times: AtLeast | None
    gap: float
    reached: int
    count: int
    seconds: dict[str, float]


def ablation(results: Sequence[Result], gap: float) -> list[Ablated]:
    """The whole planner first, then without each ingredient, worst first; empty without such runs."""
    ours = [r for r in results if r.run.peer == "wattplan"]
    whole = {(*r.run.key[:1], *r.run.key[2:6]): r for r in ours if not r.run.without}
    pairs: dict[str, list[tuple[Result, Result]]] = {}
    for r in ours:
        base = whole.get((*r.run.key[:1], *r.run.key[2:6]))
        if r.run.without and base is not None:
            pairs.setdefault(", ".join(r.run.without), []).append((r, base))
    if not pairs:
        return []
    every = {base.run.key: base for there in pairs.values() for _, base in there}
    lines = [_ablated(results, "", list(every.values()), gap, None)]
    for name, there in pairs.items():
        before = _ablated(results, "", [base for _, base in there], gap, None)
        lines.append(_ablated(results, name, [r for r, _ in there], gap, before))
    return lines[:1] + sorted(lines[1:], key=lambda line: (line.reached / line.count, -line.mean.value))


def _ablated(results: Sequence[Result], name: str, runs: Sequence[Result], gap: float, before: Ablated | None) -> Ablated:
    order = instances(r.run.instance for r in runs)
    runs = sorted(runs, key=lambda r: order.index(r.run.instance))
    times = [time_to_gap(r.trajectory, gap, limit=r.run.budget) for r in runs]
    mean = mean_time(times, [r.run.budget for r in runs])
    gaps = [Searched((r,), known(results, r.run.instance)).best_gap[0] for r in runs]
    ratio = None
    # A lower limit above the line is one of the ratio; below it, it says nothing.
    if before is not None and before.mean.exact:
        ratio = AtLeast(mean.value / before.mean.value, mean.exact)
    return Ablated(
        name, mean, ratio, math.fsum(gaps) / len(gaps), sum(t is not None for t in times), len(times),
        {r.run.instance: math.inf if t is None else t for r, t in zip(runs, times, strict=True)},
    )  # fmt: skip


@dataclass(frozen=True)
class Built:
    """One way of building the model and handing it over, CPU seconds of all repeats."""

    build: list[float]
    after: list[float]

    @property
    def total(self) -> list[float]:
        return [b + a for b, a in zip(self.build, self.after, strict=True)]


def builds(results: Iterable[Result]) -> dict[str, Built]:
    """Each way of building the reference's model, over all repeats."""
    found: dict[str, Built] = {}
    for r in results:
        if r.run.peer == "build" and r.run.instance == REFERENCE:
            for way, steps in r.phases.items():
                line = found.setdefault(way, Built([], []))
                line.build.append(float(steps["build"]))
                line.after.append(math.fsum(v for step, v in steps.items() if step not in ("build", "total")))
    return found


def hand_over(results: Iterable[Result], way: str) -> float:
    """Seconds in which this project's way passes the model to the solver, median of all repeats; nan if not measured."""
    return median([float(r.phases[way]["hand over"]) for r in results if r.run.peer == "build" and way in r.phases])


@dataclass(frozen=True)
class Size:
    """The planner on instances of one number of sites; times are infinite where the gap was not reached."""

    sites: int
    results: tuple[Result, ...]
    times: list[float]

    @property
    def budget(self) -> float:
        return self.results[0].run.budget

    @property
    def peak_gib(self) -> float:
        """Most memory of any."""
        return max(r.peak_mib for r in self.results) / 1024

    def sizes(self, name: str) -> list[float]:
        """Rows, columns or nonzeros, as far as known."""
        return [float(r.sizes[name]) for r in self.results if name in r.sizes]


def growing(results: Iterable[Result], gap: float) -> list[Size]:
    """The planner by number of sites: of the runs on generated instances, those with the largest budget of their size.

    At the size of the comparison only as many seeds count as the other sizes have, so that all count alike.
    """
    ours = [r for r in results if r.run.peer == "wattplan" and not r.run.without and generated_size(r.run.instance) is not None]
    by_size: dict[int, list[Result]] = {}
    for r in ours:
        by_size.setdefault(generated_size(r.run.instance) or 0, []).append(r)
    chosen = {n: [r for r in runs if r.run.budget == max(o.run.budget for o in runs)] for n, runs in by_size.items()}
    larger = [len(runs) for n, runs in chosen.items() if n != PLANNED]
    lines = []
    for n, runs in sorted(chosen.items()):
        order = instances(r.run.instance for r in runs)
        some = sorted(runs, key=lambda r: order.index(r.run.instance))[: max(larger) if n == PLANNED and larger else None]
        times = [time_to_gap(r.trajectory, gap, limit=r.run.budget) for r in some]
        lines.append(Size(n, tuple(some), [math.inf if t is None else t for t in times]))
    return lines


def missed(sizes: Iterable[Size]) -> list[Size]:
    """Numbers of sites with a run that did not reach the gap."""
    return [s for s in sizes if not all(math.isfinite(t) for t in s.times)]


def exponent(sizes: Sequence[Size]) -> Growth | None:
    """Growth of the time with the sites, over the sizes at which all runs reached the gap; None of fewer than two."""
    there = [s for s in sizes if s not in missed(sizes)]
    if len(there) < 2:
        return None
    points = [(float(s.sites), max(t, 1e-3)) for s in there for t in s.times]
    return growth([n for n, _ in points], [t for _, t in points])


@dataclass(frozen=True)
class Whatif:
    """One change answered, and planned anew; seconds are infinite where the gap was not reached.

    Attributes:
        type: of the change.
        seconds, anew: to an answer and to a new plan, wall clock.
        gap, anew_gap: of them; None where there is no plan.
        note, anew_note: why there is none.
    """

    type: str
    seconds: float
    anew: float
    gap: float | None
    anew_gap: float | None
    note: str
    anew_note: str
    budget: float

    @property
    def ratio(self) -> AtLeast | None:
        """How many times longer planning anew took; a lower limit where it did not reach the gap; None without an answer."""
        if not math.isfinite(self.seconds):
            return None
        return AtLeast(min(self.anew, self.budget) / max(self.seconds, 1e-3), math.isfinite(self.anew))


def whatifs(results: Iterable[Result]) -> list[Whatif]:
    """All changes asked of the reference plan that have a plan, by either way."""
    found = []
    for r in results:
        if r.run.peer != "whatif" or r.run.instance != REFERENCE:
            continue
        for change in r.phases.get("changes", ()):
            if change["note"] == "infeasible" and change["anew_note"] == "infeasible":
                continue
            found.append(_whatif(change, r.run.gap, r.run.budget))
    return found


def _whatif(change: dict[str, Any], gap: float, budget: float) -> Whatif:
    def reached(value: float | None) -> bool:
        return value is not None and value <= gap * (1 + 1e-9)

    return Whatif(
        change["type"],
        float(change["seconds"]) if reached(change["gap"]) else math.inf,
        float(change["anew_seconds"]) if reached(change["anew_gap"]) else math.inf,
        change["gap"], change["anew_gap"], change["note"], change["anew_note"], budget,
    )  # fmt: skip


def infeasible(results: Iterable[Result]) -> int:
    """Changes that both ways find infeasible."""
    changes = [c for r in results if r.run.peer == "whatif" for c in r.phases.get("changes", ())]
    return sum(c["note"] == c["anew_note"] == "infeasible" for c in changes)


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that at least this share of all does not exceed; nan of nothing."""
    return sorted(values)[max(0, math.ceil(share * len(values) - 1e-9) - 1)] if values else math.nan


def quicker(changes: Sequence[Whatif]) -> tuple[AtLeast, Spread] | None:
    """Median of how many times longer planning anew took, and its spread; a change without an answer counts as 0 times.

    The median is a lower limit if planning anew did not reach the gap for a change at or below it.
    """
    if not changes:
        return None
    found = sorted((change.ratio or AtLeast(0.0, True) for change in changes), key=lambda ratio: ratio.value)
    s = spread([ratio.value for ratio in found])
    return AtLeast(s.median, all(ratio.exact for ratio in found if ratio.value <= s.median)), s

"""Figures of the report, from results: pure functions, so that nothing in the report is typed in.

All searches of an instance are judged against the same bound: the least that any search of that instance ended with and
that no checked plan proves false.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.measures import AtLeast, Spread, final_gap, gap_of, primal_integral, spread, time_to_gap, times_faster
from benchmarks.runs import Result

GAPS = (0.01, 0.003, 0.001)
"""Gaps that times are taken to."""
SEARCHES = ("wattplan", "highs", "highs_start", "scip", "spreadsheet")
TOLERANCE = 1e-5
"""Largest violation, by max(1, limit), and distance from whole numbers, of a solution that counts; solvers allow 1e-6."""
FALSE = 1e-6
"""Relative amount by which a checked plan must be better than a bound to prove it false."""


@dataclass(frozen=True)
class Known:
    """What all searches of an instance found together.

    Attributes:
        npv: best of the checked plans, USD.
        bound: least bound that no checked plan proves false, USD.
        false: searches whose bound a checked plan proves false.
    """

    npv: float | None
    bound: float | None
    false: tuple[str, ...] = ()


@dataclass(frozen=True)
class Searched:
    """Figures of one search of one instance, over all its seeds; infinite where a gap was not reached.

    Attributes:
        results: one for each seed.
        known: of the instance.
    """

    results: tuple[Result, ...]
    known: Known

    @property
    def budget(self) -> float:
        """Seconds each had."""
        return self.results[0].run.budget

    def proven(self, gap: float) -> list[float]:
        """Seconds to the gap that each search proves itself."""
        return [_or_inf(time_to_gap(r.trajectory, gap, limit=self.budget)) for r in self.results]

    def within(self, gap: float) -> list[float]:
        """Seconds to a plan within the gap of the instance's best bound."""
        best = self.known.bound
        return [math.inf if best is None else _or_inf(time_to_gap(r.trajectory, gap, bound=best, limit=self.budget)) for r in self.results]

    @property
    def own_gap(self) -> list[float]:
        """Gap at the end that each proves itself."""
        return [final_gap(r.trajectory) for r in self.results]

    @property
    def best_gap(self) -> list[float]:
        """Gap at the end to the instance's best bound."""
        return [gap_of(r.npv, self.known.bound) for r in self.results]

    @property
    def integral(self) -> list[float]:
        """Primal integral against the instance's best plan, seconds."""
        best = self.known.npv
        return [primal_integral(r.trajectory, best, self.budget) for r in self.results] if best is not None else []

    @property
    def peak_gib(self) -> list[float]:
        """Most memory, GiB."""
        return [r.peak_mib / 1024 for r in self.results]

    @property
    def remarks(self) -> str:
        """What must be known to read the figures."""
        said = [r.outcome for r in self.results if r.outcome != "done"]
        said += ["no plan" for r in self.results if r.outcome == "done" and r.npv is None]
        said += ["solution violates the model" for r in self.results if r.npv is not None and violates(r)]
        said += ["false bound" for r in self.results if r.run.label in self.known.false]
        counts = Counter(said)
        return ", ".join(what if len(self.results) == 1 else f"{what} {count} of {len(self.results)}" for what, count in counts.items())


def _or_inf(value: float | None) -> float:
    return math.inf if value is None else value


def violates(result: Result) -> bool:
    """Whether a solution was checked and breaks the model."""
    return max(result.solution.get("violation") or 0.0, result.solution.get("fraction") or 0.0) > TOLERANCE


def sound(result: Result) -> bool:
    """Whether the last plan of a search was checked and holds."""
    return result.npv is not None and bool(result.solution) and not violates(result)


def known(results: Iterable[Result], instance: str) -> Known:
    """What is known of an instance, from all its results."""
    there = [r for r in results if r.run.instance == instance and r.run.peer in SEARCHES]
    npv = max((r.npv for r in there if r.npv is not None and sound(r)), default=None)
    bounds = [(r.bound, r.run.label) for r in there if r.bound is not None]
    floor = -math.inf if npv is None else npv - FALSE * abs(npv)
    return Known(npv, min((b for b, _ in bounds if b >= floor), default=None), tuple(label for b, label in bounds if b < floor))


def plain(results: Iterable[Result]) -> list[Result]:
    """Searches of the whole planner or of a peer."""
    return [r for r in results if r.run.peer in SEARCHES and not r.run.without]


def compared(results: Sequence[Result]) -> dict[str, dict[str, Searched]]:
    """Searches side by side, by instance and peer.

    Only searches with the same budget and gap asked are compared: those that most peers had, then the longest.
    """
    found: dict[str, dict[str, Searched]] = {}
    for instance in instances(r.run.instance for r in plain(results)):
        ways: dict[tuple[float, float], dict[str, list[Result]]] = {}
        for r in plain(results):
            if r.run.instance == instance:
                ways.setdefault((r.run.budget, -r.run.gap), {}).setdefault(r.run.peer, []).append(r)
        way = max(ways, key=lambda key: (len(ways[key]), key))
        best = known(results, instance)
        found[instance] = {}
        for peer in SEARCHES:
            if peer in ways[way]:
                most = max(r.run.threads for r in ways[way][peer])
                same = sorted((r for r in ways[way][peer] if r.run.threads == most), key=lambda r: r.run.seed)
                found[instance][peer] = Searched(tuple(same), best)
    return {name: peers for name, peers in found.items() if len(peers) > 1}


def longest(results: Sequence[Result], instance: str) -> Searched | None:
    """The planner's runs on an instance that had the most time; None without any."""
    ours = [r for r in plain(results) if r.run.instance == instance and r.run.peer == "wattplan"]
    most = max(((r.run.budget, r.run.threads, -r.run.gap) for r in ours), default=None)
    same = sorted((r for r in ours if (r.run.budget, r.run.threads, -r.run.gap) == most), key=lambda r: r.run.seed)
    return Searched(tuple(same), known(results, instance)) if same else None


def instances(names: Iterable[str]) -> list[str]:
    """Each instance once: the reference first, then by size and seed."""
    return sorted(set(names), key=lambda name: (name != "reference", [int(n) for n in re.findall(r"\d+", name)], name))


def generated_size(name: str) -> int | None:
    """Sites of a generated instance; None of others."""
    found = re.fullmatch(r"gen-(\d+)-\d+", name)
    return int(found[1]) if found else None


def median(values: Sequence[float]) -> float:
    """Median; nan of nothing."""
    return spread(values).median if values else math.nan


def ratio(ours: Searched | None, theirs: Searched | None, gap: float) -> AtLeast | None:
    """How many times longer theirs took to the gap it proves, medians of the seeds; None where ours did not reach it."""
    if ours is None or theirs is None:
        return None
    us, them = median(ours.proven(gap)), median(theirs.proven(gap))
    return times_faster(us if math.isfinite(us) else None, them if math.isfinite(them) else None, theirs.budget)


def spreads(values: Iterable[float]) -> Spread | None:
    """Median and quartiles; None of nothing."""
    there = list(values)
    return spread(there) if there else None


def overhead(result: Result, hand_over: float) -> float | None:
    """Seconds of a plan that are not search: load of the arrays, build, compile, hand-over, extract, audit.

    Args:
        hand_over: seconds to pass the model to the solver, measured apart.
    """
    steps: dict[str, Any] = result.phases
    return sum(float(steps[name]) for name in ("build", "extract", "audit")) + hand_over if steps.get("total") else None

"""Scenarios: drawn at random, or every combination with its probability."""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.changes import Change
from models.changes.site_power import SiteEnergizationDelay
from models.dataset import Dataset
from models.faults import Fault
from models.tables import GridNode, Site
from models.uncertainty.prices import Factors, price_changes
from models.uncertainty.reading import UncertaintyError, odds_of
from models.uncertainty.sources import Cause, Occasion, Price, Slip, Source, Uncertainty

MOST_ENUMERATED = 1000
"""Combinations that are still enumerated."""
NO_CHANGE = "as planned"


@dataclass(frozen=True)
class Scenario:
    """One future.

    Attributes:
        name: unique among its fellows.
        probability: of this future; those of a set add to 1.
        changes: what it changes of the dataset, in order.
        happened: what comes otherwise, in words.
    """

    name: str
    probability: float
    changes: tuple[Change, ...] = ()
    happened: tuple[str, ...] = ()


AS_PLANNED = Scenario(NO_CHANGE, 1.0)
"""The dataset as it is."""


@dataclass(frozen=True)
class _Result:
    """What a source does in a scenario: number of its outcome (past the last: nothing), or factors of a price."""

    outcome: int = -1
    factors: Factors = ()


def draw(uncertainty: Uncertainty, dataset: Dataset, count: int, seed: int) -> list[Scenario]:
    """Random scenarios, each of probability ``1 / count``.

    The same seed gives the same scenarios; a longer list begins with the shorter one, and a source draws the same
    whatever other sources there are.

    Args:
        uncertainty: read for this dataset.
        dataset: the base.
        count: number of scenarios, at least 1.
        seed: at least 0.

    Raises:
        ValueError: count or seed out of range.
    """
    if count < 1 or seed < 0:
        raise ValueError(f"count must be at least 1 and seed at least 0; found {count} and {seed}")
    sources = [source for _, _, source in uncertainty.named()]
    found = []
    for number in range(count):
        results = [_drawn(source, dataset, seed, number) for source in sources]
        changes, happened = _made(dataset, sources, results)
        found.append(Scenario(f"draw-{number + 1}", 1.0 / count, changes, happened))
    return found


def enumerated(uncertainty: Uncertainty, dataset: Dataset, most: int = MOST_ENUMERATED) -> list[Scenario]:
    """Every combination of outcomes with its probability, the likeliest first.

    Raises:
        UncertaintyError: there are too many, or sources that move together or wander have no list of combinations.
    """
    sources = [source for _, _, source in uncertainty.named()]
    bound = [s.id for s in sources if s.driver is not None or (isinstance(s, Price) and s.volatility is not None)]
    if bound:
        problem = "sources with a driver or volatility cannot be enumerated, only drawn"
        raise UncertaintyError([Fault(uncertainty.name, problem, value=", ".join(bound), code="not_countable")])
    choices = [[(i, odds) for i, odds in enumerate(_all_odds(source)) if odds > 0] for source in sources]
    total = math.prod(len(options) for options in choices)
    if total > most:
        problem = f"there are {total} combinations of outcomes"
        raise UncertaintyError([Fault(uncertainty.name, problem, allowed=f"at most {most}; else draw", code="too_many")])
    found = []
    for combination in itertools.product(*choices):
        probability = math.prod(odds for _, odds in combination)
        results = [_chosen(source, dataset, i) for source, (i, _) in zip(sources, combination, strict=True)]
        changes, happened = _made(dataset, sources, results)
        found.append(Scenario("; ".join(happened) or NO_CHANGE, probability, changes, happened))
    return sorted(found, key=lambda scenario: -scenario.probability)


def merged(scenarios: Iterable[Scenario]) -> list[Scenario]:
    """Scenarios with the same changes as one, whose probability is their sum; in order of first appearance."""
    found: dict[tuple[Change, ...], Scenario] = {}
    for scenario in scenarios:
        same = found.get(scenario.changes)
        found[scenario.changes] = scenario if same is None else replace(same, probability=same.probability + scenario.probability)
    return list(found.values())


def _all_odds(source: Source) -> list[float]:
    """Odds of the outcomes, and last those that nothing happens; the paths of a price leave none."""
    odds = odds_of(source)
    return odds if isinstance(source, Price) else [*odds, max(0.0, 1.0 - math.fsum(odds))]


def _generator(seed: int, number: int, name: str) -> np.random.Generator:
    """Random numbers of a source or driver in a scenario, apart from all others."""
    return np.random.default_rng([seed, number, zlib.crc32(name.encode())])


def _normals(source: Source, seed: int, number: int, count: int) -> NDArray[np.float64]:
    """Standard normal numbers of a source, with its driver's part; shape (count,)."""
    own = _generator(seed, number, f"source {source.id}").standard_normal(count)
    if source.driver is None:
        return own
    shared = _generator(seed, number, f"driver {source.driver}").standard_normal(count)
    return source.loading * shared + math.sqrt(1.0 - source.loading**2) * own


def _drawn(source: Source, dataset: Dataset, seed: int, number: int) -> _Result:
    """What a source does in a drawn scenario; its outcomes take the place of quantiles in the order of the file."""
    if isinstance(source, Price) and source.volatility is not None:
        return _Result(factors=_wandering(source, dataset, seed, number))
    share = 0.5 * math.erfc(-float(_normals(source, seed, number, 1)[0]) / math.sqrt(2.0))
    cumulative = np.cumsum(_all_odds(source))
    return _chosen(source, dataset, min(int(np.searchsorted(cumulative, share, side="right")), len(cumulative) - 1))


def _wandering(source: Price, dataset: Dataset, seed: int, number: int) -> Factors:
    """Factors of a log-normal path."""
    wander, calendar = source.volatility, dataset.calendar
    assert wander is not None
    first = 0 if wander.from_period is None else calendar.index(wander.from_period)
    begins = range(first, calendar.periods, wander.every_periods)
    x, variance, found = 0.0, 0.0, []
    for begin, shock in zip(begins, _normals(source, seed, number, len(begins)).tolist(), strict=True):
        x = wander.persistence * x + wander.sd * shock
        variance = wander.persistence**2 * variance + wander.sd**2
        found.append((begin, math.exp(x - variance / 2)))
    return tuple(found)


def _chosen(source: Source, dataset: Dataset, outcome: int) -> _Result:
    """An outcome of a source."""
    if isinstance(source, Price):
        path = (source.paths or ())[outcome]
        return _Result(outcome, tuple((dataset.calendar.index(step.from_period), step.factor) for step in path.steps))
    return _Result(outcome)


# changes -----------------------------------------------------------------------------------------


def _made(dataset: Dataset, sources: Sequence[Source], results: Sequence[_Result]) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Changes and words of what the sources do. Of several delays of the same power, the longest counts."""
    delays: dict[tuple[str, str | None, str | None], int] = {}
    others: list[Change] = []
    words: list[str] = []
    for source, result in zip(sources, results, strict=True):
        if isinstance(source, (Slip, Cause)) and result.outcome < len(source.outcomes):
            late = source.outcomes[result.outcome].delay_periods
            words.append(f"{source.id} +{late}")
            block = source.block_id if isinstance(source, Slip) else None
            for site in [source.site_id] if isinstance(source, Slip) else sites_of(dataset, source):
                key = (site, block, source.from_period)
                delays[key] = max(late, delays.get(key, 0))
        elif isinstance(source, Occasion) and result.outcome < len(source.outcomes):
            happening = source.outcomes[result.outcome]
            others += happening.changes
            words.append(f"{source.id}: " + (happening.name or "; ".join(change.sentence(dataset) for change in happening.changes)))
        elif isinstance(source, Price):
            changed = price_changes(dataset, source, result.factors)
            others += changed
            if changed:
                words.append(f"{source.id}: {_path_words(source, result)}")
    late_power = [
        SiteEnergizationDelay(site_id=site, block_id=block, from_period=first, delay_periods=late)
        for (site, block, first), late in delays.items()
    ]
    return (*late_power, *others), tuple(words)


def _path_words(source: Price, result: _Result) -> str:
    """A path by its name, or its first and last factor."""
    if source.paths is not None:
        return source.paths[result.outcome].name or f"path {result.outcome + 1}"
    return f"{result.factors[0][1]:.2f} to {result.factors[-1][1]:.2f}"


def sites_of(dataset: Dataset, cause: Cause) -> list[str]:
    """Sites that a common cause hits, in the order of sites.csv."""
    rows = dataset.rows(Site)
    if cause.sites:
        return [row.site_id for row in rows if row.site_id in cause.sites]
    if cause.price_zone is not None:
        return [row.site_id for row in rows if row.price_zone == cause.price_zone]
    parents = {row.node_id: row.parent_id for row in dataset.rows(GridNode)}

    def below(node: str | None) -> bool:
        while node is not None and node != cause.grid_node:
            node = parents.get(node)
        return node is not None

    return [row.site_id for row in rows if below(row.grid_node)]

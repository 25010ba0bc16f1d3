"""Serving sites exchanged one by one: a descent whose moves are ranked by reduced costs.

Where every contract is held to its sites, the pairs are columns whose two bounds are the same. The duals stay feasible whatever they are
held to instead, so the objective and the reduced costs of the pairs that change give a lower limit of what another choice costs (weak
duality). A move whose limit is not below the best is none; the others are tried, the lowest limit first, from the basis at hand, and given
up as soon as the solver proves that they are no better, which mostly takes it few steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optimizer.highs import Outcome
from optimizer.instance import Floats

if TYPE_CHECKING:
    from optimizer.sites import SiteSearch

BETTER = 1e-5
"""Relative gain that a set of sites must bring."""
TOP = 4
"""Moves of a contract that are tried between two changes of the best."""
FAR = 300
"""Steps of a move that failed after which the next one starts from the best choice's basis again, not from where it ended."""

Move = tuple[float, str, tuple[str, ...]]
"""Least change of the objective, contract, and its sites."""


@dataclass
class SiteSwaps:
    """A descent from the best choice of a search.

    Args:
        search: with a choice of sites.
    """

    search: SiteSearch

    def __post_init__(self) -> None:
        """Begin with no move tried."""
        self._tried: set[tuple[str, frozenset[str], frozenset[str]]] = set()

    def run(self) -> bool:
        """Make moves until none is left that could be better and was not tried, or time is up; whether any was better."""
        search, better = self.search, False
        search.hold_best()
        while not search.control.over:
            moves = self.moves()
            if not moves:
                break
            better = self._first_better(moves) or better
        search.hold_best()
        return better

    def moves(self) -> list[Move]:
        """The most promising moves of each contract that were not tried yet, the most promising first."""
        search = self.search
        cost = search.best.reduced_cost
        if cost is None:
            return []
        least = -BETTER * search.scale
        found: list[Move] = []
        for c in search.contracts:
            own = sorted((self._change(c, sites, cost), tuple(sorted(sites))) for sites in self._near(c))
            found += [(change, c, sites) for change, sites in own[:TOP] if change < least and self._key(c, sites) not in self._tried]
        return sorted(found)

    def _first_better(self, moves: list[Move]) -> bool:
        """Try moves in turn until one is better than the best, which it becomes; whether one was."""
        search, near = self.search, True
        for _, c, sites in moves:
            if search.control.over:
                break
            self._tried.add(self._key(c, sites))
            if not near:
                search.program.set_basis(search.basis)
            search.hold(c, sites)
            found = search.solve(cut=search.cut(BETTER))
            if found.outcome is Outcome.OPTIMAL and search.take({**search.sets, c: sites}, found, f"sites of {c}"):
                return True
            search.hold(c, search.sets[c])
            near = found.iterations <= FAR
        search.program.set_basis(search.basis)
        return False

    def _key(self, c: str, sites: tuple[str, ...]) -> tuple[str, frozenset[str], frozenset[str]]:
        return c, frozenset(self.search.sets[c]), frozenset(sites)

    def _near(self, c: str) -> Iterator[set[str]]:
        """Sets of sites one step away: one site exchanged, one more, or one less."""
        search = self.search
        have, may = set(search.sets[c]), search.allowed(c)
        loose = [s for s in sorted(have) if not search.must(c, s)]
        others = [s for s in may if s not in have]
        yield from (have - {s} for s in loose)
        for s in others:
            far = search.far[c].get(s, set())
            if len(have) < search.most[c] and not far & have:
                yield have | {s}
            yield from (have - {old} | {s} for old in loose if not far & (have - {old}))

    def _change(self, c: str, sites: set[str], cost: Floats) -> float:
        """Lower limit of the change of the objective by other sites of a contract, million USD."""
        search = self.search
        have = set(search.sets[c])
        return float(sum(cost[search.at[c, s]] for s in sites - have) - sum(cost[search.at[c, s]] for s in have - sites))

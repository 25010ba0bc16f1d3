"""Serving sites exchanged one by one: a descent whose moves are ranked by reduced costs.

Where every contract is held to its sites, the pairs are columns whose two bounds are the same. The duals stay feasible whatever they are
held to instead, so the objective and the reduced costs of the pairs that change give a lower limit of what another choice costs (weak
duality). A move whose limit is not below the best is none; the others are tried, the lowest limit first, from the basis at hand, and given
up as soon as the solver proves that they are no better, which mostly takes it few steps. Where no contract has a better place that is
free, two contracts exchange theirs. Contracts without a choice of sites, once they are signed or not (:mod:`optimizer.signing`), may
have the other answer: a move of the same kind, as ``sign`` is a column as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

from optimizer.highs import Outcome
from optimizer.instance import Floats

if TYPE_CHECKING:
    from optimizer.sites import SiteSearch

BETTER = 1e-5
"""Relative gain that a set of sites must bring."""
TOP = 4
"""Moves of a contract that are considered at a time: those of the lowest limits, tried or not."""
EXCHANGES = 40
"""Exchanges of two contracts that are considered at a time."""
FAR = 300
"""Steps of a move that failed after which the next one starts from the best choice's basis again, not from where it ended."""

Sites = tuple[str, ...]
Others = tuple[tuple[str, bool], ...]
Move = tuple[float, tuple[tuple[str, Sites], ...], Others]
"""Least change of the objective, contracts with their other sites, and contracts that have no choice of sites with another answer."""
Key = tuple[frozenset[tuple[str, frozenset[str], frozenset[str]]], Others]
"""Contracts with their sites before and after a move, and with other answers."""


@dataclass
class SiteSwaps:
    """A descent from the best choice of a search.

    Args:
        search: with a choice of sites.
    """

    search: SiteSearch
    _tried: set[Key] = field(default_factory=set, init=False)

    def run(self) -> bool:
        """Make moves until none is left that could be better and was not tried, or time is up; whether any was better."""
        search, better = self.search, False
        search.hold_best()
        while search.best.reduced_cost is not None and not search.control.over:
            moves = self.moves() or self.exchanges()
            if not moves:
                break
            better = self._first_better(moves) or better
        return better

    def moves(self) -> list[Move]:
        """The most promising moves of each contract that were not tried yet, the most promising first."""
        found: list[Move] = []
        for c in self.search.contracts:
            own = sorted((self._change(c, sites), ((c, tuple(sorted(sites))),), ()) for sites in self._near(c))
            found += own[:TOP]
        for c, answer in (self.search.signed or {}).items():
            cost = float(self._cost[self.search.signing.columns[c]])
            found.append((-cost if answer else cost, (), ((c, not answer),)))
        return self._worth_a_try(found)

    def exchanges(self) -> list[Move]:
        """The most promising moves not tried yet of two contracts that take a site of each other's."""
        search = self.search
        found: list[Move] = []
        for c, d in combinations(search.contracts, 2):
            of_c, of_d = set(search.sets[c]), set(search.sets[d])
            for a in sorted(of_c - of_d):
                for b in sorted(of_d - of_c):
                    if self._may(c, a, b) and self._may(d, b, a):
                        to_c, to_d = of_c - {a} | {b}, of_d - {b} | {a}
                        change = self._change(c, to_c) + self._change(d, to_d)
                        found.append((change, ((c, tuple(sorted(to_c))), (d, tuple(sorted(to_d)))), ()))
        return self._worth_a_try(sorted(found)[:EXCHANGES])

    def _worth_a_try(self, moves: Sequence[Move]) -> list[Move]:
        """Those that could be better and were not tried, the most promising first."""
        least = -BETTER * self.search.scale
        return sorted(move for move in moves if move[0] < least and self._key(move) not in self._tried)

    def _first_better(self, moves: Sequence[Move]) -> bool:
        """Try moves in turn until one is better than the best, which it becomes; whether one was."""
        search, near = self.search, True
        for move in moves:
            if search.control.over:
                break
            self._tried.add(self._key(move))
            if not near:
                search.program.set_basis(search.basis)
            other, answers = dict(move[1]), dict(move[2])
            self._hold(other)
            search.signing.hold(answers)
            found = search.solve(cut=search.cut(BETTER))
            phase = f"sites of {' and '.join(other)}" if other else f"{' and '.join(answers)} signed or not"
            signed = {**(search.signed or {}), **answers}
            if found.outcome is Outcome.OPTIMAL and search.take({**search.sets, **other}, found, phase, signed):
                return True
            self._hold({c: search.sets[c] for c in other})
            search.signing.hold({c: not answer for c, answer in answers.items()})
            near = found.iterations <= FAR
        search.program.set_basis(search.basis)
        return False

    def _hold(self, sets: Mapping[str, Sites]) -> None:
        for c, sites in sets.items():
            self.search.hold(c, sites)

    def _key(self, move: Move) -> Key:
        return frozenset((c, frozenset(self.search.sets[c]), frozenset(sites)) for c, sites in move[1]), move[2]

    def _near(self, c: str) -> Iterator[set[str]]:
        """Sets of sites one step away: one site exchanged, one more, one less, or none."""
        search = self.search
        have = set(search.sets[c])
        loose = [s for s in sorted(have) if not search.must(c, s)]
        yield from (have - {s} for s in loose)
        if len(have) > 1 and loose == sorted(have):
            yield set()
        for s in search.allowed(c):
            if s not in have:
                if len(have) < search.most[c] and not search.far[c].get(s, set()) & have:
                    yield have | {s}
                yield from (have - {old} | {s} for old in loose if self._may(c, old, s))

    def _may(self, c: str, old: str, new: str) -> bool:
        """Whether a contract may have a site in place of one that it has."""
        search = self.search
        if search.must(c, old) or (c, new) not in search.at or not search.may(c, new):
            return False
        return not search.far[c].get(new, set()) & (set(search.sets[c]) - {old})

    def _change(self, c: str, sites: set[str]) -> float:
        """Lower limit of the change of the objective by other sites of a contract, million USD."""
        search = self.search
        have, cost = set(search.sets[c]), self._cost
        return float(sum(cost[search.at[c, s]] for s in sites - have) - sum(cost[search.at[c, s]] for s in have - sites))

    @property
    def _cost(self) -> Floats:
        """Reduced costs of the best choice's relaxation; shape (columns,)."""
        cost = self.search.best.reduced_cost
        assert cost is not None
        return cost

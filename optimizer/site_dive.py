"""Serving sites one after the other: a dive from the relaxation.

A relaxation spreads a contract over many sites, and hardly minds which: forbidding a pair of contract and site, or asking for it, moves
its value by hundredths of a per cent. So what it uses says little about sites that go together, and much once the sites of others are
settled. Each step holds the pair that it uses most and drops some that it hardly uses, and solves again, warm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from optimizer.highs import Control, Outcome, Solution
from optimizer.instance import Floats
from optimizer.matrix import Ints

if TYPE_CHECKING:
    from optimizer.sites import Sets, SiteSearch

WHOLE = 1e-6
"""Distance from a whole number below which a pair is decided."""
LOSS = 0.02
"""Relative loss by a step from which on the pair is given up instead, where that loses less."""
AT_ONCE = 100
"""Pairs open for each that is held in a step, beside the first."""
SIZE = 0.5
"""Power of a pair's size by which its use is weighed: what is large is hard to place later."""


class Size(StrEnum):
    """What a pair of contract and site is weighed by: contract GPUs over all periods."""

    FITS = "fits"
    """What fits at the site."""
    OWED = "owed"
    """What the contract is owed."""


@dataclass(frozen=True)
class Manner:
    """How a dive goes down.

    Attributes:
        share: of the open pairs that a step drops, those used least.
        most: use from which on a pair is not dropped.
        size: that pairs are weighed by.
        noise: spread of the logarithm of a factor on what is used.
    """

    share: float = 0.1
    most: float = 0.1
    size: Size = Size.FITS
    noise: float = 0.0


MANNERS = (Manner(size=Size.OWED), Manner(size=Size.FITS), Manner(0.2, 0.2))
"""None is best everywhere: they end within some per cent of one another, each ahead on some models."""
CHANCE = 0.4
"""Spread of the dives beyond these."""


def manner(number: int) -> Manner:
    """So many different ones: those of ``MANNERS``, then the same changed by chance."""
    chosen = MANNERS[number % len(MANNERS)]
    return chosen if number < len(MANNERS) else replace(chosen, noise=CHANCE)


class SiteDive:
    """A dive of a search for sites.

    Args:
        search: with its root solved.
        manner: how.
        soon: when it is over, contracts still open are held to what serves them, as many as possible at once.
        favour: factors on the use of contracts' sites.

    Attributes:
        lost: by the steps of each contract, million USD; infinite for one that had no way on.
    """

    def __init__(self, search: SiteSearch, manner: Manner, soon: Control, favour: Mapping[str, float]) -> None:
        self.search, self.manner, self.soon = search, manner, soon
        self.contracts = search.contracts
        self.columns: Ints = np.concatenate([search.columns[c] for c in self.contracts]) if self.contracts else np.zeros(0, dtype=np.intp)
        self.lower, self.upper = search.matrix.lower[self.columns].copy(), search.matrix.upper[self.columns].copy()
        self.of = [c for c in self.contracts for _ in search.sites[c]]
        self.lost: dict[str, float] = dict.fromkeys(self.contracts, 0.0)
        inst, size = search.inst, manner.size
        self.weight = np.array([
            favour.get(c, 1.0) * float((inst.fits[c, s] if size is Size.FITS else inst.owed[inst.contract_at[c]]).sum()) ** SIZE
            for c in self.contracts for s in search.sites[c]
        ])  # fmt: skip

    def run(self) -> tuple[Sets, Solution] | None:
        """Sites of the contracts, held in the search's programme, and its solution; None when there is no way on or no time."""
        search = self.search
        search.program.set_basis(search.root_basis)
        found: Solution | None = self._tried(self.lower, self.upper)
        while found is not None and found.outcome is Outcome.OPTIMAL and found.x is not None:
            use = found.x[self.columns]
            free = self.lower < self.upper
            self.lower[free & (use >= 1 - WHOLE)] = 1.0
            still = np.flatnonzero(free & (use > WHOLE) & (use < 1 - WHOLE))
            if not len(still) or self.soon.over:
                return search.settle(self.contracts, found)
            found = self._step(still, use, found)
        return None

    def _step(self, still: Ints, use: Floats, before: Solution) -> Solution | None:
        """Hold the pair used most and drop those used least; or drop that pair, where holding it loses too much or can't be."""
        search = self.search
        dear = before.objective + LOSS * search.scale
        worth = use[still] * self.weight[still] * np.exp(self.manner.noise * search.random.normal(size=len(still)))
        held = still[np.argsort(-worth, kind="stable")][: 1 + len(still) // AT_ONCE]
        least = still[np.argsort(use[still], kind="stable")][: int(self.manner.share * len(still))]
        dropped = least[(use[least] < self.manner.most) & ~np.isin(least, held)]
        basis, contract = search.program.basis(), self.of[int(held[0])]
        down = self.lower.copy(), self.upper.copy()
        up = self.lower.copy(), self.upper.copy()
        up[0][held], up[1][dropped], down[1][held[0]] = 1.0, 0.0, 0.0
        after = self._tried(*up, cut=dear)
        if after.objective < dear:  # a solve may end beyond its cut
            return self._taken(up, contract, before, after)
        search.program.set_basis(basis)
        other = self._tried(*down)
        if other.objective < dear:
            return self._taken(down, contract, before, other)
        kept = search.program.basis()
        search.program.set_basis(basis)
        after = self._tried(*up, cut=other.objective)
        if after.objective < other.objective:
            return self._taken(up, contract, before, after)
        search.program.bound(self.columns, *down)
        search.program.set_basis(kept)
        return self._taken(down, contract, before, other)

    def _taken(self, bounds: tuple[Floats, Floats], contract: str, before: Solution, after: Solution) -> Solution | None:
        """Go on with bounds and their solution, if there is one."""
        self.lower, self.upper = bounds
        self.lost[contract] += after.objective - before.objective
        return after if after.outcome is Outcome.OPTIMAL else None

    def _tried(self, lower: Floats, upper: Floats, cut: float = np.inf) -> Solution:
        """The relaxation with these bounds of the pairs, from the last basis; without an objective, unless it is solved."""
        self.search.program.bound(self.columns, lower, upper)
        found = self.search.solve(cut=cut)
        return found if found.outcome is Outcome.OPTIMAL else Solution(found.outcome)

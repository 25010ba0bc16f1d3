"""Better sites for a plan: a few contracts at a time choose anew while all others stay, judged by warm relaxations."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from optimizer.highs import Control, Outcome, Program, Solution
from optimizer.instance import Floats, Instance
from optimizer.matrix import Ints, Matrix
from optimizer.settle import Settler
from optimizer.sites import choose_sites, order

WORTH = 1e-5
"""Relative gain below which a neighbourhood is not worth its dive."""


class SiteSearch:
    """Frees the sites and signature of a few contracts, dives anew, and keeps what is better.

    Racks stay relaxed throughout; whole racks follow for the best choice only.

    Args:
        program: the relaxation, warm, with every yes-or-no decision fixed.
        best: its solution.
        seed: of the choice of neighbourhoods.
    """

    def __init__(self, inst: Instance, matrix: Matrix, program: Program, best: Solution, control: Control, seed: int) -> None:
        self.inst, self.matrix, self.program, self.control = inst, matrix, program, control
        self.best = best
        self.random = np.random.default_rng(seed)
        self.contracts = order(inst)
        self.lower, self.upper = program.lower.copy(), program.upper.copy()

    def run(self, enough: Callable[[float], bool], log: Callable[[str], None]) -> Solution:
        """Search until it is enough, time is up, or nothing near is better.

        Args:
            enough: says of a relaxed objective whether to stop.
            log: told of each better choice.
        """
        stale = 0
        for contracts in self._neighbourhoods():
            if self.control.over or enough(self.best.objective) or stale > 4 * len(self.contracts):
                break
            stale += 1
            if self._try(contracts):
                stale = 0
                log(f"sites of {', '.join(contracts)} again")
        return self.best

    def _neighbourhoods(self) -> Iterator[list[str]]:
        """Pairs and triples of contracts, those that could serve from the same sites more often."""
        sites = {c: set(self.inst.sites_of_choice(c)) for c in self.contracts}
        while len(self.contracts) > 1:
            first = str(self.random.choice(self.contracts))
            others = [c for c in self.contracts if c != first]
            shared = np.array([1.0 + len(sites[first] & sites[c]) for c in others])
            count = min(len(others), int(self.random.integers(1, 3)))
            chosen = self.random.choice(len(others), size=count, replace=False, p=shared / shared.sum())
            yield [first, *(others[i] for i in chosen)]

    def _columns(self, contracts: list[str]) -> Ints:
        """Signature and serving pairs of contracts."""
        found = []
        for family in ("sign", "serve"):
            first, index = self.matrix.columns[family]
            found += [first + i for i, key in enumerate(index) if key[0] in contracts]
        return np.array(found, dtype=np.intp)

    def _set(self, columns: Ints, lower: Floats, upper: Floats) -> None:
        self.program.bound(columns, lower[columns], upper[columns])

    def _try(self, contracts: list[str]) -> bool:
        """Free the contracts, choose anew, keep what is better; otherwise put all back."""
        columns = self._columns(contracts)
        self._set(columns, self.matrix.lower, self.matrix.upper)
        free = self.program.solve(self.control, method="simplex")
        worth = free.outcome is Outcome.OPTIMAL and free.objective < self.best.objective - WORTH * abs(self.best.objective)
        found: Solution | None = None
        if worth:
            chosen = choose_sites(self.inst, self.matrix, self.program, free, self.control, lambda phase: None, contracts)
            if chosen is not None and chosen.objective < self.best.objective:
                found = Settler(self.inst, self.matrix, self.program, chosen, self.control, lambda phase: None).run()
        if found is not None and found.x is not None and found.objective < self.best.objective * (1 - np.sign(self.best.objective) * 1e-9):
            self.best = found
            self.lower, self.upper = self.program.lower.copy(), self.program.upper.copy()
            return True
        self._set(columns, self.lower, self.upper)
        return False

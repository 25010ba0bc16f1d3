"""Which prospects are signed, of those that any site may serve: yes or no while sites are searched for.

A relaxation signs half of such a contract where only half of it fits beside the others, and sites chosen around that half suit neither
answer. So the answer is given before sites are exchanged, and is itself exchanged like a site (:mod:`optimizer.site_swaps`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from optimizer.highs import Outcome, Solution

if TYPE_CHECKING:
    from optimizer.sites import SiteSearch

WHOLE = 1e-6
"""Distance from yes or no below which a relaxation is taken at its word."""

Answers = dict[str, bool]
"""Whether a contract is signed."""


class Signing:
    """The answers of a search for sites.

    Args:
        search: its model.

    Attributes:
        columns: column of ``sign`` by contract, of those that are open and have no choice of sites.
    """

    def __init__(self, search: SiteSearch) -> None:
        self.search = search
        matrix = search.matrix
        first, index = matrix.columns["sign"]
        columns = {str(c): first + i for i, (c,) in enumerate(index) if c not in search.contracts}
        self.columns = {c: j for c, j in columns.items() if matrix.lower[j] < matrix.upper[j]}

    def free(self) -> None:
        """Leave all contracts to the relaxation."""
        columns, matrix = np.array(list(self.columns.values()), dtype=np.intp), self.search.matrix
        self.search.program.bound(columns, matrix.lower[columns], matrix.upper[columns])

    def hold(self, answers: Answers) -> None:
        """Give answers."""
        columns, values = np.array([self.columns[c] for c in answers], dtype=np.intp), np.array(list(answers.values()), dtype=float)
        self.search.program.bound(columns, values, values)

    def decide(self, found: Solution) -> tuple[Answers, Solution]:
        """Answers for all contracts, the least clear first; each takes what is better, judged by a warm relaxation.

        Args:
            found: solution of the search's programme as it stands, whose basis is at hand.

        Returns:
            The answers, which the programme is held to, and its solution; another outcome than optimal when none holds or time is up.
        """
        answers: Answers = {}
        while found.x is not None and found.outcome is Outcome.OPTIMAL and len(answers) < len(self.columns):
            use = {c: float(found.x[j]) for c, j in self.columns.items() if c not in answers}
            clear = {c: bool(round(share)) for c, share in use.items() if min(share, 1 - share) <= WHOLE}
            if clear:
                self.hold(clear)
                answers |= clear
                continue
            c = max(use, key=lambda c: min(use[c], 1 - use[c]))
            answers[c], found = self._better(c, bool(round(use[c])))
        return answers, found

    def _better(self, c: str, likely: bool) -> tuple[bool, Solution]:
        """The better answer for a contract, which is then held to it, and its solution."""
        program = self.search.program
        basis = program.basis()
        self.hold({c: likely})
        first = self.search.solve()
        kept = program.basis()
        program.set_basis(basis)
        self.hold({c: not likely})
        second = self.search.solve(cut=first.objective)
        if second.outcome is Outcome.OPTIMAL and second.objective < first.objective:
            return not likely, second
        self.hold({c: likely})
        program.set_basis(kept)
        return likely, first

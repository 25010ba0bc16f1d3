"""Plans near an old one: its decisions kept as far as possible, contracts that are worse served placed anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum

import numpy as np

from models.plan import relative_gap
from optimizer.blocks.base import MILLION, Index
from optimizer.highs import Control, Outcome, Program, Solution
from optimizer.instance import Floats
from optimizer.matrix import Ints, Matrix
from optimizer.record import Record
from optimizer.settle import Settler
from optimizer.shrink import Shrunk, shrink
from optimizer.sites import Sets, SiteSearch
from optimizer.station import DEVEX, Station
from optimizer.warm import Warm

ROUNDING = 1e-3
"""Relative loss that whole racks bring, at least: a relaxation must be so much better than the plan that is asked for."""
WORSE = 1.0
"""Contract GPUs, summed over periods, by which a contract must be worse served than before to be placed anew."""
TRIES = 2
"""Sets of sites tried for contracts that are placed anew."""
WORTH = 0.3
"""Share of what is missing to the plan asked for that more racks alone must be able to bring to be tried."""


LET_GO = {"installed": 2, "in_service": 2, "open": 1, "built": 1, "retrofit_ordered": 1, "sign": 1, "serve": 1}
"""Families of decisions that may be let go, with how many parts of their index tell which go together: site and generation, site, block,
contract."""
TOGETHER = {"installed": "racks", "in_service": "racks", "sign": "contract", "serve": "contract"}
"""Families that are let go together, and as what."""
NOTHING: Ints = np.zeros(0, dtype=np.intp)


class Keep(Enum):
    """What stays of a plan, besides the contracts signed and the sites that serve them.

    Attributes:
        RACKS: racks and whatever is opened, built or converted, but there may be more of each.
        DECISIONS: just what is opened, built or converted; racks may be others.
        MOST: what is opened, built or converted, but there may be more of each; racks may be others.
        CONTRACTS: nothing else.
    """

    RACKS = "racks"
    DECISIONS = "decisions"
    MOST = "most"
    CONTRACTS = "contracts"


FOUND = {Keep.RACKS: "more racks", Keep.DECISIONS: "other racks", Keep.MOST: "other places", Keep.CONTRACTS: "other places"}
"""What a plan is called by what it keeps."""


class Nearby:
    """Searches near an old plan.

    Args:
        record: of the search; the old plan's decisions are its best, if they hold.
        start: the old plan's whole numbers; shape (columns,).
        short: contract GPUs that the old plan served short, summed over periods, by contract.
        renewed: contracts that are new or differ from what the old plan knew.
        fixed: the relaxation with the old decisions, warm.
        less: whether contracts may be declined, and sites leave a contract, where the old plan has them: limits that it need not hold
            may ask for that.
    """

    def __init__(
        self, record: Record, start: Floats, short: dict[str, float], renewed: Sequence[str], fixed: Warm, less: bool = False
    ) -> None:  # fmt: skip
        self.record, self.start, self.short, self.renewed, self.fixed, self.less = record, start, short, list(renewed), fixed, less

    def more_racks(self, control: Control) -> None:
        """The best plan with all of its racks, and more; contracts that it serves worse than the old plan did are placed anew.

        Where the old decisions do not hold, those that stand in the way are let go.
        """
        record = self.record
        if record.best is not None:
            self._search(record.best, self._to_place(record.best), Keep.RACKS, control)
        elif self.fixed.program is not None:
            freed = self._in_the_way(self.fixed.program, control)
            if freed is not None:
                x, columns, contracts = freed
                self._search(x, list(dict.fromkeys([*contracts, *self._to_place(x)])), Keep.RACKS, control, columns)

    def other_racks(self, control: Control) -> None:
        """The old plan's decisions with other racks; contracts stay where they are, but for those that are new or differ."""
        self._search(self.start, self.renewed, Keep.DECISIONS, control)

    def other_places(self, control: Control) -> None:
        """The best plan with other racks, and more opened, built or converted; contracts that it serves worse are placed anew."""
        record = self.record
        best = None if self.less else record.best  # what is worse served within a limit need not be placed anew
        x, contracts = (self.start, self.renewed) if best is None else (best, self._to_place(best))
        self._search(x, contracts, Keep.MOST, control)

    # parts -------------------------------------------------------------------------------------

    def _in_the_way(self, program: Program, control: Control) -> tuple[Floats, Ints, list[str]] | None:
        """Let decisions go that stand in the way of a solution, as proofs of infeasibility name them.

        Args:
            program: the relaxation with decisions that do not hold.

        Returns:
            A solution, the columns let go, and the contracts among them; None when that does not help, or time is up.
        """
        matrix = self.record.matrix
        groups: dict[tuple[str, ...], list[int]] = {}
        for family, parts in LET_GO.items():
            first, index = matrix.columns[family]
            for i, key in enumerate(index):
                groups.setdefault((TOGETHER.get(family, family), *map(str, key[:parts])), []).append(first + i)
        freed: set[tuple[str, ...]] = set()
        while True:
            proof = program.infeasibility()
            if proof is None:
                return None
            named = {name for name, found in groups.items() if name not in freed and (proof.columns[found] != 0.0).any()}
            if not named:
                return None
            freed |= named
            free = np.array([j for name in named for j in groups[name]], dtype=np.intp)
            program.bound(free, matrix.lower[free], matrix.upper[free])
            found = program.solve(control, method="simplex")
            if found.outcome is Outcome.OPTIMAL:
                columns = np.array([j for name in sorted(freed) for j in groups[name]], dtype=np.intp)
                return _values(found), columns, [name[1] for name in sorted(freed) if name[0] == "contract"]
            if found.outcome is not Outcome.INFEASIBLE:
                return None

    def _search(self, x: Floats, contracts: list[str], keep: Keep, control: Control, freed: Ints = NOTHING) -> None:
        """A plan near another.

        Args:
            x: the other; shape (columns,).
            contracts: to be placed anew.
            keep: what stays of the other.
            freed: columns of the other that need not stay.
        """
        record = self.record
        begun = self._relaxed(x, contracts, keep, control, freed)
        if begun is None and keep is Keep.MOST:
            begun = self._relaxed(x, contracts, Keep.CONTRACTS, control)
        if begun is None:
            return
        rest, program, found = begun
        if not self._promising(found, keep):
            return
        found = self._placed(x, contracts, rest, program, found, control)
        settled = Settler(record.instance, rest.matrix, program, found, control, lambda phase: None).run()
        if settled is None or settled.objective >= record.best_objective:
            return
        station = Station(record.instance, record.matrix, seed=record.seed, control=control)
        whole = station.racks(rest, program, settled)
        if whole is not None:
            record.accept(whole, FOUND[keep])

    def _relaxed(
        self, x: Floats, contracts: Sequence[str], keep: Keep, control: Control, freed: Ints = NOTHING
    ) -> tuple[Shrunk, Program, Solution] | None:  # fmt: skip
        """The relaxation near a plan; None when it has no solution, or time is up."""
        rest = shrink(self.record.matrix, *kept(self.record.matrix, x, contracts, keep, freed, self.less))
        program = Program(rest.matrix, threads=1, seed=self.record.seed)
        program.option("simplex_dual_edge_weight_strategy", DEVEX)
        found = program.solve(control, method="ipm")
        return (rest, program, found) if found.outcome is Outcome.OPTIMAL else None

    def _placed(
        self, x: Floats, contracts: Sequence[str], rest: Shrunk, program: Program, found: Solution, control: Control
    ) -> Solution:  # fmt: skip
        """Contracts placed anew one by one, then together, from the sites that they have.

        Args:
            program: the relaxation, which is held to the sites found.
            found: its solution.

        Returns:
            Its solution with those sites; the one given, if there is nothing to place.
        """
        record = self.record
        search = SiteSearch(record.instance, rest.matrix, control, record.seed, program=program)
        search.contracts = [c for c in contracts if c in search.sites]
        if not search.contracts:
            return found
        search.root, search.root_basis = found, program.basis()
        search.basis = search.root_basis
        if not search.start_from(_serving(record.matrix, x, search.sites)) and not search.build({}):
            return found
        for c in search.contracts:
            if self._enough(search.best) or control.over:
                break
            search.replace([c], TRIES)
            record.log("places of contracts worse served")
        search.hold_best()
        return search.best

    def _promising(self, found: Solution, keep: Keep) -> bool:
        """Whether a relaxation could bring enough of what is missing."""
        record = self.record
        if keep is not Keep.RACKS or record.best is None or not np.isfinite(record.bound):
            return found.objective < record.best_objective
        wanted = record.bound / (1.0 - np.sign(record.bound) * record.gap)
        return bool(record.best_objective - found.objective >= WORTH * (record.best_objective - wanted))

    def _enough(self, found: Solution) -> bool:
        """Whether a relaxation leaves room for a plan as good as asked for."""
        record = self.record
        if not np.isfinite(record.bound):
            return False
        return relative_gap(-record.bound * MILLION, -found.objective * MILLION) <= max(0.0, record.gap - ROUNDING)

    def _to_place(self, x: Floats) -> list[str]:
        """Contracts that differ, then those that a solution serves worse than the old plan did, the worst first."""
        after: dict[str, float] = {}
        for key, gpus in self.record.matrix.values("short", x):
            after[str(key[0])] = after.get(str(key[0]), 0.0) + gpus
        worse = {c: gpus - self.short.get(c, 0.0) for c, gpus in after.items() if c not in self.renewed}
        return [*self.renewed, *sorted((c for c, gpus in worse.items() if gpus > WORSE), key=lambda c: -worse[c])]


def kept(
    matrix: Matrix, x: Floats, contracts: Sequence[str], keep: Keep, freed: Ints = NOTHING, less: bool = False
) -> tuple[Floats, Floats]:  # fmt: skip
    """Bounds of a model in which a solution's decisions stay.

    Args:
        x: the solution; shape (columns,).
        contracts: that may be signed and served anew.
        keep: what stays.
        freed: columns that need not stay.
        less: whether fewer contracts may be signed, and fewer sites serve each.

    Returns:
        Lower and upper bounds; shape (columns,) each.
    """
    lower, upper = matrix.lower.copy(), matrix.upper.copy()
    whole = np.clip(np.round(x), matrix.lower, matrix.upper)

    def hold(family: str, chosen: Callable[[Index], bool], above: bool = False, below: bool = False) -> None:
        first, index = matrix.columns[family]
        columns = np.array([first + i for i, key in enumerate(index) if chosen(key)], dtype=np.intp)
        if not below:
            lower[columns] = whole[columns]
        if not above:
            upper[columns] = whole[columns]

    anew = set(contracts)
    for family in ("sign", "serve"):
        hold(family, lambda key: key[0] not in anew, below=less)
    if keep is Keep.CONTRACTS:
        return lower, upper
    first, index = matrix.columns["retrofit_ordered"]
    ordered = {key[0] for i, key in enumerate(index) if whole[first + i] > 0.5}
    more = keep is not Keep.DECISIONS
    hold("retrofit_ordered", lambda key: key[0] in ordered or not more)
    for family in ("open", "built"):
        hold(family, lambda key: True, above=more)
    if keep is Keep.RACKS:
        for family in ("installed", "in_service"):
            hold(family, lambda key: True, above=True)
    lower[freed], upper[freed] = matrix.lower[freed], matrix.upper[freed]
    return lower, upper


def _values(found: Solution) -> Floats:
    assert found.x is not None
    return found.x


def _serving(matrix: Matrix, x: Floats, contracts: Iterable[str]) -> Sets:
    """Sites that serve contracts in a solution."""
    sets: dict[str, list[str]] = {c: [] for c in contracts}
    for key, value in matrix.values("serve", x):
        if str(key[0]) in sets and value > 0.5:
            sets[str(key[0])].append(str(key[1]))
    return {c: tuple(sites) for c, sites in sets.items()}

"""Which sites serve a contract: a search over sets of sites, judged by warm relaxations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from optimizer.highs import Control, Outcome, Program, Solution
from optimizer.instance import Floats, Instance
from optimizer.matrix import Ints, Matrix
from optimizer.signing import Answers, Signing
from optimizer.site_dive import Manner, SiteDive
from optimizer.site_swaps import BETTER, SiteSwaps

USED = 1e-6
"""A share of a pair below this is no use of it."""
SERVES = 0.5
"""A pair of which the relaxation has so much is taken to serve."""
CLUSTER_SHARE = 0.3
"""Share of its smallest cluster from which a site that the relaxation uses is worth a try."""
WORTH = 1e-4
"""Relative gain below which the sites of a contract are not tried again."""
NOISE = 0.8
"""Spread of the logarithm of the weights by which sites are drawn."""
TRIES = 2
"""Sets of sites tried for a contract that is placed anew."""
LOSS = 0.003
"""Relative loss by contract up to which contracts are held to their sites together; where it is more, one by one."""
WORSE = 0.015
"""Relative loss up to which a move is taken that polishing may turn into a gain."""
DIVES = 2
"""Dives, at most, from the root."""
TOO_LATE = 0.02
"""Relative loss by a contract from which on it should have been placed earlier."""
FAVOUR = 4.0
"""How much earlier: a factor on what a dive goes by."""

Sets = dict[str, tuple[str, ...]]
"""Serving sites by contract."""


def most_sites(inst: Instance, c: str) -> int:
    """Largest number of sites that can serve a contract: its own limit, and what its smallest cluster leaves of its highest ramp."""
    row, top = inst.contract_rows[c], inst.owed[inst.contract_at[c]].max(initial=0.0)
    by_cluster = math.floor(top / row.min_cluster_gpus + 1e-9) if inst.cluster_periods(c) else len(inst.sites)
    return max(1, min(by_cluster, len(inst.sites) if row.max_sites is None else row.max_sites))


def order(inst: Instance) -> list[str]:
    """Contracts with a choice of sites: the fewest sites allowed first, then the largest."""
    chosen = {c for c, _ in inst.choice_pairs}
    return sorted(chosen, key=lambda c: (most_sites(inst, c), -inst.owed[inst.contract_at[c]].sum(), c))


class SiteSearch:
    """Chooses the serving sites of every contract; all other decisions stay relaxed.

    A dive holds contracts to sites pair by pair (:mod:`optimizer.site_dive`). Where it finds no way, all contracts are restricted to the
    sites that they use most and can use together, from starts that differ in where the contract with the fewest sites goes, then held to
    them. Sites are then exchanged one by one (:mod:`optimizer.site_swaps`), and contracts placed anew a few at a time, as long as it pays.

    Args:
        matrix: the model, or one with merged periods.
        control: deadline and stop.
        seed: of the draws.
        log: told of each better choice.
        program: the model in a solver, if there is one already.
        swaps: whether sites are exchanged one by one, or contracts freed and placed anew.
        signs: whether contracts without a choice of sites are signed, or not, where the relaxation signs them in part.
    """

    def __init__(
        self, inst: Instance, matrix: Matrix, control: Control, seed: int = 0, log: Callable[[str], None] = lambda phase: None,
        program: Program | None = None, swaps: bool = True, signs: bool = False,
    ) -> None:  # fmt: skip
        self.inst, self.matrix, self.control, self.log = inst, matrix, control, log
        self.swaps, self.signs = swaps, signs
        self.program = program or Program(matrix, threads=1, seed=seed)
        self.random = np.random.default_rng(seed)
        first, index = matrix.columns["serve"]
        self.at = {(str(c), str(s)): first + i for i, (c, s) in enumerate(index)}
        self.contracts = order(inst)
        self.sites = {c: inst.sites_of_choice(c) for c in self.contracts}
        self.columns = {c: np.array([self.at[c, s] for s in self.sites[c]], dtype=np.intp) for c in self.contracts}
        self.far = {c: _far(inst, c) for c in self.contracts}
        self.most = {c: most_sites(inst, c) for c in self.contracts}
        self.volumes = self._volumes()
        self.signing = Signing(self)
        self.sets: Sets = {}
        self.signed: Answers | None = None
        self.best = Solution(Outcome.STOPPED)
        self.basis: Any = None
        self.root = Solution(Outcome.STOPPED)
        self.slack = 0.0
        self.iterations = 0

    @property
    def scale(self) -> float:
        """Size of the objective, to which losses and gains are relative, million USD."""
        return abs(self.root.objective if np.isfinite(self.root.objective) else self.best.objective)

    # steps -------------------------------------------------------------------------------------

    def relax(self) -> bool:
        """Solve the relaxation with all sites to choose from; False when there is no time or no solution."""
        self._free(self.contracts)
        self.unsign()
        self.root = self.solve(method="ipm")
        self.root_basis = self.program.basis()
        return self.root.outcome is Outcome.OPTIMAL

    def ban(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Keep contracts from sites that need not serve them; a choice that has such a pair must be made anew."""
        columns = [self.at[pair] for pair in pairs if pair in self.at and self.matrix.lower[self.at[pair]] < SERVES]
        self.matrix.upper[columns] = 0.0
        for j in columns:
            self.program.bound(np.array([j]), self.matrix.lower[[j]], self.matrix.upper[[j]])

    def starts(self) -> Iterator[Sets]:
        """Sets of sites to start from, the most promising first: where the contract with the fewest sites can go."""
        single = [c for c in self.contracts if most_sites(self.inst, c) == 1]
        forced: list[tuple[float, Sets]] = []
        for s in self.allowed(single[0]) if single else []:
            self._free(self.contracts)
            self.hold(single[0], (s,))
            self.program.set_basis(self.root_basis)
            found = self.solve()
            if found.outcome is Outcome.OPTIMAL:
                forced.append((found.objective, {single[0]: (s,)}))
        yield from (chosen for _, chosen in sorted(forced, key=lambda item: item[0]))
        yield {}

    def restart(self, manner: Manner | None) -> bool:
        """Forget the best, place all contracts anew, and polish; whether they found a place.

        Args:
            manner: of a dive; by drawn weights if not given, or where that finds no place.
        """
        self.sets, self.best, self.basis = {}, Solution(Outcome.STOPPED), None
        self.unsign()
        if manner is not None and self.dive(manner, self.control):
            self.polish()
            return True
        single = [c for c in self.contracts if most_sites(self.inst, c) == 1]
        forced: Sets = {c: (str(self.random.choice(self.allowed(c))),) for c in single[:1] if self.allowed(c)}
        if not self.build(forced, NOISE) and not self.build({}, NOISE):
            return False
        self.polish()
        return True

    def build(self, forced: Sets, noise: float = 0.0) -> bool:
        """Place all contracts, with some already placed; keep the result if it is better than the best.

        Args:
            noise: spread of the logarithm of the weights by which sites are chosen.

        Returns:
            Whether it is better.
        """
        free = [c for c in self.contracts if c not in forced]
        self._free(free)
        for c, sites in forced.items():
            self.hold(c, sites)
        self.program.set_basis(self.root_basis)
        found = self.solve(cut=self.cut(BETTER))
        if found.x is None or found.outcome is not Outcome.OPTIMAL:
            return False
        picks = {c: self._together(c, self._drawn(self._volume(c, found.x), noise)) for c in free}
        for c in free:
            self._restrict(c, picks[c])
        after = self.solve(cut=self.cut(BETTER))
        if after.outcome is Outcome.INFEASIBLE:
            self._free(free)
            after = self.solve(cut=self.cut(BETTER))
        placed = self.settle(free, after)
        if placed is None:
            return False
        sets, solution = placed
        return self.take({**forced, **sets}, solution, "sites of all contracts")

    def dive(self, manner: Manner, soon: Control) -> bool:
        """Place all contracts pair by pair; keep the result if it is better than the best.

        What costs much late is placed early: a contract that loses much by its steps is favoured in another dive.

        Args:
            manner: of the dives.
            soon: when it is over, what is left is placed at once.

        Returns:
            Whether it is better.
        """
        favour: dict[str, float] = {}
        better = False
        for _ in range(DIVES):
            dive = SiteDive(self, manner, soon, favour)
            placed = dive.run()
            better = (placed is not None and self.take(*placed, "sites of all contracts")) or better
            worst = max(dive.lost, key=lambda c: dive.lost[c], default=None)
            if worst is None or dive.lost[worst] <= TOO_LATE * self.scale or soon.over or self.control.over:
                break
            favour[worst] = FAVOUR * favour.get(worst, 1.0)
        return better

    def hold_best(self) -> None:
        """Put the best choice back into the relaxation."""
        for c in self.contracts:
            self.hold(c, self.sets[c])
        if self.signed is not None:
            self.signing.hold(self.signed)
        self.program.set_basis(self.basis)

    def start_from(self, sets: Sets) -> bool:
        """Take given sets; False when they can't be held."""
        for c in self.contracts:
            self.hold(c, sets.get(c, ()))
        self.unsign()
        found = self.solve(method="ipm" if self.basis is None else "simplex")
        self.sets, self.best = {}, Solution(Outcome.STOPPED)
        return found.outcome is Outcome.OPTIMAL and self.take(dict(sets), found, "sites of all contracts")

    def take_up(self, found: Solution) -> None:
        """Take the sites that the programme is held to now, with its solution; contracts that it leaves a choice stay out of the search."""
        lower, upper = self.program.lower, self.program.upper
        self.contracts = [c for c in self.contracts if (lower[self.columns[c]] == upper[self.columns[c]]).all()]
        self.sets = {c: tuple(s for s in self.sites[c] if lower[self.at[c, s]] > SERVES) for c in self.contracts}
        self.best, self.basis = found, self.program.basis()

    def unsign(self) -> None:
        """Leave it to the relaxation which contracts without a choice of sites are signed, and in what part."""
        self.signed = None
        self.signing.free()

    def sign(self) -> bool:
        """Sign contracts without a choice of sites, or don't, beside the best choice of sites; nothing changes where that can't be.

        Returns:
            Whether that loses enough to look for other sites.
        """
        self.hold_best()
        before, (signed, found) = self.best, self.signing.decide(self.best)
        if found.outcome is not Outcome.OPTIMAL:
            self.unsign()
            self.hold_best()
            return False
        self.signed, self.best, self.basis = signed, found, self.program.basis()
        return found.objective > before.objective + LOSS * self.scale

    def polish(self) -> bool:
        """Exchange sites one by one, from the best choice on; or free each contract once, in random order; whether anything was better."""
        if self.swaps and self.sets:
            better = SiteSwaps(self).run()
            if self.signs and self.signed is None and not self.control.over and self.sign():
                better = SiteSwaps(self).run() or better
            return better
        if self.sets:
            self.hold_best()
        gains = [self.replace([str(c)], TRIES) for c in self.random.permutation(self.contracts)]
        return any(gains)

    def kick(self) -> bool:
        """Move a few contracts that could share sites and polish; whether that was better (iterated local search)."""
        self.hold_best()
        return self._attempt(lambda: self._moved(self._related(int(self.random.integers(2, 5)))))

    def _attempt(self, move: Callable[[], bool]) -> bool:
        """Make a move, even to somewhat worse sites, and polish; only a better result is kept."""
        kept = dict(self.sets), self.best, self.basis, self.signed
        self.slack = WORSE * self.scale
        moved = move()
        self.slack = 0.0
        if moved:
            self.polish()
            if self.best.objective < kept[1].objective - BETTER * self.scale:
                return True
        self.sets, self.best, self.basis, self.signed = kept
        if self.sets:
            self.hold_best()
        return False

    def replace(self, contracts: Sequence[str], tries: int) -> bool:
        """Free contracts; where that could pay, try the sites that the relaxation then uses most, draws of them, and none.

        Returns:
            Whether a better choice was found.
        """
        self._free(contracts)
        self.program.set_basis(self.basis)
        free = self.solve(cut=self.cut(WORTH))
        found = False
        if free.outcome is Outcome.OPTIMAL and free.x is not None:
            basis, tried = self.program.basis(), {tuple(frozenset(self.sets[c]) for c in contracts)}
            for noise in [0.0] + [NOISE] * (tries - 1) + [None]:
                picks = {c: self._pick(c, free.x, noise) if noise is not None else () for c in contracts}
                key = tuple(frozenset(picks[c]) for c in contracts)
                if key in tried:
                    continue
                tried.add(key)
                for c in contracts:
                    self.hold(c, picks[c])
                self.program.set_basis(basis)
                after = self.solve(cut=self.cut(BETTER))
                if after.outcome is Outcome.OPTIMAL and self.take({**self.sets, **picks}, after, f"sites of {', '.join(contracts)}"):
                    found = True
                    break
        for c in contracts:
            self.hold(c, self.sets[c])
        return found

    # parts -------------------------------------------------------------------------------------

    def must(self, c: str, s: str) -> bool:
        """Whether a site has to serve a contract."""
        return bool(self.matrix.lower[self.at[c, s]] > SERVES)

    def may(self, c: str, s: str) -> bool:
        """Whether a site may serve a contract that has a choice of it."""
        return bool(self.matrix.upper[self.at[c, s]] > SERVES)

    def allowed(self, c: str) -> list[str]:
        """Sites that may serve a contract."""
        return [s for s in self.sites[c] if self.may(c, s)]

    def _related(self, count: int) -> list[str]:
        """So many contracts drawn at random, of which the others could use sites of the first."""
        first = str(self.random.choice(self.contracts))
        others = [c for c in self.contracts if c != first]
        shared = np.array([1.0 + len(set(self.sites[first]) & set(self.sites[c])) for c in others])
        size = min(count - 1, len(others))
        drawn = self.random.choice(others, size=size, replace=False, p=shared / shared.sum()).tolist() if size else []
        chosen = [first, *map(str, drawn)]
        self.random.shuffle(chosen)
        return chosen

    def _moved(self, contracts: Sequence[str]) -> bool:
        """Free contracts, then place them one after the other; given up when it loses more than ``WORSE``."""
        noise, before = 2 * NOISE * float(self.random.random()), {c: set(self.sets[c]) for c in contracts}
        self._free(contracts)
        self.program.set_basis(self.basis)
        found = self.solve(cut=self.cut(WORTH))
        picks: Sets = {}
        for c in contracts:
            if found.outcome is not Outcome.OPTIMAL or found.x is None:
                break
            picks[c], relaxed = self._pick(c, found.x, noise), found.x
            self.hold(c, picks[c])
            found = self.solve(cut=self.cut(BETTER))
            if found.outcome is Outcome.INFEASIBLE and len(picks[c]) > 1:
                weight = self._volume(c, relaxed)
                picks[c] = tuple(sorted(picks[c], key=lambda s: -weight[s])[:-1])
                self.hold(c, picks[c])
                found = self.solve(cut=self.cut(BETTER))
        other = any(set(picks[c]) != before[c] for c in picks)
        moved = found.outcome is Outcome.OPTIMAL and other and self.take({**self.sets, **picks}, found, "")
        for c in contracts:
            self.hold(c, self.sets[c])
        return moved

    def settle(self, free: Sequence[str], relaxed: Solution) -> tuple[Sets, Solution] | None:
        """Hold contracts to the sites that serve them in a relaxation: as many as possible at once, the clearest first.

        Returns:
            Sites and solution; None when time is up or it can't be better than the best.
        """
        todo, sets, found = list(free), Sets(), relaxed
        while todo:
            if found.x is None or found.outcome is not Outcome.OPTIMAL:
                return None
            x = found.x
            picks = {c: self._serving(c, x) for c in todo}
            clear = {c: min((float(x[self.at[c, s]]) for s in picks[c]), default=1.0) for c in todo}
            todo.sort(key=lambda c: (-clear[c], c))
            count, basis, before = len(todo), self.program.basis(), found
            while True:
                for c in todo[:count]:
                    self.hold(c, picks[c])
                dear = before.objective + count * LOSS * self.scale
                found = self.solve(cut=min(dear, self.cut(BETTER)))
                if found.outcome is Outcome.OPTIMAL or self.control.over:
                    break
                self._free(todo[:count])
                self.program.set_basis(basis)
                if count == 1:
                    c = todo[0]
                    picks[c], found = self._least(c, [picks[c], *(picks[c][:k] for k in range(len(picks[c]) - 1, -1, -1))])
                    break
                count //= 2
            sets |= {c: picks[c] for c in todo[:count]}
            todo = todo[count:]
        return (sets, found) if found.outcome is Outcome.OPTIMAL else None

    def _least(self, c: str, options: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], Solution]:
        """The best of some sets of sites for a contract, which is then held to it; no solution when none is better than the best."""
        basis, chosen, found, chosen_basis = self.program.basis(), options[0], Solution(Outcome.INFEASIBLE), None
        for sites in dict.fromkeys(options):
            self.hold(c, sites)
            self.program.set_basis(basis)
            after = self.solve(cut=min(found.objective, self.cut(BETTER)))
            if after.outcome is Outcome.OPTIMAL and after.objective < found.objective:
                chosen, found, chosen_basis = sites, after, self.program.basis()
        self.hold(c, chosen)
        if chosen_basis is not None:
            self.program.set_basis(chosen_basis)
        return chosen, found

    def _serving(self, c: str, x: Floats) -> tuple[str, ...]:
        """Sites that (mostly) serve in a relaxation, the heaviest first; the one that serves most, if none does."""
        weight = {s: float(x[self.at[c, s]]) for s in self.sites[c]}
        mostly = self._together(c, {s: v for s, v in weight.items() if v >= SERVES})
        if mostly or not weight or max(weight.values()) <= USED:
            return mostly
        return (max(weight, key=lambda s: weight[s]),)

    def _pick(self, c: str, x: Floats, noise: float) -> tuple[str, ...]:
        """Sites for a contract by their volume in a relaxation, changed by chance; those far below their cluster left out."""
        weight = self._volume(c, x)
        picked = self._together(c, self._drawn(weight, noise))
        cluster, owed = self.inst.contract_rows[c].min_cluster_gpus, self.inst.owed[self.inst.contract_at[c]]
        if not self.inst.cluster_periods(c):
            return picked
        return tuple(s for s in picked if weight[s] * owed.max() / owed.sum() >= CLUSTER_SHARE * cluster) or picked[:1]

    def _drawn(self, weight: dict[str, float], noise: float) -> dict[str, float]:
        """Weights changed by chance."""
        return {s: v * math.exp(noise * float(self.random.normal())) for s, v in weight.items()} if noise else weight

    def _together(self, c: str, weight: dict[str, float]) -> tuple[str, ...]:
        """The heaviest sites that may serve a contract together, the heaviest first; those that must serve come first of all."""
        must, never = {s for s in self.sites[c] if self.must(c, s)}, set(self.sites[c]) - set(self.allowed(c))
        picked: list[str] = []
        for s in sorted(must | weight.keys(), key=lambda s: (s not in must, -weight.get(s, 0.0), s)):
            used = s in must or weight[s] > USED
            if used and s not in never and len(picked) < self.most[c] and not self.far[c].get(s, set()).intersection(picked):
                picked.append(s)
        return tuple(picked)

    def _volumes(self) -> dict[tuple[str, str], tuple[Ints, Floats]]:
        """Columns of deliveries with their contract GPUs per GPU, by pair."""
        first, index = self.matrix.columns["delivered"]
        found: dict[tuple[str, str], tuple[list[int], list[float]]] = {pair: ([], []) for pair in self.at}
        for i, (c, s, g, _) in enumerate(index):
            if (c, s) in found:
                found[c, s][0].append(first + i)
                found[c, s][1].append(self.inst.equivalents[c][g])
        return {pair: (np.array(columns, dtype=np.intp), np.array(weights)) for pair, (columns, weights) in found.items()}

    def _volume(self, c: str, x: Floats) -> dict[str, float]:
        """Contract GPUs delivered over the horizon, by site."""
        return {s: float(x[self.volumes[c, s][0]] @ self.volumes[c, s][1]) for s in self.sites[c]}

    def cut(self, share: float) -> float:
        """Objective that a choice must beat to be better by a share."""
        return self.best.objective + self.slack - share * self.scale

    def take(self, sets: Sets, found: Solution, phase: str, signed: Answers | None = None) -> bool:
        """Take a choice if it is better than the best; ``signed``, if answers changed."""
        if not found.objective < self.best.objective + self.slack - 1e-9 * abs(found.objective):
            return False
        self.sets, self.best, self.basis = sets, found, self.program.basis()
        self.signed = signed or self.signed
        if phase:
            self.log(phase)
        return True

    def solve(self, cut: float = np.inf, method: str = "simplex") -> Solution:
        """Solve the relaxation as it stands; given up when it is proven not to be below ``cut``."""
        found = self.program.solve(self.control, method=method, cut=cut)
        self.iterations += found.iterations
        return found

    def _free(self, contracts: Sequence[str]) -> None:
        for c in contracts:
            self.program.bound(self.columns[c], self.matrix.lower[self.columns[c]], self.matrix.upper[self.columns[c]])

    def _restrict(self, c: str, sites: Sequence[str]) -> None:
        """Only these sites may serve."""
        columns = self.columns[c]
        upper = np.array([float(s in sites) for s in self.sites[c]])
        self.program.bound(columns, self.matrix.lower[columns], np.maximum(self.matrix.lower[columns], upper * self.matrix.upper[columns]))

    def hold(self, c: str, sites: Sequence[str]) -> None:
        """Just these sites serve."""
        values = np.array([float(s in sites) for s in self.sites[c]])
        columns = self.columns[c]
        values = np.clip(values, self.matrix.lower[columns], self.matrix.upper[columns])
        self.program.bound(columns, values, values)


def _far(inst: Instance, c: str) -> dict[str, set[str]]:
    """Sites too far from a site to serve a contract together with it."""
    found: dict[str, set[str]] = {}
    for clique in inst.cliques_of(c):
        for s in clique:
            found.setdefault(s, set()).update(u for u in clique if u != s)
    return found

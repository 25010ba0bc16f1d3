"""Which sites serve a contract: chosen contract by contract, judged by warm relaxations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from optimizer.highs import Control, Outcome, Program, Solution
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix

USED = 1e-6
"""A pair below this share is not used by the relaxation."""


def most_sites(inst: Instance, c: str) -> int:
    """Largest number of sites that can serve a contract: its own limit, and what its smallest cluster leaves of its highest ramp."""
    row, top = inst.contract_rows[c], inst.owed[inst.contract_at[c]].max(initial=0.0)
    by_cluster = math.floor(top / row.min_cluster_gpus + 1e-9) if inst.cluster_periods(c) else len(inst.sites)
    return max(1, min(by_cluster, len(inst.sites) if row.max_sites is None else row.max_sites))


def volume(inst: Instance, matrix: Matrix, x: Floats) -> dict[tuple[str, str], float]:
    """Contract GPUs delivered over the horizon by (contract, site), GPU-periods."""
    found: dict[tuple[str, str], float] = {}
    for (c, s, g, _), gpus in matrix.values("delivered", x):
        found[c, s] = found.get((c, s), 0.0) + gpus * inst.equivalents[c][g]
    return found


def order(inst: Instance) -> list[str]:
    """Contracts with a choice of sites: the fewest sites allowed first, then the largest."""
    chosen = {c for c, _ in inst.choice_pairs}
    return sorted(chosen, key=lambda c: (most_sites(inst, c), -inst.owed[inst.contract_at[c]].sum(), c))


def best_sites(inst: Instance, c: str, weight: dict[str, float]) -> list[str]:
    """The heaviest sites that may serve a contract together."""
    far: dict[str, set[str]] = {}
    for clique in inst.cliques_of(c):
        for s in clique:
            far.setdefault(s, set()).update(u for u in clique if u != s)
    picked: list[str] = []
    for s in sorted(weight, key=lambda s: (-weight[s], s)):
        if len(picked) < most_sites(inst, c) and not far.get(s, set()).intersection(picked):
            picked.append(s)
    return picked


def choose_sites(
    inst: Instance,
    matrix: Matrix,
    program: Program,
    relaxed: Solution,
    control: Control,
    log: Callable[[str], None],
    contracts: Sequence[str] | None = None,
) -> Solution | None:
    """Restrict each contract to a set of sites that may serve it together.

    Args:
        program: the relaxation, warm; its bounds on ``serve`` are tightened.
        relaxed: its solution.
        contracts: whose sites to choose; all with a choice, if not given.

    Returns:
        The solution of the restricted relaxation; None when time is up.
    """
    first, index = matrix.columns["serve"]
    at = {pair: first + i for i, pair in enumerate(index)}
    found = relaxed
    for c in order(inst) if contracts is None else [c for c in order(inst) if c in contracts]:
        if control.over or found.x is None:
            return None
        sites = inst.sites_of_choice(c)
        used = {s: v for (d, s), v in volume(inst, matrix, found.x).items() if d == c and s in sites}
        picked = best_sites(inst, c, used)
        dropped = np.array([at[c, s] for s in sites if s not in picked and program.upper[at[c, s]] > 0], dtype=np.intp)
        if len(dropped) == 0:
            continue
        before = program.lower[dropped].copy(), program.upper[dropped].copy()
        program.bound(dropped, np.zeros(len(dropped)), np.zeros(len(dropped)))
        after = program.solve(control, method="simplex")
        if after.outcome is Outcome.INFEASIBLE:
            program.bound(dropped, *before)
            continue
        if after.outcome is not Outcome.OPTIMAL:
            return None
        found = after
        log(f"sites of {c}")
    return found

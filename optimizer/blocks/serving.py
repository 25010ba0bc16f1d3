"""Serving sites: which sites may serve a contract, how many, how large, and how far apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from optimizer.blocks.base import MILLION, Block, Formulation, Index, columns_of, constraint
from optimizer.instance import Instance


def declare(f: Formulation) -> None:
    """``serve``: 1 where a contract may use a site; only for contracts to which the choice of sites matters."""
    inst = f.instance
    pairs = inst.choice_pairs
    f.variable("serve", pairs, upper=1.0, integer=True)
    f.param("fits_gpus", {(c, s, t): float(inst.fits[c, s][t]) for c, s, t in serving_index(f)})
    f.param("cluster_gpus", {c: row.min_cluster_gpus for c, row in inst.contract_rows.items()})
    f.param("most_sites", {c: row.max_sites for c, row in inst.contract_rows.items() if row.max_sites is not None})
    f.members("sites_of", {c: [s for d, s in pairs if d == c] for c in inst.contracts})
    f.members("clique", {(c, i): clique for c, i, clique in cliques(inst)})
    f.param("open_gpus", {(c, s, t): float(inst.fits[c, s][t]) for c, s, t in open_delivery_index(f)})


def serving_index(f: Formulation) -> list[Index]:
    """Pairs with a choice, in the periods in which they can deliver."""
    inst = f.instance
    return [(c, s, t) for c, s in inst.choice_pairs for t in np.flatnonzero(inst.fits[c, s] > 0).tolist()]


def serving_rows(inst: Instance) -> int:
    """Periods owed with room for racks of an eligible generation, over pairs with a choice."""
    return sum(periods_delivering(inst, c, s) for c, s in inst.pairs if inst.has_site_choice(c))


def periods_delivering(inst: Instance, c: str, s: str) -> int:
    """Periods owed in which the site can hold a rack of an eligible generation."""
    racks = inst.racks_most[inst.site_at[s]][inst.equivalent_matrix[inst.contract_at[c]] > 0]
    return int(((racks > 0).any(axis=0) & (inst.owed[inst.contract_at[c]] > 0)).sum())


@constraint(13, over=serving_index, rows=serving_rows)
def serving_size(m: Any, c: Any, s: Any, t: Any) -> Any:
    """Only serving sites deliver, and no more than fits (contract GPUs).

    sum of eq[c,g]*w[c,s,g,t] over g <= min(D[c,t], what fits at s)*serve[c,s]
    """
    return sum(m.equivalent[c, g] * m.delivered[c, s, g, t] for g in m.gens_serving[c, s, t]) <= m.fits_gpus[c, s, t] * m.serve[c, s]


@constraint(
    13,
    over=lambda f: [(c,) for c, row in f.instance.contract_rows.items() if row.max_sites is not None and f.instance.sites_of_choice(c)],
    rows=lambda inst: len({c for c, _ in inst.pairs if inst.contract_rows[c].max_sites is not None}),
)
def max_sites(m: Any, c: Any) -> Any:
    """A contract may use so many sites (sites).

    sum of serve[c,s] over s <= max_sites[c]
    """
    return sum(m.serve[c, s] for s in m.sites_of[c]) <= m.most_sites[c]


@constraint(13, over=lambda f: f.instance.choice_pairs, rows=lambda inst: sum(1 for c, _ in inst.pairs if inst.has_site_choice(c)))
def serving_signed(m: Any, c: Any, s: Any) -> Any:
    """Only contracts in force are served (0 or 1).

    serve[c,s] <= sign[c]
    """
    return m.serve[c, s] <= m.sign[c]


def cluster_index(f: Formulation) -> list[Index]:
    """Pairs with a smallest cluster, in the periods in which it must stand."""
    inst = f.instance
    return [(c, s, t) for c, s in inst.choice_pairs for t in inst.cluster_periods(c)]


def cluster_rows(inst: Instance) -> int:
    """Periods at the highest ramp after the cluster's grace (or the last), times the sites that can hold the cluster."""
    sites = {c: sum(1 for d, _ in inst.pairs if d == c) for c in inst.contracts}
    total = 0
    for c, row in inst.contract_rows.items():
        owed = inst.owed[inst.contract_at[c]]
        top = owed.max(initial=0.0)
        if row.min_cluster_gpus > 0 and top > 0:
            at_top = owed == top
            at_top[: int(at_top.argmax()) + row.cluster_grace] = False
            total += sites[c] * max(1, int(at_top.sum()))
    return total


@constraint(13, over=cluster_index, rows=cluster_rows)
def min_cluster(m: Any, c: Any, s: Any, t: Any) -> Any:
    """A serving site holds at least the smallest cluster at the highest ramp (contract GPUs).

    sum of eq[c,g]*w[c,s,g,t] over g >= min_cluster[c]*serve[c,s]
    """
    return sum(m.equivalent[c, g] * m.delivered[c, s, g, t] for g in m.gens_serving[c, s, t]) >= m.cluster_gpus[c] * m.serve[c, s]


def cliques(inst: Instance) -> list[tuple[str, int, list[str]]]:
    """Cliques of sites too far apart, by contract."""
    return [(c, i, clique) for c in inst.contracts for i, clique in enumerate(inst.cliques_of(c))]


def distance_rows(inst: Instance) -> int:
    """Cliques that cover every pair of sites too far apart; fails unless they do, and cover no other pair.

    Raises:
        ValueError: a clique holds two sites that are near enough, or a far pair is in none.
    """
    total = 0
    for c, row in inst.contract_rows.items():
        if row.max_rtt_ms is None:
            continue
        sites = inst.sites_of_choice(c)
        far = {(a, b) for a in sites for b in sites if a < b and inst.round_trip_ms[a].get(b, np.inf) > row.max_rtt_ms}
        covered = {(a, b) for clique in inst.cliques_of(c) for a in clique for b in clique if a < b}
        if far != covered:
            raise ValueError(f"distance rows of contract {c}: {len(far)} pairs of sites too far apart, {len(covered)} covered")
        total += len(inst.cliques_of(c))
    return total


@constraint(14, over=lambda f: [(c, i) for c, i, _ in cliques(f.instance)], rows=distance_rows)
def distance(m: Any, c: Any, i: Any) -> Any:
    """Sites too far from one another do not serve a contract together (sites).

    sum of serve[c,s] over a clique of sites too far apart <= 1
    """
    return sum(m.serve[c, s] for s in m.clique[c, i]) <= 1


def open_serving_index(f: Formulation) -> list[Index]:
    """Pairs with a choice at candidates."""
    chosen = set(f.instance.candidates)
    return [(c, s) for c, s in f.instance.choice_pairs if s in chosen]


@constraint(
    9,
    over=open_serving_index,
    rows=lambda inst: sum(1 for s in inst.candidates for c, u in inst.pairs if u == s and inst.has_site_choice(c)),
)
def open_serving(m: Any, c: Any, s: Any) -> Any:
    """Only sites that open serve (0 or 1).

    serve[c,s] <= open[s,T-1]
    """
    return m.serve[c, s] <= sum(m.open[s, t] for t in m.last_period)


def open_delivery_index(f: Formulation) -> list[Index]:
    """Pairs at candidates, in the periods in which they can deliver."""
    inst = f.instance
    chosen = set(inst.candidates)
    return [(c, s, t) for c, s in inst.pairs if s in chosen for t in np.flatnonzero(inst.fits[c, s] > 0).tolist()]


def open_delivery_rows(inst: Instance) -> int:
    """Periods owed with room for racks of an eligible generation, over pairs at candidates."""
    return sum(periods_delivering(inst, c, s) for s in inst.candidates for c, u in inst.pairs if u == s)


@constraint(9, over=open_delivery_index, rows=open_delivery_rows)
def open_delivery(m: Any, c: Any, s: Any, t: Any) -> Any:
    """Only open sites deliver: the strong form, by contract (contract GPUs).

    sum of eq[c,g]*w[c,s,g,t] over g <= min(D[c,t], what fits at s)*open[s,t]
    """
    return sum(m.equivalent[c, g] * m.delivered[c, s, g, t] for g in m.gens_serving[c, s, t]) <= m.open_gpus[c, s, t] * m.open[s, t]


def money(f: Formulation) -> None:
    """serving_costs: network, tax and staff of serving a contract from a site."""
    inst = f.instance
    costs = np.zeros((len(inst.contracts), len(inst.sites)))
    for (c, s), usd in inst.serving_costs.items():
        costs[inst.contract_at[c], inst.site_at[s]] = usd
    i, j, g, t = columns_of(f.variables["delivered"], inst.contract_at, inst.site_at, inst.gen_at, None)
    f.term("serving_costs", "delivered", -costs[i, j] * inst.hours[t] * inst.equivalent_matrix[i, g] * inst.disc[t] / MILLION)


BLOCK = Block("serving", declare, (serving_size, max_sites, serving_signed, min_cluster, distance, open_serving, open_delivery), money)

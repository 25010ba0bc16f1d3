"""Directives: decisions that are fixed, bounded or forbidden from outside."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.tables import BlockStatus, DecisionKind, Directive, Rule
from optimizer.blocks.base import Block, Formulation, Index, constraint
from optimizer.instance import Instance

TIMELESS = -1
"""Period of the rows of ``sign`` and ``serve``."""
FAMILY = {
    DecisionKind.IN_SERVICE: "in_service",
    DecisionKind.INSTALLED: "installed",
    DecisionKind.DELIVERIES: "delivered",
    DecisionKind.SIGN: "sign",
    DecisionKind.OPEN: "open",
    DecisionKind.BUILD: "built",
    DecisionKind.RETROFIT: "retrofit_mw",
    DecisionKind.SERVE: "serve",
}
"""Family of variables of each decision."""
WIDTH = {
    DecisionKind.IN_SERVICE: 3,
    DecisionKind.INSTALLED: 3,
    DecisionKind.DELIVERIES: 4,
    DecisionKind.SIGN: 1,
    DecisionKind.OPEN: 2,
    DecisionKind.BUILD: 2,
    DecisionKind.RETROFIT: 2,
    DecisionKind.SERVE: 2,
}
"""Parts of their index."""


class DirectiveConflictError(Exception):
    """A directive asks for what no plan can hold; ``rows`` names the directives."""

    def __init__(self, rows: list[str], message: str) -> None:
        self.rows = rows
        super().__init__(message)


def periods_of(inst: Instance, d: Directive) -> list[int]:
    """Periods of the horizon that a directive names; ``TIMELESS`` for sign and serve."""
    if d.decision in (DecisionKind.SIGN, DecisionKind.SERVE):
        return [TIMELESS]
    first = 0 if d.from_period is None else max(0, inst.index(d.from_period))
    last = inst.T - 1 if d.to_period is None else min(inst.T - 1, inst.index(d.to_period))
    return list(range(first, last + 1))


def _named(d: Directive, key: Index) -> bool:
    """Whether the index of a variable is among the ids that a directive names."""
    wanted = {
        DecisionKind.IN_SERVICE: (d.site_id, d.gen_id),
        DecisionKind.INSTALLED: (d.site_id, d.gen_id),
        DecisionKind.DELIVERIES: (d.contract_id, d.site_id, d.gen_id),
        DecisionKind.SIGN: (d.contract_id,),
        DecisionKind.OPEN: (d.site_id,),
        DecisionKind.BUILD: (d.block_id,),
        DecisionKind.RETROFIT: (d.site_id,),
        DecisionKind.SERVE: (d.contract_id, d.site_id),
    }[d.decision]
    return all(want is None or want == got for want, got in zip(wanted, key, strict=False))


def standing(inst: Instance, d: Directive, t: int) -> float:
    """What a directive counts that is no decision: a named open site or firm block; firm contracts have a fixed ``sign``."""
    if d.decision is DecisionKind.OPEN and d.site_id is not None and d.site_id not in inst.candidates:
        return 1.0
    if d.decision is DecisionKind.BUILD and d.block_id is not None:
        row = inst.block_rows[d.block_id]
        return float(row.status is BlockStatus.FIRM and inst.index(row.energized) <= t)
    return 0.0


def _decided(f: Formulation) -> dict[DecisionKind, dict[int, list[Index]]]:
    """Indices of the variables of each decision, by period."""
    inst = f.instance
    found: dict[DecisionKind, dict[int, list[Index]]] = {}
    for kind, name in FAMILY.items():
        groups: dict[int, list[Index]] = {}
        for key in f.variables[name].index:
            groups.setdefault(TIMELESS if kind in (DecisionKind.SIGN, DecisionKind.SERVE) else key[-1], []).append(key)
        found[kind] = groups
    for t, keys in found[DecisionKind.IN_SERVICE].items():
        found[DecisionKind.IN_SERVICE][t] = [k for k in keys if t >= 0 and inst.held[inst.site_at[k[0]], inst.gen_at[k[1]], t]]
    for t, keys in found[DecisionKind.BUILD].items():
        found[DecisionKind.BUILD][t] = [k for k in keys if t >= inst.buildable[k[0]][0]]
    return found


def declare(f: Formulation) -> None:
    """What each directive sums over in each period, and its value less what is given."""
    inst = f.instance
    rows = inst.dataset.rows(Directive)
    decided = _decided(f) if rows else {}
    sums: dict[DecisionKind, dict[Index, list[Any]]] = {kind: {} for kind in DecisionKind}
    value: dict[Index, float] = {}
    for d in rows:
        for t in periods_of(inst, d):
            given = standing(inst, d, t)
            keys = [key for key in decided[d.decision].get(t, []) if _named(d, key) and _counts(inst, d, key)]
            if keys:
                value[d.row, t] = d.value - given
                for kind in DecisionKind:
                    sums[kind][d.row, t] = [key if len(key) > 1 else key[0] for key in keys] if kind is d.decision else []
            else:
                _refuse_the_impossible(inst, d, t, given)
    for kind, found in sums.items():
        f.members(f"directed_{kind.value}", found, WIDTH[kind])
    f.param("directive_value", value)


def _counts(inst: Instance, d: Directive, key: Index) -> bool:
    """``sign`` without a contract counts prospects only."""
    return d.decision is not DecisionKind.SIGN or d.contract_id is not None or key[0] in inst.prospects


def _refuse_the_impossible(inst: Instance, d: Directive, t: int, given: float) -> None:
    """A directive that matches no decision must hold as it is.

    Raises:
        DirectiveConflictError: it does not.
    """
    too_much = d.rule in (Rule.FIX, Rule.MAX) and given > d.value
    too_little = d.rule in (Rule.FIX, Rule.MIN) and given < d.value
    if too_much or too_little:
        when = "" if t == TIMELESS else f" in {inst.calendar.label(t)}"
        ids = ", ".join(x for x in (d.contract_id, d.site_id, d.gen_id, d.block_id) if x) or "everything"
        text = f"directive {d.row}: {d.rule.value} {d.decision.value} of {ids} to {d.value:g}{when}, where it can only be {given:g}"
        raise DirectiveConflictError([d.row], text)


def directive_index(f: Formulation, side: Rule) -> list[Index]:
    """Directives of a side, in the periods in which they name some decision."""
    wanted = {d.row for d in f.instance.dataset.rows(Directive) if d.rule in (Rule.FIX, side)}
    return [key for key in f.model.directive_value if key[0] in wanted]


def directive_rows(inst: Instance, side: Rule) -> int:
    """Periods within each directive's span in which the data leave a decision to the ids that it names."""
    total = 0
    for d in inst.dataset.rows(Directive):
        if d.rule not in (Rule.FIX, side):
            continue
        in_span = np.zeros(inst.T, dtype=bool)
        first = 0 if d.from_period is None else inst.index(d.from_period)
        last = inst.T if d.to_period is None else inst.index(d.to_period) + 1
        in_span[max(first, 0) : max(last, 0)] = True
        exists = _open_to(inst, d)
        timeless = d.decision in (DecisionKind.SIGN, DecisionKind.SERVE)
        total += int(exists.any() if timeless else (in_span & exists).sum())
    return total


def _open_to(inst: Instance, d: Directive) -> Any:
    """Whether the decision exists, by period (or once, for sign and serve)."""
    sites = np.array([d.site_id in (None, s) for s in inst.sites])
    gens = np.array([d.gen_id in (None, g) for g in inst.gens])
    contracts = [c for c in inst.contracts if d.contract_id in (None, c)]
    exists = np.zeros(inst.T, dtype=bool)
    if d.decision in (DecisionKind.IN_SERVICE, DecisionKind.INSTALLED):
        return inst.held[np.ix_(sites, gens)].any(axis=(0, 1))
    if d.decision is DecisionKind.DELIVERIES:
        for c, s in inst.pairs:
            for g in inst.equivalents[c]:
                if c in contracts and sites[inst.site_at[s]] and gens[inst.gen_at[g]]:
                    exists |= (inst.owed[inst.contract_at[c]] > 0) & (inst.racks_most[inst.site_at[s], inst.gen_at[g]] > 0)
        return exists
    if d.decision is DecisionKind.SIGN:
        return np.array([bool(contracts) if d.contract_id is not None else bool(inst.prospects)])
    if d.decision is DecisionKind.SERVE:
        return np.array([any(c in contracts and sites[inst.site_at[s]] for c, s in inst.choice_pairs)])
    if d.decision is DecisionKind.OPEN:
        return exists | any(sites[inst.site_at[s]] for s in inst.candidates)
    if d.decision is DecisionKind.RETROFIT:
        return exists | any(sites[inst.site_at[s]] for s in inst.retrofit_rows)
    for b, (start, _) in inst.buildable.items():
        if d.block_id in (None, b):
            exists[start:] = True
    return exists


def _directed(m: Any, d: Any, t: Any) -> Any:
    """What a directive counts: racks, physical GPUs, MW, or yes-or-no decisions."""
    return (
        sum(m.in_service[s, g, tau] for s, g, tau in m.directed_in_service[d, t])
        + sum(m.installed[s, g, tau] for s, g, tau in m.directed_installed[d, t])
        + sum(m.delivered[c, s, g, tau] for c, s, g, tau in m.directed_deliveries[d, t])
        + sum(m.sign[c] for c in m.directed_sign[d, t])
        + sum(m.open[s, tau] for s, tau in m.directed_open[d, t])
        + sum(m.built[b, tau] for b, tau in m.directed_build[d, t])
        + sum(m.retrofit_mw[s, tau] for s, tau in m.directed_retrofit[d, t])
        + sum(m.serve[c, s] for c, s in m.directed_serve[d, t])
    )


@constraint(18, over=lambda f: directive_index(f, Rule.MIN), rows=lambda inst: directive_rows(inst, Rule.MIN))
def directive_least(m: Any, d: Any, t: Any) -> Any:
    """What a directive fixes or asks for at least (unit of the decision).

    sum of the decision over what the directive leaves open >= value
    """
    return _directed(m, d, t) >= m.directive_value[d, t]


@constraint(18, over=lambda f: directive_index(f, Rule.MAX), rows=lambda inst: directive_rows(inst, Rule.MAX))
def directive_most(m: Any, d: Any, t: Any) -> Any:
    """What a directive fixes or allows at most (unit of the decision).

    sum of the decision over what the directive leaves open <= value
    """
    return _directed(m, d, t) <= m.directive_value[d, t]


BLOCK = Block("directives", declare, (directive_least, directive_most))

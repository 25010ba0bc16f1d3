"""What the data alone say of rules: those that no decision can hold, and pairs that contradict one another; no solve."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.tables import DecisionKind, Directive, Rule
from optimizer.conflicts import HARD, activity
from optimizer.explain.answer import number
from optimizer.explain.limits import directive_words, named, scale_of
from optimizer.explain.obstacles import Wish, obstacles, periods_wished
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix

TOLERANCE = 1e-6
"""Share of max(1, limit) below which nothing is missing."""


@dataclass(frozen=True)
class Finding:
    """A rule that the data contradict.

    Attributes:
        rule: row of directives.csv, or kind and place of the limit.
        words: the fault with its amounts and where it stands.
        others: rows of directives.csv that it contradicts.
    """

    rule: str
    words: str
    others: tuple[str, ...] = ()


def checked(inst: Instance, matrix: Matrix) -> tuple[Finding, ...]:
    """Hard rules that can't hold, each told once with the period in which most is missing."""
    least, most = activity(replace(matrix, lower=_lower(matrix)))
    worst: dict[str, tuple[float, Finding]] = {}
    for name in HARD:
        rows, index = matrix.rows.get(name, ((), []))
        for row, key in zip(rows, index, strict=True):
            low, high = float(matrix.row_lower[row]), float(matrix.row_upper[row])
            top = min(float(most[row]), _more_than_there_is(inst, key)) if name == "directive_least" else float(most[row])
            limit = named(inst, name, key)
            own = limit.place if name.startswith("directive") else f"{name} {limit.place}".rstrip()
            rule = directive_words(inst, limit.place, _when(limit.period)) if name.startswith("directive") else limit.words
            if np.isfinite(low) and low - top > TOLERANCE * max(1.0, abs(low)):
                text = f"{rule}: the data allow at most {number(top)}"
                _note(worst, own, low - top, Finding(own, text + why_none(inst, limit.place)))
            if np.isfinite(high) and float(least[row]) - high > TOLERANCE * max(1.0, abs(high)):
                text = f"{rule}: the data ask for at least {number(float(least[row]) / scale_of(name))}"
                if name == "short_limit":
                    text = f"{rule}: whatever is decided, {number(float(least[row]))} contract GPUs too many are short{_duty(inst, *key)}"
                _note(worst, own, float(least[row]) - high, Finding(own, text))
    for d in inst.dataset.rows(Directive):
        why = "" if d.row in worst else why_none(inst, d.row)
        if why:
            worst[d.row] = (0.0, Finding(d.row, f"{directive_words(inst, d.row)}{why.replace(';', ':', 1)}"))
    _contradictions(inst, matrix, worst)
    return tuple(finding for _, finding in worst.values())


def why_none(inst: Instance, row: str) -> str:
    """What the data lack for racks or deliveries that a directive asks for, to follow its words; empty where no single limit says it."""
    d = next(d for d in inst.dataset.rows(Directive) if d.row == row)
    if d.decision not in (DecisionKind.IN_SERVICE, DecisionKind.INSTALLED, DecisionKind.DELIVERIES) or d.rule is Rule.MAX or d.value <= 0:
        return ""
    per_rack = min(r.gpus_per_rack for g, r in inst.gen_rows.items() if d.gen_id in (None, g))
    gpus = d.value * (1 if d.decision is DecisionKind.DELIVERIES else per_rack)
    wish = Wish(gpus, d.gen_id, d.site_id, d.contract_id, d.from_period, d.to_period)
    if not periods_wished(wish, inst):
        return ""
    return "".join(f"; {o.words}" for o in obstacles(wish, inst))


def _duty(inst: Instance, c: str, t: int) -> str:
    """What the data lack for a hard duty, to follow its words."""
    asked = float(inst.owed[inst.contract_at[c], t]) * (1 - inst.contract_rows[c].max_short_share)
    label = inst.calendar.label(t)
    wish = Wish(asked / max(inst.equivalents[c].values(), default=1.0), contract_id=c, from_period=label, to_period=label)
    return "".join(f"; {o.words}" for o in obstacles(wish, inst))


def _lower(matrix: Matrix) -> Floats:
    """Lower bounds of columns, where what is short is at least what no delivery can be; shape (columns,)."""
    lower = matrix.lower.copy()
    rows, keys = matrix.rows.get("delivery", (np.zeros(0, dtype=np.intp), []))
    if not len(rows):
        return lower
    first, index = matrix.columns["short"]
    at = {key: first + i for i, key in enumerate(index)}
    columns = np.array([at[key] for key in keys], dtype=np.intp)
    _, most = activity(matrix)
    lower[columns] = np.maximum(lower[columns], matrix.row_lower[rows] - (most[rows] - matrix.upper[columns]))
    return lower


def _note(worst: dict[str, tuple[float, Finding]], rule: str, missing: float, finding: Finding) -> None:
    if rule not in worst or missing > worst[rule][0]:
        worst[rule] = (missing, finding)


def _when(period: str) -> str:
    return f" in {period}" if period else ""


def _more_than_there_is(inst: Instance, key: tuple[str, int]) -> float:
    """Most racks that supply, fleet and power leave to what a directive counts; infinite for other decisions."""
    row, t = key
    d = next(d for d in inst.dataset.rows(Directive) if d.row == row)
    if d.decision not in (DecisionKind.IN_SERVICE, DecisionKind.INSTALLED):
        return float("inf")
    sites = [inst.site_at[s] for s in inst.sites if d.site_id in (None, s)]
    gens = [inst.gen_at[g] for g in inst.gens if d.gen_id in (None, g)]
    allocated = np.cumsum(inst.supply, axis=1)[gens, t]
    if d.decision is DecisionKind.INSTALLED:
        return float(np.minimum(inst.installs_most[np.ix_(sites, gens)][:, :, t].sum(axis=0), allocated).sum())
    there = inst.fleet_alive[np.ix_(sites, gens)][:, :, t].sum(axis=0) + allocated
    smallest = min(inst.rack_mw[inst.gens[j]] for j in gens)
    by_power = np.floor(inst.it_most[sites, t] / smallest + 1e-9).sum()
    return float(min(np.minimum(inst.racks_most[np.ix_(sites, gens)][:, :, t].sum(axis=0), there).sum(), by_power))


def _contradictions(inst: Instance, matrix: Matrix, worst: dict[str, tuple[float, Finding]]) -> None:
    """Directives that ask for more than another leaves to them: what one counts lies within what the other counts, or around it."""
    a = matrix.a.tocsr()

    def counted(name: str) -> list[tuple[str, int, frozenset[int], int]]:
        rows, index = matrix.rows.get(name, ((), []))
        return [
            (str(key[0]), key[1], frozenset(a.indices[a.indptr[row] : a.indptr[row + 1]].tolist()), int(row))
            for row, key in zip(rows, index, strict=True)
        ]

    above: dict[int, list[tuple[str, int, frozenset[int], int]]] = {}
    for most in counted("directive_most"):
        above.setdefault(most[1], []).append(most)
    for one, t, columns, row in counted("directive_least"):
        asked = float(matrix.row_lower[row])
        for other, _, others, limit_row in above.get(t, []):
            if other == one or not columns & others:
                continue
            if columns <= others:
                left = float(matrix.row_upper[limit_row]) - sum(float(matrix.lower[j]) for j in others - columns)
            elif others <= columns:
                left = float(matrix.row_upper[limit_row]) + sum(float(matrix.upper[j]) for j in columns - others)
            else:
                continue
            if asked - left > TOLERANCE * max(1.0, asked):
                when = "" if t < 0 else f" in {inst.calendar.label(t)}"
                text = (
                    f"{directive_words(inst, one, when)}: {directive_words(inst, other, when)} leaves it at most {number(max(0.0, left))}"
                )
                _note(worst, one, asked - left, Finding(one, text, (other,)))

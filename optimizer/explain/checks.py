"""What the data alone say of rules: those that no decision can hold, and pairs that contradict one another; no solve."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from models.tables import DecisionKind, Directive
from optimizer.explain.answer import number
from optimizer.explain.limits import directive_words, named
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix

TOLERANCE = 1e-6
"""Share of max(1, limit) below which nothing is missing."""


@dataclass(frozen=True)
class Finding:
    """A rule that the data contradict.

    Attributes:
        rule: row of directives.csv, or name of the limit.
        words: the fault with its amounts and where it stands.
        others: rows of directives.csv that it contradicts.
    """

    rule: str
    words: str
    others: tuple[str, ...] = ()


def checked(inst: Instance, matrix: Matrix, families: Iterable[str]) -> tuple[Finding, ...]:
    """Rules that can't hold, each told once with the period in which most is missing.

    Args:
        families: constraints that are looked at.
    """
    least, most = _activity(matrix)
    worst: dict[str, tuple[float, Finding]] = {}
    for name in families:
        rows, index = matrix.rows.get(name, ((), []))
        for row, key in zip(rows, index, strict=True):
            low, high = float(matrix.row_lower[row]), float(matrix.row_upper[row])
            top = min(float(most[row]), _more_than_there_is(inst, key)) if name == "directive_least" else float(most[row])
            limit = named(inst, name, key)
            rule = directive_words(inst, limit.place, _when(limit.period)) if name.startswith("directive") else limit.words
            if np.isfinite(low) and low - top > TOLERANCE * max(1.0, abs(low)):
                text = f"{rule}: the data allow at most {number(top)}"
                _note(worst, limit.place or name, low - top, Finding(limit.place or name, text))
            if np.isfinite(high) and float(least[row]) - high > TOLERANCE * max(1.0, abs(high)):
                text = f"{rule}: the data ask for at least {number(float(least[row]))}"
                _note(worst, limit.place or name, float(least[row]) - high, Finding(limit.place or name, text))
    _contradictions(inst, matrix, worst)
    return tuple(finding for _, finding in worst.values())


def _note(worst: dict[str, tuple[float, Finding]], rule: str, missing: float, finding: Finding) -> None:
    if rule not in worst or missing > worst[rule][0]:
        worst[rule] = (missing, finding)


def _when(period: str) -> str:
    return f" in {period}" if period else ""


def _activity(matrix: Matrix) -> tuple[Floats, Floats]:
    """Least and most of each row within the bounds of its columns; shape (rows,) each."""
    a = matrix.a.tocsr()
    up, down = a.maximum(0.0), a.minimum(0.0)
    return up @ matrix.lower + down @ matrix.upper, up @ matrix.upper + down @ matrix.lower


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

"""Why nothing is feasible: the rules that can make a valid dataset infeasible, each given a price, and which of them must give way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csc_array, hstack

from models.tables import Directive
from models.targets import MEASURES, SCALE, Measure
from optimizer.blocks.base import Index
from optimizer.highs import Control, Program
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix

HARD = ("directive_least", "directive_most", "short_limit", "capex_budget", "carbon_cap", "water", "customer_share")
"""The only rows that can make a valid dataset infeasible (model.md, 18)."""
ASKED = ("target", "in_common")
"""Rows of targets, which can make a model infeasible too."""
GIVES_WAY = 1e-6
"""Scaled violation above which a rule is said to give way."""


def activity(matrix: Matrix) -> tuple[Floats, Floats]:
    """Least and most of each row within the bounds of its columns; infinite where they are; shape (rows,) each."""
    entries = matrix.a.tocoo()
    some = entries.data != 0.0  # nothing times an infinite bound is nothing
    row, column, value = entries.row[some], entries.col[some], entries.data[some]
    low, high = value * matrix.lower[column], value * matrix.upper[column]
    least, most = np.zeros(matrix.shape[0]), np.zeros(matrix.shape[0])
    np.add.at(least, row, np.minimum(low, high))
    np.add.at(most, row, np.maximum(low, high))
    return least, most


def elastic(matrix: Matrix) -> tuple[Matrix, list[tuple[str, Index, int, float]]]:
    """The model with a slack on every hard rule, and the sum of the slacks as its only cost.

    Returns:
        The elastic model, and per slack column: constraint, index, row, scale of the slack.
    """
    slacks: list[tuple[str, Index, int, float]] = []
    signs: list[float] = []
    needed: list[float] = []
    least, most = activity(matrix)
    for name in (*HARD, *ASKED):
        rows, index = matrix.rows.get(name, (np.zeros(0, dtype=np.intp), []))
        for row, key in zip(rows.tolist(), index, strict=True):
            low, high = matrix.row_lower[row], matrix.row_upper[row]
            scale = max(1.0, abs(low) if np.isfinite(low) else abs(high))
            for sign in [1.0] * bool(np.isfinite(low)) + [-1.0] * bool(np.isfinite(high)):
                slacks.append((name, key, row, scale))
                signs.append(sign * scale)
                needed.append(max(0.0, low - float(least[row]) if sign > 0 else float(most[row]) - high) / scale)
    count = len(slacks)
    extra = csc_array((signs, ([row for _, _, row, _ in slacks], range(count))), shape=(matrix.shape[0], count))
    return (
        replace(
            matrix,
            a=csc_array(hstack([matrix.a, extra], format="csc")),
            cost=np.concatenate([np.zeros(matrix.shape[1]), np.ones(count)]),
            offset=0.0,
            lower=np.concatenate([matrix.lower, np.zeros(count)]),
            upper=np.concatenate([matrix.upper, np.array(needed, dtype=float)]),
            integer=np.concatenate([matrix.integer, np.zeros(count, dtype=bool)]),
        ),
        slacks,
    )


def conflicts(inst: Instance, matrix: Matrix, control: Control, *, threads: int = 0, seed: int = 0) -> list[str]:
    """Rules that can't hold together, in words; the smallest sum of scaled violations that HiGHS finds in time."""
    model, slacks = elastic(matrix)
    program = Program(model, integer=True, threads=threads, seed=seed)
    program.option("mip_rel_gap", 0.01)
    found = program.solve(control)
    if found.x is None:
        return ["no plan holds all directives, hard duties and limits; which of them conflict was not found in time"]
    values = found.x[matrix.shape[1] :]
    return [describe(inst, name, key, float(values[i] * scale)) for i, (name, key, _, scale) in enumerate(slacks) if values[i] > GIVES_WAY]


def describe(inst: Instance, name: str, key: Index, amount: float) -> str:
    """One rule that gives way, in words."""
    if name.startswith("directive"):
        row, t = key
        directive = next(d for d in inst.dataset.rows(Directive) if d.row == row)
        when = "" if t < 0 else f" in {inst.calendar.label(t)}"
        ids = ", ".join(i for i in (directive.contract_id, directive.site_id, directive.gen_id, directive.block_id) if i)
        what = f"{directive.rule.value} {directive.decision.value}{f' of {ids}' if ids else ''} {directive.value:g}"
        return f"directive {row} ({what}{when}) can't hold with the rest: it misses by {amount:.6g}"
    if name == "short_limit":
        c, t = key
        share = inst.contract_rows[c].max_short_share
        return f"contract {c} in {inst.calendar.label(t)}: max_short_share {share:g} can't hold with the rest: {amount:.6g} contract GPUs more would be short"
    if name == "carbon_cap":
        return f"carbon cap of {key[0]} can't hold with the rest: {amount * 1e3:.6g} tonnes too much"
    if name == "water":
        return f"water limit of site {key[0]} in {inst.calendar.label(key[1])} can't hold with the rest: {amount * 1e3:.6g} m3 too much"
    if name == "capex_budget":
        return f"capex budget up to {inst.calendar.label(key[0])} can't hold with the rest: {amount * 1e6:.6g} USD too much"
    if name == "target":
        measure = Measure(key[0])
        return f"target {measure.value} can't hold with the rest: {amount * SCALE[measure]:.6g} {MEASURES[measure][1]} too much"
    if name == "in_common":
        return f"likeness to {key[0]} can't hold with the rest: it misses by {amount:.6g} %"
    u, t = key
    return f"customer share of {u} in {inst.calendar.label(t)} can't hold with the rest: {amount * 1e6:.6g} USD of revenue too much"

"""Targets as rows of the model, and on a plan's tables.

Rows are added to the compiled matrix: they belong to a question, not to the planning model. Their numbers are scaled to be near those
of other rows: kilotonnes, million USD, thousand GPU-periods, per cent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.sparse import coo_array, csc_array, hstack, vstack

from models.targets import NO_TARGETS, SCALE, Likeness, Measure, Targets, measured
from optimizer.blocks.base import Formulation, Index
from optimizer.blocks.energy import facility_average
from optimizer.formulation import formulate
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix, compile_matrix

PER_CENT = 100.0
TOTAL, COMMON, ALIKE = "target", "in_common", "alike"
"""Constraints: totals by measure, likeness by plan, and what each of a plan's racks has in common with another's."""
SHARED = "shared"
"""Racks in common with another plan, by plan, site, generation and period."""
TOLERANCE = 1e-6
"""Relative amount by which a plan may miss a target."""

Coefficients = dict[str, Floats]
"""By family of variables; shape (variables of the family,) each."""


def matrix_of(inst: Instance, targets: Targets = NO_TARGETS) -> Matrix:
    """The model of an instance, compiled, with targets.

    Raises:
        DirectiveConflictError: a directive asks for what is no decision.
        BuildError: as of :func:`~optimizer.matrix.compile_matrix`.
    """
    f = formulate(inst)
    return with_targets(compile_matrix(f), f, targets)


def with_targets(matrix: Matrix, f: Formulation, targets: Targets) -> Matrix:
    """The model with targets: ``total <= most`` for each measure, ``least <= in common <= most`` for each other plan.

    Args:
        matrix: of ``f``.
        f: the model as it was declared.
        targets: to hold; the matrix itself is returned where there are none.
    """
    for measure, most in targets.most.items():
        coefficients, constant = _total(f, measure)
        cells = [_values(matrix, family, values) for family, values in coefficients.items()]
        rows = _Rows(TOTAL, [(measure.value,)])
        for columns, values in cells:
            rows.put(0, columns, values)
        matrix = _extended(matrix, rows, upper=[most / SCALE[measure] - constant])
    for other in targets.likeness:
        matrix = _with_likeness(matrix, f.instance, other)
    return matrix


def missed(inst: Instance, targets: Targets, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Targets that a plan's tables do not hold, in words; computed without the model."""
    found, totals = [], measured(tables)
    for measure, most in targets.most.items():
        if totals[measure] > most + TOLERANCE * max(SCALE[measure], abs(most)):
            found.append(f"target {measure.value}: {totals[measure]:.9g} is above {most:.9g}")
    for other in targets.likeness:
        share, sign = in_common(inst, other.racks, tables["racks"]), 1.0 if other.least else -1.0
        if sign * (other.share - share) > TOLERANCE:
            found.append(f"target likeness to {other.name}: {share:.9g} is {'below' if other.least else 'above'} {other.share:.9g}")
    return found


def in_common(inst: Instance, other: pd.DataFrame, own: pd.DataFrame) -> float:
    """Share of another plan's racks that stand in a plan too: beyond the starting fleet, by place and period, weighed by power.

    Args:
        other, own: tables of racks.

    Returns:
        0 to 1; 1 where the other plan has none beyond the fleet.
    """
    theirs, ours = _new(inst, other), _new(inst, own)
    total = sum(_mw(inst, key) * racks for key, racks in theirs.items())
    if total <= 0:
        return 1.0
    return sum(_mw(inst, key) * min(racks, ours.get(key, 0.0)) for key, racks in theirs.items()) / total


def _new(inst: Instance, racks: pd.DataFrame) -> dict[Index, float]:
    """Racks in service beyond the fleet, where there are any, by site, generation and number of the period."""
    found: dict[Index, float] = {}
    rows = racks[racks["in_service"] > 0]
    for s, g, label, n in zip(rows["site_id"], rows["gen_id"], rows["period"], rows["in_service"], strict=True):
        key = (str(s), str(g), inst.index(str(label)))
        if str(s) in inst.site_at and str(g) in inst.gen_at and 0 <= key[2] < inst.T:
            more = float(n) - _fleet(inst, key)
            if more > 0:
                found[key] = more
    return found


def _fleet(inst: Instance, key: Index) -> float:
    """Racks of the starting fleet within their life."""
    s, g, t = key
    return float(inst.fleet_alive[inst.site_at[s], inst.gen_at[g], t])


def _mw(inst: Instance, key: Index) -> float:
    return inst.rack_mw[key[1]]


# totals --------------------------------------------------------------------------------------------


def _total(f: Formulation, measure: Measure) -> tuple[Coefficients, float]:
    """Coefficients of a measure by family of variables, and its constant, in the unit of its row."""
    inst = f.instance
    if measure is Measure.CARBON:
        return facility_average(f, inst.hours * inst.tonnes_per_mwh / SCALE[measure])
    if measure is Measure.LATE:
        return {"short": np.full(len(f.variables["short"].index), 1.0 / SCALE[measure])}, 0.0
    last = inst.T - 1

    def at(family: str, usd: Mapping[Index, float]) -> Floats:
        return np.array([usd.get(key, 0.0) for key in f.variables[family].index]) / SCALE[measure]

    index = f.variables["installed"].index
    orders = f.variables["retrofit_ordered"].index
    return {
        "installed": at("installed", {(s, g, t): float(inst.rack_usd[inst.gen_at[g], t]) for s, g, t in index}),
        "built": at("built", {(b, last): inst.block_rows[b].capex_usd for b in inst.buildable}),
        "open": at("open", {(s, last): inst.site_rows[s].activation_usd for s in inst.candidates}),
        "retrofit_ordered": at("retrofit_ordered", {(s, t): inst.retrofit_rows[s].fixed_usd for s, t in orders}),
        "retrofit_order_mw": at("retrofit_order_mw", {(s, t): inst.retrofit_rows[s].usd_per_kw * 1000.0 for s, t in orders}),
    }, 0.0


def _values(matrix: Matrix, family: str, values: Floats) -> tuple[np.ndarray, Floats]:
    """Columns of a family with a value other than 0, and the values."""
    some = np.flatnonzero(values)
    return matrix.columns[family][0] + some, values[some]


# likeness ------------------------------------------------------------------------------------------


def _with_likeness(matrix: Matrix, inst: Instance, other: Likeness) -> Matrix:
    """``shared`` racks: at most those of either plan where they must be in common, at least those of this one where they may not be.

    shared[k,s,g,t] <= x[s,g,t] - fleet[s,g,t] and <= the other's, which add up to at least a share; or >= x - fleet and >= 0, which add up
    to at most a share. Either is on the safe side of :func:`in_common`: fleet that is retired early counts against what must be in common,
    and more racks than the other plan has, where it has some, against what may not be.
    """
    theirs = _new(inst, other.racks)
    total = sum(_mw(inst, key) * racks for key, racks in theirs.items())
    if total <= 0:
        return matrix
    first, index = matrix.columns["in_service"]
    at = {key: first + i for i, key in enumerate(index)}
    keys = [key for key in theirs if key in at]
    fleet = np.array([_fleet(inst, key) for key in keys])
    place = np.array([at[key] for key in keys], dtype=np.intp)
    most = np.array([theirs[key] for key in keys])
    room = matrix.upper[place] - fleet
    lower, upper = (-fleet, np.minimum(most, room)) if other.least else (np.zeros(len(keys)), np.maximum(room, 0.0))
    names: list[Index] = [(other.name, *key) for key in keys]
    matrix, new = _with_columns(matrix, names, lower, upper)
    pairs = _Rows(ALIKE, names)
    for i, (own, racks) in enumerate(zip(new.tolist(), place.tolist(), strict=True)):
        pairs.put(i, [own, racks], [1.0, -1.0])
    matrix = _extended(matrix, pairs, upper=-fleet) if other.least else _extended(matrix, pairs, lower=-fleet)
    row = _Rows(COMMON, [(other.name,)])
    row.put(0, new, PER_CENT * np.array([_mw(inst, key) for key in keys]) / total)
    share = [PER_CENT * other.share]
    return _extended(matrix, row, lower=share) if other.least else _extended(matrix, row, upper=share)


# the matrix ----------------------------------------------------------------------------------------


@dataclass
class _Rows:
    """New rows of a constraint."""

    name: str
    index: list[Index]
    entries: list[tuple[int, int, float]] = field(default_factory=list)

    def put(self, row: int, columns: np.ndarray | list[int], values: Floats | list[float]) -> None:
        """Coefficients of a row."""
        self.entries += [(row, int(j), float(v)) for j, v in zip(columns, values, strict=True)]


def _with_columns(matrix: Matrix, names: list[Index], lower: Floats, upper: Floats) -> tuple[Matrix, np.ndarray]:
    """The model with more columns of the family of shared racks, and their places."""
    count, first = len(names), matrix.shape[1]
    begin, known = matrix.columns.get(SHARED, (first, []))
    made = replace(
        matrix,
        a=csc_array(hstack([matrix.a, csc_array((matrix.shape[0], count))], format="csc")),
        cost=np.concatenate([matrix.cost, np.zeros(count)]),
        lower=np.concatenate([matrix.lower, lower]),
        upper=np.concatenate([matrix.upper, upper]),
        integer=np.concatenate([matrix.integer, np.zeros(count, dtype=bool)]),
        columns={**matrix.columns, SHARED: (begin, [*known, *names])},
    )
    return made, np.arange(first, first + count)


def _extended(matrix: Matrix, rows: _Rows, lower: Floats | list[float] | None = None, upper: Floats | list[float] | None = None) -> Matrix:
    """The model with more rows of a constraint; a side that is not given is open."""
    count, first = len(rows.index), matrix.shape[0]
    i, j, v = zip(*rows.entries, strict=True) if rows.entries else ((), (), ())
    more = coo_array((np.array(v, dtype=float), (np.array(i, dtype=np.intp), np.array(j, dtype=np.intp))), shape=(count, matrix.shape[1]))
    place, known = matrix.rows.get(rows.name, (np.zeros(0, dtype=np.intp), []))
    return replace(
        matrix,
        a=csc_array(vstack([matrix.a, more], format="csc")),
        row_lower=np.concatenate([matrix.row_lower, np.full(count, -np.inf) if lower is None else np.asarray(lower, dtype=float)]),
        row_upper=np.concatenate([matrix.row_upper, np.full(count, np.inf) if upper is None else np.asarray(upper, dtype=float)]),
        rows={**matrix.rows, rows.name: (np.concatenate([place, np.arange(first, first + count)]).astype(np.intp), [*known, *rows.index])},
    )
